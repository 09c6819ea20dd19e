import type { NetworkClock } from "../at/times.js";
import { unlessRejected } from "../failures.js";
import type { CommandOptions } from "../session.js";
import { askModem, type CommandSession } from "./ask.js";

/** `AT%XVBAT`: millivolts. @throws {ThinglineError} MODEM_RESPONSE_INVALID, and those of `ModemSession.command`. */
export function readSupplyVoltage(session: CommandSession, options?: CommandOptions): Promise<number> {
  return askModem(session, "%XVBAT", undefined, options);
}

/** `AT%XTEMP?`, and `AT%XTEMP` where that is refused: degrees Celsius. @throws as {@link readSupplyVoltage} */
export async function readTemperature(session: CommandSession, options?: CommandOptions): Promise<number> {
  const degrees = await unlessRejected(askModem(session, "%XTEMP?", undefined, options));
  return degrees ?? askModem(session, "%XTEMP", undefined, options);
}

/** `AT+CCLK?`: refused until there is a time, of the network or set. @throws as {@link readSupplyVoltage} */
export function readNetworkTime(session: CommandSession, options?: CommandOptions): Promise<NetworkClock> {
  return askModem(session, "+CCLK?", undefined, options);
}

/** `AT+CCLK=`: for a modem whose network does not tell the time. @throws as {@link readSupplyVoltage}, and AT_MALFORMED */
export async function setModemClock(
  session: CommandSession,
  clock: NetworkClock,
  options?: CommandOptions,
): Promise<void> {
  await askModem(session, "+CCLK=", clock, options);
}
