// What the benches share: numbers, a table, options, and processes that are ended by their id.
import { fork, type ChildProcess } from "node:child_process";
import { parseArgs, type ParseArgsConfig } from "node:util";

export function median(numbers: readonly number[]): number {
  const sorted = [...numbers].sort((a, b) => a - b);
  const middle = sorted.length >> 1;
  return sorted.length % 2 === 1 ? sorted[middle]! : (sorted[middle - 1]! + sorted[middle]!) / 2;
}

export function thousands(value: number): string {
  return `${(value / 1000).toFixed(1)}k`;
}

/** The first cell to the left, the others to the right. */
export function row(cells: readonly string[], [first, others]: readonly [number, number]): string {
  return cells.map((cell, index) => (index === 0 ? cell.padEnd(first) : cell.padStart(others))).join("");
}

export function wait(forSeconds: number): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, forSeconds * 1000));
}

/** The command line's options; a wrong one ends the program with what is wrong and no stack trace. */
export function readOptions<Options extends NonNullable<ParseArgsConfig["options"]>>(
  options: Options,
): ReturnType<typeof parseArgs<{ options: Options }>>["values"] {
  try {
    return parseArgs({ options }).values;
  } catch (error) {
    return fail(
      `${error instanceof Error ? error.message : String(error)} There are --${Object.keys(options).join(", --")}.`,
    );
  }
}

export function positive(name: string, text: string): number {
  const value = Number(text);
  if (!(value > 0)) fail(`--${name} must be a positive number, got ${text}`);
  return value;
}

export function fail(message: string): never {
  process.stderr.write(`bench: ${message}\n`);
  process.exit(2);
}

// Whoever reads the output may have seen enough.
process.stdout.on("error", (error: NodeJS.ErrnoException) => process.exit(error.code === "EPIPE" ? 0 : 1));

export const say = (text: string): void => void process.stdout.write(`${text}\n`);

/** A process that answers each message with one of its own. */
export class Worker {
  readonly #child: ChildProcess;
  readonly #name: string;

  constructor(file: string, args: readonly string[] = [], execArgv: readonly string[] = []) {
    this.#name = file;
    this.#child = fork(file, [...args], { stdio: ["ignore", 2, 2, "ipc"], execArgv: [...execArgv] });
  }

  get pid(): number {
    return this.#child.pid ?? 0;
  }

  /** The next message. */
  next<Answer>(): Promise<Answer> {
    return new Promise((resolve, reject) => {
      const ended = (code: number | null): void => reject(new Error(`${this.#name} ended with ${code}`));
      this.#child.once("exit", ended);
      this.#child.once("message", (message) => {
        this.#child.removeListener("exit", ended);
        resolve(message as Answer);
      });
    });
  }

  ask<Answer>(message: object): Promise<Answer> {
    const answer = this.next<Answer>();
    this.#child.send(message);
    return answer;
  }

  stop(): Promise<void> {
    return new Promise((resolve) => {
      if (this.#child.exitCode !== null || this.#child.signalCode !== null) return resolve();
      this.#child.once("exit", () => resolve());
      this.#child.kill("SIGKILL");
    });
  }
}
