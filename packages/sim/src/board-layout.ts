import { optionInvalid } from "@thingline/protocol";
import type { SwapMode } from "@thingline/protocol/image";
import type { Flash, FlashRange } from "@thingline/transport";
import type { SlotLayout } from "./mcuboot/slots.js";

/** The areas of a board's flash. */
export interface BoardLayout extends SlotLayout {
  /** Where the security counter lies: a page or more that nobody erases. Left out, the bootloader has none. */
  securityCounter?: FlashRange;
}

/**
 * Shares a whole flash out: half to each slot, then a page to the scratch area of `scratch`, and one to the security counter, when there shall
 * be one. An odd page goes to the slot in which sectors are pushed up: the primary of `move`, the secondary of `offset`.
 *
 * @throws {ThinglineError} OPTION_INVALID when there are not enough pages
 */
export function boardLayout(
  { sizeBytes, pageBytes }: Pick<Flash, "sizeBytes" | "pageBytes">,
  { mode = "move", hasSecurityCounter = false }: { mode?: SwapMode; hasSecurityCounter?: boolean } = {},
): BoardLayout {
  const extraPages = (hasSecurityCounter ? 1 : 0) + (mode === "scratch" ? 1 : 0);
  const slotPages = sizeBytes / pageBytes - extraPages;
  if (slotPages < 4) throw optionInvalid("sizeBytes", `at least ${(4 + extraPages) * pageBytes}`, sizeBytes);
  const half = Math.floor(slotPages / 2);
  const odd = slotPages % 2;
  const primaryPages = half + (mode === "move" ? odd : 0);
  const secondaryPages = half + (mode === "offset" ? odd : 0);
  const end = primaryPages + secondaryPages;
  const range = (page: number, pages: number): FlashRange => ({
    offsetBytes: page * pageBytes,
    sizeBytes: pages * pageBytes,
  });
  return {
    primary: range(0, primaryPages),
    secondary: range(primaryPages, secondaryPages),
    ...(mode === "scratch" && { scratch: range(end, 1) }),
    ...(hasSecurityCounter && { securityCounter: range(mode === "scratch" ? end + 1 : end, 1) }),
  };
}
