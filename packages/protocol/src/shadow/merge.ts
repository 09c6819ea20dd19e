import { isEmptyObject, isJsonObject, memberOf, setMember, type JsonObject, type JsonValue } from "../json.js";
import { stampMetadata } from "./metadata.js";

/** A section, or any object in it, with its metadata. */
export interface Stamped {
  value: JsonObject;
  metadata: JsonObject;
}

const nothing: Stamped = { value: {}, metadata: {} };

/**
 * Merges a section of a request into the section that is there. null removes, arrays and scalars replace, objects
 * merge; every leaf of the request gets a new timestamp, changed or not.
 *
 * @returns undefined when the section is empty afterwards: it does not exist then.
 * @see AWS IoT developer guide, "Device Shadow service documents"
 */
export function mergeSection(
  current: Stamped | undefined,
  patch: JsonObject | null,
  nowSeconds: number,
): Stamped | undefined {
  if (patch === null) return undefined;
  const merged = mergeObject(current ?? nothing, patch, nowSeconds);
  return isEmptyObject(merged.value) ? undefined : merged;
}

function mergeObject(current: Stamped, patch: JsonObject, nowSeconds: number): Stamped {
  const value: Record<string, JsonValue> = { ...current.value };
  const metadata: Record<string, JsonValue> = { ...current.metadata };
  for (const name in patch) {
    const wanted = patch[name] as JsonValue;
    let added: JsonValue | undefined = wanted;
    if (isJsonObject(wanted)) {
      const found = memberOf(value, name);
      if (isJsonObject(found)) {
        const foundMetadata = memberOf(metadata, name) as JsonObject;
        const merged = mergeObject({ value: found, metadata: foundMetadata }, wanted, nowSeconds);
        setMember(value, name, merged.value);
        setMember(metadata, name, merged.metadata);
        continue;
      }
      added = withoutNulls(wanted);
    }
    if (added === null || added === undefined) {
      // Of its own, `delete` takes `__proto__` for an ordinary name.
      delete value[name];
      delete metadata[name];
    } else {
      setMember(value, name, added);
      setMember(metadata, name, stampMetadata(added, nowSeconds));
    }
  }
  return { value, metadata };
}

/** What an object adds where no object was: undefined when it holds nothing but nulls, `{}` when it was empty itself. */
function withoutNulls(patch: JsonObject): JsonObject | undefined {
  const kept: Record<string, JsonValue> = {};
  let isAnyLeftOut = false;
  for (const name of Object.keys(patch)) {
    const wanted = patch[name] as JsonValue;
    const added = isJsonObject(wanted) ? withoutNulls(wanted) : wanted;
    if (added === null || added === undefined) isAnyLeftOut = true;
    else setMember(kept, name, added);
  }
  return isAnyLeftOut && isEmptyObject(kept) ? undefined : kept;
}
