import { hashRegionBytes, type ImageHeader, payloadEnd } from "./header.js";
import { type RefusedImage, refused } from "./refusals.js";
import { type ImageSource, readRange } from "./source.js";
import {
  protectedTlvInfoMagic,
  readUint,
  type Tlv,
  tlvHeaderBytes,
  tlvInfoBytes,
  tlvInfoMagic,
  tlvName,
  tlvNumber,
} from "./tlv.js";

/** Both areas as they lie there, and where they end. */
export interface TlvAreas {
  /** In order, the protected ones first. */
  readonly tlvs: readonly Tlv[];
  /** The info header included; at least that. */
  readonly unprotectedBytes: number;
  /** Of the whole image. */
  readonly endBytes: number;
}

/**
 * Reads both areas: 128 KB at the most, whatever an image says. Each must end with its last TLV.
 *
 * @throws {RefusedImage}
 */
export async function readTlvAreas(source: ImageSource, header: ImageHeader): Promise<TlvAreas> {
  const start = payloadEnd(header);
  const protectedBytes = header.protectedTlvBytes;
  const { unprotectedBytes } = await readTlvInfo(source, header);
  const tlvs: Tlv[] = [];
  for (const [offset, length, isProtected] of [
    [start, protectedBytes, true],
    [start + protectedBytes, unprotectedBytes, false],
  ] as const) {
    if (length === 0 && isProtected) continue;
    // Values are kept, and a source may use its bytes again.
    const area = Uint8Array.from(await readRange(source, offset, length, "a TLV area"));
    tlvs.push(...splitTlvs(area, offset, isProtected));
  }
  return { tlvs, unprotectedBytes, endBytes: start + protectedBytes + unprotectedBytes };
}

/**
 * Reads the info headers alone, as bootutil_tlv_iter_begin() of MCUboot.
 *
 * @throws {RefusedImage}
 */
export async function readTlvInfo(source: ImageSource, header: ImageHeader): Promise<{ unprotectedBytes: number }> {
  let info = await readInfo(source, payloadEnd(header));
  if (info.magic === protectedTlvInfoMagic) {
    if (info.areaBytes !== header.protectedTlvBytes) {
      const message = `the header says ${header.protectedTlvBytes} bytes of protected TLVs, their area ${info.areaBytes}`;
      const details = { expectedBytes: header.protectedTlvBytes, bytes: info.areaBytes };
      throw refused("TLV_PROTECTED_SIZE_MISMATCH", message, details);
    }
    info = await readInfo(source, hashRegionBytes(header));
  } else if (header.protectedTlvBytes !== 0) {
    const message = `the header says ${header.protectedTlvBytes} bytes of protected TLVs, and there is no such area`;
    throw refused("TLV_PROTECTED_MISSING", message, { offset: payloadEnd(header) });
  }
  if (info.magic !== tlvInfoMagic) {
    const message = `a TLV area begins with ${tlvNumber(tlvInfoMagic)}, got ${tlvNumber(info.magic)} at ${info.offset}`;
    throw refused("TLV_INFO_INVALID", message, { offset: info.offset, magic: info.magic });
  }
  return { unprotectedBytes: info.areaBytes };
}

interface Info {
  readonly offset: number;
  readonly magic: number;
  readonly areaBytes: number;
}

async function readInfo(source: ImageSource, offset: number): Promise<Info> {
  const bytes = await readRange(source, offset, tlvInfoBytes, "a TLV area");
  return { offset, magic: readUint(bytes, 0, 2), areaBytes: readUint(bytes, 2, 2) };
}

/** @param area with its info header. */
function splitTlvs(area: Uint8Array, offset: number, isProtected: boolean): Tlv[] {
  const tlvs: Tlv[] = [];
  if (area.length < tlvInfoBytes) throw overrun(offset, `an area of ${area.length} bytes has no room for its size`);
  let at = tlvInfoBytes;
  while (at < area.length) {
    const left = area.length - at;
    if (left < tlvHeaderBytes) throw overrun(offset + at, `${left} bytes are left behind the last TLV of an area`);
    const type = readUint(area, at, 2);
    const length = readUint(area, at + 2, 2);
    if (length > left - tlvHeaderBytes) {
      throw overrun(offset + at, `TLV ${tlvName(type)} of ${length} bytes reaches beyond its area`, type);
    }
    const value = area.subarray(at + tlvHeaderBytes, at + tlvHeaderBytes + length);
    tlvs.push({ type, value, offset: offset + at, isProtected });
    at += tlvHeaderBytes + length;
  }
  return tlvs;
}

function overrun(offset: number, what: string, type?: number): RefusedImage {
  return refused("TLV_OVERRUN", `${what}, at ${offset}`, { offset, ...(type !== undefined && { type }) });
}
