/**
 * A PUBLISH that is larger than its receiver takes, on its way through: fixed header, topic and packet identifier are kept,
 * 65,544 bytes at the most, and the payload is counted.
 */
export class OversizePublish {
  readonly headerBytes: number;
  readonly #totalBytes: number;
  #head: Uint8Array;
  #headFilled = 0;
  #isTopicLengthKnown = false;
  #left = 0;

  /** @param headerBytes of the fixed header: first byte and remaining length */
  constructor(totalBytes: number, headerBytes: number) {
    this.#totalBytes = totalBytes;
    this.headerBytes = headerBytes;
    this.#head = new Uint8Array(headerBytes + 2);
  }

  /** Everything before the payload, once it has come. */
  get head(): Uint8Array {
    return this.#head;
  }

  /** Without the payload. */
  get headLength(): number {
    return this.#head.length;
  }

  get payloadBytes(): number {
    return this.#totalBytes - this.#head.length;
  }

  get isComplete(): boolean {
    return this.#isTopicLengthKnown && this.#headFilled === this.#head.length && this.#left === 0;
  }

  /** @returns how many of the bytes from `start` to `end` belong to this packet */
  take(bytes: Uint8Array, start: number, end: number): number {
    let at = start;
    while (at < end && this.#headFilled < this.#head.length) {
      const count = Math.min(end - at, this.#head.length - this.#headFilled);
      this.#head.set(bytes.subarray(at, at + count), this.#headFilled);
      this.#headFilled += count;
      at += count;
      if (this.#headFilled === this.#head.length && !this.#isTopicLengthKnown) this.#learnTopicLength();
    }
    const skipped = Math.min(this.#left, end - at);
    this.#left -= skipped;
    return at + skipped - start;
  }

  #learnTopicLength(): void {
    const { headerBytes } = this;
    const short = this.#head;
    const packetIdBytes = (short[0]! & 6) === 0 ? 0 : 2;
    const length = headerBytes + 2 + ((short[headerBytes]! << 8) | short[headerBytes + 1]!) + packetIdBytes;
    // A topic that is longer than its packet is found out when the head is read.
    this.#head = new Uint8Array(Math.min(length, this.#totalBytes));
    this.#head.set(short);
    this.#left = this.#totalBytes - this.#head.length;
    this.#isTopicLengthKnown = true;
  }
}
