import { checkOptionTypes, optionInvalid, type OptionTypes } from "@thingline/protocol";
import {
  defaultSectorsMax,
  type DowngradeRule,
  type ImageCrypto,
  type ImagePublicKey,
  type McubootBuild,
  slotImageBytesMax,
  type SwapMode,
} from "@thingline/protocol/image";
import { type Flash, flashOption } from "@thingline/transport";
import { BootRun } from "./boot-run.js";
import type { BootReport } from "./report.js";
import type { SecurityCounter } from "./security-counter.js";
import { type SlotLayout, Slots } from "./slots.js";

/** How a bootloader was built. */
export interface BootloaderOptions {
  flash: Flash;
  layout: SlotLayout;
  /** Default `move`, as of an nRF91 without a scratch partition. */
  mode?: SwapMode;
  crypto: ImageCrypto;
  /** The keys it has. Left out, it takes images that nobody signed, and looks at their hash alone. */
  keys?: readonly ImagePublicKey[];
  /** How it judges images. Default: signed by keys of the type of the first of `keys`, over SHA-256 (P-384: SHA-384). */
  build?: Omit<McubootBuild, "securityCounter">;
  /** BOOT_MAX_IMG_SECTORS. Default 128. */
  sectorsMax?: number;
  /** Whether what runs is verified at each boot. Default true. */
  validatesPrimary?: boolean;
  /** DOWNGRADE_PREVENTION: what would replace a newer image is erased instead. Default none. */
  downgradePrevention?: DowngradeRule;
  /** HW_ROLLBACK_PROT: no image with a lower counter boots, and an image that stays raises it. Default none. */
  securityCounter?: SecurityCounter;
}

/** MCUboot, as far as one image is concerned. */
export interface Bootloader {
  /** The largest image that it swaps in, TLVs included. */
  readonly imageBytesMax: number;
  /**
   * Swaps, reverts or goes on with what was interrupted, and says what runs then. May be called after any power loss.
   *
   * @throws {ThinglineError} FLASH_FAILED, when the power goes meanwhile
   */
  boot(): Promise<BootReport>;
}

const optionTypes = {
  flash: flashOption,
  layout: {
    options: { primary: "object", secondary: "object", scratch: "object" },
    required: ["primary", "secondary"],
  },
  mode: "string",
  crypto: "object",
  keys: "array",
  build: "object",
  sectorsMax: "number",
  validatesPrimary: "boolean",
  downgradePrevention: { options: { by: "string", comparesBuild: "boolean" }, required: ["by"] },
  securityCounter: "object",
} as const satisfies OptionTypes<BootloaderOptions>;

const modes: readonly SwapMode[] = ["move", "scratch", "offset", "overwrite"];

/** @throws {ThinglineError} OPTION_INVALID, FLASH_ACCESS_INVALID when an area does not lie on the flash */
export function createBootloader(options: BootloaderOptions): Bootloader {
  checkOptionTypes(options, optionTypes, { of: "createBootloader()", required: ["flash", "layout", "crypto"] });
  const { flash, layout, mode = "move", sectorsMax = defaultSectorsMax } = options;
  if (!modes.includes(mode)) throw optionInvalid("mode", modes.join(", "), mode);
  if (!Number.isInteger(sectorsMax) || sectorsMax < 1) throw optionInvalid("sectorsMax", "a whole number", sectorsMax);
  const slots = new Slots(flash, layout, { mode, sectorsMax });
  for (const area of [slots.primary, slots.secondary, slots.scratch]) {
    if (area === undefined || area.trailer.status >= 0) continue;
    const { trailerBytes } = area.trailer;
    throw optionInvalid(
      `layout.${area.name}`,
      `an area with room for a trailer of ${trailerBytes} bytes`,
      area.flash.sizeBytes,
    );
  }
  const imageBytesMax = slotImageBytesMax({
    mode,
    sectorsMax,
    primaryBytes: layout.primary.sizeBytes,
    secondaryBytes: layout.secondary.sizeBytes,
    sectorBytes: flash.pageBytes,
    writeBytes: flash.writeBytes,
    scratchBytes: layout.scratch?.sizeBytes,
  });
  return { imageBytesMax, boot: () => new BootRun(slots, { ...options, imageBytesMax }).run() };
}
