import { downloadChunkBytesMax } from "../downloader.js";

/** Bytes of a file from `first` to `last`, both included. */
export interface ByteRange {
  first: number;
  last: number;
}

/**
 * Which bytes to ask for next, and the bytes that came, put in order. Of what is asked for nothing lies further than the window ahead of what
 * was taken, so the window bounds what is held here however slow the taker is.
 */
export class RangeAssembly {
  readonly #sizeBytes: number;
  readonly #windowBytes: number;
  /** What came and was not taken, by its place in the file. */
  readonly #pieces = new Map<number, Uint8Array>();
  /** What was asked for in vain, lowest first. */
  #again: ByteRange[] = [];
  #askedTo: number;
  #takenTo: number;
  #heldBytes = 0;

  constructor({ offset, sizeBytes, windowBytes }: { offset: number; sizeBytes: number; windowBytes: number }) {
    this.#sizeBytes = sizeBytes;
    this.#windowBytes = windowBytes;
    this.#askedTo = this.#takenTo = offset;
  }

  /** Where the next byte goes that is taken. */
  get takenTo(): number {
    return this.#takenTo;
  }

  get heldBytes(): number {
    return this.#heldBytes;
  }

  get isTaken(): boolean {
    return this.#takenTo >= this.#sizeBytes;
  }

  /** Nothing is left to ask for, unless something that was asked for does not come. */
  get isAsked(): boolean {
    return this.#askedTo >= this.#sizeBytes && this.#again.length === 0;
  }

  /** The next range to ask for, of at most `bytesMax`. Undefined: none now. */
  next(bytesMax: number): ByteRange | undefined {
    const again = this.#again.shift();
    if (again) {
      const last = Math.min(again.last, again.first + bytesMax - 1);
      if (last < again.last) this.#again.unshift({ first: last + 1, last: again.last });
      return { first: again.first, last };
    }
    const end = Math.min(this.#sizeBytes, this.#askedTo + bytesMax, this.#takenTo + this.#windowBytes);
    // A range that the window cuts short waits, unless nothing else is on its way: small ranges cost a round trip each.
    const isWhole = end === this.#sizeBytes || end === this.#askedTo + bytesMax;
    if (end <= this.#askedTo || (!isWhole && this.#askedTo > this.#takenTo)) return undefined;
    const range = { first: this.#askedTo, last: end - 1 };
    this.#askedTo = end;
    return range;
  }

  /** Everything from here on comes by itself. */
  askedAll(): void {
    this.#askedTo = this.#sizeBytes;
  }

  /** The rest of a range that does not come. */
  giveBack(range: ByteRange): void {
    if (range.first > range.last) return;
    this.#again.push(range);
    this.#again.sort((a, b) => a.first - b.first);
  }

  push(at: number, bytes: Uint8Array): void {
    for (let from = 0; from < bytes.length; from += downloadChunkBytesMax) {
      const piece = bytes.subarray(from, from + downloadChunkBytesMax);
      // A small view would keep its whole buffer.
      this.#pieces.set(at + from, piece.length * 4 < piece.buffer.byteLength ? piece.slice() : piece);
      this.#heldBytes += piece.length;
    }
  }

  /** The next bytes in order, if they are here. */
  take(): Uint8Array | undefined {
    const piece = this.#pieces.get(this.#takenTo);
    if (!piece) return undefined;
    this.#pieces.delete(this.#takenTo);
    this.#takenTo += piece.length;
    this.#heldBytes -= piece.length;
    return piece;
  }
}
