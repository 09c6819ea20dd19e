import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { isThinglineError } from "../errors.js";
import type { AtParameter, AtValue } from "./parameters.js";
import { atParametersMax, formatAtParameters, parseAtParameters } from "./parameters.js";

/** What `unit: "binary"` means, whose tables take fast-check 0.7 s to make: any code point but surrogates. */
const anyCharacter = fc
  .integer({ min: 0, max: 0x10_f7ff })
  .map((point) => String.fromCodePoint(point < 0xd800 ? point : point + 0x800));

const integer = (value: number): AtParameter => ({ type: "integer", value });
const string = (value: string): AtParameter => ({ type: "string", value });
const token = (value: string): AtParameter => ({ type: "token", value });
const empty: AtParameter = { type: "empty" };

const valid: [text: string, parameters: AtParameter[]][] = [
  ["", []],
  ["  ", []],
  ["1", [integer(1)]],
  ["-7,+3", [integer(-7), integer(3)]],
  ["1,43", [integer(1), integer(43)]],
  ["4294967294,6", [integer(4294967294), integer(6)]],
  ["1,", [integer(1), empty]],
  [",", [empty, empty]],
  ['1,,,"00000011"', [integer(1), empty, empty, string("00000011")]],
  [' 1 , "a" ', [integer(1), string("a")]],
  ['""', [string("")]],
  ['0,43,0,"a,b\r\nc"', [integer(0), integer(43), integer(0), string("a,b\r\nc")]],
  ["(0,1,4),2", [token("(0,1,4)"), integer(2)]],
  ['(2,"","","26201",7)', [token('(2,"","","26201",7)')]],
  ["12345678901234567890", [token("12345678901234567890")]],
  ["10.0.0.1", [token("10.0.0.1")]],
];

for (const [text, parameters] of valid) {
  test(`parameters ${JSON.stringify(text)} are taken apart`, () => {
    assert.deepEqual(parseAtParameters(text), parameters);
  });
}

const malformed = ['"', '1,"abc', '"a"b', '"a""b"', 'a"b"', "(1,2", '("a', ",".repeat(atParametersMax)];

for (const text of malformed) {
  test(`parameters ${JSON.stringify(text.slice(0, 12))} are refused`, () => {
    assert.throws(
      () => parseAtParameters(text),
      (error) => isThinglineError(error, "AT_MALFORMED"),
    );
  });
}

test("a refusal never repeats what was in the text", () => {
  assert.throws(
    () => parseAtParameters('0,43,2,"-----BEGIN SECRET'),
    (error) => isThinglineError(error) && !error.message.includes("SECRET"),
  );
});

test("values come back as they were formatted", () => {
  const value: fc.Arbitrary<AtValue> = fc.oneof(
    fc.integer(),
    fc.string({ unit: anyCharacter }).map((text) => text.replaceAll(/["\0]/g, "")),
    fc.constant(undefined),
  );
  fc.assert(
    fc.property(fc.array(value, { minLength: 2, maxLength: atParametersMax }), (values) => {
      const parsed = parseAtParameters(formatAtParameters(values));
      assert.deepEqual(
        parsed.map((parameter) => (parameter.type === "empty" ? undefined : parameter.value)),
        values,
      );
    }),
    { numRuns: process.env["THINGLINE_TEST_LONG"] === "1" ? 2_000 : 30 },
  );
});

test("no text makes the parser throw anything but AT_MALFORMED", () => {
  const alphabet = fc.string({ unit: fc.constantFrom('"', ",", "(", ")", "1", "-", "a", "\r", "\n", " ") });
  fc.assert(
    fc.property(fc.oneof(alphabet, fc.string({ unit: anyCharacter })), (text) => {
      try {
        parseAtParameters(text);
      } catch (error) {
        assert.ok(isThinglineError(error, "AT_MALFORMED"), String(error));
      }
    }),
    { numRuns: process.env["THINGLINE_TEST_LONG"] === "1" ? 200_000 : 1000 },
  );
});

test("a text with a quote or a NUL cannot be formatted", () => {
  for (const text of ['a"b', "a\0b"]) {
    assert.throws(
      () => formatAtParameters([text]),
      (error) => isThinglineError(error, "AT_MALFORMED"),
    );
  }
});
