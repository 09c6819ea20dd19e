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
  /** With room for a terminator behind a full one. */
  readonly #buffer = new Uint8Array(dataModeBufferBytes + terminator.length);
  #length = 0;
  /** Bytes of the terminator that have come and may still be payload. */
  #matched = 0;
  #restBytes: number | undefined;
  #lastByteMs = 0;
  #timer: Timer | undefined;
  #isSending = false;
  /** A burst of so many bytes waits for the one before: its time has come, or the buffer is full. */
  #dueBytes: number | undefined;
  #isEnding = false;
  #isOver = false;

  constructor(options: DataModeDriverOptions) {
    this.#options = options;
    this.#restBytes = options.mode.dataBytes;
  }

  /** Takes what it can; bytes that are left wait for `onFree`, or belong to what comes behind the mode. */
  take(bytes: Uint8Array, from: number): number {
    let at = from;
    const hasCome = !this.#isEnding && this.#dueBytes === undefined && at < bytes.length;
    while (at < bytes.length && !this.#isOver && !this.#isEnding && this.#dueBytes === undefined) {
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
    const count = Math.min(bytes.length - at, rest, dataModeBufferBytes - this.#length);
    this.#buffer.set(bytes.subarray(at, at + count), this.#length);
    this.#length += count;
    this.#restBytes = rest - count;
    if (this.#restBytes === 0) this.#end();
    else if (this.#length === dataModeBufferBytes) this.#burst();
    return at + count;
  }

  #takeOne(bytes: Uint8Array, at: number): number {
    if (this.#options.traits.terminatorCounts === "endOfBurst") return this.#takeUpToEnd(bytes, at);
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
    const count = Math.min(bytes.length - at, dataModeBufferBytes - this.#length);
    this.#buffer.set(bytes.subarray(at, at + count), this.#length);
    this.#length += count;
    if (this.#length === dataModeBufferBytes) this.#burst();
    return at + count;
  }

  /** What may be a terminator stays behind a full buffer until what follows it, or silence, tells. */
  #takeUpToEnd(bytes: Uint8Array, at: number): number {
    const count = Math.min(bytes.length - at, Math.max(1, dataModeBufferBytes - this.#length));
    this.#buffer.set(bytes.subarray(at, at + count), this.#length);
    this.#length += count;
    if (this.#length - this.#trailingPlusCount() >= dataModeBufferBytes) this.#burst(dataModeBufferBytes);
    return at + count;
  }

  #trailingPlusCount(): number {
    let count = 0;
    while (count < Math.min(terminator.length, this.#length) && this.#buffer[this.#length - 1 - count] === plus)
      count++;
    return count;
  }

  #restoreMatched(): void {
    while (this.#matched > 0 && this.#length < dataModeBufferBytes) {
      this.#buffer[this.#length++] = plus;
      this.#matched--;
    }
    if (this.#length === dataModeBufferBytes) this.#burst();
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

  /** Sends what is there, or the first of it, behind the burst that is under way. */
  #burst(lengthBytes = this.#length): void {
    if (this.#isSending) {
      this.#dueBytes = lengthBytes;
      return;
    }
    if (lengthBytes === 0) {
      if (this.#isEnding) this.#finish(0);
      return;
    }
    const bytes = this.#buffer.slice(0, lengthBytes);
    this.#buffer.copyWithin(0, lengthBytes, this.#length);
    this.#length -= lengthBytes;
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
    const dueBytes = this.#dueBytes;
    this.#dueBytes = undefined;
    if (this.#isEnding) this.#burst();
    else if (dueBytes !== undefined) this.#burst(dueBytes);
    if (dueBytes !== undefined && !this.#isOver) this.#options.onFree();
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
