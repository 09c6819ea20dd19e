export { isJsonObject, memberOf } from "../json.js";
export type { JsonObject, JsonValue } from "../json.js";
export {
  jobDocumentCharactersMax,
  jobIdCharactersMax,
  jobIdPattern,
  jobsClientTokenCharactersMax,
  jobTimeoutMinutesMax,
  notifiedExecutionsMax,
  statusDetailKeyCharactersMax,
  statusDetailKeyPattern,
  statusDetailsMax,
  statusDetailValueCharactersMax,
  stepTimeoutNone,
} from "./limits.js";
export { jobsRejectionCodes } from "./messages.js";
export type {
  DescribedJob,
  DescribeJobRequest,
  GetPendingJobsRequest,
  JobExecution,
  JobExecutionState,
  JobExecutionSummary,
  JobsAnswer,
  JobsChanged,
  JobsRejected,
  JobsRejectionCode,
  JobsRequest,
  JobStatusDetails,
  NextJobChanged,
  PendingJobs,
  StartNextJobRequest,
  UpdatedJob,
  UpdateJobRequest,
} from "./messages.js";
export {
  readRotatedDetails,
  readRotationDocument,
  rotateCertificateOperation,
  rotationOverlapSecondsMax,
  writeRotatedDetails,
  writeRotationDocument,
} from "./rotation.js";
export type { RotatedDetails, RotationOrder } from "./rotation.js";
export {
  isJobExecutionStatus,
  isPendingJobStatus,
  isReportableJobStatus,
  jobExecutionStatuses,
  jobStatuses,
  mayReportJobStatus,
  mayServeJobStatus,
  reportableJobStatuses,
} from "./status.js";
export type { FinalJobStatus, JobExecutionStatus, JobStatus, PendingJobStatus, ReportableJobStatus } from "./status.js";
export { jobsRequestFilters, jobsTopic, nextJobId, parseJobsTopic } from "./topics.js";
export type { JobsOutcome, JobsRequestType, JobsTopic } from "./topics.js";
