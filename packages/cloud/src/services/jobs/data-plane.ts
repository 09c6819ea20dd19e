import { isReportableJobStatus } from "@thingline/protocol/jobs";
import { awsOperation } from "../aws-operation.js";
import { describe, listPending, startNext, update, type DescribedExecution } from "./device-requests.js";
import { decideIn, inJobsLane, type JobsDependencies } from "./operations.js";
import { checkStatusDetails, readStepTimeout, statusNotReportable } from "./requests.js";

/** What devices ask for over HTTP: the same as over MQTT, with the document as text. */
export function createJobsDataPlane(deps: JobsDependencies) {
  const api = "iot-jobs-data";
  return {
    getPendingJobExecutions: inJobsLane(
      awsOperation(
        api,
        "GetPendingJobExecutions",
        ["thingName"],
        decideIn(deps, (unit, { thingName }) => listPending(unit, thingName, deps)),
      ),
    ),
    startNextPendingJobExecution: inJobsLane(
      awsOperation(
        api,
        "StartNextPendingJobExecution",
        ["thingName", "statusDetails", "stepTimeoutInMinutes"],
        decideIn(deps, async (unit, { thingName, ...request }) => {
          checkStatusDetails(request.statusDetails);
          readStepTimeout(request.stepTimeoutInMinutes);
          return answerOf(thingName, await startNext(unit, thingName, request, deps));
        }),
      ),
    ),
    describePendingJobExecution: inJobsLane(
      awsOperation(
        api,
        "DescribeJobExecution",
        ["jobId", "thingName", "includeJobDocument", "executionNumber"],
        decideIn(deps, async (unit, { thingName, ...request }) =>
          answerOf(thingName, await describe(unit, thingName, request, deps)),
        ),
      ),
    ),
    updateJobExecution: inJobsLane(
      awsOperation(
        api,
        "UpdateJobExecution",
        [
          ...(["jobId", "thingName", "status", "statusDetails", "stepTimeoutInMinutes", "expectedVersion"] as const),
          ...(["includeJobExecutionState", "includeJobDocument", "executionNumber"] as const),
        ],
        decideIn(deps, async (unit, { thingName, ...request }) => {
          const { status } = request;
          if (!isReportableJobStatus(status)) throw statusNotReportable(status);
          checkStatusDetails(request.statusDetails);
          readStepTimeout(request.stepTimeoutInMinutes);
          const { document, ...updated } = await update(unit, thingName, { ...request, status }, deps);
          return { ...updated, ...(document !== undefined && { jobDocument: document }) };
        }),
      ),
    ),
  };
}

function answerOf(thingName: string, described: DescribedExecution | undefined) {
  if (described === undefined) return {};
  const { execution, document } = described;
  return { execution: { ...execution, thingName, ...(document !== undefined && { jobDocument: document }) } };
}
