import { kindOf, ThinglineError } from "@thingline/protocol";

export function abortedError(signal: AbortSignal | undefined): ThinglineError {
  return new ThinglineError("ABORTED", "the caller's signal was aborted", { cause: signal?.reason });
}

/**
 * What was thrown where nobody could be told: a device does not throw, what it was given may.
 *
 * @param consequence `, so it is idle`
 */
export function brokenError(thrown: unknown, consequence: string): ThinglineError {
  const what = thrown instanceof Error ? `${thrown.name}: ${thrown.message}` : kindOf(thrown);
  const message = `the clock, the random source or the connection that the device was given failed${consequence}: it threw ${what}`;
  return new ThinglineError("ADAPTER_FAILED", message, { details: { connectResult: "misc" }, cause: thrown });
}

/** What was thrown, for people: not everything that can be thrown has a text. */
export function textOf(thrown: unknown): string {
  try {
    return String(thrown);
  } catch {
    return kindOf(thrown);
  }
}
