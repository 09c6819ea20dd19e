/** The first wait before a request is made again; it doubles with each failure. */
export const jobRetryFirstMs = 1_000;
/** The longest one. */
export const jobRetryLastMs = 60_000;

/** @param failures so far, from 1 @param chance 0 to 1 */
export function retryDelayMs(failures: number, chance: number): number {
  const upperMs = Math.min(jobRetryLastMs, jobRetryFirstMs * 2 ** Math.min(failures - 1, 16));
  return upperMs / 2 + (chance * upperMs) / 2;
}
