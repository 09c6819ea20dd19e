import { isThinglineError, optionInvalid, type OptionTypes, readOptions, ThinglineError } from "@thingline/protocol";
import {
  isJsonObject,
  isPendingJobStatus,
  jobIdCharactersMax,
  type JobExecutionStatus,
  type JobExecutionSummary,
  type JobStatusDetails,
  type JsonObject,
  nextJobId,
} from "@thingline/protocol/jobs";
import { abortedError } from "../errors.js";
import type { DeviceSubscription } from "../topics/subscription.js";
import { abortError, nameOf, rejectionError } from "./failures.js";
import type { JobsRequests } from "./requests.js";
import type { ExecutionId, JobsAnswer, JobsRequest } from "./types.js";

/** Attempts to read the document of a running job again, when the cloud is busy. */
export const freshDocumentAttemptsMax = 5;
/** Questions of an application that wait for their answers. */
export const jobQueriesMax = 10;

export interface JobQueryOptions {
  signal?: AbortSignal;
}

/** Each in the order of the cloud. */
export interface PendingExecutions {
  inProgress: readonly JobExecutionSummary[];
  queued: readonly JobExecutionSummary[];
}

export interface DescribedExecution {
  jobId: string;
  executionNumber: number;
  /** Unix seconds. */
  queuedAt: number;
  status: JobExecutionStatus;
  statusDetails: JobStatusDetails;
  /** Undefined when the cloud sent none that is a JSON object. */
  document: JsonObject | undefined;
}

const queryTypes = { signal: "signal" } as const satisfies OptionTypes<JobQueryOptions>;
const describeTypes = { ...queryTypes, executionNumber: "number" } as const;

/** What an application may ask of the jobs of a thing. */
export class JobsQueries {
  readonly #thingName: string;
  readonly #requests: JobsRequests;
  readonly #subscribe: (filters: readonly string[]) => Promise<DeviceSubscription>;
  readonly #pause: (failures: number, signal: AbortSignal) => Promise<void>;
  #lists: Promise<DeviceSubscription> | undefined;
  #subscription: DeviceSubscription | undefined;
  #count = 0;

  constructor(
    thingName: string,
    requests: JobsRequests,
    port: {
      subscribe: (filters: readonly string[]) => Promise<DeviceSubscription>;
      /** @throws {ThinglineError} ABORTED */
      pause: (failures: number, signal: AbortSignal) => Promise<void>;
    },
  ) {
    this.#thingName = thingName;
    this.#requests = requests;
    this.#subscribe = port.subscribe;
    this.#pause = port.pause;
  }

  get subscriptions(): readonly DeviceSubscription[] {
    return this.#subscription === undefined ? [] : [this.#subscription];
  }

  async pending(options: JobQueryOptions): Promise<PendingExecutions> {
    const { signal } = readOptions(options, queryTypes, { of: "pendingJobs()" });
    await this.#subscribeLists();
    const answer = await this.#ask({ type: "list" }, "the executions that are pending", signal);
    if (answer.type !== "list") return { inProgress: [], queued: [] };
    return { inProgress: answer.inProgress, queued: answer.queued };
  }

  async describe(
    jobId: string,
    options: JobQueryOptions & { executionNumber?: number },
  ): Promise<DescribedExecution | undefined> {
    const { signal, executionNumber = 0 } = readOptions(options, describeTypes, { of: "describeJob()" });
    if (typeof jobId !== "string" || jobId.length > jobIdCharactersMax || !/^(?:\$next|[a-zA-Z0-9_-]+)$/u.test(jobId)) {
      throw optionInvalid(
        "jobId",
        `1 to ${jobIdCharactersMax} letters, digits, '_' and '-', or $next`,
        "something else",
      );
    }
    const request: JobsRequest =
      jobId === nextJobId
        ? { type: "next", includesDocument: true }
        : { type: "describe", id: { jobId, executionNumber, queuedAt: 0 }, includesDocument: true };
    const answer = await this.#ask(request, `job "${jobId}"`, signal);
    const execution = answer.type === "execution" ? answer.execution : undefined;
    if (execution === undefined) return undefined;
    return { ...execution, document: typeof execution.document === "string" ? undefined : execution.document };
  }

  /**
   * The document of an execution that is worked on, as it is now.
   *
   * @throws {ThinglineError} JOB_TAKEN_AWAY; what {@link describe} throws, THROTTLED and INTERNAL_FAILURE only after some attempts.
   */
  async fresh(id: ExecutionId, signal: AbortSignal): Promise<JsonObject> {
    for (let attempt = 1; ; attempt += 1) {
      try {
        const answer = await this.#ask({ type: "describe", id, includesDocument: true }, nameOf(id), signal);
        const execution = answer.type === "execution" ? answer.execution : undefined;
        if (execution === undefined || execution.queuedAt !== id.queuedAt || !isPendingJobStatus(execution.status)) {
          throw abortError(id, { type: "takenAway", status: execution?.status });
        }
        if (isJsonObject(execution.document)) return execution.document;
        throw new ThinglineError(
          "JOB_DOCUMENT_INVALID",
          `the job document of ${nameOf(id)} is not a JSON object any more`,
        );
      } catch (error) {
        if (isThinglineError(error, "RESOURCE_NOT_FOUND"))
          throw abortError(id, { type: "takenAway", status: undefined });
        const mayPass = isThinglineError(error, "THROTTLED") || isThinglineError(error, "INTERNAL_FAILURE");
        if (!mayPass || attempt >= freshDocumentAttemptsMax) throw error;
        await this.#pause(attempt, signal);
      }
    }
  }

  /** Answers to lists come by filters of their own, which a client that works on one job at a time does not need. */
  async #subscribeLists(): Promise<void> {
    const base = `$aws/things/${this.#thingName}/jobs/get`;
    this.#lists ??= this.#subscribe([`${base}/accepted`, `${base}/rejected`]);
    const lists = this.#lists;
    try {
      const subscription = await lists;
      this.#subscription = subscription;
      subscription.whenEnded(() => this.#forget(lists));
    } catch (error) {
      this.#forget(lists);
      throw error;
    }
  }

  #forget(lists: Promise<DeviceSubscription>): void {
    if (this.#lists !== lists) return;
    this.#lists = undefined;
    this.#subscription = undefined;
  }

  async #ask(request: JobsRequest, what: string, signal: AbortSignal | undefined): Promise<JobsAnswer> {
    if (signal?.aborted === true) throw abortedError(signal);
    if (this.#count >= jobQueriesMax) {
      const message = `${jobQueriesMax} questions about jobs wait already`;
      throw new ThinglineError("LIMIT_EXCEEDED", message, { details: { jobQueriesMax } });
    }
    this.#count += 1;
    let abort: (() => void) | undefined;
    try {
      return await new Promise<JobsAnswer>((resolve, reject) => {
        const giveUp = this.#requests.send(request, ({ answer, error }) => {
          if (answer === undefined) reject(error);
          else if (answer.type === "rejected") reject(rejectionError(what, answer));
          else resolve(answer);
        });
        abort = () => {
          giveUp();
          reject(abortedError(signal));
        };
        signal?.addEventListener("abort", abort, { once: true });
      });
    } finally {
      this.#count -= 1;
      if (abort !== undefined) signal?.removeEventListener("abort", abort);
    }
  }
}
