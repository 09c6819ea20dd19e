import { ThinglineError } from "@thingline/protocol";
import type { Clock } from "./clock.js";

/** {@link Clock.sleep} over {@link Clock.setTimer}, for every clock. Leaves neither timer nor listener behind. */
export function sleep(clock: Clock, delayMs: number, signal: AbortSignal | undefined): Promise<void> {
  return new Promise((resolve, reject) => {
    const aborted = (): void =>
      reject(new ThinglineError("ABORTED", "the wait was aborted", { cause: signal?.reason }));
    if (signal?.aborted === true) return aborted();
    const timer = clock.setTimer(delayMs, () => {
      signal?.removeEventListener("abort", abort);
      resolve();
    });
    const abort = (): void => {
      timer.cancel();
      aborted();
    };
    signal?.addEventListener("abort", abort, { once: true });
  });
}
