import { concatBytes } from "../bytes.js";
import { optionInvalid } from "../options.js";
import { encodeBootRecord } from "./boot-record.js";
import {
  canSignOver,
  type HashAlgorithm,
  hashBytes,
  hashesOfKey,
  type ImageCrypto,
  type ImagePublicKey,
} from "./crypto.js";
import { encodeImageHeader, type ImageHeader } from "./header.js";
import { digestOf, paddedSignatureBytes, signatureTlvOf } from "./signatures.js";
import { encodeTlvArea, protectedTlvInfoMagic, tlvAreaBytesMax, tlvInfoMagic, tlvTypes } from "./tlv.js";

export interface NewTlv {
  readonly type: number;
  readonly value: Uint8Array;
}

/** Who signs, and how. Without a key there is a hash only. */
export interface Sealing {
  readonly crypto: ImageCrypto;
  readonly privateKeyPem?: string | undefined;
  readonly hash?: HashAlgorithm | undefined;
  readonly isPure?: boolean | undefined;
  readonly publicKeyFormat?: "hash" | "full" | undefined;
  readonly padsSignature?: boolean | undefined;
}

/** An image before its hash. */
export interface Unsealed {
  readonly header: Omit<ImageHeader, "protectedTlvBytes" | "payloadBytes">;
  /** What follows the header's own bytes up to `headerBytes`. */
  readonly padding: Uint8Array;
  readonly payload: Uint8Array;
  /** Of the protected area, in order. A boot record is told of the signer: it is its role until then. */
  readonly sealed: readonly (NewTlv | { readonly bootRecord: string })[];
}

/** Puts an image together, and hash and signature behind it. @throws {ThinglineError} OPTION_INVALID, KEY_INVALID */
export async function sealImage({ header, padding, payload, sealed }: Unsealed, sealing: Sealing): Promise<Uint8Array> {
  const { crypto, privateKeyPem } = sealing;
  const key = privateKeyPem === undefined ? undefined : crypto.publicKeyOf(privateKeyPem);
  const algorithm = hashFor(key, sealing);
  const keyHash = key && digestOf(crypto, algorithm, key.der);
  const signer = keyHash ?? new Uint8Array(hashBytes.sha256);
  const tlvs = sealed.map((tlv): NewTlv => {
    if (!("bootRecord" in tlv)) return tlv;
    const record = { softwareType: tlv.bootRecord, version: header.version, algorithm, signer };
    return { type: tlvTypes.BOOT_RECORD, value: encodeBootRecord(record) };
  });
  const protectedArea = encodeTlvArea(protectedTlvInfoMagic, tlvs);
  if (protectedArea.length > tlvAreaBytesMax) {
    const got = `${protectedArea.length}`;
    throw optionInvalid("customTlvs", `protected TLVs of ${tlvAreaBytesMax} bytes at the most`, got);
  }
  const sizes = { protectedTlvBytes: protectedArea.length, payloadBytes: payload.length };
  const region = concatBytes([encodeImageHeader({ ...header, ...sizes }), padding, payload, protectedArea]);
  const open = await unprotectedTlvs(region, { sealing, key, algorithm, keyHash });
  return concatBytes([region, encodeTlvArea(tlvInfoMagic, open)]);
}

function hashFor(key: ImagePublicKey | undefined, { hash, isPure }: Sealing): HashAlgorithm {
  if (key === undefined) {
    if (isPure) throw optionInvalid("isPure", "a key to sign with", "none");
    return hash ?? "sha256";
  }
  if (isPure) {
    if (!canSignOver(key.type, "pure")) throw optionInvalid("isPure", "an ed25519 key", key.type);
    if (hash !== undefined) throw optionInvalid("hash", "no choice of hash for a pure signature", hash);
    return "sha512";
  }
  const allowed = hashesOfKey[key.type];
  if (hash !== undefined && !allowed.includes(hash)) {
    throw optionInvalid("hash", `${allowed.join(" or ")} for an ${key.type} key`, hash);
  }
  return hash ?? allowed[0];
}

interface Signer {
  readonly sealing: Sealing;
  readonly key: ImagePublicKey | undefined;
  readonly algorithm: HashAlgorithm;
  readonly keyHash: Uint8Array | undefined;
}

/** In the order of MCUboot's tool. */
async function unprotectedTlvs(
  region: Uint8Array,
  { sealing, key, algorithm, keyHash }: Signer,
): Promise<readonly NewTlv[]> {
  const { crypto, privateKeyPem, isPure = false, publicKeyFormat = "hash", padsSignature = false } = sealing;
  const tlvs: NewTlv[] = [{ type: hashTlvOf[algorithm], value: digestOf(crypto, algorithm, region) }];
  if (isPure) tlvs.push({ type: tlvTypes.SIG_PURE, value: Uint8Array.of(1) });
  if (key === undefined || keyHash === undefined || privateKeyPem === undefined) return tlvs;
  if (publicKeyFormat === "hash") tlvs.push({ type: tlvTypes.KEYHASH, value: keyHash });
  else tlvs.push({ type: tlvTypes.PUBKEY, value: key.der });
  const signer = crypto.createSigner(privateKeyPem, isPure ? "pure" : algorithm);
  signer.update(region);
  const signature = await signer.sign();
  tlvs.push({ type: signatureTlvOf[key.type], value: padsSignature ? padded(signature, key) : signature });
  return tlvs;
}

const hashTlvOf: Readonly<Record<HashAlgorithm, number>> = {
  sha256: tlvTypes.SHA256,
  sha384: tlvTypes.SHA384,
  sha512: tlvTypes.SHA512,
};

function padded(signature: Uint8Array, { type }: ImagePublicKey): Uint8Array {
  if (type !== "ecdsa-p256" && type !== "ecdsa-p384") return signature;
  const bytes = new Uint8Array(Math.max(signature.length, paddedSignatureBytes[type]));
  bytes.set(signature);
  return bytes;
}

/** The value of a security counter. */
export function encodeUint32(value: number): Uint8Array {
  const bytes = new Uint8Array(4);
  new DataView(bytes.buffer).setUint32(0, value, true);
  return bytes;
}
