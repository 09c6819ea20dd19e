import type { CommandTable } from "./command.js";
import { integers, ok, refused } from "./command.js";

const manufacturer = "Nordic Semiconductor ASA";

/** Who the modem is. nRF91 AT Commands reference, general commands. */
export const identityCommands: CommandTable = {
  "": { execute: () => ok() },
  "+CGMI": { execute: () => ok(manufacturer), test: () => ok() },
  "+CGMM": { execute: (modem) => ok(modem.profile.model), test: () => ok() },
  "+CGMR": { execute: (modem) => ok(modem.profile.revision), test: () => ok() },
  "+CGSN": {
    execute: (modem) => ok(modem.identity.imei),
    set: (modem, parameters) => {
      const [kind, ...rest] = integers(parameters) ?? [];
      const { imei, serialNumber, softwareVersionNumber } = modem.identity;
      if (rest.length > 0) return refused("error");
      if (kind === 0) return ok(`+CGSN: "${serialNumber}"`);
      if (kind === 1) return ok(`+CGSN: "${imei}"`);
      if (kind === 2) return ok(`+CGSN: "${imei.slice(0, 14)}${softwareVersionNumber}"`);
      return kind === 3 ? ok(`+CGSN: "${softwareVersionNumber}"`) : refused("error");
    },
    test: () => ok("+CGSN: (0-3)"),
  },
  "%SHORTSWVER": { execute: (modem) => ok(`%SHORTSWVER: ${modem.profile.shortVersion}`) },
  "%HWVERSION": { execute: (modem) => ok(`%HWVERSION: ${modem.profile.hardware}`) },
  "%XMODEMUUID": { execute: (modem) => ok(`%XMODEMUUID: ${modem.identity.modemUuid}`) },
  "%DEVICEUUID": {
    execute: (modem) =>
      modem.profile.hasDeviceUuid ? ok(`%DEVICEUUID: ${modem.identity.deviceUuid}`) : refused("error"),
  },
  "+CMEE": {
    set: (modem, parameters) => {
      const [level, ...rest] = integers(parameters) ?? [];
      if ((level !== 0 && level !== 1) || rest.length > 0) return refused("error");
      modem.cmee = level;
      return ok();
    },
    read: (modem) => ok(`+CMEE: ${modem.cmee}`),
    test: () => ok("+CMEE: (0,1)"),
  },
};
