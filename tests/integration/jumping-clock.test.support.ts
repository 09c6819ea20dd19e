// The system's clock, which jumps when a test says so: timers that are due by then fire at once.
import type { Clock, Timer } from "@thingline/transport";
import { createNodeClock } from "@thingline/transport/node";

export interface JumpingClock extends Clock {
  jump(ms: number): void;
}

interface Pending {
  readonly dueMs: number;
  readonly fire: () => void;
  timer: Timer;
}

export function createJumpingClock(): JumpingClock {
  const clock = createNodeClock();
  const pending = new Set<Pending>();
  let aheadMs = 0;
  const monotonicMs = () => clock.monotonicMs() + aheadMs;
  return {
    monotonicMs,
    unixMs: () => clock.unixMs() + aheadMs,
    setTimer(delayMs, callback) {
      const fire = () => {
        pending.delete(one);
        callback();
      };
      const one: Pending = { dueMs: monotonicMs() + delayMs, fire, timer: clock.setTimer(delayMs, fire) };
      pending.add(one);
      return {
        cancel() {
          pending.delete(one);
          one.timer.cancel();
        },
      };
    },
    afterTurn: (callback) => clock.afterTurn(callback),
    sleep: (delayMs, options) => clock.sleep(delayMs, options),
    jump(ms) {
      aheadMs += ms;
      for (const one of pending) {
        one.timer.cancel();
        one.timer = clock.setTimer(Math.max(0, one.dueMs - monotonicMs()), one.fire);
      }
    },
  };
}
