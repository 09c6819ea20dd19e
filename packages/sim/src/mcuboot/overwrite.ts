import type { Slots } from "./slots.js";

/**
 * Overwrite only: the secondary slot is copied over the primary, trailer included. There is no way back and no status: what was interrupted
 * is done again, since the request stays until the end.
 *
 * @see MCUboot, boot_copy_image() of loader.c
 */
export async function overwrite(slots: Slots): Promise<boolean> {
  const { primary, secondary, sectorBytes } = slots;
  await slots.eraseAll(primary);
  await slots.copy(secondary, 0, primary, 0, Math.min(primary.flash.sizeBytes, secondary.flash.sizeBytes));
  await slots.erase(secondary, 0, sectorBytes);
  await slots.erase(secondary, secondary.flash.sizeBytes - sectorBytes, sectorBytes);
  return true;
}
