/** Longest line a reader keeps: a credential of {@link atCommandBytesMax} read back, with its digest and room. */
export const responseLineBytesMax = 8192;

const quote = 0x22;
const carriageReturn = 0x0d;
const lineFeed = 0x0a;
/** Only lines that begin like this carry quoted text over line ends: `+`, `%`, `#`, and an echoed `AT`. */
const structuredStarts = new Set([0x2b, 0x25, 0x23, 0x41, 0x61]);

export type ResponseLine = { type: "line"; text: string } | { type: "overlong"; droppedBytes: number };

/** Told as the bytes come: what one line says may decide what those behind it are. */
export interface ResponseSink {
  line(text: string): void;
  /** A line that was longer than the reader keeps. */
  overlong(droppedBytes: number): void;
  /** Bytes that {@link ResponseLineReader.expectRaw} announced: views of what was read. */
  raw(bytes: Uint8Array): void;
}

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
  #rawBytes = 0;
  readonly #decoder = new TextDecoder("utf-8", { ignoreBOM: true });

  constructor({ lineBytesMax = responseLineBytesMax }: { lineBytesMax?: number } = {}) {
    this.#buffer = new Uint8Array(lineBytesMax);
  }

  get pendingBytes(): number {
    return this.#length;
  }

  /** The line that has no end yet, when it is no longer than this. */
  pendingText(bytesMax: number): string | undefined {
    return this.#length > bytesMax ? undefined : this.#decoder.decode(this.#buffer.subarray(0, this.#length));
  }

  /** Of what {@link expectRaw} announced, how much has not come yet. */
  get rawBytesDue(): number {
    return this.#rawBytes;
  }

  push(bytes: Uint8Array): ResponseLine[] {
    const lines: ResponseLine[] = [];
    this.read(bytes, {
      line: (text) => lines.push({ type: "line", text }),
      overlong: (droppedBytes) => lines.push({ type: "overlong", droppedBytes }),
      raw: () => undefined,
    });
    return lines;
  }

  read(bytes: Uint8Array, sink: ResponseSink): void {
    let index = 0;
    while (index < bytes.length) {
      if (this.#rawBytes > 0) {
        const raw = bytes.subarray(index, index + this.#rawBytes);
        index += raw.length;
        this.#rawBytes -= raw.length;
        sink.raw(raw);
        continue;
      }
      const byte = bytes[index++] ?? 0;
      if (byte === lineFeed && !this.#isQuoted) this.#end(sink);
      else this.#put(byte);
    }
  }

  /** The next bytes are no lines, whatever they hold. To be called from within {@link ResponseSink.line}. */
  expectRaw(lengthBytes: number): void {
    this.#rawBytes = lengthBytes;
  }

  /** Forgets what is pending: after a time-out, the way out of a quote that never closed, and of raw bytes that never came. */
  reset(): void {
    this.#length = 0;
    this.#dropped = 0;
    this.#isQuoted = false;
    this.#rawBytes = 0;
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

  #end(sink: ResponseSink): void {
    let length = this.#length;
    while (length > 0 && this.#buffer[length - 1] === carriageReturn) length--;
    const text = this.#decoder.decode(this.#buffer.subarray(0, length));
    const droppedBytes = this.#dropped === 0 ? 0 : this.#dropped + this.#length;
    this.reset();
    if (droppedBytes > 0) sink.overlong(droppedBytes);
    else if (text.trim() !== "") sink.line(text);
  }
}
