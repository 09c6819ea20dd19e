import type { CommandTable } from "./command.js";
import { ok } from "./command.js";
import { credentialCommands } from "./credentials.js";
import { functionalModeCommands } from "./functional-mode.js";
import { identityCommands } from "./identity.js";
import { keyCommands } from "./keys.js";
import { networkCommands } from "./network.js";
import { simCommands } from "./sim.js";
import { systemCommands } from "./system.js";

const families: CommandTable = {
  ...identityCommands,
  ...functionalModeCommands,
  ...networkCommands,
  ...simCommands,
  ...systemCommands,
  ...credentialCommands,
  ...keyCommands,
};

/** Every command of the simulated modem. */
export const commandTable: ReadonlyMap<string, CommandTable[string]> = new Map(
  Object.entries({
    ...families,
    "+CLAC": { execute: () => ok(...commandNames()) },
  }),
);

function commandNames(): string[] {
  return [...commandTable.keys()].filter((name) => name !== "").map((name) => `AT${name}`);
}
