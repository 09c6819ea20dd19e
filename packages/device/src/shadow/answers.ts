import { ThinglineError } from "@thingline/protocol";
import { isJsonObject, type JsonObject, type JsonValue } from "@thingline/protocol/shadow/client";
import type { ShadowDelta } from "./delta-view.js";

/** `update`, `delete` and `get` end so. Times are Unix seconds. */
export interface ShadowAccepted {
  version: number;
  timestamp: number;
}

/** A whole shadow. */
export interface ShadowView<State extends JsonObject = JsonObject> extends ShadowAccepted {
  state: { desired?: Partial<State>; reported?: Partial<State>; delta?: Partial<State> };
  metadata: { desired?: JsonObject; reported?: JsonObject; delta?: JsonObject };
}

/** An answer, checked as far as anybody goes by it: it came from the network. */
export interface ShadowAnswerMessage {
  clientToken: string | undefined;
  /** Undefined in some refusals. */
  version: number | undefined;
  timestamp: number | undefined;
  members: JsonObject;
}

/** @throws {ThinglineError} SHADOW_DOCUMENT_INVALID. */
export function decodeAnswer(topic: string, payload: Uint8Array): ShadowAnswerMessage {
  let value: unknown;
  try {
    value = JSON.parse(new TextDecoder("utf-8", { fatal: true }).decode(payload));
  } catch (cause) {
    throw malformed(topic, "it is no JSON", cause);
  }
  if (!isJsonObject(value)) throw malformed(topic, "it is no JSON object");
  const { clientToken, version, timestamp } = value;
  return {
    clientToken: typeof clientToken === "string" ? clientToken : undefined,
    version: isCount(version) ? version : undefined,
    timestamp: isCount(timestamp) ? timestamp : undefined,
    members: value,
  };
}

/** @throws {ThinglineError} SHADOW_DOCUMENT_INVALID. */
export function acceptedOf(topic: string, { version, timestamp }: ShadowAnswerMessage): ShadowAccepted {
  if (version === undefined || timestamp === undefined) throw malformed(topic, "it has no version and timestamp");
  return { version, timestamp };
}

/** @throws {ThinglineError} SHADOW_DOCUMENT_INVALID. */
export function viewOf(topic: string, answer: ShadowAnswerMessage): ShadowView {
  const { state = {}, metadata = {} } = answer.members;
  if (!isJsonObject(state) || !isJsonObject(metadata)) throw malformed(topic, "its state is no object");
  return {
    state: sectionsOf(topic, state, levelsMax),
    metadata: sectionsOf(topic, metadata, levelsMax + 1),
    ...acceptedOf(topic, answer),
  };
}

/** @throws {ThinglineError} SHADOW_DOCUMENT_INVALID. */
export function deltaOfMessage(topic: string, answer: ShadowAnswerMessage): ShadowDelta {
  const { state, metadata = {} } = answer.members;
  if (!isJsonObject(state) || !isJsonObject(metadata)) throw malformed(topic, "its state is no object");
  if (isDeep(state, levelsMax) || isDeep(metadata, levelsMax + 1)) throw malformed(topic, tooDeep);
  return { state, metadata, ...acceptedOf(topic, answer) };
}

function sectionsOf(
  topic: string,
  sections: JsonObject,
  levels: number,
): { [Section in keyof ShadowView["state"]]: JsonObject } {
  const found: Record<string, JsonObject> = {};
  for (const name of ["desired", "reported", "delta"]) {
    const section: JsonValue | undefined = Object.hasOwn(sections, name) ? sections[name] : undefined;
    if (section === undefined || section === null) continue;
    if (!isJsonObject(section)) throw malformed(topic, `its ${name} is no object`);
    if (isDeep(section, levels)) throw malformed(topic, tooDeep);
    found[name] = section;
  }
  return found;
}

/**
 * Objects and arrays within one another, in a section or in a delta, the outermost counted; in metadata one more, which holds the time of a
 * value. Four times AWS's own limit. What walks through a state calls itself, and must not be led deeper than the stack.
 */
export const levelsMax = 32;
const tooDeep = `it has more than ${levelsMax} levels`;

function isDeep(value: JsonValue, levels: number): boolean {
  if (typeof value !== "object" || value === null) return false;
  return levels === 0 || Object.values(value).some((inner: JsonValue) => isDeep(inner, levels - 1));
}

const isCount = (value: unknown): value is number =>
  typeof value === "number" && Number.isSafeInteger(value) && value >= 0;

function malformed(topic: string, why: string, cause?: unknown): ThinglineError {
  const message = `a message on "${topic}" is no answer of the shadow service: ${why}`;
  return new ThinglineError("SHADOW_DOCUMENT_INVALID", message, { details: { topic }, cause });
}
