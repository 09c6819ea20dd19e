import { type ImageDependency, readDependency } from "./facts.js";
import { hashRegionBytes, type ImageHeader, payloadEnd } from "./header.js";
import { RefusedImage, refused } from "./refusals.js";
import { type ImageSource, readRange } from "./source.js";
import { readUint, tlvHeaderBytes, tlvInfoBytes, tlvName, tlvTypes } from "./tlv.js";
import { readTlvInfo } from "./tlv-area.js";

/** As MCUboot's iterator hands it out: by where it lies it is protected or not. */
export interface WalkedTlv {
  readonly type: number;
  readonly value: Uint8Array;
  readonly isProtected: boolean;
}

/** What was found, and why the walk ended early. */
export interface TlvWalk {
  readonly tlvs: readonly WalkedTlv[];
  readonly refusal: RefusedImage | undefined;
}

/**
 * Walks as bootutil_tlv_iter_next() of MCUboot 2.4 does. Unlike the strict reading of this library it takes a protected TLV that reaches into
 * the unprotected area, unless it walks over the protected area alone.
 *
 * @throws {RefusedImage} when there are no areas to walk over.
 */
export async function walkTlvs(
  source: ImageSource,
  header: ImageHeader,
  { isProtectedOnly, imageBytesMax = Infinity }: { isProtectedOnly: boolean; imageBytesMax?: number },
): Promise<TlvWalk> {
  const start = payloadEnd(header);
  const protectedEnd = hashRegionBytes(header);
  const { unprotectedBytes } = await readTlvInfo(source, header);
  const whole = protectedEnd + unprotectedBytes;
  if (whole > imageBytesMax) {
    const message = `the TLVs end at ${whole}, and there is room for ${imageBytesMax} bytes`;
    throw refused("IMAGE_TOO_LARGE", message, { bytes: whole, imageBytesMax });
  }
  const end = isProtectedOnly ? protectedEnd : whole;
  // The areas are at most 128 KB, and are kept while the hash is made.
  const area = Uint8Array.from(await readRange(source, start, Math.max(0, end - start), "a TLV area"));
  const tlvs: WalkedTlv[] = [];
  let at = tlvInfoBytes;
  while (start + at < end) {
    if (header.protectedTlvBytes > 0 && start + at === protectedEnd) {
      at += tlvInfoBytes;
      continue;
    }
    const left = area.length - at;
    const length = left < tlvHeaderBytes ? Infinity : readUint(area, at + 2, 2);
    if (length > left - tlvHeaderBytes) {
      const offset = start + at;
      return { tlvs, refusal: refused("TLV_OVERRUN", `what lies at ${offset} reaches beyond its area`, { offset }) };
    }
    const value = area.subarray(at + tlvHeaderBytes, at + tlvHeaderBytes + length);
    // Judged by where the value begins, as MCUboot does.
    tlvs.push({ type: readUint(area, at, 2), value, isProtected: start + at + tlvHeaderBytes < protectedEnd });
    at += tlvHeaderBytes + length;
  }
  return { tlvs, refusal: undefined };
}

/**
 * The security counter that downgrade prevention reads: the first in the protected area.
 *
 * @returns undefined when there is none that MCUboot could read.
 */
export async function readSecurityCounter(source: ImageSource, header: ImageHeader): Promise<number | undefined> {
  if (header.protectedTlvBytes === 0) return undefined;
  const walk = await walkOrNothing(source, header);
  const counter = walk?.tlvs.find(({ type }) => type === tlvTypes.SEC_CNT);
  return counter?.value.length === 4 ? readUint(counter.value, 0, 4) : undefined;
}

/**
 * The dependencies that a bootloader of several images reads.
 *
 * @returns undefined when MCUboot could not read them, and refuses the image for it.
 */
export async function readDependencies(
  source: ImageSource,
  header: ImageHeader,
): Promise<readonly ImageDependency[] | undefined> {
  const walk = await walkOrNothing(source, header);
  if (walk === undefined || walk.refusal !== undefined) return undefined;
  const found = walk.tlvs.filter(({ type }) => type === tlvTypes.DEPENDENCY);
  if (found.some(({ value }) => value.length !== 12)) return undefined;
  return found.map(({ value }) => readDependency(value));
}

async function walkOrNothing(source: ImageSource, header: ImageHeader): Promise<TlvWalk | undefined> {
  try {
    return await walkTlvs(source, header, { isProtectedOnly: true });
  } catch (error) {
    if (error instanceof RefusedImage) return undefined;
    throw error;
  }
}

/** `TLV SHA256`, for refusals. */
export function called({ type }: WalkedTlv): string {
  return `TLV ${tlvName(type)}`;
}
