import type { JobExecutionStatus, JobStatusDetails, JsonObject } from "@thingline/protocol/jobs";
import type { ExhaustedOutcome } from "./job.js";
import type { ExecutionId, ExecutionRecord, FinalOutcome, Report } from "./types.js";

export const keyOf = ({ jobId, executionNumber, queuedAt }: ExecutionId): string =>
  `${jobId}/${executionNumber}/${queuedAt}`;

export interface Work {
  readonly document: JsonObject;
  readonly operation: string | undefined;
  readonly exhausted: ExhaustedOutcome | undefined;
}

export type ExecutionStage =
  /** Its document is asked for. */
  | { name: "fetching" }
  /** The cloud is told that it begins. */
  | { name: "starting"; work: Work }
  /** What is begun is written down before the handler is called. */
  | { name: "recording"; work: Work; sequence: number }
  /** Its handler runs. */
  | { name: "running"; deadlineMs: number | undefined; overdueUntilMs: number | undefined }
  /** Its handler has said that it goes on after a restart. */
  | { name: "parked" }
  /** Its handler stopped because the process does. */
  | { name: "interrupted" }
  /** What it came to is written down before the cloud is told. */
  | { name: "recordingOutcome"; outcome: FinalOutcome; sequence: number }
  /** The cloud is told what it came to. */
  | { name: "ending"; outcome: FinalOutcome; sentCount: number; mustStartFirst: boolean }
  /** The cloud took it away, and its handler has not returned yet. */
  | { name: "draining"; untilMs: number; status: JobExecutionStatus | undefined };

/** Why a request of an execution was made. */
export type RequestPurpose = "fetch" | "check" | "probe" | "start" | "report" | "end";

/** One execution that is under way here. The machine changes it. */
export class Execution {
  readonly id: ExecutionId;
  readonly key: string;
  readonly runId: number;
  stage: ExecutionStage;
  /** It may have been worked on before. */
  isResumed: boolean;
  /** The application, or the record of an earlier process, knows of it. */
  isAnnounced: boolean;
  begunCount: number;
  callCount: number;
  /** What the cloud had when the handler was called. */
  calledWith: JobStatusDetails = {};
  statusDetails: JobStatusDetails = {};
  request: { requestId: number; purpose: RequestPurpose; isAlone: boolean } | undefined;
  failures = 0;
  notFoundCount = 0;
  retryAtMs = 0;
  /** Answers with its document that this device's TLS could not take. */
  tooLargeCount = 0;
  /** Whether it is still ours is to be asked. */
  isCheckWanted = false;
  /** It is not; how it ended is to be asked, by an update that is refused with the reason. */
  isProbeWanted = false;
  /** The latest that was not sent. */
  report: Report | undefined;
  /** On its way. */
  sentReport: Report | undefined;
  /** When the last one was taken. */
  reportedAtMs = -Infinity;
  /** What has to be on disk. */
  record: ExecutionRecord | undefined;

  constructor(id: ExecutionId, runId: number, stage: ExecutionStage, record: ExecutionRecord | undefined) {
    const { jobId, executionNumber, queuedAt } = id;
    this.id = { jobId, executionNumber, queuedAt };
    this.key = keyOf(id);
    this.runId = runId;
    this.stage = stage;
    this.record = record;
    this.isResumed = record !== undefined;
    this.isAnnounced = record !== undefined;
    this.begunCount = record?.begunCount ?? 0;
    this.callCount = record?.callCount ?? 0;
  }

  get jobEvent(): { jobId: string; executionNumber: number } {
    return { jobId: this.id.jobId, executionNumber: this.id.executionNumber };
  }

  /** It was begun, and the cloud may take it away at any time. */
  get isAtWork(): boolean {
    return this.stage.name === "running" || this.stage.name === "parked";
  }

  recordAs(phase: "running" | "interrupted" | "parked"): void {
    this.record = { ...this.#facts, phase };
  }

  recordOutcome(outcome: FinalOutcome): void {
    this.record = { ...this.#facts, phase: "ended", outcome };
  }

  /** Calls that end in good order are not held against the job. */
  endedInOrder(): void {
    this.begunCount = Math.max(0, this.begunCount - 1);
    this.callCount = Math.max(0, this.callCount - 1);
  }

  get #facts() {
    const { id, begunCount, callCount } = this;
    return { ...id, begunCount, callCount };
  }
}

/** The end of an execution in the making. */
export const endingStage = (outcome: FinalOutcome): ExecutionStage & { name: "ending" } => ({
  name: "ending",
  outcome,
  sentCount: 0,
  mustStartFirst: false,
});
