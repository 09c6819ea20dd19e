import { findStatus, type StatusSource } from "./decision.js";
import type { Area, Slots, SwapSizes } from "./slots.js";
import type { SwapType } from "@thingline/protocol/image";

/** What the trailers tell of a swap that was interrupted. */
export interface SwapStatus {
  source: StatusSource;
  /** `none` with the source `none`, and where nobody wrote it. */
  swapType: SwapType;
  /** 0: nothing was moved yet, so that nothing has to be gone on with. */
  nextStep: number;
}

export async function readStatus(slots: Slots): Promise<SwapStatus> {
  const [primary, secondary] = [await slots.trailerOf(slots.primary), await slots.trailerOf(slots.secondary)];
  const scratch = slots.scratch && (await slots.trailerOf(slots.scratch));
  const source = slots.mode === "overwrite" ? "none" : findStatus(primary, secondary, scratch);
  const area = source === "scratch" ? slots.scratch : source === "primary" ? slots.primary : undefined;
  if (area === undefined) return { source: "none", swapType: "none", nextStep: 0 };
  const done = await slots.stepsDone(area);
  return { source, swapType: await slots.swapTypeOf(area), nextStep: nextStepOf(slots, done) };
}

/** With move and offset the last unit counts, since a sector is done when its unit is there; with scratch the end of the first run. */
function nextStepOf({ mode }: Slots, done: readonly boolean[]): number {
  if (mode !== "scratch") return done.lastIndexOf(true) + 1;
  const first = done.indexOf(true);
  if (first === -1) return 0;
  const end = done.indexOf(false, first);
  return end === -1 ? done.length : end;
}

/** The trailer that a swap which goes on has its sizes in: the one with a magic, the scratch area's before the primary's. */
export async function readSizes(slots: Slots): Promise<SwapSizes> {
  const areas: Area[] = slots.scratch === undefined ? [slots.primary] : [slots.scratch, slots.primary];
  for (const area of areas) {
    if ((await slots.trailerOf(area)).magic === "good") return slots.sizesOf(area);
  }
  return slots.sizesOf(slots.primary);
}
