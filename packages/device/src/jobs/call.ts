import {
  isThinglineError,
  kindOf,
  optionInvalid,
  type OptionTypes,
  readOptions,
  ThinglineError,
} from "@thingline/protocol";
import {
  isJsonObject,
  isReportableJobStatus,
  jobTimeoutMinutesMax,
  type JobStatusDetails,
  type JsonObject,
  stepTimeoutNone,
} from "@thingline/protocol/jobs";
import { abortedError, textOf } from "../errors.js";
import { abortError, reportError } from "./failures.js";
import type { JobHandler, JobReportOptions, RunningJob } from "./job.js";
import type { AbortReason, HandlerCall, HandlerResult, Report, ReportFailure } from "./types.js";

/** Reports of one execution that are waited for until the cloud has taken them. */
export const awaitedReportsMax = 100;

const reportTypes = {
  until: "string",
  stepTimeoutInMinutes: "number",
  signal: "signal",
} as const satisfies OptionTypes<JobReportOptions>;

interface Awaited {
  reportId: number;
  settle: (error?: Error) => void;
}

/** One call of a handler: what it is given, and what it says. */
export class JobCall {
  readonly #call: HandlerCall;
  readonly #report: (report: Report) => void;
  readonly #read: (signal: AbortSignal) => Promise<JsonObject>;
  readonly #controller = new AbortController();
  #awaited: Awaited[] = [];
  #reportCount = 0;
  #isOver = false;

  constructor(
    call: HandlerCall,
    port: { report: (report: Report) => void; read: (signal: AbortSignal) => Promise<JsonObject> },
  ) {
    this.#call = call;
    this.#report = port.report;
    this.#read = port.read;
  }

  /** Never rejects. */
  async run(handler: JobHandler): Promise<HandlerResult> {
    try {
      return resultOf(await handler(this.#job()));
    } catch (error) {
      return { type: "threw", ...failureOf(error) };
    } finally {
      this.#isOver = true;
    }
  }

  abort(reason: AbortReason): void {
    this.#controller.abort(abortError(this.#call.id, reason));
  }

  settleReports(upTo: number, failure?: ReportFailure): void {
    const settled = this.#awaited.filter(({ reportId }) => reportId <= upTo);
    this.#awaited = this.#awaited.filter(({ reportId }) => reportId > upTo);
    for (const { settle } of settled) settle(failure === undefined ? undefined : reportError(this.#call.id, failure));
  }

  #job(): RunningJob {
    const { id, operation, document, statusDetails, isResumed } = this.#call;
    const { jobId, executionNumber } = id;
    const { signal } = this.#controller;
    const report: RunningJob["report"] = (details, options) => this.#reported(details, options);
    const freshDocument: RunningJob["freshDocument"] = (options) => this.#freshDocument(options);
    return { jobId, executionNumber, operation, document, statusDetails, isResumed, signal, report, freshDocument };
  }

  async #freshDocument(options: { signal?: AbortSignal } = {}): Promise<JsonObject> {
    const { signal } = readOptions(options, { signal: "signal" }, { of: "freshDocument()" });
    const { signal: ours } = this.#controller;
    if (ours.aborted) throw ours.reason;
    if (signal?.aborted === true) throw abortedError(signal);
    try {
      return await this.#read(signal === undefined ? ours : AbortSignal.any([ours, signal]));
    } catch (error) {
      // Why the work is in vain says more than that somebody stopped waiting.
      throw isThinglineError(error, "ABORTED") && ours.aborted ? ours.reason : error;
    }
  }

  async #reported(given: JobStatusDetails, options: JobReportOptions = {}): Promise<void> {
    const { until = "noted", stepTimeoutInMinutes, signal } = readOptions(options, reportTypes, { of: "report()" });
    if (until !== "noted" && until !== "accepted") throw optionInvalid("until", "noted or accepted", until);
    if (stepTimeoutInMinutes !== undefined) checkStepTimeout(stepTimeoutInMinutes);
    const details = copyDetails(given, "details");
    if (signal?.aborted === true) throw abortedError(signal);
    const isAwaited = until === "accepted";
    const report: Report = { reportId: ++this.#reportCount, details, stepTimeoutInMinutes, isAwaited };
    if (until === "noted") return void (!this.#isOver && this.#report(report));
    if (this.#controller.signal.aborted) throw this.#controller.signal.reason;
    if (this.#isOver) throw reportError(this.#call.id, { type: "handlerEnded" });
    if (this.#awaited.length >= awaitedReportsMax) throw tooMany();
    return new Promise<void>((resolve, reject) => {
      const abort = (): void => {
        this.#awaited = this.#awaited.filter((each) => each !== awaited);
        awaited.settle(abortedError(signal));
      };
      const awaited: Awaited = {
        reportId: report.reportId,
        settle: (error) => {
          signal?.removeEventListener("abort", abort);
          if (error === undefined) resolve();
          else reject(error);
        },
      };
      signal?.addEventListener("abort", abort, { once: true });
      this.#awaited.push(awaited);
      this.#report(report);
    });
  }
}

const tooMany = () =>
  new ThinglineError("LIMIT_EXCEEDED", `${awaitedReportsMax} reports of this job wait already`, {
    details: { awaitedReportsMax },
  });

/** @throws {ThinglineError} OPTION_INVALID */
export function checkStepTimeout(minutes: number): void {
  if (minutes === stepTimeoutNone) return;
  if (Number.isInteger(minutes) && minutes >= 1 && minutes <= jobTimeoutMinutesMax) return;
  throw optionInvalid(
    "stepTimeoutInMinutes",
    `a whole number from 1 to ${jobTimeoutMinutesMax}, or ${stepTimeoutNone}`,
    minutes,
  );
}

/** @throws {ThinglineError} OPTION_INVALID */
function copyDetails(given: unknown, option: string): JobStatusDetails {
  if (!isJsonObject(given)) throw optionInvalid(option, "an object of texts", kindOf(given));
  for (const [name, value] of Object.entries(given)) {
    if (typeof value !== "string") throw optionInvalid(`${option}.${name.slice(0, 64)}`, "a text", kindOf(value));
  }
  return { ...given } as JobStatusDetails;
}

function resultOf(outcome: unknown): HandlerResult {
  if (outcome === undefined) return { type: "nothing" };
  if (!isJsonObject(outcome)) throw optionInvalid("outcome", "an object with a status", kindOf(outcome));
  const { status, statusDetails } = outcome;
  if (!isReportableJobStatus(status))
    throw optionInvalid("outcome.status", "SUCCEEDED, FAILED, REJECTED or IN_PROGRESS", kindOf(status));
  if (status === "IN_PROGRESS") return { type: "inProgress" };
  if (statusDetails === undefined) return { type: "final", outcome: { status } };
  return { type: "final", outcome: { status, statusDetails: copyDetails(statusDetails, "outcome.statusDetails") } };
}

/** The code of a ThinglineError or of Node.js; else the name of the error. */
function failureOf(thrown: unknown): { reason: string; message: string } {
  if (!(thrown instanceof Error)) return { reason: "Error", message: textOf(thrown) };
  const code: unknown = isThinglineError(thrown) ? thrown.code : (thrown as { code?: unknown }).code;
  return { reason: typeof code === "string" ? code : thrown.name, message: thrown.message };
}
