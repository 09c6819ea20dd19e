// Images that no tool would make: every field as a test wants it, signed afterwards.
import {
  encodeImageHeader,
  type HashAlgorithm,
  type ImageCrypto,
  type ImageHeader,
  type SignedOver,
  tlvTypes,
} from "@thingline/protocol/image";

export interface RawTlv {
  readonly type: number;
  readonly value: Uint8Array;
}

export interface RawImage {
  readonly header?: Partial<ImageHeader>;
  readonly payload?: Uint8Array;
  /** Of the protected area; none leaves the area out. */
  readonly sealed?: readonly RawTlv[];
  /** Of the unprotected area, made when the region is known. */
  readonly open?: (region: Uint8Array) => Promise<readonly RawTlv[]> | readonly RawTlv[];
  /** In place of 0x6908 and 0x6907. */
  readonly sealedMagic?: number;
  readonly openMagic?: number;
  /** Added to what the unprotected area says of its size. */
  readonly openSizeOff?: number;
}

export async function rawImage(raw: RawImage): Promise<Uint8Array> {
  const payload = raw.payload ?? Uint8Array.from({ length: 61 }, (_none, at) => at);
  const sealed = area(raw.sealedMagic ?? 0x6908, raw.sealed ?? []);
  const header: ImageHeader = {
    loadAddress: 0,
    headerBytes: 32,
    protectedTlvBytes: sealed.length,
    payloadBytes: payload.length,
    flags: 0,
    version: { major: 1, minor: 2, revision: 3, build: 4 },
    ...raw.header,
  };
  const padding = new Uint8Array(Math.max(0, header.headerBytes - 32));
  const region = Buffer.concat([encodeImageHeader(header), padding, payload, sealed]);
  const open = area(raw.openMagic ?? 0x6907, (await raw.open?.(region)) ?? [], true);
  new DataView(open.buffer, open.byteOffset).setUint16(2, open.length + (raw.openSizeOff ?? 0), true);
  return new Uint8Array(Buffer.concat([region, open]));
}

function area(magic: number, tlvs: readonly RawTlv[], isAlways = false): Uint8Array {
  if (tlvs.length === 0 && !isAlways) return new Uint8Array();
  const parts = tlvs.map(({ type, value }) => {
    const head = Buffer.alloc(4);
    head.writeUInt16LE(type, 0);
    head.writeUInt16LE(value.length, 2);
    return Buffer.concat([head, value]);
  });
  const info = Buffer.alloc(4);
  info.writeUInt16LE(magic, 0);
  info.writeUInt16LE(
    parts.reduce((sum, { length }) => sum + length, 4),
    2,
  );
  return new Uint8Array(Buffer.concat([info, ...parts]));
}

const hashTlvs = { sha256: tlvTypes.SHA256, sha384: tlvTypes.SHA384, sha512: tlvTypes.SHA512 };
const signatureTlvs = {
  "rsa-2048": tlvTypes.RSA2048,
  "rsa-3072": tlvTypes.RSA3072,
  "ecdsa-p256": tlvTypes.ECDSASIG,
  "ecdsa-p384": tlvTypes.ECDSASIG,
  ed25519: tlvTypes.ED25519,
};

/** The TLVs that a signed image has, one by one. */
export function tlvMaker(crypto: ImageCrypto) {
  const digest = (algorithm: HashAlgorithm, bytes: Uint8Array): Uint8Array => {
    const hash = crypto.createHash(algorithm);
    hash.update(bytes);
    return hash.digest();
  };
  const hash = (region: Uint8Array, algorithm: HashAlgorithm = "sha256"): RawTlv => ({
    type: hashTlvs[algorithm],
    value: digest(algorithm, region),
  });
  const keyHash = (pem: string, algorithm: HashAlgorithm = "sha256"): RawTlv => ({
    type: tlvTypes.KEYHASH,
    value: digest(algorithm, crypto.publicKeyOf(pem).der),
  });
  const publicKey = (pem: string): RawTlv => ({ type: tlvTypes.PUBKEY, value: crypto.publicKeyOf(pem).der });
  const signature = async (region: Uint8Array, pem: string, over: SignedOver = "sha256"): Promise<RawTlv> => {
    const signer = crypto.createSigner(pem, over);
    signer.update(region);
    return { type: signatureTlvs[crypto.publicKeyOf(pem).type], value: await signer.sign() };
  };
  const signed = async (region: Uint8Array, pem: string): Promise<RawTlv[]> => [
    hash(region),
    keyHash(pem),
    await signature(region, pem),
  ];
  return { hash, keyHash, publicKey, signature, signed };
}

export function uint32(value: number): Uint8Array {
  const bytes = Buffer.alloc(4);
  bytes.writeUInt32LE(value);
  return new Uint8Array(bytes);
}

/** A copy with some bytes changed. */
export function damaged(bytes: Uint8Array, change: (view: DataView) => void): Uint8Array {
  const copy = Uint8Array.from(bytes);
  change(new DataView(copy.buffer));
  return copy;
}
