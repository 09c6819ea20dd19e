import type { JobExecution, JobExecutionState, JobExecutionSummary } from "@thingline/protocol/jobs";
import { timeoutOf, type ExecutionRecord } from "./model.js";

// How executions look to a device, over MQTT and over HTTP alike: times are whole seconds.

export const secondsOf = (atMs: number): number => Math.floor(atMs / 1_000);

export function summaryOf(execution: ExecutionRecord): JobExecutionSummary {
  const { jobId, queuedAtMs, startedAtMs, lastUpdatedAtMs, executionNumber, versionNumber } = execution;
  return {
    jobId,
    queuedAt: secondsOf(queuedAtMs),
    ...(startedAtMs !== undefined && { startedAt: secondsOf(startedAtMs) }),
    lastUpdatedAt: secondsOf(lastUpdatedAtMs),
    executionNumber,
    versionNumber,
  };
}

/** Without its document. */
export function executionOf(execution: ExecutionRecord, nowMs: number): Omit<JobExecution, "jobDocument"> {
  const { jobId, status, statusDetails } = execution;
  const { jobId: _first, ...summary } = summaryOf(execution);
  const secondsLeft = secondsBeforeTimeout(execution, nowMs);
  return {
    jobId,
    status,
    ...(statusDetails !== undefined && { statusDetails }),
    ...summary,
    ...(secondsLeft !== undefined && { approximateSecondsBeforeTimedOut: secondsLeft }),
  };
}

export function secondsBeforeTimeout(execution: ExecutionRecord, nowMs: number): number | undefined {
  const dueMs = timeoutOf(execution);
  return dueMs === undefined ? undefined : Math.max(0, Math.ceil((dueMs - nowMs) / 1_000));
}

export function stateOf({ status, statusDetails, versionNumber }: ExecutionRecord): JobExecutionState {
  return { status, ...(statusDetails !== undefined && { statusDetails }), versionNumber };
}

/** JSON of an object with one member more, whose JSON is given as text: a document keeps its numbers as they were written. */
export function withJson(object: object, name: string, json: string | undefined): string {
  const text = JSON.stringify(object);
  if (json === undefined) return text;
  const separator = text === "{}" ? "" : ",";
  return `${text.slice(0, -1)}${separator}${JSON.stringify(name)}:${json}}`;
}
