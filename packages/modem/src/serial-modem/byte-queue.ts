/** Bytes that came and were not asked for yet. */
export class ByteQueue {
  #chunks: Uint8Array[] = [];
  #lengthBytes = 0;

  get lengthBytes(): number {
    return this.#lengthBytes;
  }

  put(bytes: Uint8Array): void {
    if (bytes.length === 0) return;
    this.#chunks.push(bytes);
    this.#lengthBytes += bytes.length;
  }

  /** The first bytes, a copy; they stay where they are. */
  peek(bytesMax: number): Uint8Array {
    const bytes = new Uint8Array(Math.min(bytesMax, this.#lengthBytes));
    let at = 0;
    for (const chunk of this.#chunks) {
      if (at === bytes.length) break;
      const part = chunk.subarray(0, bytes.length - at);
      bytes.set(part, at);
      at += part.length;
    }
    return bytes;
  }

  take(bytesMax: number): Uint8Array {
    const bytes = this.peek(bytesMax);
    this.#drop(bytes.length);
    return bytes;
  }

  clear(): void {
    this.#chunks = [];
    this.#lengthBytes = 0;
  }

  #drop(lengthBytes: number): void {
    this.#lengthBytes -= lengthBytes;
    let rest = lengthBytes;
    let whole = 0;
    while (rest > 0) {
      const chunk = this.#chunks[whole];
      if (chunk === undefined) break;
      if (chunk.length > rest) {
        this.#chunks[whole] = chunk.subarray(rest);
        break;
      }
      rest -= chunk.length;
      whole++;
    }
    this.#chunks.splice(0, whole);
  }
}
