/** A chunk that is smaller shares a block with others. */
export const blockShareBytes = 4_096;
const blockBytes = 65_536;

/** Content that comes in chunks: many small ones do not cost more than their bytes. */
export class BlobBlocks {
  readonly #parts: Uint8Array[] = [];
  #block = new Uint8Array(0);
  /** Of the block: what no part holds yet begins here, and ends there. */
  #from = 0;
  #to = 0;

  get count(): number {
    return this.#parts.length + (this.#to > this.#from ? 1 : 0);
  }

  /** The chunk stays its giver's. */
  add(chunk: Uint8Array): void {
    if (chunk.length >= blockShareBytes) {
      this.#endPart();
      this.#parts.push(chunk.slice());
      return;
    }
    if (this.#to + chunk.length > this.#block.length) {
      this.#endPart();
      this.#block = new Uint8Array(blockBytes);
      this.#from = this.#to = 0;
    }
    this.#block.set(chunk, this.#to);
    this.#to += chunk.length;
  }

  #endPart(): void {
    if (this.#to > this.#from) this.#parts.push(this.#block.subarray(this.#from, this.#to));
    this.#from = this.#to;
  }

  whole(): Uint8Array {
    this.#endPart();
    const whole = new Uint8Array(this.#parts.reduce((sum, { length }) => sum + length, 0));
    let at = 0;
    for (const part of this.#parts) {
      whole.set(part, at);
      at += part.length;
    }
    return whole;
  }
}
