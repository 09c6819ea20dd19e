import { type FunctionalMode, functionalModes, isFunctionalMode } from "@thingline/protocol/at";
import { one } from "./answers.js";
import { ask, set } from "./entry.js";
import { choice, type Field, flag, integer, optional } from "./fields.js";
import { fields, numbersInParentheses, rest, single } from "./lines.js";

const functionalMode: Field<FunctionalMode> = {
  read: (text) => {
    const value = /^[0-9]{1,2}$/.test(text) ? Number(text) : undefined;
    return isFunctionalMode(value) ? value : undefined;
  },
  write: String,
  domain: { type: "choice", values: Object.keys(functionalModes).map(Number) },
};

/** What `AT%XFACTORYRESET` forgets. */
export const factoryResetScopes = { 0: "all", 1: "user" } as const;

const range = /^\([0-9,-]+\)(?:,\([0-9,-]+\))*$/;
const systemMode = { lteM: flag, nbIot: flag, gnss: flag } as const;

/** Functional and system mode, and what only power off allows. */
export const functionalModeTable = {
  "+CFUN?": ask(one(single(functionalMode))),
  "+CFUN=": set(fields({ mode: functionalMode })),
  "+CFUN=?": ask(one(numbersInParentheses(0, 99))),
  "%XSYSTEMMODE?": ask(one(fields({ ...systemMode, preference: integer(0, 4) }))),
  "%XSYSTEMMODE=": set(fields({ ...systemMode, preference: optional(integer(0, 4)) })),
  "%XSYSTEMMODE=?": ask(one(rest(range))),
  // How much the modem may spend on finding a network: 0 least, 4 most.
  "%XDATAPRFL?": ask(one(single(integer(0, 4)))),
  "%XDATAPRFL=": set(fields({ level: integer(0, 4) })),
  "%XFACTORYRESET=": set(fields({ scope: choice(factoryResetScopes) })),
  "%XFACTORYRESET=?": ask(one(numbersInParentheses(0, 9))),
};
