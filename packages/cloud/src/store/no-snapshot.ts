import { ThinglineError } from "@thingline/protocol";

/** What is refused as a snapshot, and why. */
export const noSnapshot = (why: string, cause?: unknown) =>
  new ThinglineError("REQUEST_INVALID", `this is no snapshot of a local cloud: ${why}`, { cause });
