import { ThinglineError } from "@thingline/protocol";
import { parseInformation, stringAt } from "@thingline/protocol/at";
import type { ModemSession, RunCommand } from "../session.js";

export interface ModemDescription {
  manufacturer: string;
  model: string;
  /** `mfw_nrf9160_1.3.2`. */
  firmware: string;
  imei: string;
}

/** @throws {ThinglineError} MODEM_RESPONSE_INVALID, and those of {@link ModemSession.command}. */
export async function readModemDescription(
  session: ModemSession,
  { signal }: { signal?: AbortSignal } = {},
): Promise<ModemDescription> {
  return session.sequence(
    async (run) => ({
      manufacturer: await firstLine(run, "AT+CGMI"),
      model: await firstLine(run, "AT+CGMM"),
      firmware: await firstLine(run, "AT+CGMR"),
      imei: readImei(await firstLine(run, "AT+CGSN=1")),
    }),
    signal === undefined ? {} : { signal },
  );
}

function readImei(line: string): string {
  const imei = stringAt(parseInformation(line)?.parameters ?? [], 0);
  if (imei !== undefined && /^[0-9]{15}$/.test(imei)) return imei;
  throw new ThinglineError("MODEM_RESPONSE_INVALID", `AT+CGSN=1: expected +CGSN: and 15 digits in quotes, got ${line}`);
}

async function firstLine(run: RunCommand, command: string): Promise<string> {
  const [line] = await run(command);
  if (line !== undefined) return line;
  throw new ThinglineError("MODEM_RESPONSE_INVALID", `${command}: expected a line, got OK alone`);
}
