import { isThinglineError, ThinglineError } from "@thingline/protocol";
import type { Clock, Timer } from "@thingline/transport";
import { fractionOf } from "../errors.js";
import { retryDelayMs } from "../retry.js";
import type { DeviceMessage } from "../topics/message.js";
import type { DeviceSubscription } from "../topics/subscription.js";
import { JobCall } from "./call.js";
import { JobEventHub, type JobListener } from "./listeners.js";
import { JobsMachine } from "./machine.js";
import { decodeJobsMessage } from "./messages.js";
import { type CheckedJobs, checkRunJobs, type JobsDevice, type RunJobsOptions } from "./options.js";
import { type JobQueryOptions, JobsQueries, type DescribedExecution, type PendingExecutions } from "./queries.js";
import { type OpenedRecords, RecordFile } from "./record-file.js";
import { asError, JobsRequests } from "./requests.js";
import type { HandlerCall, JobEventName, JobsEffect, JobsInput } from "./types.js";

/** Timers of Node.js count 2^31 ms at most. */
const timerMsMax = 24 * 3_600_000;

/**
 * Works on the jobs of a device's thing, from now on, over all its connections, until `close()` of the client or of the device.
 *
 * Each execution is begun once the cloud has taken it as IN_PROGRESS, and its handler is called once, however often it is notified; again
 * only when the process ended in it (`isResumed`), `attemptsMax` times at most. What the handler came to is written down first, and then
 * told until the cloud has taken it. A document that nobody here knows is REJECTED with the reason, and the next job begins.
 *
 * Nothing is waited for but the folder: the device may be connected, between two connections, idle, or driven by the application; the client
 * begins with the next `ready`. What goes wrong after that is an `error` event, and tried again.
 *
 * The device's policy has to allow `iot:Subscribe` on `topicfilter/$aws/things/<thing>/jobs/*`, and `iot:Publish` and `iot:Receive` on
 * `topic/$aws/things/<thing>/jobs/*`.
 *
 * @throws {ThinglineError} OPTION_INVALID; LOCKED, FILE_UNREADABLE and STORE_VERSION_UNKNOWN of the folder.
 * @see AWS IoT developer guide, "Jobs device MQTT API operations"
 */
export async function runJobs(device: JobsDevice, options: RunJobsOptions): Promise<JobRunner> {
  const checked = checkRunJobs(device, options);
  const hub = new JobEventHub(checked.on);
  const { storage, thingName } = checked;
  const opened = storage === undefined ? undefined : await RecordFile.open(storage.files, storage.folder, thingName);
  return new JobRunner(device, { checked, hub, opened });
}

/** A job client at work. */
export class JobRunner {
  readonly thingName: string;
  /** Resolves after {@link close}. */
  readonly closed: Promise<void>;
  readonly #device: JobsDevice;
  readonly #checked: CheckedJobs;
  readonly #clock: Clock;
  readonly #hub: JobEventHub;
  readonly #file: RecordFile | undefined;
  readonly #machine: JobsMachine;
  readonly #requests: JobsRequests;
  readonly #queries: JobsQueries;
  readonly #calls = new Map<number, JobCall>();
  readonly #offs: (() => void)[];
  readonly #inputs: JobsInput[] = [];
  #isRunning = false;
  /** Nothing is taken in any more. */
  #isOver = false;
  #timer: Timer | undefined;
  #subscription: DeviceSubscription | undefined;
  #isSubscribing = false;
  #subscribeFailures = 0;
  #subscribeTimer: Timer | undefined;
  #closing: Promise<void> | undefined;
  #drained: (() => void) | undefined;
  #resolveClosed: () => void = () => undefined;

  /** @internal */
  constructor(
    device: JobsDevice,
    { checked, hub, opened }: { checked: CheckedJobs; hub: JobEventHub; opened: OpenedRecords | undefined },
  ) {
    const { thingName, clock, random, answerTimeoutMs, config } = checked;
    this.thingName = thingName;
    this.closed = new Promise((resolve) => (this.#resolveClosed = resolve));
    this.#device = device;
    this.#checked = checked;
    this.#clock = clock;
    this.#hub = hub;
    this.#file = opened?.file;
    this.#machine = new JobsMachine(config);
    this.#requests = new JobsRequests({
      thingName,
      clock,
      random,
      answerTimeoutMs,
      publish: (topic, payload, signal) => device.publish(topic, payload, { signal }),
    });
    this.#queries = new JobsQueries(thingName, this.#requests, {
      subscribe: (filters) => this.#subscribe(filters),
      pause: (failures, signal) => clock.sleep(retryDelayMs(failures, fractionOf(random)), { signal }),
    });
    this.#offs = [
      device.on("ready", () => this.#ready()),
      device.on("disconnected", ({ error }) => this.#linkDown(error)),
    ];
    void device.closed.then(() => this.close());
    if (opened?.problem !== undefined) this.#report(opened.problem);
    this.#input({ type: "loaded", records: opened?.records ?? [] });
    if (device.state === "ready") this.#ready();
  }

  /** Executions that are under way in this process. */
  get executionCount(): number {
    return this.#machine.executionCount;
  }

  /** @returns a function that takes the listener off again. @throws {ThinglineError} OPTION_INVALID */
  on<Name extends JobEventName>(name: Name, listener: JobListener<Name>): () => void {
    return this.#hub.on(name, listener);
  }

  off<Name extends JobEventName>(name: Name, listener: JobListener<Name>): void {
    this.#hub.off(name, listener);
  }

  /**
   * All executions of the thing that have not ended.
   *
   * @throws {ThinglineError} THROTTLED, TIMEOUT, INTERNAL_FAILURE, CLOSED, ABORTED, LIMIT_EXCEEDED, and what publish and subscribe throw.
   */
  pendingJobs(options: JobQueryOptions = {}): Promise<PendingExecutions> {
    return this.#queries.pending(options);
  }

  /**
   * One execution, with its document. `jobId` may be `$next`: the first that is pending, or undefined when none is.
   *
   * @throws {ThinglineError} as {@link pendingJobs}; RESOURCE_NOT_FOUND; JOB_TAKEN_AWAY when it has ended.
   */
  describeJob(
    jobId: string,
    options: JobQueryOptions & { executionNumber?: number } = {},
  ): Promise<DescribedExecution | undefined> {
    return this.#queries.describe(jobId, options);
  }

  /**
   * Begins nothing more, tells the handlers by their signals, and waits for them, and for the cloud to take what they came to, for
   * `closeTimeoutMs` at most. What did not end goes on in the next process. Safe to call twice.
   */
  close(): Promise<void> {
    this.#closing ??= this.#close();
    return this.#closing;
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.close();
  }

  async #close(): Promise<void> {
    this.#subscribeTimer?.cancel();
    this.#input({ type: "closing" });
    await this.#waitUntilDrained();
    this.#isOver = true;
    for (const off of this.#offs) off();
    this.#timer?.cancel();
    const error = new ThinglineError("CLOSED", "the job client was closed");
    this.#requests.end(error);
    for (const call of this.#calls.values()) call.settleReports(Infinity, { type: "closing" });
    for (const subscription of [this.#subscription, ...this.#queries.subscriptions]) {
      await subscription?.close().catch(() => undefined);
    }
    await this.#file?.close().catch((thrown: unknown) => this.#report(asError(thrown)));
    this.#resolveClosed();
  }

  async #waitUntilDrained(): Promise<void> {
    if (this.#isDrained) return;
    await new Promise<void>((resolve) => {
      this.#drained = resolve;
      const timer = this.#clock.setTimer(this.#checked.closeTimeoutMs, resolve);
      this.#drained = () => {
        timer.cancel();
        resolve();
      };
    });
    this.#drained = undefined;
  }

  get #isDrained(): boolean {
    return this.#machine.isDrained && this.#inputs.length === 0;
  }

  // ---- the machine ---------------------------------------------------------------------------------------------

  /** One after the other: what an effect brings at once waits for the effects before it. */
  #input(input: JobsInput): void {
    if (this.#isOver) return;
    this.#inputs.push(input);
    if (this.#isRunning) return;
    this.#isRunning = true;
    try {
      for (let next = this.#inputs.shift(); next !== undefined; next = this.#inputs.shift()) this.#step(next);
    } finally {
      this.#isRunning = false;
    }
    if (this.#drained !== undefined && this.#isDrained) this.#drained();
  }

  #step(input: JobsInput): void {
    const turn = { monotonicMs: this.#clock.monotonicMs(), chance: fractionOf(this.#checked.random) };
    this.#timer?.cancel();
    for (const effect of this.#machine.input(input, turn)) this.#perform(effect);
  }

  #perform(effect: JobsEffect): void {
    switch (effect.type) {
      case "request": {
        const { requestId } = effect;
        this.#requests.send(effect.request, ({ answer, error }) => {
          if (answer !== undefined) this.#input({ type: "answered", requestId, answer });
          else this.#input({ type: "unanswered", requestId, error });
        });
        return;
      }
      case "save":
        return void this.#save(effect.sequence, effect.records);
      case "call":
        return void this.#call(effect.runId, effect.call);
      case "abort":
        return this.#calls.get(effect.runId)?.abort(effect.reason);
      case "reportsSettled":
        return this.#calls.get(effect.runId)?.settleReports(effect.reportId, effect.error);
      case "event":
        return this.#hub.emit(effect.event.name, effect.event.event);
      case "wakeAt": {
        const delayMs = Math.min(timerMsMax, Math.max(0, effect.atMs - this.#clock.monotonicMs()));
        this.#timer = this.#clock.setTimer(delayMs, () => this.#input({ type: "tick" }));
        return;
      }
    }
  }

  async #save(sequence: number, records: (JobsEffect & { type: "save" })["records"]): Promise<void> {
    try {
      await this.#file?.save(records);
    } catch (error) {
      // The job may be the one that makes room on a full disk.
      this.#report(asError(error));
    }
    this.#input({ type: "saved", sequence });
  }

  async #call(runId: number, call: HandlerCall): Promise<void> {
    const running = new JobCall(call, {
      report: (report) => this.#input({ type: "reported", runId, report }),
      read: (signal) => this.#queries.fresh(call.id, signal),
    });
    this.#calls.set(runId, running);
    const handler = this.#checked.handlerOf(call.operation);
    const { exhausted: outcome } = call;
    const result = await running.run(
      outcome === undefined ? handler : (job) => (handler.exhausted ?? handler)(job, outcome),
    );
    this.#calls.delete(runId);
    this.#input({ type: "handlerEnded", runId, result });
  }

  // ---- the device ----------------------------------------------------------------------------------------------

  #ready(): void {
    if (this.#closing !== undefined) return;
    this.#subscribeFailures = 0;
    this.#subscribeTimer?.cancel();
    if (this.#subscription !== undefined) this.#linkUp();
    else void this.#subscribeAll();
  }

  #linkUp(): void {
    this.#requests.askAgain();
    this.#input({ type: "linkUp" });
  }

  #linkDown(error: ThinglineError | undefined): void {
    this.#subscribeTimer?.cancel();
    this.#input({ type: "linkDown" });
    if (isThinglineError(error, "TLS_RECORD_TOO_LARGE")) this.#requests.answerTooLarge(error);
  }

  /** Answers and notifications come by them. */
  async #subscribeAll(): Promise<void> {
    if (this.#isSubscribing) return;
    this.#isSubscribing = true;
    const base = `$aws/things/${this.thingName}/jobs`;
    const answers = ["+/get/accepted", "+/get/rejected", "+/update/accepted", "+/update/rejected"];
    const tails = this.#checked.config.parallelMax > 1 ? ["notify", "get/accepted", "get/rejected"] : ["notify-next"];
    try {
      const subscription = await this.#subscribe([...tails, ...answers].map((tail) => `${base}/${tail}`));
      this.#isSubscribing = false;
      if (this.#closing !== undefined) return void subscription.close().catch(() => undefined);
      this.#subscription = subscription;
      subscription.whenEnded((error) => this.#subscriptionEnded(error));
      if (this.#device.state === "ready") this.#linkUp();
    } catch (error) {
      this.#isSubscribing = false;
      this.#subscribeFailed(asError(error));
    }
  }

  #subscribe(filters: readonly string[]): Promise<DeviceSubscription> {
    return this.#device.subscribe(filters, (message) => this.#received(message));
  }

  /** The cloud has taken the filters away, or somebody here has unsubscribed from them. */
  #subscriptionEnded(error: ThinglineError | undefined): void {
    this.#subscription = undefined;
    if (this.#closing !== undefined) return;
    this.#input({ type: "linkDown" });
    this.#subscribeFailed(
      error ?? new ThinglineError("MQTT_SUBSCRIPTION_REFUSED", "the topics of jobs were unsubscribed"),
    );
  }

  /** A policy may be attached at any time. */
  #subscribeFailed(error: ThinglineError): void {
    if (this.#closing !== undefined || error.code === "CLOSED") return;
    if (error.code !== "CONNECTION_LOST") this.#report(withPolicyHint(error, this.thingName));
    if (this.#device.state !== "ready") return;
    this.#subscribeFailures += 1;
    const delayMs = retryDelayMs(this.#subscribeFailures, fractionOf(this.#checked.random));
    this.#subscribeTimer = this.#clock.setTimer(delayMs, () => void this.#subscribeAll());
  }

  /** Nothing that comes from the network may throw into the session. */
  #received({ topic, payload }: DeviceMessage): void {
    if (this.#closing !== undefined && this.#requests.waitingCount === 0) return;
    try {
      const message = decodeJobsMessage(topic, payload);
      if (message.type === "answer") this.#requests.received(message.clientToken, message.read);
      else if (message.type === "changed") this.#input({ type: "jobsChanged" });
      else this.#input({ type: "nextChanged", execution: message.read() });
    } catch (error) {
      this.#report(asError(error));
      // Something has changed, perhaps: the answer to a question says what.
      this.#input({ type: "jobsChanged" });
    }
  }

  #report(error: ThinglineError): void {
    this.#hub.emit("error", { error });
  }
}

function withPolicyHint(error: ThinglineError, thingName: string): ThinglineError {
  if (!isThinglineError(error, "MQTT_SUBSCRIPTION_REFUSED")) return error;
  const topics = `$aws/things/${thingName}/jobs/*`;
  const message =
    `${error.message}. For jobs, the device's policy has to allow iot:Subscribe on topicfilter/${topics}, and iot:Publish and iot:Receive ` +
    `on topic/${topics}`;
  return new ThinglineError(error.code, message, { details: error.details, cause: error });
}
