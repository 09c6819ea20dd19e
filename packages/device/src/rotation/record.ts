import { isRecord } from "@thingline/protocol";
import { isDeviceId } from "@thingline/protocol/provisioning";

/** Why a rotation began. */
export type RotationReason = "age" | "command" | "job";

/** The execution of a job that asked for a rotation. */
export interface RotationJob {
  jobId: string;
  executionNumber: number;
}

export interface RotationEntry {
  reason: RotationReason;
  job?: RotationJob;
  atUnixMs: number;
  outcome: "rotated" | "failed" | "wentBack";
  /** The new one, as far as it is known. */
  certificateId?: string;
  /** The one before. */
  replacedCertificateId?: string;
  /** Of what failed. */
  code?: string;
}

/** What a device remembers of its two security tags over a power cut. No key and no certificate. */
export interface RotationRecord {
  version: 1;
  clientId: string;
  /** The tag that was proved last: what to connect with. */
  secTag: number;
  state:
    | { name: "settled" }
    /** The other tag may hold a part of a new set, which the provisioning progress tells. */
    | {
        name: "rotating";
        toTag: number;
        reason: RotationReason;
        job?: RotationJob;
        /** As it was asked for; undefined: that of the options. */
        overlapMs?: number;
        sinceUnixMs: number;
      }
    /** The tag before still holds what it held, and the cloud still takes it. */
    | { name: "overlapping"; oldTag: number; untilUnixMs: number };
  /** The latest time at which the clock could be trusted: a clock that was reset does not make a certificate younger. */
  latestUnixMs: number;
  /** Newest last, at most {@link rotationEntriesMax}. */
  history: readonly RotationEntry[];
}

export const rotationEntriesMax = 20;
export const rotationRecordBytesMax = 65_536;

export function newRotationRecord(clientId: string, secTag: number): RotationRecord {
  return { version: 1, clientId, secTag, state: { name: "settled" }, latestUnixMs: 0, history: [] };
}

export function withEntry(record: RotationRecord, entry: RotationEntry): RotationRecord {
  return { ...record, history: [...record.history, entry].slice(-rotationEntriesMax) };
}

/** The rotation that a job asked for, if it succeeded before. */
export function rotatedFor({ history }: RotationRecord, job: RotationJob): RotationEntry | undefined {
  return history.findLast(
    (entry) =>
      entry.outcome === "rotated" &&
      entry.job?.jobId === job.jobId &&
      entry.job.executionNumber === job.executionNumber,
  );
}

export function encodeRotationRecord(record: RotationRecord): Uint8Array {
  return new TextEncoder().encode(`${JSON.stringify(record, undefined, 2)}\n`);
}

export type DecodedRotationRecord =
  | { type: "record"; record: RotationRecord }
  /** Written by a later Thingline: nothing in it may be lost. */
  | { type: "newer" }
  | { type: "unreadable" };

export function decodeRotationRecord(bytes: Uint8Array): DecodedRotationRecord {
  let value: unknown;
  try {
    value = JSON.parse(new TextDecoder("utf-8", { fatal: true }).decode(bytes));
  } catch {
    return { type: "unreadable" };
  }
  if (!isRecord(value)) return { type: "unreadable" };
  const { version } = value;
  if (typeof version === "number" && version > 1) return { type: "newer" };
  return isRotationRecord(value) ? { type: "record", record: value } : { type: "unreadable" };
}

function isRotationRecord(value: Record<string, unknown>): value is Record<string, unknown> & RotationRecord {
  const { version, clientId, secTag, state, latestUnixMs, history } = value;
  return (
    version === 1 &&
    typeof clientId === "string" &&
    isDeviceId(clientId) &&
    isTag(secTag) &&
    isState(state, secTag) &&
    isTime(latestUnixMs) &&
    Array.isArray(history) &&
    history.length <= rotationEntriesMax &&
    history.every(isEntry)
  );
}

/** What lies in the tag in use is never written over, nor deleted. */
function isState(value: unknown, secTag: unknown): boolean {
  if (!isRecord(value)) return false;
  const { name, toTag, reason, job, overlapMs, sinceUnixMs, oldTag, untilUnixMs } = value;
  if (name === "settled") return true;
  if (name === "overlapping") return isTag(oldTag) && oldTag !== secTag && isTime(untilUnixMs);
  if (name !== "rotating" || !isTag(toTag) || toTag === secTag) return false;
  return reasons.has(reason) && isJob(job) && isTime(sinceUnixMs) && (overlapMs === undefined || isTime(overlapMs));
}

const reasons = new Set<unknown>(["age", "command", "job"] satisfies RotationReason[]);
const outcomes = new Set<unknown>(["rotated", "failed", "wentBack"] satisfies RotationEntry["outcome"][]);

function isEntry(value: unknown): boolean {
  if (!isRecord(value)) return false;
  const { reason, job, atUnixMs, outcome } = value;
  const texts = [value["certificateId"], value["replacedCertificateId"], value["code"]];
  const areTexts = texts.every((text) => text === undefined || typeof text === "string");
  return reasons.has(reason) && isJob(job) && isTime(atUnixMs) && outcomes.has(outcome) && areTexts;
}

function isJob(value: unknown): boolean {
  if (value === undefined) return true;
  return isRecord(value) && typeof value["jobId"] === "string" && Number.isSafeInteger(value["executionNumber"]);
}

const isTime = (value: unknown): boolean => typeof value === "number" && Number.isFinite(value) && value >= 0;
const isTag = (value: unknown): boolean => Number.isSafeInteger(value) && Number(value) >= 0;
