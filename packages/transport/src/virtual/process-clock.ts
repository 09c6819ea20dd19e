import type { Clock, Timer } from "../clock.js";
import { sleep } from "../sleep.js";

/** The clock of a process that can be killed: what it had under way never happens. */
export interface ProcessClock extends Clock {
  /** Timers that are set and neither fired nor cancelled. */
  readonly timerCount: number;
  /** No timer fires and no turn ends for it any more, and none that it sets ever does. */
  kill(): void;
}

/** A process of its own in the time of `clock`: its timers are counted by themselves. */
export function createProcessClock(clock: Clock): ProcessClock {
  const timers = new Set<Timer>();
  let isKilled = false;
  const processClock: ProcessClock = {
    monotonicMs: () => clock.monotonicMs(),
    unixMs: () => clock.unixMs(),
    setTimer(delayMs, callback) {
      if (isKilled) return { cancel: () => undefined };
      const inner = clock.setTimer(delayMs, () => {
        timers.delete(timer);
        callback();
      });
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
      if (isKilled) return;
      clock.afterTurn(() => {
        if (!isKilled) callback();
      });
    },
    sleep: (delayMs, { signal } = {}) => sleep(processClock, delayMs, signal),
    get timerCount() {
      return timers.size;
    },
    kill() {
      isKilled = true;
      for (const timer of [...timers]) timer.cancel();
    },
  };
  return processClock;
}
