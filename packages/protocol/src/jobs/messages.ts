import type { JsonObject } from "../json.js";
import type { JobExecutionStatus, PendingJobStatus, ReportableJobStatus } from "./status.js";

/**
 * What goes over the topics of a thing's jobs. Every time is in whole Unix seconds, whatever the examples of AWS's documentation say
 * (measured on the live service).
 * @see AWS IoT developer guide, "Jobs device MQTT API operations"
 */

/** Strings by name; an update that has any replaces all of them. */
export type JobStatusDetails = Readonly<Record<string, string>>;

/** What every request may have. */
export interface JobsRequest {
  /** Echoed in the answer. */
  clientToken?: string;
}

/** `get` */
export type GetPendingJobsRequest = JobsRequest;

/** `start-next` */
export interface StartNextJobRequest extends JobsRequest {
  /** Stored when a job is started by this; ignored when one is in progress already. */
  statusDetails?: JobStatusDetails;
  /** Minutes until the step times out, 1 to 10,080; -1 ends the step's timer. */
  stepTimeoutInMinutes?: number;
}

/** `<jobId>/get` */
export interface DescribeJobRequest extends JobsRequest {
  /** Default: the latest. */
  executionNumber?: number;
  /** Default true. */
  includeJobDocument?: boolean;
}

/** `<jobId>/update` */
export interface UpdateJobRequest extends JobsRequest {
  status: ReportableJobStatus;
  /** Absent: what was reported before stays. */
  statusDetails?: JobStatusDetails;
  /** Update only when this is the execution's `versionNumber`. */
  expectedVersion?: number;
  /** Default: the latest. */
  executionNumber?: number;
  /** Default false. */
  includeJobExecutionState?: boolean;
  /** Default false. */
  includeJobDocument?: boolean;
  /** As of {@link StartNextJobRequest}. */
  stepTimeoutInMinutes?: number;
}

/** One line of a list of executions. */
export interface JobExecutionSummary {
  jobId: string;
  queuedAt: number;
  /** Absent while queued. */
  startedAt?: number;
  lastUpdatedAt: number;
  /** Counts the executions of this job on this thing, from 1. */
  executionNumber: number;
  /** 1 when queued, one more with each change. */
  versionNumber: number;
}

/** An execution as a device gets it. Live answers leave out `thingName`, which the documentation lists. */
export interface JobExecution extends JobExecutionSummary {
  status: JobExecutionStatus;
  /** Absent when none was ever set. */
  statusDetails?: JobStatusDetails;
  jobDocument?: JsonObject;
  thingName?: string;
  /** Of an execution in progress that has a timer. */
  approximateSecondsBeforeTimedOut?: number;
}

export interface JobExecutionState {
  status: JobExecutionStatus;
  statusDetails?: JobStatusDetails;
  versionNumber: number;
}

/** What every answer has. */
export interface JobsAnswer {
  clientToken?: string;
  timestamp: number;
}

/** `get/accepted` */
export interface PendingJobs extends JobsAnswer {
  inProgressJobs: JobExecutionSummary[];
  queuedJobs: JobExecutionSummary[];
}

/** `start-next/accepted` and `<jobId>/get/accepted`. Without `execution` when nothing is pending; some services send an empty one. */
export interface DescribedJob extends JobsAnswer {
  execution?: JobExecution;
}

/** `<jobId>/update/accepted`; the rest only when it was asked for. */
export interface UpdatedJob extends JobsAnswer {
  executionState?: JobExecutionState;
  jobDocument?: JsonObject;
}

/** `notify`: all pending executions, up to 10 of each state; a state without any is left out. */
export interface JobsChanged {
  timestamp: number;
  jobs: Partial<Record<PendingJobStatus, JobExecutionSummary[]>>;
}

/** `notify-next`: the first of the pending executions is another one; without `execution` there is none. */
export interface NextJobChanged {
  timestamp: number;
  execution?: JobExecution;
}

/** `code` of a rejected request, and when. */
export const jobsRejectionCodes = {
  InvalidTopic: "the topic is of the namespace of jobs and is no request",
  InvalidJson: "the payload is no JSON object in UTF-8",
  InvalidRequest: "a member is missing or wrong",
  InvalidStateTransition: "the execution's state cannot become the one that was reported",
  ResourceNotFound: "there is no such execution, or no such thing",
  VersionMismatch: "the expected version is not the execution's",
  InternalError: "a defect of the service",
  RequestThrottled: "too many requests",
  TerminalStateReached: "an execution was asked for that has ended",
} as const;
export type JobsRejectionCode = keyof typeof jobsRejectionCodes;

/** Any `rejected`. */
export interface JobsRejected extends JobsAnswer {
  code: JobsRejectionCode;
  message: string;
  /** With InvalidStateTransition and VersionMismatch. */
  executionState?: JobExecutionState;
}
