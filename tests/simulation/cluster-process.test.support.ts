// A process of a simulated cluster: it can be killed, and it can stand still as one that the kernel has stopped.
import type { Clock, Timer } from "@thingline/transport";

export interface ClusterProcess {
  /** Time as the process sees it: nothing is called back while it stands still, or after it was killed. */
  readonly clock: Clock;
  readonly isDead: boolean;
  kill(): void;
  /** Stands still: what was due meanwhile comes afterwards. */
  stop(forMs: number): void;
}

export function createProcess(world: Clock): ClusterProcess {
  let isDead = false;
  let isStopped = false;
  let held: (() => void)[] = [];
  const call = (callback: () => void): void => {
    if (isDead) return;
    if (isStopped) held.push(callback);
    else callback();
  };
  const setTimer = (delayMs: number, callback: () => void): Timer => {
    let isCancelled = false;
    const timer = world.setTimer(delayMs, () => {
      call(() => {
        if (!isCancelled) callback();
      });
    });
    return {
      cancel() {
        isCancelled = true;
        timer.cancel();
      },
    };
  };
  return {
    clock: {
      monotonicMs: () => world.monotonicMs(),
      unixMs: () => world.unixMs(),
      setTimer,
      afterTurn: (callback) => world.afterTurn(() => call(callback)),
      sleep: (delayMs) => new Promise((resolve) => void setTimer(delayMs, resolve)),
    },
    get isDead() {
      return isDead;
    },
    kill() {
      isDead = true;
      held = [];
    },
    stop(forMs) {
      isStopped = true;
      world.setTimer(forMs, () => {
        isStopped = false;
        for (const callback of held.splice(0)) call(callback);
      });
    },
  };
}
