import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { isThinglineError } from "@thingline/protocol";
import type { StoreValue } from "./store.js";
import { decodeValue, encodeValue, normalizeValue, valueDepthMax } from "./value-encoding.js";

const { value } = fc.letrec<{ value: StoreValue }>((tie) => ({
  value: fc.oneof(
    { maxDepth: 4 },
    fc.constantFrom<StoreValue>(null, true, false, "\u0000", "\u0000b0:1", "\u0000\u0000", ""),
    fc.double({ noNaN: true, noDefaultInfinity: true }).map((number) => (number === 0 ? 0 : number)),
    fc.string(),
    fc.uint8Array({ maxLength: 20 }),
    fc.array(tie("value"), { maxLength: 4 }),
    fc.dictionary(fc.string(), tie("value"), { maxKeys: 4, noNullPrototype: true }),
  ),
}));

test("a value comes back as it was", () => {
  const numRuns = process.env["THINGLINE_TEST_LONG"] === "1" ? 100_000 : 2_000;
  fc.assert(
    fc.property(value, (given) => {
      const normalized = normalizeValue(given);
      assert.deepEqual(normalized, given);
      assert.deepEqual(decodeValue(encodeValue(normalized)), given);
    }),
    { numRuns },
  );
});

test("bytes that no value makes are corruption, and nothing else", () => {
  const good = encodeValue(normalizeValue({ a: Uint8Array.of(1, 2, 3), b: "\u0000" }));
  const isCorrupt = (bytes: Uint8Array) => {
    try {
      decodeValue(bytes);
      return true; // a lucky change that is a value as well
    } catch (error) {
      return isThinglineError(error, "STORE_CORRUPT");
    }
  };
  for (let length = 0; length < good.length; length++) assert.ok(isCorrupt(good.slice(0, length)), `cut at ${length}`);
  for (let at = 0; at < good.length; at++) {
    for (const byte of [0, 0x2d, 0x39, 0xff]) assert.ok(isCorrupt(good.with(at, byte)), `${byte} at ${at}`);
  }
});

test("what JSON cannot hold is refused", () => {
  let deep: StoreValue = 1;
  for (let depth = 0; depth <= valueDepthMax; depth++) deep = [deep];
  for (const bad of [NaN, 1n, Symbol("x"), new Date(0), deep, { a: Infinity }] as unknown[]) {
    assert.throws(
      () => normalizeValue(bad as StoreValue),
      (error) => isThinglineError(error, "OPTION_INVALID"),
    );
  }
});
