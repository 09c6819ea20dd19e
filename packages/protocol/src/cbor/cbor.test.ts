import assert from "node:assert/strict";
import { test } from "node:test";
import * as cborg from "cborg";
import fc from "fast-check";
import {
  cborDepthMax,
  cborItemsMax,
  CborTag,
  decodeCbor,
  encodeCbor,
  type CborValue,
  type CborWritable,
} from "./cbor.js";

const hex = (text: string) => Uint8Array.from(Buffer.from(text.replaceAll(" ", ""), "hex"));

/** Examples of RFC 8949, appendix A, that are of the subset. */
const examples: readonly [string, unknown][] = [
  ["00", 0],
  ["17", 23],
  ["1818", 24],
  ["1903e8", 1000],
  ["1a000f4240", 1_000_000],
  ["1b000000e8d4a51000", 1_000_000_000_000],
  ["20", -1],
  ["3903e7", -1000],
  ["f4", false],
  ["f5", true],
  ["f6", null],
  ["40", new Uint8Array()],
  ["4401020304", hex("01020304")],
  ["60", ""],
  ["62c3bc", "\u00fc"],
  ["80", []],
  ["83010203", [1, 2, 3]],
  ["a0", new Map()],
  [
    "a26161016162820203",
    new Map<string, unknown>([
      ["a", 1],
      ["b", [2, 3]],
    ]),
  ],
  ["5f42010243030405ff", hex("0102030405")],
  ["7f657374726561646d696e67ff", "streaming"],
  ["9fff", []],
  ["9f018202039f0405ffff", [1, [2, 3], [4, 5]]],
  [
    "bf61610161629f0203ffff",
    new Map<string, unknown>([
      ["a", 1],
      ["b", [2, 3]],
    ]),
  ],
];

test("the examples of RFC 8949 are read, and written where they are in the shortest form", () => {
  for (const [bytes, value] of examples) {
    assert.deepEqual(decodeCbor(hex(bytes)), value, bytes);
    const isShortest = !/^(5f|7f|9f|bf)/.test(bytes);
    if (isShortest) assert.equal(Buffer.from(encodeCbor(value as CborValue)).toString("hex"), bytes);
  }
});

test("what is not well formed, or not of the subset, is nothing", () => {
  const deep = "81".repeat(cborDepthMax + 1) + "00";
  for (const bytes of [
    ...["", "18", "19ff", "1bffffffffffffffff", "1c", "1f", "3bffffffffffffffff", "3f"],
    ...["41", "5a7fffffff00", "5bffffffffffffffff", "5f01ff", "5f5f4101ffff", "5f4101", "61ff", "7f61c361bcff"],
    ...["81", "9b0000000100000000", "9f01", "a1", "a16161", "a10102", "a2616101616102", "bf6161ff", "bf616101616102ff"],
    ...["c001", "f7", "f90000", "fa00000000", "fb0000000000000000", "f818", "ff", "0000", deep],
  ]) {
    assert.equal(decodeCbor(hex(bytes)), undefined, bytes);
  }
  const many = (count: number) => cborg.encode(new Array(count).fill(0));
  assert.equal(decodeCbor(many(cborItemsMax + 1)), undefined);
  assert.equal((decodeCbor(many(cborItemsMax)) as unknown[]).length, cborItemsMax);
  assert.ok(Array.isArray(decodeCbor(hex("81".repeat(cborDepthMax) + "00"))));
});

test("another implementation reads what is written, and writes what is read", () => {
  const leaf = fc.oneof(
    fc.maxSafeInteger(),
    fc.string({ unit: "grapheme" }),
    fc.boolean(),
    fc.constant(null),
    fc.uint8Array({ maxLength: 300 }),
  );
  const members = fc.dictionary(
    fc.string().filter((name) => name !== "__proto__"),
    fc.oneof(leaf, fc.array(leaf)),
    {
      maxKeys: 30,
    },
  );
  fc.assert(
    fc.property(members, (value) => {
      const map = new Map(Object.entries(value));
      const theirs = cborg.decode(encodeCbor(value), { useMaps: true }) as unknown;
      assert.deepEqual(theirs, map);
      assert.deepEqual(cborg.decode(encodeCbor(value, { isIndefinite: true }), { useMaps: true }), map);
      assert.deepEqual(decodeCbor(Uint8Array.from(cborg.encode(map))), map);
    }),
    { numRuns: 200 },
  );
});

test("any bytes are read or refused, and no byte behind the value is passed over", () => {
  fc.assert(
    fc.property(fc.uint8Array({ maxLength: 64 }), (bytes) => {
      const value = decodeCbor(bytes);
      if (value !== undefined) assert.equal(decodeCbor(Uint8Array.from([...bytes, 0])), undefined);
    }),
    { numRuns: 2_000 },
  );
});

test("CBOR has the shortest heads", () => {
  const hex = (value: Parameters<typeof encodeCbor>[0]) => Buffer.from(encodeCbor(value)).toString("hex");
  assert.equal(
    hex([0, 23, 24, 255, 256, 65_535, 65_536, -1, "a", null]),
    "8a00171818" + "18ff190100" + "19ffff1a00010000" + "206161f6",
  );
});

test("tags and maps with numbers for keys are written, and are not read", () => {
  const cose = encodeCbor(new CborTag(18, [new Map<number, CborWritable>([[4, Uint8Array.of(0x21)]]), null]));
  assert.equal(Buffer.from(cose).toString("hex"), "d282a1044121f6");
  assert.equal(decodeCbor(cose), undefined);
  assert.equal(decodeCbor(encodeCbor(new Map([[1, 2]]))), undefined);
});

test("floating-point numbers are read where they are asked for, and written where an integer does not do", () => {
  const read = (bytes: string) => decodeCbor(hex(bytes), { hasFloats: true });
  for (const [bytes, value] of [
    ["f93c00", 1],
    ["f90001", 5.960464477539063e-8],
    ["f9c400", -4],
    ["fa47c35000", 100_000],
    ["fb3ff199999999999a", 1.1],
  ] as const) {
    assert.equal(read(bytes), value, bytes);
    assert.equal(decodeCbor(hex(bytes)), undefined);
  }
  for (const bytes of ["f97c00", "f97e00", "faff800000", "fb7ff0000000000000", "f93c", "fb00"])
    assert.equal(read(bytes), undefined, bytes);
  assert.equal(Buffer.from(encodeCbor(1.1)).toString("hex"), "fb3ff199999999999a");
  fc.assert(
    fc.property(fc.double({ noNaN: true, noDefaultInfinity: true }), (value) => {
      assert.equal(Object.is(decodeCbor(encodeCbor(value), { hasFloats: true }), value === 0 ? 0 : value), true);
    }),
  );
});
