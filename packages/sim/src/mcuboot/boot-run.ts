import {
  downgradeRefusal,
  type DowngradeRule,
  formatVersion,
  type Generation,
  hashRegionBytes,
  type ImageCrypto,
  imageFlags,
  type ImageHeader,
  imageIdOf,
  type ImagePublicKey,
  type ImageRefusal,
  type ImageSource,
  type McubootBuild,
  mcubootVerdict,
  partOf,
  readSecurityCounter,
  type SwapType,
} from "@thingline/protocol/image";
import { decideSwap } from "./decision.js";
import { type ImageExtent, isHeaderErased, readExtent, readHeaderAt } from "./image-extent.js";
import { overwrite } from "./overwrite.js";
import type { BootedImage, BootRefusal, BootReport, BootWarning } from "./report.js";
import { slotsProblem } from "./slots-problem.js";
import type { SecurityCounter } from "./security-counter.js";
import type { Area, Slots } from "./slots.js";
import { readSizes, readStatus, type SwapStatus } from "./status.js";
import type { Swap } from "./swap.js";
import { swapByMove } from "./swap-move.js";
import { headerPlaces, swapByOffset } from "./swap-offset.js";
import { swapByScratch } from "./swap-scratch.js";

export interface BootRunOptions {
  crypto: ImageCrypto;
  keys?: readonly ImagePublicKey[];
  build?: Omit<McubootBuild, "securityCounter">;
  validatesPrimary?: boolean;
  downgradePrevention?: DowngradeRule;
  securityCounter?: SecurityCounter;
  imageBytesMax: number;
}

/** An image that the bootloader accepts, and where it begins. */
interface Accepted {
  source: ImageSource;
  header: ImageHeader;
}

/** The bootloader stops where MCUboot's would: an assertion, or nothing that may run. */
class BootStopped extends Error {
  override readonly name = "BootStopped";
}

/**
 * One boot. Its order is MCUboot's: what was interrupted is gone on with; else the trailers are asked, the image in the secondary slot is
 * verified, and swapped in; then what lies in the primary slot is verified, and runs.
 *
 * @see MCUboot, context_boot_go() of loader.c
 */
export class BootRun {
  readonly #slots: Slots;
  readonly #options: BootRunOptions;
  readonly #refusals: BootRefusal[] = [];
  readonly #warnings: BootWarning[] = [];
  #isResumed = false;

  constructor(slots: Slots, options: BootRunOptions) {
    this.#slots = slots;
    this.#options = options;
  }

  async run(): Promise<BootReport> {
    let swapType: BootReport["swapType"] = "none";
    let runs: BootedImage | undefined;
    try {
      swapType = await this.#update();
      runs = await this.#start();
    } catch (error) {
      if (!(error instanceof BootStopped)) throw error;
    }
    return { runs, swapType, isResumed: this.#isResumed, refusals: this.#refusals, warnings: this.#warnings };
  }

  async #update(): Promise<BootReport["swapType"]> {
    const slots = this.#slots;
    const problem = slotsProblem(slots);
    if (problem !== undefined) {
      this.#warnings.push(problem);
      return "none";
    }
    const status = await readStatus(slots);
    if (status.nextStep > 0) return this.#resume(status);
    const isPrimaryThere = (await readHeaderAt(slots.primary.flash, slots.primary.flash.erasedByte)) !== undefined;
    // Overwriting leaves a part of an image when it is interrupted; a swap never does.
    if (!isPrimaryThere && slots.mode !== "overwrite") return "none";
    const [swapType, update] = await this.#decide(status);
    if (swapType === "fail") {
      // As if it had been gone back to: what runs stays.
      await this.#setImageOk();
      return swapType;
    }
    if (swapType === "none" || update === undefined) return "none";
    if (swapType !== "revert" && (await this.#isDowngrade(update))) return "none";
    return this.#perform(status, swapType, update);
  }

  /** The type of swap that is asked for, and what would be swapped in, verified. */
  async #decide({ swapType: begun }: SwapStatus): Promise<[BootReport["swapType"], Accepted?]> {
    const slots = this.#slots;
    if (begun !== "none") {
      const update = await this.#verifySecondary(begun, { checksFirstSector: false });
      return update === undefined ? ["fail"] : [begun, update];
    }
    const trailers = [await slots.trailerOf(slots.primary), await slots.trailerOf(slots.secondary)] as const;
    const wanted = decideSwap(slots.mode, ...trailers);
    if (wanted === "none") return ["none"];
    const update = await this.#verifySecondary(wanted, { checksFirstSector: wanted !== "revert" });
    return update === undefined ? ["none"] : [wanted, update];
  }

  /** @see MCUboot, boot_validate_slot() */
  async #verifySecondary(
    swapType: SwapType,
    { checksFirstSector }: { checksFirstSector: boolean },
  ): Promise<Accepted | undefined> {
    const slots = this.#slots;
    const { secondary } = slots;
    const source = await this.#secondaryImage(swapType);
    const header = await readHeaderAt(source, secondary.flash.erasedByte);
    const isBootable = header === undefined || (header.flags & imageFlags.NON_BOOTABLE) === 0;
    if (!isBootable || (await isHeaderErased(source, secondary.flash.erasedByte))) {
      // The image was erased, and power loss left the trailer, which would go on asking.
      await slots.eraseTrailer(secondary);
      if (slots.mode === "move" && swapType === "revert") await slots.eraseTrailer(slots.primary);
      return undefined;
    }
    if (slots.mode === "offset" && checksFirstSector && (await this.#isImageInFirstSector())) {
      this.#warnings.push("updateInFirstSector");
      await slots.eraseAll(secondary);
      return undefined;
    }
    const verdict = await this.#verify(secondary, source);
    if (verdict.isAccepted) return { source, header: verdict.header };
    this.#refuse("secondary", verdict.refusal);
    await slots.eraseAll(secondary);
    return undefined;
  }

  /** Where the header is, in swap using offset: what was replaced lies from the first sector on, an update from the second. */
  async #secondaryImage(swapType: SwapType): Promise<ImageSource> {
    const { secondary, updateOffset } = this.#slots;
    if (updateOffset === 0) return secondary.flash;
    const expected = swapType === "revert" ? 0 : updateOffset;
    const isThere = (await readHeaderAt(partOf(secondary.flash, expected), secondary.flash.erasedByte)) !== undefined;
    return partOf(secondary.flash, isThere ? expected : updateOffset - expected);
  }

  async #isImageInFirstSector(): Promise<boolean> {
    const { flash } = this.#slots.secondary;
    return (await readHeaderAt(flash, flash.erasedByte)) !== undefined;
  }

  /** @see MCUboot, check_downgrade_prevention(), and boot_validate_slot() for overwrite only */
  async #isDowngrade(update: Accepted): Promise<boolean> {
    const { downgradePrevention: rule } = this.#options;
    const { mode, primary, secondary } = this.#slots;
    const header = rule && (await readHeaderAt(primary.flash, primary.flash.erasedByte));
    if (rule === undefined || header === undefined) return false;
    const [running, candidate] = [await generationOf({ source: primary.flash, header }), await generationOf(update)];
    // Overwrite only compares versions, whatever it was built with.
    const applied = mode === "overwrite" ? { ...rule, by: "version" as const } : rule;
    const refusal = downgradeRefusal(running, candidate, applied);
    if (refusal === undefined) return false;
    this.#refuse("secondary", refusal);
    await this.#slots.eraseAll(secondary);
    return true;
  }

  async #perform(status: SwapStatus, swapType: SwapType, update: Accepted): Promise<SwapType> {
    const slots = this.#slots;
    if (slots.mode === "overwrite") {
      const { securityCounter } = await generationOf(update);
      await overwrite(slots);
      await this.#raiseCounter(securityCounter);
      return swapType;
    }
    const primary = await this.#extentOf(slots.primary.flash);
    const secondary = await this.#extentOf(update.source);
    const sizes = {
      swapBytes: Math.max(primary.imageBytes, secondary.imageBytes),
      unprotectedTlvs: { primaryBytes: primary.unprotectedTlvBytes, secondaryBytes: secondary.unprotectedTlvBytes },
    };
    const headers = { primary: primary.header, secondary: secondary.header };
    const isDone = await this.#exchange({ swapType, source: status.source, nextStep: 0, sizes, headers });
    if (!isDone) {
      this.#warnings.push("notEnoughSpace");
      return "none";
    }
    await this.#finish(swapType);
    return swapType;
  }

  async #resume(status: SwapStatus): Promise<SwapType> {
    const slots = this.#slots;
    this.#isResumed = true;
    const sizes = await readSizes(slots);
    if (sizes.swapBytes > slots.primary.flash.sizeBytes) this.#stop("swapSizeUnreadable");
    const swap: Swap = { ...status, sizes };
    await this.#exchange(slots.mode === "offset" ? { ...swap, ...(await this.#findHeaders(swap)) } : swap);
    await this.#finish(status.swapType);
    return status.swapType;
  }

  async #findHeaders(swap: Swap): Promise<Pick<Swap, "headers">> {
    const places = headerPlaces(this.#slots, swap);
    const read = ({ area, offset }: { area: Area; offset: number }): ReturnType<typeof readHeaderAt> =>
      readHeaderAt(partOf(area.flash, offset), area.flash.erasedByte);
    const [primary, secondary] = [await read(places.primary), await read(places.secondary)];
    return primary === undefined || secondary === undefined ? {} : { headers: { primary, secondary } };
  }

  #exchange(swap: Swap): Promise<boolean> {
    const slots = this.#slots;
    if (slots.scratch !== undefined) return swapByScratch(slots, slots.scratch, swap);
    return slots.mode === "offset" ? swapByOffset(slots, swap) : swapByMove(slots, swap);
  }

  /** The flags that tell what the next boot does; copy_done last, since with it the swap is over. */
  async #finish(swapType: SwapType): Promise<void> {
    if (swapType === "revert" || swapType === "permanent") await this.#setImageOk();
    await this.#slots.setFlag(this.#slots.primary, "copyDone");
  }

  async #setImageOk(): Promise<void> {
    const { primary } = this.#slots;
    if ((await this.#slots.trailerOf(primary)).imageOk === "unset") await this.#slots.setFlag(primary, "imageOk");
  }

  async #extentOf(source: ImageSource): Promise<ImageExtent> {
    const header = await readHeaderAt(source, this.#slots.primary.flash.erasedByte);
    const extent = header && (await readExtent(source, header));
    if (extent !== undefined) return extent;
    return this.#stop("imageSizeUnreadable");
  }

  async #start(): Promise<BootedImage | undefined> {
    const { primary, mode } = this.#slots;
    const source = primary.flash;
    const header = await this.#bootable();
    if (header === undefined) return undefined;
    const { magic, imageOk, copyDone } = await this.#slots.trailerOf(primary);
    const { securityCounter } = await generationOf({ source, header });
    if (magic !== "good" || imageOk === "good") await this.#raiseCounter(securityCounter);
    const isOnTrial = mode !== "overwrite" && magic === "good" && imageOk === "unset" && copyDone === "good";
    const isWithin = hashRegionBytes(header) <= source.sizeBytes;
    const imageId = isWithin ? await imageIdOf(source, header, this.#options.crypto) : "";
    return { version: formatVersion(header.version), imageId, isOnTrial };
  }

  /** What lies in the primary slot, when it may run. */
  async #bootable(): Promise<ImageHeader | undefined> {
    const { primary } = this.#slots;
    const { validatesPrimary = true } = this.#options;
    if (!validatesPrimary) return readHeaderAt(primary.flash, primary.flash.erasedByte);
    const verdict = await this.#verify(primary, primary.flash);
    if (verdict.isAccepted) return verdict.header;
    this.#refuse("primary", verdict.refusal);
    return undefined;
  }

  /** @see MCUboot, boot_update_hw_rollback_protection() */
  async #raiseCounter(value: number | undefined): Promise<void> {
    const { securityCounter } = this.#options;
    if (securityCounter === undefined) return;
    if (value !== undefined) return securityCounter.raiseTo(value);
    this.#stop("securityCounterMissing");
  }

  async #verify(area: Area, source: ImageSource): ReturnType<typeof mcubootVerdict> {
    const { crypto, keys = [], build, securityCounter, imageBytesMax } = this.#options;
    return mcubootVerdict(source, {
      crypto,
      keys,
      build: { keyType: keys[0]?.type, ...build, securityCounter: await securityCounter?.read() },
      areaBytes: area.flash.sizeBytes,
      imageBytesMax,
      erasedByte: area.flash.erasedByte,
    });
  }

  #stop(warning: BootWarning): never {
    this.#warnings.push(warning);
    throw new BootStopped();
  }

  #refuse(slot: BootRefusal["slot"], { code, message }: ImageRefusal): void {
    this.#refusals.push({ slot, code, message });
  }
}

async function generationOf({ source, header }: Accepted): Promise<Generation> {
  return { version: header.version, securityCounter: await readSecurityCounter(source, header) };
}
