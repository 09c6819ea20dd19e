/** The types of TLVs, by the names of MCUboot's tool. */
export const tlvTypes = {
  KEYHASH: 0x01,
  PUBKEY: 0x02,
  SHA256: 0x10,
  SHA384: 0x11,
  SHA512: 0x12,
  RSA2048: 0x20,
  ECDSA224: 0x21,
  ECDSASIG: 0x22,
  RSA3072: 0x23,
  ED25519: 0x24,
  SIG_PURE: 0x25,
  ENCRSA2048: 0x30,
  ENCKW: 0x31,
  ENCEC256: 0x32,
  ENCX25519: 0x33,
  ENCX25519_SHA512: 0x34,
  DEPENDENCY: 0x40,
  SEC_CNT: 0x50,
  BOOT_RECORD: 0x60,
  DECOMP_SIZE: 0x70,
  DECOMP_SHA: 0x71,
  DECOMP_SIGNATURE: 0x72,
  COMP_DEC_SIZE: 0x73,
  UUID_VID: 0x74,
  UUID_CID: 0x75,
} as const;

export type TlvName = keyof typeof tlvTypes;

/** Magic of the info header of an unprotected area, and of a protected one. */
export const tlvInfoMagic = 0x6907;
export const protectedTlvInfoMagic = 0x6908;

/** Magic and size, before the TLVs of an area. */
export const tlvInfoBytes = 4;
/** Type and length, before each value. */
export const tlvHeaderBytes = 4;

/** The size of an area is 16 bits, its info header included. */
export const tlvAreaBytesMax = 65_535;

/** Types for vendors: xxA0 to xxFF with any upper byte, but for the last one. */
export const vendorTlvMin = 0x00a0;
export const vendorTlvMax = 0xfffe;

export interface Tlv {
  readonly type: number;
  readonly value: Uint8Array;
  /** Of its header, from the start of the image. */
  readonly offset: number;
  readonly isProtected: boolean;
}

const names = new Map(Object.entries(tlvTypes).map(([name, type]) => [type as number, name as TlvName]));

/** `SHA256`, or `0x00a1` for what has no name. */
export function tlvName(type: number): string {
  return names.get(type) ?? tlvNumber(type);
}

export function tlvNumber(type: number): string {
  return `0x${type.toString(16).padStart(4, "0")}`;
}

/** Reads a little-endian number of a value. */
export function readUint(value: Uint8Array, offset: number, bytes: 1 | 2 | 4): number {
  const view = new DataView(value.buffer, value.byteOffset, value.byteLength);
  if (bytes === 1) return view.getUint8(offset);
  return bytes === 2 ? view.getUint16(offset, true) : view.getUint32(offset, true);
}

/** The TLVs of one area with its info header; nothing when there are none, as MCUboot's tool does. */
export function encodeTlvArea(magic: number, tlvs: readonly Pick<Tlv, "type" | "value">[]): Uint8Array {
  if (tlvs.length === 0) return new Uint8Array(0);
  const length = tlvs.reduce((sum, { value }) => sum + tlvHeaderBytes + value.length, tlvInfoBytes);
  const bytes = new Uint8Array(length);
  const view = new DataView(bytes.buffer);
  view.setUint16(0, magic, true);
  view.setUint16(2, length, true);
  let at = tlvInfoBytes;
  for (const { type, value } of tlvs) {
    view.setUint16(at, type, true);
    view.setUint16(at + 2, value.length, true);
    bytes.set(value, at + tlvHeaderBytes);
    at += tlvHeaderBytes + value.length;
  }
  return bytes;
}
