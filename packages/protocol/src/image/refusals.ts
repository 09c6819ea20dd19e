import { ThinglineError } from "../errors.js";

/**
 * Why an image is refused: stable codes with one line of meaning. `docs/errors.md` explains each to a user; a test compares the two, both
 * ways. In the order in which an image is looked at.
 */
export const imageRefusals = {
  // Header
  IMAGE_TRUNCATED: "the bytes end before the image does",
  IMAGE_ABSENT: "there is no image: the first bytes are erased flash",
  IMAGE_MAGIC_INVALID: "the first four bytes are not those of an MCUboot image",
  IMAGE_MAGIC_OBSOLETE: "an image of the first format of MCUboot, which no bootloader of today takes",
  HEADER_SIZE_INVALID: "the header size is less than the 32 bytes of a header",
  IMAGE_TOO_LARGE: "header, payload and TLVs do not fit where the image belongs",
  IMAGE_NOT_BOOTABLE: "the header has the flag NON_BOOTABLE",
  IMAGE_ENCRYPTED: "an encrypted image, which is not supported",
  IMAGE_COMPRESSED: "a compressed image, which is not supported",
  // TLV areas
  TLV_PROTECTED_MISSING: "the header names protected TLVs, and there are none",
  TLV_PROTECTED_SIZE_MISMATCH: "header and protected TLV area disagree about the area's size",
  TLV_INFO_INVALID: "where the TLVs should begin, there is no TLV area",
  TLV_OVERRUN: "a TLV, or what is left behind the last one, does not fit into its area",
  TLV_NOT_ALLOWED: "a TLV of this type may not stand in the unprotected area",
  TLV_MISPLACED: "a TLV of this type may not stand in the protected area, or not at this place of the unprotected one",
  TLV_DUPLICATE: "two TLVs of a type of which there may be one",
  TLV_LENGTH_INVALID: "a TLV has another length than its type",
  TLV_VALUE_INVALID: "the value of a TLV is none of those of its type",
  // Hash and signature
  HASH_MISSING: "no TLV with a hash of the image, or not with the one that the bootloader expects",
  HASH_MISMATCH: "the hash of header, payload and protected TLVs is not that of the hash TLV",
  HASH_UNSUITABLE: "the key is not one that signs this kind of hash",
  SIGNATURE_MISSING: "no signature, or none with a key that is known",
  SIGNATURE_PURE_MISMATCH: "signed over the image where a signature over its hash is expected, or the other way round",
  SIGNATURES_TOO_MANY: "more signatures than are looked at",
  KEY_UNKNOWN: "signed with a key that is not one of those given",
  KEY_TYPE_MISMATCH: "the signature is not of the type of its key",
  SIGNATURE_INVALID: "the signature is not that of the key for this image",
  PURE_REGION_TOO_LARGE: "an image signed as a whole that is larger than what is held in memory",
  // Policy
  SECURITY_COUNTER_MISSING: "no security counter, where one is needed",
  SECURITY_COUNTER_LOWER: "the security counter is lower than the one that is stored or runs",
  VERSION_LOWER: "the version is lower than the one that runs",
  DEPENDENCY_INVALID: "a dependency on an image that the device has not",
  DEPENDENCY_UNMET: "a dependency on a newer version of another image",
  VENDOR_MISMATCH: "no vendor identifier, or another than the device's",
  CLASS_MISMATCH: "no class identifier, or another than the device's",
  // Making an image
  HEADER_OCCUPIED: "the binary has something where the header belongs",
} as const;

export type ImageRefusalCode = keyof typeof imageRefusals;

export interface ImageRefusal {
  readonly code: ImageRefusalCode;
  /** For people: what was wrong, expected and got. */
  readonly message: string;
  /** Facts for programs: offsets, types, sizes. */
  readonly details: Readonly<Record<string, string | number>>;
}

/** A refusal as an error, for callers that do not go on with a verdict. `details.reason` is the refusal's code. */
export function imageInvalid({ code, message, details }: ImageRefusal): ThinglineError {
  return new ThinglineError("IMAGE_INVALID", message, { details: { ...details, reason: code } });
}

/** Never leaves this folder: whoever judges turns it into a verdict. */
export class RefusedImage extends Error {
  override readonly name = "RefusedImage";
  readonly refusal: ImageRefusal;
  constructor(refusal: ImageRefusal) {
    super(refusal.message);
    this.refusal = refusal;
  }
}

/** An {@link ImageRefusal} to throw. */
export function refused(
  code: ImageRefusalCode,
  message: string,
  details: Readonly<Record<string, string | number>> = {},
): RefusedImage {
  return new RefusedImage({ code, message, details });
}
