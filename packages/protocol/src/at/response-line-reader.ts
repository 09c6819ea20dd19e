/** Longest line a reader keeps: a credential of {@link atCommandBytesMax} read back, with its digest and room. */
export const responseLineBytesMax = 8192;

const quote = 0x22;
const carriageReturn = 0x0d;
const lineFeed = 0x0a;
/** Only lines that begin like this carry quoted text over line ends: `+`, `%`, `#`, and an echoed `AT`. */
const structuredStarts = new Set([0x2b, 0x25, 0x23, 0x41, 0x61]);

export type ResponseLine = { type: "line"; text: string } | { type: "overlong"; droppedBytes: number };

/**
 * Lines out of what a modem sends, in any chunking: responses, final result codes and URCs alike.
 *
 * A line ends with LF or CR LF outside double quotes; quoted text keeps its line ends (`%CMNG=2`). Empty lines vanish,
 * so both framings are read. Noise becomes replacement characters rather than an error; a quote in a line that cannot
 * hold quoted text does not count, so that noise does not swallow what follows it.
 */
export class ResponseLineReader {
  readonly #buffer: Uint8Array;
  #length = 0;
  #dropped = 0;
  #isQuoted = false;
  readonly #decoder = new TextDecoder("utf-8", { ignoreBOM: true });

  constructor({ lineBytesMax = responseLineBytesMax }: { lineBytesMax?: number } = {}) {
    this.#buffer = new Uint8Array(lineBytesMax);
  }

  get pendingBytes(): number {
    return this.#length;
  }

  push(bytes: Uint8Array): ResponseLine[] {
    const lines: ResponseLine[] = [];
    for (const byte of bytes) {
      if (byte === lineFeed && !this.#isQuoted) this.#end(lines);
      else this.#put(byte);
    }
    return lines;
  }

  /** Forgets what is pending: after a time-out, the way out of a quote that never closed. */
  reset(): void {
    this.#length = 0;
    this.#dropped = 0;
    this.#isQuoted = false;
  }

  /**
   * Forgets the beginning of a line that cannot become a URC or information with a name: before a command is sent nothing else is due,
   * so it is noise, and would spoil the first line of the answer.
   */
  dropNoise(): void {
    const [first = 0] = this.#buffer;
    if (this.#length > 0 && first !== 0x2b && first !== 0x25 && first !== 0x23) this.reset();
  }

  #put(byte: number): void {
    if (this.#dropped > 0 || this.#length === this.#buffer.length) {
      // What is cut off has no structure left; the next line end ends it.
      this.#dropped++;
      this.#isQuoted = false;
      return;
    }
    // CR LF inside quotes belongs to the content; anywhere else a leading CR is framing.
    if (this.#length === 0 && (byte === carriageReturn || byte === 0)) return;
    this.#buffer[this.#length++] = byte;
    if (byte === quote && structuredStarts.has(this.#buffer[0] ?? 0)) this.#isQuoted = !this.#isQuoted;
  }

  #end(lines: ResponseLine[]): void {
    let length = this.#length;
    while (length > 0 && this.#buffer[length - 1] === carriageReturn) length--;
    const text = this.#decoder.decode(this.#buffer.subarray(0, length));
    const droppedBytes = this.#dropped === 0 ? 0 : this.#dropped + this.#length;
    this.reset();
    if (droppedBytes > 0) lines.push({ type: "overlong", droppedBytes });
    else if (text.trim() !== "") lines.push({ type: "line", text });
  }
}
