import type { Clock, Timer } from "./clock.js";
import { sleep } from "./sleep.js";
import { createTurnEnds } from "./turn-ends.js";

/** The longest delay that `setTimeout` takes; longer ones fire at once. */
const timeoutMsMax = 2 ** 31 - 1;

class SystemTimer implements Timer {
  readonly #callback: () => void;
  readonly #dueMs: number;
  #handle: ReturnType<typeof setTimeout> | undefined;

  constructor(delayMs: number, callback: () => void) {
    this.#callback = callback;
    // Whole numbers take no memory of their own.
    this.#dueMs = Math.ceil(performance.now() + delayMs);
    this.#wait(delayMs);
  }

  cancel(): void {
    clearTimeout(this.#handle);
    this.#handle = undefined;
  }

  #wait(delayMs: number): void {
    const waitMs = Math.min(Math.max(0, Math.ceil(delayMs)), timeoutMsMax);
    // No closure: a gateway has thousands of timers.
    this.#handle = setTimeout(SystemTimer.#fired, waitMs, this);
  }

  static #fired(this: void, timer: SystemTimer): void {
    // Node's timers keep their own, coarser time and may fire up to a millisecond early.
    const restMs = timer.#dueMs - performance.now();
    if (restMs > 0) return timer.#wait(restMs);
    timer.#handle = undefined;
    timer.#callback();
  }
}

/**
 * The clocks and timers of whatever runs the program: Node or a browser.
 *
 * @param schedule calls back at the end of the event loop's turn: Node has `setImmediate`. Default `setTimeout` without a delay.
 */
export function createSystemClock(schedule: (run: () => void) => void = (run) => void setTimeout(run, 0)): Clock {
  const clock: Clock = {
    // Whole: kept in an object, a fraction would take memory of its own.
    monotonicMs: () => Math.floor(performance.now()),
    unixMs: () => Date.now(),
    setTimer: (delayMs, callback) => new SystemTimer(delayMs, callback),
    afterTurn: createTurnEnds(schedule),
    sleep: (delayMs, { signal } = {}) => sleep(clock, delayMs, signal),
  };
  return clock;
}
