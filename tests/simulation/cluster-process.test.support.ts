// A process of a simulated cluster: it can be killed, and it can stand still as one that the kernel has stopped.
import type { Clock } from "@thingline/transport";
import { createProcessClock } from "@thingline/transport/virtual";

export interface ClusterProcess {
  /** Time as the process sees it: nothing is called back while it stands still, or after it was killed. */
  readonly clock: Clock;
  readonly isDead: boolean;
  kill(): void;
  /** Stands still: what was due meanwhile comes afterwards. */
  stop(forMs: number): void;
}

export function createProcess(world: Clock): ClusterProcess {
  const clock = createProcessClock(world);
  return {
    clock,
    get isDead() {
      return clock.isKilled;
    },
    kill: () => clock.kill(),
    stop: (forMs) => clock.stop(forMs),
  };
}
