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
