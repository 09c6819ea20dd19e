import { ThinglineError } from "@thingline/protocol";
import type { FunctionalMode } from "@thingline/protocol/at";
import type { CredentialType } from "@thingline/transport";
import { isPassing } from "../failures.js";
import type { CredentialPlan } from "./types.js";

/** How a modem was found, to leave it so. */
export interface ModemManners {
  /** Of `+CMEE`. */
  errorLevel: number;
  functionalMode: FunctionalMode;
  /** Levels of `+CEREG` and `+CSCON`: those subscriptions that a modem tells. */
  subscriptions: readonly (readonly [name: string, level: number])[];
}

/** One credential that a modem has. `sha256` is lower-case; undefined where the firmware tells none and the content cannot be read. */
export interface TagEntry {
  type: CredentialType;
  sha256: string | undefined;
}

/** What a story wants done. With `isClosing` also after the caller went away. */
export type WritingEffect = { isClosing?: boolean } & (
  | { do: "readManners" }
  | { do: "raiseErrors" }
  | { do: "list"; secTag: number }
  | { do: "read"; secTag: number; type: CredentialType }
  | { do: "offline" }
  | { do: "write"; secTag: number; type: CredentialType; content: string }
  | { do: "delete"; secTag: number; type: CredentialType }
  | { do: "prove"; secTag: number }
  | { do: "restore"; manners: ModemManners }
);

export type EffectValue = ModemManners | readonly TagEntry[] | string | undefined;
export type EffectResult = { value: EffectValue } | { error: ThinglineError };

/**
 * A part of the writing, as a generator: it asks for effects and is told what became of them, and does nothing itself. The order of a write, with
 * what follows each failure, reads from top to bottom so, which a table of states would hide; it is as pure as one.
 */
export type Story<Result> = Generator<WritingEffect, Result, EffectResult>;

/** A plan that was checked, with what it comes to. */
export interface CheckedPlan extends Required<Omit<CredentialPlan, "credentials">> {
  items: readonly PlannedItem[];
}

export interface PlannedItem {
  type: CredentialType;
  content: string;
  sha256: string;
  /** Digests that the content has with other line ends, with the name of what was changed. */
  variants: ReadonlyMap<string, string>;
}

/** Of one effect. What fails so twice does not pass. */
export const effectAttemptsMax = 2;
/** How often a tag is listed until two answers in a row agree. */
export const agreeingAsksMax = 4;

/** The key first, so that a tag with a CA is a tag that was written to the end. */
export const writeOrder: readonly CredentialType[] = ["privateKey", "psk", "pskIdentity", "certificate", "ca"];

/** Asks for one effect, once more where the first failure may pass. */
export function* attempt(effect: WritingEffect): Story<EffectResult> {
  let result = yield effect;
  for (let attempts = 1; attempts < effectAttemptsMax && "error" in result && isPassing(result.error); attempts++) {
    result = yield effect;
  }
  return result;
}

export type Listed = { entries: readonly TagEntry[] } | { error: ThinglineError };

export function* listTag(secTag: number, { isClosing = false } = {}): Story<Listed> {
  return toListed(yield* attempt({ do: "list", secTag, isClosing }));
}

/** Asks until two answers in a row say the same: a line that was damaged on its way is a credential that is not there. */
export function* listTagSurely(secTag: number, { isClosing = false } = {}): Story<Listed> {
  let before: string | undefined;
  let last: Listed = yield* listTag(secTag, { isClosing });
  for (let asks = 1; asks < agreeingAsksMax; asks++) {
    if ("error" in last) return last;
    const now = JSON.stringify(last.entries);
    if (now === before) return last;
    before = now;
    last = yield* listTag(secTag, { isClosing });
  }
  const message = `the modem lists security tag ${secTag} differently each time: the line damages what goes over it`;
  return { error: new ThinglineError("MODEM_RESPONSE_INVALID", message, { details: { secTag } }) };
}

const toListed = (result: EffectResult): Listed =>
  "error" in result ? result : { entries: (result.value ?? []) as readonly TagEntry[] };

/** How one item of a plan stands. */
export function stateOf(item: PlannedItem, entries: readonly TagEntry[]): "equal" | "differs" | "missing" | "unknown" {
  const found = entries.find(({ type }) => type === item.type);
  if (found === undefined) return "missing";
  if (found.sha256 === undefined) return "unknown";
  return found.sha256 === item.sha256 ? "equal" : "differs";
}
