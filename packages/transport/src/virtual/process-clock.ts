import type { Clock, Timer } from "../clock.js";
import { sleep } from "../sleep.js";

/** The clock of a process that can be killed, and that can stand still as one that its system has stopped. */
export interface ProcessClock extends Clock {
  /** Timers that are set and neither fired nor cancelled. */
  readonly timerCount: number;
  readonly isKilled: boolean;
  /** No timer fires and no turn ends for it any more, and none that it sets ever does. */
  kill(): void;
  /** Stands still so long, in the time of everybody else: what was due meanwhile comes afterwards, in order. */
  stop(forMs: number): void;
}

/** A process of its own in the time of `clock`: its timers are counted by themselves. */
export function createProcessClock(clock: Clock): ProcessClock {
  const timers = new Set<Timer>();
  let isKilled = false;
  let stopCount = 0;
  let held: (() => void)[] = [];

  function call(callback: () => void): void {
    if (isKilled) return;
    if (stopCount > 0) held.push(callback);
    else callback();
  }

  const processClock: ProcessClock = {
    monotonicMs: () => clock.monotonicMs(),
    unixMs: () => clock.unixMs(),
    setTimer(delayMs, callback) {
      if (isKilled) return { cancel: () => undefined };
      const inner = clock.setTimer(delayMs, () =>
        call(() => {
          if (timers.delete(timer)) callback();
        }),
      );
      const timer: Timer = {
        cancel() {
          timers.delete(timer);
          inner.cancel();
        },
      };
      timers.add(timer);
      return timer;
    },
    afterTurn(callback) {
      if (!isKilled) clock.afterTurn(() => call(callback));
    },
    sleep: (delayMs, { signal } = {}) => sleep(processClock, delayMs, signal),
    get timerCount() {
      return timers.size;
    },
    get isKilled() {
      return isKilled;
    },
    kill() {
      isKilled = true;
      held = [];
      for (const timer of [...timers]) timer.cancel();
    },
    stop(forMs) {
      stopCount += 1;
      clock.setTimer(forMs, () => {
        stopCount -= 1;
        if (stopCount === 0) for (const callback of held.splice(0)) call(callback);
      });
    },
  };
  return processClock;
}
