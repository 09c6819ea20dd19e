import { createMcubootTarget, type FirmwareTarget } from "@thingline/device/fota";
import { optionInvalid } from "@thingline/protocol";
import { imageMagic, readTrailer, type SwapMode, trailerLayout } from "@thingline/protocol/image";
import { type Flash, flashArea, type FlashRange } from "@thingline/transport";
import { type BoardLayout, boardLayout } from "./board-layout.js";
import { readSimulatedProgram, type SimulatedProgram } from "./firmware.js";
import { type Bootloader, type BootloaderOptions, createBootloader } from "./mcuboot/bootloader.js";
import type { BootedImage, BootReport } from "./mcuboot/report.js";
import { createFlashCounter } from "./mcuboot/security-counter.js";

export interface BoardOptions extends Omit<BootloaderOptions, "layout" | "securityCounter"> {
  /** Default {@link boardLayout} of the whole flash. */
  layout?: BoardLayout;
  /** What is programmed when there is nothing yet: a signed image without padding. */
  factoryImage: Uint8Array;
}

/** What runs on a board: the image, and what it does. */
export interface BoardImage extends BootedImage {
  /** Of images that were made by `makeSimulatedFirmware()`; empty of all others. */
  program: SimulatedProgram;
}

export interface BoardReport extends Omit<BootReport, "runs"> {
  runs: BoardImage | undefined;
}

/** A microcontroller with flash and bootloader. After power loss it is made again, over what is on the flash. */
export interface Board {
  readonly layout: BoardLayout;
  /** The largest image that its bootloader takes. */
  readonly imageBytesMax: number;
  /** Power-on, or a reset. @throws {ThinglineError} FLASH_FAILED when power goes meanwhile */
  boot(): Promise<BoardReport>;
  /** The secondary slot, as the application that runs here uses it. */
  target(): FirmwareTarget;
}

/**
 * Makes a board, and programs its factory image when the flash has neither an image nor a swap that was begun. What programming left when it
 * was interrupted is programmed again.
 *
 * @throws {ThinglineError} OPTION_INVALID, FLASH_FAILED
 */
export async function createBoard(options: BoardOptions): Promise<Board> {
  const { layout: given, factoryImage, ...bootloaderOptions } = options;
  const { flash, mode = "move" } = bootloaderOptions;
  const layout = given ?? boardLayout(flash, { mode });
  const { securityCounter: counterRange, ...slots } = layout;
  const bootloader = createBootloader({
    ...bootloaderOptions,
    layout: slots,
    ...(counterRange !== undefined && { securityCounter: createFlashCounter(flashArea(flash, counterRange)) }),
  });
  if (factoryImage.length > layout.primary.sizeBytes) {
    throw optionInvalid("factoryImage", `at most ${layout.primary.sizeBytes} bytes`, factoryImage.length);
  }
  if (await isNew(options, layout)) await program(flashArea(flash, layout.primary), factoryImage);
  return {
    layout,
    imageBytesMax: bootloader.imageBytesMax,
    boot: () => boot(bootloader, flashArea(flash, layout.primary)),
    target: () => targetOf(bootloaderOptions, layout),
  };
}

async function boot(bootloader: Bootloader, primary: Flash): Promise<BoardReport> {
  const report = await bootloader.boot();
  if (report.runs === undefined) return { ...report, runs: undefined };
  return { ...report, runs: { ...report.runs, program: await readSimulatedProgram(primary) } };
}

function targetOf(options: Omit<BootloaderOptions, "layout" | "securityCounter">, layout: BoardLayout): FirmwareTarget {
  const { flash, mode, sectorsMax, crypto, keys, downgradePrevention } = options;
  return createMcubootTarget({
    flash,
    primary: layout.primary,
    secondary: layout.secondary,
    crypto,
    ...(layout.scratch !== undefined && { scratchBytes: layout.scratch.sizeBytes }),
    ...(mode !== undefined && { mode }),
    ...(sectorsMax !== undefined && { sectorsMax }),
    ...(keys !== undefined && { keys }),
    ...(downgradePrevention !== undefined && { downgradePrevention }),
  });
}

/** In the middle of a swap there may be no image at the beginning of the primary slot either; a trailer tells that. */
async function isNew({ flash, mode = "move", sectorsMax }: BoardOptions, layout: BoardLayout): Promise<boolean> {
  const head = await flash.read(layout.primary.offsetBytes, 4);
  if (new DataView(head.buffer, head.byteOffset).getUint32(0, true) === imageMagic) return false;
  const areas: [FlashRange, { isScratch: boolean }][] = [
    [layout.primary, { isScratch: false }],
    [layout.secondary, { isScratch: false }],
    ...(layout.scratch === undefined
      ? []
      : [[layout.scratch, { isScratch: true }] as [FlashRange, { isScratch: boolean }]]),
  ];
  for (const [range, { isScratch }] of areas) {
    if (await hasTrailer(flash, range, { mode, sectorsMax, isScratch })) return false;
  }
  return true;
}

async function hasTrailer(
  flash: Flash,
  range: FlashRange,
  shape: { mode: SwapMode; sectorsMax: number | undefined; isScratch: boolean },
): Promise<boolean> {
  const layout = trailerLayout({ ...shape, areaBytes: range.sizeBytes, writeBytes: flash.writeBytes });
  const { magic } = await readTrailer(flashArea(flash, range), layout, flash.erasedByte);
  return magic !== "unset";
}

/** The first unit, with the magic of the image, last: until it is there, the board counts as new. */
async function program(primary: Flash, image: Uint8Array): Promise<void> {
  const { writeBytes, erasedByte } = primary;
  await primary.erase(0, primary.sizeBytes);
  const whole = new Uint8Array(Math.ceil(image.length / writeBytes) * writeBytes).fill(erasedByte);
  whole.set(image);
  const first = Math.max(writeBytes, 4);
  await primary.write(first, whole.subarray(first));
  await primary.write(0, whole.subarray(0, first));
}
