import type { FinalJobStatus, JobStatusDetails, JsonObject } from "@thingline/protocol/jobs";

export interface JobReportOptions {
  /**
   * When the promise resolves. `noted`: at once; of reports that come faster than they are sent, the latest is sent. `accepted`: when the
   * cloud has taken this report, or a later one that took its place; without a connection it waits for the next one. Default `noted`.
   */
  until?: "noted" | "accepted";
  /** Starts the step timer anew, in the cloud and here: 1 to 10080 minutes; -1 stops it. Default: it goes on. */
  stepTimeoutInMinutes?: number;
  /** Gives up waiting; the report may still be sent. */
  signal?: AbortSignal;
}

/** A job execution that a handler works on. */
export interface RunningJob {
  readonly jobId: string;
  /** From 1, and one more each time that the job runs again on this thing. */
  readonly executionNumber: number;
  /** The name by which the handler was found; of a fallback handler, what the document says, or undefined. */
  readonly operation: string | undefined;
  /** The job document, read from the cloud just before the handler was called, so that presigned URLs in it are fresh. */
  readonly document: JsonObject;
  /** What the cloud last accepted. */
  readonly statusDetails: JobStatusDetails;
  /** It may have been worked on before: by an earlier process, or by a handler that ended with `IN_PROGRESS`. */
  readonly isResumed: boolean;
  /**
   * Aborted when the work is in vain, or has to stop. `reason` is a ThinglineError: JOB_TAKEN_AWAY when the execution was cancelled, timed
   * out, removed or deleted in the cloud (`details.status`, when it is known), TIMEOUT when the step took too long, and CLOSED when this
   * process stops: then the execution stays IN_PROGRESS, and the handler is called again in the next process.
   */
  readonly signal: AbortSignal;
  /**
   * Reads the job document from the cloud again: its presigned URLs are fresh then, and last as long as they did at first. Without a
   * connection it waits for the next one.
   *
   * @throws {ThinglineError} JOB_TAKEN_AWAY, TIMEOUT, CLOSED, ABORTED; THROTTLED and INTERNAL_FAILURE after some attempts; LIMIT_EXCEEDED.
   */
  freshDocument(options?: { signal?: AbortSignal }): Promise<JsonObject>;
  /**
   * Reports progress, at a bounded rate. Details that are too many or too long are cut, which an event tells.
   *
   * @throws {ThinglineError} With `until: "accepted"` JOB_TAKEN_AWAY, CLOSED, ABORTED, and REQUEST_INVALID when the cloud does not take the
   * details. OPTION_INVALID.
   */
  report(details: JobStatusDetails, options?: JobReportOptions): Promise<void>;
}

/**
 * How the work of a handler ended. `IN_PROGRESS`: it goes on after a restart; the execution stays as it is, no further job begins in this
 * process (of those that run one at a time), and the handler is called again, with `isResumed`, in the next one.
 */
export type JobOutcome =
  | { readonly status: FinalJobStatus; readonly statusDetails?: JobStatusDetails }
  | { readonly status: "IN_PROGRESS" };

/**
 * Does the work of a job. What it throws is reported as FAILED, with the code of the error; nothing returned means SUCCEEDED.
 */
export interface JobHandler {
  (job: RunningJob): Promise<JobOutcome | undefined | void>;
  /**
   * Called in its place when the process ended `attemptsMax` times in it. For work whose end does not hang on the handler: a new firmware
   * may run by now, and FAILED would not be so. `outcome` is what the job comes to without this function.
   */
  readonly exhausted?: (job: RunningJob, outcome: ExhaustedOutcome) => Promise<JobOutcome | undefined | void>;
}

/** What a job comes to whose process ended too often. */
export interface ExhaustedOutcome {
  readonly status: "FAILED";
  readonly statusDetails: { readonly reason: string; readonly message: string };
}
