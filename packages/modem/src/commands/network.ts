import type { SystemMode } from "@thingline/protocol/at";
import type { RegistrationRead } from "../at/network.js";
import type { CommandOptions } from "../session.js";
import { askModem, type CommandSession } from "./ask.js";

/** What `AT+CSCON?` answers. */
export interface RadioConnection {
  /** Of the subscription: 0 to 3. */
  level: number;
  isConnected: boolean;
  /** 7 is E-UTRAN; from level 2 on. */
  state?: number | undefined;
  /** 4 is E-UTRA; at level 3. */
  access?: number | undefined;
}

/** `AT+CEREG?` @throws {ThinglineError} MODEM_RESPONSE_INVALID, and those of `ModemSession.command`. */
export function readRegistration(session: CommandSession, options?: CommandOptions): Promise<RegistrationRead> {
  return askModem(session, "+CEREG?", undefined, options);
}

/** `AT+CSCON?` @throws as {@link readRegistration} */
export function readRadioConnection(session: CommandSession, options?: CommandOptions): Promise<RadioConnection> {
  return askModem(session, "+CSCON?", undefined, options);
}

/** `AT%XCBAND`: undefined while the modem is on no band. @throws as {@link readRegistration} */
export async function readBand(session: CommandSession, options?: CommandOptions): Promise<number | undefined> {
  const band = await askModem(session, "%XCBAND", undefined, options);
  return band === 0 ? undefined : band;
}

/** `AT%XCBAND=?` @throws as {@link readRegistration} */
export function readSupportedBands(session: CommandSession, options?: CommandOptions): Promise<number[]> {
  return askModem(session, "%XCBAND=?", undefined, options);
}

/** `AT%XSYSTEMMODE?`: which radios may be used. @throws as {@link readRegistration} */
export function readSystemMode(session: CommandSession, options?: CommandOptions): Promise<SystemMode> {
  return askModem(session, "%XSYSTEMMODE?", undefined, options);
}

/** `AT%XSYSTEMMODE=`: only while the modem is offline, else it refuses (518). @throws as {@link readRegistration}, and AT_MALFORMED */
export async function setSystemMode(
  session: CommandSession,
  mode: SystemMode,
  options?: CommandOptions,
): Promise<void> {
  await askModem(session, "%XSYSTEMMODE=", mode, options);
}
