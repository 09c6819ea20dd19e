import { ThinglineError } from "@thingline/protocol";
import type { StandardStreams } from "./standard-streams.js";

/** What ended a command from outside, and the exit code that shells know for it: 128 and the signal's number. */
export const stopExitCodes = { SIGHUP: 129, SIGINT: 130, SIGPIPE: 141, SIGTERM: 143, outputUnwritable: 1 } as const;
export type StopReason = keyof typeof stopExitCodes;

/** A command that has been told to stop and has not tidied up by then is ended. */
export const stopGraceMs = 10_000;

export interface StopWatch {
  /** Aborted by SIGINT, SIGTERM and SIGHUP, and when standard output cannot be written or has no reader. */
  readonly signal: AbortSignal;
  /** Undefined as long as nobody wants us to stop. */
  readonly reason: StopReason | undefined;
  /**
   * While it is held nobody is stopped: the first signal is told to `onStop` and followed when the hold is over, the second ends the process all
   * the same.
   *
   * @param how.aborts the signal is followed at once, and only the tidying up takes its time: the grace begins when the hold is over
   */
  hold(onStop: (why: StopReason) => void, how?: { aborts?: boolean }): Disposable;
  [Symbol.dispose](): void;
}

/** A second signal ends the process at once, and so does {@link stopGraceMs}: nobody has to use `kill -9`. */
export function watchForStop(streams: Pick<StandardStreams, "onFailure">): StopWatch {
  const controller = new AbortController();
  let reason: StopReason | undefined;
  let grace: NodeJS.Timeout | undefined;
  let held: { onStop: (why: StopReason) => void; aborts: boolean } | undefined;
  let waiting: StopReason | undefined;
  const beginGrace = (why: StopReason) => {
    grace = setTimeout(() => process.exit(stopExitCodes[why]), stopGraceMs).unref();
  };
  const stop = (why: StopReason) => {
    if (reason !== undefined || waiting !== undefined) {
      if (why !== "SIGPIPE" && why !== "outputUnwritable") process.exit(stopExitCodes[why]);
      return;
    }
    if (held !== undefined && !held.aborts) {
      waiting = why;
      return held.onStop(why);
    }
    reason = why;
    if (held === undefined) beginGrace(why);
    else held.onStop(why);
    controller.abort(new ThinglineError("ABORTED", `stopped by ${why}`));
  };
  const signals = ["SIGHUP", "SIGINT", "SIGTERM"] as const;
  const handlers = signals.map((name) => ({ name, handle: () => stop(name) }));
  for (const { name, handle } of handlers) process.on(name, handle);
  streams.onFailure((failure) => stop(failure === "readerGone" ? "SIGPIPE" : "outputUnwritable"));
  return {
    signal: controller.signal,
    get reason() {
      return reason;
    },
    hold(onStop, { aborts = false } = {}) {
      held = { onStop, aborts };
      return {
        [Symbol.dispose]() {
          held = undefined;
          if (reason !== undefined && grace === undefined) beginGrace(reason);
          const why = waiting;
          waiting = undefined;
          if (why !== undefined) stop(why);
        },
      };
    },
    [Symbol.dispose]() {
      clearTimeout(grace);
      for (const { name, handle } of handlers) process.off(name, handle);
    },
  };
}
