import type { HashAlgorithm } from "./crypto.js";
import type { ImageHeader } from "./header.js";
import { refused } from "./refusals.js";
import { readUint, type Tlv, tlvName, tlvTypes } from "./tlv.js";
import type { TlvAreas } from "./tlv-area.js";
import type { ImageVersion } from "./version.js";

/** Another image of the same device must have this version at least. */
export interface ImageDependency {
  /** From 0. */
  readonly imageNumber: number;
  readonly version: ImageVersion;
}

/** What an image says of itself. Nothing of it is proved before hash and signature are. */
export interface ImageFacts {
  readonly header: ImageHeader;
  /** Header, payload and all TLVs; what lies behind is padding and trailer. */
  readonly imageBytes: number;
  /** With its info header. */
  readonly unprotectedTlvBytes: number;
  /** Of the hash TLV. Images that are signed as a whole may have none. */
  readonly hash: { readonly algorithm: HashAlgorithm; readonly digest: Uint8Array } | undefined;
  /** Signed over the image instead of its hash. */
  readonly isPure: boolean;
  readonly securityCounter: number | undefined;
  readonly dependencies: readonly ImageDependency[];
  /** 16 bytes. */
  readonly vendorId: Uint8Array | undefined;
  readonly classId: Uint8Array | undefined;
  readonly tlvs: readonly Tlv[];
}

/** The hash that each type of TLV holds. */
export const hashOfTlv: ReadonlyMap<number, HashAlgorithm> = new Map([
  [tlvTypes.SHA256, "sha256"],
  [tlvTypes.SHA384, "sha384"],
  [tlvTypes.SHA512, "sha512"],
]);

/** Bytes of values that have one length only. */
const lengths: ReadonlyMap<number, number> = new Map([
  [tlvTypes.SHA256, 32],
  [tlvTypes.SHA384, 48],
  [tlvTypes.SHA512, 64],
  [tlvTypes.RSA2048, 256],
  [tlvTypes.RSA3072, 384],
  [tlvTypes.ED25519, 64],
  [tlvTypes.SIG_PURE, 1],
  [tlvTypes.DEPENDENCY, 12],
  [tlvTypes.SEC_CNT, 4],
  [tlvTypes.UUID_VID, 16],
  [tlvTypes.UUID_CID, 16],
]);

/**
 * Reads the TLVs that say something about the image.
 *
 * @throws {RefusedImage} TLV_LENGTH_INVALID, TLV_VALUE_INVALID, TLV_DUPLICATE
 */
export function factsOf(header: ImageHeader, areas: TlvAreas): ImageFacts {
  for (const tlv of areas.tlvs) checkLength(tlv);
  const inOf = (isProtected: boolean): Tlv[] => areas.tlvs.filter((tlv) => tlv.isProtected === isProtected);
  const [sealed, open] = [inOf(true), inOf(false)];
  const hash = only(open, [...hashOfTlv.keys()]);
  const algorithm = hash && hashOfTlv.get(hash.type);
  const pure = only(open, [tlvTypes.SIG_PURE]);
  if (pure && pure.value[0] !== 1) {
    throw refused("TLV_VALUE_INVALID", `SIG_PURE must be 1, got ${pure.value[0]}`, { offset: pure.offset });
  }
  const counter = only(sealed, [tlvTypes.SEC_CNT]);
  return {
    header,
    imageBytes: areas.endBytes,
    unprotectedTlvBytes: areas.unprotectedBytes,
    hash: hash && algorithm && { algorithm, digest: hash.value },
    isPure: pure !== undefined,
    securityCounter: counter && readUint(counter.value, 0, 4),
    dependencies: sealed.filter(({ type }) => type === tlvTypes.DEPENDENCY).map(({ value }) => readDependency(value)),
    vendorId: only(sealed, [tlvTypes.UUID_VID])?.value,
    classId: only(sealed, [tlvTypes.UUID_CID])?.value,
    tlvs: areas.tlvs,
  };
}

/** 12 bytes: the image's number, three of padding, a version. */
export function readDependency(value: Uint8Array): ImageDependency {
  const version = {
    major: readUint(value, 4, 1),
    minor: readUint(value, 5, 1),
    revision: readUint(value, 6, 2),
    build: readUint(value, 8, 4),
  };
  return { imageNumber: readUint(value, 0, 1), version };
}

function checkLength({ type, value, offset }: Tlv): void {
  const expected = lengths.get(type);
  if (expected === undefined || expected === value.length) return;
  const message = `TLV ${tlvName(type)} has ${expected} bytes, got ${value.length} at ${offset}`;
  throw refused("TLV_LENGTH_INVALID", message, { type, offset, expectedBytes: expected, bytes: value.length });
}

function only(tlvs: readonly Tlv[], types: readonly number[]): Tlv | undefined {
  const [first, second] = tlvs.filter(({ type }) => types.includes(type));
  if (second) {
    const message = `there may be one ${types.map(tlvName).join(" or ")}, got another at ${second.offset}`;
    throw refused("TLV_DUPLICATE", message, { type: second.type, offset: second.offset });
  }
  return first;
}
