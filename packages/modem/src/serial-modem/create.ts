import { checkOptionTypes, kindOf, optionInvalid, type OptionTypes, ThinglineError } from "@thingline/protocol";
import { clockOption, filesOption, makePrivateFolder, randomOption } from "@thingline/transport";
import type { SimulatedModem } from "../simulator/simulated-modem.js";
import type { SerialModemApplication } from "./application.js";
import { serialModemTraits } from "./dialect.js";
import { defaultSerialModemDialect, type SerialModemOptions } from "./options.js";
import { RunningApplication } from "./running-application.js";
import { openSerialModemStorage } from "./storage.js";

const optionTypes = {
  clock: clockOption,
  random: randomOption,
  dialect: "string",
  version: "string",
  customerVersion: "string",
  terminator: "string",
  baudRate: "number",
  whileBusy: "string",
  hasDataModeUrc: "boolean",
  hasNativeTls: "boolean",
  files: filesOption,
  folder: "string",
  resolve: "function",
  listen: "function",
  updatedApplication: "string",
  onUnsupported: "function",
} as const satisfies OptionTypes<SerialModemOptions>;

const words: Partial<Record<keyof SerialModemOptions, readonly string[]>> = {
  dialect: Object.keys(serialModemTraits),
  updatedApplication: ["runs", "crashes"],
  terminator: ["CR", "LF", "CR+LF"],
  whileBusy: ["lost", "queued"],
};
/** What a line may run at. */
const baudRateRange = { lowest: 1200, highest: 1_000_000 };

/**
 * Starts Nordic's serial modem application in front of a simulated modem, which it does not own.
 *
 * @throws {ThinglineError} OPTION_INVALID, STORE_CORRUPT naming the damaged file, and those of the files.
 */
export async function createSerialModemApplication(
  modem: SimulatedModem,
  options: SerialModemOptions,
): Promise<SerialModemApplication> {
  checkOptionTypes(options, optionTypes, { of: "createSerialModemApplication()", required: ["clock", "random"] });
  for (const [option, known] of Object.entries(words))
    checkWord(option, options[option as keyof SerialModemOptions], known);
  const { baudRate, files, folder, dialect = defaultSerialModemDialect } = options;
  if (baudRate !== undefined && !(baudRate >= baudRateRange.lowest && baudRate <= baudRateRange.highest)) {
    throw optionInvalid("baudRate", `bits a second from ${baudRateRange.lowest} to ${baudRateRange.highest}`, baudRate);
  }
  for (const option of ["version", "customerVersion"] as const) checkVersion(option, options[option]);
  if ((files === undefined) !== (folder === undefined)) {
    const message = "files and folder: expected both or none";
    throw new ThinglineError("OPTION_INVALID", message, { details: { option: "folder" } });
  }
  if (options.hasNativeTls === true && dialect === "serialModem") {
    throw optionInvalid("hasNativeTls", "false for the Serial Modem add-on, which has no such build", "true");
  }
  if (files !== undefined && folder !== undefined) await makePrivateFolder(files, folder);
  const storage = await openSerialModemStorage(options);
  const application = new RunningApplication(modem, options, serialModemTraits[dialect], storage);
  await application.boot();
  return application;
}

function checkWord(option: string, value: unknown, known: readonly string[]): void {
  if (value === undefined || (typeof value === "string" && known.includes(value))) return;
  throw optionInvalid(option, known.map((word) => `"${word}"`).join(", "), kindOf(value));
}

function checkVersion(option: string, version: string | undefined): void {
  if (version === undefined || /^[\w.+-]{1,64}$/.test(version)) return;
  throw optionInvalid(option, "a version of letters, digits and . + - _, 64 characters at most", kindOf(version));
}
