import { type ErrorCode, isThinglineError } from "@thingline/protocol";

/** What a call comes to; undefined when it fails with this code, which is as good. */
export async function unless<Result>(code: ErrorCode, run: () => Promise<Result>): Promise<Result | undefined> {
  try {
    return await run();
  } catch (error) {
    if (isThinglineError(error, code)) return undefined;
    throw error;
  }
}
