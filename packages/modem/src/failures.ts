import { isThinglineError, type ThinglineError } from "@thingline/protocol";

/** Undefined where the modem answers ERROR: it does not have the command, or nothing to tell. */
export async function unlessRejected<Value>(asking: Promise<Value>): Promise<Value | undefined> {
  try {
    return await asking;
  } catch (error) {
    if (isThinglineError(error, "MODEM_COMMAND_REJECTED")) return undefined;
    throw error;
  }
}

/** As {@link unlessRejected}, where one ERROR must not be believed: noise in front of a command makes one, and a modem that means it says it again. */
export async function unlessRejectedTwice<Value>(ask: () => Promise<Value>): Promise<Value | undefined> {
  return (await unlessRejected(ask())) ?? (await unlessRejected(ask()));
}

/** For what may fail without anybody minding: refusals, time-outs, a line that is gone. A defect is thrown on. */
export function ignoreKnown(error: unknown): void {
  if (!isThinglineError(error)) throw error;
}

/**
 * What may be another the next time: an answer that was lost or damaged on its way, or a command that was. A modem that refuses for a reason
 * gives its number.
 */
export function isPassing(error: ThinglineError): boolean {
  if (error.code === "TIMEOUT" || error.code === "MODEM_RESPONSE_INVALID") return true;
  const isRefusal = error.code === "CREDENTIAL_REFUSED" || error.code === "MODEM_COMMAND_REJECTED";
  return isRefusal && error.details["cme"] === undefined;
}

/** Of a session that has ended: nothing goes over its line any more. */
export function isSessionOver({ code }: ThinglineError): boolean {
  return code === "CLOSED" || code === "CONNECTION_LOST" || code === "SERIAL_PORT_UNPLUGGED";
}
