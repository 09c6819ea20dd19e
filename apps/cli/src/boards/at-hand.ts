import {
  type ModemDescription,
  type ModemProbe,
  type ModemSession,
  openModemSession,
  readModemDescription,
} from "@thingline/modem";
import type { SimulatedModem } from "@thingline/modem/simulator";
import { isThinglineError } from "@thingline/protocol";
import { nodeAdapters } from "../adapters.js";
import type { CommandContext } from "../command.js";
import { commandLine, unlessDefault } from "../invocation.js";
import { type DoorOptions, namesDoor } from "../door-options.js";
import { openModemDoor } from "../modem-door.js";
import { defaultModemDir } from "../option-values.js";
import type { Output } from "../output.js";

export interface HandOptions extends DoorOptions {
  modemDir: string;
}

/** A modem that commands work on: a board behind a door, or the simulated one of a folder. They speak to both in AT commands. */
export interface ModemAtHand extends AsyncDisposable {
  session: ModemSession;
  /** As a person named it: a port, or the folder. */
  where: string;
  /** Of a board. */
  probe: ModemProbe | undefined;
  /** Of a folder. */
  simulated: SimulatedModem | undefined;
}

/** @throws {ThinglineError} those of the doors, LOCKED, STORE_CORRUPT. */
export async function openModemAtHand(options: HandOptions, signal: AbortSignal): Promise<ModemAtHand> {
  if (namesDoor(options)) {
    const door = await openModemDoor(options, signal);
    const { session, probe, name: where } = door;
    return { session, probe, where, simulated: undefined, [Symbol.asyncDispose]: () => session.close() };
  }
  // For a board it would be a hundred modules too many.
  const { createSimulatedModem } = await import("@thingline/modem/simulator");
  const { nearbyNetwork } = await import("../simulated-device.js");
  const { network, clock, random, files, keys } = nodeAdapters();
  const { modemDir: folder } = options;
  const modem = await createSimulatedModem({ network, clock, random, files, keys, folder, lte: nearbyNetwork });
  const session = openModemSession(modem.openPort(), { clock });
  return {
    ...{ session, probe: undefined, where: folder, simulated: modem },
    [Symbol.asyncDispose]: async () => {
      await session.close();
      await modem.close();
    },
  };
}

/** Whether there is a modem to look at: looking must not make one, since the name of the folder may be mistyped. Of a board it is not known yet. */
export async function isAtHand(options: HandOptions): Promise<boolean> {
  return namesDoor(options) || (await nodeAdapters().files.list(options.modemDir)).length > 0;
}

/** The modem, where there is one. @returns undefined when it was said that there is none. */
export async function openToLook(
  output: Output,
  options: HandOptions,
  signal: AbortSignal,
): Promise<ModemAtHand | undefined> {
  const { modemDir } = options;
  if (await isAtHand(options)) return openModemAtHand(options, signal);
  output.say(`there is no simulated modem in ${modemDir}; writing credentials makes one:`);
  output.say(
    `  ${commandLine(["modem", "write", "--sec-tag", "43", "--from", "FOLDER", ...unlessDefault("--modem-dir", modemDir, defaultModemDir)])}`,
  );
  return undefined;
}

/**
 * While a modem is changed, which is put back as it was also when a person wants the command to stop: that takes as long as the modem takes, and a
 * program that ends before leaves it offline.
 */
export const holdUntilRestored = ({ output, holdStop }: CommandContext): Disposable | undefined =>
  holdStop?.(
    () => {
      const message = "the modem is put back as it was; Ctrl-C again ends it at once, and may leave the modem offline";
      output.complain({ kind: "warning", message });
    },
    { aborts: true },
  );

/** What a modem says of itself; empty where an application in front of it refuses to tell. */
export async function describeModem(hand: ModemAtHand, signal: AbortSignal): Promise<ModemDescription> {
  try {
    return await readModemDescription(hand.session, { signal });
  } catch (error) {
    if (!isThinglineError(error, "MODEM_COMMAND_REJECTED")) throw error;
    return { manufacturer: "", model: "", firmware: "", imei: "" };
  }
}

/** For a heading: `nRF9160-SICA  mfw_nrf9160_1.3.2  IMEI 352656100367872  /dev/ttyACM0`. */
export function modemLine({ where, simulated }: ModemAtHand, { model, firmware, imei }: ModemDescription): string {
  if (simulated !== undefined) return `simulated nRF91, IMEI ${imei}, folder ${where}`;
  return [model, firmware, imei === "" ? "" : `IMEI ${imei}`, where].filter((part) => part !== "").join("  ");
}
