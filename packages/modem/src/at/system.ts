import { one } from "./answers.js";
import { ask, set } from "./entry.js";
import { flag, integer, optional } from "./fields.js";
import { fields, single } from "./lines.js";
import { networkClock } from "./times.js";

const celsius = integer(-100, 200);

/** Supply, temperature, time, and notifications about the modem itself. */
export const systemTable = {
  "%XVBAT": ask(one(single(integer(0, 100_000)))),
  "%XTEMP?": ask(one(single(celsius))),
  // Of the nRF91x1.
  "%XTEMP": ask(one(single(celsius))),
  "%XTEMP=": set(fields({ isOn: flag })),
  "+CCLK?": ask(one(networkClock)),
  "+CCLK=": set(networkClock),
  "%XTIME=": set(fields({ isOn: flag })),
  "%MDMEV=": set(fields({ isOn: flag })),
  "%XPOFWARN=": set(fields({ isOn: flag, level: optional(integer(30, 33)) })),
  "%XVBATLVL=": set(fields({ isOn: flag })),
};
