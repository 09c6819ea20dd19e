import { isJsonObject, type JobStatusDetails, memberOf } from "@thingline/protocol/jobs";
import type { ExecutionRecord, FinalOutcome } from "./types.js";

/** What survives a restart, of all executions together. */
export const jobsRecordBytesMax = 262_144;
const version = 1;

export type DecodedRecords =
  | { type: "records"; records: readonly ExecutionRecord[] }
  /** Written by a later Thingline: nothing in it may be lost. */
  | { type: "newer" }
  | { type: "unreadable" };

/** @param thingName whose executions they are: those of another thing are worth nothing */
export function encodeRecords(thingName: string, records: readonly ExecutionRecord[]): Uint8Array {
  return new TextEncoder().encode(`${JSON.stringify({ version, thingName, executions: records }, undefined, 2)}\n`);
}

export function decodeRecords(bytes: Uint8Array, thingName: string): DecodedRecords {
  let value: unknown;
  try {
    value = JSON.parse(new TextDecoder("utf-8", { fatal: true }).decode(bytes));
  } catch {
    return { type: "unreadable" };
  }
  if (!isJsonObject(value)) return { type: "unreadable" };
  if (typeof value["version"] === "number" && value["version"] > version) return { type: "newer" };
  const { executions } = value;
  if (value["version"] !== version || !Array.isArray(executions)) return { type: "unreadable" };
  if (value["thingName"] !== thingName) return { type: "records", records: [] };
  const records = executions.map(recordOf);
  if (!records.every((record) => record !== undefined)) return { type: "unreadable" };
  return { type: "records", records };
}

function recordOf(value: unknown): ExecutionRecord | undefined {
  if (!isJsonObject(value)) return undefined;
  const { jobId, executionNumber, queuedAt, begunCount, callCount, phase } = value;
  if (typeof jobId !== "string" || !/^[a-zA-Z0-9_-]{1,64}$/u.test(jobId)) return undefined;
  if (!isCount(executionNumber) || !isCount(queuedAt) || !isCount(begunCount) || !isCount(callCount)) return undefined;
  const facts = { jobId, executionNumber, queuedAt, begunCount, callCount };
  if (phase === "running" || phase === "interrupted" || phase === "parked") return { ...facts, phase };
  const outcome = phase === "ended" ? outcomeOf(memberOf(value, "outcome")) : undefined;
  return outcome === undefined ? undefined : { ...facts, phase: "ended", outcome };
}

function outcomeOf(value: unknown): FinalOutcome | undefined {
  if (!isJsonObject(value)) return undefined;
  const { status, statusDetails } = value;
  if (status !== "SUCCEEDED" && status !== "FAILED" && status !== "REJECTED") return undefined;
  if (statusDetails === undefined) return { status };
  if (!isJsonObject(statusDetails) || !Object.values(statusDetails).every((text) => typeof text === "string"))
    return undefined;
  return { status, statusDetails: statusDetails as JobStatusDetails };
}

const isCount = (value: unknown): value is number => Number.isSafeInteger(value) && Number(value) >= 0;
