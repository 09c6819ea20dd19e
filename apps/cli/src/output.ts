import picocolors from "picocolors";

/** What a command prints. One JSON object a line on standard output with `--json`, lines for people otherwise. */
export interface Output {
  readonly isJson: boolean;
  readonly paint: ReturnType<typeof picocolors.createColors>;
  /** One fact: with `--json` the object, as one line on standard output; otherwise `text`, when there is one. */
  event(fact: { event: string; [name: string]: unknown }, text?: string): void;
  /** Only for people: a heading, an empty line, a hint. Standard error with `--json`. */
  say(text: string): void;
  /** Something that takes time: a moving line on a terminal while it runs, and one line for good when it ends. */
  begin(text: string): RunningStep;
}

export interface RunningStep {
  /** Without `text` nothing stays. */
  end(text?: string): void;
}

export interface OutputStreams {
  out: NodeJS.WriteStream;
  err: NodeJS.WriteStream;
}

const spinnerFrames = ["⠋", "⠙", "⠹", "⠸", "⠼", "⠴", "⠦", "⠧", "⠇", "⠏"];
const spinnerIntervalMs = 80;
const eraseLine = "\r\u001b[K";

export function createOutput(options: { isJson: boolean; streams?: OutputStreams }): Output {
  const { out, err } = options.streams ?? { out: process.stdout, err: process.stderr };
  const people = options.isJson ? err : out;
  const isTerminal = people.isTTY === true;
  const noColor = process.env["NO_COLOR"] !== undefined && process.env["NO_COLOR"] !== "";
  const live = new LiveLine(people, isTerminal && process.env["TERM"] !== "dumb");
  return {
    isJson: options.isJson,
    paint: picocolors.createColors(isTerminal && !noColor),
    event(fact, text) {
      if (options.isJson) out.write(`${JSON.stringify(fact)}\n`);
      else if (text !== undefined) live.print(text);
    },
    say: (text) => live.print(text),
    begin: (text) => live.begin(text),
  };
}

/** One line at the bottom of a terminal that shows the newest running step; printed lines go above it. */
class LiveLine {
  readonly #stream: NodeJS.WriteStream;
  readonly #isLive: boolean;
  readonly #steps: { text: string }[] = [];
  #timer: NodeJS.Timeout | undefined;
  #frame = 0;

  constructor(stream: NodeJS.WriteStream, isLive: boolean) {
    this.#stream = stream;
    this.#isLive = isLive;
  }

  print(text: string): void {
    const isDrawn = this.#timer !== undefined;
    this.#stream.write(`${isDrawn ? eraseLine : ""}${text}\n`);
    if (isDrawn) this.#draw();
  }

  begin(text: string): RunningStep {
    const step = { text };
    this.#steps.push(step);
    if (this.#isLive) {
      this.#timer ??= setInterval(() => this.#draw(), spinnerIntervalMs);
      this.#draw();
    }
    return {
      end: (last) => {
        const at = this.#steps.indexOf(step);
        if (at < 0) return;
        this.#steps.splice(at, 1);
        if (this.#steps.length === 0 && this.#timer !== undefined) {
          clearInterval(this.#timer);
          this.#timer = undefined;
          this.#stream.write(eraseLine);
        }
        if (last !== undefined) this.print(last);
      },
    };
  }

  #draw(): void {
    const step = this.#steps.at(-1);
    if (step === undefined) return;
    const frame = spinnerFrames[this.#frame++ % spinnerFrames.length] ?? "";
    const width = Math.max(20, (this.#stream.columns ?? 80) - 3);
    this.#stream.write(`${eraseLine}${frame} ${step.text.slice(0, width)}`);
  }
}
