import { bareLine, many, one, oneOrNone } from "./answers.js";
import { ask, set } from "./entry.js";
import { choice, flag, integer, optional, text } from "./fields.js";
import { fields, rest, restChoice, single, supported } from "./lines.js";

/** What `AT+CPIN?` says, and in words. 3GPP TS 27.007 8.3. */
export const simLocks = {
  READY: "ready",
  "SIM PIN": "pinRequired",
  "SIM PUK": "pukRequired",
  "SIM PIN2": "pin2Required",
  "SIM PUK2": "puk2Required",
  "PH-SIM PIN": "deviceLocked",
  "PH-NET PIN": "networkLocked",
  "PH-NETSUB PIN": "networkSubsetLocked",
  "PH-SP PIN": "serviceProviderLocked",
  "PH-CORP PIN": "corporateLocked",
} as const;

const pin = text(/^[0-9]{4,8}$/);
/** A facility of `AT+CPINR`: SIM PIN, SIM PUK ... */
const facility = text(/^[A-Z0-9 -]{1,16}$/);

/** What `AT+CLCK` and `AT+CPWD` are about: `SC` the SIM card's PIN, others the device's own locks. */
const lockFacility = text(/^[A-Z]{2}$/);
const lockPassword = text(/^[0-9]{4,16}$/);
export const lockModes = { 0: "unlock", 1: "lock", 2: "query" } as const;

/** The SIM card. */
export const simTable = {
  "+CPIN?": ask(one(restChoice(simLocks))),
  "+CPIN=": set(fields({ pin, newPin: optional(pin) })),
  "+CPINR": ask(many(fields({ facility, attempts: integer(0, 99) }), 8)),
  "+CPINR=": set(fields({ facility }), many(fields({ facility, attempts: integer(0, 99) }), 8)),
  "+CLCK=": set(
    fields({ facility: lockFacility, mode: choice(lockModes), password: optional(lockPassword) }),
    oneOrNone(single(flag)),
  ),
  "+CLCK=?": ask(one(supported)),
  "+CPWD=": set(fields({ facility: lockFacility, oldPassword: lockPassword, newPassword: lockPassword })),
  "+CPWD=?": ask(one(supported)),
  "%XOPERID": ask(one(single(integer(0, 999)))),
  "+CIMI": ask(bareLine(/^[0-9]{6,15}$/)),
  // Some cards have a filler at the end.
  "%XICCID": ask(one(rest(/^[0-9]{18,20}[Ff]{0,2}$/))),
  "%XSIM?": ask(one(fields({ isInitialized: flag, cause: optional(integer(0, 99)) }))),
  "%XSIM=?": ask(one(supported)),
  "%XSIM=": set(fields({ isOn: flag })),
};
