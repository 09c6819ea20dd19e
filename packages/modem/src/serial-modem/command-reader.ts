import { type AtTerminator, CommandLineReader, type CommandLine } from "@thingline/protocol/at";
import type { SerialModemTraits } from "./dialect.js";

/** A letter, then its partner: what a command begins with, in any case. */
const beginning = [new Set([0x41, 0x61]), new Set([0x54, 0x74])];

/** Command lines out of the bytes of the line, with the dialect's way of meeting noise. */
export class SerialCommandReader {
  readonly #reader: CommandLineReader;
  readonly #skipsNoise: boolean;

  constructor({ commandBytesMax, skipsNoise }: SerialModemTraits, terminator: AtTerminator) {
    this.#reader = new CommandLineReader({ terminator, lineBytesMax: commandBytesMax });
    this.#skipsNoise = skipsNoise;
  }

  /** Bytes of a command that is not complete yet. */
  get pendingBytes(): number {
    return this.#reader.pendingBytes;
  }

  /** Takes bytes up to the end of the first command. */
  take(bytes: Uint8Array, from: number): { line: CommandLine | undefined; next: number } {
    let at = from;
    // Only what may begin a command is looked at byte by byte.
    while (this.#skipsNoise && at < bytes.length && this.#reader.pendingBytes < beginning.length) {
      const isExpected = beginning[this.#reader.pendingBytes]?.has(bytes[at] ?? 0) ?? false;
      if (isExpected) this.#reader.take(bytes.subarray(at, at + 1));
      else this.#reader.reset();
      at++;
    }
    return this.#reader.take(bytes, at);
  }

  reset(): void {
    this.#reader.reset();
  }
}

/** What may be said of a line before anybody looks at its parameters. */
export type CheckedLine = { type: "command"; text: string } | { type: "invalid" };

/**
 * The grammar that a line must have: AT in any case, then nothing, or `+`, `%` or `#` with a name, then nothing, `?`, `=?` or `=` with
 * anything. Later applications pass over what comes before the AT, and know `ATE0` and `ATE1`.
 */
export function checkLine({ text, droppedBytes }: CommandLine, traits: SerialModemTraits): CheckedLine {
  if (text === undefined || droppedBytes > 0) return { type: "invalid" };
  const start = traits.dialect === "slm-1.x" ? 0 : text.search(/AT/i);
  const command = start < 0 ? text : text.slice(start);
  const pattern = traits.switchesEcho ? newerGrammar : grammar;
  return pattern.test(command) ? { type: "command", text: command } : { type: "invalid" };
}

const grammar = /^AT(?:[+%#][A-Z0-9]+(?:\?|=\?|=[^]*)?)?$/i;
const newerGrammar = /^AT(?:E[01]|[+%#][A-Z0-9_]+(?:\?|=\?|=[^]*)?)?$/i;
