import { optionInvalid } from "@thingline/protocol";
import type { Flash } from "@thingline/transport";

/** So many bytes are gathered before they are written, as in the original; what a `sync` asks for is written sooner. */
export const slotBufferBytes = 512;

export interface SlotWriterOptions {
  area: Flash;
  /** Where the image begins in the area: a multiple of its pages. */
  areaOffset: number;
  sizeBytes: number;
  /** Where this begins in the image: at a page. */
  offset: number;
  /** Up to where the area is erased already. */
  erasedTo: number;
  /** From where on it is erased already, up to the end. */
  erasedFrom: number;
}

/** Writes an image of a known size into an area: pages are erased when they are come to, and units of flash are written whole. */
export class SlotWriter {
  readonly #area: Flash;
  readonly #areaOffset: number;
  readonly #sizeBytes: number;
  readonly #erasedFrom: number;
  readonly #buffer: Uint8Array;
  #buffered = 0;
  /** Of the image, what is on flash. */
  #written: number;
  #erasedTo: number;

  constructor({ area, areaOffset, sizeBytes, offset, erasedTo, erasedFrom }: SlotWriterOptions) {
    this.#area = area;
    this.#areaOffset = areaOffset;
    this.#sizeBytes = sizeBytes;
    this.#written = offset;
    this.#erasedTo = erasedTo;
    this.#erasedFrom = erasedFrom;
    this.#buffer = new Uint8Array(Math.max(slotBufferBytes, area.writeBytes));
  }

  /** @throws {ThinglineError} OPTION_INVALID when the bytes do not follow those before, or are more than the image has; FLASH_FAILED */
  async write(offset: number, bytes: Uint8Array): Promise<void> {
    const position = this.#written + this.#buffered;
    if (offset !== position) throw optionInvalid("offset", `${position}, where the last write ended`, offset);
    if (offset + bytes.length > this.#sizeBytes) {
      throw optionInvalid("bytes", `at most ${this.#sizeBytes - offset} more bytes`, bytes.length);
    }
    for (let taken = 0; taken < bytes.length;) {
      const part = bytes.subarray(taken, taken + this.#buffer.length - this.#buffered);
      this.#buffer.set(part, this.#buffered);
      this.#buffered += part.length;
      taken += part.length;
      if (this.#buffered === this.#buffer.length) await this.#flush();
    }
  }

  /** Writes what fills units, and with the last byte of the image the rest. @returns how much of the image is on flash */
  async sync(): Promise<number> {
    await this.#flush();
    return this.#written;
  }

  async #flush(): Promise<void> {
    const { writeBytes, erasedByte } = this.#area;
    const isEnd = this.#written + this.#buffered === this.#sizeBytes;
    const rest = isEnd ? 0 : this.#buffered % writeBytes;
    const length = this.#buffered - rest;
    if (length === 0) return;
    const padded = this.#buffer.slice(0, Math.ceil(length / writeBytes) * writeBytes).fill(erasedByte, length);
    const at = this.#areaOffset + this.#written;
    await this.#eraseTo(at + padded.length);
    await this.#area.write(at, padded);
    this.#buffer.copyWithin(0, length, this.#buffered);
    this.#buffered = rest;
    this.#written += length;
  }

  async #eraseTo(end: number): Promise<void> {
    const { pageBytes } = this.#area;
    while (this.#erasedTo < end && this.#erasedTo < this.#erasedFrom) {
      await this.#area.erase(this.#erasedTo, pageBytes);
      this.#erasedTo += pageBytes;
    }
  }
}
