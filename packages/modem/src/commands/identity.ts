import type { CommandOptions, RunCommand } from "../session.js";
import { ask, askModem, type CommandSession, sequenceOf, type SequenceSession } from "./ask.js";
import { unlessRejected } from "../failures.js";

export interface ModemDescription {
  manufacturer: string;
  model: string;
  /** `mfw_nrf9160_1.3.2`. */
  firmware: string;
  imei: string;
}

/** Everything by which a modem can be told from others. */
export interface ModemIdentification extends ModemDescription {
  serialNumber: string;
  /** IMEISV: 16 digits, the last two of them the software version number. */
  imeiAndSoftwareVersion: string;
  softwareVersionNumber: string;
  /** `nrf9160_1.3.2`. */
  shortVersion: string;
  /** `nRF9160 SICA B0A`. */
  hardware: string;
  /** Of the modem firmware's build. */
  firmwareUuid: string;
  /** Of the device; undefined where the firmware does not tell it (before nRF91x1). */
  deviceUuid: string | undefined;
}

/** @throws {ThinglineError} MODEM_RESPONSE_INVALID, and those of `ModemSession.command`. */
export async function readModemDescription(
  session: SequenceSession,
  options: { signal?: AbortSignal } = {},
): Promise<ModemDescription> {
  return sequenceOf(session, options, describe);
}

/** @throws as {@link readModemDescription} */
export async function readModemIdentification(
  session: SequenceSession,
  options: { signal?: AbortSignal } = {},
): Promise<ModemIdentification> {
  return sequenceOf(session, options, async (run) => ({
    ...(await describe(run)),
    serialNumber: await ask(run, "+CGSN=", { kind: "serialNumber" }),
    imeiAndSoftwareVersion: await ask(run, "+CGSN=", { kind: "imeiAndSoftwareVersion" }),
    softwareVersionNumber: await ask(run, "+CGSN=", { kind: "softwareVersionNumber" }),
    shortVersion: await ask(run, "%SHORTSWVER", undefined),
    hardware: await ask(run, "%HWVERSION", undefined),
    firmwareUuid: await ask(run, "%XMODEMUUID", undefined),
    deviceUuid: await unlessRejected(ask(run, "%DEVICEUUID", undefined)),
  }));
}

async function describe(run: RunCommand): Promise<ModemDescription> {
  return {
    manufacturer: await ask(run, "+CGMI", undefined),
    model: await ask(run, "+CGMM", undefined),
    firmware: await ask(run, "+CGMR", undefined),
    imei: await ask(run, "+CGSN=", { kind: "imei" }),
  };
}

/** `AT+CLAC`: every command that the modem has, as `AT+CFUN`. @throws as {@link readModemDescription} */
export function listCommands(session: CommandSession, options?: CommandOptions): Promise<readonly string[]> {
  return askModem(session, "+CLAC", undefined, options);
}
