import { kindOf, methodsOf, optionInvalid, type OptionTypes, readOptions } from "@thingline/protocol";
import type { JsonObject } from "@thingline/protocol/jobs";
import { type Clock, clockOption, type Files, filesOption, type Random, randomOption } from "@thingline/transport";
import { textOf } from "../errors.js";
import type { Device } from "../device.js";
import { checkStepTimeout } from "./call.js";
import type { JobHandler } from "./job.js";
import type { JobListeners } from "./listeners.js";
import { operationByMember, type OperationOf, operationOfDocument } from "./operation.js";
import type { FoundHandler, JobsConfig } from "./types.js";

/** Executions that one client works on at a time. */
export const parallelJobsMax = 10;
export const defaultJobProgressIntervalMs = 5_000;
/** Processes that may end while a handler works, before the job is given up. */
export const defaultJobAttemptsMax = 3;
export const defaultJobPollIntervalMs = 3_600_000;
export const defaultJobAnswerTimeoutMs = 30_000;
export const defaultJobAbortGraceMs = 60_000;
export const defaultJobsCloseTimeoutMs = 5_000;

/** What a job client needs of its device. */
export type JobsDevice = Pick<Device, "clientId" | "state" | "on" | "publish" | "subscribe" | "closed">;

export interface RunJobsOptions {
  /** By the name of the operation that a job document asks for. */
  handlers: Readonly<Record<string, JobHandler>>;
  /** For every document that none of {@link handlers} fits. Without one such jobs are REJECTED. */
  fallback?: JobHandler;
  /**
   * What a document asks for: the name of the member that says it, or a function. Default: the member `operation`, else the name of the
   * action in a document of AWS's managed templates with one step, else `afr_ota` for a document of AWS's OTA.
   */
  operation?: string | OperationOf;
  clock: Clock;
  random: Random;
  /**
   * With {@link folder}, what was begun, and what it came to while the cloud has not taken it yet, survives a restart. Without the two, a job
   * whose process ended is begun anew, and one that ended is done again when its process ended before the cloud knew.
   */
  files?: Files;
  /** One process at a time has it. It is made when it is not there. */
  folder?: string;
  /** Default: the device's client id. */
  thingName?: string;
  /** Executions under way at a time, up to {@link parallelJobsMax}. Default 1: in the order of the cloud, as `$next` has it. */
  parallelMax?: number;
  /**
   * 1 to 10080. So long may a job take from its start, or from a report that starts the timer anew: then its signal aborts with TIMEOUT, and
   * the cloud calls it TIMED_OUT if it hears nothing of it. Default: no step timer.
   */
  stepTimeoutInMinutes?: number;
  /** The least time between two reports of progress, unless the handler waits for one. Default {@link defaultJobProgressIntervalMs}. */
  progressIntervalMs?: number;
  /**
   * Calls of a handler in a row that the process did not survive and that reported nothing new, before the job is FAILED, or its handler is asked
   * what it came to (`exhausted`); {@link jobCallsMax} in all. Default {@link defaultJobAttemptsMax}.
   */
  attemptsMax?: number;
  /** A notification may get lost: so often the cloud is asked what is pending. Default {@link defaultJobPollIntervalMs}. */
  pollIntervalMs?: number;
  /** From PUBACK to the answer of the jobs service. Default {@link defaultJobAnswerTimeoutMs}. */
  answerTimeoutMs?: number;
  /**
   * How long a handler whose signal was aborted may take to return. After that the client goes on without it. `Infinity`: as long as it
   * takes. Default {@link defaultJobAbortGraceMs}.
   */
  abortGraceMs?: number;
  /** How long `close()` waits for handlers to return and for the cloud to take what they came to. Default {@link defaultJobsCloseTimeoutMs}. */
  closeTimeoutMs?: number;
  on?: JobListeners;
}

const deviceOption = methodsOf<JobsDevice>("a Device", { on: true, publish: true, subscribe: true });

const optionTypes = {
  handlers: "object",
  fallback: "function",
  operation: "any",
  clock: clockOption,
  random: randomOption,
  files: filesOption,
  folder: "string",
  thingName: "string",
  parallelMax: "number",
  stepTimeoutInMinutes: "number",
  progressIntervalMs: "number",
  attemptsMax: "number",
  pollIntervalMs: "number",
  answerTimeoutMs: "number",
  abortGraceMs: "number",
  closeTimeoutMs: "number",
  on: "object",
} as const satisfies OptionTypes<RunJobsOptions>;

export interface CheckedJobs {
  config: JobsConfig;
  /** Undefined: the fallback. */
  handlerOf(operation: string | undefined): JobHandler;
  clock: Clock;
  random: Random;
  storage: { files: Files; folder: string } | undefined;
  thingName: string;
  answerTimeoutMs: number;
  closeTimeoutMs: number;
  on: JobListeners;
}

/** @throws {ThinglineError} OPTION_INVALID */
export function checkRunJobs(device: JobsDevice, given: RunJobsOptions): CheckedJobs {
  const of = "runJobs()";
  const options = readOptions(given, optionTypes, { of, required: ["handlers", "clock", "random"] });
  readOptions({ device }, { device: deviceOption }, { of, required: ["device"] });
  const { clock, random, files, folder, thingName = device.clientId, on = {} } = options;
  if (!/^[a-zA-Z0-9:_-]{1,128}$/u.test(thingName)) {
    throw optionInvalid("thingName", "1 to 128 letters, digits, ':', '_' and '-'", `${thingName.length} characters`);
  }
  if ((files === undefined) !== (folder === undefined)) {
    throw optionInvalid(files === undefined ? "files" : "folder", "both files and folder, or none", "one of the two");
  }
  const handlers = handlersOf(options.handlers);
  const { fallback } = options;
  return {
    config: { ...configOf(options), find: finderOf(handlers, fallback, operationOption(options.operation)) },
    handlerOf: (operation) =>
      (operation === undefined ? undefined : handlers.get(operation)) ?? (fallback as JobHandler),
    clock,
    random,
    storage: files === undefined || folder === undefined ? undefined : { files, folder },
    thingName,
    answerTimeoutMs: wholeMs("answerTimeoutMs", options.answerTimeoutMs ?? defaultJobAnswerTimeoutMs, 1),
    closeTimeoutMs: wholeMs("closeTimeoutMs", options.closeTimeoutMs ?? defaultJobsCloseTimeoutMs, 0),
    on,
  };
}

function configOf(options: RunJobsOptions): Omit<JobsConfig, "find"> {
  const { parallelMax = 1, stepTimeoutInMinutes, attemptsMax = defaultJobAttemptsMax } = options;
  if (!Number.isInteger(parallelMax) || parallelMax < 1 || parallelMax > parallelJobsMax) {
    throw optionInvalid("parallelMax", `a whole number from 1 to ${parallelJobsMax}`, parallelMax);
  }
  if (!Number.isInteger(attemptsMax) || attemptsMax < 1)
    throw optionInvalid("attemptsMax", "a whole number from 1", attemptsMax);
  if (stepTimeoutInMinutes !== undefined) checkStepTimeout(stepTimeoutInMinutes);
  const { abortGraceMs = defaultJobAbortGraceMs } = options;
  return {
    parallelMax,
    attemptsMax,
    stepTimeoutInMinutes: stepTimeoutInMinutes === -1 ? undefined : stepTimeoutInMinutes,
    progressIntervalMs: wholeMs("progressIntervalMs", options.progressIntervalMs ?? defaultJobProgressIntervalMs, 0),
    pollIntervalMs: wholeMs("pollIntervalMs", options.pollIntervalMs ?? defaultJobPollIntervalMs, 1_000),
    abortGraceMs: abortGraceMs === Infinity ? Infinity : wholeMs("abortGraceMs", abortGraceMs, 0),
  };
}

function wholeMs(option: string, value: number, min: number): number {
  if (Number.isSafeInteger(value) && value >= min) return value;
  throw optionInvalid(option, `whole milliseconds from ${min}`, value);
}

function handlersOf(given: RunJobsOptions["handlers"]): ReadonlyMap<string, JobHandler> {
  const handlers = new Map(Object.entries(given));
  for (const [name, handler] of handlers) {
    if (typeof handler !== "function")
      throw optionInvalid(`handlers.${name.slice(0, 64)}`, "a function", kindOf(handler));
  }
  return handlers;
}

function operationOption(operation: unknown): OperationOf {
  if (operation === undefined) return operationOfDocument;
  if (typeof operation === "string") return operationByMember(operation);
  if (typeof operation === "function") return operation as OperationOf;
  throw optionInvalid("operation", "the name of a member, or a function", kindOf(operation));
}

function finderOf(
  handlers: ReadonlyMap<string, JobHandler>,
  fallback: JobHandler | undefined,
  operationOf: OperationOf,
): (document: JsonObject) => FoundHandler {
  return (document) => {
    let operation: unknown;
    try {
      operation = operationOf(document);
    } catch (error) {
      const message = `what the job document asks for could not be found out: ${textOf(error)}`;
      return { type: "unknown", reason: "JOB_DOCUMENT_INVALID", message };
    }
    const name = typeof operation === "string" ? operation : undefined;
    const handler = (name === undefined ? undefined : handlers.get(name)) ?? fallback;
    if (handler !== undefined) {
      return { type: "found", operation: name, settlesExhausted: typeof handler.exhausted === "function" };
    }
    const message =
      name === undefined
        ? "the job document names no operation"
        : `this device has no handler for "${name.slice(0, 128)}"`;
    return { type: "unknown", reason: "JOB_OPERATION_UNKNOWN", message };
  };
}
