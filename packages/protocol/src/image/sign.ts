import { ThinglineError } from "../errors.js";
import { optionInvalid } from "../options.js";
import { softwareTypeCharactersMax } from "./boot-record.js";
import type { HashAlgorithm, ImageCrypto } from "./crypto.js";
import type { ImageDependency } from "./facts.js";
import { imageFlags, imageHeaderBytes } from "./header.js";
import { padToSlot, type PadShape, roomRefusal } from "./pad.js";
import { imageInvalid } from "./refusals.js";
import { encodeUint32, type NewTlv, sealImage, type Unsealed } from "./seal.js";
import {
  tlvAreaBytesMax,
  tlvHeaderBytes,
  tlvInfoBytes,
  tlvNumber,
  tlvTypes,
  vendorTlvMax,
  vendorTlvMin,
} from "./tlv.js";
import { alignBytesAllowed, defaultAlignBytes, writeBytesAllowed } from "./trailer.js";
import { type ImageVersion, securityCounterOf, versionMax } from "./version.js";

export interface SignImageOptions {
  readonly crypto: ImageCrypto;
  /** Who signs. Left out, the image has a hash only. */
  readonly privateKeyPem?: string | undefined;
  readonly version: ImageVersion;
  /** 32 to 65,535. The file begins with as many zeros, unless `padsHeader`. */
  readonly headerBytes: number;
  /** Puts the header before the file instead of over its zeros. */
  readonly padsHeader?: boolean | undefined;
  /** Image and trailer must fit into it. 0 checks nothing, and cannot be padded to. Default 0. */
  readonly slotBytes?: number | undefined;
  /** Write unit of the flash: 1, 2, 4, 8, 16 or 32. Default 1. */
  readonly writeBytes?: number | undefined;
  /** BOOT_MAX_ALIGN: 8, 16 or 32. Default 8, or `writeBytes` where that is more. */
  readonly alignBytes?: number | undefined;
  readonly sectorsMax?: number | undefined;
  readonly isOverwriteOnly?: boolean | undefined;
  /** Fills the slot and asks for a swap: `test`, or `confirmed` for one that is not gone back on. Left out, the image alone is made. */
  readonly pad?: "test" | "confirmed" | undefined;
  /** What erased flash reads as. Default 0xff. */
  readonly erasedByte?: number | undefined;
  /** `auto` takes it from the version. */
  readonly securityCounter?: number | "auto" | undefined;
  readonly dependencies?: readonly ImageDependency[] | undefined;
  /** The role of the software in a measured boot record, {@link softwareTypeCharactersMax} characters at the most. */
  readonly bootRecord?: string | undefined;
  /** 16 bytes each. */
  readonly vendorId?: Uint8Array | undefined;
  readonly classId?: Uint8Array | undefined;
  /** Into the protected area, in this order; types of vendors, each once. */
  readonly customTlvs?: readonly { readonly type: number; readonly value: Uint8Array }[] | undefined;
  /** RAM_LOAD. */
  readonly loadAddress?: number | undefined;
  /** ROM_FIXED. */
  readonly fixedAddress?: number | undefined;
  readonly isNonBootable?: boolean | undefined;
  /** Default: the usual one of the key, SHA-256 without a key. */
  readonly hash?: HashAlgorithm | undefined;
  /** Ed25519 over the image instead of its hash. */
  readonly isPure?: boolean | undefined;
  /** How the image names its key. Default `hash`. */
  readonly publicKeyFormat?: "hash" | "full" | undefined;
  /** Fills up ECDSA signatures with zeros, for bootloaders before 1.5. */
  readonly padsSignature?: boolean | undefined;
}

/**
 * Makes an image of a binary, byte for byte as MCUboot's tool does, but for the random values in signatures.
 *
 * @throws {ThinglineError} OPTION_INVALID, KEY_INVALID; IMAGE_INVALID with `details.reason` IMAGE_TOO_LARGE when it does not fit into its slot,
 * and IMAGE_TRUNCATED or HEADER_OCCUPIED when the binary leaves no room for the header.
 */
export async function signImage(binary: Uint8Array, options: SignImageOptions): Promise<Uint8Array> {
  checkOptions(options);
  const { headerBytes, padsHeader = false, erasedByte = 0xff } = options;
  const payload = payloadOf(binary, options);
  const header = {
    loadAddress: options.fixedAddress ?? options.loadAddress ?? 0,
    headerBytes,
    flags: flagsOf(options),
    version: options.version,
  };
  const padding = new Uint8Array(headerBytes - imageHeaderBytes).fill(padsHeader ? erasedByte : 0);
  return finish(await sealImage({ header, padding, payload, sealed: protectedTlvs(options) }, options), options);
}

function finish(image: Uint8Array, options: SignImageOptions): Uint8Array {
  const { slotBytes = 0, pad } = options;
  if (slotBytes === 0) return image;
  const shape = padShapeOf(options, slotBytes);
  const refusal = roomRefusal(image.length, shape);
  if (refusal) throw imageInvalid(refusal.refusal);
  return pad === undefined ? image : padToSlot(image, shape, { isConfirmed: pad === "confirmed" });
}

function padShapeOf(options: SignImageOptions, slotBytes: number): PadShape {
  const { writeBytes = 1, sectorsMax, isOverwriteOnly = false, erasedByte = 0xff } = options;
  const alignBytes = options.alignBytes ?? Math.max(defaultAlignBytes, writeBytes);
  return { slotBytes, writeBytes, alignBytes, sectorsMax, isOverwriteOnly, erasedByte };
}

/** The file without what the header takes the place of. */
function payloadOf(binary: Uint8Array, { headerBytes, padsHeader }: SignImageOptions): Uint8Array {
  if (padsHeader) return binary;
  if (binary.length < headerBytes) {
    const message = `the file has ${binary.length} bytes, and should begin with ${headerBytes} zeros for the header`;
    throw new ThinglineError("IMAGE_INVALID", message, { details: { reason: "IMAGE_TRUNCATED", headerBytes } });
  }
  const occupied = binary.subarray(0, headerBytes).findIndex((byte) => byte !== 0);
  if (occupied >= 0) {
    const message =
      `the first ${headerBytes} bytes of the file should be zeros for the header, and byte ${occupied} is not: ` +
      `put the header before the file, or build the file with room for it`;
    throw new ThinglineError("IMAGE_INVALID", message, { details: { reason: "HEADER_OCCUPIED", offset: occupied } });
  }
  return binary.subarray(headerBytes);
}

function flagsOf({ loadAddress, fixedAddress, isNonBootable }: SignImageOptions): number {
  let flags = 0;
  // An address of 0 sets no flag, as in MCUboot's tool.
  if (loadAddress) flags |= imageFlags.RAM_LOAD;
  if (fixedAddress) flags |= imageFlags.ROM_FIXED;
  if (isNonBootable) flags |= imageFlags.NON_BOOTABLE;
  return flags;
}

/** In the order of MCUboot's tool. */
function protectedTlvs(options: SignImageOptions): Unsealed["sealed"] {
  const { version, securityCounter, bootRecord, dependencies = [], vendorId, classId, customTlvs = [] } = options;
  const counter = securityCounter === "auto" ? securityCounterOf(version) : securityCounter;
  const dependsOn = dependencies.map((each): NewTlv => ({ type: tlvTypes.DEPENDENCY, value: encodeDependency(each) }));
  return [
    ...(counter === undefined ? [] : [{ type: tlvTypes.SEC_CNT, value: encodeUint32(counter) }]),
    ...(bootRecord === undefined ? [] : [{ bootRecord }]),
    ...dependsOn,
    ...(vendorId === undefined ? [] : [{ type: tlvTypes.UUID_VID, value: vendorId }]),
    ...(classId === undefined ? [] : [{ type: tlvTypes.UUID_CID, value: classId }]),
    ...customTlvs,
  ];
}

function encodeDependency({ imageNumber, version }: ImageDependency): Uint8Array {
  const bytes = new Uint8Array(12);
  const view = new DataView(bytes.buffer);
  view.setUint8(0, imageNumber);
  view.setUint8(4, version.major);
  view.setUint8(5, version.minor);
  view.setUint16(6, version.revision, true);
  view.setUint32(8, version.build, true);
  return bytes;
}

function checkOptions(options: SignImageOptions): void {
  const { headerBytes, slotBytes = 0, writeBytes = 1, alignBytes, sectorsMax, securityCounter, pad } = options;
  requireInteger("headerBytes", headerBytes, imageHeaderBytes, 0xffff);
  requireInteger("slotBytes", slotBytes, 0, 0xffff_ffff);
  requireOneOf("writeBytes", writeBytes, writeBytesAllowed);
  if (alignBytes !== undefined) requireOneOf("alignBytes", alignBytes, alignBytesAllowed);
  if (sectorsMax !== undefined) requireInteger("sectorsMax", sectorsMax, 1, 0xffff);
  if (typeof securityCounter === "number") requireInteger("securityCounter", securityCounter, 0, 0xffff_ffff);
  if (pad !== undefined && slotBytes === 0) throw optionInvalid("slotBytes", "the size of the slot, to pad to", "0");
  for (const name of ["loadAddress", "fixedAddress"] as const) {
    const address = options[name];
    if (address !== undefined) requireInteger(name, address, 0, 0xffff_ffff);
  }
  if (options.loadAddress && options.fixedAddress) {
    throw optionInvalid("fixedAddress", "no load address beside it", "both");
  }
  requireVersion("version", options.version);
  for (const { imageNumber, version } of options.dependencies ?? []) {
    requireInteger("dependencies", imageNumber, 0, 0xff);
    requireVersion("dependencies", version);
  }
  checkTlvOptions(options);
}

function checkTlvOptions({ bootRecord, vendorId, classId, customTlvs = [] }: SignImageOptions): void {
  const characters = [...(bootRecord ?? "")].length;
  if (characters > softwareTypeCharactersMax) {
    throw optionInvalid("bootRecord", `${softwareTypeCharactersMax} characters at the most`, `${characters}`);
  }
  for (const [name, id] of [
    ["vendorId", vendorId],
    ["classId", classId],
  ] as const) {
    if (id !== undefined && id.length !== 16) throw optionInvalid(name, "16 bytes", `${id.length}`);
  }
  const types = new Set<number>();
  for (const { type, value } of customTlvs) {
    requireInteger("customTlvs", type, vendorTlvMin, vendorTlvMax);
    if (types.has(type)) throw optionInvalid("customTlvs", "each type once", `${tlvNumber(type)} twice`);
    types.add(type);
    if (value.length > tlvAreaBytesMax - tlvInfoBytes - tlvHeaderBytes) {
      throw optionInvalid("customTlvs", `values that fit into ${tlvAreaBytesMax} bytes`, `${value.length}`);
    }
  }
}

/** @throws {ThinglineError} OPTION_INVALID */
export function requireVersion(option: string, version: ImageVersion): void {
  for (const part of ["major", "minor", "revision", "build"] as const) {
    requireInteger(option, version[part], 0, versionMax[part]);
  }
}

/** @throws {ThinglineError} OPTION_INVALID */
export function requireInteger(option: string, value: number, least: number, most: number): void {
  if (Number.isInteger(value) && value >= least && value <= most) return;
  throw optionInvalid(option, `a whole number from ${least} to ${most}`, `${value}`);
}

function requireOneOf(option: string, value: number, allowed: readonly number[]): void {
  if (!allowed.includes(value)) throw optionInvalid(option, `one of ${allowed.join(", ")}`, `${value}`);
}
