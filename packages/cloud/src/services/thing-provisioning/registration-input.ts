import { registrationLineBytesMax } from "./model.js";

/** A line of the input, without its line end; places are in bytes of the whole input. */
export interface InputLine {
  /** Undefined for a line longer than {@link registrationLineBytesMax}, behind which nothing is read. */
  readonly bytes: Uint8Array | undefined;
  readonly start: number;
  /** Where the next line begins. */
  readonly end: number;
}

const lineFeed = 0x0a;

/** Cuts chunks of bytes into lines, however the chunks are cut. */
export class LineSplitter {
  #parts: Uint8Array[] = [];
  #partBytes = 0;
  #start: number;

  /** @param offset where the first chunk begins: at the beginning of a line */
  constructor(offset: number) {
    this.#start = offset;
  }

  /** The lines that end in the chunk. */
  *push(chunk: Uint8Array): Generator<InputLine, void> {
    for (let at = 0; at < chunk.length;) {
      const found = chunk.indexOf(lineFeed, at);
      const part = chunk.subarray(at, found < 0 ? chunk.length : found);
      this.#partBytes += part.length;
      const isTooLong = this.#partBytes > registrationLineBytesMax;
      if (isTooLong) this.#parts = [];
      else this.#parts.push(part);
      if (isTooLong || found >= 0) yield this.#take(isTooLong, 1);
      if (isTooLong || found < 0) return;
      at = found + 1;
    }
  }

  /** The last line, when no line end follows it. */
  end(): InputLine | undefined {
    return this.#partBytes === 0 ? undefined : this.#take(false, 0);
  }

  #take(isTooLong: boolean, endBytes: number): InputLine {
    const start = this.#start;
    const bytes = isTooLong ? undefined : joined(this.#parts, this.#partBytes);
    this.#start += this.#partBytes + endBytes;
    [this.#parts, this.#partBytes] = [[], 0];
    return { bytes, start, end: this.#start };
  }
}

function joined(parts: readonly Uint8Array[], bytes: number): Uint8Array {
  const [only] = parts;
  if (only !== undefined && parts.length === 1) return only;
  const whole = new Uint8Array(bytes);
  let at = 0;
  for (const part of parts) {
    whole.set(part, at);
    at += part.length;
  }
  return whole;
}

/** The parameters of a line. @throws {Error} what is wrong with it, in words */
export function parseParameters(line: Uint8Array): Readonly<Record<string, unknown>> {
  const json: unknown = JSON.parse(new TextDecoder("utf-8", { fatal: true }).decode(line));
  if (typeof json !== "object" || json === null || Array.isArray(json)) throw new TypeError("it is other JSON");
  return json as Readonly<Record<string, unknown>>;
}
