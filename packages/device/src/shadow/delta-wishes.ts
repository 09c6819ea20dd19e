import { isJsonEqual, isJsonObject, type JsonObject, type JsonValue } from "@thingline/protocol/shadow/client";

/**
 * Wishes are the leaves of a difference: what is no object, or an empty one. An array is one wish, as AWS replaces it whole. Sets of
 * wishes are objects of the shape of the difference that hold their values.
 */
export type Wishes = JsonObject;

export const noWishes: Wishes = {};

/** Wishes of `wishes` for which `isKept` says so, given what `other` has in the same place. */
function select(
  wishes: Wishes,
  other: JsonObject,
  isKept: (wish: JsonValue, other: JsonValue | undefined) => boolean,
): Wishes {
  const kept: [string, JsonValue][] = [];
  let isWhole = true;
  for (const name of Object.keys(wishes)) {
    const wish = wishes[name] as JsonValue;
    const there = Object.hasOwn(other, name) ? other[name] : undefined;
    if (isBranch(wish) && isJsonObject(there)) {
      const inner = select(wish, there, isKept);
      if (Object.keys(inner).length > 0) kept.push([name, inner]);
      isWhole &&= inner === wish;
    } else if (isKept(wish, there)) kept.push([name, wish]);
    else isWhole = false;
  }
  return isWhole ? wishes : Object.fromEntries(kept);
}

const isBranch = (value: JsonValue): value is JsonObject => isJsonObject(value) && Object.keys(value).length > 0;

/** Those of `marks` that still stand, with the same value. */
export function standing(marks: Wishes, difference: JsonObject): Wishes {
  return select(marks, difference, (mark, wish) => wish !== undefined && isJsonEqual(mark, wish));
}

/** Those of a difference that are not among `marks` with the same value. */
export function without(difference: JsonObject, marks: Wishes): Wishes {
  return select(difference, marks, (wish, mark) => mark === undefined || !isJsonEqual(wish, mark));
}

/** Those that a report says anything about, be it what was wished or not; a removed parent says it of all below. */
export function touched(wishes: Wishes, report: JsonObject): Wishes {
  return select(wishes, report, (_, told) => told !== undefined);
}

/** Those that a report does as they say. */
export function fulfilled(wishes: Wishes, report: JsonObject): Wishes {
  return select(wishes, report, (wish, told) => told !== undefined && isJsonEqual(wish, told));
}

export function together(first: Wishes, second: Wishes): Wishes {
  if (isNone(first)) return second;
  if (isNone(second)) return first;
  const members = new Map(Object.entries(first));
  for (const [name, wish] of Object.entries(second)) {
    const known = members.get(name);
    members.set(name, known !== undefined && isBranch(known) && isBranch(wish) ? together(known, wish) : wish);
  }
  return Object.fromEntries(members);
}

export function isNone(wishes: Wishes): boolean {
  return Object.keys(wishes).length === 0;
}

/** `metadata` in the shape of the wishes. */
export function cutTo(metadata: JsonObject, wishes: Wishes): JsonObject {
  const cut: [string, JsonValue][] = [];
  for (const [name, wish] of Object.entries(wishes)) {
    const there = Object.hasOwn(metadata, name) ? metadata[name] : undefined;
    if (there === undefined) continue;
    cut.push([name, isBranch(wish) && isJsonObject(there) ? cutTo(there, wish) : there]);
  }
  return Object.fromEntries(cut);
}
