import { checkOptionTypes, optionInvalid, type OptionTypes, ThinglineError } from "@thingline/protocol";
import {
  defaultSectorsMax,
  downgradeRefusal,
  type DowngradeRule,
  flagWrite,
  formatVersion,
  identifyFirmware,
  type ImageCrypto,
  type ImageHeader,
  imageHeaderBytes,
  imageIdOf,
  imageInvalid,
  type ImagePolicy,
  type ImagePublicKey,
  type ImageRefusal,
  inspectImage,
  magicWrite,
  parseImageHeader,
  partOf,
  readSecurityCounter,
  readTrailer,
  slotImageBytesMax,
  type SwapMode,
  swapInfoWrite,
  type TrailerLayout,
  trailerLayout,
  type TrailerState,
  type TrailerWrite,
  verifyImage,
} from "@thingline/protocol/image";
import { type Flash, flashArea, flashOption, type FlashRange } from "@thingline/transport";
import { abortedError } from "../../errors.js";
import type { FirmwareTarget, FirmwareTargetState, FirmwareTrial, FirmwareVerdict } from "../target.js";
import { abortable, refusedFor } from "./image-verdict.js";
import { SlotWriter } from "./slot-writer.js";

/** Where MCUboot's slots lie, and how its bootloader was built: what it would refuse is refused here, before a reboot. */
export interface McubootTargetOptions {
  flash: Flash;
  primary: FlashRange;
  secondary: FlashRange;
  /** With `mode: "scratch"`. Default one page. */
  scratchBytes?: number;
  /** Default `move`. */
  mode?: SwapMode;
  /** BOOT_MAX_IMG_SECTORS. Default 128. */
  sectorsMax?: number;
  crypto: ImageCrypto;
  /** The keys of the bootloader. Left out, signatures are left to it: an image is verified by its hash alone. */
  keys?: readonly ImagePublicKey[];
  /** What else the device asks of an image. */
  policy?: ImagePolicy;
  /** As the bootloader's. Default none. */
  downgradePrevention?: DowngradeRule;
}

const optionTypes = {
  flash: flashOption,
  primary: "object",
  secondary: "object",
  scratchBytes: "number",
  mode: "string",
  sectorsMax: "number",
  crypto: "object",
  keys: "array",
  policy: "object",
  downgradePrevention: "object",
} as const satisfies OptionTypes<McubootTargetOptions>;

const modes: readonly SwapMode[] = ["move", "scratch", "offset", "overwrite"];

/**
 * The secondary slot of MCUboot as a place for firmware. Pages are erased as they are come to; the request to the bootloader is written when the
 * updater says so, and never comes with the file.
 *
 * While an image is on trial, the secondary slot holds the one to go back to: `begin`, `resume`, `schedule` and `discard` then reject with
 * FIRMWARE_ON_TRIAL.
 *
 * @throws {ThinglineError} OPTION_INVALID, FLASH_ACCESS_INVALID when a slot does not lie on the flash
 */
export function createMcubootTarget(options: McubootTargetOptions): FirmwareTarget {
  const required = ["flash", "primary", "secondary", "crypto"];
  checkOptionTypes(options, optionTypes, { of: "createMcubootTarget()", required });
  if (!modes.includes(options.mode ?? "move")) throw optionInvalid("mode", modes.join(", "), `${options.mode}`);
  return new McubootSlots(options);
}

interface Slot {
  flash: Flash;
  trailer: TrailerLayout;
}

class McubootSlots implements FirmwareTarget {
  readonly name = "mcuboot";
  readonly canRevert: boolean;
  readonly #mode: SwapMode;
  readonly #primary: Slot;
  readonly #secondary: Slot;
  readonly #room: number;
  readonly #options: McubootTargetOptions;
  #writer: SlotWriter | undefined;

  constructor(options: McubootTargetOptions) {
    const { flash, primary, secondary, scratchBytes, mode = "move", sectorsMax = defaultSectorsMax } = options;
    const shape = { mode, sectorsMax, writeBytes: flash.writeBytes };
    const slot = (range: FlashRange): Slot => ({
      flash: flashArea(flash, range),
      trailer: trailerLayout({ ...shape, areaBytes: range.sizeBytes }),
    });
    this.#options = options;
    this.#mode = mode;
    this.canRevert = mode !== "overwrite";
    this.#primary = slot(primary);
    this.#secondary = slot(secondary);
    const bytes = { primaryBytes: primary.sizeBytes, secondaryBytes: secondary.sizeBytes };
    this.#room = slotImageBytesMax({ ...shape, ...bytes, sectorBytes: flash.pageBytes, scratchBytes });
  }

  recognises(head: Uint8Array): boolean {
    return identifyFirmware(head) === "application";
  }

  async capacityBytes(): Promise<number> {
    return this.#room;
  }

  async state(): Promise<FirmwareTargetState> {
    const source = this.#primary.flash;
    const header = await this.#runningHeader();
    const imageId = await imageIdOf(source, header, this.#options.crypto);
    const trial = this.#trialOf(await trailerOf(this.#primary));
    const running = { version: formatVersion(header.version), imageId, trial };
    return { running, isScheduled: asksForSwap(await trailerOf(this.#secondary)) };
  }

  async begin({ sizeBytes }: { sizeBytes: number }, { signal }: { signal: AbortSignal }): Promise<void> {
    this.#writer = undefined;
    this.#checkSize(sizeBytes);
    await this.#requireSettled();
    await this.#eraseTrailer(signal);
    // What lay here cannot be taken for an image from now on.
    await this.#eraseHead(signal);
    this.#writer = this.#writerAt(sizeBytes, 0, this.#headEnd);
  }

  async resume(
    { sizeBytes, offset }: { sizeBytes: number; offset: number },
    { signal }: { signal: AbortSignal },
  ): Promise<number> {
    this.#writer = undefined;
    this.#checkSize(sizeBytes);
    await this.#requireSettled();
    const { pageBytes } = this.#secondary.flash;
    // The page in which power went may hold units that were written in part.
    const page = Math.floor(Math.min(offset, sizeBytes) / pageBytes) * pageBytes;
    const start = Math.min(page, this.#trailerStart - this.#updateOffset);
    if (start === 0) {
      await this.begin({ sizeBytes }, { signal });
      return 0;
    }
    if (!(await this.#isErased(this.#trailerStart, this.#secondary.flash.sizeBytes))) await this.#eraseTrailer(signal);
    this.#writer = this.#writerAt(sizeBytes, start, this.#updateOffset + start);
    return start;
  }

  async write(offset: number, bytes: Uint8Array): Promise<void> {
    await this.#begun().write(offset, bytes);
  }

  sync(): Promise<number> {
    return this.#begun().sync();
  }

  async read(offset: number, length: number): Promise<Uint8Array> {
    const source = partOf(this.#secondary.flash, this.#updateOffset);
    const start = Math.min(offset, source.sizeBytes);
    return source.read(start, Math.min(length, source.sizeBytes - start));
  }

  async verify({ sizeBytes }: { sizeBytes: number }, { signal }: { signal: AbortSignal }): Promise<FirmwareVerdict> {
    const { crypto, keys, policy } = this.#options;
    const { erasedByte } = this.#secondary.flash;
    const source = abortable(partOf(this.#secondary.flash, this.#updateOffset, sizeBytes), signal);
    const imageBytesMax = this.#room;
    const verdict = await verifyImage(source, { crypto, keys, policy, erasedByte, imageBytesMax });
    if (!verdict.isAccepted) return refusedFor(verdict.refusal);
    const { header, securityCounter } = verdict.image;
    const refusal = await this.#downgrade({ version: header.version, securityCounter });
    if (refusal !== undefined) return refusedFor(refusal);
    const imageId = await imageIdOf(source, header, crypto);
    return { isAccepted: true, version: formatVersion(header.version), imageId };
  }

  /** A request that was cut is a part of the magic: it is written to its end. Anything else in the trailer goes first. */
  async schedule(): Promise<void> {
    await this.#requireSettled();
    const { trailer, flash } = this.#secondary;
    const { magic, imageOk, copyDone } = await trailerOf(this.#secondary);
    const isClean = imageOk === "unset" && copyDone === "unset";
    if (magic === "good" && isClean) return;
    const request = magicWrite(trailer, flash.erasedByte);
    if (!isClean || !(await this.#canWrite(request))) await this.#renewTrailer();
    await flash.write(request.offset, request.bytes);
    const { offset, bytes } = swapInfoWrite(trailer, { swapType: "test" }, flash.erasedByte);
    await flash.write(offset, bytes);
  }

  async confirm(): Promise<void> {
    const { magic, imageOk } = await trailerOf(this.#primary);
    // Never swapped: programmed directly, and nothing would go back.
    if (magic === "unset" || (magic === "good" && imageOk !== "unset")) return;
    if (magic === "bad") throw failed("the trailer of the primary slot is damaged: what runs cannot be confirmed");
    const { offset, bytes } = flagWrite(this.#primary.trailer, "imageOk", this.#primary.flash.erasedByte);
    await this.#primary.flash.write(offset, bytes);
  }

  async discard(): Promise<void> {
    this.#writer = undefined;
    await this.#requireSettled();
    if (!(await this.#isErased(this.#trailerStart, this.#secondary.flash.sizeBytes))) await this.#eraseTrailer();
    if (!(await this.#isErased(0, this.#headEnd))) await this.#eraseHead();
  }

  /** Where an update begins. */
  get #updateOffset(): number {
    return this.#mode === "offset" ? this.#secondary.flash.pageBytes : 0;
  }

  /** Behind the pages that the bootloader looks for a header in. */
  get #headEnd(): number {
    return this.#updateOffset + this.#secondary.flash.pageBytes;
  }

  /** The first page that has a part of the trailer. */
  get #trailerStart(): number {
    const { trailer, flash } = this.#secondary;
    return Math.floor(trailer.status / flash.pageBytes) * flash.pageBytes;
  }

  #checkSize(sizeBytes: number): void {
    if (Number.isInteger(sizeBytes) && sizeBytes > 0 && sizeBytes <= this.#room) return;
    throw optionInvalid("sizeBytes", `1 to ${this.#room}, for which there is room`, sizeBytes);
  }

  #begun(): SlotWriter {
    if (this.#writer !== undefined) return this.#writer;
    throw optionInvalid("offset", "begin() or resume() before a write", "none");
  }

  #writerAt(sizeBytes: number, offset: number, erasedTo: number): SlotWriter {
    const { flash } = this.#secondary;
    const where = { areaOffset: this.#updateOffset, erasedTo, erasedFrom: this.#trailerStart };
    return new SlotWriter({ area: flash, sizeBytes, offset, ...where });
  }

  async #runningHeader(): Promise<ImageHeader> {
    const { flash } = this.#primary;
    const result = parseImageHeader(await flash.read(0, imageHeaderBytes), flash.erasedByte);
    if ("refusal" in result) throw imageInvalid(result.refusal);
    return result.header;
  }

  #trialOf({ magic, imageOk, copyDone, swapType }: TrailerState): FirmwareTrial {
    if (!this.canRevert || magic !== "good" || copyDone !== "good") return "confirmed";
    if (imageOk === "unset") return "onTrial";
    return swapType === "revert" ? "reverted" : "confirmed";
  }

  async #requireSettled(): Promise<void> {
    if (this.#trialOf(await trailerOf(this.#primary)) !== "onTrial") return;
    const message = "what runs is on trial, and the secondary slot holds the image to go back to";
    throw new ThinglineError("FIRMWARE_ON_TRIAL", message);
  }

  /** The last page first: with it goes the request. */
  async #eraseTrailer(signal?: AbortSignal): Promise<void> {
    const { flash } = this.#secondary;
    for (let page = flash.sizeBytes - flash.pageBytes; page >= this.#trailerStart; page -= flash.pageBytes) {
      if (signal?.aborted) throw abortedError(signal);
      await flash.erase(page, flash.pageBytes);
    }
  }

  async #eraseHead(signal?: AbortSignal): Promise<void> {
    const { flash } = this.#secondary;
    for (let page = 0; page < this.#headEnd; page += flash.pageBytes) {
      if (signal?.aborted) throw abortedError(signal);
      await flash.erase(page, flash.pageBytes);
    }
  }

  /** A trailer that somebody else left there, when the verified image does not reach into its pages. */
  async #renewTrailer(): Promise<void> {
    const { imageBytes = Infinity } = await inspectImage(partOf(this.#secondary.flash, this.#updateOffset));
    if (this.#updateOffset + imageBytes > this.#trailerStart) {
      throw failed("the trailer of the secondary slot is not erased, and the image reaches into its page");
    }
    await this.#eraseTrailer();
  }

  async #isErased(from: number, to: number): Promise<boolean> {
    const { flash } = this.#secondary;
    return (await flash.read(from, to - from)).every((byte) => byte === flash.erasedByte);
  }

  async #canWrite({ offset, bytes }: TrailerWrite): Promise<boolean> {
    const old = await this.#secondary.flash.read(offset, bytes.length);
    return bytes.every((byte, at) => (byte & ~(old[at] ?? 0)) === 0);
  }

  async #downgrade(candidate: Parameters<typeof downgradeRefusal>[1]): Promise<ImageRefusal | undefined> {
    const { downgradePrevention: rule } = this.#options;
    if (rule === undefined) return undefined;
    const header = await this.#runningHeader();
    const securityCounter = await readSecurityCounter(this.#primary.flash, header);
    return downgradeRefusal({ version: header.version, securityCounter }, candidate, rule);
  }
}

const trailerOf = ({ flash, trailer }: Slot): Promise<TrailerState> => readTrailer(flash, trailer, flash.erasedByte);

/** A flag that is neither set nor erased is no request. */
const asksForSwap = ({ magic, imageOk }: TrailerState): boolean => magic === "good" && imageOk !== "bad";

function failed(message: string): ThinglineError {
  return new ThinglineError("FLASH_FAILED", message);
}
