import { concatBytes } from "@thingline/protocol";
import type { Clock, Timer } from "@thingline/transport";

/** Bits of one byte on a serial line: start, eight, stop. */
export const bitsPerByte = 10;

export interface PacedFlowOptions {
  clock: Pick<Clock, "monotonicMs" | "setTimer">;
  bytesPerSecond: number;
  deliver: (bytes: Uint8Array) => void;
}

/**
 * One direction of a serial line with a speed: bytes arrive when the line has carried them. What waits is for the caller to bound, by
 * {@link PacedFlow.waitingBytes}.
 */
export class PacedFlow {
  readonly #options: PacedFlowOptions;
  readonly #waiting: Uint8Array[] = [];
  #waitingBytes = 0;
  /** Until then the line has carried what was delivered. */
  #carriedMs = 0;
  #timer: Timer | undefined;

  constructor(options: PacedFlowOptions) {
    this.#options = options;
  }

  get waitingBytes(): number {
    return this.#waitingBytes;
  }

  push(bytes: Uint8Array): void {
    if (this.#waitingBytes === 0) this.#carriedMs = Math.max(this.#carriedMs, this.#options.clock.monotonicMs());
    this.#waiting.push(bytes);
    this.#waitingBytes += bytes.length;
    this.#plan();
  }

  /** What waits is lost. */
  clear(): void {
    this.#timer?.cancel();
    this.#timer = undefined;
    this.#waiting.length = 0;
    this.#waitingBytes = 0;
  }

  #plan(): void {
    if (this.#timer !== undefined || this.#waitingBytes === 0) return;
    const { clock, bytesPerSecond } = this.#options;
    // A timer that comes late delivers more at once, so that the speed holds on the whole.
    const dueMs = this.#carriedMs + 1000 / bytesPerSecond;
    this.#timer = clock.setTimer(Math.max(1, dueMs - clock.monotonicMs()), () => {
      this.#timer = undefined;
      this.#deliver();
      this.#plan();
    });
  }

  #deliver(): void {
    const { clock, bytesPerSecond, deliver } = this.#options;
    const carried = Math.floor(((clock.monotonicMs() - this.#carriedMs) * bytesPerSecond) / 1000);
    const lengthBytes = Math.min(carried, this.#waitingBytes);
    if (lengthBytes === 0) return;
    this.#carriedMs += (lengthBytes * 1000) / bytesPerSecond;
    deliver(this.#take(lengthBytes));
  }

  #take(lengthBytes: number): Uint8Array {
    const parts: Uint8Array[] = [];
    let missing = lengthBytes;
    while (missing > 0) {
      const first = this.#waiting[0] as Uint8Array;
      parts.push(first.subarray(0, missing));
      if (first.length <= missing) this.#waiting.shift();
      else this.#waiting[0] = first.subarray(missing);
      missing -= Math.min(first.length, missing);
    }
    this.#waitingBytes -= lengthBytes;
    return parts.length === 1 ? (parts[0] as Uint8Array) : concatBytes(parts);
  }
}
