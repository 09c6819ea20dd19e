import { hashRegionBytes } from "@thingline/protocol/image";
import type { Area, Slots } from "./slots.js";
import { beginSwap, sectorsFor, type Swap } from "./swap.js";

/**
 * Swap using offset: the update lies from the second sector of the secondary slot on. For each n, sector n of the primary goes to n of the
 * secondary, and n + 1 of the secondary to n of the primary. Reverting goes the other way, from the last sector to the first.
 *
 * The status has two units for each sector. What neither image reaches is not copied.
 *
 * @returns false when there is no room, and nothing was touched.
 * @see MCUboot, swap_offset.c
 */
export async function swapByOffset(slots: Slots, swap: Swap): Promise<boolean> {
  const { primary, secondary, sectorBytes } = slots;
  const sectors = sectorsFor(swap.sizes.swapBytes, sectorBytes);
  if (swap.nextStep === 0 && sectors > slots.firstTrailerSector(primary)) return false;
  await markRevert(slots, swap);
  if (swap.nextStep === 0) await beginSwap(slots, swap);
  const isRevert = swap.swapType === "revert";
  const used = usedSectors(swap, sectorBytes);
  for (let step = swap.nextStep; step < 2 * sectors; step++) {
    const done = Math.floor(step / 2);
    const sector = isRevert ? sectors - 1 - done : done;
    const at = sector * sectorBytes;
    if (step % 2 === 0 && sector < used.primary) {
      const to = isRevert ? at + sectorBytes : at;
      await slots.erase(secondary, to, sectorBytes);
      await slots.copy(primary, at, secondary, to, sectorBytes);
    } else if (step % 2 === 1 && sector < used.secondary) {
      const from = isRevert ? at : at + sectorBytes;
      await slots.erase(primary, at, sectorBytes);
      await slots.copy(secondary, from, primary, at, sectorBytes);
    }
    await slots.markStep(primary, step, (step % 2) + 1);
  }
  if (isRevert) {
    // The header of the image that runs again must not be taken for an update, nor the trailer for a request.
    await slots.erase(secondary, 0, sectorBytes);
    await slots.eraseTrailer(secondary);
  }
  return true;
}

/** As with swap using move, but copy_done tells the mark from a request to test. */
async function markRevert(slots: Slots, swap: Swap): Promise<void> {
  const { secondary } = slots;
  if (swap.swapType !== "revert" || swap.nextStep !== 0) return;
  if ((await slots.trailerOf(secondary)).magic !== "unset") return;
  await slots.eraseTrailer(secondary);
  await slots.setFlag(secondary, "copyDone");
  await slots.beginStatus(secondary, swap.swapType, swap.sizes);
}

/** Of each image: header, payload and TLVs. The unprotected TLVs may be in two parts by now, so their size comes from the status. */
function usedSectors({ headers, sizes }: Swap, sectorBytes: number): { primary: number; secondary: number } {
  if (headers === undefined) return { primary: Infinity, secondary: Infinity };
  const { primaryBytes, secondaryBytes } = sizes.unprotectedTlvs;
  return {
    primary: sectorsFor(hashRegionBytes(headers.primary) + primaryBytes, sectorBytes),
    secondary: sectorsFor(hashRegionBytes(headers.secondary) + secondaryBytes, sectorBytes),
  };
}

/**
 * Where the headers lie that the swap began with, of what was in the primary slot and of what was in the secondary, at this step.
 *
 * MCUboot takes the last sector of an upgrade for the end of it; this goes by the steps that were marked.
 */
export function headerPlaces(
  { primary, secondary, sectorBytes }: Slots,
  { swapType, nextStep, sizes }: Swap,
): Record<"primary" | "secondary", { area: Area; offset: number }> {
  const start = { area: primary, offset: 0 };
  const [old, update] = [
    { area: secondary, offset: 0 },
    { area: secondary, offset: sectorBytes },
  ];
  if (swapType !== "revert") return { primary: nextStep > 0 ? old : start, secondary: nextStep > 1 ? start : update };
  const steps = 2 * sectorsFor(sizes.swapBytes, sectorBytes);
  return { primary: nextStep >= steps - 1 ? update : start, secondary: nextStep >= steps ? start : old };
}
