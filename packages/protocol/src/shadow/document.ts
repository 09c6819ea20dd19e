import { findDelta } from "./delta.js";
import { shadowError } from "./errors.js";
import type { JsonObject, JsonValue } from "../json.js";
import { mergeSection, type Stamped } from "./merge.js";
import { cutMetadata } from "./metadata.js";
import { shadowSections, type ShadowSection, type ShadowUpdate } from "./request.js";

/** Serialised `desired` plus serialised `reported` of the merged document, in bytes of UTF-8; metadata is not counted. */
export const shadowDocumentBytesMax = 8 * 1024;
/** For so long a deleted shadow's version counts on when it is created again. */
export const shadowVersionKeptMs = 48 * 60 * 60 * 1000;

/** Sections that do not exist are left out; one that exists is never empty. */
export type ShadowSections = { readonly [Section in ShadowSection]?: JsonObject };

/** A shadow that exists; its state may be empty. */
export type ShadowDocument = { version: number; state: ShadowSections; metadata: ShadowSections };

/**
 * The document after an update. Every update makes a new version, also one that changes nothing.
 *
 * @param current undefined when there is no shadow.
 * @param facts `deletedVersion`: the version that a deletion in the last {@link shadowVersionKeptMs} made; else 0.
 * `nowSeconds`: Unix time in seconds, for the metadata.
 * @throws {ThinglineError} SHADOW_VERSION_CONFLICT, SHADOW_DOCUMENT_INVALID for a version where there is no shadow,
 * SHADOW_TOO_LARGE.
 */
export function updateShadow(
  current: ShadowDocument | undefined,
  update: ShadowUpdate,
  facts: { deletedVersion?: number; nowSeconds: number },
): ShadowDocument {
  const { deletedVersion = 0, nowSeconds } = facts;
  requireVersion(current?.version ?? deletedVersion, update.version);
  const desired = updateSection(current, "desired", update, nowSeconds);
  const reported = updateSection(current, "reported", update, nowSeconds);
  // Assigned and not spread: this is what an update costs.
  const state: { desired?: JsonObject; reported?: JsonObject } = {};
  const metadata: { desired?: JsonObject; reported?: JsonObject } = {};
  if (desired !== undefined) {
    state.desired = desired.value;
    metadata.desired = desired.metadata;
  }
  if (reported !== undefined) {
    state.reported = reported.value;
    metadata.reported = reported.metadata;
  }
  requireSize(state);
  return { version: (current?.version ?? deletedVersion) + 1, state, metadata };
}

/** The differences of a document, and the metadata of `desired` for them. */
export function deltaOf({ state, metadata }: ShadowDocument): { state: JsonObject; metadata: JsonObject } | undefined {
  const delta = findDelta(state.desired, state.reported);
  return delta && { state: delta, metadata: cutMetadata(metadata.desired ?? {}, delta) };
}

export function shadowDocumentBytes(state: ShadowSections): number {
  return shadowSections.reduce((bytes, section) => bytes + jsonBytes(state[section]), 0);
}

function updateSection(
  current: ShadowDocument | undefined,
  section: ShadowSection,
  { state }: ShadowUpdate,
  nowSeconds: number,
): Stamped | undefined {
  const value = current?.state[section];
  const metadata = current?.metadata[section];
  const stamped = value && metadata && { value, metadata };
  const patch = state === null ? null : state[section];
  return patch === undefined ? stamped : mergeSection(stamped, patch, nowSeconds);
}

/** Without a shadow, and none deleted lately, the version to expect is 0; AWS's edge service takes 1 as well. */
function requireVersion(version: number, expected: number | undefined): void {
  if (expected === undefined || expected === version) return;
  if (version > 0) throw shadowError("versionConflict", { version, expected });
  if (expected !== 1) throw shadowError("versionInvalid", { version, expected });
}

function requireSize(state: ShadowSections): void {
  if (documentBytesAtMost(state) <= shadowDocumentBytesMax) return;
  const documentBytes = shadowDocumentBytes(state);
  if (documentBytes > shadowDocumentBytesMax) throw shadowError("tooLarge", { documentBytes, shadowDocumentBytesMax });
}

/** A bound that is found without writing the document: most are far below the limit. */
function documentBytesAtMost(state: ShadowSections): number {
  return valueBytesAtMost(state.desired) + valueBytesAtMost(state.reported);
}

/** A UTF-16 unit has at most six bytes in JSON (an escape), a number at most 25 characters. */
function valueBytesAtMost(value: JsonValue | undefined): number {
  if (typeof value === "string") return 6 * value.length + 2;
  if (typeof value !== "object" || value === null) return 25;
  let bytes = 2;
  if (Array.isArray(value)) {
    for (const item of value as readonly JsonValue[]) bytes += 1 + valueBytesAtMost(item);
    return bytes;
  }
  for (const name in value as JsonObject) {
    bytes += 6 * name.length + 4 + valueBytesAtMost((value as JsonObject)[name]);
  }
  return bytes;
}

const encoder = new TextEncoder();

const jsonBytes = (value: JsonObject | undefined) =>
  value === undefined ? 0 : encoder.encode(JSON.stringify(value)).length;
