import { isThinglineError } from "@thingline/protocol";

/** For what may fail without anybody minding: refusals, time-outs, a line that is gone. A defect is thrown on. */
export function ignoreKnown(error: unknown): void {
  if (!isThinglineError(error)) throw error;
}
