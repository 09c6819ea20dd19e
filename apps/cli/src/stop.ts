import { ThinglineError } from "@thingline/protocol";

/** What ended a command from outside, and the exit code that shells know for it: 128 and the signal's number. */
export const stopExitCodes = { SIGHUP: 129, SIGINT: 130, SIGPIPE: 141, SIGTERM: 143 } as const;
export type StopReason = keyof typeof stopExitCodes;

/** A command that has been told to stop and has not tidied up by then is ended. */
export const stopGraceMs = 10_000;

export interface StopWatch {
  /** Aborted by SIGINT, SIGTERM and SIGHUP, and when the reader of standard output has gone. */
  readonly signal: AbortSignal;
  /** Undefined as long as nobody wants us to stop. */
  readonly reason: StopReason | undefined;
  [Symbol.dispose](): void;
}

/** A second signal ends the process at once, and so does {@link stopGraceMs}: nobody has to use `kill -9`. */
export function watchForStop(): StopWatch {
  const controller = new AbortController();
  let reason: StopReason | undefined;
  let grace: NodeJS.Timeout | undefined;
  const stop = (why: StopReason) => {
    if (reason !== undefined) {
      // Standard output fails again with each line that is still written.
      if (why !== "SIGPIPE") process.exit(stopExitCodes[why]);
      return;
    }
    reason = why;
    grace = setTimeout(() => process.exit(stopExitCodes[why]), stopGraceMs).unref();
    controller.abort(new ThinglineError("ABORTED", `stopped by ${why}`));
  };
  const signals = ["SIGHUP", "SIGINT", "SIGTERM"] as const;
  const handlers = signals.map((name) => ({ name, handle: () => stop(name) }));
  for (const { name, handle } of handlers) process.on(name, handle);
  // Both stay: output that is still on its way can fail after the command's end, and must not be a crash.
  process.stdout.on("error", () => stop("SIGPIPE"));
  process.stderr.on("error", () => undefined);
  return {
    signal: controller.signal,
    get reason() {
      return reason;
    },
    [Symbol.dispose]() {
      clearTimeout(grace);
      for (const { name, handle } of handlers) process.off(name, handle);
    },
  };
}
