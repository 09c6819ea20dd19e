import { checkOptionTypes, type OptionTypes, ThinglineError } from "@thingline/protocol";
import {
  clockOption,
  dialerOption,
  filesOption,
  keysOption,
  makePrivateFolder,
  randomOption,
} from "@thingline/transport";
import { checkModemBehaviour } from "./behaviour/check.js";
import { bootModem } from "./booted-modem.js";
import { identityTypes } from "./identity.js";
import { pinPattern } from "./sim-card.js";
import type { SimulatedModem, SimulatedModemOptions } from "./simulated-modem.js";
import { conditionRules, storageBytesRule, timingRules } from "./surroundings.js";
import { checkValues, matching, wholeNumber } from "./value-rules.js";

export type { ModemFaults, SimulatedModem, SimulatedModemOptions } from "./simulated-modem.js";

const pinRule = matching(pinPattern, "4 to 8 digits");
/** Credentials that a modem can come with. */
export const factoryCredentialsMax = 64;
const factoryCredentialsRule = {
  type: "list",
  rules: {
    secTag: wholeNumber(0, 4_294_967_295),
    type: wholeNumber(0, 13),
    content: matching(/^[^"\0]{1,4096}$/u, "a text of at most 4096 characters without quotes"),
  },
  lengthMax: factoryCredentialsMax,
} as const;

const optionTypes = {
  network: dialerOption,
  clock: clockOption,
  random: randomOption,
  keys: keysOption,
  files: filesOption,
  folder: "string",
  identity: { options: identityTypes },
  firmware: "string",
  lte: "object",
  pin: "string",
  puk: "string",
  factoryCredentials: "array",
  storageBytesMax: "number",
  isVoltageLow: "boolean",
  countsTraffic: "boolean",
  behaviour: "object",
} as const satisfies OptionTypes<SimulatedModemOptions>;

/**
 * Boots a simulated nRF91, functional mode 0.
 *
 * @throws {ThinglineError} OPTION_INVALID, LOCKED when another process runs on the folder, STORE_CORRUPT naming the
 * damaged file.
 */
export async function createSimulatedModem(options: SimulatedModemOptions): Promise<SimulatedModem> {
  checkOptionTypes(options, optionTypes, {
    of: "createSimulatedModem()",
    required: ["network", "clock", "random", "keys"],
  });
  const { conditions, ...timing } = options.lte ?? {};
  checkValues(timing, timingRules, { of: "createSimulatedModem()", prefix: "lte." });
  checkValues(conditions ?? {}, conditionRules, { of: "createSimulatedModem()", prefix: "lte.conditions." });
  const { pin, puk, factoryCredentials, storageBytesMax } = options;
  checkValues(
    { pin, puk, factoryCredentials, storageBytesMax },
    { pin: pinRule, puk: pinRule, factoryCredentials: factoryCredentialsRule, storageBytesMax: storageBytesRule },
    { of: "createSimulatedModem()" },
  );
  if (options.behaviour !== undefined) checkModemBehaviour(options.behaviour, "behaviour.");
  const { files, folder } = options;
  if ((files === undefined) !== (folder === undefined)) {
    const message = "files and folder: expected both or none";
    throw new ThinglineError("OPTION_INVALID", message, { details: { option: "folder" } });
  }
  if (files === undefined || folder === undefined) return bootModem(options, async () => undefined);
  await makePrivateFolder(files, folder);
  const lock = await files.lock(folder);
  try {
    return await bootModem(options, () => lock.release());
  } catch (error) {
    await lock.release();
    throw error;
  }
}
