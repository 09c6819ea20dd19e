import { spawn, type ChildProcess } from "node:child_process";
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { createInterface } from "node:readline";
import { fileURLToPath } from "node:url";
import type { TestContext } from "node:test";

/** The link to the committed stub, as npm makes it and `npx thingline` runs it. */
export const thinglineBin = fileURLToPath(new URL("../../../node_modules/.bin/thingline", import.meta.url));

export interface Finished {
  code: number | null;
  stdout: string;
  stderr: string;
}

export type JsonEvent = { event: string } & Record<string, unknown>;

/** A folder that is gone when the test is over. */
export async function temporaryFolder(t: TestContext): Promise<string> {
  const folder = await mkdtemp(join(tmpdir(), "thingline-test-"));
  t.after(() => rm(folder, { recursive: true, force: true }));
  return folder;
}

export interface Surroundings {
  /** Default: that of the tests. */
  cwd?: string;
  /** Besides the environment of the tests. */
  env?: Readonly<Record<string, string>>;
}

function spawnOptions({ cwd, env }: Surroundings) {
  // Commands that are printed differ under npm; a test says itself which way it wants them.
  const { npm_command: _, ...inherited } = process.env;
  return { env: { ...inherited, NO_COLOR: "1", ...env }, ...(cwd !== undefined && { cwd }) };
}

/** Runs a program to its end. Killed when the test is over, whatever happened. */
export function runProgram(
  t: TestContext,
  command: string,
  args: readonly string[],
  input = "",
  surroundings: Surroundings = {},
): Promise<Finished> {
  const child = spawn(command, args, { stdio: ["pipe", "pipe", "pipe"], ...spawnOptions(surroundings) });
  t.after(() => child.kill("SIGKILL"));
  child.stdin.end(input);
  let stdout = "";
  let stderr = "";
  child.stdout.setEncoding("utf8").on("data", (text: string) => (stdout += text));
  child.stderr.setEncoding("utf8").on("data", (text: string) => (stderr += text));
  return new Promise((resolve, reject) => {
    child.once("error", reject);
    child.once("close", (code) => resolve({ code, stdout, stderr }));
  });
}

export function runThingline(t: TestContext, ...args: string[]): Promise<Finished> {
  return runProgram(t, process.execPath, [thinglineBin, ...args]);
}

/** Like {@link runThingline}, elsewhere. */
export function runThinglineIn(t: TestContext, surroundings: Surroundings, ...args: string[]): Promise<Finished> {
  return runProgram(t, process.execPath, [thinglineBin, ...args], "", surroundings);
}

export interface CommandLine {
  words: readonly string[];
  /** Besides the environment of the process. */
  env?: Readonly<Record<string, string>>;
}

const linesFile = fileURLToPath(new URL("./cli-lines-process.test.support.js", import.meta.url));

/** Runs command lines that start nothing, as help and wrong usage, in one process. What they print comes apart. */
export async function runCommandLines(
  t: TestContext,
  surroundings: Surroundings,
  lines: readonly CommandLine[],
): Promise<Finished[]> {
  const args = [linesFile, JSON.stringify(lines)];
  const { code, stdout, stderr } = await runProgram(t, process.execPath, args, "", surroundings);
  if (code !== 0) throw new Error(`the process of command lines ended with ${code}\n${stderr}`);
  return JSON.parse(stdout) as Finished[];
}

/** What `--json` printed: every line of standard output must be an object. */
export function eventsOf({ stdout }: Finished): JsonEvent[] {
  return stdout
    .split("\n")
    .slice(0, -1)
    .map((line) => JSON.parse(line) as JsonEvent);
}

/** A long-running `thingline ... --json` whose events can be awaited. */
export interface RunningProgram {
  child: ChildProcess;
  /** The first event, past or future, that fits; fails when the program ends without it. */
  event(fits: (event: JsonEvent) => boolean): Promise<JsonEvent>;
  /** The first line of standard output that is no event, past or future, that fits. */
  textLine(fits: (line: string) => boolean): Promise<string>;
  /** The first standard error line, past or future, that fits. */
  logLine(fits: (line: string) => boolean): Promise<string>;
  /** Ends it with a signal and waits. */
  end(signal: NodeJS.Signals): Promise<Finished>;
}

export function startThingline(t: TestContext, ...args: string[]): RunningProgram {
  return startProgram(t, process.execPath, [thinglineBin, ...args]);
}

/** Like {@link startThingline}, elsewhere. */
export function startThinglineIn(t: TestContext, surroundings: Surroundings, ...args: string[]): RunningProgram {
  return startProgram(t, process.execPath, [thinglineBin, ...args], surroundings);
}

export function startProgram(
  t: TestContext,
  command: string,
  args: readonly string[],
  surroundings: Surroundings = {},
): RunningProgram {
  const child = spawn(command, args, { stdio: ["ignore", "pipe", "pipe"], ...spawnOptions(surroundings) });
  t.after(() => child.kill("SIGKILL"));
  const events = new Lines<JsonEvent>();
  const text = new Lines<string>();
  const log = new Lines<string>();
  let stdout = "";
  let stderr = "";
  createInterface({ input: child.stdout }).on("line", (line) => {
    stdout += `${line}\n`;
    if (line.startsWith("{")) events.add(JSON.parse(line) as JsonEvent);
    else text.add(line);
  });
  createInterface({ input: child.stderr }).on("line", (line) => {
    stderr += `${line}\n`;
    log.add(line);
  });
  const finished = new Promise<Finished>((resolve) => {
    child.once("close", (code) => {
      const why = new Error(`the program ended with ${code}\n${stdout}\n${stderr}`);
      events.end(why);
      text.end(why);
      log.end(why);
      resolve({ code, stdout, stderr });
    });
  });
  return {
    child,
    event: (fits) => events.find(fits),
    textLine: (fits) => text.find(fits),
    logLine: (fits) => log.find(fits),
    end(signal) {
      child.kill(signal);
      return finished;
    },
  };
}

class Lines<T> {
  readonly #seen: T[] = [];
  #waiting: { fits: (item: T) => boolean; resolve: (item: T) => void; reject: (error: Error) => void }[] = [];
  #ended: Error | undefined;

  add(item: T): void {
    this.#seen.push(item);
    this.#waiting = this.#waiting.filter((waiter) => {
      if (!waiter.fits(item)) return true;
      waiter.resolve(item);
      return false;
    });
  }

  end(why: Error): void {
    this.#ended = why;
    for (const waiter of this.#waiting.splice(0)) waiter.reject(why);
  }

  find(fits: (item: T) => boolean): Promise<T> {
    const found = this.#seen.find(fits);
    if (found !== undefined) return Promise.resolve(found);
    if (this.#ended) return Promise.reject(this.#ended);
    return new Promise((resolve, reject) => this.#waiting.push({ fits, resolve, reject }));
  }
}
