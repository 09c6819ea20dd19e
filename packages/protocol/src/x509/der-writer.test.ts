import assert from "node:assert/strict";
import { test } from "node:test";
import { toHex } from "../bytes.js";
import { derElements, DerReader, firstDerElement } from "./der.js";
import {
  encodeBitString,
  encodedNull,
  encodeDer,
  encodedTrue,
  encodeInteger,
  encodeObjectIdentifier,
  encodeSequence,
} from "./der-writer.js";

const rows: [what: string, bytes: Uint8Array, hex: string][] = [
  ["NULL", encodedNull, "0500"],
  ["TRUE", encodedTrue, "0101ff"],
  ["an integer of 0", encodeInteger(0n), "020100"],
  ["an integer of 127", encodeInteger(127n), "02017f"],
  ["an integer whose first bit would be a sign", encodeInteger(128n), "02020080"],
  ["an integer of two bytes", encodeInteger(0x1234n), "02021234"],
  ["an empty sequence", encodeSequence(), "3000"],
  ["a sequence of two", encodeSequence(encodedNull, encodedTrue), "300505000101ff"],
  ["a bit string", encodeBitString(Uint8Array.of(1, 2)), "0303000102"],
  ["rsaEncryption", encodeObjectIdentifier("1.2.840.113549.1.1.1"), "06092a864886f70d010101"],
  ["commonName", encodeObjectIdentifier("2.5.4.3"), "0603550403"],
];
for (const [what, bytes, hex] of rows) test(`DER of ${what}`, () => assert.equal(toHex(bytes), hex));

test("lengths take the shortest form, and are read back", () => {
  for (const [length, head] of [
    [127, "047f"],
    [128, "048180"],
    [255, "0481ff"],
    [256, "04820100"],
    [65_000, "0482fde8"],
  ] as const) {
    const element = encodeDer(0x04, new Uint8Array(length));
    assert.equal(toHex(element.subarray(0, head.length / 2)), head);
    assert.equal(element.length, head.length / 2 + length);
    assert.equal(new DerReader(element).read(0x04).content.length, length);
  }
});

test("elements are read without an error to tell", () => {
  const two = new Uint8Array([...encodedNull, ...encodedTrue]);
  assert.deepEqual(
    derElements(two)?.map(({ tag }) => tag),
    [5, 1],
  );
  assert.deepEqual(derElements(new Uint8Array(0)), []);
  assert.equal(derElements(two.subarray(0, 4)), undefined);
  assert.equal(firstDerElement(two)?.tag, 5);
  assert.equal(firstDerElement(two.subarray(0, 3))?.whole.length, 2, "what follows does not matter");
  assert.equal(firstDerElement(new Uint8Array(0)), undefined);
});
