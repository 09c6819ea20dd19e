import { integerAt } from "@thingline/protocol/at";
import type { CommandTable } from "./command.js";
import { ok, set, since } from "./command.js";
import { integer, optional } from "./parameter-rules.js";

const manufacturer = "Nordic Semiconductor ASA";

/** Who the modem is. nRF91 AT Commands reference, general commands. */
export const identityCommands: CommandTable = {
  "": { execute: () => ok() },
  "+CGMI": { execute: () => ok(manufacturer), test: () => ok() },
  "+CGMM": { execute: (modem) => ok(modem.profile.model), test: () => ok() },
  "+CGMR": { execute: (modem) => ok(modem.profile.revision), test: () => ok() },
  "+CGSN": {
    execute: (modem) => ok(modem.identity.imei),
    set: set([integer(0, 3)], (modem, parameters) => {
      const kind = integerAt(parameters, 0);
      const { imei, serialNumber, softwareVersionNumber } = modem.identity;
      if (kind === 0) return ok(`+CGSN: "${serialNumber}"`);
      if (kind === 1) return ok(`+CGSN: "${imei}"`);
      if (kind === 2) return ok(`+CGSN: "${imei.slice(0, 14)}${softwareVersionNumber}"`);
      return ok(`+CGSN: "${softwareVersionNumber}"`);
    }),
    test: () => ok("+CGSN: (0-3)"),
  },
  "%SHORTSWVER": { execute: (modem) => ok(`%SHORTSWVER: ${modem.profile.shortVersion}`) },
  "%HWVERSION": { execute: (modem) => ok(`%HWVERSION: ${modem.profile.hardware}`) },
  "%XMODEMUUID": { execute: (modem) => ok(`%XMODEMUUID: ${modem.identity.modemUuid}`) },
  ...since((profile) => profile.hasDeviceUuid, {
    "%DEVICEUUID": { execute: (modem) => ok(`%DEVICEUUID: ${modem.identity.deviceUuid}`) },
  }),
  // The modem takes commands whenever it can answer at all.
  "+CPAS": { execute: () => ok("+CPAS: 0") },
  "+CLAC": { execute: (modem) => ok(...modem.commandNames()) },
  "+CMEE": {
    set: set([optional(integer(0, 1))], (modem, parameters) => {
      modem.cmee = integerAt(parameters, 0) === 1 ? 1 : 0;
      return ok();
    }),
    read: (modem) => ok(`+CMEE: ${modem.cmee}`),
    test: () => ok("+CMEE: (0,1)"),
  },
};
