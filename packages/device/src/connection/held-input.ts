import { optionInvalid, type ThinglineError } from "@thingline/protocol";
import type { Clock, Timer } from "@thingline/transport";
import { abortedError } from "../errors.js";
import type { Guard } from "./guard.js";

/**
 * What `poll()` saw, after the flags of POSIX poll():
 *
 * - `readable` (POLLIN): bytes wait for `input()`. It comes before `hungUp` and `error`, so that nothing is lost that was received.
 * - `hungUp` (POLLHUP): the server has ended the connection.
 * - `error` (POLLERR): the connection failed.
 * - `invalid` (POLLNVAL): there is no connection.
 * - `timeout`: none of these within the time.
 */
export type PollResult = "readable" | "hungUp" | "error" | "invalid" | "timeout";

export interface PollOptions {
  /** Milliseconds to wait at most; 0 looks and returns, Infinity waits without limit. Default Infinity. */
  timeoutMs?: number;
  /** Ends the wait with ABORTED. */
  signal?: AbortSignal;
}

/** Received bytes that wait for `input()`; from here on the connection is not read, so that the server has to wait. */
export const inputBytesMax = 65_536;

/** What the buffer needs of the connection that it holds input of. */
export interface InputSource {
  pause(): void;
  resume(): void;
}

interface Waiter {
  finish(result: PollResult): void;
}

/** Input of a device whose application drives it: bytes, and the end of the connection, wait here until it asks for them. */
export class HeldInput {
  readonly #clock: Clock;
  readonly #guard: Guard;
  #source: InputSource | undefined;
  #chunks: Uint8Array[] = [];
  #heldBytes = 0;
  #isWanted = true;
  #isPaused = false;
  #end: { error: ThinglineError | undefined } | undefined;
  #waiter: Waiter | undefined;

  constructor(clock: Clock, guard: Guard) {
    this.#clock = clock;
    this.#guard = guard;
  }

  /** How the connection ended, while the application has not been told. */
  get end(): { readonly error: ThinglineError | undefined } | undefined {
    return this.#end;
  }

  get isReadable(): boolean {
    return this.#chunks.length > 0;
  }

  opened(source: InputSource): void {
    this.#source = source;
  }

  received(bytes: Uint8Array): void {
    this.#chunks.push(bytes);
    this.#heldBytes += bytes.length;
    this.#regulate();
    this.#waiter?.finish("readable");
  }

  ended(error: ThinglineError | undefined): void {
    this.#end = { error };
    this.#waiter?.finish(error === undefined ? "hungUp" : "error");
  }

  /** The connection is gone, and with it what was not asked for. */
  closed(): void {
    this.#source = undefined;
    this.#end = undefined;
    this.#chunks = [];
    this.#heldBytes = 0;
    this.#isWanted = true;
    this.#isPaused = false;
    this.#waiter?.finish("invalid");
  }

  /** What has come in, in order; the connection is read on. */
  take(): readonly Uint8Array[] {
    const chunks = this.#chunks;
    this.#chunks = [];
    this.#heldBytes = 0;
    this.#regulate();
    return chunks;
  }

  /** false: the session takes no more for now. What is held already stays to be asked for. */
  setReading(isReading: boolean): void {
    this.#isWanted = isReading;
    this.#regulate();
  }

  #regulate(): void {
    const isPaused = !this.#isWanted || this.#heldBytes >= inputBytesMax;
    if (isPaused === this.#isPaused) return;
    this.#isPaused = isPaused;
    if (isPaused) this.#source?.pause();
    else this.#source?.resume();
  }

  /** @throws {ThinglineError} ABORTED; OPTION_INVALID: a wrong time, or another poll is waiting. */
  poll({ timeoutMs = Infinity, signal }: PollOptions): Promise<PollResult> {
    return new Promise<PollResult>((resolve, reject) => {
      if (typeof timeoutMs !== "number" || !(timeoutMs >= 0)) {
        throw optionInvalid("timeoutMs", "milliseconds from 0", String(timeoutMs));
      }
      if (signal?.aborted) throw abortedError(signal);
      if (this.#waiter !== undefined) throw optionInvalid("poll", "one at a time", "another that waits");
      this.#wait(timeoutMs, signal, resolve, reject);
    });
  }

  #wait(
    timeoutMs: number,
    signal: AbortSignal | undefined,
    resolve: (result: PollResult) => void,
    reject: (error: ThinglineError) => void,
  ): void {
    let timer: Timer | undefined;
    // Whoever waits is told first: a timer may throw when it is cancelled.
    const forget = (): void => {
      this.#waiter = undefined;
      signal?.removeEventListener("abort", abort);
      timer?.cancel();
    };
    const abort = (): void => {
      reject(abortedError(signal));
      this.#guard(forget);
    };
    const finish = (result: PollResult): void => {
      resolve(result);
      forget();
    };
    this.#waiter = { finish };
    signal?.addEventListener("abort", abort, { once: true });
    const look = (): void => {
      if (this.#waiter?.finish === finish) finish(this.#ready ?? "timeout");
    };
    try {
      // A loop around poll() must not keep the event loop from the network, whatever it does with the result.
      if (this.#ready !== undefined || timeoutMs === 0) this.#clock.afterTurn(() => this.#guard(look));
      else if (timeoutMs !== Infinity) timer = this.#clock.setTimer(timeoutMs, () => this.#guard(look));
    } catch (thrown) {
      forget();
      throw thrown;
    }
  }

  get #ready(): PollResult | undefined {
    if (this.#source === undefined) return "invalid";
    if (this.isReadable) return "readable";
    if (this.#end === undefined) return undefined;
    return this.#end.error === undefined ? "hungUp" : "error";
  }
}
