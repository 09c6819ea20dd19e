import { concatBytes } from "../bytes.js";
import { type HashAlgorithm, hashBytes } from "./crypto.js";
import type { ImageVersion } from "./version.js";

/** Characters of the role of a software component. */
export const softwareTypeCharactersMax = 12;

/** Members of PSA's attestation: what they are called there is in {@link encodeBootRecord}. */
const members = { type: 1, measurement: 2, version: 4, signer: 5, description: 6 } as const;

/**
 * The measured boot record: a CBOR map of PSA's attestation, with the measurement last and empty, since the bootloader writes it into the
 * bytes that end the record.
 *
 * @param signer the hash of the public key; zeros when nobody signs.
 */
export function encodeBootRecord({
  softwareType,
  version,
  algorithm,
  signer,
}: {
  softwareType: string;
  version: ImageVersion;
  algorithm: HashAlgorithm;
  signer: Uint8Array;
}): Uint8Array {
  const shortVersion = `${version.major}.${version.minor}.${version.revision}`;
  return concatBytes([
    head(majorMap, Object.keys(members).length),
    ...[head(majorUnsigned, members.type), encodeText(softwareType)],
    ...[head(majorUnsigned, members.version), encodeText(shortVersion)],
    ...[head(majorUnsigned, members.signer), encodeBytes(signer)],
    ...[head(majorUnsigned, members.description), encodeText(algorithm.toUpperCase())],
    ...[head(majorUnsigned, members.measurement), encodeBytes(new Uint8Array(hashBytes[algorithm]))],
  ]);
}

/** RFC 8949, 3.1. */
const majorUnsigned = 0;
const majorBytes = 2;
const majorText = 3;
const majorMap = 5;

function encodeText(text: string): Uint8Array {
  const bytes = new TextEncoder().encode(text);
  return concatBytes([head(majorText, bytes.length), bytes]);
}

function encodeBytes(bytes: Uint8Array): Uint8Array {
  return concatBytes([head(majorBytes, bytes.length), bytes]);
}

/** Values of a record are below 256. */
function head(major: number, value: number): Uint8Array {
  return value < 24 ? Uint8Array.of((major << 5) | value) : Uint8Array.of((major << 5) | 24, value);
}

/** The role in a record of {@link encodeBootRecord}; undefined of what another tool made differently. */
export function readSoftwareType(record: Uint8Array): string | undefined {
  const [map = 0, member = 0, text = 0, next = 0] = record;
  const isOurs = map === ((majorMap << 5) | Object.keys(members).length) && member === members.type;
  const isLong = (text & 0x1f) === 24;
  const length = isLong ? next : text & 0x1f;
  const start = isLong ? 4 : 3;
  if (!isOurs || text >> 5 !== majorText || (!isLong && length > 24) || record.length < start + length)
    return undefined;
  return new TextDecoder().decode(record.subarray(start, start + length));
}
