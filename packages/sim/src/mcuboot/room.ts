import type { Slots } from "./slots.js";

/** Why a bootloader cannot swap these slots, whatever lies in them. */
export type SlotsProblem = "sectorCountsDiffer" | "tooManySectors" | "scratchMissing";

/** @see MCUboot, boot_slots_compatible() of swap_move.c, swap_offset.c and swap_scratch.c */
export function slotsProblem(slots: Slots): SlotsProblem | undefined {
  const [primary, secondary] = [slots.sectorsOf(slots.primary), slots.sectorsOf(slots.secondary)];
  // One sector more where the sectors are pushed to.
  const spare = slots.mode === "move" ? 1 : slots.mode === "offset" ? -1 : 0;
  if (primary !== secondary && primary !== secondary + spare) return "sectorCountsDiffer";
  if (primary > slots.sectorsMax) return "tooManySectors";
  if (slots.mode === "scratch" && slots.scratch === undefined) return "scratchMissing";
  return undefined;
}

/**
 * The largest image, TLVs included, that can be swapped between the slots.
 *
 * @see MCUboot, app_max_size() and bootutil_max_image_size()
 */
export function imageBytesMaxOf(slots: Slots): number {
  const { primary, secondary, scratch, sectorBytes, mode } = slots;
  const room = (area: typeof primary, spareSectors: number): number =>
    (slots.firstTrailerSector(area) - spareSectors) * sectorBytes;
  if (mode === "move") return Math.min(room(primary, 1), room(secondary, 0));
  if (mode === "offset") return Math.min(room(primary, 0), room(secondary, 1));
  if (mode === "overwrite" || scratch === undefined) return primary.trailer.swapInfo;
  // The scratch area has a trailer as well, behind what is copied of the slot's first sector with a trailer.
  const sectorEnd = (slots.firstTrailerSector(primary) + 1) * sectorBytes;
  const trailerInSector = sectorEnd - primary.trailer.status;
  return primary.trailer.status - Math.max(0, scratch.trailer.trailerBytes - trailerInSector);
}
