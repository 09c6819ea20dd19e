import type { CommandTable, ModemState } from "./command.js";
import { ok, refused, subscription } from "./command.js";
import { integer, optional } from "./parameter-rules.js";

/** How long before the event, and from which duration on it is told, in milliseconds. */
const withTimes = [integer(0, 1), optional(integer(0, 0x7fff_ffff)), optional(integer(0, 0x7fff_ffff))];

/** Supply, temperature, time, and notifications about the modem itself. */
export const systemCommands: CommandTable = {
  "%XVBAT": { execute: (modem) => ok(`%XVBAT: ${modem.supplyMv}`) },
  "%XTEMP": {
    execute: (modem) => (modem.profile.hasTemperatureCommand ? temperature(modem) : refused("error")),
    read: (modem) => (modem.profile.hasTemperatureCommand ? refused("error") : temperature(modem)),
  },
  "+CCLK": {
    read: (modem) => (modem.hasNetworkTime ? ok(`+CCLK: "${networkTime(modem.networkTimeMs())}"`) : refused("error")),
  },
  ...subscription("%XTIME", 1),
  ...subscription("%MDMEV", 1),
  ...subscription("%XMODEMSLEEP", withTimes),
  ...subscription("%XT3412", withTimes),
  ...subscription("%XPOFWARN", [integer(0, 1), optional(integer(30, 33))]),
  ...subscription("%XVBATLVL", 1),
};

function temperature(modem: ModemState) {
  return ok(`%XTEMP: ${modem.temperatureC}`);
}

/** `%XTIME`: time zone, universal time with swapped digits (3GPP TS 24.008 10.5.3.9), daylight saving time. */
export function timeNotification(unixMs: number): string {
  const digits = `${new Date(unixMs)
    .toISOString()
    .replaceAll(/[^0-9]/g, "")
    .slice(2, 14)}00`;
  return `%XTIME: "00","${digits.replaceAll(/(.)(.)/g, "$2$1")}","00"`;
}

/** `yy/MM/dd,hh:mm:ss+zz` in UTC: the simulated network has no time zone. */
function networkTime(unixMs: number): string {
  const [date = "", time = ""] = new Date(unixMs).toISOString().split("T");
  return `${date.slice(2).replaceAll("-", "/")},${time.slice(0, 8)}+00`;
}
