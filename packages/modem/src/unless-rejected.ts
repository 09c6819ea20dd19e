import { isThinglineError } from "@thingline/protocol";

/** Undefined where the modem answers ERROR: it does not have the command, or nothing to tell. */
export async function unlessRejected<Value>(asking: Promise<Value>): Promise<Value | undefined> {
  try {
    return await asking;
  } catch (error) {
    if (isThinglineError(error, "MODEM_COMMAND_REJECTED")) return undefined;
    throw error;
  }
}
