import type { SerialModemCounters } from "./options.js";

/** URCs that wait for a free line; one that does not fit any more takes all of them with it, as in the original. */
export const heldBytesMax = 4096;

/** URCs that are told when the line is free. */
export class HeldNotifications {
  readonly #bytesMax: number;
  readonly #counters: SerialModemCounters;
  #held: Uint8Array[] = [];
  #heldBytes = 0;

  constructor(bytesMax: number, counters: SerialModemCounters) {
    this.#bytesMax = bytesMax;
    this.#counters = counters;
  }

  get isEmpty(): boolean {
    return this.#held.length === 0;
  }

  put(bytes: Uint8Array): void {
    if (this.#heldBytes + bytes.length > this.#bytesMax) {
      this.#counters.droppedNotifications += this.#held.length + 1;
      this.clear();
      return;
    }
    this.#held.push(bytes);
    this.#heldBytes += bytes.length;
  }

  takeAll(): Uint8Array[] {
    const held = this.#held;
    this.clear();
    return held;
  }

  clear(): void {
    this.#held = [];
    this.#heldBytes = 0;
  }
}
