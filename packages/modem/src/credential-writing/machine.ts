import { ThinglineError } from "@thingline/protocol";
import type { CredentialType } from "@thingline/transport";
import { putInTag } from "./put.js";
import {
  attempt,
  type CheckedPlan,
  type EffectResult,
  listTag,
  listTagSurely,
  type ModemManners,
  stateOf,
  type Story,
  type TagEntry,
} from "./story.js";
import type { WriteCredentialsReport, WrittenItem } from "./types.js";

/** What was found out on the way, for the report. */
interface Course {
  /** What the tag held at the beginning. */
  before: readonly TagEntry[] | undefined;
  /** What it holds, as far as the way to success had to ask. */
  after: readonly TagEntry[] | undefined;
  /** What was written to the tag itself. */
  written: ReadonlySet<CredentialType>;
  isProved: boolean | undefined;
  isPutBack: boolean;
  leftInScratchTag: number | undefined;
}

/** The whole of a write: look, change, prove, and in every case ask what is there now and leave the modem as it was. */
export function* writingStory(plan: CheckedPlan, { withProof }: { withProof: boolean }): Story<WriteCredentialsReport> {
  const course: Course = {
    before: undefined,
    after: undefined,
    written: new Set(),
    isProved: undefined,
    isPutBack: false,
    leftInScratchTag: undefined,
  };
  const looked = yield* attempt({ do: "readManners" });
  if ("error" in looked) {
    return reportOf(plan, course, { failure: looked.error, entries: undefined, modem: undefined });
  }
  const manners = looked.value as ModemManners;
  const failure = yield* change(plan, withProof, course);
  const listed = failure === undefined ? undefined : yield* listTagSurely(plan.secTag, { isClosing: true });
  const entries = listed === undefined ? course.after : "error" in listed ? undefined : listed.entries;
  const restored = yield { do: "restore", manners, isClosing: true };
  const modem = { functionalMode: manners.functionalMode, isRestored: !("error" in restored) };
  return reportOf(plan, course, { failure, entries, modem });
}

function* change(plan: CheckedPlan, withProof: boolean, course: Course): Story<ThinglineError | undefined> {
  const raised = yield* attempt({ do: "raiseErrors" });
  if ("error" in raised) return raised.error;
  // Who proves may not take old credentials for missing ones because a line of the answer was damaged.
  const listed = yield* withProof ? listTagSurely(plan.secTag) : listTag(plan.secTag);
  if ("error" in listed) return listed.error;
  course.before = listed.entries;
  if (!withProof) return yield* place(plan, course);
  const replaced = plan.items.filter((item) => ["differs", "unknown"].includes(stateOf(item, listed.entries)));
  const failure =
    replaced.length === 0
      ? yield* placeAndProve(plan, course)
      : isWhole(plan)
        ? yield* proveElsewhere(plan, course)
        : yield* proveInPlace(plan, course);
  if (failure === undefined) yield* sweepScratch(plan, course);
  return failure;
}

/** Only a set of all three connects under a tag of its own. */
function isWhole({ items }: CheckedPlan): boolean {
  return (["privateKey", "certificate", "ca"] as const).every((type) => items.some((item) => item.type === type));
}

function* place(plan: CheckedPlan, course: Course): Story<ThinglineError | undefined> {
  const put = yield* putInTag(plan, plan.secTag, course.before);
  course.written = put.written;
  if ("error" in put) return put.error;
  course.after = put.entries;
  return undefined;
}

function* placeAndProve(plan: CheckedPlan, course: Course): Story<ThinglineError | undefined> {
  const failure = yield* place(plan, course);
  return failure ?? (yield* proveTag(plan.secTag, course));
}

function* proveTag(secTag: number, course: Course): Story<ThinglineError | undefined> {
  const proof = yield { do: "prove", secTag };
  course.isProved = !("error" in proof);
  return "error" in proof ? proof.error : undefined;
}

/** The tag keeps what it has until the new credentials have connected from another one. */
function* proveElsewhere(plan: CheckedPlan, course: Course): Story<ThinglineError | undefined> {
  const { scratchTag } = plan;
  const listed = yield* listTagSurely(scratchTag);
  if ("error" in listed) return listed.error;
  const others = listed.entries.filter(({ type, sha256 }) => {
    const item = plan.items.find((each) => each.type === type);
    return item === undefined || item.sha256 !== sha256;
  });
  if (others.length > 0 && !plan.force) return scratchTaken(scratchTag, others);
  course.leftInScratchTag = scratchTag;
  const failure = yield* proveThenMove(plan, course);
  yield* clearTag(plan, scratchTag, course);
  return failure;
}

function* proveThenMove(plan: CheckedPlan, course: Course): Story<ThinglineError | undefined> {
  const put = yield* putInTag(plan, plan.scratchTag);
  if ("error" in put) return put.error;
  const failure = yield* proveTag(plan.scratchTag, course);
  if (failure !== undefined) return failure;
  return yield* placeAndProve(plan, course);
}

function scratchTaken(scratchTag: number, others: readonly TagEntry[]): ThinglineError {
  const types = others.map(({ type }) => type).join(", ");
  const message =
    `security tag ${scratchTag}, in which new credentials would wait for their proof, holds others (${types}): ` +
    "name an empty one, or clear it";
  return new ThinglineError("CREDENTIAL_REFUSED", message, { details: { secTag: scratchTag } });
}

/**
 * A part of a set connects only together with what the tag holds, a key that was made in the modem above all. Certificates can be read
 * before they are replaced, and are put back when the new ones do not connect; a key cannot.
 */
function* proveInPlace(plan: CheckedPlan, course: Course): Story<ThinglineError | undefined> {
  const old: { type: "ca" | "certificate"; content: string }[] = [];
  for (const { type } of plan.items) {
    if (type !== "ca" && type !== "certificate") continue;
    if (!course.before?.some((entry) => entry.type === type)) continue;
    const read = yield* attempt({ do: "read", secTag: plan.secTag, type });
    // Some firmware lets nobody read them; then there is nothing to put back.
    if (!("error" in read) && typeof read.value === "string") old.push({ type, content: read.value });
  }
  const failure = yield* placeAndProve(plan, course);
  if (failure === undefined) return undefined;
  const isKeyKept = yield* keepsKey(plan, course);
  // The certificate belonged to the key that is gone: back in its place it would look whole with one that it is not of.
  const back = old.filter(({ type }) => type === "ca" || isKeyKept);
  if (back.length === 0) return failure;
  const offline = yield* attempt({ do: "offline", isClosing: true });
  let isPutBack = !("error" in offline);
  for (const each of back) {
    if (!isPutBack) break;
    const written = yield* attempt({ do: "write", secTag: plan.secTag, isClosing: true, ...each });
    isPutBack = !("error" in written);
  }
  course.isPutBack = isPutBack;
  return failure;
}

/** Asked, where it was to be written: a write that was stopped may have been done. */
function* keepsKey({ items, secTag }: CheckedPlan, { before = [], written }: Course): Story<boolean> {
  if (!items.some(({ type }) => type === "privateKey")) return true;
  if (written.has("privateKey")) return false;
  const listed = yield* listTagSurely(secTag, { isClosing: true });
  const keyIn = (entries: readonly TagEntry[]) => entries.find(({ type }) => type === "privateKey");
  return !("error" in listed) && keyIn(listed.entries)?.sha256 === keyIn(before)?.sha256;
}

/** What waited for its proof is needed no more, and a private key must not lie about. */
function* clearTag(plan: CheckedPlan, secTag: number, course: Course, onlyPlanned = false): Story<void> {
  const listed = yield* listTagSurely(secTag, { isClosing: true });
  if ("error" in listed) return;
  const ofPlan = listed.entries.filter(({ type, sha256 }) => {
    const item = plan.items.find((each) => each.type === type);
    return item !== undefined && (!onlyPlanned || item.sha256 === sha256);
  });
  // With others beside them it is somebody's own tag, and no earlier run's: many identities have the same CA.
  const ours = onlyPlanned && ofPlan.length < listed.entries.length ? [] : ofPlan;
  course.leftInScratchTag = ours.length === 0 ? undefined : secTag;
  if (ours.length === 0) return;
  const offline = yield* attempt({ do: "offline", isClosing: true });
  if ("error" in offline) return;
  for (const { type } of ours) {
    const deleted: EffectResult = yield* attempt({ do: "delete", secTag, type, isClosing: true });
    if ("error" in deleted) return;
  }
  course.leftInScratchTag = undefined;
}

/** An earlier run may have ended between the move and the clearing. */
function* sweepScratch(plan: CheckedPlan, course: Course): Story<void> {
  if (plan.scratchTag !== plan.secTag) yield* clearTag(plan, plan.scratchTag, course, true);
}

function reportOf(
  plan: CheckedPlan,
  course: Course,
  end: {
    failure: ThinglineError | undefined;
    entries: readonly TagEntry[] | undefined;
    modem: WriteCredentialsReport["modem"];
  },
): WriteCredentialsReport {
  const { failure, entries, modem } = end;
  const items = plan.items.map((item): WrittenItem => ({
    type: item.type,
    state: entries === undefined ? "unknown" : stateOf(item, entries),
    isWritten: course.written.has(item.type),
    sha256: item.sha256,
    foundSha256: entries?.find(({ type }) => type === item.type)?.sha256,
  }));
  return {
    secTag: plan.secTag,
    result: failure !== undefined ? "failed" : course.written.size > 0 ? "written" : "unchanged",
    items,
    isProved: course.isProved,
    oldCredentials: oldCredentials(plan, course, entries),
    leftInScratchTag: course.leftInScratchTag,
    modem,
    failure,
  };
}

function oldCredentials(
  plan: CheckedPlan,
  { before, isPutBack }: Course,
  after: readonly TagEntry[] | undefined,
): WriteCredentialsReport["oldCredentials"] {
  if (before === undefined) return "unknown";
  const old = before.filter(({ type, sha256 }) =>
    plan.items.some((item) => item.type === type && item.sha256 !== sha256),
  );
  if (old.length === 0) return "none";
  if (after === undefined) return "unknown";
  const isThere = ({ type, sha256 }: TagEntry) =>
    after.some((entry) => entry.type === type && entry.sha256 === sha256 && sha256 !== undefined);
  if (!old.every(isThere)) return "replaced";
  return isPutBack ? "putBack" : "kept";
}
