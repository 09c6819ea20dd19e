import picocolors from "picocolors";
import { escapeControls, escapeMoving, fitLines, wrapText } from "./terminal-text.js";

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
  /** Text of any origin, controls escaped, wrapped on a terminal; `indent` blanks before each line but the first. */
  wrap(text: string, indent: number): string;
  /** Something that takes time: a moving line on a terminal while it runs, and one line for good when it ends. */
  begin(text: string): RunningStep;
  /** A live line on a terminal, below all that is printed; nothing elsewhere. */
  status(): StatusLine;
  /** Undefined: what was printed has gone out, or soon will. Otherwise the reader is slow, and this resolves when it has caught up. */
  drained(): Promise<void> | undefined;
  /** On standard error. */
  complain(complaint: Complaint): void;
  /** On standard error: a beginning with colours, and prose that is wrapped on a terminal. */
  logLine(beginning: string, prose?: string): void;
  /** Nothing moves any more. */
  close(): void;
}

export interface RunningStep {
  /** Without `text` nothing stays. */
  end(text?: string): void;
  [Symbol.dispose](): void;
}

export interface StatusLine {
  /** `isBusy`: something is going on, the line moves. */
  show(text: string, isBusy: boolean): void;
  end(): void;
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
  /** As of Node's streams: bytes that wait. */
  writableLength?: number;
  writableNeedDrain?: boolean;
  once?(event: "drain" | "close", listener: () => void): unknown;
  off?(event: "drain" | "close", listener: () => void): unknown;
}

export interface OutputOptions {
  isJson: boolean;
  out?: TextStream;
  err?: TextStream;
  env?: NodeJS.ProcessEnv;
}

/** Log lines that wait for a slow reader; more are counted instead of kept. */
export const logBytesWaitingMax = 4 * 1024 * 1024;

/** Time and level stand before the prose of a log line; further lines are indented less, so that a narrow terminal shows more. */
const logFirstColumn = 19;
const logIndent = 4;

const spinnerFrames = ["⠋", "⠙", "⠹", "⠸", "⠼", "⠴", "⠦", "⠧", "⠇", "⠏"];
const steadyMark = "●";
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
  let draining: Promise<void> | undefined;
  let linesLeftOut = 0;
  // The objects of `--json` may come to the same terminal, through whatever reads them: nothing moves beside them.
  const live = new LiveLine(people, !isJson && people.isTTY === true && env["TERM"] !== "dumb");
  const toError = (text: string) => {
    live.pause();
    err.write(text);
    live.resume();
  };
  const wrap = (text: string, indent: number) => wrapText(escapeControls(text), { columns: columnsOf(people), indent });
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
    paragraph: (prose, indent) => `${" ".repeat(indent)}${paint.dim(wrap(prose, indent))}`,
    wrap,
    drained() {
      if (out.writableNeedDrain !== true) return undefined;
      draining ??= new Promise((resolve) => {
        const done = () => {
          // A reader that has gone never catches up.
          for (const event of ["drain", "close"] as const) out.off?.(event, done);
          draining = undefined;
          resolve();
        };
        for (const event of ["drain", "close"] as const) out.once?.(event, done);
      });
      return draining;
    },
    begin: (text) => live.begin(text),
    status: () => (isJson ? { show() {}, end() {} } : live.status()),
    complain: (complaint) => toError(formatComplaint(complaint, { paint: logPaint, columns: columnsOf(err) })),
    logLine(beginning, prose) {
      const wrapped =
        prose && wrapText(prose, { columns: columnsOf(err), indent: logIndent, firstColumn: logFirstColumn });
      const text = wrapped === undefined ? beginning : `${beginning} ${wrapped}`;
      if ((err.writableLength ?? 0) > logBytesWaitingMax) {
        linesLeftOut += 1;
        return;
      }
      if (linesLeftOut > 0) toError(`${linesLeftOut} log lines were left out: nobody read them in time\n`);
      linesLeftOut = 0;
      toError(`${text}\n`);
    },
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

interface LiveText {
  text: string;
  isBusy: boolean;
}

/** One line at the bottom of a terminal that shows the newest running step; printed lines go above it. */
class LiveLine {
  readonly #stream: TextStream;
  readonly #isLive: boolean;
  readonly #texts: LiveText[] = [];
  #timer: NodeJS.Timeout | undefined;
  #frame = 0;

  constructor(stream: TextStream, isLive: boolean) {
    this.#stream = stream;
    this.#isLive = isLive;
  }

  print(text: string): void {
    this.pause();
    const columns = this.#stream.isTTY === true ? (this.#stream.columns ?? 80) : undefined;
    this.#stream.write(`${fitLines(escapeMoving(text), columns)}\n`);
    this.resume();
  }

  pause(): void {
    if (this.#isShown) this.#stream.write(eraseLine);
  }

  resume(): void {
    if (this.#isShown) this.#draw();
  }

  begin(text: string): RunningStep {
    const step = { text, isBusy: true };
    this.#texts.push(step);
    this.#refresh();
    const end = (last?: string) => {
      if (this.#remove(step) && last !== undefined) this.print(last);
    };
    return { end, [Symbol.dispose]: end };
  }

  status(): StatusLine {
    const status = { text: "", isBusy: false };
    return {
      show: (text, isBusy) => {
        Object.assign(status, { text, isBusy });
        if (!this.#texts.includes(status)) this.#texts.unshift(status);
        this.#refresh();
      },
      end: () => void this.#remove(status),
    };
  }

  close(): void {
    this.pause();
    this.#texts.length = 0;
    this.#stopTimer();
  }

  get #isShown(): boolean {
    return this.#isLive && this.#texts.length > 0;
  }

  #remove(text: LiveText): boolean {
    const at = this.#texts.indexOf(text);
    if (at < 0) return false;
    this.pause();
    this.#texts.splice(at, 1);
    this.#refresh();
    return true;
  }

  #refresh(): void {
    if (this.#isShown) this.#draw();
    if (!this.#isShown || this.#texts.at(-1)?.isBusy !== true) this.#stopTimer();
    else this.#timer ??= setInterval(() => this.#draw(), spinnerIntervalMs).unref();
  }

  #stopTimer(): void {
    clearInterval(this.#timer);
    this.#timer = undefined;
  }

  #draw(): void {
    const live = this.#texts.at(-1);
    if (live === undefined) return;
    const mark = live.isBusy ? (spinnerFrames[this.#frame++ % spinnerFrames.length] ?? "") : steadyMark;
    const width = Math.max(20, (this.#stream.columns ?? 80) - 3);
    this.#stream.write(`${eraseLine}${mark} ${escapeMoving(live.text.replaceAll("\n", " ")).slice(0, width)}`);
  }
}
