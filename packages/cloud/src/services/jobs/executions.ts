import type { JobExecutionStatus } from "@thingline/protocol/jobs";
import { retryAfter } from "./decisions.js";
import { jobKeys, type ExecutionRecord, type RetryCounts } from "./model.js";
import type { EndedExecution, Job, JobsUnit } from "./unit.js";

// What happens to one execution.

const minuteMs = 60_000;

/** @param options `before`: the latest one that the thing has had; `retries`: it is tried again after a failure. */
export async function queueExecution(
  unit: JobsUnit,
  job: Job,
  { thingName, thingId }: Pick<ExecutionRecord, "thingName" | "thingId">,
  options: { before: ExecutionRecord | undefined; retries?: RetryCounts },
): Promise<void> {
  const { before, retries } = options;
  const { jobId, definition } = job;
  const execution: ExecutionRecord = {
    jobId,
    thingName,
    thingId,
    executionNumber: (before?.executionNumber ?? 0) + 1,
    order: definition.order,
    status: "QUEUED",
    queuedAtMs: unit.nowMs,
    lastUpdatedAtMs: unit.nowMs,
    versionNumber: 1,
    ...(retries !== undefined && { retries }),
  };
  await unit.putExecution(job, undefined, execution);
  if (retries === undefined) unit.update(job, { notifiedCount: job.progress.notifiedCount + 1 });
}

export interface ExecutionChange {
  statusDetails?: Readonly<Record<string, string>> | undefined;
  /** Minutes; -1 ends the step's timer. */
  stepTimeoutInMinutes?: number | undefined;
  forceCanceled?: boolean;
}

/** Another state, or progress in the same one: one version more. */
export async function changeExecution(
  unit: JobsUnit,
  job: Job,
  before: ExecutionRecord,
  status: JobExecutionStatus,
  { statusDetails, stepTimeoutInMinutes, forceCanceled }: ExecutionChange = {},
): Promise<ExecutionRecord> {
  const { nowMs } = unit;
  const isStarted = status === "IN_PROGRESS" && before.status === "QUEUED";
  const timeoutMinutes = job.definition.timeoutConfig?.inProgressTimeoutInMinutes;
  const after = await unit.putExecution(
    job,
    before,
    withStepTimeout(
      {
        ...before,
        status,
        versionNumber: before.versionNumber + 1,
        lastUpdatedAtMs: nowMs,
        ...(statusDetails !== undefined && { statusDetails }),
        ...(isStarted && { startedAtMs: nowMs }),
        ...(isStarted && timeoutMinutes !== undefined && { timeoutAtMs: nowMs + timeoutMinutes * minuteMs }),
        ...(forceCanceled === true && { forceCanceled }),
      },
      stepTimeoutInMinutes,
      nowMs,
    ),
  );
  if (before.status !== status) noteEnd(unit, after);
  if (status === "FAILED" || status === "TIMED_OUT") await retry(unit, job, after);
  return after;
}

/** Sets the timer of a step alone, without a change of version. */
export function setStepTimeout(
  unit: JobsUnit,
  job: Job,
  execution: ExecutionRecord,
  minutes: number,
): Promise<ExecutionRecord> {
  return unit.putExecution(job, execution, withStepTimeout(execution, minutes, unit.nowMs));
}

/** Each value replaces the one before; only an execution in progress has a step. */
function withStepTimeout(execution: ExecutionRecord, minutes: number | undefined, nowMs: number): ExecutionRecord {
  if (minutes === undefined || execution.status !== "IN_PROGRESS") return execution;
  const { stepTimeoutAtMs: _replaced, ...rest } = execution;
  return minutes < 0 ? rest : { ...rest, stepTimeoutAtMs: nowMs + minutes * minuteMs };
}

async function retry(unit: JobsUnit, job: Job, failed: ExecutionRecord): Promise<void> {
  // Retries of a job that was canceled are dropped.
  if (job.progress.status !== "IN_PROGRESS") return;
  const retries = retryAfter(job.definition.retryConfig, failed.status, failed.retries);
  if (retries !== undefined) await queueExecution(unit, job, failed, { before: failed, retries });
}

/**
 * Takes an execution away whatever its state.
 * @param isForgotten its thing or its job goes; else a thing whose group is a target does not get the job a second time.
 */
export async function removeExecution(
  unit: JobsUnit,
  job: Job,
  execution: ExecutionRecord,
  { isForgotten }: { isForgotten: boolean },
): Promise<void> {
  await unit.deleteExecution(job, execution);
  if (isForgotten) unit.delete(jobKeys.continuousJobOfThing(unit.scope, execution.thingName, job.definition));
  unit.ended.push({ execution, operation: "deleted" });
}

const endings: Readonly<Partial<Record<JobExecutionStatus, EndedExecution["operation"]>>> = {
  SUCCEEDED: "succeeded",
  FAILED: "failed",
  REJECTED: "rejected",
  CANCELED: "canceled",
  TIMED_OUT: "timed_out",
  REMOVED: "removed",
};

function noteEnd(unit: JobsUnit, execution: ExecutionRecord): void {
  const operation = endings[execution.status];
  if (operation !== undefined) unit.ended.push({ execution, operation });
}

/** The thing has the job from now on because of a group. */
export function noteMember(unit: JobsUnit, job: Job, thingName: string): void {
  unit.put(jobKeys.continuousJobOfThing(unit.scope, thingName, job.definition), null);
}
