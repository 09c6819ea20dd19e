import { deltaOf, type ShadowDocument, type ShadowSections } from "./document.js";
import type { JsonObject, JsonValue } from "../json.js";
import { stampMetadata } from "./metadata.js";
import type { ShadowUpdate, ShadowUpdateState } from "./request.js";

/** Times are Unix seconds. `clientToken` is that of the request, when it had one. */
export interface ShadowAnswer {
  version: number;
  timestamp: number;
  clientToken?: string;
}

/** `get/accepted`, and the body of GetThingShadow. */
export interface ShadowGetAccepted extends ShadowAnswer {
  state: ShadowSections & { readonly delta?: JsonObject };
  metadata: ShadowSections & { readonly delta?: JsonObject };
}

/** `update/accepted`, and the body of UpdateThingShadow: what was asked for, not what there is. */
export interface ShadowUpdateAccepted extends ShadowAnswer {
  state: ShadowUpdateState | null;
  metadata: JsonValue;
}

/** `delete/accepted`, and the body of DeleteThingShadow: the version that was deleted. */
export type ShadowDeleteAccepted = ShadowAnswer;

/** `update/delta`: all differences, without the levels `desired` and `reported`. */
export interface ShadowDelta extends ShadowAnswer {
  state: JsonObject;
  metadata: JsonObject;
}

/** `update/documents`: before and after. */
export interface ShadowDocuments extends Omit<ShadowAnswer, "version"> {
  /** null: there was none. */
  previous: ShadowVersioned | null;
  current: ShadowVersioned;
}

export interface ShadowVersioned {
  state: ShadowSections;
  metadata: ShadowSections;
  version: number;
}

/** What each answer ends with. */
export interface AnswerFacts {
  nowSeconds: number;
  clientToken?: string | undefined;
}

// The members stand in the order in which the live service writes them.

export function composeGetAccepted(document: ShadowDocument, facts: AnswerFacts): ShadowGetAccepted {
  const { state, metadata, version } = document;
  const delta = deltaOf(document);
  return {
    state: { ...state, ...(delta && { delta: delta.state }) },
    metadata: { ...metadata, ...(delta && { delta: delta.metadata }) },
    version,
    ...ending(facts),
  };
}

export function composeUpdateAccepted(
  { version }: ShadowDocument,
  { state }: ShadowUpdate,
  facts: AnswerFacts,
): ShadowUpdateAccepted {
  const metadata = stampMetadata(state, facts.nowSeconds);
  return { state, metadata, version, ...ending(facts) };
}

export function composeDeleteAccepted(version: number, facts: AnswerFacts): ShadowDeleteAccepted {
  return { version, ...ending(facts) };
}

/** @returns undefined when there is no difference: nothing is to be published. */
export function composeDelta(document: ShadowDocument, { nowSeconds, clientToken }: AnswerFacts) {
  const delta = deltaOf(document);
  if (delta === undefined) return undefined;
  const message: ShadowDelta = { version: document.version, timestamp: nowSeconds, ...delta, ...token(clientToken) };
  return message;
}

export function composeDocuments(
  previous: ShadowDocument | undefined,
  current: ShadowDocument,
  facts: AnswerFacts,
): ShadowDocuments {
  return { previous: previous ? versioned(previous) : null, current: versioned(current), ...ending(facts) };
}

const versioned = ({ state, metadata, version }: ShadowDocument): ShadowVersioned => ({ state, metadata, version });
const token = (clientToken: string | undefined) => (clientToken === undefined ? {} : { clientToken });
const ending = ({ nowSeconds, clientToken }: AnswerFacts) => ({ timestamp: nowSeconds, ...token(clientToken) });
