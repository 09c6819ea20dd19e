import { clockCommands } from "./clock.js";
import type { CommandForms, CommandTable } from "./command.js";
import { authenticationCommands } from "./authentication.js";
import { credentialCommands } from "./credentials.js";
import { functionalModeCommands } from "./functional-mode.js";
import { identityCommands } from "./identity.js";
import { keyCommands } from "./keys.js";
import { packetDataCommands } from "./packet-data.js";
import { powerSavingCommands } from "./power-saving.js";
import { registrationCommands } from "./registration.js";
import { signalCommands } from "./signal.js";
import { simCommands } from "./sim.js";
import { systemCommands } from "./system.js";

const families: CommandTable = {
  ...identityCommands,
  ...functionalModeCommands,
  ...simCommands,
  ...registrationCommands,
  ...signalCommands,
  ...packetDataCommands,
  ...powerSavingCommands,
  ...clockCommands,
  ...systemCommands,
  ...credentialCommands,
  ...keyCommands,
  ...authenticationCommands,
};

/** Every command of the simulated modem. */
export const commandTable: ReadonlyMap<string, CommandForms> = new Map(Object.entries(families));
