import { integerAt, stringAt } from "@thingline/protocol/at";
import { formatClock, parseClock } from "../network-time.js";
import type { CommandTable } from "./command.js";
import { ok, refused, set, storedSetting, subscription } from "./command.js";
import { integer, text } from "./parameter-rules.js";

const clock = text(/^[0-9]{2}\/[0-9]{2}\/[0-9]{2},[0-9]{2}:[0-9]{2}:[0-9]{2}[+-][0-9]{2}$/);

/** The modem's clock. */
export const clockCommands: CommandTable = {
  "+CCLK": {
    read: ({ time }) => {
      const { unixMs, timeZone } = time.read();
      return time.isKnown ? ok(`+CCLK: "${formatClock(unixMs, timeZone)}"`) : refused("error");
    },
    set: set([clock], ({ time }, parameters) => {
      const moment = parseClock(stringAt(parameters, 0) ?? "");
      if (moment === undefined) return refused("error");
      time.set(moment.unixMs, moment.timeZone);
      return ok();
    }),
  },
  "%CCLK": {
    read: ({ time }) => {
      const { unixMs, timeZone, daylightSaving } = time.read();
      if (!time.isKnown) return refused("error");
      const saving = daylightSaving === undefined ? "" : `,${daylightSaving}`;
      return ok(`%CCLK: "${formatClock(unixMs, timeZone)}"${saving}`);
    },
    set: set([clock, integer(0, 2)], ({ time }, parameters) => {
      const moment = parseClock(stringAt(parameters, 0) ?? "");
      if (moment === undefined) return refused("error");
      time.set(moment.unixMs, moment.timeZone, integerAt(parameters, 1));
      return ok();
    }),
  },
  ...subscription("%XTIME", 1),
  // Whether the network's time is taken over: it is, here.
  ...storedSetting("%XNETTIME", [integer(0, 1)], [1]),
};

/** `%XTIME`: time zone, universal time with swapped digits (3GPP TS 24.008 10.5.3.9), daylight saving time. */
export function timeNotification(unixMs: number): string {
  const digits = `${new Date(unixMs)
    .toISOString()
    .replaceAll(/[^0-9]/g, "")
    .slice(2, 14)}00`;
  return `%XTIME: "00","${digits.replaceAll(/(.)(.)/g, "$2$1")}","00"`;
}
