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

/** @param offset where the chunks begin: at the beginning of a line */
export async function* readLines(chunks: AsyncIterable<Uint8Array>, offset: number): AsyncGenerator<InputLine, void> {
  let parts: Uint8Array[] = [];
  let partBytes = 0;
  let start = offset;
  for await (const chunk of chunks) {
    for (let at = 0; at < chunk.length;) {
      const found = chunk.indexOf(lineFeed, at);
      const part = chunk.subarray(at, found < 0 ? chunk.length : found);
      partBytes += part.length;
      if (partBytes > registrationLineBytesMax) {
        yield { bytes: undefined, start, end: start + partBytes };
        return;
      }
      parts.push(part);
      if (found < 0) break;
      yield { bytes: joined(parts, partBytes), start, end: start + partBytes + 1 };
      start += partBytes + 1;
      [parts, partBytes] = [[], 0];
      at = found + 1;
    }
  }
  if (partBytes > 0) yield { bytes: joined(parts, partBytes), start, end: start + partBytes };
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
