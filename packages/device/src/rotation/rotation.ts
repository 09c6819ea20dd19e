import { isThinglineError, ThinglineError } from "@thingline/protocol";
import type { LinkControl } from "@thingline/transport";
import type { Device } from "../device.js";
import { abortedError, fractionOf } from "../errors.js";
import type { JobHandler } from "../jobs/job.js";
import { alwaysLinked } from "../provisioning/always-linked.js";
import { isRefusal } from "../provisioning/failures.js";
import { progressBytesMax } from "../provisioning/progress.js";
import { decodeProgress } from "../provisioning/progress-file.js";
import { provisionDevice, type ProvisionResult } from "../provisioning/provision.js";
import { AgeWatch } from "./age-watch.js";
import { deleteCredentials, findOther, findTag, readCertificate } from "./credentials.js";
import { rotationJobHandler } from "./job.js";
import { RotationEventHub } from "./listeners.js";
import { LiveDevice } from "./live-device.js";
import { checkRotationOptions, type CheckedRotation, flowOptions, type RotationOptions } from "./options.js";
import { newRotationRecord, type RotationRecord, withEntry } from "./record.js";
import { RotationFile } from "./rotation-file.js";
import type {
  CertificateFacts,
  RotateOptions,
  RotationEventName,
  RotationListener,
  RotationOrigin,
  RotationResult,
} from "./types.js";

/** After a rotation that failed: the device is brought back with what it had, with growing pauses of up to this. */
export const rotationReturnPauseMsMax = 60_000;
const returnPauseMsMin = 1_000;
/** Connections of a device by itself that the cloud does not take, in a row, until the tag before has its turn. */
const refusalsMax = 3;

type Rotating = Extract<RotationRecord["state"], { name: "rotating" }>;

/**
 * Takes care of the certificate of a device: tells when it ends, and rotates it: a new one is asked for with the one in use, written to the
 * other of two security tags, and proved by connecting with it; after the overlap the credentials before are deleted. The flow is that of
 * provisioning, with the certificate in use in place of the claim, so a power cut anywhere leaves a device that can connect.
 *
 * The device stays the application's: the same session, subscriptions and queues. While it changes its tag it is idle for a moment, as after
 * `disconnect()`: QoS 1 messages of the application wait in an `offlineQueue`, and are refused with CONNECTION_LOST without one. Messages for
 * the device wait in its persistent session.
 *
 * @throws {ThinglineError} OPTION_INVALID; LOCKED, FILE_UNREADABLE and STORE_VERSION_UNKNOWN of the folder; those of the store.
 */
export async function openRotation(device: Device, options: RotationOptions): Promise<Rotation> {
  const checked = checkRotationOptions(device, options);
  const { store, tags, keys, files, folder } = checked;
  const { file, record: found, problem } = await RotationFile.open(files, folder);
  try {
    const isOurs = found !== undefined && found.clientId === device.clientId && tags.includes(found.secTag);
    const { secTag, otherTag } = isOurs ? await findOther(store, tags, found.secTag) : await findTag(store, tags, keys);
    const record = isOurs ? found : newRotationRecord(device.clientId, secTag);
    const certificate = await readCertificate(store, record.secTag, keys);
    return new Rotation(device, { checked, file, record, otherTag, certificate, problem });
  } catch (error) {
    await file.close();
    throw error;
  }
}

interface Opened {
  checked: CheckedRotation;
  file: RotationFile;
  record: RotationRecord;
  /** May be the good one, where nothing is remembered. */
  otherTag: number | undefined;
  certificate: CertificateFacts | undefined;
  problem: ThinglineError | undefined;
}

/** See {@link openRotation}. */
export class Rotation {
  readonly #device: Device;
  readonly #options: CheckedRotation;
  readonly #file: RotationFile;
  readonly #hub: RotationEventHub;
  readonly #live: LiveDevice;
  readonly #link: LinkControl;
  readonly #watch: AgeWatch;
  readonly #stop = new AbortController();
  #record: RotationRecord;
  /** Complete, and not known to be worth less than the tag in use. */
  #candidateTag: number | undefined;
  /** Connections in a row that the cloud did not take. */
  #refusals = 0;
  #certificate: CertificateFacts | undefined;
  /** What changes tags is done one after the other. */
  #tail: Promise<unknown> = Promise.resolve();
  #work = 0;
  #rotating: Promise<RotationResult> | undefined;
  #returning: Promise<void> | undefined;
  #closing: Promise<void> | undefined;

  /** @internal */
  constructor(device: Device, { checked, file, record, otherTag, certificate, problem }: Opened) {
    this.#device = device;
    this.#options = checked;
    this.#file = file;
    this.#record = record;
    this.#candidateTag = otherTag;
    this.#certificate = certificate;
    this.#hub = new RotationEventHub(checked.on);
    this.#live = new LiveDevice(device, checked.clock);
    if (device.state !== "idle") this.#live.assumeTag(record.secTag);
    this.#link = this.#live.over(checked.link ?? alwaysLinked);
    this.#watch = new AgeWatch(checked, {
      record: () => this.#record,
      certificate: () => this.#certificate,
      isReady: () => this.#live.isReady,
      save: (next) => this.#exclusive(() => this.#save({ ...this.#record, latestUnixMs: next })),
      emit: (event) => this.#hub.emit("certificateEnding", event),
      rotate: () => this.#rotateByAge(),
      endOverlap: () => this.#exclusive(() => this.#endOverlap()),
      failed: (error) => this.#tell(error),
    });
    if (problem !== undefined) this.#tell(problem);
    this.#watch.look();
    const offs = [
      device.on("ready", () => void (this.#refusals = 0)),
      device.on("connecting", ({ error }) => this.#notConnected(error)),
      device.on("disconnected", ({ error }) => this.#notConnected(error)),
    ];
    this.#stop.signal.addEventListener("abort", () => offs.forEach((off) => off()), { once: true });
    void device.closed.then(() => this.close());
  }

  /** The security tag whose credentials are in use. */
  get secTag(): number {
    return this.#record.secTag;
  }

  /** What is in use; undefined when its tag cannot be read. */
  get certificate(): CertificateFacts | undefined {
    return this.#certificate;
  }

  get record(): RotationRecord {
    return this.#record;
  }

  /** The device is being taken from one tag to the other, or brought back: when it is idle, that is no end. */
  get isBusy(): boolean {
    return this.#work > 0 || this.#returning !== undefined;
  }

  /** For `runJobs()`, under the name `rotateCertificate`. */
  readonly jobHandler: JobHandler = rotationJobHandler({
    record: () => this.#record,
    certificate: () => this.#certificate,
    rotate: (origin, options) => this.#rotateOnce(origin, options),
  });

  /** @returns a function that takes the listener off again. @throws {ThinglineError} OPTION_INVALID */
  on<Name extends RotationEventName>(name: Name, listener: RotationListener<Name>): () => void {
    return this.#hub.on(name, listener);
  }

  /**
   * Connects the device with the tag in use, in place of `device.connect()`. Goes on with a rotation that was cut short; within an overlap it
   * goes back to the tag before when the cloud refuses the new one.
   *
   * @throws {ThinglineError} as `device.connect()`
   */
  connect({ signal }: { signal?: AbortSignal } = {}): Promise<void> {
    return this.#exclusive(async () => {
      this.#requireOpen();
      const { state } = this.#record;
      if (state.name === "rotating") {
        try {
          await this.#carryOn(state, signal);
        } catch (error) {
          // It was told; what counts here is that the device is connected, with whichever tag.
          if (!this.#live.isReady) throw error;
        }
        return;
      }
      // What is left of the credentials before must not keep the device from its connection.
      if (this.#watch.isOverlapOver()) await this.#endOverlap().catch((error: unknown) => this.#watch.failed(error));
      await this.#connectInUse(signal);
      this.#watch.look();
    });
  }

  /**
   * Rotates now, and resolves when the device is connected with its new certificate. Called while a rotation is under way, it waits for that.
   *
   * @throws {ThinglineError} as `provisionDevice()`; the device is back with what it had then, or tries to be. CLOSED, ABORTED.
   */
  rotate(options: RotateOptions = {}): Promise<RotationResult> {
    return this.#rotateOnce({ reason: "command" }, options);
  }

  /** Ends a rotation where it stands, and leaves the device as it is. Safe to call twice. */
  close(): Promise<void> {
    this.#closing ??= this.#close();
    return this.#closing;
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.close();
  }

  async #close(): Promise<void> {
    this.#stop.abort();
    this.#watch.close();
    await this.#tail.catch(() => undefined);
    await this.#returning;
    await this.#live.giveBack();
    await this.#file.close();
  }

  // ---- rotating ------------------------------------------------------------------------------------------------

  #rotateOnce(origin: RotationOrigin, { signal }: RotateOptions): Promise<RotationResult> {
    this.#rotating ??= this.#exclusive(() => this.#beginOrReturn(origin, signal)).finally(() => {
      this.#rotating = undefined;
    });
    return this.#rotating;
  }

  /** Whoever ends a rotation, as a job that was cancelled does, does not mean the device's connection. */
  async #beginOrReturn(origin: RotationOrigin, signal: AbortSignal | undefined): Promise<RotationResult> {
    try {
      return await this.#begin(origin, signal);
    } catch (error) {
      const isByCaller = isThinglineError(error, "ABORTED") && !this.#stop.signal.aborted;
      if (isByCaller && this.#device.state !== "closed") await this.#return();
      throw error;
    }
  }

  async #return(): Promise<void> {
    await this.#connectInUse().catch(() => this.#comeBack());
  }

  async #rotateByAge(): Promise<void> {
    await this.#rotateOnce({ reason: "age" }, {});
  }

  async #begin(origin: RotationOrigin, signal: AbortSignal | undefined): Promise<RotationResult> {
    this.#requireOpen();
    const { state } = this.#record;
    const { reason, job, overlapMs } = origin;
    const asked = { ...(job !== undefined && { job }), ...(overlapMs !== undefined && { overlapMs }) };
    if (state.name === "rotating") {
      // What a job asks for is what that job came to, whoever began.
      const theirs: Rotating = job === undefined ? state : { ...state, reason, ...asked };
      if (job !== undefined) await this.#save({ ...this.#record, state: theirs });
      return this.#carryOn(theirs, signal);
    }
    // The other tag is needed.
    if (state.name === "overlapping") await this.#endOverlap();
    this.#candidateTag = undefined;
    const toTag = this.#otherTag;
    await this.#forgetProgressOf(toTag);
    const sinceUnixMs = this.#options.clock.unixMs();
    const rotating: Rotating = { name: "rotating", toTag, reason, sinceUnixMs, ...asked };
    await this.#save({ ...this.#record, state: rotating });
    return this.#carryOn(rotating, signal);
  }

  /** From wherever the last attempt ended. */
  async #carryOn(state: Rotating, signal: AbortSignal | undefined): Promise<RotationResult> {
    const { toTag, reason } = state;
    this.#hub.emit("rotationStarted", { reason, fromTag: this.#record.secTag, toTag });
    try {
      const provisioned = await this.#provision(toTag, signal);
      await this.#live.giveBack();
      return await this.#rotated(state, provisioned);
    } catch (error) {
      await this.#live.giveBack();
      if (!isThinglineError(error)) throw error;
      await this.#failed(state, error);
      throw error;
    }
  }

  #provision(toTag: number, signal: AbortSignal | undefined): Promise<ProvisionResult> {
    const fromTag = this.#record.secTag;
    return provisionDevice({
      ...flowOptions(this.#device, this.#options, {
        ...{ fromTag, toTag, progressPath: this.#file.progressPath(toTag) },
      }),
      link: this.#link,
      onEvent: (event) => this.#hub.emit("rotationStep", event),
      connect: (options) =>
        this.#live.borrow("secTag" in options ? options.secTag : fromTag, options.signal ?? this.#stop.signal),
      signal: signal === undefined ? this.#stop.signal : AbortSignal.any([signal, this.#stop.signal]),
    });
  }

  async #rotated(state: Rotating, { certificateId }: ProvisionResult): Promise<RotationResult> {
    const { clock, store, keys } = this.#options;
    const { toTag, reason, job, overlapMs = this.#options.overlapMs } = state;
    const oldTag = this.#record.secTag;
    const replacedCertificateId = this.#certificate?.certificateId;
    const atUnixMs = clock.unixMs();
    const untilUnixMs = atUnixMs + overlapMs;
    const known = replacedCertificateId === undefined ? {} : { replacedCertificateId };
    const entry = { reason, ...(job && { job }), atUnixMs, outcome: "rotated" as const, certificateId, ...known };
    await this.#save({
      ...withEntry(this.#record, entry),
      secTag: toTag,
      state: { name: "overlapping", oldTag, untilUnixMs },
    });
    await this.#options.files.remove(this.#file.progressPath(toTag));
    this.#certificate = await readCertificate(store, toTag, keys);
    this.#watch.overlapBegan(overlapMs);
    const result = { certificateId, secTag: toTag, replacedCertificateId, overlapUntilUnixMs: untilUnixMs };
    this.#hub.emit("rotated", { ...result, reason });
    return result;
  }

  /**
   * As long as something that was issued may still be used, the rotation is not over: with a complete set in the other tag the cloud may
   * have seen the device connect, and will end what it replaces.
   */
  async #failed(state: Rotating, error: ThinglineError): Promise<void> {
    const { reason, job } = state;
    if (error.code === "ABORTED" || error.code === "CLOSED") return;
    try {
      if (!(await this.#isPending(state.toTag))) {
        const atUnixMs = this.#options.clock.unixMs();
        const entry = { reason, ...(job && { job }), atUnixMs, outcome: "failed" as const, code: error.code };
        await this.#save({ ...withEntry(this.#record, entry), state: { name: "settled" } });
      }
    } catch (problem) {
      // With a disk that takes nothing the device has to come back all the same.
      this.#watch.failed(problem);
    }
    const retryInMs = reason === "age" ? this.#watch.rotationFailed() : undefined;
    this.#hub.emit("rotationFailed", { reason, error, ...(retryInMs !== undefined && { retryInMs }) });
    await this.#return();
  }

  async #isPending(toTag: number): Promise<boolean> {
    const name = (await this.#progressOf(toTag))?.phase.name ?? "claim";
    return name !== "claim" && name !== "keyReady";
  }

  /** Whether the other tag holds a complete set that nobody has refused. */
  async #mayHoldNew(toTag: number): Promise<boolean> {
    const name = (await this.#progressOf(toTag))?.phase.name;
    return name === "written" || name === "provisioned";
  }

  async #progressOf(toTag: number) {
    try {
      return decodeProgress(
        await this.#options.files.read(this.#file.progressPath(toTag), { bytesMax: progressBytesMax }),
      );
    } catch (error) {
      if (isThinglineError(error, "FILE_NOT_FOUND")) return undefined;
      throw error;
    }
  }

  /** What was left of a rotation that ended well says nothing of the next one; what bounds the attempts that fail stays. */
  async #forgetProgressOf(toTag: number): Promise<void> {
    if (await this.#isPending(toTag)) await this.#options.files.remove(this.#file.progressPath(toTag));
  }

  // ---- connecting ----------------------------------------------------------------------------------------------

  get #otherTag(): number {
    const [one, other] = this.#options.tags;
    return this.#record.secTag === one ? other : one;
  }

  async #connectInUse(signal: AbortSignal | undefined = this.#stop.signal): Promise<void> {
    await this.#link.connect({ signal });
    try {
      return await this.#live.connect(this.#record.secTag, signal);
    } catch (error) {
      const tag = this.#wayBack;
      if (tag === undefined || !isThinglineError(error) || !isRefusal(error)) throw error;
      if (!(await this.#connectedWith(tag, signal))) throw error;
      await this.#wentBack(tag, error);
    }
  }

  /** What to try when the tag in use is refused. */
  get #wayBack(): number | undefined {
    const { state } = this.#record;
    if (state.name === "overlapping") return state.oldTag;
    return state.name === "settled" ? this.#candidateTag : undefined;
  }

  /** A device that reconnects by itself knows its one tag, and would go on with it for ever. */
  #notConnected(error: ThinglineError | undefined): void {
    if (error === undefined || !isRefusal(error)) return;
    this.#refusals += 1;
    if (this.#refusals < refusalsMax || this.#wayBack === undefined || this.isBusy) return;
    this.#refusals = 0;
    this.#exclusive(async () => {
      if (!this.#live.isReady && this.#device.state !== "idle" && !this.#stop.signal.aborted) await this.#return();
    }).catch((failure: unknown) => this.#watch.failed(failure));
  }

  async #connectedWith(secTag: number, signal: AbortSignal): Promise<boolean> {
    return this.#live.connect(secTag, signal).then(
      () => true,
      () => false,
    );
  }

  async #wentBack(secTag: number, error: ThinglineError): Promise<void> {
    const atUnixMs = this.#options.clock.unixMs();
    const entry = { reason: "command", atUnixMs, outcome: "wentBack", code: error.code } as const;
    await this.#save({ ...withEntry(this.#record, entry), secTag, state: { name: "settled" } });
    this.#candidateTag = undefined;
    this.#certificate = await readCertificate(this.#options.store, secTag, this.#options.keys);
    this.#hub.emit("wentBack", { secTag, error });
  }

  /** Until the device is connected, or the application does something about it. The new tag has its turn as long as it may be the good one. */
  #comeBack(): void {
    this.#returning ??= this.#tryToComeBack().finally(() => (this.#returning = undefined));
  }

  async #tryToComeBack(): Promise<void> {
    const { clock, random } = this.#options;
    const { signal } = this.#stop;
    for (let pauseMs = returnPauseMsMin; !signal.aborted; pauseMs = Math.min(pauseMs * 2, rotationReturnPauseMsMax)) {
      await clock.sleep(Math.round(pauseMs * (0.75 + 0.5 * fractionOf(random))), { signal }).catch(() => undefined);
      if (signal.aborted || this.#device.state !== "idle") return;
      const error = await this.#exclusive(() => this.#tryOnce()).then(
        () => undefined,
        (thrown: unknown) => thrown,
      );
      if (error === undefined) return;
    }
  }

  async #tryOnce(): Promise<void> {
    if (this.#device.state !== "idle") return;
    try {
      await this.#connectInUse();
    } catch (error) {
      const { state } = this.#record;
      if (state.name !== "rotating" || !(await this.#mayHoldNew(state.toTag))) throw error;
      await this.#carryOnQuietly(state);
    }
  }

  /** Without a way back: what it came from was refused just now. */
  async #carryOnQuietly(state: Rotating): Promise<void> {
    try {
      const provisioned = await this.#provision(state.toTag, undefined);
      await this.#rotated(state, provisioned);
    } finally {
      await this.#live.giveBack();
    }
  }

  // ---- the end of an overlap -------------------------------------------------------------------------------------

  /** Deletes what was in use before. A modem has to be offline for that, so the device is idle for a moment once more. */
  async #endOverlap(): Promise<void> {
    const { state } = this.#record;
    if (state.name !== "overlapping" || this.#stop.signal.aborted) return;
    const { link, store } = this.#options;
    const wasActive = link !== undefined && this.#device.state !== "idle" && this.#device.state !== "closed";
    try {
      if (link !== undefined) await this.#link.offline();
      await deleteCredentials(store, state.oldTag);
      await this.#save({ ...this.#record, state: { name: "settled" } });
      this.#hub.emit("oldCredentialsDeleted", { secTag: state.oldTag });
    } catch (error) {
      this.#watch.overlapNotEnded();
      throw error;
    } finally {
      if (wasActive) await this.#return();
    }
  }

  // ---- tools -----------------------------------------------------------------------------------------------------

  async #save(record: RotationRecord): Promise<void> {
    await this.#file.save(record);
    this.#record = record;
  }

  #exclusive<Result>(work: () => Promise<Result>): Promise<Result> {
    this.#work += 1;
    const done = this.#tail
      .catch(() => undefined)
      .then(work)
      .finally(() => (this.#work -= 1));
    this.#tail = done;
    return done;
  }

  #requireOpen(): void {
    if (this.#device.state === "closed") throw new ThinglineError("CLOSED", "the device was closed");
    if (this.#stop.signal.aborted) throw abortedError(this.#stop.signal);
  }

  #tell(error: ThinglineError): void {
    this.#hub.emit("error", { error });
  }
}
