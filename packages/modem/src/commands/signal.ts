import { ThinglineError } from "@thingline/protocol";
import type { NetworkMonitor, SignalQuality } from "@thingline/protocol/at";
import { parseMonitor, parseSignalQuality } from "@thingline/protocol/at";
import type { CommandOptions, ModemSession } from "../session.js";

/** `AT+CESQ`. @throws {ThinglineError} MODEM_RESPONSE_INVALID, and those of {@link ModemSession.command}. */
export async function readSignalQuality(session: ModemSession, options?: CommandOptions): Promise<SignalQuality> {
  const [line = ""] = await session.command("AT+CESQ", options);
  const quality = parseSignalQuality(line);
  if (quality !== undefined) return quality;
  throw new ThinglineError("MODEM_RESPONSE_INVALID", `AT+CESQ: expected six numbers, got ${line}`);
}

/** `AT%XMONITOR`; undefined while the modem is not registered. */
export async function readNetworkMonitor(
  session: ModemSession,
  options?: CommandOptions,
): Promise<NetworkMonitor | undefined> {
  const [line = ""] = await session.command("AT%XMONITOR", options);
  const monitor = parseMonitor(line);
  if (monitor !== undefined) return monitor.registered;
  throw new ThinglineError("MODEM_RESPONSE_INVALID", `AT%XMONITOR: expected a registration status, got ${line}`);
}
