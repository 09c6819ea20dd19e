import type { Output } from "./output.js";

/** What a command is given besides its options. */
export interface CommandContext {
  output: Output;
  /** Aborted when the user wants it to stop; see `watchForStop`. */
  signal: AbortSignal;
  /** For what must not be left half done; see `StopWatch.hold`. Not there in tests. */
  holdStop?: (onStop: () => void, how?: { aborts?: boolean }) => Disposable;
}
