/**
 * Which blocks of a file to ask for next, and the blocks that came, put in order. Nothing is asked for further than the window ahead of what was
 * taken, so the window bounds what is held here however slow the taker is.
 */
export class BlockWindow {
  readonly #sizeBytes: number;
  readonly #blockBytes: number;
  readonly #windowBlocks: number;
  readonly #blockCount: number;
  /** What came and was not taken. */
  readonly #held = new Map<number, Uint8Array>();
  /** Asked for, and not come. */
  readonly #asked = new Set<number>();
  /** Asked for in vain. */
  readonly #missing = new Set<number>();
  #nextBlock: number;
  #takenTo: number;
  /** Bytes of the first block that the taker has already. */
  #skipBytes: number;

  constructor(options: { sizeBytes: number; offset: number; blockBytes: number; windowBlocks: number }) {
    const { sizeBytes, offset, blockBytes, windowBlocks } = options;
    this.#sizeBytes = sizeBytes;
    this.#blockBytes = blockBytes;
    this.#windowBlocks = windowBlocks;
    this.#blockCount = Math.ceil(sizeBytes / blockBytes);
    this.#takenTo = this.#nextBlock = Math.floor(offset / blockBytes);
    this.#skipBytes = offset - this.#takenTo * blockBytes;
    if (offset >= sizeBytes) this.#takenTo = this.#nextBlock = this.#blockCount;
  }

  get isTaken(): boolean {
    return this.#takenTo >= this.#blockCount;
  }

  get heldCount(): number {
    return this.#held.size;
  }

  get askedCount(): number {
    return this.#asked.size;
  }

  isAsked(block: number): boolean {
    return this.#asked.has(block);
  }

  /** So many bytes a block of the file has. */
  bytesOf(block: number): number {
    return Math.min(this.#blockBytes, this.#sizeBytes - block * this.#blockBytes);
  }

  /**
   * What to ask for: what was asked for in vain goes first. Undefined: nothing now.
   *
   * @param blocksMax of one request
   * @param spanMax how far the last may be from the first
   */
  next(blocksMax: number, spanMax: number): number[] | undefined {
    const again = [...this.#missing].sort((a, b) => a - b).slice(0, blocksMax);
    const [first] = again;
    if (first !== undefined) {
      const blocks = again.filter((block) => block - first < spanMax);
      for (const block of blocks) this.#missing.delete(block);
      return this.#ask(blocks);
    }
    const end = Math.min(this.#blockCount, this.#nextBlock + blocksMax, this.#takenTo + this.#windowBlocks);
    const isWhole = end === this.#blockCount || end === this.#nextBlock + blocksMax;
    // A request that the window cuts short waits, unless nothing else is on its way: small requests cost a round trip each.
    if (end <= this.#nextBlock || (!isWhole && this.#asked.size > 0)) return undefined;
    const blocks = Array.from({ length: end - this.#nextBlock }, (_, at) => this.#nextBlock + at);
    this.#nextBlock = end;
    return this.#ask(blocks);
  }

  #ask(blocks: number[]): number[] {
    for (const block of blocks) this.#asked.add(block);
    return blocks;
  }

  /** They do not come: they are asked for again. Those that came are not. */
  giveBack(blocks: Iterable<number>): void {
    for (const block of blocks) if (this.#asked.delete(block)) this.#missing.add(block);
  }

  /** @returns false for one that is not waited for: it comes twice, or was never asked for */
  push(block: number, bytes: Uint8Array): boolean {
    if (!this.#asked.delete(block) && !this.#missing.delete(block)) return false;
    this.#held.set(block, bytes);
    return true;
  }

  /** The next bytes in order, if they are here. */
  take(): Uint8Array | undefined {
    const bytes = this.#held.get(this.#takenTo);
    if (bytes === undefined) return undefined;
    this.#held.delete(this.#takenTo);
    this.#takenTo += 1;
    const taken = this.#skipBytes === 0 ? bytes : bytes.subarray(this.#skipBytes);
    this.#skipBytes = 0;
    return taken;
  }
}
