/** Of IP and TCP, before each {@link segmentBytes} of a stream. */
const headerBytes = 40;
/** Bytes of a stream in one packet of 1,500 bytes. */
export const segmentBytes = 1_460;

/** One direction of a link that carries so many bits a second, for all connections together: bytes leave one after the other. */
export class LinkRate {
  readonly #bitsPerSecond: number;
  #freeAtMs = 0;

  constructor(bitsPerSecond: number) {
    this.#bitsPerSecond = bitsPerSecond;
  }

  /** @returns when the last of these bytes has left, behind all that came before */
  pass(streamBytes: number, nowMs: number): number {
    const bytes = streamBytes + Math.ceil(streamBytes / segmentBytes) * headerBytes;
    this.#freeAtMs = Math.max(nowMs, this.#freeAtMs) + (bytes * 8_000) / this.#bitsPerSecond;
    return this.#freeAtMs;
  }
}
