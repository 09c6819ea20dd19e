import type { ThinglineError } from "@thingline/protocol";
import type {
  FinalJobStatus,
  JobExecutionStatus,
  JobExecutionSummary,
  JobStatusDetails,
  JsonObject,
} from "@thingline/protocol/jobs";
import type { ExhaustedOutcome } from "./job.js";

/** Which execution: a job that was deleted and made anew has the same id and number, and another time. */
export interface ExecutionId {
  readonly jobId: string;
  readonly executionNumber: number;
  /** Unix seconds. */
  readonly queuedAt: number;
}

/** An execution as the cloud tells it, checked as far as anybody goes by it. */
export interface ReceivedExecution extends ExecutionId {
  readonly status: JobExecutionStatus;
  readonly statusDetails: JobStatusDetails;
  /** Undefined: not sent. `invalid`: it is no JSON object. `tooLarge`: a message with it ends the connection of this device. */
  readonly document: JsonObject | "invalid" | "tooLarge" | undefined;
}

export interface FinalOutcome {
  readonly status: FinalJobStatus;
  readonly statusDetails?: JobStatusDetails | undefined;
}

/**
 * What is remembered of an execution over a restart. `running`: a handler was called; `interrupted`: and stopped when its process did;
 * `parked`: it said that it goes on after a restart; `ended`: what it came to, which the cloud has not accepted yet.
 */
export type ExecutionRecord = ExecutionId & {
  /** So many times a handler was called for it since it last made progress, orderly ends of the process not counted. */
  readonly begunCount: number;
  /** So many times in all, orderly ends not counted. */
  readonly callCount: number;
} & (
    | { readonly phase: "running" | "interrupted" | "parked" }
    | { readonly phase: "ended"; readonly outcome: FinalOutcome }
  );

/** What the machine asks of the cloud; the shell gives it a client token. */
export type JobsRequest =
  | { type: "next"; includesDocument: boolean }
  | { type: "list" }
  | { type: "describe"; id: ExecutionId; includesDocument: boolean }
  | {
      type: "update";
      id: ExecutionId;
      status: "IN_PROGRESS" | FinalJobStatus;
      statusDetails?: JobStatusDetails | undefined;
      stepTimeoutInMinutes?: number | undefined;
    };

export type JobsAnswer =
  | { type: "execution"; execution: ReceivedExecution | undefined }
  | { type: "list"; inProgress: readonly JobExecutionSummary[]; queued: readonly JobExecutionSummary[] }
  | { type: "updated" }
  | { type: "rejected"; code: string; message: string; status: JobExecutionStatus | undefined };

/** How the call of a handler ended. `nothing`: it returned without a word. */
export type HandlerResult =
  | { type: "nothing" }
  | { type: "inProgress" }
  | { type: "final"; outcome: FinalOutcome }
  | { type: "threw"; reason: string; message: string };

export type JobsInput =
  | { type: "loaded"; records: readonly ExecutionRecord[] }
  /** Connected, and the answers would arrive. */
  | { type: "linkUp" }
  | { type: "linkDown" }
  /** `notify-next`. */
  | { type: "nextChanged"; execution: ReceivedExecution | undefined }
  /** `notify`, or a notification that could not be read. */
  | { type: "jobsChanged" }
  | { type: "answered"; requestId: number; answer: JobsAnswer }
  /** There is no answer, or none that can be read. */
  | { type: "unanswered"; requestId: number; error: ThinglineError }
  | { type: "saved"; sequence: number }
  | { type: "handlerEnded"; runId: number; result: HandlerResult }
  | { type: "reported"; runId: number; report: Report }
  | { type: "tick" }
  /** The process stops. */
  | { type: "closing" };

export interface Report {
  /** Grows. */
  readonly reportId: number;
  readonly details: JobStatusDetails;
  readonly stepTimeoutInMinutes: number | undefined;
  /** Somebody waits until the cloud has taken it. */
  readonly isAwaited: boolean;
}

export type JobsEffect =
  | { type: "request"; requestId: number; request: JobsRequest }
  | { type: "save"; sequence: number; records: readonly ExecutionRecord[] }
  | { type: "call"; runId: number; call: HandlerCall }
  | { type: "abort"; runId: number; reason: AbortReason }
  /** Reports up to this one were accepted, or an error is what became of them. */
  | { type: "reportsSettled"; runId: number; reportId: number; error?: ReportFailure }
  | { type: "event"; event: JobsMachineEvent }
  | { type: "wakeAt"; atMs: number };

export interface HandlerCall {
  readonly id: ExecutionId;
  readonly operation: string | undefined;
  readonly document: JsonObject;
  readonly statusDetails: JobStatusDetails;
  readonly isResumed: boolean;
  /** The process ended too often in it; the handler has a word for that. */
  readonly exhausted: ExhaustedOutcome | undefined;
}

export type AbortReason =
  | { type: "takenAway"; status: JobExecutionStatus | undefined }
  | { type: "stepTimedOut" }
  | { type: "closing" };

export type ReportFailure = AbortReason | { type: "refused"; code: string; message: string } | { type: "handlerEnded" };

/** Which execution an event is about. */
export interface JobEvent {
  jobId: string;
  executionNumber: number;
}

export interface JobEvents {
  /** The cloud has taken it as IN_PROGRESS, and its handler is called now. */
  jobStarted: JobEvent & { operation: string | undefined; isResumed: boolean };
  /** The cloud has taken a report. */
  jobProgress: JobEvent & { statusDetails: JobStatusDetails };
  /** The handler goes on after a restart. */
  jobParked: JobEvent;
  /** The cloud has taken SUCCEEDED. */
  jobCompleted: JobEvent & { statusDetails: JobStatusDetails };
  /** The cloud has taken FAILED. */
  jobFailed: JobEvent & { statusDetails: JobStatusDetails };
  /** The cloud has taken REJECTED. */
  jobRejected: JobEvent & { statusDetails: JobStatusDetails };
  /**
   * The execution ended in the cloud, and not by what this device reported: it was cancelled, timed out, removed or deleted, or somebody else
   * reported for it. `status`: as far as the cloud says it. What the handler makes of it from now on is not reported.
   */
  jobCancelled: JobEvent & { status: JobExecutionStatus | undefined };
  /** Its handler was told to stop and did not return in time: it is no longer waited for. */
  jobAbandoned: JobEvent;
  /** Some of what was to be reported is more than AWS IoT takes, and was cut; `keys` says of which members. */
  statusDetailsCut: JobEvent & { keys: readonly string[] };
  /** What has no caller to go to: a request that failed, a file that could not be written, a message that cannot be read. */
  error: { error: ThinglineError };
}

export type JobEventName = keyof JobEvents;

export type JobsMachineEvent = {
  [Name in JobEventName]: { name: Name; event: JobEvents[Name] };
}[JobEventName];

/** What a step needs of its turn. */
export interface JobsTurn {
  monotonicMs: number;
  /** 0 to 1, for the jitter of retries. */
  chance: number;
}

export interface JobsConfig {
  /** Executions under way at a time. */
  parallelMax: number;
  /** For each execution, from its start and with each report that says so; undefined: no step timer. */
  stepTimeoutInMinutes: number | undefined;
  progressIntervalMs: number;
  attemptsMax: number;
  pollIntervalMs: number;
  abortGraceMs: number;
  /** Finds the handler of a document. */
  find(document: JsonObject): FoundHandler;
}

/** `unknown`: nobody does this here, for the reason that is given. */
export type FoundHandler =
  | { type: "found"; operation: string | undefined; settlesExhausted?: boolean }
  | { type: "unknown"; reason: string; message: string };
