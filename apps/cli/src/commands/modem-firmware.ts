import { judgeFirmware } from "@thingline/modem";
import { createSimulatedModem } from "@thingline/modem/simulator";
import { ThinglineError } from "@thingline/protocol";
import { nodeAdapters } from "../adapters.js";
import type { CommandContext } from "../command.js";
import { exitCodes } from "../failure.js";
import { type DoorOptions, namesDoor, openModemDoor } from "../modem-door.js";
import { judgementFacts, judgementLines } from "../modem-firmware/judgement-lines.js";

type FirmwareOptions = DoorOptions & { modemDir: string };

/** What answers, and where. */
interface Found {
  revision: string;
  model: string;
  where: string;
}

/** `thingline modem firmware`: of the modem behind a door, else of the simulated one in its folder. */
export async function modemFirmware(context: CommandContext, options: FirmwareOptions): Promise<number> {
  const { output } = context;
  const { revision, model, where } = await (namesDoor(options) ? askBoard(context, options) : askSimulated(options));
  const judged = judgeFirmware(revision);
  output.event(
    { event: "modemFirmware", ...judgementFacts(revision, judged), model, where },
    [`${output.paint.bold(revision)} on ${model} (${where})`, judgementLines(output, revision, judged)].join("\n"),
  );
  return judged?.verdict === "old" ? exitCodes.failed : exitCodes.done;
}

async function askBoard({ signal }: CommandContext, options: FirmwareOptions): Promise<Found> {
  await using door = await openModemDoor(options, signal);
  const ask = async (command: string) => (await door.session.command(command, { signal }))[0] ?? "";
  return { revision: await ask("AT+CGMR"), model: await ask("AT+CGMM"), where: door.name };
}

async function askSimulated({ modemDir }: FirmwareOptions): Promise<Found> {
  const { network, clock, random, files, keys } = nodeAdapters();
  // Looking must not make a modem: the name of the folder may be mistyped.
  if ((await files.list(modemDir)).length === 0) {
    const message = `there is no simulated modem in ${modemDir}; a board is named by --port or --tcp`;
    throw new ThinglineError("MODEM_NOT_FOUND", message, { details: { where: modemDir } });
  }
  await using modem = await createSimulatedModem({ network, clock, random, files, keys, folder: modemDir });
  const ask = async (command: string) => (await modem.at(command)).split("\r\n")[0] ?? "";
  return { revision: await ask("AT+CGMR"), model: await ask("AT+CGMM"), where: `simulated, ${modemDir}` };
}
