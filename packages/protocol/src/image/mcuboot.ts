import { bytesEqual, toHex } from "../bytes.js";
import {
  canSignOver,
  type HashAlgorithm,
  hashBytes,
  type Hasher,
  type ImageCrypto,
  type ImageKeyType,
  type ImagePublicKey,
  pureRegionBytesMax,
  type SignatureVerifier,
} from "./crypto.js";
import { hashOfTlv } from "./facts.js";
import {
  hashRegionBytes,
  type ImageHeader,
  imageFlags,
  imageHeaderBytes,
  isCompressed,
  isEncrypted,
  readHeader,
} from "./header.js";
import { canonicalEcdsa } from "./mcuboot-ecdsa.js";
import { called, type TlvWalk, type WalkedTlv, walkTlvs } from "./mcuboot-tlvs.js";
import { type ImageRefusal, RefusedImage, refused } from "./refusals.js";
import { readHashRegion } from "./region.js";
import { digestOf, imageSignaturesMax, signatureTlvOf } from "./signatures.js";
import { type ImageSource, readRange } from "./source.js";
import { readUint, tlvTypes } from "./tlv.js";

/** How a bootloader was built, as far as its verdict depends on it. */
export interface McubootBuild {
  /** SIGN_RSA, SIGN_EC256, SIGN_EC384 or SIGN_ED25519. Left out: the hash alone is checked. */
  readonly keyType?: ImageKeyType | undefined;
  /** SIGN_PURE. Default false. */
  readonly isPure?: boolean | undefined;
  /** SHA512. Default false: SHA-384 for P-384, SHA-256 for all others. */
  readonly isSha512?: boolean | undefined;
  /** USE_TLV_ALLOW_LIST. Default false. */
  readonly hasAllowList?: boolean | undefined;
  /** HW_ROLLBACK_PROT: the counter that the hardware stores. */
  readonly securityCounter?: number | undefined;
  /** UUID_VID and UUID_CID: 16 bytes each. */
  readonly vendorId?: Uint8Array | undefined;
  readonly classId?: Uint8Array | undefined;
}

export interface McubootVerdictOptions {
  readonly crypto: ImageCrypto;
  /** bootutil_keys, in order. */
  readonly keys: readonly ImagePublicKey[];
  readonly build: McubootBuild;
  /** The whole slot. Default what the source has. */
  readonly areaBytes?: number | undefined;
  /** `slotImageBytesMax()` of the slots. Default any number. */
  readonly imageBytesMax?: number | undefined;
  /** Default 0xff. */
  readonly erasedByte?: number | undefined;
}

export type McubootVerdict =
  | { readonly isAccepted: true; readonly header: ImageHeader }
  | { readonly isAccepted: false; readonly refusal: ImageRefusal };

/**
 * What the bootloader says of an image, and nothing stricter: boot_check_header_valid() and bootutil_img_validate() of MCUboot 2.4. It skips
 * TLVs that it does not know, takes a shortened KEYHASH and an ECDSA signature that is no strict DER (as read with TinyCrypt), and lets the
 * last of several signatures decide.
 *
 * @param source where the image begins: with mode `offset`, behind the first sector of the secondary slot.
 */
export async function mcubootVerdict(source: ImageSource, options: McubootVerdictOptions): Promise<McubootVerdict> {
  try {
    return { isAccepted: true, header: await validate(source, options) };
  } catch (error) {
    if (error instanceof RefusedImage) return { isAccepted: false, refusal: error.refusal };
    throw error;
  }
}

async function validate(source: ImageSource, options: McubootVerdictOptions): Promise<ImageHeader> {
  const { crypto, build, imageBytesMax = Infinity } = options;
  const header = await readBootHeader(source, options);
  if (build.isPure) await requirePure(source, header);
  const walk = await walkTlvs(source, header, { isProtectedOnly: false, imageBytesMax });
  const plan = planOf(walk, options);
  const hasher = build.isPure ? undefined : crypto.createHash(hashOf(build));
  const verifiers = [...plan.signatures.values()].filter((verifier) => verifier !== undefined);
  if (build.isPure && verifiers.length > 0) requireInMemory(header);
  await readHashRegion(source, header, hasher ? [hasher, ...verifiers] : verifiers);
  await runPlan(plan, hasher, build);
  return header;
}

async function readBootHeader(source: ImageSource, options: McubootVerdictOptions): Promise<ImageHeader> {
  const { areaBytes = source.sizeBytes, erasedByte = 0xff } = options;
  const header = readHeader(await readRange(source, 0, imageHeaderBytes, "a header"), erasedByte);
  const { flags } = header;
  if ((flags & imageFlags.NON_BOOTABLE) !== 0) {
    throw refused("IMAGE_NOT_BOOTABLE", "the image has the flag NON_BOOTABLE", { flags });
  }
  const bytes = hashRegionBytes(header);
  // MCUboot's sum is of 32 bits and checked for overflow, which no slot can hold either.
  if (bytes >= areaBytes) {
    throw refused("IMAGE_TOO_LARGE", `the image needs more than ${bytes} bytes, the slot has ${areaBytes}`, {
      bytes,
      areaBytes,
    });
  }
  if (isEncrypted(header)) throw refused("IMAGE_ENCRYPTED", "the image is encrypted", { flags });
  if (isCompressed(header)) throw refused("IMAGE_COMPRESSED", "the image is compressed", { flags });
  return header;
}

function hashOf({ isSha512, keyType }: McubootBuild): HashAlgorithm {
  if (isSha512) return "sha512";
  return keyType === "ecdsa-p384" ? "sha384" : "sha256";
}

/** bootutil_check_for_pure(): the first SIG_PURE decides. */
async function requirePure(source: ImageSource, header: ImageHeader): Promise<void> {
  const { tlvs } = await walkTlvs(source, header, { isProtectedOnly: false });
  const marker = tlvs.find(({ type }) => type === tlvTypes.SIG_PURE);
  if (marker?.value.length === 1 && marker.value[0] === 1) return;
  throw refused("SIGNATURE_PURE_MISMATCH", "the bootloader expects a signature over the image, and it has none");
}

/** MCUboot reads the image where it is mapped; here it has to be held. */
function requireInMemory(header: ImageHeader): void {
  const bytes = hashRegionBytes(header);
  if (bytes <= pureRegionBytesMax) return;
  const message = `an image of ${bytes} bytes is signed as a whole, more than ${pureRegionBytesMax}`;
  throw refused("PURE_REGION_TOO_LARGE", message, { bytes, bytesMax: pureRegionBytesMax });
}

/** What the loop over the TLVs will look at, which is known before the hash is. */
interface Plan {
  /** Up to the refusal, if there is one. */
  readonly tlvs: readonly WalkedTlv[];
  /** Each with what it is fed to; undefined when the key that was found is none of the bootloader's type, and cannot fit. */
  readonly signatures: ReadonlyMap<WalkedTlv, SignatureVerifier | undefined>;
  readonly refusal: RefusedImage | undefined;
}

function planOf(walk: TlvWalk, options: McubootVerdictOptions): Plan {
  const signatures = new Map<WalkedTlv, SignatureVerifier | undefined>();
  let key: ImagePublicKey | undefined;
  for (const [at, tlv] of walk.tlvs.entries()) {
    const stopped = (refusal: RefusedImage): Plan => ({ tlvs: walk.tlvs.slice(0, at), signatures, refusal });
    const refusal = refusalOf(tlv, options.build);
    if (refusal) return stopped(refusal);
    if (tlv.type === tlvTypes.KEYHASH) key = keyOf(tlv, options);
    // A signature whose key is not known is passed over.
    if (tlv.type !== expectedSignature(options.build) || key === undefined) continue;
    const lengthRefusal = signatureLengthRefusal(tlv, options.build);
    if (lengthRefusal) return stopped(lengthRefusal);
    if (signatures.size === imageSignaturesMax) {
      return stopped(refused("SIGNATURES_TOO_MANY", `the image has more than ${imageSignaturesMax} signatures`));
    }
    signatures.set(tlv, verifierOf(key, options));
    key = undefined;
  }
  return { tlvs: walk.tlvs, signatures, refusal: walk.refusal };
}

function verifierOf(key: ImagePublicKey, { crypto, build }: McubootVerdictOptions): SignatureVerifier | undefined {
  const over = build.isPure ? "pure" : hashOf(build);
  return key.type === build.keyType && canSignOver(key.type, over) ? crypto.createVerifier(key, over) : undefined;
}

function expectedSignature({ keyType }: McubootBuild): number | undefined {
  return keyType && signatureTlvOf[keyType];
}

/** Without EXPECTED_SIG_TLV no key is looked for. bootutil_find_key() compares as many bytes as the TLV has, none included. */
function keyOf({ value }: WalkedTlv, { crypto, keys, build }: McubootVerdictOptions): ImagePublicKey | undefined {
  if (build.keyType === undefined) return undefined;
  return keys.find(({ der }) => bytesEqual(digestOf(crypto, hashOf(build), der).subarray(0, value.length), value));
}

function refusalOf(tlv: WalkedTlv, build: McubootBuild): RefusedImage | undefined {
  if (build.hasAllowList && !tlv.isProtected && !allowList(build).has(tlv.type)) {
    return refused("TLV_NOT_ALLOWED", `${called(tlv)} is not on the allow list`, { type: tlv.type });
  }
  const hash = hashOf(build);
  const isHash = !build.isPure && hashOfTlv.get(tlv.type) === hash;
  const isKey = tlv.type === tlvTypes.KEYHASH && build.keyType !== undefined;
  const bytes = tlv.value.length;
  if ((isHash && bytes !== hashBytes[hash]) || (isKey && bytes > hashBytes[hash])) {
    return refused("TLV_LENGTH_INVALID", `${called(tlv)} has ${bytes} bytes`, { type: tlv.type, bytes });
  }
  return counterRefusal(tlv, build) ?? idRefusal(tlv, build);
}

function signatureLengthRefusal(tlv: WalkedTlv, { keyType }: McubootBuild): RefusedImage | undefined {
  const bytes = tlv.value.length;
  const isRight =
    keyType === "rsa-2048" || keyType === "rsa-3072" || keyType === "ed25519"
      ? bytes === { "rsa-2048": 256, "rsa-3072": 384, ed25519: 64 }[keyType]
      : bytes <= ecdsaBytesMax;
  if (isRight) return undefined;
  return refused("TLV_LENGTH_INVALID", `${called(tlv)} has ${bytes} bytes`, { type: tlv.type, bytes });
}

/** MCUboot's buffer for a signature in DER. */
const ecdsaBytesMax = 128;

function allowList({ isPure }: McubootBuild): ReadonlySet<number> {
  return isPure ? allowedPure : allowedTypes;
}

const allowedTypes: ReadonlySet<number> = new Set([
  tlvTypes.KEYHASH,
  tlvTypes.PUBKEY,
  tlvTypes.SHA256,
  tlvTypes.SHA384,
  tlvTypes.SHA512,
  tlvTypes.RSA2048,
  tlvTypes.ECDSA224,
  tlvTypes.ECDSASIG,
  tlvTypes.RSA3072,
  tlvTypes.ED25519,
  tlvTypes.ENCRSA2048,
  tlvTypes.ENCKW,
  tlvTypes.ENCEC256,
  tlvTypes.ENCX25519,
]);
const allowedPure: ReadonlySet<number> = new Set([...allowedTypes, tlvTypes.SIG_PURE]);

function counterRefusal(tlv: WalkedTlv, { securityCounter: least }: McubootBuild): RefusedImage | undefined {
  if (least === undefined || tlv.type !== tlvTypes.SEC_CNT) return undefined;
  if (tlv.value.length !== 4) return refused("TLV_LENGTH_INVALID", `${called(tlv)} has ${tlv.value.length} bytes`);
  const counter = readUint(tlv.value, 0, 4);
  if (counter >= least) return undefined;
  const details = { securityCounter: counter, securityCounterMin: least };
  return refused("SECURITY_COUNTER_LOWER", `security counter ${counter}, ${least} is stored`, details);
}

function idRefusal(tlv: WalkedTlv, { vendorId, classId }: McubootBuild): RefusedImage | undefined {
  for (const [type, expected, code] of [
    [tlvTypes.UUID_VID, vendorId, "VENDOR_MISMATCH"],
    [tlvTypes.UUID_CID, classId, "CLASS_MISMATCH"],
  ] as const) {
    if (tlv.type !== type || expected === undefined || bytesEqual(tlv.value, expected)) continue;
    return refused(code, `${called(tlv)} is ${toHex(tlv.value)}, the device's is ${toHex(expected)}`);
  }
  return undefined;
}

/** The loop over the TLVs, and what must have been among them. */
async function runPlan(plan: Plan, hasher: Hasher | undefined, build: McubootBuild): Promise<void> {
  const digest = hasher?.digest();
  let isHashValid = false;
  let isSigned: boolean | undefined;
  for (const tlv of plan.tlvs) {
    if (digest && hashOfTlv.get(tlv.type) === hashOf(build)) {
      if (!bytesEqual(tlv.value, digest)) {
        throw refused("HASH_MISMATCH", `the image's hash is ${toHex(digest)}, ${called(tlv)} is ${toHex(tlv.value)}`);
      }
      isHashValid = true;
    }
    // The last one decides.
    if (plan.signatures.has(tlv)) isSigned = await isValid(plan.signatures.get(tlv), tlv.value, build);
  }
  if (plan.refusal) throw plan.refusal;
  if (digest && !isHashValid) throw refused("HASH_MISSING", `the image has no ${hashOf(build)} TLV`);
  if (build.keyType !== undefined && !isSigned) {
    if (isSigned === false) throw refused("SIGNATURE_INVALID", "the signature is not that of its key for this image");
    throw refused("SIGNATURE_MISSING", "the image has no signature with a known key");
  }
  requirePresent(plan.tlvs, build);
}

async function isValid(
  verifier: SignatureVerifier | undefined,
  signature: Uint8Array,
  { keyType }: McubootBuild,
): Promise<boolean> {
  if (verifier === undefined) return false;
  if (keyType !== "ecdsa-p256" && keyType !== "ecdsa-p384") return verifier.verify(signature);
  const canonical = canonicalEcdsa(signature, keyType === "ecdsa-p256" ? 32 : 48);
  return canonical !== undefined && verifier.verify(canonical);
}

function requirePresent(tlvs: readonly WalkedTlv[], build: McubootBuild): void {
  const has = (wanted: number): boolean => tlvs.some(({ type }) => type === wanted);
  if (build.securityCounter !== undefined && !has(tlvTypes.SEC_CNT)) {
    throw refused("SECURITY_COUNTER_MISSING", "the image has no security counter");
  }
  if (build.vendorId && !has(tlvTypes.UUID_VID)) throw refused("VENDOR_MISMATCH", "the image has no vendor identifier");
  if (build.classId && !has(tlvTypes.UUID_CID)) throw refused("CLASS_MISMATCH", "the image has no class identifier");
}
