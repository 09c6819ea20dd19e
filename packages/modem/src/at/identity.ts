import { bareLine, bareLines, one } from "./answers.js";
import { act, ask, set } from "./entry.js";
import { choice, integer, text } from "./fields.js";
import { fields, numbersInParentheses, rest, single } from "./lines.js";

const word = /^[\w.+-]{1,64}$/;
const words = /^[\w.+-]{1,32}(?: [\w.+-]{1,32}){0,3}$/;
const uuid = /^[0-9A-Fa-f]{8}(?:-[0-9A-Fa-f]{4}){3}-[0-9A-Fa-f]{12}$/;

/** Which number `AT+CGSN` asks for. */
export const serialNumberKinds = {
  0: "serialNumber",
  1: "imei",
  2: "imeiAndSoftwareVersion",
  3: "softwareVersionNumber",
} as const;

/** Who the modem is. */
export const identityTable = {
  "": act,
  "+CGMI": ask(bareLine(words)),
  "+CGMM": ask(bareLine(words)),
  "+CGMR": ask(bareLine(words)),
  "+CGSN": ask(bareLine(/^[0-9]{15}$/)),
  "+CGSN=": set(fields({ kind: choice(serialNumberKinds) }), one(single(text(/^[0-9A-Za-z]{1,32}$/)))),
  "+CGSN=?": ask(one(rest(/^\([0-9,-]+\)$/))),
  "%SHORTSWVER": ask(one(rest(word))),
  "%HWVERSION": ask(one(rest(words))),
  "%XMODEMUUID": ask(one(rest(uuid))),
  "%DEVICEUUID": ask(one(rest(uuid))),
  "+CLAC": ask(bareLines(/^AT[+%#][\w+%#]{1,32}$/)),
  "+CGMI=?": act,
  "+CGMM=?": act,
  "+CGMR=?": act,
  "+CPAS": ask(one(single(integer(0, 4)))),
  "+CMEE?": ask(one(single(integer(0, 2)))),
  "+CMEE=": set(fields({ level: integer(0, 2) })),
  "+CMEE=?": ask(one(numbersInParentheses(0, 2))),
};
