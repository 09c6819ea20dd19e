import { type ImageRefusal, RefusedImage, refused } from "./refusals.js";
import type { ImageVersion } from "./version.js";

/** `3D B8 F3 96` as they lie there. */
export const imageMagic = 0x96f3_b83d;
const obsoleteMagic = 0x96f3_b83c;

/** Of the header itself; `headerBytes` of an image says where its payload begins. */
export const imageHeaderBytes = 32;

/** The flags of a header, by MCUboot's names. */
export const imageFlags = {
  PIC: 0x1,
  ENCRYPTED_AES128: 0x4,
  ENCRYPTED_AES256: 0x8,
  NON_BOOTABLE: 0x10,
  RAM_LOAD: 0x20,
  ROM_FIXED: 0x100,
  COMPRESSED_LZMA1: 0x200,
  COMPRESSED_LZMA2: 0x400,
  COMPRESSED_ARM_THUMB: 0x800,
} as const;

export type ImageFlag = keyof typeof imageFlags;

const encrypted = imageFlags.ENCRYPTED_AES128 | imageFlags.ENCRYPTED_AES256;
const compressed = imageFlags.COMPRESSED_LZMA1 | imageFlags.COMPRESSED_LZMA2 | imageFlags.COMPRESSED_ARM_THUMB;

export interface ImageHeader {
  /** Where to load the image to with RAM_LOAD, or which address it is built for with ROM_FIXED. Else 0. */
  readonly loadAddress: number;
  /** Offset of the payload: the header and its padding. */
  readonly headerBytes: number;
  /** The protected TLV area with its info header; 0 when there is none. */
  readonly protectedTlvBytes: number;
  /** The payload alone. */
  readonly payloadBytes: number;
  /** {@link imageFlags}, and any that MCUboot may add. */
  readonly flags: number;
  readonly version: ImageVersion;
}

export type HeaderResult = { readonly header: ImageHeader } | { readonly refusal: ImageRefusal };

/**
 * Reads what a header says. Whether it can be so, with the sizes of the place where it lies, is the verdict's matter.
 *
 * @param bytes the first bytes of an image, 32 at least.
 * @param erasedByte what erased flash reads as. Default 0xff.
 */
export function parseImageHeader(bytes: Uint8Array, erasedByte = 0xff): HeaderResult {
  try {
    return { header: readHeader(bytes, erasedByte) };
  } catch (error) {
    if (error instanceof RefusedImage) return { refusal: error.refusal };
    throw error;
  }
}

/** @throws {RefusedImage} */
export function readHeader(bytes: Uint8Array, erasedByte: number): ImageHeader {
  if (bytes.length < imageHeaderBytes) {
    const message = `a header has ${imageHeaderBytes} bytes, there are ${bytes.length}`;
    throw refused("IMAGE_TRUNCATED", message, { expectedBytes: imageHeaderBytes, bytes: bytes.length });
  }
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  const magic = view.getUint32(0, true);
  if (magic !== imageMagic) throw magicRefusal(magic, erasedByte);
  return {
    loadAddress: view.getUint32(4, true),
    headerBytes: view.getUint16(8, true),
    protectedTlvBytes: view.getUint16(10, true),
    payloadBytes: view.getUint32(12, true),
    flags: view.getUint32(16, true),
    version: {
      major: view.getUint8(20),
      minor: view.getUint8(21),
      revision: view.getUint16(22, true),
      build: view.getUint32(24, true),
    },
  };
}

function magicRefusal(magic: number, erasedByte: number): RefusedImage {
  const found = `0x${magic.toString(16).padStart(8, "0")}`;
  if (magic === erasedByte * 0x0101_0101) {
    return refused("IMAGE_ABSENT", "there is no image: the first bytes are erased", { magic: found });
  }
  if (magic === obsoleteMagic) {
    return refused("IMAGE_MAGIC_OBSOLETE", `${found} is the magic of MCUboot's first format`, { magic: found });
  }
  const message = `an MCUboot image begins with 0x${imageMagic.toString(16)}, got ${found}`;
  return refused("IMAGE_MAGIC_INVALID", message, { magic: found });
}

/** 32 bytes; what pads the header up to `headerBytes` is not among them. */
export function encodeImageHeader(header: ImageHeader): Uint8Array {
  const bytes = new Uint8Array(imageHeaderBytes);
  const view = new DataView(bytes.buffer);
  view.setUint32(0, imageMagic, true);
  view.setUint32(4, header.loadAddress, true);
  view.setUint16(8, header.headerBytes, true);
  view.setUint16(10, header.protectedTlvBytes, true);
  view.setUint32(12, header.payloadBytes, true);
  view.setUint32(16, header.flags, true);
  view.setUint8(20, header.version.major);
  view.setUint8(21, header.version.minor);
  view.setUint16(22, header.version.revision, true);
  view.setUint32(24, header.version.build, true);
  return bytes;
}

/** Where the payload ends, and the TLVs begin. */
export function payloadEnd({ headerBytes, payloadBytes }: ImageHeader): number {
  return headerBytes + payloadBytes;
}

/** What the hash and every signature cover: header, payload and protected TLVs. */
export function hashRegionBytes(header: ImageHeader): number {
  return payloadEnd(header) + header.protectedTlvBytes;
}

export function isEncrypted({ flags }: ImageHeader): boolean {
  return (flags & encrypted) !== 0;
}

export function isCompressed({ flags }: ImageHeader): boolean {
  return (flags & compressed) !== 0;
}

/** The flags that are set, by name; bits that have none as `0x40000000`. */
export function flagNames({ flags }: ImageHeader): string[] {
  const names: string[] = [];
  let rest = flags;
  for (const [name, bit] of Object.entries(imageFlags)) {
    if ((flags & bit) === 0) continue;
    names.push(name);
    rest &= ~bit;
  }
  if (rest !== 0) names.push(`0x${(rest >>> 0).toString(16)}`);
  return names;
}
