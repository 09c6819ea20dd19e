import { isThinglineError, optionInvalid, type OptionTypes, readOptions, ThinglineError } from "@thingline/protocol";
import type { JobStatusDetails } from "@thingline/protocol/jobs";
import {
  type Clock,
  clockOption,
  type Files,
  filesOption,
  type Random,
  randomOption,
  type Timer,
} from "@thingline/transport";
import type { Device } from "../device.js";
import { textOf } from "../errors.js";
import type { ExhaustedOutcome, JobHandler, JobOutcome, RunningJob } from "../jobs/job.js";
import { type FirmwareDocument, readFirmwareDocument } from "./document.js";
import type { Downloader } from "./downloader.js";
import { EffectRunner, type HealthQuestion, type RebootRequest } from "./effects.js";
import { stepUpdate } from "./machine.js";
import { newUpdateState, type UpdateState } from "./state.js";
import { statusDetailsOf } from "./status.js";
import type { FirmwareTarget } from "./target.js";
import {
  defaultFotaLimits,
  type FotaEvent,
  type FotaLimits,
  type UpdateConfig,
  type UpdateEffect,
  type UpdateInput,
  type UpdateJob,
  type UpdateOutput,
} from "./types.js";

/** A moment right before or after something is done: where a test cuts the power. */
export interface UpdatePoint {
  when: "before" | "after";
  /** What is done: `saveJournal`, `pump`, `schedule`, and so on. */
  effect: string;
  /** Counts effects from 1, in this process. */
  index: number;
}

export interface FirmwareUpdaterOptions {
  /** Where the device remembers its update over a power cut: one small file, replaced atomically. */
  files: Files;
  journalPath: string;
  clock: Clock;
  random: Random;
  /** Where firmware can go to. The first that recognises the first bytes of an image gets it. Names differ. */
  targets: readonly FirmwareTarget[];
  /** The first that serves a source fetches from it. */
  downloaders: readonly Downloader[];
  /** Restarts the device. May resolve before it has happened, or never. */
  reboot: (request: RebootRequest) => Promise<void> | void;
  /** Resolves when the device is connected to its cloud: at once when it is. {@link whenReady} makes one of a device. */
  connected: (options: { signal: AbortSignal }) => Promise<void>;
  /**
   * Asked once after a new image has started. `false`, or what it throws, goes back to the old image. Default: an image that runs and
   * connects is healthy.
   */
  healthCheck?: (question: HealthQuestion) => Promise<boolean | void> | boolean | void;
  /** Installs an image also when its version is not the job document's `fwversion`. Default false. */
  ignoresVersion?: boolean;
  limits?: Partial<FotaLimits>;
  onEvent?: (event: FotaEvent) => void;
  /** Awaited before and after each effect. What it throws ends the update where it stands, as a power cut would. */
  onStep?: (point: UpdatePoint) => void | Promise<void>;
}

/** Updates the firmware of a device, as jobs ask for it. */
export interface FirmwareUpdater {
  /**
   * For the job client, under the operation `app_fw_update`, and for AWS's OTA documents. Resolves with SUCCEEDED only when the new image has
   * booted, is healthy, connected and confirmed; with IN_PROGRESS when the device is about to restart.
   */
  readonly handler: JobHandler;
  /** The statusDetails of the update under way, or of the last one. */
  readonly statusDetails: JobStatusDetails;
  /** Resolves when it is known what runs, and whether an update is under way; rejects after {@link close}. */
  readonly started: Promise<void>;
  /** Stops where it stands; the next process goes on. Safe to call twice. */
  close(): Promise<void>;
  [Symbol.asyncDispose](): Promise<void>;
}

/**
 * Makes the updater of a device, at every start of its program and before it connects: an image that is on trial is judged from here on, with
 * its job or without, and goes back to the old one if it is not healthy and connected in time.
 *
 * @throws {ThinglineError} OPTION_INVALID
 */
export function createFirmwareUpdater(options: FirmwareUpdaterOptions): FirmwareUpdater {
  return new Updater(options);
}

/** For `connected`: resolves when the device is ready, now or later. */
export function whenReady(device: Pick<Device, "state" | "on">): FirmwareUpdaterOptions["connected"] {
  return ({ signal }) =>
    new Promise((resolve, reject) => {
      if (device.state === "ready") return resolve();
      const stop = device.on("ready", () => {
        stop();
        signal.removeEventListener("abort", abort);
        resolve();
      });
      const abort = (): void => {
        stop();
        reject(new ThinglineError("ABORTED", "the wait for a connection was aborted", { cause: signal.reason }));
      };
      if (signal.aborted) abort();
      else signal.addEventListener("abort", abort, { once: true });
    });
}

interface Entry {
  job: RunningJob;
  update: UpdateJob;
  resolve: (outcome: JobOutcome) => void;
  reject: (error: unknown) => void;
  unlink: () => void;
}

class Updater implements FirmwareUpdater {
  readonly handler: JobHandler = Object.assign((job: RunningJob) => this.#handle(job), {
    exhausted: (job: RunningJob, { statusDetails }: ExhaustedOutcome) => this.#handle(job, statusDetails),
  });
  readonly started: Promise<void>;
  readonly #options: FirmwareUpdaterOptions;
  readonly #runner: EffectRunner;
  #state: UpdateState;
  /** Whose handler waits for the machine, and whose waits for that one. */
  #current: Entry | undefined;
  #next: Entry | undefined;
  #timer: Timer | undefined;
  #effectAbort: AbortController | undefined;
  #running: Promise<void> = Promise.resolve();
  #effectCount = 0;
  #isOver = false;
  #settleStarted: { resolve: () => void; reject: (error: unknown) => void } | undefined;

  constructor(given: FirmwareUpdaterOptions) {
    const options = optionsOf(given);
    const config = configOf(options);
    this.#options = options;
    this.#state = newUpdateState(config);
    this.#runner = new EffectRunner({
      ...options,
      limits: config.limits,
      healthCheck: options.healthCheck ?? (() => true),
      announce: async (details, signal) => this.#current?.job.report(details, { until: "accepted", signal }),
      freshDocument: async (signal) => this.#documentOf((await this.#current?.job.freshDocument({ signal })) ?? {}),
      onEvent: (event) => this.#emit(event),
      onProgress: (offset) => this.#input({ type: "progress", offset }),
    });
    this.started = new Promise<void>((resolve, reject) => (this.#settleStarted = { resolve, reject }));
    this.started.catch(() => undefined);
    this.#input({ type: "start" });
  }

  get statusDetails(): JobStatusDetails {
    return statusDetailsOf(this.#state, this.#state.journal?.ending);
  }

  async close(): Promise<void> {
    if (!this.#isOver) this.#halt(new ThinglineError("CLOSED", "the updater was closed"));
    await this.#running;
    await this.#runner.close();
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.close();
  }

  // Jobs

  #handle(job: RunningJob, exhausted?: UpdateJob["exhausted"]): Promise<JobOutcome> {
    if (this.#isOver) return Promise.resolve({ status: "IN_PROGRESS" });
    if (this.#next) {
      const versionRunning = this.statusDetails["versionRunning"] ?? "unknown";
      const statusDetails = { versionRunning, reason: "alreadyRunning", message: "two updates wait already" };
      return Promise.resolve({ status: "REJECTED", statusDetails });
    }
    const { jobId, executionNumber, isResumed, signal } = job;
    const document = this.#documentOf(job.document);
    const update: UpdateJob = { jobId, executionNumber, isResumed, document, ...(exhausted && { exhausted }) };
    return new Promise((resolve, reject) => {
      const stop = (): void => this.#stop(entry);
      const unlink = (): void => signal.removeEventListener("abort", stop);
      const entry: Entry = { job, update, resolve, reject, unlink };
      this.#next = entry;
      signal.addEventListener("abort", stop, { once: true });
      this.#input({ type: "job", job: update });
      if (signal.aborted) stop();
    });
  }

  #stop(entry: Entry): void {
    const why = isThinglineError(entry.job.signal.reason, "CLOSED") ? "closing" : "takenAway";
    if (entry === this.#current) return this.#input({ type: "stop", why });
    if (entry !== this.#next) return;
    this.#next = undefined;
    this.#input({ type: "dropNext" });
    entry.unlink();
    if (why === "closing") return entry.resolve({ status: "IN_PROGRESS" });
    entry.resolve({ status: "FAILED", statusDetails: { reason: "cancelled", message: "the cloud took the job away" } });
  }

  /** Only what something on this device fetches from counts as a source. */
  #documentOf(document: unknown): FirmwareDocument {
    const read = readFirmwareDocument(document);
    if ("refused" in read) return read;
    const { order } = read;
    const sources = order.sources.filter((source) => this.#options.downloaders.some((each) => each.serves(source)));
    if (sources.length > 0) return { order: { ...order, sources } };
    const kinds = order.sources
      .map(({ type }) => (type === "http" ? "an HTTP server" : "an MQTT stream"))
      .join(" and ");
    const message = `the file is at ${kinds}, and nothing on this device fetches from there`;
    return { refused: { reason: "sourceUnsupported", message, isOurs: true } };
  }

  // The machine

  #input(input: UpdateInput): void {
    if (this.#isOver) return;
    const { clock } = this.#options;
    const now = { monotonicMs: clock.monotonicMs(), unixMs: clock.unixMs() };
    const [next, outputs] = stepUpdate(this.#state, input, now);
    this.#state = next;
    if (!this.#current) this.#shift();
    for (const output of outputs) this.#output(output);
    if (next.stage.name !== "loading" && next.stage.name !== "off") this.#settleStarted?.resolve();
  }

  #shift(): void {
    if (this.#next === undefined || this.#next.update !== this.#state.job) return;
    this.#current = this.#next;
    this.#next = undefined;
  }

  #output(output: UpdateOutput): void {
    switch (output.type) {
      case "run":
        this.#running = this.#perform(output.effect).catch((error: unknown) => this.#halt(error));
        return;
      case "abortEffect":
        this.#effectAbort?.abort(output.error);
        return;
      case "wakeAt": {
        const { clock } = this.#options;
        this.#timer?.cancel();
        const delayMs = Math.max(0, output.atMs - clock.monotonicMs());
        this.#timer = clock.setTimer(delayMs, () => this.#input({ type: "tick" }));
        return;
      }
      case "event":
        return this.#emit(output.event);
      case "report":
        // Progress that does not arrive is overtaken by later progress; the outcome is told by the job client.
        this.#current?.job.report(output.details).catch(() => undefined);
        return;
      case "finished": {
        const entry = this.#current;
        this.#current = undefined;
        entry?.unlink();
        entry?.resolve(output.outcome);
        return this.#shift();
      }
    }
  }

  /** A listener that throws holds up no update: an image on trial would be neither confirmed nor gone back from. */
  #emit(event: FotaEvent): void {
    try {
      this.#options.onEvent?.(event);
    } catch (thrown) {
      // Of the last resort nobody hears: an unhandled rejection shows the application its own mistake.
      if (event.type === "note") return void Promise.reject(asThinglineError(thrown));
      const message = `the listener of "${event.type}" threw ${textOf(thrown)}`;
      this.#emit({ type: "note", message, code: "ADAPTER_FAILED" });
    }
  }

  async #perform(effect: UpdateEffect): Promise<void> {
    const { onStep } = this.#options;
    const abort = new AbortController();
    this.#effectAbort = abort;
    const point = { effect: effect.type, index: ++this.#effectCount };
    await onStep?.({ ...point, when: "before" });
    if (this.#isOver) return;
    let input: UpdateInput;
    try {
      input = { type: "succeeded", result: await this.#runner.run(effect, abort.signal) };
    } catch (error) {
      input = { type: "failed", error: asThinglineError(error) };
    }
    await onStep?.({ ...point, when: "after" });
    this.#input(input);
  }

  /** Nothing more is done. By `close()` the handlers are told that it goes on; what else it is, is a defect. */
  #halt(error: unknown): void {
    const isClosed = isThinglineError(error, "CLOSED");
    this.#isOver = true;
    this.#timer?.cancel();
    this.#effectAbort?.abort(error);
    this.#settleStarted?.reject(error);
    for (const entry of [this.#current, this.#next]) {
      entry?.unlink();
      if (isClosed) entry?.resolve({ status: "IN_PROGRESS" });
      else entry?.reject(error);
    }
    this.#current = this.#next = undefined;
  }
}

/** What an application hands in may throw anything. */
function asThinglineError(error: unknown): ThinglineError {
  if (isThinglineError(error)) return error;
  const message = `a target, a downloader or a function of the application failed: ${error instanceof Error ? error.message : String(error)}`;
  return new ThinglineError("ADAPTER_FAILED", message, { cause: error });
}

const limitTypes = {
  fruitlessAttemptsMax: "number",
  attemptsMax: "number",
  freshDocumentsMax: "number",
  changesMax: "number",
  retryMinMs: "number",
  retryMaxMs: "number",
  retryAfterMaxMs: "number",
  syncBytes: "number",
  healthTimeoutMs: "number",
  reportTimeoutMs: "number",
  rebootsMax: "number",
  erasePendingAfterMs: "number",
} as const satisfies OptionTypes<FotaLimits>;

const optionTypes = {
  files: filesOption,
  journalPath: "string",
  clock: clockOption,
  random: randomOption,
  targets: "array",
  downloaders: "array",
  reboot: "function",
  connected: "function",
  healthCheck: "function",
  ignoresVersion: "boolean",
  limits: { options: limitTypes },
  onEvent: "function",
  onStep: "function",
} as const satisfies OptionTypes<FirmwareUpdaterOptions>;

const required: readonly (keyof FirmwareUpdaterOptions)[] = [
  "files",
  "journalPath",
  "clock",
  "random",
  "targets",
  "downloaders",
  "reboot",
  "connected",
];

function optionsOf(given: FirmwareUpdaterOptions): FirmwareUpdaterOptions {
  const options = readOptions(given, optionTypes, { of: "createFirmwareUpdater()", required });
  return { ...options, targets: [...options.targets], downloaders: [...options.downloaders] };
}

function configOf({
  targets,
  downloaders,
  limits: given,
  ignoresVersion = false,
}: FirmwareUpdaterOptions): UpdateConfig {
  const names = targets.map(({ name }) => name);
  if (names.length === 0) throw optionInvalid("targets", "at least one target", "none");
  if (downloaders.length === 0) throw optionInvalid("downloaders", "at least one downloader", "none");
  if (new Set(names).size < names.length)
    throw optionInvalid("targets", "targets with different names", names.join(", "));
  const limits = { ...defaultFotaLimits };
  for (const [name, value] of Object.entries(given ?? {}) as [keyof FotaLimits, number | undefined][]) {
    if (value === undefined) continue;
    if (!Number.isInteger(value) || value < 1) throw optionInvalid(`limits.${name}`, "a whole number from 1", value);
    limits[name] = value;
  }
  return { targets: targets.map(({ name, canRevert }) => ({ name, canRevert })), limits, ignoresVersion };
}
