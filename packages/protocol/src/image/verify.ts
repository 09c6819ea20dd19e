import { bytesEqual, toHex } from "../bytes.js";
import { type Hasher, type ImageCrypto, type ImagePublicKey, pureRegionBytesMax } from "./crypto.js";
import { factsOf, type ImageFacts } from "./facts.js";
import {
  hashRegionBytes,
  type ImageHeader,
  imageFlags,
  imageHeaderBytes,
  isCompressed,
  isEncrypted,
  flagNames,
  readHeader,
} from "./header.js";
import { type ImagePolicy, policyRefusal } from "./policy.js";
import { type ImageRefusal, RefusedImage, refused } from "./refusals.js";
import { readHashRegion } from "./region.js";
import { type PendingSignature, pendingSignature, signaturePairs } from "./signatures.js";
import { type ImageSource, readRange } from "./source.js";
import { readTlvAreas } from "./tlv-area.js";

export interface VerifyImageOptions {
  readonly crypto: ImageCrypto;
  /**
   * Who may have signed. Every signature of the image must be of one of these, and there must be one. Left out, signatures are not looked
   * at: the image is whole, and may be anybody's.
   */
  readonly keys?: readonly ImagePublicKey[] | undefined;
  /** The most bytes that an image may have where it belongs: the slot without its trailer. Default any number that the source has. */
  readonly imageBytesMax?: number | undefined;
  /** What erased flash reads as. Default 0xff. */
  readonly erasedByte?: number | undefined;
  readonly policy?: ImagePolicy | undefined;
}

export type ImageVerdict =
  | {
      readonly isAccepted: true;
      readonly image: ImageFacts;
      /** The keys that signed, by their place in the list. Empty when no keys were given. */
      readonly signedBy: readonly number[];
    }
  | { readonly isAccepted: false; readonly refusal: ImageRefusal };

/**
 * Judges what lies in a source, by rules that are stricter than MCUboot's where MCUboot leaves bytes unread: whatever one bit of header,
 * payload and TLVs is changed to, the image is refused when it is signed and its key is given. What is accepted here, a bootloader built for
 * this key accepts as well; `mcubootVerdict()` tells what that bootloader says by itself.
 *
 * Reads the image once, in pieces, and never beyond the source. What a source throws comes through; an image never makes this throw.
 */
export async function verifyImage(source: ImageSource, options: VerifyImageOptions): Promise<ImageVerdict> {
  try {
    return await judge(source, options);
  } catch (error) {
    if (error instanceof RefusedImage) return { isAccepted: false, refusal: error.refusal };
    throw error;
  }
}

async function judge(source: ImageSource, options: VerifyImageOptions): Promise<ImageVerdict> {
  const { crypto, keys, imageBytesMax = Infinity, erasedByte = 0xff, policy } = options;
  const header = await readCheckedHeader(source, erasedByte, imageBytesMax);
  const image = factsOf(header, await readTlvAreas(source, header));
  requireRoom(image.imageBytes, imageBytesMax);
  const pairs = signaturePairs(image);
  const pending = keys === undefined ? [] : pairs.map((pair) => pendingSignature(pair, image, { crypto, keys }));
  if (keys !== undefined && pending.length === 0) throw refused("SIGNATURE_MISSING", "the image is not signed");
  await checkRegion(source, image, crypto, pending);
  const refusal = policy && policyRefusal(image, policy);
  if (refusal) return { isAccepted: false, refusal };
  return { isAccepted: true, image, signedBy: pending.map(({ keyNumber }) => keyNumber) };
}

/**
 * A header that this library takes.
 *
 * @throws {RefusedImage}
 */
export async function readCheckedHeader(
  source: ImageSource,
  erasedByte: number,
  imageBytesMax: number,
): Promise<ImageHeader> {
  const bytes = await readRange(source, 0, imageHeaderBytes, "a header");
  const header = readHeader(bytes, erasedByte);
  if (header.headerBytes < imageHeaderBytes) {
    const message = `a header has ${imageHeaderBytes} bytes at least, this one says ${header.headerBytes}`;
    throw refused("HEADER_SIZE_INVALID", message, { headerBytes: header.headerBytes });
  }
  if ((header.flags & imageFlags.NON_BOOTABLE) !== 0) {
    throw refused("IMAGE_NOT_BOOTABLE", "the image has the flag NON_BOOTABLE", { flags: header.flags });
  }
  const flags = flagNames(header).join(", ");
  if (isEncrypted(header)) throw refused("IMAGE_ENCRYPTED", `the image is encrypted (${flags})`, { flags });
  if (isCompressed(header)) throw refused("IMAGE_COMPRESSED", `the image is compressed (${flags})`, { flags });
  // Less than the room, not equal: the TLVs come behind.
  requireRoom(hashRegionBytes(header) + 1, imageBytesMax);
  return header;
}

function requireRoom(bytes: number, imageBytesMax: number): void {
  if (bytes <= imageBytesMax) return;
  throw refused("IMAGE_TOO_LARGE", `the image needs ${bytes} bytes, and there is room for ${imageBytesMax}`, {
    bytes,
    imageBytesMax,
  });
}

async function checkRegion(
  source: ImageSource,
  { header, hash, isPure }: ImageFacts,
  crypto: ImageCrypto,
  pending: readonly PendingSignature[],
): Promise<void> {
  if (isPure && pending.length > 0 && hashRegionBytes(header) > pureRegionBytesMax) {
    const message = `the image is signed as a whole and has ${hashRegionBytes(header)} bytes, more than ${pureRegionBytesMax}`;
    throw refused("PURE_REGION_TOO_LARGE", message, { bytes: hashRegionBytes(header), bytesMax: pureRegionBytesMax });
  }
  const hasher: Hasher | undefined = hash && crypto.createHash(hash.algorithm);
  const readers = pending.map(({ verifier }) => verifier);
  await readHashRegion(source, header, hasher ? [hasher, ...readers] : readers);
  if (hash && hasher) {
    const digest = hasher.digest();
    if (!bytesEqual(digest, hash.digest)) {
      const message = `the image's ${hash.algorithm} is ${toHex(digest)}, its hash TLV says ${toHex(hash.digest)}`;
      throw refused("HASH_MISMATCH", message, { algorithm: hash.algorithm });
    }
  }
  for (const { verifier, signature, key } of pending) {
    if (await verifier.verify(signature)) continue;
    throw refused("SIGNATURE_INVALID", `the signature is not of this ${key.type} key for this image`);
  }
}
