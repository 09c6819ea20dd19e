import { alignUp, type SwapMode, type TrailerShape, trailerLayout } from "./trailer.js";

/** Two slots of sectors of one size. */
export interface SlotShape extends Omit<TrailerShape, "areaBytes" | "isScratch"> {
  readonly mode: SwapMode;
  readonly primaryBytes: number;
  readonly secondaryBytes: number;
  /** What is erased at once. */
  readonly sectorBytes: number;
  /** Mode `scratch` alone. Default one sector. */
  readonly scratchBytes?: number | undefined;
}

/**
 * The most bytes of an image, TLVs included, that a bootloader takes (bootutil_max_image_size() of MCUboot 2.4). Whole slots are no room:
 * modes `move` and `offset` need a free sector, and an image never shares a sector with the trailer in them.
 */
export function slotImageBytesMax(shape: SlotShape): number {
  const { mode, primaryBytes, secondaryBytes, sectorBytes } = shape;
  const trailerOf = (areaBytes: number): ReturnType<typeof trailerLayout> => trailerLayout({ ...shape, areaBytes });
  const trailerBytes = alignUp(trailerOf(primaryBytes).trailerBytes, sectorBytes);
  const free = (bytes: number, padding: number): number => Math.max(0, bytes - trailerBytes - padding);
  switch (mode) {
    case "move":
      return Math.min(free(primaryBytes, sectorBytes), free(secondaryBytes, 0));
    case "offset":
      return Math.min(free(primaryBytes, 0), free(secondaryBytes, sectorBytes));
    case "scratch":
      return scratchRoom(shape);
    case "overwrite":
      return Math.max(0, Math.min(trailerOf(primaryBytes).swapInfo, trailerOf(secondaryBytes).swapInfo));
  }
}

/** While the sector in which the trailer begins is in the scratch area, that area's own trailer lies there as well. */
function scratchRoom(shape: SlotShape): number {
  const { primaryBytes, secondaryBytes, sectorBytes, scratchBytes = sectorBytes } = shape;
  if (scratchBytes < sectorBytes || primaryBytes !== secondaryBytes) return 0;
  const { status } = trailerLayout({ ...shape, areaBytes: primaryBytes });
  const own = trailerLayout({ ...shape, areaBytes: scratchBytes, isScratch: true }).trailerBytes;
  const inFirstSector = sectorBytes - (status % sectorBytes);
  return Math.max(0, status - Math.max(0, own - inFirstSector));
}
