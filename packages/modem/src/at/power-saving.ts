import { many, one } from "./answers.js";
import { ask, set } from "./entry.js";
import { bits, choice, flag, integer, integerOrZero, optional, reserved } from "./fields.js";
import { fields, supported } from "./lines.js";

/** Access technologies of eDRX. */
export const edrxTechnologies = { 4: "lteM", 5: "nbIot" } as const;
/** `AT+CEDRXS`: off, on, on with URCs, off and forgotten. */
export const edrxModes = { 0: "off", 1: "on", 2: "onWithNotifications", 3: "reset" } as const;

/** How long before the event, and from which length of it on, the modem tells: milliseconds. */
const warningMs = integerOrZero(500, 3_600_000);
const thresholdMs = integer(10_240, 3_456_000_000);
const technology = choice(edrxTechnologies);
const sleepNotifications = fields({
  isOn: flag,
  warningMs: optional(warningMs),
  thresholdMs: optional(thresholdMs),
});

/** PSM, eDRX, and how the modem tells that it sleeps. */
export const powerSavingTable = {
  "+CPSMS?": ask(
    one(
      fields({
        isOn: flag,
        ...{ periodicRau: reserved(), gprsReadyTimer: reserved() },
        ...{ periodicTau: optional(bits(8)), activeTime: optional(bits(8)) },
      }),
    ),
  ),
  "+CPSMS=": set(
    fields({
      isOn: optional(flag),
      ...{ periodicRau: reserved('""'), gprsReadyTimer: reserved('""') },
      ...{ periodicTau: optional(bits(8)), activeTime: optional(bits(8)) },
    }),
  ),
  "+CEDRXS?": ask(many(fields({ technology, cycle: bits(4) }), 2)),
  "+CEDRXS=": set(fields({ mode: choice(edrxModes), technology: optional(technology), cycle: optional(bits(4)) })),
  "+CPSMS=?": ask(one(supported)),
  "+CEDRXS=?": ask(one(supported)),
  // What the network gave; 0 where it gave none.
  "+CEDRXRDP": ask(
    one(
      fields({
        technology: choice({ 0: "none", ...edrxTechnologies }),
        ...{ requested: optional(bits(4)), granted: optional(bits(4)), window: optional(bits(4)) },
      }),
    ),
  ),
  "%XPTW?": ask(many(fields({ technology, window: bits(4) }), 2)),
  "%XPTW=": set(fields({ technology, window: optional(bits(4)) })),
  "%XMODEMSLEEP=": set(sleepNotifications),
  "%XT3412=": set(sleepNotifications),
};
