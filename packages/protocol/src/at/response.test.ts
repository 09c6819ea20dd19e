import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { parseAtCommand } from "./command.js";
import type { LineKind } from "./information.js";
import { classifyLine, parseInformation } from "./information.js";
import type { ResponseLine } from "./response-line-reader.js";
import { ResponseLineReader, responseLineBytesMax } from "./response-line-reader.js";
import { describeCmeError, formatFinalResult, formatNotification, formatResponse, parseFinalResult } from "./result.js";

const bytes = (text: string) => new TextEncoder().encode(text);
const texts = (lines: ResponseLine[]) => lines.map((line) => (line.type === "line" ? line.text : line.type));

test("responses have exactly the bytes of the modem library", () => {
  assert.equal(formatResponse([], { type: "ok" }), "OK\r\n");
  assert.equal(formatResponse(["+CFUN: 1"], { type: "ok" }), "+CFUN: 1\r\nOK\r\n");
  assert.equal(formatResponse([], { type: "cmeError", code: 513 }), "+CME ERROR: 513\r\n");
  assert.equal(formatNotification("+CEREG: 0"), "+CEREG: 0\r\n");
});

test("the Serial LTE Modem puts a line end in front as well", () => {
  assert.equal(formatResponse(["+CFUN: 1"], { type: "ok" }, "serialModem"), "\r\n+CFUN: 1\r\n\r\nOK\r\n");
  assert.equal(formatResponse([], { type: "error" }, "serialModem"), "\r\nERROR\r\n");
  assert.equal(formatNotification("#XTCP: 1", "serialModem"), "\r\n#XTCP: 1\r\n");
});

test("final result codes come back as they were formatted", () => {
  for (const line of ["OK", "ERROR", "+CME ERROR: 518", "+CMS ERROR: 500"]) {
    const result = parseFinalResult(line);
    assert.ok(result);
    assert.equal(formatFinalResult(result), line);
  }
  for (const line of ["ok", "OK ", "+CME ERROR: SIM failure", "+CME ERROR: ", "ERRORS", "+CMNG: OK"]) {
    assert.equal(parseFinalResult(line), undefined, line);
  }
  assert.equal(describeCmeError(518), "518 (not allowed while the modem is active)");
  assert.equal(describeCmeError(999), "999");
});

for (const framing of ["modemLibrary", "serialModem"] as const) {
  for (const chunkBytes of [Infinity, 1, 7]) {
    test(`a credential with its line ends is one line (${framing}, chunks of ${chunkBytes})`, () => {
      const line = '%CMNG: 43,0,"AB","-----BEGIN CERTIFICATE-----\r\nOK\r\nERROR\r\n-----END-----\r\n"';
      const all = bytes(formatResponse([line, "+CEREG: 1"], { type: "ok" }, framing));
      const reader = new ResponseLineReader();
      const got: string[] = [];
      for (let at = 0; at < all.length; at += Math.min(chunkBytes, all.length)) {
        got.push(...texts(reader.push(all.subarray(at, at + chunkBytes))));
      }
      assert.deepEqual(got, [line, "+CEREG: 1", "OK"]);
    });
  }
}

test("a quote in noise does not swallow what follows", () => {
  const reader = new ResponseLineReader();
  assert.deepEqual(texts(reader.push(bytes('\x01z"\xff\r\nOK\r\n'))).slice(-1), ["OK"]);
});

test("without an option a line has responseLineBytesMax", () => {
  const reader = new ResponseLineReader();
  const line = "x".repeat(responseLineBytesMax);
  assert.deepEqual(reader.push(new TextEncoder().encode(`${line}\n${line}x\nOK\n`)), [
    { type: "line", text: line },
    { type: "overlong", droppedBytes: responseLineBytesMax + 1 },
    { type: "line", text: "OK" },
  ]);
});

test("an overlong line is reported once and the next is read", () => {
  const reader = new ResponseLineReader({ lineBytesMax: 10 });
  const lines = reader.push(bytes('+X: "aaaaaaaaaaaaaaaaaaaaa\r\nOK\r\n'));
  assert.deepEqual(lines, [
    { type: "overlong", droppedBytes: 27 },
    { type: "line", text: "OK" },
  ]);
});

test("any bytes in any chunking give the same lines", () => {
  const byte = fc.oneof(fc.constantFrom(0x22, 0x0d, 0x0a, 0x2b, 0x41, 0), fc.nat(255));
  fc.assert(
    fc.property(fc.array(byte, { maxLength: 300 }), fc.integer({ min: 1, max: 20 }), (input, chunkBytes) => {
      const whole = new ResponseLineReader({ lineBytesMax: 32 }).push(Uint8Array.from(input));
      const reader = new ResponseLineReader({ lineBytesMax: 32 });
      const pieces = [];
      for (let at = 0; at < input.length; at += chunkBytes) {
        pieces.push(...reader.push(Uint8Array.from(input.slice(at, at + chunkBytes))));
      }
      assert.deepEqual(pieces, whole);
    }),
    { numRuns: process.env["THINGLINE_TEST_LONG"] === "1" ? 50_000 : 500 },
  );
});

const kinds: [line: string, command: string | undefined, kind: LineKind][] = [
  ["OK", "AT", "final"],
  ["+CME ERROR: 50", "AT%CMNG=9", "final"],
  ["OK", undefined, "noise"],
  ["+CEREG: 1", undefined, "notification"],
  ["%MDMEV: SEARCH STATUS 1", undefined, "notification"],
  ["352656100367872", "AT+CGSN", "information"],
  ["352656100367872", undefined, "noise"],
  ['+CEREG: 5,1,"002F","0012BEEF",7', "AT+CEREG?", "information"],
  ["+CEREG: 5,0,,,9,0,0,,", "AT+CEREG?", "information"],
  ["+CEREG: 5", "AT+CEREG?", "notification"],
  ['+CEREG: 2,"002F","0012BEEF",7', "AT+CEREG?", "notification"],
  ['+CEREG: 90,,"FFFFFFFF",,,,,', "AT+CEREG?", "notification"],
  ["+CEREG: 1", "AT+CEREG=5", "notification"],
  ["+CSCON: 1", "AT+CSCON?", "notification"],
  ["+CSCON: 1,0", "AT+CSCON?", "information"],
  ["+CEREG: 1", "AT+CFUN=4", "notification"],
  ["+CSCON: 1", "AT+CSCON=?", "notification"],
  ["+CSCON: (0-3)", "AT+CSCON=?", "information"],
  ["+CFUN: 4", "AT+CFUN?", "information"],
  ["%XTEMP: 25", "AT%XTEMP?", "information"],
  ["%XTEMP: 2,56", "AT+CFUN?", "notification"],
  ["+CEREG: 5,1", 'AT%XSUDO=7,"c2ln";+CEREG?', "information"],
  ["+CEREG: 1", 'AT%XSUDO=7,"c2ln";+CFUN=4', "notification"],
  ["+CEREG: 1", 'AT%XSUDO=7,"c2ln";?', "notification"],
  ['%CMNG: 43,0,"AA"', 'AT%XSUDO=7,"c2ln";%CMNG=1', "information"],
  ['%CMNG: 43,0,"AA"', "AT%CMNG=1", "information"],
];

for (const [line, command, kind] of kinds) {
  test(`"${line}" while ${command ?? "nothing"} is under way is ${kind}`, () => {
    assert.equal(classifyLine(line, command === undefined ? undefined : parseAtCommand(command)), kind);
  });
}

test("free text behind a name gives no parameters and does not throw", () => {
  assert.deepEqual(parseInformation('%MDMEV: a"b'), { name: "%MDMEV", parameters: [], text: 'a"b' });
  assert.equal(parseInformation("OK"), undefined);
});
