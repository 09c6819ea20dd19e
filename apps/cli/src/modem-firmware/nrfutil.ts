import { type ChildProcess, spawn } from "node:child_process";
import { ThinglineError } from "@thingline/protocol";
import { boardsOf, type NrfutilLine, type ProgrammerBoard, readNrfutilLine } from "./nrfutil-lines.js";

/** A line of output that is longer is passed over. */
export const programmerLineBytesMax = 1_048_576;
/** Of what it said in words, the last is kept for an error. */
export const programmerWordsMax = 2_000;
/** What ends a program that was told to stop and does not. */
const defaultKillGraceMs = 5_000;

export interface NrfutilRun {
  /** Without `--json`, which is added. */
  args: readonly string[];
  /** All in all. */
  timeoutMs: number;
  /** Without a word. */
  silenceMs: number;
  /** From being told to end to being killed. Default 5 s. */
  killGraceMs?: number;
  /** Ends it. */
  signal?: AbortSignal;
  onLine?: (line: NrfutilLine) => void;
}

export interface NrfutilResult {
  ends: Extract<NrfutilLine, { type: "end" }>[];
  infos: unknown[];
}

/** The most that an answer has of each. */
const keptMax = 64;

/**
 * Runs Nordic's nrfutil to its end. It has a process group of its own: Ctrl-C on the terminal reaches us and not it.
 *
 * @throws {ThinglineError} PROGRAMMER_MISSING, PROGRAMMER_FAILED with `details.said`, ABORTED
 */
export function runNrfutil(run: NrfutilRun): Promise<NrfutilResult> {
  return new Promise((resolve, reject) => {
    run.signal?.throwIfAborted();
    const child = spawn("nrfutil", [...run.args, "--json"], {
      stdio: ["ignore", "pipe", "pipe"],
      detached: process.platform !== "win32",
      windowsHide: true,
    });
    new RunningNrfutil(child, run, { resolve, reject });
  });
}

interface Settle {
  resolve(result: NrfutilResult): void;
  reject(error: ThinglineError): void;
}

class RunningNrfutil {
  readonly #child: ChildProcess;
  readonly #run: NrfutilRun;
  readonly #settle: Settle;
  readonly #result: NrfutilResult = { ends: [], infos: [] };
  readonly #limit: NodeJS.Timeout;
  #silence: NodeJS.Timeout;
  #kill: NodeJS.Timeout | undefined;
  /** The first, however many ends came before it. */
  #failedEnd: NrfutilResult["ends"][number] | undefined;
  /** Tasks that began and have not ended, their names by their ids. */
  readonly #open = new Map<string, string>();
  #rest = "";
  #isOverlong = false;
  #words = "";
  /** Why it was ended by us. */
  #ended: ThinglineError | undefined;

  constructor(child: ChildProcess, run: NrfutilRun, settle: Settle) {
    this.#child = child;
    this.#run = run;
    this.#settle = settle;
    this.#limit = setTimeout(() => this.#giveUp(`was not done within ${run.timeoutMs / 1000} s`), run.timeoutMs);
    this.#silence = this.#listen();
    run.signal?.addEventListener("abort", this.#onAbort, { once: true });
    child.stdout?.setEncoding("utf8").on("data", (text: string) => this.#read(text));
    child.stderr?.setEncoding("utf8").on("data", (text: string) => this.#hear(text));
    child.once("error", (error) => this.#over(startError(error)));
    child.once("close", (code, signal) => this.#closed(code, signal));
  }

  readonly #onAbort = (): void => {
    this.#end(new ThinglineError("ABORTED", "nrfutil was stopped", { cause: this.#run.signal?.reason }));
  };

  #listen(): NodeJS.Timeout {
    const { silenceMs } = this.#run;
    return setTimeout(() => this.#giveUp(`gave no sign of life for ${silenceMs / 1000} s`), silenceMs);
  }

  #hear(words: string): void {
    clearTimeout(this.#silence);
    if (this.#ended === undefined) this.#silence = this.#listen();
    this.#words = `${this.#words}${words}`.slice(-programmerWordsMax);
  }

  #read(text: string): void {
    this.#hear("");
    const lines = `${this.#rest}${text}`.split("\n");
    this.#rest = lines.pop() ?? "";
    for (const line of lines) {
      if (this.#isOverlong) this.#isOverlong = false;
      else this.#line(line);
    }
    if (this.#rest.length <= programmerLineBytesMax) return;
    this.#rest = "";
    this.#isOverlong = true;
  }

  #line(text: string): void {
    if (text.trim() === "") return;
    const line = readNrfutilLine(text);
    if (line.type === "other") this.#hear(`${text.slice(0, programmerWordsMax)}\n`);
    if (line.type === "log" && /^(?:error|critical)$/i.test(line.level)) this.#hear(`${line.message}\n`);
    if (line.type === "begin" && this.#open.size < keptMax) this.#open.set(line.id, line.task);
    if (line.type === "end") {
      this.#open.delete(line.id);
      if (!line.isSuccess) this.#failedEnd ??= line;
      if (this.#result.ends.length < keptMax) this.#result.ends.push(line);
    }
    if (line.type === "info" && this.#result.infos.length < keptMax) this.#result.infos.push(line.data);
    this.#run.onLine?.(line);
  }

  #giveUp(why: string): void {
    this.#end(this.#failed(`nrfutil ${this.#run.args.slice(0, 2).join(" ")} ${why}, and was ended`));
  }

  #end(error: ThinglineError): void {
    if (this.#ended !== undefined) return;
    this.#ended = error;
    this.#signal("SIGTERM");
    this.#kill = setTimeout(() => this.#signal("SIGKILL"), this.#run.killGraceMs ?? defaultKillGraceMs);
  }

  /** To all of its group: nrfutil runs its commands as programs of their own. */
  #signal(signal: NodeJS.Signals): void {
    const { pid } = this.#child;
    if (pid === undefined || process.platform === "win32") return void this.#child.kill(signal);
    try {
      process.kill(-pid, signal);
    } catch {
      // It is gone already.
    }
  }

  #closed(code: number | null, signal: NodeJS.Signals | null): void {
    if (this.#rest !== "" && !this.#isOverlong) this.#line(this.#rest);
    if (this.#ended !== undefined) return this.#over(this.#ended);
    const failed = this.#failedEnd;
    const command = `nrfutil ${this.#run.args.slice(0, 2).join(" ")}`;
    const [open] = this.#open.values();
    if (code === 0 && failed === undefined && open === undefined) return this.#over(undefined);
    const how = failed?.message ?? endText(code, signal, open);
    this.#over(this.#failed(`${command} failed: ${how}`));
  }

  #failed(message: string): ThinglineError {
    const said = this.#words.trim();
    const text = said === "" ? message : `${message}; it said: ${said.split("\n").at(-1)}`;
    return new ThinglineError("PROGRAMMER_FAILED", text, { details: said === "" ? {} : { said } });
  }

  #over(error: ThinglineError | undefined): void {
    for (const timer of [this.#limit, this.#silence, this.#kill]) clearTimeout(timer);
    this.#run.signal?.removeEventListener("abort", this.#onAbort);
    if (error === undefined) this.#settle.resolve(this.#result);
    else this.#settle.reject(error);
  }
}

function endText(code: number | null, signal: NodeJS.Signals | null, open: string | undefined): string {
  if (code === null) return `it was ended by ${signal}`;
  if (code !== 0 || open === undefined) return `it ended with code ${code}`;
  return `it ended without saying how its task${open === "" ? "" : ` "${open}"`} went`;
}

function startError(cause: Error): ThinglineError {
  const code = "code" in cause ? cause.code : undefined;
  if (code === "ENOENT") {
    return new ThinglineError("PROGRAMMER_MISSING", "Nordic's nrfutil is not installed, or not on the PATH", { cause });
  }
  return new ThinglineError("PROGRAMMER_FAILED", `nrfutil could not be started: ${cause.message}`, { cause });
}

/** Which of its commands programs: `device` for J-Link and MCUboot, `91` for J-Link alone. */
export type ProgrammerCommand = "device" | "91";

const quick = { timeoutMs: 60_000, silenceMs: 60_000 };
/** A whole firmware by J-Link takes a minute or two, by MCUboot's serial recovery more. */
const slow = { timeoutMs: 1_200_000, silenceMs: 180_000 };

/** @throws {ThinglineError} PROGRAMMER_MISSING naming what has to be installed. */
export async function requireNrfutil(command: ProgrammerCommand, signal: AbortSignal): Promise<void> {
  try {
    await runNrfutil({ args: [command, "--version"], ...quick, signal });
  } catch (cause) {
    if (!(cause instanceof ThinglineError) || cause.code !== "PROGRAMMER_FAILED") throw cause;
    const message = `nrfutil is there, but its command ${command} does not answer: ${cause.message}`;
    throw new ThinglineError("PROGRAMMER_MISSING", message, { details: { ...cause.details, command }, cause });
  }
}

export async function listBoards(signal: AbortSignal): Promise<ProgrammerBoard[]> {
  const { infos, ends } = await runNrfutil({ args: ["device", "list"], ...quick, signal });
  const answers = [...infos, ...ends.map(({ data }) => data)];
  const boards = answers.map((data) => boardsOf(data)).find((found) => found !== undefined);
  if (boards !== undefined) return boards;
  throw new ThinglineError("PROGRAMMER_FAILED", "nrfutil device list: its answer has no list of devices");
}

/** Unlocks the access port by erasing the application's flash. */
export async function recoverBoard(
  serialNumber: string,
  { signal, onLine }: Pick<NrfutilRun, "signal" | "onLine">,
): Promise<void> {
  const args = ["device", "recover", "--serial-number", serialNumber];
  await runNrfutil({ args, ...slow, ...(signal && { signal }), ...(onLine && { onLine }) });
}

/** Not to be stopped: what was begun has to come to its end. @throws {ThinglineError} PROGRAMMER_FAILED */
export async function programPackage(
  path: string,
  options: { command: ProgrammerCommand; serialNumber: string; onLine: (line: NrfutilLine) => void },
): Promise<void> {
  const { command, serialNumber, onLine } = options;
  const verb = command === "device" ? ["device", "program"] : ["91", "modem-firmware-upgrade"];
  const args = [...verb, "--firmware", path, "--serial-number", serialNumber];
  const { ends } = await runNrfutil({ args, ...slow, onLine });
  if (ends.length > 0 || command === "91") return;
  const message = "nrfutil device program ended without saying that it has done what it was told";
  throw new ThinglineError("PROGRAMMER_FAILED", message);
}

export async function resetBoard(serialNumber: string): Promise<void> {
  await runNrfutil({ args: ["device", "reset", "--serial-number", serialNumber], ...quick });
}
