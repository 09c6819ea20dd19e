import { atCommandBytesMax } from "./command.js";

/** What ends a command on a serial port: the build-time choice of Nordic's AT host library. */
export type AtTerminator = "CR" | "LF" | "CR+LF" | "NUL";

export interface CommandLine {
  /** Undefined when the bytes are no UTF-8: the modem answers ERROR. */
  text: string | undefined;
  /** Bytes beyond the buffer, dropped in silence on the wire, so the command behind them is cut off. */
  droppedBytes: number;
}

export interface CommandLineReaderOptions {
  /** Default `CR`, as in the AT host library. */
  terminator?: AtTerminator;
  /** Default {@link atCommandBytesMax}. */
  lineBytesMax?: number;
}

const quote = 0x22;
const carriageReturn = 0x0d;
const lineFeed = 0x0a;

/**
 * The line discipline of Nordic's AT host library: command lines out of the bytes of a serial port, in any chunking.
 *
 * A terminator counts only outside double quotes (there is no escape), so a PEM with its line ends inside quotes is
 * one command, and an odd number of quotes swallows lines until the closing quote comes. Backspace and DEL erase one
 * byte; a line without a printable character vanishes without an answer; in CR mode a following LF becomes the first
 * byte of the next command. Quotes beyond the buffer still count here, unlike in the original, which then never ends.
 */
export class CommandLineReader {
  readonly #terminator: AtTerminator;
  readonly #buffer: Uint8Array;
  #length = 0;
  #dropped = 0;
  #isQuoted = false;
  #previous = -1;
  readonly #decoder = new TextDecoder("utf-8", { fatal: true, ignoreBOM: true });

  constructor({ terminator = "CR", lineBytesMax = atCommandBytesMax }: CommandLineReaderOptions = {}) {
    this.#terminator = terminator;
    this.#buffer = new Uint8Array(lineBytesMax);
  }

  /** Bytes of the command that is not complete yet. */
  get pendingBytes(): number {
    return this.#length;
  }

  /** Takes bytes up to the end of the first command: the caller decides what becomes of those behind it. */
  take(bytes: Uint8Array, from = 0): { line: CommandLine | undefined; next: number } {
    for (let at = from; at < bytes.length; at++) {
      const line = this.#put(bytes[at] ?? 0);
      if (line !== undefined) return { line, next: at + 1 };
    }
    return { line: undefined, next: bytes.length };
  }

  /** All commands that are complete with these bytes. */
  push(bytes: Uint8Array): CommandLine[] {
    const lines: CommandLine[] = [];
    for (let at = 0; at < bytes.length;) {
      const { line, next } = this.take(bytes, at);
      if (line !== undefined) lines.push(line);
      at = next;
    }
    return lines;
  }

  reset(): void {
    this.#length = 0;
    this.#dropped = 0;
    this.#isQuoted = false;
    this.#previous = -1;
  }

  #put(byte: number): CommandLine | undefined {
    const previous = this.#previous;
    this.#previous = byte;
    if (byte === 0x08 || byte === 0x7f) {
      this.#erase();
      return undefined;
    }
    if (!this.#isQuoted && this.#isEnd(byte, previous)) return this.#end();
    if (byte === 0 && this.#terminator !== "NUL") return undefined;
    if (byte === quote) this.#isQuoted = !this.#isQuoted;
    if (this.#length === this.#buffer.length) this.#dropped++;
    else this.#buffer[this.#length++] = byte;
    return undefined;
  }

  #isEnd(byte: number, previous: number): boolean {
    switch (this.#terminator) {
      case "CR":
        return byte === carriageReturn;
      case "LF":
        return byte === lineFeed;
      case "CR+LF":
        return byte === lineFeed && previous === carriageReturn;
      case "NUL":
        return byte === 0;
    }
  }

  #erase(): void {
    if (this.#dropped > 0) {
      this.#dropped--;
      return;
    }
    if (this.#length === 0) return;
    this.#length--;
    if (this.#buffer[this.#length] === quote) this.#isQuoted = !this.#isQuoted;
  }

  #end(): CommandLine | undefined {
    let length = this.#length;
    if (this.#terminator === "CR+LF" && this.#buffer[length - 1] === carriageReturn) length--;
    const bytes = this.#buffer.subarray(0, length);
    const droppedBytes = this.#dropped;
    this.reset();
    if (!bytes.some((byte) => byte > 0x20)) return undefined;
    let text: string | undefined;
    try {
      text = this.#decoder.decode(bytes);
    } catch {
      text = undefined;
    }
    return { text, droppedBytes };
  }
}
