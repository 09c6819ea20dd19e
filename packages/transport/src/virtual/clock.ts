import { checkOptionTypes, kindOf, optionInvalid, ThinglineError } from "@thingline/protocol";
import type { Clock, Timer } from "../clock.js";
import { sleep } from "../sleep.js";

export interface VirtualClock extends Clock {
  /**
   * Lets time pass: timers fire in the order of their time, each in an event-loop turn of its own with those of the
   * same instant; promises settle and `afterTurn` callbacks run before time goes on. `advance(0)` does what is due now.
   */
  advance(ms: number): Promise<void>;
  /**
   * Lets as much time pass as the promise needs, from timer to timer.
   *
   * @throws {ThinglineError} TIMEOUT when nothing is left to wait for, or after `limitMs` of virtual time (default an hour).
   */
  until<T>(promise: Promise<T>, options?: { limitMs?: number }): Promise<T>;
  /**
   * Waits for what something outside of virtual time settles too, such as a signature of the system: turns of the real event loop pass until
   * then, each with so much of virtual time. A promise that never settles is waited for without end.
   */
  untilSettled<T>(promise: Promise<T>, options?: { stepMs?: number }): Promise<T>;
  /** Promises settle and turns end until nothing happens any more. No time passes, and no timer fires, due or not. */
  settle(): Promise<void>;
  /** Like {@link VirtualClock.advance}, but no promise settles meanwhile: for code without any. */
  advanceNow(ms: number): void;
  /** Moves what people see, not the timers. */
  setUnixMs(unixMs: number): void;
  /** Timers that are set and neither fired nor cancelled. */
  readonly timerCount: number;
}

interface VirtualTimer extends Timer {
  dueMs: number;
  order: number;
  callback: (() => void) | undefined;
}

export const defaultVirtualUnixMs = Date.UTC(2026, 0, 1);

export interface VirtualClockOptions {
  /** People's time at the start. Default {@link defaultVirtualUnixMs}. */
  unixMs?: number;
  /**
   * What lets promises settle. `eventLoop`, the default, is a turn of the real event loop: whatever the program waits for may go on,
   * cryptography of the system included. `microtasks` stays within this turn, so that nothing from outside can come between: for code
   * that waits for nothing but promises, in chains of at most {@link microtasksPerTurn}.
   */
  settlesBy?: "eventLoop" | "microtasks";
}

/** How often a promise of a chain may settle before time goes on, with `settlesBy: "microtasks"`. */
export const microtasksPerTurn = 100;

/** Time that passes when told to. */
export function createVirtualClock(options: VirtualClockOptions = {}): VirtualClock {
  checkOptionTypes(options, { unixMs: "number", settlesBy: "string" }, { of: "createVirtualClock()" });
  const { unixMs = defaultVirtualUnixMs, settlesBy = "eventLoop" } = options;
  if (settlesBy !== "eventLoop" && settlesBy !== "microtasks") {
    throw optionInvalid("settlesBy", '"eventLoop" or "microtasks"', kindOf(settlesBy));
  }
  const promisesSettle = settlesBy === "eventLoop" ? passEventLoop : passMicrotasks;
  let nowMs = 0;
  let unixOffsetMs = unixMs;
  let order = 0;
  let timerCount = 0;
  /** A binary heap by time, then by order of setting. */
  const heap: VirtualTimer[] = [];
  let turnEnds: (() => void)[] = [];

  function nextTimer(): VirtualTimer | undefined {
    while (heap[0] !== undefined && heap[0].callback === undefined) popHeap(heap);
    return heap[0];
  }

  /** Takes every timer of the earliest instant, if that is not after `limitMs`, and sets the time to it. */
  function takeDue(limitMs: number): VirtualTimer[] {
    const due: VirtualTimer[] = [];
    for (let next = nextTimer(); next !== undefined; next = nextTimer()) {
      if (next.dueMs > (due[0]?.dueMs ?? limitMs)) break;
      due.push(next);
      popHeap(heap);
    }
    if (due[0] !== undefined) nowMs = Math.max(nowMs, due[0].dueMs);
    return due;
  }

  function fire(timer: VirtualTimer): void {
    const { callback } = timer;
    if (callback === undefined) return;
    timer.callback = undefined;
    timerCount -= 1;
    callback();
  }

  /** @returns whether anybody waited for the end of the turn */
  function endTurn(): boolean {
    const callbacks = turnEnds;
    turnEnds = [];
    for (const callback of callbacks) callback();
    return callbacks.length > 0;
  }

  /** One turn of the event loop. @returns whether anything was due up to `limitMs`. */
  async function turn(limitMs: number): Promise<boolean> {
    await promisesSettle();
    if (endTurn()) return true;
    const due = takeDue(limitMs);
    for (const timer of due) {
      fire(timer);
      await promisesSettle();
    }
    return due.length > 0;
  }

  const clock: VirtualClock = {
    monotonicMs: () => nowMs,
    unixMs: () => nowMs + unixOffsetMs,
    setUnixMs(to) {
      unixOffsetMs = to - nowMs;
    },
    setTimer(delayMs, callback) {
      const timer: VirtualTimer = {
        dueMs: after(nowMs, delayMs),
        order: order++,
        callback,
        cancel() {
          if (timer.callback === undefined) return;
          timer.callback = undefined;
          timerCount -= 1;
        },
      };
      timerCount += 1;
      pushHeap(heap, timer);
      return timer;
    },
    afterTurn(callback) {
      turnEnds.push(callback);
    },
    sleep: (delayMs, { signal } = {}) => sleep(clock, delayMs, signal),
    async advance(ms) {
      const endMs = nowMs + ms;
      while (await turn(endMs));
      nowMs = Math.max(nowMs, endMs);
    },
    async until(promise, { limitMs = 3_600_000 } = {}) {
      const endMs = nowMs + limitMs;
      let isSettled = false;
      const done = (): void => void (isSettled = true);
      promise.then(done, done);
      for (;;) {
        const wasBusy = await turn(endMs);
        if (isSettled) return promise;
        if (!wasBusy) {
          const why = nextTimer() === undefined ? "nothing is left that could happen" : `${limitMs} ms have passed`;
          throw new ThinglineError("TIMEOUT", `the promise is not settled, and ${why}`, { details: { nowMs } });
        }
      }
    },
    async untilSettled(promise, { stepMs = 0 } = {}) {
      let isSettled = false;
      const settled = (): void => void (isSettled = true);
      promise.then(settled, settled);
      while (!isSettled) {
        await clock.advance(stepMs);
        await passEventLoop();
      }
      return promise;
    },
    async settle() {
      do await promisesSettle();
      while (endTurn());
    },
    advanceNow(ms) {
      const endMs = nowMs + ms;
      for (;;) {
        if (endTurn()) continue;
        const due = takeDue(endMs);
        if (due.length === 0) break;
        due.forEach(fire);
      }
      nowMs = Math.max(nowMs, endMs);
    },
    get timerCount() {
      return timerCount;
    },
  };
  return clock;
}

/**
 * Whoever waits for what is left until some instant must get beyond it. A delay that is lost in rounding would fire at once, be short by
 * it again, and so on for ever.
 */
function after(nowMs: number, delayMs: number): number {
  const dueMs = nowMs + Math.max(0, delayMs);
  return delayMs > 0 && dueMs === nowMs ? nowMs + Math.max(1, nowMs) * Number.EPSILON : dueMs;
}

/** Every promise that can settle without time passing has settled after a turn of the real event loop. */
function passEventLoop(): Promise<void> {
  // oxlint-disable-next-line no-restricted-globals -- the one thing a virtual clock cannot do by itself
  return new Promise((resolve) => setImmediate(resolve));
}

async function passMicrotasks(): Promise<void> {
  for (let count = 0; count < microtasksPerTurn; count++) await Promise.resolve();
}

function isBefore(a: VirtualTimer, b: VirtualTimer): boolean {
  return a.dueMs < b.dueMs || (a.dueMs === b.dueMs && a.order < b.order);
}

function pushHeap(heap: VirtualTimer[], timer: VirtualTimer): void {
  let index = heap.push(timer) - 1;
  while (index > 0) {
    const parentIndex = (index - 1) >> 1;
    const parent = heap[parentIndex] as VirtualTimer;
    if (!isBefore(timer, parent)) break;
    heap[index] = parent;
    index = parentIndex;
  }
  heap[index] = timer;
}

function popHeap(heap: VirtualTimer[]): void {
  const last = heap.pop();
  if (last === undefined || heap.length === 0) return;
  let index = 0;
  for (;;) {
    let childIndex = index * 2 + 1;
    let child = heap[childIndex];
    if (child === undefined) break;
    const right = heap[childIndex + 1];
    if (right !== undefined && isBefore(right, child)) {
      child = right;
      childIndex += 1;
    }
    if (!isBefore(child, last)) break;
    heap[index] = child;
    index = childIndex;
  }
  heap[index] = last;
}
