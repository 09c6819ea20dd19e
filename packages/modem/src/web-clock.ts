import { type Clock, createTurnEnds, sleep, type Timer } from "@thingline/transport";

/** The longest delay that `setTimeout` takes; longer ones fire at once. */
const timeoutMsMax = 2 ** 31 - 1;

class WebTimer implements Timer {
  readonly #callback: () => void;
  readonly #dueMs: number;
  #handle: ReturnType<typeof setTimeout> | undefined;

  constructor(delayMs: number, callback: () => void) {
    this.#callback = callback;
    this.#dueMs = performance.now() + delayMs;
    this.#wait(delayMs);
  }

  cancel(): void {
    clearTimeout(this.#handle);
    this.#handle = undefined;
  }

  #wait(delayMs: number): void {
    const waitMs = Math.min(Math.max(0, Math.ceil(delayMs)), timeoutMsMax);
    this.#handle = setTimeout(() => this.#fire(), waitMs);
  }

  #fire(): void {
    const restMs = this.#dueMs - performance.now();
    if (restMs > 0) return this.#wait(restMs);
    this.#handle = undefined;
    this.#callback();
  }
}

/** The clocks and the event loop of a browser. */
export function createWebClock(): Clock {
  const clock: Clock = {
    monotonicMs: () => Math.floor(performance.now()),
    unixMs: () => Date.now(),
    setTimer: (delayMs, callback) => new WebTimer(delayMs, callback),
    afterTurn: createTurnEnds((run) => setTimeout(run, 0)),
    sleep: (delayMs, { signal } = {}) => sleep(clock, delayMs, signal),
  };
  return clock;
}
