import type { ImageRefusalCode, SwapType } from "@thingline/protocol/image";
import type { SlotsProblem } from "./slots-problem.js";

/** What runs after a boot. */
export interface BootedImage {
  /** `1.2.3+4` */
  version: string;
  /** `imageIdOf()` of `@thingline/protocol/image`; empty of an image that nobody verified and that reaches beyond its slot. */
  imageId: string;
  /** The next boot goes back, unless it is confirmed. */
  isOnTrial: boolean;
}

export interface BootRefusal {
  slot: "primary" | "secondary";
  code: ImageRefusalCode;
  message: string;
}

/** What else a bootloader has to say: its warnings. */
export type BootWarning =
  | SlotsProblem
  /** The images fit into the slots, but there is no room to swap them. */
  | "notEnoughSpace"
  /** Swap using offset: an update begins in the first sector, where it does not belong. */
  | "updateInFirstSector"
  /** An image that runs or is wanted says of its size what cannot be: the bootloader stops. */
  | "imageSizeUnreadable"
  /** The status of a swap says that more is exchanged than there is: an erasure that was cut left noise. The bootloader stops. */
  | "swapSizeUnreadable"
  /** There is no security counter in what should run, where one is needed: the bootloader stops. */
  | "securityCounterMissing";

/** What a boot came to. */
export interface BootReport {
  /** Undefined: there is nothing that may run. */
  runs: BootedImage | undefined;
  /** What was done, in this boot or, when it is resumed, begun in an earlier one. `fail`: the request was not one that could be met. */
  swapType: SwapType | "fail";
  /** A swap that power loss had interrupted was brought to its end. */
  isResumed: boolean;
  refusals: BootRefusal[];
  warnings: BootWarning[];
}
