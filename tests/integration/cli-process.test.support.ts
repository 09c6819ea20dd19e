import { fork, spawn, type ChildProcess } from "node:child_process";
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { once } from "node:events";
import { createInterface } from "node:readline";
import { fileURLToPath } from "node:url";
import { after, type TestContext } from "node:test";

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
  /** Of what runs on: `pipe` leaves its standard input to the test. Default: none. */
  input?: "pipe";
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
  // A program may end before it has read all of it.
  child.stdin.on("error", () => undefined);
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

/**
 * Runs `thingline` to its end. The first of each command of a test file has a process of its own, as people start it; those that follow share
 * a few (see cli-lines-process.test.support.ts), which saves each of them the time of loading the program.
 */
export function runThingline(t: TestContext, ...args: string[]): Promise<Finished> {
  return runThinglineIn(t, {}, ...args);
}

/** Like {@link runThingline}, elsewhere. */
export async function runThinglineIn(
  t: TestContext,
  surroundings: Surroundings,
  ...words: string[]
): Promise<Finished> {
  const command = words.slice(0, 2).join(" ").split(" -")[0] ?? "";
  if (seenCommands.has(command)) return runCommandLine({ words, ...surroundings });
  seenCommands.add(command);
  return runThinglineAlone(t, surroundings, ...words);
}

const seenCommands = new Set<string>();

/** In a process of its own, in any case. */
export function runThinglineAlone(t: TestContext, surroundings: Surroundings, ...args: string[]): Promise<Finished> {
  return runProgram(t, process.execPath, [thinglineBin, ...args], "", surroundings);
}

/** What a shared process is told to run. */
export interface SharedRun extends Surroundings {
  /** The file that a process of its own would run. */
  script: string;
  words: readonly string[];
  isThingline: boolean;
}

/** Runs a command line in a process that others share. */
export function runCommandLine(line: Surroundings & { words: readonly string[] }): Promise<Finished> {
  return runShared({ ...line, script: thinglineBin, isThingline: true });
}

/** Runs a program, which is over when its module is loaded, in a process that others share. */
export function runModule(script: string): Promise<Finished> {
  return runShared({ script, words: [], isThingline: false });
}

const sharedFile = fileURLToPath(new URL("./cli-lines-process.test.support.js", import.meta.url));
const sharedProcessesMax = 2;
const sharedProcesses = new Set<ChildProcess>();
const idleProcesses: ChildProcess[] = [];
const waitingForProcess: ((process: ChildProcess) => void)[] = [];

/** Does one thing at a time, for this test file, and ends with it. */
async function takeSharedProcess(): Promise<ChildProcess> {
  const idle = idleProcesses.pop();
  if (idle !== undefined) return idle;
  if (sharedProcesses.size >= sharedProcessesMax) return new Promise((resolve) => waitingForProcess.push(resolve));
  return startSharedProcess();
}

function startSharedProcess(): ChildProcess {
  // What it would print by itself belongs to no command.
  const child = fork(sharedFile, { ...spawnOptions({}), execArgv: [], stdio: ["ignore", "ignore", "inherit", "ipc"] });
  child.unref();
  sharedProcesses.add(child);
  return child;
}

function giveBack(child: ChildProcess): void {
  const next = waitingForProcess.shift();
  if (next !== undefined) return next(child);
  child.channel?.unref();
  idleProcesses.push(child);
}

/** What went wrong in it must not disturb others. */
function giveUp(child: ChildProcess): void {
  child.kill("SIGKILL");
  sharedProcesses.delete(child);
  waitingForProcess.shift()?.(startSharedProcess());
}

// They would end by themselves, but nobody would have counted what they took.
after(async () => {
  for (const child of sharedProcesses) {
    child.ref();
    const ended = once(child, "exit");
    child.disconnect();
    await ended;
  }
});

async function runShared(run: SharedRun): Promise<Finished> {
  const child = await takeSharedProcess();
  child.channel?.ref();
  const answer = await new Promise<{ finished?: Finished; error?: string }>((resolve) => {
    const gone = (code: number | null) =>
      resolve({ error: `the process of ${run.words.join(" ")} ended with ${code}` });
    child.once("exit", gone);
    child.once("message", (message) => {
      child.off("exit", gone);
      resolve(message as { finished?: Finished; error?: string });
    });
    child.send(run);
  });
  if (answer.finished === undefined) {
    giveUp(child);
    throw new Error(answer.error);
  }
  giveBack(child);
  return answer.finished;
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
  const child = spawn(command, args, { stdio: ["pipe", "pipe", "pipe"], ...spawnOptions(surroundings) });
  child.stdin.on("error", () => undefined);
  if (surroundings.input === undefined) child.stdin.end();
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
