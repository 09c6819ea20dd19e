import { one } from "./answers.js";
import { ask, set } from "./entry.js";
import { flag, integer, optional } from "./fields.js";
import { fields, single, supported } from "./lines.js";
import { networkClock, summerClock } from "./times.js";

const counter = integer(0, 4_294_967_295);
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
  "%CCLK?": ask(one(summerClock)),
  "%CCLK=": set(summerClock),
  "%XTIME?": ask(one(single(flag))),
  "%XTIME=?": ask(one(supported)),
  "%XTIME=": set(fields({ isOn: flag })),
  "%MDMEV?": ask(one(single(flag))),
  "%MDMEV=?": ask(one(supported)),
  "%MDMEV=": set(fields({ isOn: flag })),
  "%XPOFWARN=": set(fields({ isOn: flag, level: optional(integer(30, 33)) })),
  "%XVBATLVL?": ask(one(single(flag))),
  "%XVBATLVL=?": ask(one(supported)),
  "%XVBATLOWLVL?": ask(one(single(integer(0, 5_000)))),
  "%XVBATLOWLVL=": set(fields({ level: integer(3_100, 5_000) })),
  "%XTEMPHIGHLVL?": ask(one(single(integer(0, 85)))),
  "%XTEMPHIGHLVL=": set(fields({ level: integer(1, 85) })),
  "%XCONNSTAT?": ask(
    one(
      fields({
        ...{ smsSent: counter, smsReceived: counter, kilobytesSent: counter, kilobytesReceived: counter },
        ...{ packetBytesMax: counter, packetBytesMean: counter },
      }),
    ),
  ),
  "%XCONNSTAT=": set(fields({ isOn: flag })),
  "%XVBATLVL=": set(fields({ isOn: flag })),
};
