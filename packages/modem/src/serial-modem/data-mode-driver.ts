import { concatBytes } from "@thingline/protocol";
import type { Clock, Timer } from "@thingline/transport";
import type { SerialModemDataMode } from "./data-mode.js";
import type { SerialModemTraits } from "./dialect.js";

/** What comes in data mode before it is sent. */
export const dataModeBufferBytes = 4096;
/** Ends the data mode. */
export const dataModeTerminator = "+++";

const terminator = new TextEncoder().encode(dataModeTerminator);
const plus = terminator[0] ?? 0;

export interface DataModeDriverOptions {
  clock: Clock;
  traits: SerialModemTraits;
  mode: SerialModemDataMode;
  timeLimitMs: number;
  /** So many bytes were sent. */
  onSent(lengthBytes: number): void;
  /** Over: 0, or the negative error number of a burst that could not be sent. The driver does nothing any more. */
  onEnd(result: number): void;
  /** Bytes are taken again. */
  onFree(): void;
  /** What a handler threw that is not an answer. */
  onFault(error: unknown): void;
}

/** One stay in data mode: bytes, silence and the terminator become bursts for whom the mode belongs to. */
export class DataModeDriver {
  readonly #options: DataModeDriverOptions;
  readonly #buffer = new Uint8Array(dataModeBufferBytes);
  #length = 0;
  /** Bytes of the terminator that have come and may still be payload. */
  #matched = 0;
  #restBytes: number | undefined;
  #lastByteMs = 0;
  #timer: Timer | undefined;
  #isSending = false;
  /** A burst waits for the one before: its time has come, or the buffer is full. */
  #isBurstDue = false;
  #isEnding = false;
  #isOver = false;

  constructor(options: DataModeDriverOptions) {
    this.#options = options;
    this.#restBytes = options.mode.dataBytes;
  }

  /** Takes what it can; bytes that are left wait for `onFree`, or belong to what comes behind the mode. */
  take(bytes: Uint8Array, from: number): number {
    let at = from;
    const hasCome = !this.#isEnding && !this.#isBurstDue && at < bytes.length;
    while (at < bytes.length && !this.#isOver && !this.#isEnding && !this.#isBurstDue) {
      at = this.#restBytes === undefined ? this.#takeOne(bytes, at) : this.#takeCounted(bytes, at);
    }
    if (hasCome && !this.#isEnding && !this.#isOver) this.#restartTimer();
    return at;
  }

  /** Ends at once, from outside. */
  close(): void {
    this.#isOver = true;
    this.#timer?.cancel();
  }

  #takeCounted(bytes: Uint8Array, at: number): number {
    const rest = this.#restBytes ?? 0;
    const count = Math.min(bytes.length - at, rest, this.#buffer.length - this.#length);
    this.#buffer.set(bytes.subarray(at, at + count), this.#length);
    this.#length += count;
    this.#restBytes = rest - count;
    if (this.#restBytes === 0) this.#end();
    else if (this.#length === this.#buffer.length) this.#burst();
    return at + count;
  }

  #takeOne(bytes: Uint8Array, at: number): number {
    if (this.#options.traits.terminatorCounts === "endOfBurst") return this.#takeMany(bytes, at);
    const byte = bytes[at] ?? 0;
    if (byte === plus) {
      this.#matched++;
      if (this.#matched === terminator.length) this.#end();
      return at + 1;
    }
    // The part of a terminator that turned out to be payload.
    if (this.#matched > 0) {
      this.#restoreMatched();
      return at;
    }
    const next = bytes.indexOf(plus, at);
    return this.#takeMany(next < 0 ? bytes : bytes.subarray(0, next), at);
  }

  #takeMany(bytes: Uint8Array, at: number): number {
    const count = Math.min(bytes.length - at, this.#buffer.length - this.#length);
    this.#buffer.set(bytes.subarray(at, at + count), this.#length);
    this.#length += count;
    if (this.#length === this.#buffer.length) this.#burst();
    return at + count;
  }

  #restoreMatched(): void {
    while (this.#matched > 0 && this.#length < this.#buffer.length) {
      this.#buffer[this.#length++] = plus;
      this.#matched--;
    }
    if (this.#length === this.#buffer.length) this.#burst();
  }

  #restartTimer(): void {
    this.#lastByteMs = this.#options.clock.monotonicMs();
    this.#timer ??= this.#wait(this.#options.timeLimitMs);
  }

  #wait(delayMs: number): Timer {
    return this.#options.clock.setTimer(delayMs, () => {
      this.#timer = undefined;
      const leftMs = this.#lastByteMs + this.#options.timeLimitMs - this.#options.clock.monotonicMs();
      if (leftMs > 0) this.#timer = this.#wait(leftMs);
      else this.#onSilence();
    });
  }

  #onSilence(): void {
    if (this.#isOver || this.#isEnding) return;
    const { traits } = this.#options;
    if (traits.terminatorCounts === "endOfBurst") {
      if (this.#restBytes === undefined && endsWithTerminator(this.#buffer, this.#length)) {
        this.#length -= terminator.length;
        return this.#end();
      }
    } else this.#restoreMatched();
    if (this.#length > 0) this.#burst();
  }

  #end(): void {
    this.#timer?.cancel();
    this.#isEnding = true;
    this.#burst();
  }

  /** Sends what is there, behind the burst that is under way. */
  #burst(): void {
    if (this.#isSending) {
      this.#isBurstDue = true;
      return;
    }
    if (this.#length === 0) {
      if (this.#isEnding) this.#finish(0);
      return;
    }
    const bytes = concatBytes([this.#buffer.subarray(0, this.#length)]);
    this.#length = 0;
    this.#isSending = true;
    void this.#options.mode
      .send(bytes)
      .then((sent) => this.#onSent(sent))
      .catch((error: unknown) => this.#options.onFault(error));
  }

  #onSent(sent: number): void {
    this.#isSending = false;
    if (this.#isOver) return;
    if (sent < 0) return this.#finish(sent);
    this.#options.onSent(sent);
    const wasHeld = this.#isBurstDue;
    this.#isBurstDue = false;
    if (wasHeld || this.#isEnding) this.#burst();
    if (wasHeld && !this.#isOver) this.#options.onFree();
  }

  #finish(result: number): void {
    this.close();
    this.#options.onEnd(result);
  }
}

function endsWithTerminator(buffer: Uint8Array, length: number): boolean {
  const from = length - terminator.length;
  return from >= 0 && terminator.every((byte, index) => buffer[from + index] === byte);
}
