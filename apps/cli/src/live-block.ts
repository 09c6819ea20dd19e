import type { TextStream } from "./output.js";

const escape = String.fromCharCode(0x1b);
const eraseToEnd = `${escape}[K`;
const eraseBelow = `${escape}[J`;
const moveUp = (lines: number) => (lines === 0 ? "\r" : `\r${escape}[${lines}A`);

/** Lines at the bottom of a terminal that are drawn over again. Nothing else may be printed while they are shown. */
export class LiveBlock {
  readonly #stream: TextStream;
  #shown = 0;

  constructor(stream: TextStream) {
    this.#stream = stream;
  }

  /** No line may be wider than the terminal: it would take two. */
  show(lines: readonly string[]): void {
    const drawn = lines.map((line) => `${line}${eraseToEnd}\n`).join("");
    this.#stream.write(`${moveUp(this.#shown)}${drawn}${eraseBelow}`);
    this.#shown = lines.length;
  }

  /** What is shown stays. */
  end(): void {
    this.#shown = 0;
  }
}
