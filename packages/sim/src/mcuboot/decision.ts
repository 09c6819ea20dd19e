import type { SwapMode, SwapType, TrailerMark, TrailerState } from "@thingline/protocol/image";

/** Any mark will do where a row has none. */
interface DecisionRow {
  primary: { magic?: TrailerMark; imageOk?: TrailerMark; copyDone?: TrailerMark };
  secondary: { magic?: TrailerMark; imageOk?: TrailerMark; copyDone?: TrailerMark };
  swapType: SwapType;
}

/** In this order: what the secondary slot asks for goes before what the primary slot says of itself. */
const rows: readonly DecisionRow[] = [
  { primary: {}, secondary: { magic: "good", imageOk: "unset" }, swapType: "test" },
  { primary: {}, secondary: { magic: "good", imageOk: "good" }, swapType: "permanent" },
  { primary: { magic: "good", imageOk: "unset", copyDone: "good" }, secondary: {}, swapType: "revert" },
];

/** Swap using offset marks a revert that was begun in the secondary slot, and must not take it for a request to test. */
const revertBegun: DecisionRow = {
  primary: {},
  secondary: { magic: "good", imageOk: "unset", copyDone: "good" },
  swapType: "revert",
};

/**
 * What two trailers ask for.
 *
 * @see MCUboot, boot_swap_tables of bootutil_public.c
 */
export function decideSwap(mode: SwapMode, primary: TrailerState, secondary: TrailerState): SwapType {
  const ordered = mode === "offset" ? [revertBegun, ...rows] : rows;
  return ordered.find((row) => fits(row.primary, primary) && fits(row.secondary, secondary))?.swapType ?? "none";
}

function fits(wanted: DecisionRow["primary"], found: TrailerState): boolean {
  return (["magic", "imageOk", "copyDone"] as const).every(
    (field) => wanted[field] === undefined || wanted[field] === found[field],
  );
}

/** Where the progress of a swap that was interrupted is kept. */
export type StatusSource = "none" | "primary" | "scratch";

/**
 * @param secondary without a scratch area, a secondary slot that asks for something says that nothing was begun
 * @param scratch swap using scratch alone
 * @see MCUboot, swap_status_source() of swap_move.c, swap_offset.c and swap_scratch.c
 */
export function findStatus(primary: TrailerState, secondary: TrailerState, scratch?: TrailerState): StatusSource {
  const isBegun = primary.magic === "good" && primary.copyDone === "unset";
  if (scratch === undefined) return isBegun && secondary.magic !== "good" ? "primary" : "none";
  if (scratch.magic === "good") return "scratch";
  if (primary.magic === "good" && primary.copyDone === "good") return "none";
  // No swap was ever begun, so there is no status either, and looking does no harm.
  const isUntouched = primary.magic === "unset" && primary.copyDone === "unset";
  return isBegun || isUntouched ? "primary" : "none";
}
