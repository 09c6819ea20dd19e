import { integerAt } from "@thingline/protocol/at";
import type { CommandTable, ModemState, Reply } from "./command.js";
import { ok, refused, set, since, storedSetting, subscription } from "./command.js";
import { integer, optional } from "./parameter-rules.js";

/** Millivolts under which `%XVBATLVL` tells of a low supply; what the part comes with. */
export const lowSupplyMv = 3_300;
/** Degrees from which on `%XTEMP` tells of a high temperature, and of a critical one. */
export const highTemperatureC = 55;
export const criticalTemperatureC = 90;

/** Supply, temperature, and notifications about the modem itself. */
export const systemCommands: CommandTable = {
  // Measured in steps of 4 mV.
  "%XVBAT": { execute: (modem) => ok(`%XVBAT: ${Math.floor(modem.supplyMv / 4) * 4}`) },
  ...subscription("%XVBATLVL", 1),
  ...storedSetting("%XVBATLOWLVL", [integer(3_100, 5_000)], [lowSupplyMv]),
  "%XTEMP": {
    execute: (modem) => (modem.profile.hasTemperatureCommand ? temperature(modem) : refused("error")),
    read: (modem) => (modem.profile.hasTemperatureCommand ? refused("error") : temperature(modem)),
    set: set([integer(0, 1)], (modem, parameters) => {
      modem.subscriptions.set("%XTEMP", [integerAt(parameters, 0) ?? 0]);
      return ok();
    }),
  },
  ...storedSetting("%XTEMPHIGHLVL", [integer(1, 85)], [highTemperatureC]),
  "%XPOFWARN": {
    set: set([integer(0, 1), optional(integer(30, 33))], (modem, parameters) => {
      const isOn = integerAt(parameters, 0) === 1;
      const level = integerAt(parameters, 1);
      if (isOn && level === undefined) return refused("error");
      modem.subscriptions.set("%XPOFWARN", isOn ? [1, level ?? 30] : [0]);
      return ok();
    }),
  },
  ...since((profile) => profile.hasModemEvents, subscription("%MDMEV", 1)),
  "%XCONNSTAT": {
    set: set([integer(0, 1)], (modem, parameters) => {
      if (integerAt(parameters, 0) === 1) modem.statistics.start();
      else modem.statistics.stop();
      return ok();
    }),
    read: (modem) => ok(`%XCONNSTAT: ${modem.statistics.values().join(",")}`),
  },
};

function temperature(modem: ModemState): Reply {
  return ok(`%XTEMP: ${modem.temperatureC}`);
}
