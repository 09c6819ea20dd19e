import { bytesEqual, toHex } from "../bytes.js";
import {
  canSignOver,
  type HashAlgorithm,
  hashBytes,
  type ImageCrypto,
  type ImageKeyType,
  type ImagePublicKey,
  type SignatureVerifier,
  type SignedOver,
} from "./crypto.js";
import { hashOfTlv, type ImageFacts } from "./facts.js";
import { hashRegionBytes } from "./header.js";
import { refused } from "./refusals.js";
import { type Tlv, tlvHeaderBytes, tlvName, tlvTypes } from "./tlv.js";

/** Signatures of one image that are looked at. MCUboot's tool makes one. */
export const imageSignaturesMax = 8;

/** The TLV that holds a signature of each key. */
export const signatureTlvOf: Readonly<Record<ImageKeyType, number>> = {
  "rsa-2048": tlvTypes.RSA2048,
  "rsa-3072": tlvTypes.RSA3072,
  "ecdsa-p256": tlvTypes.ECDSASIG,
  "ecdsa-p384": tlvTypes.ECDSASIG,
  ed25519: tlvTypes.ED25519,
};

const signatureTypes = new Set(Object.values(signatureTlvOf));

/** The TLV that names a key, and the signature behind it. */
export interface SignaturePair {
  readonly key: Tlv;
  readonly signature: Tlv;
}

/**
 * The unprotected area as MCUboot's tool writes it, and nothing else: a hash, SIG_PURE, and pairs of a key and its signature. MCUboot itself
 * walks over what it does not know; what nobody looks at could be changed without anybody seeing it.
 *
 * @throws {RefusedImage}
 */
export function signaturePairs({ header, tlvs, hash, isPure }: ImageFacts): readonly SignaturePair[] {
  const pairs: SignaturePair[] = [];
  let key: Tlv | undefined;
  for (const tlv of tlvs) {
    const isKey = tlv.type === tlvTypes.KEYHASH || tlv.type === tlvTypes.PUBKEY;
    const isSignature = signatureTypes.has(tlv.type);
    if (tlv.isProtected) {
      if (isKey || isSignature || isMarker(tlv)) throw misplaced(tlv, "does not belong into the protected area");
      // MCUboot takes a TLV for protected by where its value begins, and this one's would begin behind the area.
      const valueAt = tlv.offset + tlvHeaderBytes;
      if (valueAt === hashRegionBytes(header)) throw misplaced(tlv, "is empty, and the last of the protected area");
    } else if (isSignature) {
      if (key === undefined) throw misplaced(tlv, "has no KEYHASH or PUBKEY before it");
      pairs.push({ key, signature: tlv });
      key = undefined;
    } else if (key !== undefined) {
      throw misplaced(tlv, "stands between a key and its signature");
    } else if (isKey) {
      checkKeyHash(tlv, hash?.algorithm);
      key = tlv;
    } else if (!isMarker(tlv)) {
      throw notAllowed(tlv);
    }
  }
  if (key !== undefined) throw misplaced(key, "has no signature behind it");
  if (pairs.length > imageSignaturesMax) {
    const message = `the image has ${pairs.length} signatures, more than ${imageSignaturesMax}`;
    throw refused("SIGNATURES_TOO_MANY", message, { signatures: pairs.length, signaturesMax: imageSignaturesMax });
  }
  if (hash === undefined && !isPure) throw refused("HASH_MISSING", "the image has no hash TLV");
  return pairs;
}

function isMarker({ type }: Tlv): boolean {
  return hashOfTlv.has(type) || type === tlvTypes.SIG_PURE;
}

function misplaced({ type, offset }: Tlv, why: string): Error {
  return refused("TLV_MISPLACED", `TLV ${tlvName(type)} at ${offset} ${why}`, { type, offset });
}

function notAllowed({ type, offset }: Tlv): Error {
  const isKeyOfCipher = type >= tlvTypes.ENCRSA2048 && type <= tlvTypes.ENCX25519_SHA512;
  const code = isKeyOfCipher ? "IMAGE_ENCRYPTED" : "TLV_NOT_ALLOWED";
  return refused(code, `TLV ${tlvName(type)} at ${offset} may not stand in the unprotected area`, { type, offset });
}

/** Of a whole hash: MCUboot would also take the beginning of one, and nothing for any key. */
function checkKeyHash({ type, value, offset }: Tlv, algorithm: HashAlgorithm | undefined): void {
  if (type !== tlvTypes.KEYHASH) return;
  const allowed = algorithm === undefined ? Object.values(hashBytes) : [hashBytes[algorithm]];
  if (allowed.includes(value.length)) return;
  const message = `KEYHASH has ${allowed.join(" or ")} bytes, got ${value.length} at ${offset}`;
  throw refused("TLV_LENGTH_INVALID", message, { type, offset, bytes: value.length });
}

/** A signature whose key is known, ready to be fed the hash region. */
export interface PendingSignature {
  readonly verifier: SignatureVerifier;
  readonly signature: Uint8Array;
  readonly key: ImagePublicKey;
  /** In the list of keys. */
  readonly keyNumber: number;
}

/** @throws {RefusedImage} KEY_UNKNOWN, KEY_TYPE_MISMATCH, HASH_UNSUITABLE */
export function pendingSignature(
  { key: keyTlv, signature }: SignaturePair,
  { hash, isPure }: ImageFacts,
  { crypto, keys }: { crypto: ImageCrypto; keys: readonly ImagePublicKey[] },
): PendingSignature {
  const algorithm = hash?.algorithm ?? algorithmOf(keyTlv.value.length);
  const keyNumber = keys.findIndex(({ der }) =>
    bytesEqual(keyTlv.type === tlvTypes.PUBKEY ? der : digestOf(crypto, algorithm, der), keyTlv.value),
  );
  const key = keys[keyNumber];
  if (key === undefined) {
    const found = keyTlv.type === tlvTypes.KEYHASH ? ` whose hash is ${toHex(keyTlv.value)}` : " that it carries";
    const known = keys.length === 1 ? "is not the known one" : `is none of the ${keys.length} known`;
    const message = `the image is signed with a key${found}, which ${known}`;
    throw refused("KEY_UNKNOWN", message, { offset: keyTlv.offset, keys: keys.length });
  }
  if (signatureTlvOf[key.type] !== signature.type) {
    const message = `a signature ${tlvName(signature.type)} is not one of an ${key.type} key`;
    throw refused("KEY_TYPE_MISMATCH", message, { offset: signature.offset, type: signature.type });
  }
  const over: SignedOver = isPure ? "pure" : algorithm;
  if (!canSignOver(key.type, over)) {
    throw refused("HASH_UNSUITABLE", `an ${key.type} key does not sign over ${over}`, { hash: over });
  }
  const bytes = key.type.startsWith("ecdsa") ? withoutPadding(signature.value, key.type) : signature.value;
  return { verifier: crypto.createVerifier(key, over), signature: bytes, key, keyNumber };
}

/** For an image without a hash TLV: KEYHASH tells by its length. */
function algorithmOf(bytes: number): HashAlgorithm {
  const found = Object.entries(hashBytes).find(([, length]) => length === bytes);
  return (found?.[0] ?? "sha256") as HashAlgorithm;
}

export function digestOf(crypto: ImageCrypto, algorithm: HashAlgorithm, bytes: Uint8Array): Uint8Array {
  const hasher = crypto.createHash(algorithm);
  hasher.update(bytes);
  return hasher.digest();
}

/** What `--pad-sig` of MCUboot's tool fills a signature up to with zeros, for bootloaders before 1.5. */
export const paddedSignatureBytes = { "ecdsa-p256": 72, "ecdsa-p384": 103 } as const;

/** Cuts off zeros, and only up to the length that the tool pads to; other bytes stay, and make the signature invalid. */
function withoutPadding(signature: Uint8Array, type: ImageKeyType): Uint8Array {
  const padded = paddedSignatureBytes[type as keyof typeof paddedSignatureBytes];
  const end = (signature[1] ?? 0) + 2;
  const isPadded = signature.length === padded && end < padded && signature.subarray(end).every((byte) => byte === 0);
  return isPadded ? signature.subarray(0, end) : signature;
}
