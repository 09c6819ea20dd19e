import { bytesEqual, ThinglineError } from "@thingline/protocol";
import { decodeCbor, type CborValue } from "@thingline/protocol/cbor";

/** A stretch of the modem's memory and what belongs there. */
export interface ImageSegment {
  address: number;
  bytes: Uint8Array;
}

/** A whole modem firmware in the form that goes over a serial line: `mfw_*.cbor`. */
export interface FullImage {
  bootloader: ImageSegment;
  firmware: readonly ImageSegment[];
  sizeBytes: number;
}

/** Segments that one image has; Nordic's have a handful. */
export const imageSegmentsMax = 64;

const coseSign1 = 0xd2;
const arrayOfFour = 0x84;
const emptyMap = 0xa0;
const manifestVersion = 1;
const sha256Bytes = 32;

/**
 * Reads the signed wrapper and cuts what follows it into its segments. The manifest's SHA-256 is compared; its signature is the modem's to check, by a
 * key of Nordic's.
 *
 * @throws {ThinglineError} FIRMWARE_PACKAGE_INVALID
 */
export function readFullImage(bytes: Uint8Array, sha256: (bytes: Uint8Array) => Uint8Array): FullImage {
  const { payload, end } = readWrapper(bytes);
  const manifest = decodeCbor(payload);
  if (!Array.isArray(manifest) || manifest.length !== 4) throw invalid("its manifest is damaged");
  const [version, , digest, packedSegments] = manifest as readonly CborValue[];
  if (version !== manifestVersion) throw invalid("its manifest is of another version");
  if (!(digest instanceof Uint8Array) || digest.length !== sha256Bytes) throw invalid("its manifest is damaged");
  const content = bytes.subarray(end);
  if (!bytesEqual(sha256(content), digest)) throw invalid("its content is not what its manifest has the SHA-256 of");
  const [bootloader, ...firmware] = cut(content, packedSegments);
  if (bootloader === undefined || firmware.length === 0) throw invalid("it has no segments of firmware");
  return { bootloader, firmware, sizeBytes: content.length };
}

/** The segments' addresses and lengths, in turn; their bytes lie one behind the other. */
function cut(content: Uint8Array, packed: CborValue | undefined): ImageSegment[] {
  const list = packed instanceof Uint8Array ? decodeCbor(packed) : undefined;
  if (!Array.isArray(list) || list.length % 2 !== 0 || list.length > 2 * imageSegmentsMax) {
    throw invalid("its list of segments is damaged");
  }
  const segments: ImageSegment[] = [];
  let offset = 0;
  for (let index = 0; index < list.length; index += 2) {
    const [address, length] = [list[index] as CborValue, list[index + 1] as CborValue];
    const isPlace = isCount(address) && isCount(length) && length > 0;
    if (!isPlace || offset + length > content.length) throw invalid("its list of segments is damaged");
    segments.push({ address, bytes: content.subarray(offset, offset + length) });
    offset += length;
  }
  if (offset !== content.length) throw invalid("it has bytes that belong to no segment");
  return segments;
}

const isCount = (value: CborValue): value is number => typeof value === "number" && value >= 0 && value <= 0xffff_ffff;

/** COSE_Sign1: protected header, an empty map, payload, signature; the content follows it. */
function readWrapper(bytes: Uint8Array): { payload: Uint8Array; end: number } {
  if (bytes[0] !== coseSign1 || bytes[1] !== arrayOfFour) throw invalid("it does not begin as a signed image does");
  const header = readByteString(bytes, 2);
  if (bytes[header.end] !== emptyMap) throw invalid("its wrapper is damaged");
  const payload = readByteString(bytes, header.end + 1);
  const signature = readByteString(bytes, payload.end);
  return { payload: payload.content, end: signature.end };
}

function readByteString(bytes: Uint8Array, offset: number): { content: Uint8Array; end: number } {
  const head = bytes[offset] ?? 0;
  const short = head & 0x1f;
  const lengthBytes = { 24: 1, 25: 2 }[short] ?? 0;
  if (head >> 5 !== 2 || (short > 23 && lengthBytes === 0)) throw invalid("its wrapper is damaged");
  let length = lengthBytes === 0 ? short : 0;
  for (let index = 0; index < lengthBytes; index++) length = (length << 8) | (bytes[offset + 1 + index] ?? 0);
  const start = offset + 1 + lengthBytes;
  if (start + length > bytes.length) throw invalid("it is cut off");
  return { content: bytes.subarray(start, start + length), end: start + length };
}

function invalid(why: string): ThinglineError {
  return new ThinglineError("FIRMWARE_PACKAGE_INVALID", `this is no usable image of modem firmware: ${why}`);
}
