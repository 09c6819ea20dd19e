/** The first wait before a request is made again; it doubles with each failure. */
export const retryFirstMs = 1_000;
/** The longest one. */
export const retryLastMs = 60_000;

/**
 * How long a job or a command execution waits before it asks the cloud again, in milliseconds.
 *
 * @param failures so far, from 1
 * @param chance 0 to 1: the lower half of the wait is fixed, so that a fleet does not come back at once
 */
export function retryDelayMs(failures: number, chance: number): number {
  const upperMs = Math.min(retryLastMs, retryFirstMs * 2 ** Math.min(failures - 1, 16));
  return upperMs / 2 + (chance * upperMs) / 2;
}
