import type { ThinglineError } from "@thingline/protocol";
import {
  isPendingJobStatus,
  type JobExecutionStatus,
  type JobStatusDetails,
  statusDetailsMax,
} from "@thingline/protocol/jobs";
import { endingStage, type Execution, type ExecutionStage, type RequestPurpose, type Work } from "./execution.js";
import { nameOf, rejectionError } from "./failures.js";
import type { ExhaustedOutcome } from "./job.js";
import { retryDelayMs } from "../retry.js";
import { limitStatusDetails } from "./status-details.js";
import type {
  AbortReason,
  FinalOutcome,
  HandlerResult,
  JobsAnswer,
  JobsConfig,
  JobsEffect,
  JobsMachineEvent,
  JobsRequest,
  JobsTurn,
  ReceivedExecution,
  Report,
  ReportFailure,
} from "./types.js";

export type JobsStep = JobsTurn & { effects: JobsEffect[] };
export type ExecutionAnswer = { answer: JobsAnswer; error?: undefined } | { answer?: undefined; error: ThinglineError };

/** What the steps of one execution need of the machine around them. */
export interface ExecutionPort {
  request(step: JobsStep, request: JobsRequest): number;
  /** @returns the number that `saved` will come with */
  save(step: JobsStep): number;
  /**
   * @param isFruitful it was worked on, or the cloud has taken what it came to
   * @param outcome what it came to, when the cloud has neither taken nor refused that
   */
  finish(step: JobsStep, execution: Execution, isFruitful: boolean, outcome?: FinalOutcome): void;
  isClosing(): boolean;
  /** How documents are asked for, and how many of other executions are on their way. */
  fetches(execution?: Execution): Fetches;
}

export interface Fetches {
  /** An answer was too large for this device's TLS: one at a time. */
  isCautious: boolean;
  others: number;
}

/**
 * So many times a request that the cloud answers with ResourceNotFound is made again: an execution that was just made may not be found at
 * once. After that it is taken for deleted; one that is at work was found before, and is asked about once more.
 */
export const jobNotFoundRetriesMax = 4;

/**
 * Calls of a handler for one execution in all, orderly ends of the process not counted. Each that reported something new is one that may be
 * followed by another, or a long update on a weak battery would never end; but not for ever.
 */
export const jobCallsMax = 100;

/**
 * Connections in a row that end over the answer with a job document, because the TLS of the device takes no record so large, before the job is
 * REJECTED: it would end each one.
 */
export const tooLargeAnswersMax = 2;

/** The least time between two reports that a handler waits for. */
export const awaitedReportIntervalMs = 250;

/** The way of one execution, from the first that is heard of it to its end. */
export class ExecutionSteps {
  readonly #config: JobsConfig;
  readonly #port: ExecutionPort;

  constructor(config: JobsConfig, port: ExecutionPort) {
    this.#config = config;
    this.#port = port;
  }

  // ---- what is due ---------------------------------------------------------------------------------------------

  /** Does what it is time for, and asks the next thing that is to be asked; one request at a time. */
  drive(execution: Execution, step: JobsStep, isUp: boolean): void {
    this.#watchTime(execution, step);
    if (!isUp || execution.request !== undefined || step.monotonicMs < execution.retryAtMs) return;
    const due = this.#due(execution, step.monotonicMs);
    if (due === undefined) return;
    const requestId = this.#port.request(step, this.#requestOf(execution, due));
    execution.request = { requestId, purpose: due, isAlone: this.#port.fetches().isCautious };
  }

  #due(execution: Execution, nowMs: number): RequestPurpose | undefined {
    const { stage } = execution;
    if (stage.name === "ending") return stage.mustStartFirst ? "start" : "end";
    if (this.#port.isClosing()) return undefined;
    if (stage.name === "fetching") return this.#mayFetch(execution) ? "fetch" : undefined;
    if (stage.name === "starting") return "start";
    if (!execution.isAtWork) return undefined;
    if (execution.isProbeWanted) return "probe";
    if (execution.isCheckWanted) return "check";
    return execution.report !== undefined && nowMs >= this.#reportAtMs(execution) ? "report" : undefined;
  }

  /** A handler that waits is held up by the answer already. */
  #reportAtMs({ report, reportedAtMs }: Execution): number {
    const { progressIntervalMs } = this.#config;
    const isAwaited = report?.isAwaited === true;
    return reportedAtMs + (isAwaited ? Math.min(progressIntervalMs, awaitedReportIntervalMs) : progressIntervalMs);
  }

  #requestOf(execution: Execution, purpose: RequestPurpose): JobsRequest {
    const { id, stage } = execution;
    switch (purpose) {
      case "fetch":
      case "check":
        execution.isCheckWanted = false;
        return { type: "describe", id, includesDocument: purpose === "fetch" };
      case "probe":
        execution.isProbeWanted = false;
        return { type: "update", id, status: "IN_PROGRESS" };
      case "start": {
        const { stepTimeoutInMinutes } = this.#config;
        const timeout = stage.name === "starting" ? { stepTimeoutInMinutes } : {};
        return { type: "update", id, status: "IN_PROGRESS", ...timeout };
      }
      case "report": {
        const { details: statusDetails, stepTimeoutInMinutes } = execution.report as Report;
        execution.sentReport = execution.report;
        execution.report = undefined;
        return { type: "update", id, status: "IN_PROGRESS", statusDetails, stepTimeoutInMinutes };
      }
      case "end": {
        const ending = stage as ExecutionStage & { name: "ending" };
        ending.sentCount += 1;
        return { type: "update", id, ...ending.outcome };
      }
    }
  }

  #watchTime(execution: Execution, step: JobsStep): void {
    const { stage } = execution;
    if (stage.name === "draining" && step.monotonicMs >= stage.untilMs)
      return this.#abandon(execution, undefined, step);
    if (stage.name !== "running") return;
    if (stage.overdueUntilMs !== undefined) {
      if (step.monotonicMs >= stage.overdueUntilMs) this.#abandon(execution, overdueOutcome(execution), step);
    } else if (stage.deadlineMs !== undefined && step.monotonicMs >= stage.deadlineMs) {
      stage.overdueUntilMs = step.monotonicMs + this.#config.abortGraceMs;
      this.#abort(execution, { type: "stepTimedOut" }, step);
    }
  }

  wakeAtMs(execution: Execution, isUp: boolean): number {
    const { stage, retryAtMs } = execution;
    const untilMs =
      stage.name === "draining"
        ? stage.untilMs
        : stage.name === "running"
          ? (stage.overdueUntilMs ?? stage.deadlineMs ?? Infinity)
          : Infinity;
    if (!isUp || execution.request !== undefined) return untilMs;
    const due = this.#due(execution, Infinity);
    if (due === undefined) return untilMs;
    return Math.min(untilMs, due === "report" ? Math.max(retryAtMs, this.#reportAtMs(execution)) : retryAtMs);
  }

  // ---- from the cloud ------------------------------------------------------------------------------------------

  /** The execution as the cloud tells it, with its document. */
  received(execution: Execution, received: ReceivedExecution, step: JobsStep): void {
    execution.statusDetails = received.statusDetails;
    if (!isPendingJobStatus(received.status)) return this.#takenAway(execution, received.status, step);
    if (received.status === "IN_PROGRESS") execution.isResumed = true;
    const { document } = received;
    // Not every message has it.
    if (document === undefined && execution.request === undefined) return;
    if (document === "tooLarge") return this.#rejectTooLarge(execution);
    if (document === undefined || document === "invalid") {
      return this.#reject(execution, "JOB_DOCUMENT_INVALID", "the job document is not a JSON object");
    }
    const found = this.#config.find(document);
    if (found.type === "unknown") return this.#reject(execution, found.reason, found.message);
    const isOver = execution.callCount >= jobCallsMax;
    const outcome = isOver || execution.begunCount >= this.#config.attemptsMax ? exhausted(execution) : undefined;
    if (outcome !== undefined && (isOver || found.settlesExhausted !== true)) {
      execution.stage = endingStage(outcome);
      return;
    }
    execution.stage = { name: "starting", work: { document, operation: found.operation, exhausted: outcome } };
  }

  #reject(execution: Execution, reason: string, message: string): void {
    const { details } = limitStatusDetails({ reason, message });
    execution.stage = endingStage({ status: "REJECTED", statusDetails: details });
  }

  /** After an answer that was too large, one document at a time is asked for: else nobody knows whose it was. */
  #mayFetch(execution: Execution): boolean {
    const { isCautious, others } = this.#port.fetches(execution);
    return !isCautious || others === 0;
  }

  #rejectTooLarge(execution: Execution): void {
    const message = "a message with the job document is larger than the TLS of this device takes in one record";
    this.#reject(execution, "JOB_DOCUMENT_TOO_LARGE", message);
  }

  answered(execution: Execution, { answer, error }: ExecutionAnswer, step: JobsStep): void {
    const { request } = execution;
    if (request === undefined) return;
    const { purpose } = request;
    if (answer?.type === "execution" && purpose === "fetch") this.#fetched(execution, answer.execution, step);
    execution.request = undefined;
    if (answer === undefined) this.#failed(execution, request, error, step);
    else if (answer.type === "rejected") this.#rejected(execution, purpose, answer, step);
    else {
      execution.failures = 0;
      execution.notFoundCount = 0;
      if (answer.type === "execution") this.#described(execution, purpose, answer.execution, step);
      else if (answer.type === "updated") this.#updated(execution, purpose, step);
    }
  }

  #fetched(execution: Execution, received: ReceivedExecution | undefined, step: JobsStep): void {
    if (received === undefined || !isSame(execution, received)) return this.#takenAway(execution, undefined, step);
    this.received(execution, received, step);
  }

  #described(
    execution: Execution,
    purpose: RequestPurpose,
    received: ReceivedExecution | undefined,
    step: JobsStep,
  ): void {
    if (purpose !== "check") return;
    if (received === undefined || !isSame(execution, received)) return this.#takenAway(execution, undefined, step);
    if (!isPendingJobStatus(received.status)) this.#takenAway(execution, received.status, step);
  }

  #updated(execution: Execution, purpose: RequestPurpose, step: JobsStep): void {
    const { stage } = execution;
    if (purpose === "report") this.#reportAccepted(execution, step);
    else if (purpose === "end" && stage.name === "ending") this.#ended(execution, stage.outcome, step);
    else if (purpose === "start" && stage.name === "ending") stage.mustStartFirst = false;
    else if (purpose === "start" && stage.name === "starting") {
      execution.begunCount += 1;
      execution.callCount += 1;
      execution.recordAs("running");
      execution.stage = { name: "recording", work: stage.work, sequence: this.#port.save(step) };
    }
  }

  #ended(
    execution: Execution,
    { status, statusDetails = execution.statusDetails }: FinalOutcome,
    step: JobsStep,
  ): void {
    const name = ({ SUCCEEDED: "jobCompleted", FAILED: "jobFailed", REJECTED: "jobRejected" } as const)[status];
    this.#event({ name, event: { ...execution.jobEvent, statusDetails } }, step);
    this.#port.finish(step, execution, true);
  }

  #rejected(
    execution: Execution,
    purpose: RequestPurpose,
    answer: JobsAnswer & { type: "rejected" },
    step: JobsStep,
  ): void {
    switch (answer.code) {
      case "RequestThrottled":
      case "InternalError":
        return this.#retry(execution, purpose, step);
      case "ResourceNotFound":
        execution.notFoundCount += 1;
        if (execution.notFoundCount <= (execution.isAtWork ? 1 : jobNotFoundRetriesMax))
          return this.#retry(execution, purpose, step);
        return this.#takenAway(execution, undefined, step);
      case "InvalidStateTransition":
      case "TerminalStateReached":
      case "VersionMismatch":
        return this.#conflict(execution, purpose, answer, step);
      default:
        return this.#refused(execution, purpose, answer, step);
    }
  }

  /** The execution's state is another one than was thought. */
  #conflict(
    execution: Execution,
    purpose: RequestPurpose,
    { code, status }: { code: string; status: JobExecutionStatus | undefined },
    step: JobsStep,
  ): void {
    const { stage } = execution;
    const ending = stage.name === "ending" && purpose === "end" ? stage : undefined;
    if (status !== undefined && isPendingJobStatus(status)) {
      // A cloud that lets nothing end that has not begun.
      if (ending !== undefined && status === "QUEUED" && code === "InvalidStateTransition")
        ending.mustStartFirst = true;
      return this.#retry(execution, purpose, step);
    }
    if (status !== undefined) {
      // It was taken before, and only the answer was lost.
      if (ending?.outcome.status === status) return this.#ended(execution, ending.outcome, step);
      return this.#takenAway(execution, status, step);
    }
    if (code === "VersionMismatch") return this.#retry(execution, purpose, step);
    if (ending !== undefined && ending.sentCount > 1) return this.#ended(execution, ending.outcome, step);
    if (purpose !== "check") return this.#takenAway(execution, undefined, step);
    execution.isProbeWanted = true;
  }

  /** The cloud does not take the request as it is. */
  #refused(
    execution: Execution,
    purpose: RequestPurpose,
    answer: { code: string; message: string },
    step: JobsStep,
  ): void {
    const error = rejectionError(nameOf(execution.id), answer);
    this.#event({ name: "error", event: { error } }, step);
    const { stage } = execution;
    if (purpose === "report") {
      const { code, message } = answer;
      const reportId = execution.sentReport?.reportId ?? 0;
      execution.sentReport = undefined;
      return this.#settleReports(execution, { reportId, error: { type: "refused", code, message } }, step);
    }
    // The details are all that can be wrong with it; the job has to end all the same.
    if (purpose === "end" && stage.name === "ending") stage.outcome = { status: stage.outcome.status };
    this.#retry(execution, purpose, step);
  }

  #failed(
    execution: Execution,
    { purpose, isAlone }: { purpose: RequestPurpose; isAlone: boolean },
    error: ThinglineError,
    step: JobsStep,
  ): void {
    if (error.code !== "CONNECTION_LOST") this.#event({ name: "error", event: { error } }, step);
    const isTooLarge = purpose === "fetch" && error.code === "TLS_RECORD_TOO_LARGE";
    if (isTooLarge) {
      this.#port.fetches().isCautious = true;
      if (isAlone) execution.tooLargeCount += 1;
      if (execution.tooLargeCount >= tooLargeAnswersMax) return this.#rejectTooLarge(execution);
    }
    this.#retry(execution, purpose, step);
  }

  /** Asks the same again, later. */
  #retry(execution: Execution, purpose: RequestPurpose, step: JobsStep): void {
    execution.failures += 1;
    execution.retryAtMs = step.monotonicMs + retryDelayMs(execution.failures, step.chance);
    if (purpose === "check") execution.isCheckWanted = true;
    if (purpose === "probe") execution.isProbeWanted = true;
    if (purpose === "report") {
      // A later report takes the place of the one that did not arrive.
      execution.report ??= execution.sentReport;
      execution.sentReport = undefined;
    }
  }

  /** It has ended in the cloud, or is not there any more. */
  #takenAway(execution: Execution, status: JobExecutionStatus | undefined, step: JobsStep): void {
    const { stage } = execution;
    const wasRunning = stage.name === "running";
    if (execution.isAnnounced) this.#event({ name: "jobCancelled", event: { ...execution.jobEvent, status } }, step);
    if (!wasRunning) {
      // A cloud that cannot find what it still has may offer it again: what it came to is known.
      const outcome = stage.name === "ending" && status === undefined ? stage.outcome : undefined;
      return this.#port.finish(step, execution, execution.isAnnounced, outcome);
    }
    const reason: AbortReason = { type: "takenAway", status };
    execution.record = undefined;
    this.#port.save(step);
    execution.stage = { name: "draining", untilMs: step.monotonicMs + this.#config.abortGraceMs, status };
    // A handler that was told to stop for another reason knows enough.
    if (stage.overdueUntilMs === undefined && !this.#port.isClosing()) this.#abort(execution, reason, step);
    this.#settleReports(execution, { reportId: Infinity, error: reason }, step);
  }

  // ---- from the handler ----------------------------------------------------------------------------------------

  /** What is begun, or what it came to, is on disk. */
  saved(execution: Execution, sequence: number, step: JobsStep): void {
    const { stage } = execution;
    if (stage.name === "recordingOutcome" && sequence >= stage.sequence) execution.stage = endingStage(stage.outcome);
    if (stage.name !== "recording" || sequence < stage.sequence) return;
    if (this.#port.isClosing()) return this.#interrupted(execution, step);
    this.#call(execution, stage.work, step);
  }

  #call(execution: Execution, { document, operation, exhausted: outcome }: Work, step: JobsStep): void {
    const { id, runId, statusDetails, isResumed } = execution;
    const { stepTimeoutInMinutes: minutes } = this.#config;
    const deadlineMs = minutes === undefined ? undefined : step.monotonicMs + minutes * 60_000;
    execution.stage = { name: "running", deadlineMs, overdueUntilMs: undefined };
    execution.isAnnounced = true;
    execution.calledWith = statusDetails;
    this.#event({ name: "jobStarted", event: { ...execution.jobEvent, operation, isResumed } }, step);
    step.effects.push({
      type: "call",
      runId,
      call: { id, document, operation, statusDetails, isResumed, exhausted: outcome },
    });
  }

  reported(execution: Execution, report: Report, step: JobsStep): void {
    if (execution.stage.name !== "running") {
      return this.#settleReports(execution, { reportId: report.reportId, error: { type: "handlerEnded" } }, step);
    }
    const details = this.#limited(execution, report.details, step);
    // A step timer that a report in waiting was to set is set by the one that takes its place.
    const stepTimeoutInMinutes = report.stepTimeoutInMinutes ?? execution.report?.stepTimeoutInMinutes;
    const isAwaited = report.isAwaited || execution.report?.isAwaited === true;
    execution.report = { reportId: report.reportId, details, stepTimeoutInMinutes, isAwaited };
  }

  #reportAccepted(execution: Execution, step: JobsStep): void {
    const { sentReport, stage } = execution;
    if (sentReport === undefined) return;
    const { reportId, details, stepTimeoutInMinutes: minutes } = sentReport;
    execution.sentReport = undefined;
    execution.statusDetails = details;
    execution.reportedAtMs = step.monotonicMs;
    if (execution.begunCount > 0 && isOther(details, execution.calledWith)) {
      // It has come further than the processes before it.
      execution.begunCount = 0;
      if (execution.record?.phase === "running") execution.recordAs("running");
      this.#port.save(step);
    }
    if (stage.name === "running" && stage.overdueUntilMs === undefined && minutes !== undefined) {
      stage.deadlineMs = minutes < 0 ? undefined : step.monotonicMs + minutes * 60_000;
    }
    this.#event({ name: "jobProgress", event: { ...execution.jobEvent, statusDetails: details } }, step);
    this.#settleReports(execution, { reportId }, step);
  }

  handlerEnded(execution: Execution, result: HandlerResult, step: JobsStep): void {
    const { stage } = execution;
    if (stage.name === "draining") {
      const isKnown = stage.status === undefined && result.type === "final";
      return this.#port.finish(
        step,
        execution,
        true,
        isKnown ? this.#limitedOutcome(execution, result.outcome, step) : undefined,
      );
    }
    if (stage.name !== "running") return;
    const isOverdue = stage.overdueUntilMs !== undefined;
    const isVague = result.type === "threw" || result.type === "nothing";
    // Told to stop, it stopped: that says nothing about the work.
    if (isVague && this.#port.isClosing() && !isOverdue) return this.#interrupted(execution, step);
    if (result.type === "inProgress") return this.#parked(execution, step);
    const outcome = isVague && isOverdue ? overdueOutcome(execution) : outcomeOf(execution, result);
    this.#outcome(execution, outcome, step);
  }

  #limitedOutcome(execution: Execution, { status, statusDetails }: FinalOutcome, step: JobsStep): FinalOutcome {
    const details = statusDetails === undefined ? undefined : this.#limited(execution, statusDetails, step);
    const isEmpty = details === undefined || Object.keys(details).length === 0;
    return { status, ...(!isEmpty && { statusDetails: details }) };
  }

  #outcome(execution: Execution, given: FinalOutcome, step: JobsStep): void {
    const outcome = this.#limitedOutcome(execution, given, step);
    execution.report = undefined;
    execution.isCheckWanted = false;
    execution.isProbeWanted = false;
    execution.recordOutcome(outcome);
    this.#settleReports(execution, { reportId: Infinity, error: { type: "handlerEnded" } }, step);
    execution.stage = { name: "recordingOutcome", outcome, sequence: this.#port.save(step) };
  }

  #parked(execution: Execution, step: JobsStep): void {
    execution.endedInOrder();
    execution.recordAs("parked");
    execution.stage = { name: "parked" };
    this.#port.save(step);
    this.#event({ name: "jobParked", event: execution.jobEvent }, step);
  }

  #interrupted(execution: Execution, step: JobsStep): void {
    this.#recordInterrupted(execution, step);
    execution.stage = { name: "interrupted" };
  }

  /** An end of the process in good order is not held against the job, be it that the handler does not return in time. */
  #recordInterrupted(execution: Execution, step: JobsStep): void {
    if (execution.record?.phase !== "running") return;
    execution.endedInOrder();
    execution.recordAs("interrupted");
    this.#port.save(step);
  }

  closing(execution: Execution, step: JobsStep): void {
    const { stage } = execution;
    const reason: AbortReason = { type: "closing" };
    if (stage.name === "running" && stage.overdueUntilMs === undefined) this.#abort(execution, reason, step);
    if (stage.name === "running") this.#recordInterrupted(execution, step);
    this.#settleReports(execution, { reportId: Infinity, error: reason }, step);
  }

  /** Nobody waits for its handler any more. */
  #abandon(execution: Execution, outcome: FinalOutcome | undefined, step: JobsStep): void {
    this.#event({ name: "jobAbandoned", event: execution.jobEvent }, step);
    if (outcome === undefined) this.#port.finish(step, execution, true);
    else this.#outcome(execution, outcome, step);
  }

  #abort({ runId }: Execution, reason: AbortReason, step: JobsStep): void {
    step.effects.push({ type: "abort", runId, reason });
  }

  #limited(execution: Execution, given: JobStatusDetails, step: JobsStep): JobStatusDetails {
    const { details, cut } = limitStatusDetails(given);
    if (cut.length > 0) this.#event({ name: "statusDetailsCut", event: { ...execution.jobEvent, keys: cut } }, step);
    return details;
  }

  #settleReports(
    { runId }: Execution,
    { reportId, error }: { reportId: number; error?: ReportFailure },
    step: JobsStep,
  ): void {
    step.effects.push({ type: "reportsSettled", runId, reportId, ...(error !== undefined && { error }) });
  }

  #event(event: JobsMachineEvent, step: JobsStep): void {
    step.effects.push({ type: "event", event });
  }
}

const isSame = ({ id }: Execution, received: ReceivedExecution): boolean =>
  id.jobId === received.jobId && id.executionNumber === received.executionNumber && id.queuedAt === received.queuedAt;

function outcomeOf(execution: Execution, result: HandlerResult): FinalOutcome {
  if (result.type === "final") return result.outcome;
  if (result.type !== "threw") return { status: "SUCCEEDED" };
  return failedOutcome(execution, result.reason, result.message);
}

const overdueOutcome = (execution: Execution): FinalOutcome =>
  failedOutcome(execution, "TIMEOUT", "a step of the job took longer than it may");

/** The details that were reported stay, as far as there is room. */
function failedOutcome({ statusDetails, report }: Execution, reason: string, message: string): FinalOutcome {
  const reported = report?.details ?? statusDetails;
  return { status: "FAILED", statusDetails: { reason, message, ...without(reported, "reason", "message") } };
}

const isOther = (left: JobStatusDetails, right: JobStatusDetails): boolean =>
  Object.keys(left).length !== Object.keys(right).length ||
  Object.entries(left).some(([name, value]) => right[name] !== value);

function exhausted({ begunCount, callCount }: Execution): ExhaustedOutcome {
  const message =
    callCount >= jobCallsMax
      ? `the process ended ${callCount} times while it worked on the job`
      : `the process ended ${begunCount} times while it worked on the job, and it came no further`;
  return { status: "FAILED", statusDetails: { reason: "JOB_ATTEMPTS_EXHAUSTED", message } };
}

function without(details: JobStatusDetails, ...names: string[]): JobStatusDetails {
  const kept = Object.entries(details).filter(([name]) => !names.includes(name));
  // Room for the reason and the message: what would not fit is left out here, and is no loss that anybody has to be told.
  return Object.fromEntries(kept.slice(0, statusDetailsMax - 2));
}
