import { concatBytes, crc32, ThinglineError } from "@thingline/protocol";
import type { JobStatusDetails, JsonObject } from "@thingline/protocol/jobs";
import type { Clock, Files } from "@thingline/transport";
import {
  createProcessClock,
  createVirtualClock,
  createVirtualFiles,
  createVirtualRandom,
  type VirtualFiles,
} from "@thingline/transport/virtual";
import type { JobOutcome, RunningJob } from "../jobs/job.js";
import type { Download, Downloader, DownloadRequest } from "./downloader.js";
import type { FirmwareTarget, FirmwareTargetState, FirmwareTrial, FirmwareVerdict } from "./target.js";
import type { FotaEvent } from "./types.js";
import {
  createFirmwareUpdater,
  type FirmwareUpdater,
  type FirmwareUpdaterOptions,
  type UpdatePoint,
} from "./updater.js";

const magic = "FAKE";
const text = (value: string): Uint8Array => new TextEncoder().encode(value);

/** `FAKE`, version and mood, payload, checksum: enough of an image to be refused, to crash, or to be ill. */
export function fakeImage(version: string, { mood = "good", bytes = 2_000 } = {}): Uint8Array {
  const head = text(`${magic}${version};${mood};`.padEnd(64, " "));
  const body = concatBytes([head, createVirtualRandom(bytes).bytes(bytes)]);
  return concatBytes([body, Uint8Array.of(...new Uint8Array(Uint32Array.of(crc32(body)).buffer))]);
}

interface FakeFirmware {
  version: string;
  mood: string;
  imageId: string;
}

function readImage(image: Uint8Array): FakeFirmware | undefined {
  if (image.length < 68) return undefined;
  const body = image.subarray(0, -4);
  const sum = new Uint32Array(image.slice(-4).buffer)[0];
  const [version = "", mood = ""] = new TextDecoder().decode(image.subarray(4, 64)).split(";");
  if (new TextDecoder().decode(image.subarray(0, 4)) !== magic || crc32(body) !== sum) return undefined;
  return { version, mood, imageId: `${sum}` };
}

/** A board with two slots and a bootloader that tries an image once: the contract of a target, without flash. */
export class FakeBoard implements FirmwareTarget {
  readonly name = "fake";
  readonly canRevert: boolean;
  primary: Uint8Array;
  secondary = new Uint8Array(0);
  durableBytes = 0;
  isScheduled = false;
  trial: FirmwareTrial = "confirmed";
  capacity = 1_000_000;
  /** Images that ran, by version, one entry for each boot. */
  readonly boots: string[] = [];
  /** Throws for these calls, as often as the number says. */
  readonly failing = new Map<string, number>();
  readonly calls: string[] = [];

  constructor(primary: Uint8Array, { canRevert = true } = {}) {
    this.primary = primary;
    this.canRevert = canRevert;
    this.boots.push(this.running.version);
  }

  get running(): FakeFirmware {
    const running = readImage(this.primary);
    if (!running) throw new Error("the board boots an image that is none");
    return running;
  }

  /** The power came back. An image with the mood `crash` does not get as far as its program. */
  boot(): void {
    if (this.isScheduled) {
      this.isScheduled = false;
      if (readImage(this.secondary)) this.#swap(this.canRevert ? "onTrial" : "confirmed");
      else this.trial = "reverted";
    } else if (this.trial === "onTrial") this.#swap("reverted");
    this.boots.push(this.running.version);
    if (this.running.mood === "crash" && this.trial === "onTrial") this.boot();
  }

  #swap(trial: FirmwareTrial): void {
    [this.primary, this.secondary] = [this.secondary, this.primary as Uint8Array<ArrayBuffer>];
    this.trial = trial;
  }

  #call(name: string): Promise<void> {
    this.calls.push(name);
    const left = this.failing.get(name) ?? 0;
    if (left <= 0) return Promise.resolve();
    this.failing.set(name, left - 1);
    return Promise.reject(new ThinglineError("FLASH_FAILED", `${name} failed`));
  }

  recognises(head: Uint8Array): boolean {
    return new TextDecoder().decode(head.subarray(0, 4)) === magic;
  }

  async capacityBytes(): Promise<number> {
    await this.#call("capacityBytes");
    return this.capacity;
  }

  async state(): Promise<FirmwareTargetState> {
    await this.#call("state");
    const { version, imageId } = this.running;
    return { running: { version, imageId, trial: this.trial }, isScheduled: this.isScheduled };
  }

  async begin({ sizeBytes }: { sizeBytes: number }): Promise<void> {
    await this.#call("begin");
    this.secondary = new Uint8Array(sizeBytes);
    this.durableBytes = 0;
    this.isScheduled = false;
  }

  /** A page has 512 bytes. */
  async resume({ sizeBytes, offset }: { sizeBytes: number; offset: number }): Promise<number> {
    await this.#call("resume");
    const from = this.secondary.length === sizeBytes ? Math.min(offset, this.durableBytes) : 0;
    this.durableBytes = from === sizeBytes ? from : Math.floor(from / 512) * 512;
    if (this.secondary.length !== sizeBytes) this.secondary = new Uint8Array(sizeBytes);
    return this.durableBytes;
  }

  async write(offset: number, bytes: Uint8Array): Promise<void> {
    await this.#call("write");
    this.secondary.set(bytes, offset);
    this.durableBytes = offset + bytes.length;
  }

  async sync(): Promise<number> {
    await this.#call("sync");
    return this.durableBytes === this.secondary.length
      ? this.durableBytes
      : this.durableBytes - (this.durableBytes % 16);
  }

  async read(offset: number, length: number): Promise<Uint8Array> {
    await this.#call("read");
    return this.secondary.slice(offset, offset + length);
  }

  async verify({ sizeBytes }: { sizeBytes: number }): Promise<FirmwareVerdict> {
    await this.#call("verify");
    const image = readImage(this.secondary.subarray(0, sizeBytes));
    if (image) return { isAccepted: true, version: image.version, imageId: image.imageId };
    return { isAccepted: false, reason: "hashMismatch", message: "the checksum is another one" };
  }

  async schedule(): Promise<void> {
    await this.#call("schedule");
    this.isScheduled = true;
  }

  async confirm(): Promise<void> {
    await this.#call("confirm");
    if (this.trial === "onTrial") this.trial = "confirmed";
  }

  async discard(): Promise<void> {
    await this.#call("discard");
    this.isScheduled = false;
    this.secondary = new Uint8Array(0);
  }
}

/** Bytes at a place, which may fail: by plan, attempt after attempt. */
export class FakeDownloads implements Downloader {
  file: { bytes: Uint8Array; version: string | undefined };
  chunkBytes = 100;
  /** One for each open, in order: an error at once, or after so many bytes of the file. */
  readonly plan: ({ error: ThinglineError; atOffset?: number } | undefined)[] = [];
  readonly requests: DownloadRequest[] = [];
  openCount = 0;
  readonly #clock: Clock;

  constructor(clock: Clock, bytes: Uint8Array) {
    this.#clock = clock;
    this.file = { bytes, version: '"1"' };
  }

  serves({ type }: DownloadRequest["source"]): boolean {
    return type === "http";
  }

  async open(request: DownloadRequest, { signal }: { signal: AbortSignal }): Promise<Download> {
    this.requests.push(request);
    const planned = this.plan.shift();
    await this.#clock.sleep(10, { signal });
    if (planned && planned.atOffset === undefined) throw planned.error;
    const { bytes, version } = this.file;
    const { expected, offset } = request;
    if (expected && (expected.version !== version || expected.sizeBytes !== bytes.length)) {
      throw new ThinglineError("DOWNLOAD_CHANGED", "another file");
    }
    this.openCount += 1;
    let isOpen = true;
    const close = (): Promise<void> => {
      if (isOpen) this.openCount -= 1;
      isOpen = false;
      return Promise.resolve();
    };
    const end = planned?.atOffset ?? Infinity;
    const { chunkBytes } = this;
    const clock = this.#clock;
    async function* chunks(): AsyncGenerator<Uint8Array> {
      try {
        for (let at = offset; at < bytes.length; at += chunkBytes) {
          await clock.sleep(1, { signal });
          if (at >= end && planned) throw planned.error;
          yield bytes.slice(at, at + chunkBytes);
        }
      } finally {
        await close();
      }
    }
    return { identity: { sizeBytes: bytes.length, version }, description: "fake", chunks, close };
  }
}

export interface FakeExecution {
  jobId: string;
  executionNumber: number;
  document: JsonObject;
  status: "QUEUED" | "IN_PROGRESS" | "SUCCEEDED" | "FAILED" | "REJECTED" | "CANCELED";
  statusDetails: JobStatusDetails;
}

export class PowerCut extends Error {}

/** A board, its flash and disk, the files of a server, and what the cloud knows: one process after the other. */
export class FakeWorld {
  readonly clock = createVirtualClock();
  readonly random = createVirtualRandom(1);
  readonly board: FakeBoard;
  readonly downloads: FakeDownloads;
  files: VirtualFiles = createVirtualFiles();
  execution: FakeExecution | undefined;
  readonly events: FotaEvent[] = [];
  readonly reports: JobStatusDetails[] = [];
  freshDocuments = 0;
  processCount = 0;
  effectCount = 0;
  options: Partial<FirmwareUpdaterOptions> = {};
  /** Cuts the power there: counted over all processes. */
  cutAt: { effect: number; when: UpdatePoint["when"] } | undefined;
  /** Called at the beginning of each effect. */
  atEffect: ((count: number) => void) | undefined;
  /** Writes of files that fail from now on. */
  failingWrites = 0;
  isConnected = true;
  /** The job client thinks that processes enough have ended in the job, from the second one on. */
  isExhausted = false;
  updater: FirmwareUpdater | undefined;
  #cancel: AbortController | undefined;
  #ended: (() => void) | undefined;
  #restart: (() => void) | undefined;

  constructor(newImage = fakeImage("2.0.0"), { canRevert = true } = {}) {
    this.board = new FakeBoard(fakeImage("1.0.0"), { canRevert });
    this.downloads = new FakeDownloads(this.clock, newImage);
  }

  deploy(document: JsonObject = { operation: "app_fw_update", location: { url: "https://h/app.bin?sig" } }): void {
    const executionNumber = (this.execution?.executionNumber ?? 0) + 1;
    this.execution = { jobId: "job", executionNumber, document, status: "QUEUED", statusDetails: {} };
  }

  /** The cloud takes the job away. */
  cancel(): void {
    if (this.execution) this.execution.status = "CANCELED";
    this.#cancel?.abort(new ThinglineError("ABORTED", "cancelled"));
  }

  /** The program is asked to end; then the device starts anew. */
  closeProcess(): void {
    this.#cancel?.abort(new ThinglineError("CLOSED", "the job client was closed"));
    this.clock.setTimer(5, () => this.#restart?.());
  }

  /** One process, until it ends by a restart, a power cut, or because nothing is left to do. @returns whether the board restarts */
  async process(): Promise<boolean> {
    this.processCount += 1;
    const clock = createProcessClock(this.clock);
    let restart: (() => void) | undefined;
    const ends = new Promise<boolean>((resolve) => {
      restart = () => resolve(true);
      this.#ended = () => resolve(false);
    });
    this.#restart = restart;
    const cut = (): void => {
      this.files.cutPower();
      restart?.();
    };
    const updater = createFirmwareUpdater({
      files: this.#failingFiles(),
      journalPath: "state/fota.json",
      clock,
      random: this.random,
      targets: [this.board],
      downloaders: [this.downloads],
      reboot: () => restart?.(),
      connected: async ({ signal }) => {
        while (!this.isConnected) await clock.sleep(1_000, { signal });
      },
      healthCheck: () => this.board.running.mood !== "ill",
      onEvent: (event) => void this.events.push(event),
      limits: { syncBytes: 512 },
      ...this.options,
      onStep: ({ when }) => {
        if (when === "before") this.atEffect?.((this.effectCount += 1));
        if (when === "before" && !this.atEffect) this.effectCount += 1;
        if (this.cutAt?.effect !== this.effectCount || this.cutAt.when !== when) return;
        cut();
        throw new PowerCut("the power was cut");
      },
    });
    this.updater = updater;
    const handled = this.#handle(updater);
    const isRestart = await ends;
    clock.kill();
    await updater.close().catch(() => undefined);
    await handled.catch(() => undefined);
    if (isRestart) {
      this.files = this.files.restart();
      this.board.boot();
    }
    return isRestart;
  }

  #failingFiles(): Files {
    const { files } = this;
    return {
      read: (path, options) => files.read(path, options),
      exists: (path) => files.exists(path),
      list: (folder) => files.list(folder),
      replace: (path, content) => {
        if (this.failingWrites-- <= 0) return files.replace(path, content);
        return Promise.reject(new ThinglineError("FILE_UNREADABLE", "the disk is full"));
      },
      append: (path, content) => files.append(path, content),
      flush: (path) => files.flush(path),
      remove: (path) => files.remove(path),
      makeFolder: (path) => files.makeFolder(path),
      lock: (folder) => files.lock(folder),
    };
  }

  async #handle(updater: FirmwareUpdater): Promise<void> {
    const { execution } = this;
    await updater.started;
    if (!execution || !["QUEUED", "IN_PROGRESS"].includes(execution.status)) {
      // A trial without a job has its time, too.
      await this.clock.sleep(700_000);
      return this.#ended?.();
    }
    const isResumed = execution.status === "IN_PROGRESS";
    execution.status = "IN_PROGRESS";
    this.#cancel = new AbortController();
    const job: RunningJob = {
      jobId: execution.jobId,
      executionNumber: execution.executionNumber,
      operation: "app_fw_update",
      document: execution.document,
      statusDetails: execution.statusDetails,
      isResumed,
      signal: this.#cancel.signal,
      freshDocument: () => {
        this.freshDocuments += 1;
        return Promise.resolve(execution.document);
      },
      report: (details) => {
        this.reports.push(details);
        execution.statusDetails = details;
        return Promise.resolve();
      },
    };
    const call = this.isExhausted && isResumed ? this.#exhausted(updater, job) : updater.handler(job);
    const outcome = (await call) as JobOutcome;
    // What cannot be stopped any more goes on.
    if (isTakenAway(execution)) return void this.clock.setTimer(1_000, () => this.#ended?.());
    if (outcome.status === "IN_PROGRESS") return;
    execution.status = outcome.status;
    execution.statusDetails = outcome.statusDetails ?? {};
    this.#ended?.();
  }

  #exhausted({ handler }: FirmwareUpdater, job: RunningJob) {
    const statusDetails = { reason: "JOB_ATTEMPTS_EXHAUSTED", message: "the process ended 3 times" };
    return handler.exhausted?.(job, { status: "FAILED", statusDetails });
  }

  /** Process after process, until the board stays up. */
  async run({ processesMax = 20 } = {}): Promise<void> {
    const all = async (): Promise<void> => {
      for (let count = 0; count < processesMax; count++) if (!(await this.process())) return;
      throw new Error(`the board restarted ${processesMax} times`);
    };
    await this.clock.until(all(), { limitMs: 7 * 86_400_000 });
  }

  get eventNames(): string[] {
    return this.events.map(({ type }) => type).filter((type) => type !== "progress" && type !== "note");
  }
}

const isTakenAway = ({ status }: FakeExecution): boolean => status === "CANCELED";
