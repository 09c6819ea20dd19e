import assert from "node:assert/strict";
import { test } from "node:test";
import { isThinglineError } from "../errors.js";
import type { AtCommand } from "./command.js";
import { formatAtCommand, parseAtCommand } from "./command.js";

const valid: [line: string, command: AtCommand][] = [
  ["AT", { name: "", form: "execute", parameters: [] }],
  ["at", { name: "", form: "execute", parameters: [] }],
  ["\nAT\r", { name: "", form: "execute", parameters: [] }],
  ["AT+CGMI", { name: "+CGMI", form: "execute", parameters: [] }],
  ["ate0", { name: "E0", form: "execute", parameters: [] }],
  ["at+cfun?", { name: "+CFUN", form: "read", parameters: [] }],
  ["At+cFuN=?", { name: "+CFUN", form: "test", parameters: [] }],
  ["AT+CPSMS=", { name: "+CPSMS", form: "set", parameters: [] }],
  ["AT%XSIM=1", { name: "%XSIM", form: "set", parameters: [{ type: "integer", value: 1 }] }],
  ["AT#XSLMVER", { name: "#XSLMVER", form: "execute", parameters: [] }],
  [
    'AT%XSUDO=28,"c2lnbmF0dXJl";+CMD="a;b"',
    {
      name: "%XSUDO",
      form: "set",
      parameters: [
        { type: "integer", value: 28 },
        { type: "string", value: "c2lnbmF0dXJl" },
      ],
      authenticated: '+CMD="a;b"',
    },
  ],
  [
    'AT%CMNG=0,43,0,"-----BEGIN\r\nx"',
    {
      name: "%CMNG",
      form: "set",
      parameters: [
        { type: "integer", value: 0 },
        { type: "integer", value: 43 },
        { type: "integer", value: 0 },
        { type: "string", value: "-----BEGIN\r\nx" },
      ],
    },
  ],
];

for (const [line, command] of valid) {
  test(`${JSON.stringify(line)} is a command`, () => {
    assert.deepEqual(parseAtCommand(line), command);
  });
}

const malformed = [
  "",
  "A",
  "ATE2",
  "AT&F",
  "ATI",
  "at AT+CGSN",
  "at AT",
  "AT+",
  "AT+CFUN!",
  "AT+CFUN ?",
  'AT+CGSN="1";+CGMI',
  'AT%XSUDO="a;+CGMI',
  'AT+C=1,"',
  "BT",
];

for (const line of malformed) {
  test(`${JSON.stringify(line)} is no command`, () => {
    assert.throws(
      () => parseAtCommand(line),
      (error) => isThinglineError(error, "AT_MALFORMED"),
    );
  });
}

test("commands are written in all four forms", () => {
  assert.equal(formatAtCommand(""), "AT");
  assert.equal(formatAtCommand("+CFUN", "?"), "AT+CFUN?");
  assert.equal(formatAtCommand("+CFUN", "=?"), "AT+CFUN=?");
  assert.equal(formatAtCommand("%CMNG", [0, 43, 0, "a\r\nb"]), 'AT%CMNG=0,43,0,"a\r\nb"');
  assert.equal(formatAtCommand("+CPSMS", [1, undefined, undefined, "00000011"]), 'AT+CPSMS=1,,,"00000011"');
});
