// Written by `npm run model` from the table of iot-jobs-data: what the operations that are built take and give. Times are Unix seconds.

export interface CommandParameterValue {
  S?: string | undefined;
  B?: boolean | undefined;
  I?: number | undefined;
  L?: number | undefined;
  D?: number | undefined;
  BIN?: Uint8Array | undefined;
  UL?: string | undefined;
}

export interface DescribeJobExecutionRequest {
  jobId: string;
  thingName: string;
  includeJobDocument?: boolean | undefined;
  executionNumber?: number | undefined;
}

export interface DescribeJobExecutionResponse {
  execution?: JobExecution | undefined;
}

export interface GetPendingJobExecutionsRequest {
  thingName: string;
}

export interface GetPendingJobExecutionsResponse {
  inProgressJobs?: readonly JobExecutionSummary[] | undefined;
  queuedJobs?: readonly JobExecutionSummary[] | undefined;
}

export interface JobExecution {
  jobId?: string | undefined;
  thingName?: string | undefined;
  status?: "QUEUED" | "IN_PROGRESS" | "SUCCEEDED" | "FAILED" | "TIMED_OUT" | "REJECTED" | "REMOVED" | "CANCELED" | undefined;
  statusDetails?: Readonly<Record<string, string>> | undefined;
  queuedAt?: number | undefined;
  startedAt?: number | undefined;
  lastUpdatedAt?: number | undefined;
  approximateSecondsBeforeTimedOut?: number | undefined;
  versionNumber?: number | undefined;
  executionNumber?: number | undefined;
  jobDocument?: string | undefined;
}

export interface JobExecutionState {
  status?: "QUEUED" | "IN_PROGRESS" | "SUCCEEDED" | "FAILED" | "TIMED_OUT" | "REJECTED" | "REMOVED" | "CANCELED" | undefined;
  statusDetails?: Readonly<Record<string, string>> | undefined;
  versionNumber?: number | undefined;
}

export interface JobExecutionSummary {
  jobId?: string | undefined;
  queuedAt?: number | undefined;
  startedAt?: number | undefined;
  lastUpdatedAt?: number | undefined;
  versionNumber?: number | undefined;
  executionNumber?: number | undefined;
}

export interface StartCommandExecutionRequest {
  targetArn: string;
  commandArn: string;
  parameters?: Readonly<Record<string, CommandParameterValue>> | undefined;
  executionTimeoutSeconds?: number | undefined;
  clientToken?: string | undefined;
}

export interface StartCommandExecutionResponse {
  executionId?: string | undefined;
}

export interface StartNextPendingJobExecutionRequest {
  thingName: string;
  statusDetails?: Readonly<Record<string, string>> | undefined;
  stepTimeoutInMinutes?: number | undefined;
}

export interface StartNextPendingJobExecutionResponse {
  execution?: JobExecution | undefined;
}

export interface UpdateJobExecutionRequest {
  jobId: string;
  thingName: string;
  status: "QUEUED" | "IN_PROGRESS" | "SUCCEEDED" | "FAILED" | "TIMED_OUT" | "REJECTED" | "REMOVED" | "CANCELED";
  statusDetails?: Readonly<Record<string, string>> | undefined;
  stepTimeoutInMinutes?: number | undefined;
  expectedVersion?: number | undefined;
  includeJobExecutionState?: boolean | undefined;
  includeJobDocument?: boolean | undefined;
  executionNumber?: number | undefined;
}

export interface UpdateJobExecutionResponse {
  executionState?: JobExecutionState | undefined;
  jobDocument?: string | undefined;
}

/** Input and output by operation. */
export interface IotJobsDataOperations {
  DescribeJobExecution: { input: DescribeJobExecutionRequest; output: DescribeJobExecutionResponse };
  GetPendingJobExecutions: { input: GetPendingJobExecutionsRequest; output: GetPendingJobExecutionsResponse };
  StartCommandExecution: { input: StartCommandExecutionRequest; output: StartCommandExecutionResponse };
  StartNextPendingJobExecution: { input: StartNextPendingJobExecutionRequest; output: StartNextPendingJobExecutionResponse };
  UpdateJobExecution: { input: UpdateJobExecutionRequest; output: UpdateJobExecutionResponse };
}
