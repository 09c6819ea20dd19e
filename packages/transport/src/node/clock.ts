import type { Clock, Timer } from "../clock.js";
import { sleep } from "../sleep.js";
import { createTurnEnds } from "../turn-ends.js";

/** The longest delay that `setTimeout` takes; longer ones fire at once. */
const timeoutMsMax = 2 ** 31 - 1;

class NodeTimer implements Timer {
  readonly #callback: () => void;
  readonly #dueMs: number;
  #handle: NodeJS.Timeout | undefined;

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
    this.#handle = setTimeout(NodeTimer.#fired, waitMs, this);
  }

  static #fired(this: void, timer: NodeTimer): void {
    // Node's timers keep their own, coarser time and may fire up to a millisecond early.
    const restMs = timer.#dueMs - performance.now();
    if (restMs > 0) return timer.#wait(restMs);
    timer.#handle = undefined;
    timer.#callback();
  }
}

/** The system's clocks and Node's event loop. */
export function createNodeClock(): Clock {
  const clock: Clock = {
    // Whole: kept in an object, a fraction would take memory of its own.
    monotonicMs: () => Math.floor(performance.now()),
    unixMs: () => Date.now(),
    setTimer: (delayMs, callback) => new NodeTimer(delayMs, callback),
    afterTurn: createTurnEnds((run) => setImmediate(run)),
    sleep: (delayMs, { signal } = {}) => sleep(clock, delayMs, signal),
  };
  return clock;
}
