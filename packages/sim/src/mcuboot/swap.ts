import type { ImageHeader, SwapType } from "@thingline/protocol/image";
import type { StatusSource } from "./decision.js";
import type { Slots, SwapSizes } from "./slots.js";

/** A swap that is to be made, or to be gone on with. */
export interface Swap {
  readonly swapType: SwapType;
  /** Where its status lay when the bootloader started: what is there already is not begun again. */
  readonly source: StatusSource;
  /** The number of the first step that is still to be done; 0 when nothing was moved yet. */
  readonly nextStep: number;
  readonly sizes: SwapSizes;
  /** Swap using offset: of both images, wherever they lie at this moment. */
  readonly headers?: { primary: ImageHeader; secondary: ImageHeader };
}

/** How many sectors hold so many bytes. */
export function sectorsFor(bytes: number, sectorBytes: number): number {
  return Math.max(1, Math.ceil(bytes / sectorBytes));
}

/** Of a swap without a scratch area. A status that lies in the primary slot already stays: the swap was begun. */
export async function beginSwap(slots: Slots, swap: Swap): Promise<void> {
  if (swap.source !== "primary") {
    await slots.eraseTrailer(slots.primary);
    await slots.beginStatus(slots.primary, swap.swapType, swap.sizes);
  }
  // From here on, the request is known from the primary slot alone.
  await slots.eraseTrailer(slots.secondary);
}
