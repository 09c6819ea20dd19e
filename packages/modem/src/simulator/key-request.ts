import type { DistinguishedName, NameAttributeType } from "@thingline/protocol/x509";
import { derTags, encodeDer, encodeName, encodeObjectIdentifier } from "@thingline/protocol/x509";

export interface KeyRequestOptions {
  subject: DistinguishedName;
  /** Nine of `0` and `1`, from digitalSignature to decipherOnly. */
  keyUsage: string;
  /** SubjectPublicKeyInfo of a P-256 key. */
  publicKey: Uint8Array;
  sign: (data: Uint8Array) => Promise<Uint8Array>;
}

/** What the fifth parameter of `%KEYGEN` may be: the bits of X.509's keyUsage in their order (RFC 5280 4.2.1.3). */
export const keyUsagePattern = /^[01]{9}$/;
/** digitalSignature, nonRepudiation, keyEncipherment, keyAgreement: what a CSR without the parameter shows. */
export const defaultKeyUsage = "111010000";

/**
 * The certificate signing request of `%KEYGEN`, with the real part's peculiarity: the signature algorithm carries a
 * NULL that RFC 5758 forbids, so strict readers refuse it until the NULL is taken out. The signature stays valid then,
 * since it covers the inner part alone.
 */
export async function makeKeyRequest({ subject, keyUsage, publicKey, sign }: KeyRequestOptions): Promise<Uint8Array> {
  const sequence = (...parts: Uint8Array[]) => encodeDer(derTags.sequence, ...parts);
  const keyUsageExtension = sequence(
    encodeObjectIdentifier("2.5.29.15"),
    encodeDer(derTags.octetString, encodeDer(derTags.bitString, encodeNamedBits(keyUsage))),
  );
  const extensionRequest = sequence(
    encodeObjectIdentifier("1.2.840.113549.1.9.14"),
    encodeDer(derTags.set, sequence(keyUsageExtension)),
  );
  const version = encodeDer(derTags.integer, Uint8Array.of(0));
  const info = sequence(
    version,
    encodeName(subject, { takesSmallCountry: true }),
    publicKey,
    encodeDer(0xa0, extensionRequest),
  );
  const algorithm = sequence(encodeObjectIdentifier("1.2.840.10045.4.3.2"), encodeDer(derTags.null));
  const signature = await sign(info);
  return sequence(info, algorithm, encodeDer(derTags.bitString, Uint8Array.of(0), signature));
}

/** X.690 11.2.2: a list of named bits ends with its last 1. The first octet counts the bits that fill the last one. */
function encodeNamedBits(bits: string): Uint8Array {
  const used = bits.lastIndexOf("1") + 1;
  const octets = new Uint8Array(1 + Math.ceil(used / 8));
  octets[0] = (8 - (used % 8)) % 8;
  for (let at = 0; at < used; at++) {
    if (bits[at] === "1") octets[1 + (at >> 3)] = (octets[1 + (at >> 3)] ?? 0) | (0x80 >> (at & 7));
  }
  return octets;
}

const attributeTypes: ReadonlySet<string> = new Set<NameAttributeType>([
  "CN",
  "serialNumber",
  "C",
  "L",
  "ST",
  "O",
  "OU",
  "dnQualifier",
  "emailAddress",
]);

/** `CN=my-id,O=acme`. @returns undefined when it is none. */
export function parseSubject(text: string): DistinguishedName | undefined {
  const subject: [NameAttributeType, string][] = [];
  for (const part of text.split(",")) {
    const at = part.indexOf("=");
    const type = part.slice(0, at).trim();
    const value = part.slice(at + 1).trim();
    if (at < 0 || !attributeTypes.has(type) || value === "") return undefined;
    subject.push([type as NameAttributeType, value]);
  }
  return subject;
}
