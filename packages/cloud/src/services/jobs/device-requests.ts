import {
  isPendingJobStatus,
  nextJobId,
  type JobExecution,
  type JobExecutionState,
  type JobExecutionSummary,
  type ReportableJobStatus,
} from "@thingline/protocol/jobs";
import { documentOf, type JobDocuments } from "./documents.js";
import { changeExecution, setStepTimeout } from "./executions.js";
import type { ExecutionRecord } from "./model.js";
import {
  invalidRequest,
  invalidTransition,
  noSuchExecution,
  noSuchThing,
  terminalState,
  versionMismatch,
} from "./refusals.js";
import type { JobTargets } from "./targets.js";
import type { Job, JobsUnit } from "./unit.js";
import { executionOf, stateOf, summaryOf } from "./views.js";

// What a device asks for, whichever face it came through.

export interface DeviceRequestDependencies {
  targets: JobTargets;
  documents: JobDocuments;
}

/** Executions of each state in one list; AWS says 10. */
export const listedPendingMax = 10;

/** An execution, and the text of its document when that was asked for. */
export interface DescribedExecution {
  execution: Omit<JobExecution, "jobDocument">;
  document: string | undefined;
}

export async function listPending(
  unit: JobsUnit,
  thingName: string,
  { targets }: DeviceRequestDependencies,
): Promise<{ inProgressJobs: JobExecutionSummary[]; queuedJobs: JobExecutionSummary[] }> {
  const inProgress = await unit.pending(thingName, "IN_PROGRESS", listedPendingMax);
  const queued = await unit.pending(thingName, "QUEUED", listedPendingMax);
  if (inProgress.length + queued.length === 0) await requireThing(unit, thingName, targets);
  return { inProgressJobs: inProgress.map(summaryOf), queuedJobs: queued.map(summaryOf) };
}

export async function startNext(
  unit: JobsUnit,
  thingName: string,
  request: { statusDetails?: Readonly<Record<string, string>> | undefined; stepTimeoutInMinutes?: number | undefined },
  { targets, documents }: DeviceRequestDependencies,
): Promise<DescribedExecution | undefined> {
  const next = await findNext(unit, thingName, targets);
  if (next === undefined) return undefined;
  const { job, execution } = next;
  const { stepTimeoutInMinutes } = request;
  let started = execution;
  if (execution.status === "QUEUED") started = await changeExecution(unit, job, execution, "IN_PROGRESS", request);
  // What is in progress already stays as it is, but for the timer of its step.
  else if (stepTimeoutInMinutes !== undefined) {
    started = await setStepTimeout(unit, job, execution, stepTimeoutInMinutes);
  }
  return { execution: executionOf(started, unit.nowMs), document: await documentOf(unit, job, documents) };
}

export async function describe(
  unit: JobsUnit,
  thingName: string,
  request: { jobId: string; executionNumber?: number | undefined; includeJobDocument?: boolean | undefined },
  { targets, documents }: DeviceRequestDependencies,
): Promise<DescribedExecution | undefined> {
  const { jobId, executionNumber, includeJobDocument = true } = request;
  let found: Found | undefined;
  if (jobId === nextJobId) {
    found = await findNext(unit, thingName, targets);
    if (found === undefined) return undefined;
  } else {
    found = await requireExecution(unit, thingName, { jobId, executionNumber });
    if (!isPendingJobStatus(found.execution.status)) throw terminalState(found.execution);
  }
  const document = includeJobDocument ? await documentOf(unit, found.job, documents) : undefined;
  return { execution: executionOf(found.execution, unit.nowMs), document };
}

export interface UpdateInput {
  jobId: string;
  status: ReportableJobStatus;
  statusDetails?: Readonly<Record<string, string>> | undefined;
  expectedVersion?: number | undefined;
  executionNumber?: number | undefined;
  includeJobExecutionState?: boolean | undefined;
  includeJobDocument?: boolean | undefined;
  stepTimeoutInMinutes?: number | undefined;
}

export async function update(
  unit: JobsUnit,
  thingName: string,
  request: UpdateInput,
  { documents }: DeviceRequestDependencies,
): Promise<{ executionState?: JobExecutionState; document: string | undefined }> {
  const { status, expectedVersion } = request;
  if (request.jobId === nextJobId) throw invalidRequest(`An update needs the id of a job, got '${nextJobId}'`);
  const { job, execution } = await requireExecution(unit, thingName, request);
  if (!isPendingJobStatus(execution.status)) throw invalidTransition(execution, status);
  if (expectedVersion !== undefined && expectedVersion !== execution.versionNumber) {
    throw versionMismatch(execution, expectedVersion);
  }
  const changed = await changeExecution(unit, job, execution, status, request);
  return {
    ...(request.includeJobExecutionState === true && { executionState: stateOf(changed) }),
    document: request.includeJobDocument === true ? await documentOf(unit, job, documents) : undefined,
  };
}

interface Found {
  job: Job;
  execution: ExecutionRecord;
}

/** The first execution of the queue, as the device may have it. */
async function findNext(unit: JobsUnit, thingName: string, targets: JobTargets): Promise<Found | undefined> {
  for await (const execution of unit.queue(thingName)) {
    const job = await unit.job(execution.jobId);
    if (job !== undefined && isPendingJobStatus(seenStatus(job, execution) ?? "REMOVED")) return { job, execution };
  }
  await requireThing(unit, thingName, targets);
  return undefined;
}

async function requireExecution(
  unit: JobsUnit,
  thingName: string,
  { jobId, executionNumber }: { jobId: string; executionNumber?: number | undefined },
): Promise<Found> {
  const execution = await unit.execution(jobId, thingName, executionNumber);
  const job = await unit.job(jobId);
  if (job === undefined || execution === undefined) throw noSuchExecution(jobId, thingName);
  const status = seenStatus(job, execution);
  if (status === undefined) throw noSuchExecution(jobId, thingName);
  return { job, execution: { ...execution, status } };
}

/**
 * The state that an execution is in for its device: where its job is being ended step by step, what the step will make of it counts
 * already. Undefined for one that is being deleted.
 */
function seenStatus({ progress }: Job, { status }: ExecutionRecord): ExecutionRecord["status"] | undefined {
  const { ending } = progress;
  if (ending?.kind === "delete") return undefined;
  const isCanceled = ending !== undefined && (status === "QUEUED" || (status === "IN_PROGRESS" && ending.isForced));
  return isCanceled ? "CANCELED" : status;
}

async function requireThing(unit: JobsUnit, thingName: string, targets: JobTargets): Promise<void> {
  if (!(await targets.hasThing(unit.context, thingName))) throw noSuchThing(thingName);
}
