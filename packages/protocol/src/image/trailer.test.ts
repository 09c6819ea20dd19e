import assert from "node:assert/strict";
import { test } from "node:test";
import { sourceOf } from "./source.js";
import {
  decodeSwapInfo,
  flagWrite,
  magicWrite,
  readTrailer,
  type SwapMode,
  swapInfoWrite,
  swapSizeWrite,
  type TrailerLayout,
  trailerLayout,
  trailerMagic,
  type TrailerWrite,
  unprotectedTlvSizesWrite,
} from "./trailer.js";

const slotBytes = 0x7_0000;

interface Case {
  mode: SwapMode;
  writeBytes: number;
  alignBytes?: number;
  isScratch?: boolean;
  /** Distances from the end of the slot. */
  fromEnd: Partial<Record<keyof TrailerLayout, number | undefined>>;
}

// By hand from MCUboot's bootutil_misc.h and bootutil_area.c.
const cases: readonly Case[] = [
  {
    mode: "move",
    writeBytes: 4,
    fromEnd: { magic: 16, magicWrite: 16, imageOk: 24, copyDone: 32, swapInfo: 40, swapSize: 48, status: 1584 },
  },
  {
    mode: "scratch",
    writeBytes: 8,
    fromEnd: { magic: 16, imageOk: 24, copyDone: 32, swapInfo: 40, swapSize: 48, status: 3072 + 48 },
  },
  { mode: "scratch", writeBytes: 8, isScratch: true, fromEnd: { swapSize: 48, status: 24 + 48 } },
  {
    mode: "offset",
    writeBytes: 4,
    fromEnd: { imageOk: 24, swapInfo: 40, unprotectedTlvSizes: 48, swapSize: 56, status: 1024 + 56 },
  },
  {
    mode: "move",
    writeBytes: 16,
    fromEnd: { magic: 16, magicWrite: 16, imageOk: 32, copyDone: 48, swapInfo: 64, swapSize: 80, status: 6144 + 80 },
  },
  {
    mode: "offset",
    writeBytes: 32,
    fromEnd: {
      magic: 16,
      magicWrite: 32,
      imageOk: 64,
      copyDone: 96,
      swapInfo: 128,
      unprotectedTlvSizes: 160,
      swapSize: 192,
      status: 128 * 2 * 32 + 192,
    },
  },
  { mode: "move", writeBytes: 4, alignBytes: 32, fromEnd: { imageOk: 64, swapSize: 160, status: 1536 + 160 } },
  { mode: "overwrite", writeBytes: 1, fromEnd: { swapInfo: 40, swapSize: 48, status: 384 + 48 } },
];

for (const { fromEnd, ...shape } of cases) {
  const name = Object.entries(shape).map(([key, value]) => `${key} ${value}`);
  test(`the trailer of ${name.join(", ")} lies where MCUboot puts it`, () => {
    const layout = trailerLayout({ areaBytes: slotBytes, ...shape });
    const found = Object.keys(fromEnd).map((field) => [
      field,
      slotBytes - Number(layout[field as keyof TrailerLayout]),
    ]);
    assert.deepEqual(Object.fromEntries(found), fromEnd);
    assert.equal(layout.trailerBytes, slotBytes - layout.status);
  });
}

test("only mode offset keeps the sizes of unprotected TLVs", () => {
  const shape = { areaBytes: slotBytes, writeBytes: 4 };
  const sizes = { primaryBytes: 0x1234, secondaryBytes: 0x5678 };
  for (const mode of ["move", "scratch", "overwrite"] as const) {
    assert.equal(unprotectedTlvSizesWrite(trailerLayout({ ...shape, mode }), sizes), undefined);
  }
  const write = unprotectedTlvSizesWrite(trailerLayout({ ...shape, mode: "offset" }), sizes);
  assert.deepEqual(write, { offset: slotBytes - 48, bytes: Uint8Array.of(0x34, 0x12, 0x78, 0x56) });
});

test("the magic of alignments above 8 begins with the alignment", () => {
  assert.deepEqual([...trailerMagic(8)].slice(0, 4), [0x77, 0xc2, 0x95, 0xf3]);
  assert.deepEqual([...trailerMagic(16)].slice(0, 4), [16, 0, 0x2d, 0xe1]);
  assert.deepEqual([...trailerMagic(32)].slice(0, 4), [32, 0, 0x2d, 0xe1]);
});

/** A slot that is written as flash is: at multiples of the write unit, bits only cleared. */
function slotWith(layout: TrailerLayout, writes: readonly TrailerWrite[]): Uint8Array {
  const bytes = new Uint8Array(slotBytes).fill(0xff);
  for (const write of writes) {
    assert.equal(write.offset % layout.writeBytes, 0);
    assert.equal(write.bytes.length % layout.writeBytes, 0);
    for (const [at, byte] of write.bytes.entries()) bytes[write.offset + at]! &= byte;
  }
  return bytes;
}

for (const mode of ["move", "offset"] as const) {
  for (const writeBytes of [1, 4, 8, 16, 32]) {
    test(`what is written to the trailer of mode ${mode} in units of ${writeBytes} reads back`, async () => {
      const layout = trailerLayout({ areaBytes: slotBytes, mode, writeBytes });
      const erased = { magic: "unset", imageOk: "unset", copyDone: "unset", swapType: "none", imageNumber: 0 };
      assert.deepEqual(await readTrailer(sourceOf(slotWith(layout, [])), layout), erased);
      const writes = [magicWrite(layout), swapInfoWrite(layout, { swapType: "test", imageNumber: 2 })];
      const asked = { ...erased, magic: "good", swapType: "test", imageNumber: 2 };
      assert.deepEqual(await readTrailer(sourceOf(slotWith(layout, writes)), layout), asked);
      writes.push(flagWrite(layout, "imageOk"), flagWrite(layout, "copyDone"), swapSizeWrite(layout, 0x0102_0304));
      const bytes = slotWith(layout, writes);
      assert.deepEqual(await readTrailer(sourceOf(bytes), layout), { ...asked, imageOk: "good", copyDone: "good" });
      assert.deepEqual([...bytes.subarray(layout.swapSize, layout.swapSize + 4)], [4, 3, 2, 1]);
    });
  }
}

test("marks that are neither written as they should be nor erased are bad", async () => {
  const layout = trailerLayout({ areaBytes: slotBytes, mode: "move", writeBytes: 4 });
  const bytes = slotWith(layout, [magicWrite(layout)]);
  bytes[layout.magic + 15]! ^= 1;
  bytes[layout.imageOk] = 2;
  bytes[layout.copyDone] = 0;
  const state = await readTrailer(sourceOf(bytes), layout);
  assert.deepEqual([state.magic, state.imageOk, state.copyDone], ["bad", "bad", "bad"]);
});

test("a magic of another alignment is bad", async () => {
  const wide = trailerLayout({ areaBytes: slotBytes, mode: "move", writeBytes: 16 });
  const bytes = slotWith(wide, [magicWrite(wide)]);
  const layout = trailerLayout({ areaBytes: slotBytes, mode: "move", writeBytes: 8 });
  assert.equal((await readTrailer(sourceOf(bytes), layout)).magic, "bad");
});

test("swap types that MCUboot does not know are none", () => {
  assert.deepEqual(decodeSwapInfo(0x12), { swapType: "test", imageNumber: 1 });
  assert.deepEqual(decodeSwapInfo(0x04), { swapType: "revert", imageNumber: 0 });
  for (const byte of [0x00, 0x05, 0x1f, 0xff]) assert.equal(decodeSwapInfo(byte).swapType, "none");
});
