import { shadowError, type ShadowFault } from "./errors.js";
import { isEmptyObject, isJsonObject, memberOf, type JsonObject, type JsonValue } from "../json.js";

/** Levels of objects and arrays below `desired` or `reported`; the first one in a section is level 1. */
export const shadowDepthMax = 8;
export const clientTokenBytesMax = 64;
/** Of a request with everything in it: what a PUBLISH to AWS IoT can carry. */
export const shadowRequestBytesMax = 128 * 1024;

export const shadowSections = ["desired", "reported"] as const;
export type ShadowSection = (typeof shadowSections)[number];

/** `state` of an update: a section that is null is removed, one that is not there stays. */
export type ShadowUpdateState = { readonly desired?: JsonObject | null; readonly reported?: JsonObject | null };

/** A checked request to update. */
export interface ShadowUpdate {
  /** null clears both sections. */
  state: ShadowUpdateState | null;
  /** Update only when this is the current version. */
  version?: number;
  clientToken?: string;
}

const encoder = new TextEncoder();
const decoder = new TextDecoder("utf-8", { fatal: true, ignoreBOM: true });

/**
 * Reads and checks the payload of an update. Members besides `state`, `version` and `clientToken` are ignored.
 * @throws {ThinglineError} SHADOW_DOCUMENT_INVALID, SHADOW_ENCODING_UNSUPPORTED, SHADOW_TOO_LARGE
 */
export function decodeShadowUpdate(payload: Uint8Array): ShadowUpdate {
  if (payload.length === 0) throw shadowError("payloadMissing");
  const members = parsePayload(payload);
  if (!isJsonObject(members)) throw shadowError("jsonInvalid", { expected: "an object" });
  const clientToken = readClientToken(members);
  const state = readState(members);
  const version = readVersion(members);
  const update: ShadowUpdate = { state };
  if (version !== undefined) update.version = version;
  if (clientToken !== undefined) update.clientToken = clientToken;
  return update;
}

/**
 * Reads the payload of a request to get: nothing, or JSON that may hold a client token.
 * @throws {ThinglineError} SHADOW_DOCUMENT_INVALID, SHADOW_ENCODING_UNSUPPORTED, SHADOW_TOO_LARGE
 */
export function decodeShadowGet(payload: Uint8Array): { clientToken?: string } {
  if (payload.length === 0) return {};
  const members = parsePayload(payload);
  const clientToken = isJsonObject(members) ? readClientToken(members) : undefined;
  return clientToken === undefined ? {} : { clientToken };
}

/** The client token of any payload, for the answer to it; undefined when there is none that could be echoed. */
export function findClientToken(payload: Uint8Array): string | undefined {
  try {
    return decodeShadowGet(payload).clientToken;
  } catch {
    return undefined;
  }
}

function parsePayload(payload: Uint8Array): JsonValue {
  if (payload.length > shadowRequestBytesMax) {
    throw shadowError("tooLarge", { payloadBytes: payload.length, payloadBytesMax: shadowRequestBytesMax });
  }
  let text: string;
  try {
    text = decoder.decode(payload);
  } catch {
    throw shadowError("encodingUnsupported");
  }
  try {
    return JSON.parse(text) as JsonValue;
  } catch {
    throw shadowError("jsonInvalid");
  }
}

function readClientToken(members: JsonObject): string | undefined {
  const token = memberOf(members, "clientToken");
  if (token === undefined) return undefined;
  if (typeof token !== "string") throw shadowError("clientTokenInvalid", { expected: "a string" });
  const tokenBytes = encoder.encode(token).length;
  if (tokenBytes > clientTokenBytesMax) throw shadowError("clientTokenInvalid", { tokenBytes, clientTokenBytesMax });
  return token;
}

function readVersion(members: JsonObject): number | undefined {
  const version = memberOf(members, "version");
  if (version === undefined) return undefined;
  if (typeof version === "number" && Number.isInteger(version) && version >= 0) return version;
  throw shadowError("versionInvalid", { expected: "an integer of at least 0" });
}

function readState(members: JsonObject): ShadowUpdateState | null {
  const state = memberOf(members, "state");
  if (state === undefined) throw shadowError("stateMissing");
  if (state === null) return null;
  if (!isJsonObject(state)) throw shadowError("stateInvalid");
  const unknown = Object.keys(state).find((name) => !(shadowSections as readonly string[]).includes(name));
  if (unknown !== undefined) throw shadowError("nodeInvalid", { node: shown(unknown) });
  for (const section of shadowSections) {
    const value = memberOf(state, section);
    if (value === undefined || value === null) continue;
    if (!isJsonObject(value)) throw shadowError(section === "desired" ? "desiredInvalid" : "reportedInvalid");
    checkNode(value, section);
  }
  return state;
}

/** An empty object or array is no level of its own, as in AWS's edge service. */
function checkNode(node: JsonValue, section: ShadowSection): void {
  const fault = findFault(node, 0);
  if (fault === undefined) return;
  // Put together only now: nearly every document is sound.
  const named: Readonly<Record<string, string>> =
    fault.name === "nodeInvalid" ? { node: shown(fault.path[0] ?? section) } : {};
  const path = shown([section, ...fault.path.reverse()].join("."));
  throw shadowError(fault.name, { path, ...named, ...fault.details });
}

interface NodeFault {
  name: ShadowFault;
  details: Readonly<Record<string, string | number>>;
  /** The innermost name first. */
  path: string[];
}

function findFault(node: JsonValue, level: number): NodeFault | undefined {
  if (typeof node === "number" && !Number.isFinite(node)) {
    return { name: "jsonInvalid", details: { expected: "a number that a double can hold" }, path: [] };
  }
  if (typeof node !== "object" || node === null) return undefined;
  const isArray = Array.isArray(node);
  if (level > shadowDepthMax && !(isArray ? node.length === 0 : isEmptyObject(node as JsonObject))) {
    return { name: "tooDeep", details: { shadowDepthMax }, path: [] };
  }
  if (isArray) {
    for (const item of node as readonly JsonValue[]) {
      // An array is replaced whole, so there is nothing that a null could remove.
      if (item === null) return { name: "nodeInvalid", details: { expected: "an array without null" }, path: [] };
      const fault = findFault(item, level + 1);
      if (fault !== undefined) return fault;
    }
    return undefined;
  }
  for (const name in node as JsonObject) {
    const fault = findFault((node as JsonObject)[name] as JsonValue, level + 1);
    if (fault === undefined) continue;
    fault.path.push(name);
    return fault;
  }
  return undefined;
}

const shown = (path: string) => path.slice(0, 200);
