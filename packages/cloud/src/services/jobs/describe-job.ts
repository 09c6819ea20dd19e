import type { Job as AwsJob, JobProcessDetails, JobSummary } from "../../model/types/iot.js";
import type { OperationContext, Scope } from "../operation.js";
import { given } from "./create-job.js";
import { arnOf, isRollingOut, parseTarget, type JobProgress } from "./model.js";
import { nextRollouts, readSchedule, writeTime } from "./schedule.js";
import type { Job } from "./unit.js";

// Jobs as the control plane tells of them.

export function describeJob(
  { scope, nowMs }: Pick<OperationContext, "scope" | "nowMs">,
  job: Job,
  { beforeSubstitution = false }: { beforeSubstitution?: boolean | undefined } = {},
): { documentSource?: string; job: AwsJob } {
  const { jobId, definition, progress } = job;
  return {
    ...given("documentSource", definition.documentSource),
    job: {
      ...{ jobArn: arnOf.job(scope, jobId), jobId, targetSelection: definition.targetSelection },
      ...{ status: progress.status, targets: definition.targets },
      ...given("forceCanceled", progress.forceCanceled),
      ...given("reasonCode", progress.reasonCode),
      ...given("comment", progress.comment),
      ...given("description", definition.description),
      presignedUrlConfig: definition.presignedUrlConfig ?? {},
      ...given("jobExecutionsRolloutConfig", definition.rolloutConfig),
      ...given("abortConfig", definition.abortConfig),
      ...given("timeoutConfig", definition.timeoutConfig),
      ...given("jobExecutionsRetryConfig", definition.retryConfig),
      ...given("jobTemplateArn", definition.jobTemplateArn),
      ...given("documentParameters", definition.documentParameters),
      ...given("schedulingConfig", definition.schedulingConfig),
      ...given(
        "destinationPackageVersions",
        (beforeSubstitution ? definition.destinationsBeforeSubstitution : undefined) ??
          definition.destinationPackageVersions,
      ),
      ...scheduledRollouts(job, nowMs),
      ...timesOf(job),
      jobProcessDetails: processDetails(scope, job),
      isConcurrent: isConcurrent(progress),
    },
  };
}

export function summarizeJob(
  scope: Scope,
  { jobId, definition, progress, ...job }: Job,
  thingGroupId?: string,
): JobSummary {
  return {
    ...{ jobArn: arnOf.job(scope, jobId), jobId, targetSelection: definition.targetSelection, status: progress.status },
    ...given("thingGroupId", thingGroupId),
    ...timesOf({ jobId, definition, progress, ...job }),
    isConcurrent: isConcurrent(progress),
  };
}

function timesOf({ definition, progress }: Job) {
  const { completedAtMs } = progress;
  return {
    createdAt: definition.createdAtMs / 1_000,
    lastUpdatedAt: progress.lastUpdatedAtMs / 1_000,
    ...(completedAtMs !== undefined && { completedAt: completedAtMs / 1_000 }),
  };
}

/** Executions are being made or canceled. */
const isConcurrent = (progress: JobProgress): boolean => progress.ending !== undefined || isRollingOut(progress);

function processDetails(scope: Scope, { definition, progress }: Job): JobProcessDetails {
  const { counts } = progress;
  return {
    ...(isRollingOut(progress) && { processingTargets: processingTargets(scope, definition.targets, progress) }),
    numberOfCanceledThings: counts.CANCELED,
    numberOfSucceededThings: counts.SUCCEEDED,
    numberOfFailedThings: counts.FAILED,
    numberOfRejectedThings: counts.REJECTED,
    numberOfQueuedThings: counts.QUEUED,
    numberOfInProgressThings: counts.IN_PROGRESS,
    numberOfRemovedThings: counts.REMOVED,
    numberOfTimedOutThings: counts.TIMED_OUT,
  };
}

/** While things wait that were looked up already, it is not kept which target each of them came from: all are told. */
function processingTargets(scope: Scope, targets: readonly string[], progress: JobProgress): readonly string[] {
  if (progress.firstChunk < progress.nextChunk) return targets;
  const names = progress.expanding.map(({ thingGroupName }) => thingGroupName);
  return targets.filter((arn) => {
    const target = parseTarget(scope, arn);
    return target?.kind === "thinggroup" && names.includes(target.name);
  });
}

function scheduledRollouts({ definition, progress }: Job, nowMs: number): Pick<AwsJob, "scheduledJobRollouts"> {
  const { schedulingConfig } = definition;
  const isOpen = progress.status === "IN_PROGRESS" || progress.status === "SCHEDULED";
  if (schedulingConfig?.maintenanceWindows === undefined || !isOpen) return {};
  const times = nextRollouts(readSchedule(schedulingConfig), nowMs);
  return { scheduledJobRollouts: times.map((atMs) => ({ startTime: writeTime(atMs) })) };
}
