import type { Readable } from "node:stream";
import { ThinglineError } from "@thingline/protocol";

export type InputLine = { type: "line"; bytes: Uint8Array } | { type: "tooLong"; number: number };

const lineFeed = 0x0a;
const carriageReturn = 0x0d;

/**
 * The lines of an input, byte for byte, without LF or CRLF. Never more than one line of `lineBytesMax` is held: of a longer one only
 * its number is told, as soon as it is too long, and the rest of it is passed over.
 *
 * @throws {ThinglineError} FILE_UNREADABLE when the input fails.
 */
export async function* readLines(
  input: Readable,
  { lineBytesMax, signal }: { lineBytesMax: number; signal: AbortSignal },
): AsyncGenerator<InputLine> {
  const splitter = new LineSplitter(lineBytesMax);
  const stop = () => input.destroy();
  if (signal.aborted) return;
  signal.addEventListener("abort", stop, { once: true });
  try {
    for await (const chunk of input as AsyncIterable<Uint8Array | string>) {
      yield* splitter.add(typeof chunk === "string" ? Buffer.from(chunk) : chunk);
    }
    yield* splitter.end();
  } catch (cause) {
    if (signal.aborted) return;
    const code = cause instanceof Error && "code" in cause ? String(cause.code) : "unknown";
    if (code === "unknown") throw cause;
    const message = `cannot read standard input: ${code}`;
    throw new ThinglineError("FILE_UNREADABLE", message, { details: { systemCode: code }, cause });
  } finally {
    signal.removeEventListener("abort", stop);
  }
}

class LineSplitter {
  readonly #lineBytesMax: number;
  #held: Uint8Array[] = [];
  #heldBytes = 0;
  #number = 1;
  #isPassedOver = false;

  constructor(lineBytesMax: number) {
    this.#lineBytesMax = lineBytesMax;
  }

  *add(chunk: Uint8Array): Generator<InputLine> {
    let start = 0;
    for (let at = chunk.indexOf(lineFeed); at >= 0; at = chunk.indexOf(lineFeed, start)) {
      yield* this.#hold(chunk.subarray(start, at));
      yield* this.#endLine();
      start = at + 1;
    }
    yield* this.#hold(chunk.subarray(start));
  }

  *end(): Generator<InputLine> {
    if (this.#heldBytes > 0) yield* this.#endLine();
  }

  *#hold(part: Uint8Array): Generator<InputLine> {
    if (this.#isPassedOver || part.length === 0) return;
    // The line end may still be a CRLF.
    if (this.#heldBytes + part.length <= this.#lineBytesMax + 1) {
      this.#held.push(part.slice());
      this.#heldBytes += part.length;
      return;
    }
    yield* this.#passOver();
  }

  *#passOver(): Generator<InputLine> {
    this.#isPassedOver = true;
    this.#held = [];
    this.#heldBytes = 0;
    yield { type: "tooLong", number: this.#number };
  }

  *#endLine(): Generator<InputLine> {
    if (!this.#isPassedOver) {
      const whole = Buffer.concat(this.#held, this.#heldBytes);
      const bytes = whole.at(-1) === carriageReturn ? whole.subarray(0, -1) : whole;
      if (bytes.length > this.#lineBytesMax) yield* this.#passOver();
      else yield { type: "line", bytes: new Uint8Array(bytes) };
    }
    this.#held = [];
    this.#heldBytes = 0;
    this.#isPassedOver = false;
    this.#number += 1;
  }
}
