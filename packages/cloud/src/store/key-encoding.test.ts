import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { isThinglineError } from "@thingline/protocol";
import { afterPrefix, decodeKey, encodedKeyBytesMax, encodeKey } from "./key-encoding.js";
import type { StoreKey } from "./store.js";

/** What `unit: "binary"` means, whose tables take fast-check 0.7 s to make: any code point but surrogates. */
const anyCharacter = fc
  .integer({ min: 0, max: 0x10_f7ff })
  .map((point) => String.fromCodePoint(point < 0xd800 ? point : point + 0x800));

const runs = process.env["THINGLINE_TEST_LONG"] === "1" ? 100_000 : 2_000;
const part = fc.oneof(
  fc.double({ noNaN: true, noDefaultInfinity: true }).map((number) => (number === 0 ? 0 : number)),
  fc.integer(),
  fc.string({ unit: anyCharacter, maxLength: 20 }).filter((text) => !/\p{Cs}/u.test(text)),
  fc.constantFrom("", "\u0000", "\u0000\u0000", "a", "a\u0000", "\u00ff", "\uffff", "\u{10ffff}"),
);
const key = fc.array(part, { maxLength: 4 });

const bytesOf = (encoded: string) => Buffer.from(encoded, "latin1");
const compareBytes = (left: string, right: string) => Math.sign(Buffer.compare(bytesOf(left), bytesOf(right)));

/** The order as the contract words it, without any encoding of whole keys. */
function compareKeys(left: StoreKey, right: StoreKey): number {
  for (let index = 0; index < Math.min(left.length, right.length); index++) {
    const [a = "", b = ""] = [left[index], right[index]];
    if (typeof a !== typeof b) return typeof a === "number" ? -1 : 1;
    const order =
      typeof a === "number" && typeof b === "number"
        ? Math.sign(a - b)
        : Math.sign(Buffer.compare(Buffer.from(String(a)), Buffer.from(String(b))));
    if (order !== 0) return order;
  }
  return Math.sign(left.length - right.length);
}

test("encoded keys have the order of the keys and give them back", () => {
  fc.assert(
    fc.property(key, key, (left, right) => {
      assert.equal(compareBytes(encodeKey(left), encodeKey(right)), compareKeys(left, right));
      assert.deepEqual(decodeKey(bytesOf(encodeKey(left))), left);
    }),
    { numRuns: runs },
  );
});

test("every key below a prefix lies between the prefix and its end, and no other", () => {
  fc.assert(
    fc.property(key, key, (prefix, other) => {
      const [start, end] = [encodeKey(prefix), afterPrefix(encodeKey(prefix))];
      const isInside = (candidate: StoreKey) => {
        const bytes = encodeKey(candidate);
        return compareBytes(bytes, start) > 0 && compareBytes(bytes, end) < 0;
      };
      if (other.length > 0) assert.ok(isInside([...prefix, ...other]));
      const isBelow = other.length > prefix.length && compareKeys(other.slice(0, prefix.length), prefix) === 0;
      assert.equal(isInside(other), isBelow);
    }),
    { numRuns: runs },
  );
});

test("minus zero is zero", () => {
  assert.deepEqual(encodeKey([-0]), encodeKey([0]));
});

test("a key is as long as allowed, and no longer", () => {
  assert.equal(encodeKey(["x".repeat(encodedKeyBytesMax - 2)]).length, encodedKeyBytesMax);
  for (const bad of [["x".repeat(encodedKeyBytesMax - 1)], [NaN], [-Infinity], ["\udc00"]]) {
    assert.throws(
      () => encodeKey(bad),
      (error) => isThinglineError(error, "OPTION_INVALID"),
    );
  }
});

test("bytes that no key makes are corruption", () => {
  for (const bytes of [[1], [0x10, 1], [0x20, 0x61], [0x20, 0x00, 0xff], [0x20, 0xc3, 0x00], [0x30, 0]]) {
    assert.throws(
      () => decodeKey(Uint8Array.from(bytes)),
      (error) => isThinglineError(error, "STORE_CORRUPT"),
      String(bytes),
    );
  }
});
