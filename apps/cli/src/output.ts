import picocolors from "picocolors";
import { escapeControls, wrapText } from "./terminal-text.js";

type Colors = ReturnType<typeof picocolors.createColors>;

/** What a command prints. One JSON object a line on standard output with `--json`, lines for people otherwise. */
export interface Output {
  readonly isJson: boolean;
  /** Colours for `event` and `say`. */
  readonly paint: Colors;
  /** Colours for `logLine`. */
  readonly logPaint: Colors;
  /** One fact: with `--json` the object, as one line on standard output; otherwise `text`, when there is one. */
  event(fact: { event: string; [name: string]: unknown }, text?: string): void;
  /** Only for people: a heading, an empty line, a hint. Standard error with `--json`. */
  say(text: string): void;
  /** Prose of any origin as an indented paragraph: wrapped on a terminal, controls escaped, dimmed. */
  paragraph(prose: string, indent: number): string;
  /** Something that takes time: a moving line on a terminal while it runs, and one line for good when it ends. */
  begin(text: string): RunningStep;
  /** On standard error. */
  complain(complaint: Complaint): void;
  /** On standard error. */
  logLine(text: string): void;
  /** Nothing moves any more. */
  close(): void;
}

export interface RunningStep {
  /** Without `text` nothing stays. */
  end(text?: string): void;
  [Symbol.dispose](): void;
}

export interface Complaint {
  kind: "error" | "warning" | "stopped" | "defect in thingline";
  /** Of any origin; may have several lines. */
  message: string;
  /** Stable; behind the message. */
  code?: string;
  hint?: Hint | undefined;
}

/** What can be done. */
export interface Hint {
  text: string;
  /** To be typed. */
  command?: string;
}

/** What is needed of `process.stdout` and `process.stderr`. */
export interface TextStream {
  write(text: string): unknown;
  isTTY?: boolean;
  columns?: number;
}

export interface OutputOptions {
  isJson: boolean;
  out?: TextStream;
  err?: TextStream;
  env?: NodeJS.ProcessEnv;
}

const spinnerFrames = ["⠋", "⠙", "⠹", "⠸", "⠼", "⠴", "⠦", "⠧", "⠇", "⠏"];
const spinnerIntervalMs = 80;
const eraseLine = "\r\u001b[K";

export function createOutput(options: OutputOptions): Output {
  const { isJson, out = process.stdout, err = process.stderr, env = process.env } = options;
  const people = isJson ? err : out;
  const isSet = (name: string) => env[name] !== undefined && env[name] !== "";
  const colorsOf = (stream: TextStream) => picocolors.createColors(stream.isTTY === true && !isSet("NO_COLOR"));
  const columnsOf = (stream: TextStream) => (stream.isTTY === true ? (stream.columns ?? 80) : undefined);
  const paint = colorsOf(people);
  const logPaint = colorsOf(err);
  const live = new LiveLine(people, people.isTTY === true && env["TERM"] !== "dumb");
  const toError = (text: string) => {
    live.pause();
    err.write(text);
    live.resume();
  };
  return {
    isJson,
    paint,
    logPaint,
    event(fact, text) {
      // A JSON text has such characters only inside strings, where the escape means the same.
      if (isJson) out.write(`${escapeControls(JSON.stringify(fact))}\n`);
      else if (text !== undefined) live.print(text);
    },
    say: (text) => live.print(text),
    paragraph(prose, indent) {
      const wrapped = wrapText(escapeControls(prose), { columns: columnsOf(people), indent });
      return `${" ".repeat(indent)}${paint.dim(wrapped)}`;
    },
    begin: (text) => live.begin(text),
    complain: (complaint) => toError(formatComplaint(complaint, { paint: logPaint, columns: columnsOf(err) })),
    logLine: (text) => toError(`${text}\n`),
    close: () => live.close(),
  };
}

function formatComplaint(
  { kind, message, code, hint }: Complaint,
  { paint, columns }: { paint: Colors; columns: number | undefined },
): string {
  const prose = (text: string, indent: number) => wrapText(escapeControls(text), { columns, indent });
  const color = kind === "warning" || kind === "stopped" ? paint.yellow : paint.red;
  const [first = "", ...more] = message.split("\n");
  const head = prose(code === undefined ? first : `${first} (${code})`, kind.length + 2);
  let text = `${color(`${kind}:`)} ${head}\n`;
  for (const line of more) text += `  ${prose(line, 4)}\n`;
  if (hint === undefined) return text;
  text += `${paint.dim("next:")}  ${prose(hint.text, 7)}\n`;
  if (hint.command !== undefined) text += `         ${escapeControls(hint.command)}\n`;
  return text;
}

/** One line at the bottom of a terminal that shows the newest running step; printed lines go above it. */
class LiveLine {
  readonly #stream: TextStream;
  readonly #isLive: boolean;
  readonly #steps: { text: string }[] = [];
  #timer: NodeJS.Timeout | undefined;
  #frame = 0;

  constructor(stream: TextStream, isLive: boolean) {
    this.#stream = stream;
    this.#isLive = isLive;
  }

  print(text: string): void {
    this.pause();
    this.#stream.write(`${text}\n`);
    this.resume();
  }

  pause(): void {
    if (this.#timer !== undefined) this.#stream.write(eraseLine);
  }

  resume(): void {
    if (this.#timer !== undefined) this.#draw();
  }

  begin(text: string): RunningStep {
    const step = { text };
    this.#steps.push(step);
    if (this.#isLive) {
      this.#timer ??= setInterval(() => this.#draw(), spinnerIntervalMs).unref();
      this.#draw();
    }
    const end = (last?: string) => {
      const at = this.#steps.indexOf(step);
      if (at < 0) return;
      this.#steps.splice(at, 1);
      if (this.#steps.length === 0) this.close();
      if (last !== undefined) this.print(last);
    };
    return { end, [Symbol.dispose]: end };
  }

  close(): void {
    this.#steps.length = 0;
    if (this.#timer === undefined) return;
    clearInterval(this.#timer);
    this.#timer = undefined;
    this.#stream.write(eraseLine);
  }

  #draw(): void {
    const step = this.#steps.at(-1);
    if (step === undefined) return;
    const frame = spinnerFrames[this.#frame++ % spinnerFrames.length] ?? "";
    const width = Math.max(20, (this.#stream.columns ?? 80) - 3);
    this.#stream.write(`${eraseLine}${frame} ${step.text.slice(0, width)}`);
  }
}
