export { awaitedReportsMax } from "./call.js";
export type { ExhaustedOutcome, JobHandler, JobOutcome, JobReportOptions, RunningJob } from "./job.js";
export type { JobListener, JobListeners } from "./listeners.js";
export { awaitedReportIntervalMs, jobCallsMax } from "./execution-steps.js";
export { finishedExecutionsMax } from "./machine.js";
export { managedInputOf, operationOfDocument } from "./operation.js";
export type { OperationOf } from "./operation.js";
export {
  defaultJobAbortGraceMs,
  defaultJobAnswerTimeoutMs,
  defaultJobAttemptsMax,
  defaultJobPollIntervalMs,
  defaultJobProgressIntervalMs,
  defaultJobsCloseTimeoutMs,
  parallelJobsMax,
} from "./options.js";
export type { JobsDevice, RunJobsOptions } from "./options.js";
export type { DescribedExecution, JobQueryOptions, PendingExecutions } from "./queries.js";
export { runJobs } from "./run-jobs.js";
export type { JobRunner } from "./run-jobs.js";
export type { JobEvent, JobEventName, JobEvents } from "./types.js";
