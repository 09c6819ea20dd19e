import { ThinglineError } from "@thingline/protocol";
import { awsOperation, awsSaga } from "../aws-operation.js";
import { answer, type Operation } from "../operation.js";
import { lastName, readPage } from "../page.js";
import { findThingGroup } from "../registry/index.js";
import { advanceJob, cancelJob, deleteJob } from "./advance.js";
import { associateTargets, createJob, given, quotaExceeded, type NewJob } from "./create-job.js";
import { describeJob, summarizeJob } from "./describe-job.js";
import { storedDocument } from "./documents.js";
import { completeJob } from "./complete-job.js";
import { arnOf, jobKeys, jobsServiceName, type ListedJob } from "./model.js";
import { decideIn, inJobsLane, type JobsDependencies } from "./operations.js";
import { noSuchJob } from "./refusals.js";
import { checkJobSettings, type FindJobContent } from "./settings.js";
import { JobsUnit, type Job } from "./unit.js";

/** Jobs that are being deleted at the same time. */
export const deletingJobsMax = 10;

const configMembers = [
  ...(["description", "presignedUrlConfig.roleArn", "presignedUrlConfig.expiresInSec"] as const),
  "jobExecutionsRolloutConfig.maximumPerMinute",
  "jobExecutionsRolloutConfig.exponentialRate.baseRatePerMinute",
  "jobExecutionsRolloutConfig.exponentialRate.incrementFactor",
  "jobExecutionsRolloutConfig.exponentialRate.rateIncreaseCriteria.numberOfNotifiedThings",
  "jobExecutionsRolloutConfig.exponentialRate.rateIncreaseCriteria.numberOfSucceededThings",
  ...(["abortConfig.criteriaList.failureType", "abortConfig.criteriaList.action"] as const),
  ...(["abortConfig.criteriaList.thresholdPercentage", "abortConfig.criteriaList.minNumberOfExecutedThings"] as const),
  "timeoutConfig.inProgressTimeoutInMinutes",
  "jobExecutionsRetryConfig.criteriaList.failureType",
  "jobExecutionsRetryConfig.criteriaList.numberOfRetries",
] as const;

const scheduleMembers = [
  ...(["schedulingConfig.startTime", "schedulingConfig.endTime", "schedulingConfig.endBehavior"] as const),
  "schedulingConfig.maintenanceWindows.startTime",
  "schedulingConfig.maintenanceWindows.durationInMinutes",
] as const;

/** The control plane of jobs. */
export function createJobOperations(deps: JobsDependencies) {
  /** For who has the document already, also within a commit of another service. */
  const createJobWithDocument = inJobsLane<Operation<NewJob, { jobArn: string; jobId: string; description?: string }>>(
    decideIn(deps, (unit, input) => createJob(unit, input, deps)),
  );

  return {
    createJobWithDocument,
    createJob: awsSaga(
      jobsServiceName,
      ["iot", "CreateJob"],
      [
        ...(["jobId", "targets", "document", "documentSource", "targetSelection"] as const),
        ...(["jobTemplateArn", "documentParameters", "destinationPackageVersions"] as const),
        ...configMembers,
        ...scheduleMembers,
        ...(["tags.Key", "tags.Value"] as const),
      ],
      async ({ run }, input) => run(createJobWithDocument, await completeJob(run, input, deps)),
    ),
    describeJob: awsOperation("iot", "DescribeJob", ["jobId", "beforeSubstitution"], async (context, input) => {
      const job = await requireJob(new JobsUnit(context), input.jobId);
      return answer(describeJob(context, job, input));
    }),
    getJobDocument: awsOperation(
      "iot",
      "GetJobDocument",
      ["jobId", "beforeSubstitution"],
      async (context, { jobId, beforeSubstitution }) => {
        const unit = new JobsUnit(context);
        await requireJob(unit, jobId);
        return answer({ document: await storedDocument(unit, jobId, { beforeSubstitution }) });
      },
    ),
    updateJob: inJobsLane(
      awsOperation(
        "iot",
        "UpdateJob",
        ["jobId", ...configMembers],
        decideIn(deps, async (unit, input) => {
          const job = await requireJob(unit, input.jobId);
          checkJobSettings(input);
          job.definition = {
            ...job.definition,
            ...given("description", input.description),
            ...given("presignedUrlConfig", input.presignedUrlConfig),
            ...given("rolloutConfig", input.jobExecutionsRolloutConfig),
            ...given("abortConfig", input.abortConfig),
            ...given("timeoutConfig", input.timeoutConfig),
            ...given("retryConfig", input.jobExecutionsRetryConfig),
          };
          const { minute } = job.progress;
          // Another rate may allow more at once.
          unit.update(
            job,
            minute === undefined ? {} : { minute: { startedAtMs: minute.startedAtMs, queued: minute.queued } },
          );
          if (job.progress.status === "IN_PROGRESS") await advanceJob(unit, job, deps);
          return {};
        }),
      ),
    ),
    cancelJob: inJobsLane(
      awsOperation(
        "iot",
        "CancelJob",
        ["jobId", "reasonCode", "comment", "force"],
        decideIn(deps, async (unit, { jobId, force = false, ...why }) => {
          const job = await requireJob(unit, jobId);
          const { status } = job.progress;
          if (status !== "IN_PROGRESS" && status !== "SCHEDULED") {
            throw new ThinglineError("REQUEST_INVALID", `Job ${jobId} cannot be canceled: it is ${status}`);
          }
          await cancelJob(unit, job, { isForced: force, ...why });
          return describeBriefly(unit, job);
        }),
      ),
    ),
    deleteJob: inJobsLane(
      awsOperation(
        "iot",
        "DeleteJob",
        ["jobId", "force"],
        decideIn(deps, async (unit, { jobId, force = false }) => {
          const job = await requireJob(unit, jobId);
          const { status } = job.progress;
          if (status === "DELETION_IN_PROGRESS") return {};
          if (!force && status !== "COMPLETED" && status !== "CANCELED") {
            const message = `Job ${jobId} cannot be deleted: it is ${status}, and not in a terminal state`;
            throw new ThinglineError("JOB_STATE_INVALID", message);
          }
          const { deletingCount } = await unit.totals();
          if (deletingCount >= deletingJobsMax) {
            throw quotaExceeded(`There are ${deletingCount} jobs being deleted already`);
          }
          await deleteJob(unit, job);
          return {};
        }),
      ),
    ),
    associateTargetsWithJob: inJobsLane(
      awsOperation(
        "iot",
        "AssociateTargetsWithJob",
        ["jobId", "targets", "comment"],
        decideIn(deps, async (unit, input) => {
          const job = await requireJob(unit, input.jobId);
          await associateTargets(unit, job, input, deps);
          return describeBriefly(unit, job);
        }),
      ),
    ),
    listJobs: awsOperation(
      "iot",
      "ListJobs",
      ["status", "targetSelection", "maxResults", "nextToken", "thingGroupName", "thingGroupId"],
      async (context, input) => {
        const unit = new JobsUnit(context);
        const groupId = await groupIdOf(unit, input);
        const prefix = groupId === undefined ? jobKeys.listed(context.scope) : jobKeys.ofGroup(context.scope, groupId);
        const { entries, nextToken } = await readPage<ListedJob>(context.store, {
          prefix,
          token: input.nextToken,
          size: input.maxResults,
          order: "descending",
          matches: ({ value }) =>
            (input.status ?? value.status) === value.status &&
            (input.targetSelection ?? value.targetSelection) === value.targetSelection,
        });
        const jobs = [];
        for (const { key } of entries) {
          const job = await unit.job(lastName(key));
          if (job !== undefined) jobs.push(summarizeJob(context.scope, job, groupId));
        }
        return answer({ jobs, ...given("nextToken", nextToken) });
      },
    ),
  };
}

/** @throws {ThinglineError} RESOURCE_NOT_FOUND */
export async function requireJob(unit: JobsUnit, jobId: string): Promise<Job> {
  const job = await unit.job(jobId);
  if (job === undefined) throw noSuchJob(jobId);
  return job;
}

function describeBriefly({ scope }: JobsUnit, { jobId, definition }: Job) {
  return { jobArn: arnOf.job(scope, jobId), jobId, ...given("description", definition.description) };
}

async function groupIdOf(
  { context }: JobsUnit,
  { thingGroupName, thingGroupId }: { thingGroupName?: string | undefined; thingGroupId?: string | undefined },
): Promise<string | undefined> {
  if (thingGroupName === undefined) return thingGroupId;
  const group = await context.call(findThingGroup, { thingGroupName });
  if (group !== undefined && (thingGroupId ?? group.thingGroupId) === group.thingGroupId) return group.thingGroupId;
  throw new ThinglineError("RESOURCE_NOT_FOUND", `Thing group ${thingGroupName} not found.`);
}

/** What a template is made of that is made of a job. */
export const findJobContent: FindJobContent = async (context, { jobArn }) => {
  const unit = new JobsUnit(context);
  const jobId = jobArn.slice(arnOf.job(context.scope, "").length);
  if (arnOf.job(context.scope, jobId) !== jobArn) {
    throw new ThinglineError("REQUEST_INVALID", `Invalid job ARN: ${jobArn.slice(0, 300)}`);
  }
  const { definition } = await requireJob(unit, jobId);
  return answer({
    document: await storedDocument(unit, jobId),
    ...given("description", definition.description),
    ...given("presignedUrlConfig", definition.presignedUrlConfig),
    ...given("jobExecutionsRolloutConfig", definition.rolloutConfig),
    ...given("abortConfig", definition.abortConfig),
    ...given("timeoutConfig", definition.timeoutConfig),
    ...given("jobExecutionsRetryConfig", definition.retryConfig),
    ...given("maintenanceWindows", definition.schedulingConfig?.maintenanceWindows),
    ...given("destinationPackageVersions", definition.destinationPackageVersions),
  });
};
