import type { DistinguishedName, NameAttributeType } from "@thingline/protocol/x509";
import { derTags, encodeDer, encodeName, encodeObjectIdentifier } from "@thingline/protocol/x509";

export interface KeyRequestOptions {
  subject: DistinguishedName;
  /** SubjectPublicKeyInfo of a P-256 key. */
  publicKey: Uint8Array;
  sign: (data: Uint8Array) => Promise<Uint8Array>;
}

/** digitalSignature, nonRepudiation, keyEncipherment, keyAgreement. */
const keyUsageBits = Uint8Array.of(0x03, 0xe8);

/**
 * The certificate signing request of `%KEYGEN`, with the real part's peculiarity: the signature algorithm carries a
 * NULL that RFC 5758 forbids, so strict readers refuse it until the NULL is taken out. The signature stays valid then,
 * since it covers the inner part alone.
 */
export async function makeKeyRequest({ subject, publicKey, sign }: KeyRequestOptions): Promise<Uint8Array> {
  const sequence = (...parts: Uint8Array[]) => encodeDer(derTags.sequence, ...parts);
  const keyUsage = sequence(
    encodeObjectIdentifier("2.5.29.15"),
    encodeDer(derTags.octetString, encodeDer(derTags.bitString, keyUsageBits)),
  );
  const extensionRequest = sequence(
    encodeObjectIdentifier("1.2.840.113549.1.9.14"),
    encodeDer(derTags.set, sequence(keyUsage)),
  );
  const version = encodeDer(derTags.integer, Uint8Array.of(0));
  const info = sequence(version, encodeName(subject), publicKey, encodeDer(0xa0, extensionRequest));
  const algorithm = sequence(encodeObjectIdentifier("1.2.840.10045.4.3.2"), encodeDer(derTags.null));
  const signature = await sign(info);
  return sequence(info, algorithm, encodeDer(derTags.bitString, Uint8Array.of(0), signature));
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
