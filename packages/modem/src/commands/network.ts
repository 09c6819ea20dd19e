import type { SystemMode } from "@thingline/protocol/at";
import type { RegistrationRead } from "../at/network.js";
import type { CommandAnswer } from "../at/table.js";
import type { CommandOptions, ModemSession } from "../session.js";
import { askModem } from "./ask.js";

type Commands = Pick<ModemSession, "command">;

/** What `AT+CSCON?` answers: whether the radio is connected; `state` and `access` at the levels 2 and 3 of the subscription. */
export type RadioConnection = CommandAnswer<"+CSCON?">;

/** `AT+CEREG?` @throws {ThinglineError} MODEM_RESPONSE_INVALID, and those of {@link ModemSession.command}. */
export function readRegistration(session: Commands, options?: CommandOptions): Promise<RegistrationRead> {
  return askModem(session, "+CEREG?", undefined, options);
}

/** `AT+CSCON?` @throws as {@link readRegistration} */
export function readRadioConnection(session: Commands, options?: CommandOptions): Promise<RadioConnection> {
  return askModem(session, "+CSCON?", undefined, options);
}

/** `AT%XCBAND`: undefined while the modem is on no band. @throws as {@link readRegistration} */
export async function readBand(session: Commands, options?: CommandOptions): Promise<number | undefined> {
  const band = await askModem(session, "%XCBAND", undefined, options);
  return band === 0 ? undefined : band;
}

/** `AT%XCBAND=?` @throws as {@link readRegistration} */
export function readSupportedBands(session: Commands, options?: CommandOptions): Promise<number[]> {
  return askModem(session, "%XCBAND=?", undefined, options);
}

/** `AT%XSYSTEMMODE?`: which radios may be used. @throws as {@link readRegistration} */
export function readSystemMode(session: Commands, options?: CommandOptions): Promise<SystemMode> {
  return askModem(session, "%XSYSTEMMODE?", undefined, options);
}

/** `AT%XSYSTEMMODE=`: only while the modem is offline, else it refuses (518). @throws as {@link readRegistration}, and AT_MALFORMED */
export async function setSystemMode(session: Commands, mode: SystemMode, options?: CommandOptions): Promise<void> {
  await askModem(session, "%XSYSTEMMODE=", mode, options);
}
