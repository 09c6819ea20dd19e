import { ThinglineError } from "@thingline/protocol";
import type { Clock, Timer } from "./clock.js";

/** {@link Clock.sleep} over {@link Clock.setTimer}, for every clock. Leaves neither timer nor listener behind. */
export function sleep(clock: Clock, delayMs: number, signal: AbortSignal | undefined): Promise<void> {
  return new Promise((resolve, reject) => {
    let timer: Timer | undefined;
    const abort = (): void => {
      timer?.cancel();
      reject(new ThinglineError("ABORTED", "the wait was aborted", { cause: signal?.reason }));
    };
    if (signal?.aborted === true) return abort();
    timer = clock.setTimer(delayMs, () => {
      signal?.removeEventListener("abort", abort);
      resolve();
    });
    signal?.addEventListener("abort", abort, { once: true });
  });
}
