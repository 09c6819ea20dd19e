import { optionInvalid, type OptionTypes, readOptions, ThinglineError } from "@thingline/protocol";
import type { ImageCrypto } from "@thingline/protocol/image";
import {
  type ChildEnd,
  type ChildProcess,
  type Clock,
  clockOption,
  type Files,
  filesOption,
  type ProcessCommand,
  type Processes,
  processesOption,
} from "@thingline/transport";
import { textOf } from "../../errors.js";
import { bootApplication, type Boot, type BootedApplication } from "./boot.js";
import { ApplicationFolder } from "./folder.js";

export const defaultRestartFirstMs = 1_000;
export const defaultRestartLastMs = 60_000;
/** An application that ran so long has not crashed in a row. */
export const defaultStableAfterMs = 60_000;
export const defaultTrialTimeoutMs = 15 * 60_000;
export const defaultStopTimeoutMs = 10_000;

export interface SupervisorOptions {
  /** As of `createApplicationTarget()`. */
  folder: string;
  files: Files;
  crypto: Pick<ImageCrypto, "createHash">;
  clock: Clock;
  processes: Processes;
  /** How an application is started. It gets the folder of its slot as its working folder, unless the command says another. */
  command: (application: BootedApplication) => ProcessCommand;
  /** The pause after a crash; it doubles with each that follows soon. Default {@link defaultRestartFirstMs}. */
  restartFirstMs?: number;
  /** Default {@link defaultRestartLastMs}. */
  restartLastMs?: number;
  /** Default {@link defaultStableAfterMs}. */
  stableAfterMs?: number;
  /** So long an application may be on trial without confirming itself; then it is ended and gone back from. Default {@link defaultTrialTimeoutMs}. */
  trialTimeoutMs?: number;
  /** How long a process may take to end when it is told to. Then it is killed. Default {@link defaultStopTimeoutMs}. */
  stopTimeoutMs?: number;
  onEvent?: (event: SupervisorEvent) => void;
  /** Ends the application, and the supervision. */
  signal?: AbortSignal;
}

export type SupervisorEvent =
  /** `why`: `trial` tries a new one, `reverted` goes back from one that did not confirm itself, `refused` does not try one that is damaged. */
  | { type: "started"; version: string; slot: "a" | "b"; why: Boot["why"]; isOnTrial: boolean }
  | { type: "ended"; version: string; exitCode: number | undefined; endedBy: string | undefined; uptimeMs: number }
  | { type: "trialTimedOut"; version: string }
  | { type: "restarting"; afterMs: number; failures: number }
  /** There is nothing that could be started, or what is there cannot be read. It is looked at again. */
  | { type: "failed"; error: ThinglineError };

const optionTypes = {
  folder: "string",
  files: filesOption,
  crypto: "object",
  clock: clockOption,
  processes: processesOption,
  command: "function",
  restartFirstMs: "number",
  restartLastMs: "number",
  stableAfterMs: "number",
  trialTimeoutMs: "number",
  stopTimeoutMs: "number",
  onEvent: "function",
  signal: "signal",
} as const satisfies OptionTypes<SupervisorOptions>;

const required = ["folder", "files", "crypto", "clock", "processes", "command"];

/**
 * Runs the application of a folder, and again when it ends: what is scheduled is tried once, and gone back from unless it has confirmed itself
 * before its process ends, however that came about, or before its time is over. Of a crash loop nothing comes but longer pauses: what was
 * confirmed is started again and again.
 *
 * One supervisor has a folder. It may be killed at any moment; the next one goes on, and takes the end of the process on trial for a failure, as
 * after a power cut. An application should end with it: see `endWithParent()` of `@thingline/transport/node`.
 *
 * @returns when `signal` is aborted and the application has ended
 * @throws {ThinglineError} OPTION_INVALID; LOCKED by another supervisor
 */
export async function superviseApplication(given: SupervisorOptions): Promise<void> {
  const options = readOptions(given, optionTypes, { of: "superviseApplication()", required });
  const timing = timingOf(options);
  const lock = await options.files.lock(`${options.folder}/supervisor`);
  try {
    await new Supervisor(options, timing).run();
  } finally {
    await lock.release();
  }
}

type Timing = Required<
  Pick<SupervisorOptions, "restartFirstMs" | "restartLastMs" | "stableAfterMs" | "trialTimeoutMs" | "stopTimeoutMs">
>;

function timingOf(options: SupervisorOptions): Timing {
  const timing: Timing = {
    restartFirstMs: options.restartFirstMs ?? defaultRestartFirstMs,
    restartLastMs: options.restartLastMs ?? defaultRestartLastMs,
    stableAfterMs: options.stableAfterMs ?? defaultStableAfterMs,
    trialTimeoutMs: options.trialTimeoutMs ?? defaultTrialTimeoutMs,
    stopTimeoutMs: options.stopTimeoutMs ?? defaultStopTimeoutMs,
  };
  for (const [name, value] of Object.entries(timing)) {
    if (!Number.isSafeInteger(value) || value < 1) throw optionInvalid(name, "whole milliseconds from 1", value);
  }
  return timing;
}

class Supervisor {
  readonly #options: SupervisorOptions;
  readonly #timing: Timing;
  readonly #folder: ApplicationFolder;
  #failures = 0;

  constructor(options: SupervisorOptions, timing: Timing) {
    this.#options = options;
    this.#timing = timing;
    this.#folder = new ApplicationFolder(options);
  }

  async run(): Promise<void> {
    while (!this.#isStopped) {
      const hasTurn = await this.#turn();
      if (this.#isStopped) return;
      // What is scheduled, or was on trial, is no crash that has to be waited for; what could not be gone back from is.
      if (hasTurn && (await this.#isSwitching())) continue;
      await this.#pause();
    }
  }

  get #isStopped(): boolean {
    return this.#options.signal?.aborted === true;
  }

  /** One start of the application, to its end. @returns false when there was none */
  async #turn(): Promise<boolean> {
    const { clock } = this.#options;
    let boot: Boot;
    try {
      boot = await bootApplication(this.#folder);
    } catch (error) {
      this.#failed(error);
      return false;
    }
    if (boot.application === undefined) {
      this.#failed(new ThinglineError("STORE_CORRUPT", `no application in "${this.#folder.folder}" is whole`));
      return false;
    }
    const { application, why } = boot;
    const { version, slot, isOnTrial } = application;
    const startedMs = clock.monotonicMs();
    this.#event({ type: "started", version, slot, why, isOnTrial });
    const { exitCode, endedBy } = await this.#watch(application);
    const uptimeMs = clock.monotonicMs() - startedMs;
    this.#event({ type: "ended", version, exitCode, endedBy, uptimeMs });
    if (uptimeMs >= this.#timing.stableAfterMs) this.#failures = 0;
    return true;
  }

  async #watch(application: BootedApplication): Promise<ChildEnd> {
    const { processes, command, clock, signal } = this.#options;
    let child: ChildProcess;
    try {
      const wanted = command(application);
      child = processes.start({ ...wanted, folder: wanted.folder ?? application.folder });
    } catch (error) {
      this.#failed(error);
      return { exitCode: undefined, endedBy: undefined };
    }
    const stop = (): void => this.#stop(child);
    signal?.addEventListener("abort", stop, { once: true });
    if (this.#isStopped) stop();
    const isOver = { value: false };
    const timer = application.isOnTrial
      ? clock.setTimer(this.#timing.trialTimeoutMs, () => void this.#trialOver(application, child, isOver))
      : undefined;
    try {
      return await child.ended;
    } finally {
      isOver.value = true;
      timer?.cancel();
      signal?.removeEventListener("abort", stop);
    }
  }

  /** It hangs, perhaps; or it has confirmed itself long ago. */
  async #trialOver(application: BootedApplication, child: ChildProcess, isOver: { value: boolean }): Promise<void> {
    const state = await this.#folder.readState().catch(() => undefined);
    if (isOver.value || state?.trial === "confirmed") return;
    this.#event({ type: "trialTimedOut", version: application.version });
    this.#stop(child);
  }

  #stop(child: ChildProcess): void {
    child.stop();
    const timer = this.#options.clock.setTimer(this.#timing.stopTimeoutMs, () => child.kill());
    void child.ended.then(() => timer.cancel());
  }

  async #isSwitching(): Promise<boolean> {
    const state = await this.#folder.readState().catch(() => undefined);
    return state?.isScheduled === true || (state?.trial === "onTrial" && state.startCount <= 1);
  }

  async #pause(): Promise<void> {
    const { clock, signal } = this.#options;
    const { restartFirstMs, restartLastMs } = this.#timing;
    this.#failures += 1;
    const afterMs = Math.min(restartLastMs, restartFirstMs * 2 ** Math.min(this.#failures - 1, 16));
    this.#event({ type: "restarting", afterMs, failures: this.#failures });
    await clock.sleep(afterMs, signal === undefined ? {} : { signal }).catch(() => undefined);
  }

  #failed(thrown: unknown): void {
    const error =
      thrown instanceof ThinglineError
        ? thrown
        : new ThinglineError("ADAPTER_FAILED", textOf(thrown), { cause: thrown });
    this.#event({ type: "failed", error });
  }

  #event(event: SupervisorEvent): void {
    this.#options.onEvent?.(event);
  }
}
