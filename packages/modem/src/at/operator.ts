import { one, oneOrNone } from "./answers.js";
import { ask, set } from "./entry.js";
import { choice, integer, optional, text } from "./fields.js";
import { fields, groups, numbersInParentheses, single } from "./lines.js";

/** How the modem picks its network. */
export const operatorModes = { 0: "automatic", 1: "manual", 3: "format" } as const;
/** How an operator is called: by its name, by its short one, or by country and network code. */
export const operatorFormats = { 0: "long", 1: "short", 2: "numeric" } as const;
export const operatorAvailabilities = { 0: "unknown", 1: "available", 2: "current", 3: "forbidden" } as const;

const act = choice({ 7: 7, 9: 9 });
const plmn = /^[0-9]{5,6}$/;

const foundOperator = fields({
  availability: choice(operatorAvailabilities),
  ...{ fullName: text(), shortName: text(), plmn: text(plmn), act: optional(act) },
});

/** The last digit is band 1. */
const bandMask = text(/^[01]{0,88}$/);
export const bandLocks = { 0: "remove", 1: "permanent", 2: "runtime" } as const;

/** Networks, and the band that is used. */
export const operatorTable = {
  "+COPS?": ask(
    one(
      fields({
        mode: choice(operatorModes),
        format: optional(choice(operatorFormats)),
        operator: optional(text()),
        act: optional(act),
      }),
    ),
  ),
  "+COPS=": set(
    fields({
      mode: choice(operatorModes),
      format: optional(choice(operatorFormats)),
      operator: optional(text(plmn)),
      act: optional(act),
    }),
  ),
  "+COPS=?": ask(oneOrNone(groups(foundOperator))),
  // A search that goes before everything else: the registration may be lost.
  "%COPS=?": ask(oneOrNone(groups(foundOperator))),
  "%XBANDLOCK?": ask(one(fields({ permanent: bandMask, runtime: bandMask }))),
  "%XBANDLOCK=": set(fields({ operation: choice(bandLocks), mask: optional(bandMask) })),
  "%XCBAND": ask(one(single(integer(0, 255)))),
  "%XCBAND=?": ask(one(numbersInParentheses(1, 255))),
};
