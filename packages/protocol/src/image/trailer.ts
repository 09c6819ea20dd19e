import type { ImageSource } from "./source.js";

/**
 * How a bootloader brings an update into the primary slot. It decides what a trailer holds and how large an image may be. `move`,
 * `scratch` and `offset` can go back; `overwrite` cannot.
 */
export type SwapMode = "move" | "scratch" | "offset" | "overwrite";

/** Of MCUboot and of its tool: the sectors of a slot that a trailer keeps the status of. */
export const defaultSectorsMax = 128;
/** BOOT_MAX_ALIGN where nothing needs more. */
export const defaultAlignBytes = 8;
/** What BOOT_MAX_ALIGN may be. */
export const alignBytesAllowed = [8, 16, 32] as const;
/** What flash may write at once, at the least. */
export const writeBytesAllowed = [1, 2, 4, 8, 16, 32] as const;

export const trailerMagicBytes = 16;

/** What every byte of a trailer depends on. */
export interface TrailerShape {
  /** Of the slot, or of the scratch area. */
  readonly areaBytes: number;
  readonly mode: SwapMode;
  /** The least that the flash writes at once. */
  readonly writeBytes: number;
  /** BOOT_MAX_ALIGN: 8, 16 or 32. Default 8, or `writeBytes` where that is more. */
  readonly alignBytes?: number | undefined;
  /** Default {@link defaultSectorsMax}. */
  readonly sectorsMax?: number | undefined;
  /** The scratch area, whose trailer has the status of one sector only. Default false. */
  readonly isScratch?: boolean | undefined;
}

/** Where each field begins, from the start of the area. A field's first byte holds its value; up to the next field it is padding. */
export interface TrailerLayout {
  readonly alignBytes: number;
  readonly writeBytes: number;
  /** The last 16 bytes. */
  readonly magic: number;
  /** From here to the end a magic is written at once: with an alignment of 32, sixteen bytes of padding go first. */
  readonly magicWrite: number;
  readonly imageOk: number;
  readonly copyDone: number;
  readonly swapInfo: number;
  /** Mode `offset` alone, from MCUboot 2.3 on: u32, low half of the primary's image, high half of the secondary's. */
  readonly unprotectedTlvSizes: number | undefined;
  /** u32. */
  readonly swapSize: number;
  /** Where the trailer begins: the progress of a swap, one write unit for each step. */
  readonly status: number;
  /** Steps that are recorded of each sector. */
  readonly statesOfSector: number;
  /** Of the whole status. */
  readonly statusBytes: number;
  /** From `status` to the end. */
  readonly trailerBytes: number;
}

/**
 * MCUboot's layout without encryption keys, from the end: magic, image_ok, copy_done, swap_info, with mode `offset` the sizes of the
 * unprotected TLVs, swap_size, status.
 *
 * @see MCUboot, bootutil_misc.h and bootutil_area.c of 2.3 and 2.4
 */
export function trailerLayout(shape: TrailerShape): TrailerLayout {
  const { areaBytes, mode, writeBytes, sectorsMax = defaultSectorsMax, isScratch = false } = shape;
  const alignBytes = alignOf(shape);
  const magic = areaBytes - trailerMagicBytes;
  const imageOk = alignDown(magic - alignBytes, alignBytes);
  const copyDone = imageOk - alignBytes;
  const swapInfo = copyDone - alignBytes;
  const unprotectedTlvSizes = mode === "offset" ? swapInfo - alignBytes : undefined;
  const swapSize = (unprotectedTlvSizes ?? swapInfo) - alignBytes;
  const statesOfSector = mode === "offset" ? 2 : 3;
  const statusBytes = (isScratch ? 1 : sectorsMax) * statesOfSector * writeBytes;
  const fields = mode === "offset" ? 5 : 4;
  const trailerBytes = statusBytes + fields * alignBytes + alignUp(trailerMagicBytes, alignBytes);
  return {
    alignBytes,
    writeBytes,
    magic,
    magicWrite: alignDown(magic, alignBytes),
    imageOk,
    copyDone,
    swapInfo,
    unprotectedTlvSizes,
    swapSize,
    status: areaBytes - trailerBytes,
    statesOfSector,
    statusBytes,
    trailerBytes,
  };
}

/** BOOT_MAX_ALIGN of a shape. */
export function alignOf({ writeBytes, alignBytes }: Pick<TrailerShape, "writeBytes" | "alignBytes">): number {
  return alignBytes ?? Math.max(defaultAlignBytes, writeBytes);
}

/** The 16 bytes that end a trailer. With an alignment above 8 they begin with it. */
export function trailerMagic(alignBytes: number): Uint8Array {
  if (alignBytes === defaultAlignBytes) return Uint8Array.from(magicOfEight);
  return Uint8Array.of(alignBytes & 0xff, alignBytes >> 8, ...magicOfOthers);
}

const magicOfEight = [0x77, 0xc2, 0x95, 0xf3, 0x60, 0xd2, 0xef, 0x7f, 0x35, 0x52, 0x50, 0x0f, 0x2c, 0xb6, 0x79, 0x80];
const magicOfOthers = [0x2d, 0xe1, 0x5d, 0x29, 0x41, 0x0b, 0x8d, 0x77, 0x67, 0x9c, 0x11, 0x0f, 0x1f, 0x8a];

/** `bad` is anything that is neither written as it should be nor erased. */
export type TrailerMark = "good" | "unset" | "bad";

/** By the numbers that lie in flash. `none` is not written. */
export const swapTypes = { none: 1, test: 2, permanent: 3, revert: 4 } as const;
export type SwapType = keyof typeof swapTypes;

/** What a bootloader reads of a slot before it decides. */
export interface TrailerState {
  readonly magic: TrailerMark;
  readonly imageOk: TrailerMark;
  readonly copyDone: TrailerMark;
  /** `none` when it is erased or no type that MCUboot knows. */
  readonly swapType: SwapType;
  /** Which image of several; 0 with a swap type of `none`. */
  readonly imageNumber: number;
}

/** The value of a flag that is set. */
export const flagSet = 0x01;

/** boot_read_swap_state() of MCUboot. */
export async function readTrailer(
  source: ImageSource,
  layout: TrailerLayout,
  erasedByte = 0xff,
): Promise<TrailerState> {
  // A source may give a view that its next read writes over.
  const magic = magicMark(await source.read(layout.magic, trailerMagicBytes), layout.alignBytes, erasedByte);
  const [info = erasedByte] = await source.read(layout.swapInfo, 1);
  const [done = erasedByte] = await source.read(layout.copyDone, 1);
  const [ok = erasedByte] = await source.read(layout.imageOk, 1);
  return {
    magic,
    imageOk: flagMark(ok, erasedByte),
    copyDone: flagMark(done, erasedByte),
    ...decodeSwapInfo(info, erasedByte),
  };
}

export function magicMark(bytes: Uint8Array, alignBytes: number, erasedByte = 0xff): TrailerMark {
  if (bytes.every((byte) => byte === erasedByte)) return "unset";
  return trailerMagic(alignBytes).every((byte, at) => bytes[at] === byte) ? "good" : "bad";
}

export function flagMark(byte: number, erasedByte = 0xff): TrailerMark {
  if (byte === erasedByte) return "unset";
  return byte === flagSet ? "good" : "bad";
}

export function decodeSwapInfo(byte: number, erasedByte = 0xff): Pick<TrailerState, "swapType" | "imageNumber"> {
  const type = byte & 0x0f;
  const name = byte === erasedByte ? undefined : swapTypeNames.get(type);
  // MCUboot takes the types up to REVERT as they are, 0 included, which none of its branches knows.
  return name === undefined ? { swapType: "none", imageNumber: 0 } : { swapType: name, imageNumber: byte >> 4 };
}

const swapTypeNames = new Map(Object.entries(swapTypes).map(([name, type]) => [type as number, name as SwapType]));

/** One write of flash: at a multiple of the write unit, and as long as one or more. */
export interface TrailerWrite {
  readonly offset: number;
  readonly bytes: Uint8Array;
}

/** The magic, which asks for a swap when it lies in the secondary slot. */
export function magicWrite(layout: TrailerLayout, erasedByte = 0xff): TrailerWrite {
  const bytes = new Uint8Array(layout.magic + trailerMagicBytes - layout.magicWrite).fill(erasedByte);
  bytes.set(trailerMagic(layout.alignBytes), bytes.length - trailerMagicBytes);
  return { offset: layout.magicWrite, bytes };
}

/** image_ok or copy_done. */
export function flagWrite(layout: TrailerLayout, flag: "imageOk" | "copyDone", erasedByte = 0xff): TrailerWrite {
  return fieldWrite(layout, layout[flag], Uint8Array.of(flagSet), erasedByte);
}

/** Which swap was begun, or asked for. */
export function swapInfoWrite(
  layout: TrailerLayout,
  { swapType, imageNumber = 0 }: { swapType: SwapType; imageNumber?: number },
  erasedByte = 0xff,
): TrailerWrite {
  return fieldWrite(layout, layout.swapInfo, Uint8Array.of((imageNumber << 4) | swapTypes[swapType]), erasedByte);
}

/** How many bytes a swap that was begun exchanges. */
export function swapSizeWrite(layout: TrailerLayout, swapBytes: number, erasedByte = 0xff): TrailerWrite {
  return fieldWrite(layout, layout.swapSize, littleEndian(swapBytes), erasedByte);
}

/** The sizes of both unprotected TLV areas, info header included. Undefined but in mode `offset`. */
export function unprotectedTlvSizesWrite(
  layout: TrailerLayout,
  { primaryBytes, secondaryBytes }: { primaryBytes: number; secondaryBytes: number },
  erasedByte = 0xff,
): TrailerWrite | undefined {
  if (layout.unprotectedTlvSizes === undefined) return undefined;
  const combined = littleEndian((secondaryBytes & 0xffff) * 0x1_0000 + (primaryBytes & 0xffff));
  return fieldWrite(layout, layout.unprotectedTlvSizes, combined, erasedByte);
}

/** Values are written with erased bytes behind them up to a write unit. */
function fieldWrite(layout: TrailerLayout, offset: number, value: Uint8Array, erasedByte: number): TrailerWrite {
  const bytes = new Uint8Array(alignUp(value.length, layout.writeBytes)).fill(erasedByte);
  bytes.set(value);
  return { offset, bytes };
}

function littleEndian(value: number): Uint8Array {
  const bytes = new Uint8Array(4);
  new DataView(bytes.buffer).setUint32(0, value, true);
  return bytes;
}

/** The next multiple of a power of two. */
export function alignUp(value: number, to: number): number {
  return Math.ceil(value / to) * to;
}

function alignDown(value: number, to: number): number {
  return Math.floor(value / to) * to;
}
