import type { Slots } from "./slots.js";
import { beginSwap, sectorsFor, type Swap } from "./swap.js";

/**
 * Swap using move: every sector of the primary slot goes up by one, the last first, and then each sector n of the secondary slot comes
 * to n of the primary, whose old content at n + 1 goes to n of the secondary.
 *
 * The status has a unit for each sector that was moved, then, behind `sectorsMax` of those, two for each that was exchanged.
 *
 * @returns false when there is no room, and nothing was touched.
 * @see MCUboot, swap_move.c
 */
export async function swapByMove(slots: Slots, swap: Swap): Promise<boolean> {
  const { primary, secondary, sectorBytes, sectorsMax } = slots;
  const sectors = sectorsFor(swap.sizes.swapBytes, sectorBytes);
  if (swap.nextStep === 0 && sectors >= slots.firstTrailerSector(primary)) return false;
  await markRevert(slots, swap);
  const moved = Math.min(swap.nextStep, sectorsMax);
  for (let done = moved; swap.nextStep < sectorsMax && done < sectors; done++) {
    if (done === 0) await beginSwap(slots, swap);
    const from = (sectors - 1 - done) * sectorBytes;
    await slots.erase(primary, from + sectorBytes, sectorBytes);
    await slots.copy(primary, from, primary, from + sectorBytes, sectorBytes);
    await slots.markStep(primary, done, 1);
  }
  const exchanged = Math.max(0, swap.nextStep - sectorsMax);
  for (let step = exchanged; step < 2 * sectors; step++) {
    const at = Math.floor(step / 2) * sectorBytes;
    const isFirst = step % 2 === 0;
    const [target, source] = isFirst ? [primary, secondary] : [secondary, primary];
    await slots.erase(target, at, sectorBytes);
    await slots.copy(source, isFirst ? at : at + sectorBytes, target, at, sectorBytes);
    await slots.markStep(primary, sectorsMax + step, isFirst ? 1 : 2);
  }
  return true;
}

/**
 * A revert is known from the trailer of the primary slot, which its own status will take the place of. So that power loss in between
 * does not lose it, the secondary slot first asks for a permanent swap.
 */
async function markRevert(slots: Slots, swap: Swap): Promise<void> {
  const { secondary } = slots;
  if (swap.swapType !== "revert" || swap.nextStep !== 0) return;
  if ((await slots.trailerOf(secondary)).magic !== "unset") return;
  await slots.eraseTrailer(secondary);
  await slots.setFlag(secondary, "imageOk");
  await slots.setSwapBytes(secondary, swap.sizes.swapBytes);
  await slots.setMagic(secondary);
}
