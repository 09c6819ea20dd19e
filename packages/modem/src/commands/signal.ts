import type { NetworkMonitor, SignalQuality } from "@thingline/protocol/at";
import type { CommandOptions } from "../session.js";
import { askModem, type CommandSession } from "./ask.js";

/** `AT+CESQ`. @throws {ThinglineError} MODEM_RESPONSE_INVALID, and those of `ModemSession.command`. */
export function readSignalQuality(session: CommandSession, options?: CommandOptions): Promise<SignalQuality> {
  return askModem(session, "+CESQ", undefined, options);
}

/** `AT%XMONITOR`; undefined while the modem is not registered. @throws as {@link readSignalQuality} */
export async function readNetworkMonitor(
  session: CommandSession,
  options?: CommandOptions,
): Promise<NetworkMonitor | undefined> {
  return (await askModem(session, "%XMONITOR", undefined, options)).registered;
}
