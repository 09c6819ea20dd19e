import { kindOf, ThinglineError } from "@thingline/protocol";
import type { Random } from "@thingline/transport";

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

/** A delay that is no number would be none, and attempts without a pause. @throws {RangeError} for who tells of adapters at fault */
export function fractionOf(random: Random): number {
  const fraction: unknown = random.fraction();
  if (typeof fraction === "number" && fraction >= 0 && fraction <= 1) return fraction;
  throw new RangeError(`fraction() gave ${kindOf(fraction)} instead of a number from 0 to 1`);
}
