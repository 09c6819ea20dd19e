import { S3Fault } from "./fault.js";

/** Of a line with the size of a chunk, or of a trailer. */
export const chunkLineBytesMax = 1_024;
export const chunkTrailersMax = 10;

export interface DecodedChunks {
  content: AsyncIterable<Uint8Array>;
  /** By lower-case names, when all of the content was taken. */
  trailers: ReadonlyMap<string, string>;
}

/**
 * Takes `aws-chunked` apart: lines with the size of what follows, in hexadecimal, and trailers behind a chunk of nothing.
 *
 * @throws {S3Fault} in the course of the content, for what is not so
 */
export function decodeAwsChunked(body: AsyncIterable<Uint8Array>): DecodedChunks {
  const trailers = new Map<string, string>();
  return { content: decode(new ByteLines(body), trailers), trailers };
}

async function* decode(input: ByteLines, trailers: Map<string, string>): AsyncGenerator<Uint8Array, void> {
  try {
    for (;;) {
      const size = sizeOf(await input.line());
      if (size === 0) break;
      for (let left = size; left > 0;) {
        const piece = await input.piece(left);
        left -= piece.length;
        yield piece;
      }
      if ((await input.line()) !== "") throw malformed();
    }
    for (let line = await input.line(); line !== ""; line = await input.line()) {
      const [, name, value] = /^([a-z0-9-]+)\s*:\s*(.*?)\s*$/i.exec(line) ?? [];
      if (
        name === undefined ||
        value === undefined ||
        trailers.size >= chunkTrailersMax ||
        trailers.has(name.toLowerCase())
      )
        throw malformed();
      trailers.set(name.toLowerCase(), value);
    }
    await input.end();
  } finally {
    await input.leave();
  }
}

function sizeOf(line: string): number {
  const [, digits] = /^([0-9a-f]{1,8})(?:;.*)?$/i.exec(line) ?? [];
  if (digits === undefined) throw malformed();
  return parseInt(digits, 16);
}

const malformed = () => new S3Fault("IncompleteBody", "The request body is not well chunked");

/** Lines and pieces of a stream of bytes, however it is cut. */
class ByteLines {
  readonly #chunks: AsyncIterator<Uint8Array>;
  #rest = new Uint8Array(0);

  constructor(body: AsyncIterable<Uint8Array>) {
    this.#chunks = body[Symbol.asyncIterator]();
  }

  /** Without its end, which is CR LF. */
  async line(): Promise<string> {
    const bytes: number[] = [];
    for (;;) {
      const [byte] = await this.piece(1);
      if (byte === 0x0a && bytes.at(-1) === 0x0d) return String.fromCharCode(...bytes.slice(0, -1));
      if (bytes.length >= chunkLineBytesMax) throw malformed();
      bytes.push(byte as number);
    }
  }

  /** At least a byte and at most so many. */
  async piece(bytesMax: number): Promise<Uint8Array> {
    while (this.#rest.length === 0) {
      const step = await this.#chunks.next();
      if (step.done === true) throw malformed();
      this.#rest = step.value as Uint8Array<ArrayBuffer>;
    }
    const taken = this.#rest.subarray(0, bytesMax);
    this.#rest = this.#rest.subarray(taken.length);
    return taken;
  }

  /** Nothing may follow. */
  async end(): Promise<void> {
    while (this.#rest.length === 0) {
      const step = await this.#chunks.next();
      if (step.done === true) return;
      this.#rest = step.value as Uint8Array<ArrayBuffer>;
    }
    throw malformed();
  }

  async leave(): Promise<void> {
    await this.#chunks.return?.();
  }
}
