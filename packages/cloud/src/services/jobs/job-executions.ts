import { ThinglineError } from "@thingline/protocol";
import { isPendingJobStatus } from "@thingline/protocol/jobs";
import type { JobExecution, JobExecutionSummary } from "../../model/types/iot.js";
import type { StoreEntry, StoreKey } from "../../store/store.js";
import { awsOperation } from "../aws-operation.js";
import { answer, type Scope } from "../operation.js";
import { readPage } from "../page.js";
import { given } from "./create-job.js";
import { changeExecution, removeExecution } from "./executions.js";
import { requireJob } from "./jobs.js";
import { arnOf, jobKeys, type ExecutionRecord } from "./model.js";
import { decideIn, inJobsLane, type JobsDependencies } from "./operations.js";
import { noSuchExecution } from "./refusals.js";
import { checkStatusDetails } from "./requests.js";
import { JobsUnit } from "./unit.js";
import { secondsBeforeTimeout } from "./views.js";

type ListedStatus = { status: ExecutionRecord["status"] };

/** The control plane of executions. */
export function createExecutionOperations(deps: JobsDependencies) {
  return {
    describeJobExecution: awsOperation(
      "iot",
      "DescribeJobExecution",
      ["jobId", "thingName", "executionNumber"],
      async (context, input) => {
        const execution = await requireExecution(new JobsUnit(context), input);
        return answer({ execution: describeExecution(context.scope, execution, context.nowMs) });
      },
    ),
    cancelJobExecution: inJobsLane(
      awsOperation(
        "iot",
        "CancelJobExecution",
        ["jobId", "thingName", "force", "expectedVersion", "statusDetails"],
        decideIn(deps, async (unit, input) => {
          const { jobId, force = false, expectedVersion, statusDetails } = input;
          checkStatusDetails(statusDetails);
          const execution = await requireExecution(unit, input);
          const { status, versionNumber } = execution;
          if (!isPendingJobStatus(status) || (status === "IN_PROGRESS" && !force)) {
            throw stateInvalid(`The execution of job ${jobId} cannot be canceled: it is ${status}`);
          }
          if (expectedVersion !== undefined && expectedVersion !== versionNumber) {
            const message = `Expected version ${expectedVersion} but found version ${versionNumber}`;
            throw new ThinglineError("VERSION_CONFLICT", message, { details: { version: versionNumber } });
          }
          const job = await requireJob(unit, jobId);
          await changeExecution(unit, job, execution, "CANCELED", { statusDetails, forceCanceled: force });
          return {};
        }),
      ),
    ),
    deleteJobExecution: inJobsLane(
      awsOperation(
        "iot",
        "DeleteJobExecution",
        ["jobId", "thingName", "executionNumber", "force"],
        decideIn(deps, async (unit, input) => {
          const { jobId, force = false } = input;
          const execution = await requireExecution(unit, input);
          if (isPendingJobStatus(execution.status) && !force) {
            throw stateInvalid(`The execution of job ${jobId} cannot be deleted: it is ${execution.status}`);
          }
          await removeExecution(unit, await requireJob(unit, jobId), execution, { isForgotten: false });
          return {};
        }),
      ),
    ),
    listJobExecutionsForJob: awsOperation(
      "iot",
      "ListJobExecutionsForJob",
      ["jobId", "status", "maxResults", "nextToken"],
      async (context, { jobId, status, maxResults, nextToken: token }) => {
        const unit = new JobsUnit(context);
        const { scope } = context;
        const prefix = status === undefined ? jobKeys.executions(scope, jobId) : jobKeys.byStatus(scope, jobId, status);
        const { entries, nextToken } = await readPage(context.store, { prefix, token, size: maxResults });
        await requireJob(unit, jobId);
        const executionSummaries = [];
        for (const { key } of entries) {
          const [thingName, executionNumber] = [String(key.at(-2)), Number(key.at(-1))];
          const execution = await unit.execution(jobId, thingName, executionNumber);
          if (execution === undefined) continue;
          const jobExecutionSummary = summarizeExecution(execution);
          executionSummaries.push({ thingArn: arnOf.thing(scope, thingName), jobExecutionSummary });
        }
        return answer({ executionSummaries, ...given("nextToken", nextToken) });
      },
    ),
    listJobExecutionsForThing: awsOperation(
      "iot",
      "ListJobExecutionsForThing",
      ["thingName", "status", "maxResults", "nextToken", "jobId"],
      async (context, { thingName, status, jobId, maxResults, nextToken: token }) => {
        const { scope, store } = context;
        if (!(await deps.targets.hasThing(context, thingName))) {
          throw new ThinglineError("RESOURCE_NOT_FOUND", `Thing ${thingName} not found.`);
        }
        const unit = new JobsUnit(context);
        const { entries, nextToken } = await readPage<ListedStatus>(store, {
          prefix: jobKeys.byThing(scope, thingName),
          ...{ token, size: maxResults, order: "descending" },
          matches: (entry) => isListed(entry, { status, jobId }),
        });
        const executionSummaries = [];
        for (const { key } of entries) {
          const execution = await unit.execution(jobOf(key), thingName, Number(key.at(-1)));
          if (execution === undefined) continue;
          executionSummaries.push({ jobId: jobOf(key), jobExecutionSummary: summarizeExecution(execution) });
        }
        return answer({ executionSummaries, ...given("nextToken", nextToken) });
      },
    ),
  };
}

const jobOf = (key: StoreKey): string => String(key.at(-2));

function isListed(
  { key, value }: StoreEntry<ListedStatus>,
  filter: { status: ExecutionRecord["status"] | undefined; jobId: string | undefined },
): boolean {
  return (filter.status ?? value.status) === value.status && (filter.jobId ?? jobOf(key)) === jobOf(key);
}

/** @throws {ThinglineError} RESOURCE_NOT_FOUND, also for an execution of a job that is being deleted */
async function requireExecution(
  unit: JobsUnit,
  { jobId, thingName, executionNumber }: { jobId: string; thingName: string; executionNumber?: number | undefined },
): Promise<ExecutionRecord> {
  const execution = await unit.execution(jobId, thingName, executionNumber);
  if (execution === undefined) throw noSuchExecution(jobId, thingName);
  return execution;
}

const stateInvalid = (message: string): ThinglineError => new ThinglineError("JOB_STATE_INVALID", message);

function describeExecution(scope: Scope, execution: ExecutionRecord, nowMs: number): JobExecution {
  const { jobId, thingName, status, statusDetails, executionNumber, versionNumber } = execution;
  return {
    ...{ jobId, status },
    ...given("forceCanceled", execution.forceCanceled),
    statusDetails: { detailsMap: statusDetails ?? {} },
    thingArn: arnOf.thing(scope, thingName),
    ...timesOf(execution),
    ...{ executionNumber, versionNumber },
    ...given("approximateSecondsBeforeTimedOut", secondsBeforeTimeout(execution, nowMs)),
  };
}

function summarizeExecution(execution: ExecutionRecord): JobExecutionSummary {
  const { status, executionNumber, retries } = execution;
  const attempts = retries === undefined ? undefined : retries.FAILED + retries.TIMED_OUT;
  return { status, ...timesOf(execution), executionNumber, ...given("retryAttempt", attempts) };
}

/** In seconds with their fraction, as the control plane tells times. */
function timesOf({ queuedAtMs, startedAtMs, lastUpdatedAtMs }: ExecutionRecord) {
  return {
    queuedAt: queuedAtMs / 1_000,
    ...(startedAtMs !== undefined && { startedAt: startedAtMs / 1_000 }),
    lastUpdatedAt: lastUpdatedAtMs / 1_000,
  };
}
