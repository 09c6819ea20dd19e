/** Amounts of rotation, four a round. */
const rotations = Int32Array.of(7, 12, 17, 22, 5, 9, 14, 20, 4, 11, 16, 23, 6, 10, 15, 21);
/** RFC 1321: the integer part of 2^32 times the absolute sine. */
const sines = Int32Array.from({ length: 64 }, (_none, at) => Math.floor(Math.abs(Math.sin(at + 1)) * 2 ** 32) | 0);
const blockBytes = 64;

/** MD5 of content that comes in pieces: what S3 has as the ETag of an object. Nothing here is protected by it. */
export class Md5 {
  readonly #state = Int32Array.of(0x67452301, 0xefcdab89 | 0, 0x98badcfe | 0, 0x10325476);
  /** What is less than a block. */
  readonly #rest = new Uint8Array(blockBytes);
  readonly #words = new Int32Array(16);
  #restBytes = 0;
  #bytes = 0;

  update(chunk: Uint8Array): void {
    this.#bytes += chunk.length;
    let at = 0;
    if (this.#restBytes > 0) {
      at = Math.min(chunk.length, blockBytes - this.#restBytes);
      this.#rest.set(chunk.subarray(0, at), this.#restBytes);
      this.#restBytes += at;
      if (this.#restBytes < blockBytes) return;
      this.#block(this.#rest, 0);
      this.#restBytes = 0;
    }
    for (; at + blockBytes <= chunk.length; at += blockBytes) this.#block(chunk, at);
    this.#rest.set(chunk.subarray(at));
    this.#restBytes = chunk.length - at;
  }

  /** To be called once. */
  digest(): Uint8Array {
    const bits = this.#bytes * 8;
    const padding = new Uint8Array(((119 - (this.#bytes % blockBytes)) % blockBytes) + 9);
    padding[0] = 0x80;
    const view = new DataView(padding.buffer);
    view.setUint32(padding.length - 8, bits % 2 ** 32, true);
    view.setUint32(padding.length - 4, Math.floor(bits / 2 ** 32), true);
    this.update(padding);
    const digest = new DataView(new ArrayBuffer(16));
    this.#state.forEach((word, at) => digest.setInt32(at * 4, word, true));
    return new Uint8Array(digest.buffer);
  }

  #block(bytes: Uint8Array, start: number): void {
    const words = this.#words;
    for (let at = 0, from = start; at < 16; at++, from += 4) {
      words[at] =
        (bytes[from] as number) |
        ((bytes[from + 1] as number) << 8) |
        ((bytes[from + 2] as number) << 16) |
        ((bytes[from + 3] as number) << 24);
    }
    const state = this.#state;
    let a = state[0] as number;
    let b = state[1] as number;
    let c = state[2] as number;
    let d = state[3] as number;
    // A loop for each round: what differs between them is decided once and not 64 times for each block.
    for (let step = 0; step < 16; step++) {
      const sum = (a + ((b & c) | (~b & d)) + (sines[step] as number) + (words[step] as number)) | 0;
      const by = rotations[step & 3] as number;
      a = d;
      d = c;
      c = b;
      b = (b + ((sum << by) | (sum >>> (32 - by)))) | 0;
    }
    for (let step = 0; step < 16; step++) {
      const sum =
        (a + ((d & b) | (~d & c)) + (sines[16 + step] as number) + (words[(5 * step + 1) & 15] as number)) | 0;
      const by = rotations[4 + (step & 3)] as number;
      a = d;
      d = c;
      c = b;
      b = (b + ((sum << by) | (sum >>> (32 - by)))) | 0;
    }
    for (let step = 0; step < 16; step++) {
      const sum = (a + (b ^ c ^ d) + (sines[32 + step] as number) + (words[(3 * step + 5) & 15] as number)) | 0;
      const by = rotations[8 + (step & 3)] as number;
      a = d;
      d = c;
      c = b;
      b = (b + ((sum << by) | (sum >>> (32 - by)))) | 0;
    }
    for (let step = 0; step < 16; step++) {
      const sum = (a + (c ^ (b | ~d)) + (sines[48 + step] as number) + (words[(7 * step) & 15] as number)) | 0;
      const by = rotations[12 + (step & 3)] as number;
      a = d;
      d = c;
      c = b;
      b = (b + ((sum << by) | (sum >>> (32 - by)))) | 0;
    }
    state[0] = ((state[0] as number) + a) | 0;
    state[1] = ((state[1] as number) + b) | 0;
    state[2] = ((state[2] as number) + c) | 0;
    state[3] = ((state[3] as number) + d) | 0;
  }
}
