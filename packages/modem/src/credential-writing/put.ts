import { ThinglineError } from "@thingline/protocol";
import type { CredentialType } from "@thingline/transport";
import { isPassing } from "../failures.js";
import {
  attempt,
  effectAttemptsMax,
  type CheckedPlan,
  type Listed,
  listTag,
  listTagSurely,
  type PlannedItem,
  stateOf,
  type Story,
  type TagEntry,
  writeOrder,
} from "./story.js";

/** The modem is active: somebody else switched it on. */
const whileActive = 518;
/** A key that was made in the modem is not overwritten. */
const alreadyThere = 519;

/** `written`: what the modem has said OK to, be it right afterwards or not. */
export type Put = ({ entries: readonly TagEntry[] } | { error: ThinglineError }) & {
  written: ReadonlySet<CredentialType>;
};

/**
 * Makes a tag hold what the plan says, and believes nothing but the list that the modem gives afterwards. What is there already is not written
 * again, so that a second run completes what the first one began.
 *
 * @param known what the tag holds, where that was just asked.
 */
export function* putInTag(plan: CheckedPlan, secTag: number, known?: readonly TagEntry[]): Story<Put> {
  let listed: Listed = known === undefined ? yield* listTag(secTag) : { entries: known };
  const written = new Set<CredentialType>();
  if ("error" in listed) return { ...listed, written };
  let todo = plan.items.filter((item) => needsWriting(item, listed));
  if (todo.length === 0) return { entries: listed.entries, written };
  const offline = yield* attempt({ do: "offline" });
  if ("error" in offline) return { ...offline, written };
  const before = listed.entries;
  const unmarked = yield* unmark(plan, { secTag, todo, entries: before });
  ({ todo } = unmarked);
  for (let attempts = 0; attempts < effectAttemptsMax; attempts++) {
    for (const item of inOrder(todo)) {
      const failure = yield* writeItem(plan, secTag, item);
      if (failure !== undefined) {
        yield* markAgain(secTag, unmarked.mark, before);
        return { error: failure, written };
      }
      written.add(item.type);
    }
    listed = yield* listTagSurelyUnless(plan, secTag);
    if ("error" in listed) return { ...listed, written };
    const { entries } = listed;
    todo = plan.items.filter((item) => {
      const state = stateOf(item, entries);
      // A firmware that tells no digest cannot be asked; it has said OK to the writing.
      return state !== "equal" && !(state === "unknown" && written.has(item.type));
    });
    if (todo.length === 0) return { entries, written };
    const changed = todo.find((item) => variantOf(item, entries) !== undefined);
    if (changed !== undefined) return { error: notVerified(secTag, changed, entries), written };
  }
  const entries = "error" in listed ? [] : listed.entries;
  return { error: notVerified(secTag, todo[0] as PlannedItem, entries), written };
}

/** When all stands there as it should, one answer says it: no damage makes that of another one. */
function* listTagSurelyUnless(plan: CheckedPlan, secTag: number): Story<Listed> {
  const listed = yield* listTag(secTag);
  if ("error" in listed || plan.items.every((item) => stateOf(item, listed.entries) === "equal")) return listed;
  return yield* listTagSurely(secTag);
}

const needsWriting = (item: PlannedItem, listed: Listed): boolean =>
  "error" in listed || stateOf(item, listed.entries) !== "equal";

const inOrder = (items: readonly PlannedItem[]): PlannedItem[] =>
  [...items].sort((left, right) => writeOrder.indexOf(left.type) - writeOrder.indexOf(right.type));

/** What was deleted to mark a tag as one that is not whole, as it was. */
type Mark = { type: CredentialType; content: string } | undefined;

/**
 * What is written last, the CA of a whole set, goes first: while a key is new and its certificate is not, the tag must not look whole, to no
 * device that boots on it. It is read before, so that a modem that then refuses all gets it back.
 */
function* unmark(
  { items }: CheckedPlan,
  { secTag, todo, entries }: { secTag: number; todo: PlannedItem[]; entries: readonly TagEntry[] },
): Story<{ todo: PlannedItem[]; mark: Mark }> {
  const last = inOrder(items).at(-1);
  const isThere = entries.some(({ type }) => type === last?.type);
  if (last === undefined || !isThere || todo.every((item) => item === last)) return { todo, mark: undefined };
  const { type } = last;
  const read = todo.includes(last) ? yield* attempt({ do: "read", secTag, type }) : { value: last.content };
  // Where it could not be deleted, the tag is as it was, and the next write will fail for the same reason.
  yield* attempt({ do: "delete", secTag, type });
  const mark = "value" in read && typeof read.value === "string" ? { type, content: read.value } : undefined;
  return { todo: todo.includes(last) ? todo : [...todo, last], mark };
}

/** Only where all else is as it was: a write whose answer was lost may have made another key of the one that was there. */
function* markAgain(secTag: number, mark: Mark, before: readonly TagEntry[]): Story<void> {
  if (mark === undefined) return;
  const listed = yield* listTagSurely(secTag, { isClosing: true });
  if ("error" in listed) return;
  const besides = (entries: readonly TagEntry[]) => JSON.stringify(entries.filter(({ type }) => type !== mark.type));
  if (besides(listed.entries) !== besides(before)) return;
  yield* attempt({ do: "write", secTag, isClosing: true, ...mark });
}

function* writeItem(plan: CheckedPlan, secTag: number, item: PlannedItem): Story<ThinglineError | undefined> {
  const { type, content } = item;
  for (let attempts = 0; ; attempts++) {
    const result = yield { do: "write", secTag, type, content };
    if (!("error" in result)) return undefined;
    const { error } = result;
    if (attempts + 1 >= effectAttemptsMax) return error;
    const { cme } = error.details;
    if (cme === whileActive) {
      const offline = yield* attempt({ do: "offline" });
      if ("error" in offline) return offline.error;
    } else if (cme === alreadyThere && plan.force) {
      const deleted = yield* attempt({ do: "delete", secTag, type });
      if ("error" in deleted) return deleted.error;
    } else if (isPassing(error)) {
      // The answer may have been lost, and not the command.
      const listed = yield* listTag(secTag);
      if (!needsWriting(item, listed)) return undefined;
      if ("error" in listed) return listed.error;
    } else {
      return error;
    }
  }
}

function variantOf(item: PlannedItem, entries: readonly TagEntry[]): string | undefined {
  const found = entries.find(({ type }) => type === item.type)?.sha256;
  return found === undefined ? undefined : item.variants.get(found);
}

function notVerified(secTag: number, item: PlannedItem, entries: readonly TagEntry[]): ThinglineError {
  const { type } = item;
  const variant = variantOf(item, entries);
  const what =
    variant !== undefined
      ? `is there ${variant}: something between here and the modem changes line ends`
      : stateOf(item, entries) === "missing"
        ? "is not there, although the modem said OK"
        : "reads back with another digest";
  const message = `${type} of security tag ${secTag} ${what}`;
  return new ThinglineError("CREDENTIAL_NOT_VERIFIED", message, { details: { secTag, item: type } });
}
