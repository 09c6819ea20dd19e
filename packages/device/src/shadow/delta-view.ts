import { isJsonEqual, type JsonObject } from "@thingline/protocol/shadow/client";
import {
  cutTo,
  fulfilled,
  isNone,
  noWishes,
  standing,
  together,
  touched,
  type Wishes,
  without,
} from "./delta-wishes.js";

/** What the cloud wants and the device neither has nor has answered yet: all of it, whatever was told before. */
export interface ShadowDelta<State extends JsonObject = JsonObject> {
  state: Partial<State>;
  /** Unix seconds of each leaf, in the shape of `state`. */
  metadata: JsonObject;
  /** Of the document. Give it to `report()` to be refused when the document has changed since. */
  version: number;
  /** Unix seconds. */
  timestamp: number;
}

/** What one loop knows of its shadow. */
export interface DeltaView {
  /** The highest version that anything told; an answer that skips one says that something was missed. */
  knownVersion: number;
  /** Differences are known as of this version. `update/accepted` and `update/delta` of one update have the same. */
  deltaVersion: number;
  /** Unix seconds of that. */
  timestamp: number;
  /** The whole difference as of that version, less what was done since. Undefined: there is none. */
  latest: ShadowDelta | undefined;
  /** Not read by the loop yet. A newer one takes its place: each delta holds every difference. */
  unread: ShadowDelta | undefined;
  /** Wishes that the loop has read and that still stand. */
  heard: Wishes;
  /** Those that a report spoke about, or that were declined: told again when the wish changes. */
  answered: Wishes;
  /** Those that were heard, and met with a report about something else: as answered, unless a report fails. */
  passedOver: Wishes;
  /** What the loop read last, and whether anything was reported since. */
  told: Wishes;
  isReported: boolean;
  /** Of the differences that were told again because a report conflicted: once each, or a wrong version would do it for ever. */
  retoldVersion: number;
  /** Counts what came in: a document is the last word when nothing came since it was asked for. */
  inputCount: number;
  /** Documents in a row that are older than what was known. */
  doubts: number;
}

export type DeltaInput =
  | { type: "delta"; delta: ShadowDelta }
  /** No delta that could be read, but something came on its topic. */
  | { type: "unreadable" }
  /**
   * The whole document, as a get told it. `delta` undefined: there is no difference. `askedAt`: {@link DeltaView.inputCount} when it was
   * asked for.
   */
  | { type: "document"; version: number; timestamp: number; delta: ShadowDelta | undefined; askedAt: number }
  /** A get found no shadow. */
  | { type: "absent" }
  /** The loop took the unread delta. */
  | { type: "read" }
  /** A report of our own is being sent. */
  | { type: "reporting"; reported: JsonObject }
  /** An update of our own was accepted. */
  | { type: "accepted"; version: number; reported: JsonObject | undefined }
  /** It failed: whatever it spoke about is unanswered again. `conflictWith`: the version it wanted, when somebody wrote in between. */
  | { type: "reportFailed"; reported: JsonObject; conflictWith: number | undefined }
  /** The device cannot or will not, and says so. */
  | { type: "declined"; wishes: Wishes };

export const freshDeltaView: DeltaView = {
  knownVersion: 0,
  deltaVersion: 0,
  timestamp: 0,
  latest: undefined,
  unread: undefined,
  heard: noWishes,
  answered: noWishes,
  passedOver: noWishes,
  told: noWishes,
  isReported: false,
  retoldVersion: 0,
  inputCount: 0,
  doubts: 0,
};

/** A delta that skips more versions is not believed before the document says the same. */
export const versionJumpMax = 10_000;
/** Answers of updates that run at once come in any order. */
const lateAnswersMax = 10;
/** So many documents in a row have to say that what is known is no more. */
const doubtsMax = 2;

type Step = [next: DeltaView, isMissing: boolean];

/**
 * Takes in what came. `isMissing`: the document has to be asked for, because a version was skipped, and with it perhaps a delta that nobody
 * will tell again, or because what came does not fit what is known.
 *
 * Messages come twice (QoS 1) and out of order: what is older than what is known is dropped. A lower version with a later time is a
 * shadow that was made anew after its version had been forgotten. A cloud that tells nonsense must not make the loop deaf: nothing
 * is dropped without asking, and a document that was asked for after all else came has the last word.
 */
export function stepDeltaView(before: DeltaView, input: DeltaInput): Step {
  const view = { ...before, inputCount: before.inputCount + (isFromCloud(input) ? 1 : 0) };
  switch (input.type) {
    case "unreadable":
      return [view, true];
    case "absent":
      // The version is remembered for 48 hours, so that the next document is newer by version, or else by time.
      return [{ ...forgetWishes(view), knownVersion: 0, doubts: 0 }, false];
    case "accepted":
      return accepted(view, input.version, input.reported);
    case "delta":
      return delta(view, input.delta);
    case "document":
      return document(view, input);
    case "read": {
      const told = (view.unread?.state ?? noWishes) as JsonObject;
      return [{ ...view, unread: undefined, heard: together(view.heard, told), told, isReported: false }, false];
    }
    case "reporting": {
      const answered = together(view.answered, touched(view.heard, input.reported));
      return [{ ...view, answered, isReported: true }, false];
    }
    case "reportFailed":
      return reportFailed(view, input);
    case "declined":
      return [{ ...view, answered: together(view.answered, standing(input.wishes, view.heard)) }, false];
  }
}

/**
 * What came while the report was under way was told without what it spoke about: nobody will say that again. When what came in between
 * is not here yet, the document is asked for.
 */
function reportFailed(view: DeltaView, input: DeltaInput & { type: "reportFailed" }): Step {
  const { reported, conflictWith } = input;
  const answered = without(view.answered, touched(view.answered, reported));
  const next = { ...view, answered, passedOver: noWishes, isReported: false };
  const isConflict = conflictWith !== undefined;
  if (view.unread !== undefined) return [{ ...next, unread: remaining(next) }, isConflict];
  const { deltaVersion } = view;
  if (!isConflict || deltaVersion <= conflictWith || deltaVersion === view.retoldVersion) return [next, isConflict];
  return [{ ...next, unread: remaining(next), retoldVersion: deltaVersion }, true];
}

const isFromCloud = ({ type }: DeltaInput): boolean => type === "delta" || type === "document" || type === "accepted";

function accepted(view: DeltaView, version: number, reported: JsonObject | undefined): Step {
  // What is done stands no more: if it comes back it is a difference like a new one.
  const done = reported === undefined ? noWishes : fulfilled(view.heard, reported);
  const next = isNone(done) ? view : { ...view, ...lessDone(view, done) };
  const { knownVersion } = view;
  const isMissing = knownVersion > 0 && (version > knownVersion + 1 || version < knownVersion - lateAnswersMax);
  if (isJump(version, knownVersion)) return [next, isMissing];
  return [{ ...next, knownVersion: Math.max(knownVersion, version) }, isMissing];
}

function delta(view: DeltaView, told: ShadowDelta): Step {
  const { version, timestamp } = told;
  const state = told.state as JsonObject;
  if (version === view.deltaVersion) return [view, !isJsonEqual(state, differenceOf(view))];
  if (!isNewer(view, version, timestamp)) return [view, true];
  if (isJump(version, Math.max(view.knownVersion, view.deltaVersion))) return [view, true];
  return [adopt(view, told, { version, timestamp, isLastWord: false }), false];
}

const differenceOf = ({ latest }: DeltaView): JsonObject => (latest?.state ?? noWishes) as JsonObject;

function lessDone({ latest, heard, answered, told }: DeltaView, done: Wishes): Partial<DeltaView> {
  return {
    latest: latest === undefined ? undefined : lessOf(latest, done),
    heard: without(heard, done),
    answered: without(answered, done),
    told: without(told, done),
  };
}

/** Undefined when nothing is left. */
function lessOf(delta: ShadowDelta, marks: Wishes): ShadowDelta | undefined {
  const state = without(delta.state as JsonObject, marks);
  if (isNone(state)) return undefined;
  return state === delta.state ? delta : { ...delta, state, metadata: cutTo(delta.metadata, state) };
}

/** What stands, and is neither answered nor passed over. */
function remaining({ latest, answered, passedOver }: DeltaView): ShadowDelta | undefined {
  return latest === undefined ? undefined : lessOf(latest, together(answered, passedOver));
}

function document(view: DeltaView, input: DeltaInput & { type: "document" }): Step {
  const { version, timestamp, delta: told, askedAt } = input;
  const isLastWord = view.inputCount === askedAt + 1;
  const as = { version, timestamp, isLastWord };
  if (isNewer(view, version, timestamp)) return [adopt(view, told, as), false];
  const isSame =
    version === view.deltaVersion && isJsonEqual((told?.state ?? noWishes) as JsonObject, differenceOf(view));
  if (isSame) return [{ ...view, doubts: 0 }, false];
  const doubts = view.doubts + 1;
  const isBelieved = isLastWord && (version === view.deltaVersion || doubts >= doubtsMax);
  if (isBelieved) return [adopt(view, told, as), false];
  // Something came while it was asked for: it may be older than that.
  return [{ ...view, doubts }, doubts <= doubtsMax];
}

function isNewer({ deltaVersion, timestamp: known }: DeltaView, version: number, timestamp: number): boolean {
  return version > deltaVersion || (version < deltaVersion && timestamp > known);
}

const isJump = (version: number, known: number): boolean => version > known + versionJumpMax;

interface AsOf {
  version: number;
  timestamp: number;
  isLastWord: boolean;
}

function adopt(view: DeltaView, latest: ShadowDelta | undefined, { version, timestamp, isLastWord }: AsOf): DeltaView {
  const isMadeAnew = version < view.deltaVersion;
  const state = (latest?.state ?? noWishes) as JsonObject;
  const next: DeltaView = {
    ...view,
    knownVersion: isMadeAnew || isLastWord ? version : Math.max(view.knownVersion, version),
    deltaVersion: version,
    timestamp,
    latest,
    heard: standing(view.heard, state),
    answered: standing(view.answered, state),
    passedOver: standing(view.passedOver, state),
    doubts: 0,
  };
  const unread = remaining(next);
  // The application knew of all this, and had something else to say.
  const isPassedOver = view.isReported && unread !== undefined && isJsonEqual(unread.state as JsonObject, view.told);
  if (!isPassedOver) return { ...next, unread };
  return { ...next, unread: undefined, passedOver: together(next.passedOver, view.told) };
}

function forgetWishes(view: DeltaView): DeltaView {
  return {
    ...view,
    latest: undefined,
    unread: undefined,
    heard: noWishes,
    answered: noWishes,
    passedOver: noWishes,
    told: noWishes,
    isReported: false,
  };
}
