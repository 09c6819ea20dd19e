import type { ThinglineError } from "@thingline/protocol";
import { abortedError } from "../errors.js";

/** How a request ended: an error, the reason codes of its answer, or nothing more to say. */
export type Outcome = ThinglineError | readonly number[] | undefined;

/** Who waits for a request: the owner that the session carries along. */
export type Settle = (outcome: Outcome) => void;

/** Wraps a waiter: the signal settles it with ABORTED, and its listener is taken off whatever happens first. */
export function abortable(signal: AbortSignal | undefined, settle: Settle, giveUp?: () => void): Settle {
  if (signal === undefined) return settle;
  const abort = (): void => {
    giveUp?.();
    settle(abortedError(signal));
  };
  signal.addEventListener("abort", abort, { once: true });
  return (outcome) => {
    signal.removeEventListener("abort", abort);
    settle(outcome);
  };
}
