import { exitCodes } from "./failure.js";

/** What shells know for a program whose reader has gone: 128 and the number of SIGPIPE. */
export const readerGoneExitCode = 141;

export type OutputFailure = "readerGone" | "unwritable";

export interface StandardStreams {
  /** Instead of the command's own; undefined as long as its output arrives. */
  readonly exitCode: number | undefined;
  /** Called once, also when it failed before. */
  onFailure(listener: (failure: OutputFailure) => void): void;
}

/**
 * Output that cannot be written is no crash. That a reader has gone is known at the next write (Node has no poll for it): ends the
 * command quietly, as SIGPIPE ends others (`thingline --help | head -1`); a full
 * disk is said. Complaints and logs that nobody can read are no reason to end.
 */
export function watchStandardStreams(out: NodeJS.WriteStream, err: NodeJS.WriteStream): StandardStreams {
  let failure: OutputFailure | undefined;
  const listeners: ((failure: OutputFailure) => void)[] = [];
  const failed = (how: OutputFailure) => {
    if (failure !== undefined) return;
    failure = how;
    for (const listener of listeners.splice(0)) listener(how);
    // The command may be over: output on its way fails later.
    if (process.exitCode !== undefined) process.exitCode = exitCodeOf(how);
  };
  out.on("error", (error: NodeJS.ErrnoException) => {
    const isGone =
      error.code === "EPIPE" || error.code === "ERR_STREAM_DESTROYED" || (error.code === "EIO" && out.isTTY);
    if (!isGone && failure === undefined) {
      err.write(`error: cannot write standard output: ${error.code ?? error.message} (FILE_UNREADABLE)\n`);
    }
    failed(isGone ? "readerGone" : "unwritable");
  });
  err.on("error", () => undefined);
  return {
    get exitCode() {
      return failure && exitCodeOf(failure);
    },
    onFailure(listener) {
      if (failure !== undefined) listener(failure);
      else listeners.push(listener);
    },
  };
}

function exitCodeOf(failure: OutputFailure): number {
  return failure === "readerGone" ? readerGoneExitCode : exitCodes.failed;
}
