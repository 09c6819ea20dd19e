import assert from "node:assert/strict";
import { test } from "node:test";
import { type SlotShape, slotImageBytesMax } from "./room.js";

const slot = 0x7_4000;
const shape = { primaryBytes: slot, secondaryBytes: slot, sectorBytes: 4096, writeBytes: 4 } as const;

// By hand from app_max_size() of each way of swapping, and bootutil_max_image_size(). A trailer has 1,584 bytes here, 1,080 with offset.
const cases: readonly [what: string, shape: SlotShape, bytesMax: number][] = [
  ["move: a sector for the trailer, and one to move into", { ...shape, mode: "move" }, slot - 2 * 4096],
  [
    "move: a smaller secondary slot needs none to move into",
    { ...shape, mode: "move", secondaryBytes: slot - 4096 },
    slot - 2 * 4096,
  ],
  ["move: a secondary slot smaller by two", { ...shape, mode: "move", secondaryBytes: slot - 8192 }, slot - 3 * 4096],
  ["offset: the update lies behind a sector", { ...shape, mode: "offset" }, slot - 2 * 4096],
  [
    "offset: a secondary slot with that sector more",
    { ...shape, mode: "offset", secondaryBytes: slot + 4096 },
    slot - 4096,
  ],
  ["a trailer of two sectors", { ...shape, mode: "move", writeBytes: 16 }, slot - 3 * 4096],
  ["scratch: up to the trailer", { ...shape, mode: "scratch" }, slot - 1584],
  // The trailer reaches 80 + 6,144 - 4,096 bytes into the sector before the last, more than scratch's own 128 need.
  ["scratch: a trailer that begins in the sector before", { ...shape, mode: "scratch", writeBytes: 16 }, slot - 6224],
  // Of 342 sectors the trailer has 4,104 + 48 bytes, 56 of them in the sector before; scratch's own needs 12 + 48.
  ["scratch: its own trailer needs more", { ...shape, mode: "scratch", sectorsMax: 342 }, slot - 4152 - 4],
  ["scratch: an area smaller than a sector", { ...shape, mode: "scratch", scratchBytes: 2048 }, 0],
  ["scratch: slots of two sizes", { ...shape, mode: "scratch", secondaryBytes: slot + 4096 }, 0],
  ["overwrite: up to swap_info", { ...shape, mode: "overwrite" }, slot - 40],
  ["overwrite: the smaller slot decides", { ...shape, mode: "overwrite", secondaryBytes: 4096 }, 4096 - 40],
  ["a slot that the trailer fills", { ...shape, mode: "move", primaryBytes: 8192, secondaryBytes: 8192 }, 0],
];

for (const [what, slots, bytesMax] of cases) {
  test(`${what}: ${bytesMax} bytes`, () => assert.equal(slotImageBytesMax(slots), bytesMax));
}
