/** What one data mode takes: so much that its commands cost little, so little that others get their turn soon. */
export const burstBytesMax = 32_768;
export const burstBytesLeast = 2_048;
export const burstBytesFirst = 4_096;

/** Finds out what the line carries, by how long bursts took. Slow lines get short ones. */
export class BurstSize {
  readonly #burstMs: number;
  #bytes: number = burstBytesFirst;

  /** @param burstMs how long a burst may hold the line */
  constructor(burstMs: number) {
    this.#burstMs = burstMs;
  }

  /** Of the next burst, at most. */
  get bytesMax(): number {
    return this.#bytes;
  }

  /** A burst has gone out, its commands included. */
  took(lengthBytes: number, tookMs: number): void {
    // A short one tells more of its commands than of the line.
    if (lengthBytes < burstBytesLeast / 2) return;
    const fitting = tookMs <= 0 ? Infinity : Math.floor((lengthBytes * this.#burstMs) / tookMs);
    // Twice as much at the most: one that was lucky does not decide.
    const bytes = Math.min(fitting, 2 * this.#bytes);
    this.#bytes = Math.max(burstBytesLeast, Math.min(burstBytesMax, bytes));
  }
}
