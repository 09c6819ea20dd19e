import assert from "node:assert/strict";
import { test } from "node:test";
import { bytesEqual, concatBytes, fromHex, toHex } from "./bytes.js";

const every = Uint8Array.from({ length: 256 }, (_none, byte) => byte);

test("hex has two lower-case digits for each byte, and back", () => {
  assert.equal(toHex(every), Buffer.from(every).toString("hex"));
  assert.deepEqual(fromHex(toHex(every)), every);
  assert.deepEqual(fromHex("0aFF"), Uint8Array.of(10, 255));
  assert.equal(toHex(new Uint8Array(0)), "");
  assert.deepEqual(fromHex(""), new Uint8Array(0));
});

test("what is not hex is not read", () => {
  for (const text of ["0", "0g", "0x", " 0", "00 ", "+1", "é0"]) assert.equal(fromHex(text), undefined, text);
});

test("parts are joined in bytes of their own", () => {
  const parts = [Uint8Array.of(1, 2), new Uint8Array(0), Uint8Array.of(3)];
  assert.deepEqual(concatBytes(parts), Uint8Array.of(1, 2, 3));
  assert.equal(concatBytes([]).length, 0);
  const only = Uint8Array.of(7);
  concatBytes([only])[0] = 8;
  assert.equal(only[0], 7);
});

test("bytes are equal when they have the same length and values", () => {
  assert.ok(bytesEqual(every, every.slice()));
  assert.ok(!bytesEqual(every, every.subarray(1)));
  assert.ok(!bytesEqual(Uint8Array.of(1, 2), Uint8Array.of(1, 3)));
});
