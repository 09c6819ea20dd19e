import type { NetworkMonitor, SignalQuality } from "@thingline/protocol/at";
import type { CommandOptions, ModemSession } from "../session.js";
import { askModem } from "./ask.js";

type Commands = Pick<ModemSession, "command">;

/** `AT+CESQ`. @throws {ThinglineError} MODEM_RESPONSE_INVALID, and those of {@link ModemSession.command}. */
export function readSignalQuality(session: Commands, options?: CommandOptions): Promise<SignalQuality> {
  return askModem(session, "+CESQ", undefined, options);
}

/** `AT%XMONITOR`; undefined while the modem is not registered. @throws as {@link readSignalQuality} */
export async function readNetworkMonitor(
  session: Commands,
  options?: CommandOptions,
): Promise<NetworkMonitor | undefined> {
  return (await askModem(session, "%XMONITOR", undefined, options)).registered;
}
