/**
 * Calls what a clock or a connection calls back: what is thrown there has no caller to go to, and ends what the device is doing
 * instead of the process.
 */
export type Guard = (handle: () => void) => void;

/** For what follows a throw: undefined when it throws as well, since what came before it is told already. */
export function attempt<Result>(run: () => Result): Result | undefined {
  try {
    return run();
  } catch {
    return undefined;
  }
}
