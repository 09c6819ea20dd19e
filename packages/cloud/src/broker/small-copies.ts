/** Room for many small copies. */
const blockBytes = 8 * 1024;
/** Larger ones get memory of their own: at most an eighth of a block is left over at its end. */
const smallBytesMax = blockBytes / 8;

/**
 * Copies of payloads. Memory of its own costs a small payload more than the copying does, so small ones share blocks; a block lives as
 * long as the last copy in it.
 */
export class SmallCopies {
  private block = new Uint8Array(0);
  private end = 0;

  copy(bytes: Uint8Array): Uint8Array {
    if (bytes.length > smallBytesMax) return bytes.slice();
    if (this.end + bytes.length > this.block.length) {
      this.block = new Uint8Array(blockBytes);
      this.end = 0;
    }
    const start = this.end;
    this.end += bytes.length;
    this.block.set(bytes, start);
    return this.block.subarray(start, this.end);
  }
}
