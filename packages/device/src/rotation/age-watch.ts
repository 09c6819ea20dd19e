import { isThinglineError, ThinglineError } from "@thingline/protocol";
import type { Timer } from "@thingline/transport";
import { fractionOf, textOf } from "../errors.js";
import { daysLeft, dueAtMs, readTime, type TimeReading, warningDue } from "./age.js";
import type { CheckedRotation } from "./options.js";
import type { RotationRecord } from "./record.js";
import type { CertificateFacts, RotationEvents } from "./types.js";

/** How often a device looks at the age of its certificate. */
export const ageLookMs = 3_600_000;
/** After a rotation by age that failed; doubles with each, up to a day. */
export const ageRetryMsMin = 600_000;
export const ageRetryMsMax = 86_400_000;
/** After credentials that could not be deleted at the end of an overlap; doubles with each, up to a day. */
const overlapRetryMsMin = 600_000;
/** How far the latest known time may run ahead of what is stored. */
const latestKeptMs = 86_400_000;

export interface WatchedRotation {
  record(): RotationRecord;
  certificate(): CertificateFacts | undefined;
  isReady(): boolean;
  /** The latest time that could be trusted. */
  save(latestUnixMs: number): Promise<void>;
  emit(event: RotationEvents["certificateEnding"]): void;
  rotate(): Promise<void>;
  endOverlap(): Promise<void>;
  failed(error: ThinglineError): void;
}

/** Looks at the clock now and then: at the age of the certificate, and at the end of an overlap. */
export class AgeWatch {
  readonly #options: CheckedRotation;
  readonly #rotation: WatchedRotation;
  /** Of this device, within the spread. */
  readonly #offsetMs: number;
  readonly #openedMonotonicMs: number;
  /** The earliest that it can have been then, in Unix time. */
  readonly #openedFloorMs: number;
  #overlapEndsMonotonicMs: number;
  #warned: { certificateId: string; days: number } | undefined;
  #retryMs = ageRetryMsMin;
  #retryAtMonotonicMs = 0;
  #overlapRetryMs = overlapRetryMsMin;
  #overlapRetryAtMonotonicMs = 0;
  #isBusy = false;
  #isClosed = false;
  #timer: Timer | undefined;

  constructor(options: CheckedRotation, rotation: WatchedRotation) {
    this.#options = options;
    this.#rotation = rotation;
    const { clock, random, spreadMs, overlapMs } = options;
    this.#offsetMs = Math.round(spreadMs * fractionOf(random));
    this.#openedMonotonicMs = clock.monotonicMs();
    this.#openedFloorMs = Math.max(rotation.record().latestUnixMs, rotation.certificate()?.notBeforeMs ?? 0);
    // Of an overlap that an earlier process began: with a clock that tells nothing, it lasts once more.
    this.#overlapEndsMonotonicMs = this.#openedMonotonicMs + overlapMs;
  }

  overlapBegan(overlapMs: number): void {
    this.#overlapEndsMonotonicMs = this.#options.clock.monotonicMs() + overlapMs;
    this.#retryMs = ageRetryMsMin;
    this.#overlapRetryMs = overlapRetryMsMin;
    this.#overlapRetryAtMonotonicMs = 0;
    this.look();
  }

  /** For a modem the end of an overlap costs a connection: what failed is not tried again at once. */
  overlapNotEnded(): void {
    this.#overlapRetryAtMonotonicMs = this.#options.clock.monotonicMs() + this.#overlapRetryMs;
    this.#overlapRetryMs = Math.min(this.#overlapRetryMs * 2, ageRetryMsMax);
  }

  isOverlapOver(): boolean {
    const { state } = this.#rotation.record();
    if (state.name !== "overlapping") return false;
    const { clock } = this.#options;
    const time = this.#time();
    return clock.monotonicMs() >= this.#overlapEndsMonotonicMs || (time.isTrusted && time.unixMs >= state.untilUnixMs);
  }

  /** @returns when it is tried again */
  rotationFailed(): number {
    const retryInMs = this.#retryMs;
    this.#retryAtMonotonicMs = this.#options.clock.monotonicMs() + retryInMs;
    this.#retryMs = Math.min(this.#retryMs * 2, ageRetryMsMax);
    this.#arm();
    return retryInMs;
  }

  /** Tells and does what is due, and sets the timer for the next look. */
  look(): void {
    if (this.#isClosed) return;
    const time = this.#time();
    this.#warn(time);
    this.#arm();
    if (this.#isBusy) return;
    const work = this.#due(time);
    if (work === undefined) return;
    this.#isBusy = true;
    work()
      .catch((error: unknown) => this.failed(error))
      .finally(() => {
        this.#isBusy = false;
        if (!this.#isClosed) this.#arm();
      });
  }

  close(): void {
    this.#isClosed = true;
    this.#timer?.cancel();
  }

  #due(time: TimeReading): (() => Promise<void>) | undefined {
    const { state, latestUnixMs } = this.#rotation.record();
    const mayEndOverlap = this.#options.clock.monotonicMs() >= this.#overlapRetryAtMonotonicMs;
    if (mayEndOverlap && this.isOverlapOver()) return () => this.#rotation.endOverlap();
    if (this.#isRotationDue(time) && state.name !== "overlapping") return () => this.#rotation.rotate();
    if (time.isTrusted && time.unixMs - latestUnixMs >= latestKeptMs) return () => this.#rotation.save(time.unixMs);
    return undefined;
  }

  #isRotationDue(time: TimeReading): boolean {
    const certificate = this.#rotation.certificate();
    if (certificate === undefined || !this.#rotation.isReady()) return false;
    if (this.#options.clock.monotonicMs() < this.#retryAtMonotonicMs) return false;
    const dueMs = dueAtMs(certificate, this.#options.policy);
    return dueMs !== undefined && time.unixMs >= dueMs + this.#offsetMs;
  }

  #warn(time: TimeReading): void {
    const certificate = this.#rotation.certificate();
    if (certificate === undefined) return;
    const { certificateId } = certificate;
    const left = daysLeft(certificate, time);
    const warned = this.#warned?.certificateId === certificateId ? this.#warned.days : undefined;
    const days = warningDue(left, this.#options.warnDays, warned);
    if (days === undefined) return;
    this.#warned = { certificateId, days };
    this.#rotation.emit({ ...certificate, daysLeft: left, isClockTrusted: time.isTrusted });
  }

  #time(): TimeReading {
    const { clock, isClockTrusted } = this.#options;
    const certificate = this.#rotation.certificate();
    const validity = certificate ?? { notBeforeMs: 0, notAfterMs: Number.MAX_SAFE_INTEGER };
    const elapsedMs = clock.monotonicMs() - this.#openedMonotonicMs;
    return readTime(clock.unixMs(), validity, {
      floorMs: this.#openedFloorMs + elapsedMs,
      isCertain: isClockTrusted?.(),
      isAccepted: this.#rotation.isReady(),
    });
  }

  #arm(): void {
    this.#timer?.cancel();
    if (this.#isClosed) return;
    const { clock } = this.#options;
    const nowMs = clock.monotonicMs();
    const inMs = [ageLookMs];
    if (this.#rotation.record().state.name === "overlapping") {
      inMs.push(Math.max(this.#overlapEndsMonotonicMs, this.#overlapRetryAtMonotonicMs) - nowMs);
    }
    if (this.#retryAtMonotonicMs > nowMs) inMs.push(this.#retryAtMonotonicMs - nowMs);
    // What is due and could not be done at once is looked at again, and not in a tight loop.
    this.#timer = clock.setTimer(Math.max(1_000, Math.min(...inMs)), () => this.look());
  }

  /** Tells what has no caller to go to. */
  failed(error: unknown): void {
    if (isThinglineError(error)) return this.#rotation.failed(error);
    this.#rotation.failed(new ThinglineError("ADAPTER_FAILED", textOf(error), { cause: error }));
  }
}
