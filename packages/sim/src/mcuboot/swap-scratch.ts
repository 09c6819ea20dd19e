import type { Area, Slots } from "./slots.js";
import { sectorsFor, type Swap } from "./swap.js";

/** Sectors that are exchanged at once: as many as the scratch area holds. */
interface Part {
  offset: number;
  bytes: number;
  /** Less than `bytes` where the trailer begins within. */
  copyBytes: number;
  /** The trailer is within, so that the status is in the scratch area until the primary slot has its new trailer. */
  keepsStatusInScratch: boolean;
}

/**
 * Swap using scratch: for each part of the slots, from the last to the first, the secondary's content goes to the scratch area, the
 * primary's to the secondary, and the scratch area's to the primary. The status has three units for each part.
 *
 * @see MCUboot, swap_scratch.c
 */
export async function swapByScratch(slots: Slots, scratch: Area, swap: Swap): Promise<boolean> {
  const parts = partsOf(slots, scratch, swap.sizes.swapBytes);
  for (let step = swap.nextStep; step < 3 * parts.length; step++) {
    const index = Math.floor(step / 3);
    const part = parts[index];
    if (part === undefined) break;
    const status = part.keepsStatusInScratch ? scratch : slots.primary;
    if (step % 3 === 0) await toScratch(slots, scratch, swap, { part, isFirst: index === 0 });
    else if (step % 3 === 1) await toSecondary(slots, part, index === 0);
    else await toPrimary(slots, scratch, swap, part);
    await slots.markStep(step % 3 === 2 ? slots.primary : status, step, (step % 3) + 1);
    // A status that was left there would be taken for that of a swap. Backwards: the magic goes before what the primary slot was made of.
    if (step % 3 === 2 && part.keepsStatusInScratch) await slots.eraseAll(scratch, { backwards: true });
  }
  return true;
}

function partsOf(slots: Slots, scratch: Area, swapBytes: number): Part[] {
  const { primary, sectorBytes } = slots;
  const perPart = Math.floor(scratch.flash.sizeBytes / sectorBytes);
  const trailerStart = slots.firstTrailerSector(primary) * sectorBytes;
  const parts: Part[] = [];
  for (let end = sectorsFor(swapBytes, sectorBytes); end > 0; end -= perPart) {
    const count = Math.min(perPart, end);
    const [offset, bytes] = [(end - count) * sectorBytes, count * sectorBytes];
    const hasTrailer = offset + bytes > trailerStart;
    const copyBytes = hasTrailer ? Math.min(primary.trailer.status - offset, scratch.trailer.status) : bytes;
    const keepsStatusInScratch = parts.length === 0 && copyBytes !== bytes;
    parts.push({ offset, bytes, copyBytes, keepsStatusInScratch });
  }
  return parts;
}

async function toScratch(
  slots: Slots,
  scratch: Area,
  swap: Swap,
  { part, isFirst }: { part: Part; isFirst: boolean },
): Promise<void> {
  await slots.eraseAll(scratch);
  if (isFirst) {
    // Somewhere the type of the swap must be while the primary's trailer is erased.
    await slots.beginStatus(scratch, swap.swapType, swap.sizes);
    if (!part.keepsStatusInScratch) {
      await slots.eraseTrailer(slots.primary);
      await slots.beginStatus(slots.primary, swap.swapType, swap.sizes);
      await slots.eraseAll(scratch);
    }
  }
  await slots.copy(slots.secondary, part.offset, scratch, 0, part.copyBytes);
}

async function toSecondary(slots: Slots, part: Part, isFirst: boolean): Promise<void> {
  // From here on, the request is known from the status alone.
  if (isFirst) await slots.eraseTrailer(slots.secondary);
  await eraseBeforeTrailer(slots, slots.secondary, part);
  await slots.copy(slots.primary, part.offset, slots.secondary, part.offset, part.copyBytes);
}

async function toPrimary(slots: Slots, scratch: Area, swap: Swap, part: Part): Promise<void> {
  const { primary } = slots;
  if (part.keepsStatusInScratch) await slots.eraseTrailer(primary);
  await eraseBeforeTrailer(slots, primary, part);
  await slots.copy(scratch, 0, primary, part.offset, part.copyBytes);
  if (!part.keepsStatusInScratch) return;
  const { imageOk, swapType } = await slots.trailerOf(scratch);
  await slots.markStep(primary, 0, 1);
  await slots.markStep(primary, 1, 2);
  if (imageOk === "good") await slots.setFlag(primary, "imageOk");
  if (swapType !== "none") await slots.setSwapInfo(primary, swapType);
  await slots.setSwapBytes(primary, swap.sizes.swapBytes);
  await slots.setMagic(primary);
}

/** The sectors with the trailer were erased before, where the part has any. */
async function eraseBeforeTrailer(slots: Slots, area: Area, part: Part): Promise<void> {
  const trailerStart = slots.firstTrailerSector(area) * slots.sectorBytes;
  const bytes = part.keepsStatusInScratch ? trailerStart - part.offset : part.bytes;
  if (bytes > 0) await slots.erase(area, part.offset, bytes);
}
