import {
  derTags,
  encodeBitString,
  encodedNull,
  encodeDer,
  encodedTrue,
  encodeInteger,
  encodeObjectIdentifier,
  encodeSequence,
} from "@thingline/protocol/x509";

/** What a device certificate says. Names and key are DER, and stand in it as they are. */
export interface DeviceCertificateFacts {
  /** Positive, without leading zeros (RFC 5280, 4.1.2.2). */
  serialNumber: Uint8Array;
  issuerName: Uint8Array;
  subjectName: Uint8Array;
  /** SubjectPublicKeyInfo. */
  publicKey: Uint8Array;
  subjectKeyId: Uint8Array;
  authorityKeyId: Uint8Array;
  notBeforeMs: number;
  notAfterMs: number;
}

export interface CertificateSigner {
  kind: "rsa" | "ecdsa";
  /** With SHA-256: PKCS#1 v1.5 for RSA, a DER `SEQUENCE { r, s }` for EC. */
  sign(data: Uint8Array): Promise<Uint8Array>;
}

const algorithms = {
  rsa: encodeSequence(encodeObjectIdentifier("1.2.840.113549.1.1.11"), encodedNull),
  // RFC 5758, 3.2: no parameters at all for ECDSA.
  ecdsa: encodeSequence(encodeObjectIdentifier("1.2.840.10045.4.3.2")),
};

const version3 = encodeDer(0xa0, encodeInteger(2n));
const extension = (id: string, isCritical: boolean, value: Uint8Array): Uint8Array =>
  encodeSequence(
    encodeObjectIdentifier(id),
    ...(isCritical ? [encodedTrue] : []),
    encodeDer(derTags.octetString, value),
  );
/** An empty SEQUENCE: no CA. */
const basicConstraints = extension("2.5.29.19", true, encodeSequence());
/** A BIT STRING with its first bit set, and seven that are not used. */
const digitalSignature = extension("2.5.29.15", true, encodeDer(derTags.bitString, Uint8Array.of(7, 0x80)));

/**
 * A device certificate as AWS IoT makes them, DER (RFC 5280). Written by hand because it is made for each device that is provisioned: a library
 * that knows every kind of certificate takes ten times as long for it.
 */
export async function writeDeviceCertificate(
  facts: DeviceCertificateFacts,
  signer: CertificateSigner,
): Promise<Uint8Array> {
  const { serialNumber, issuerName, subjectName, publicKey, subjectKeyId, authorityKeyId } = facts;
  const extensions = encodeSequence(
    extension("2.5.29.35", false, encodeSequence(encodeDer(0x80, authorityKeyId))),
    extension("2.5.29.14", false, encodeDer(derTags.octetString, subjectKeyId)),
    basicConstraints,
    digitalSignature,
  );
  const algorithm = algorithms[signer.kind];
  const body = encodeSequence(
    ...[version3, encodeDer(derTags.integer, serialNumber), algorithm, issuerName],
    encodeSequence(encodeTime(facts.notBeforeMs), encodeTime(facts.notAfterMs)),
    ...[subjectName, publicKey, encodeDer(0xa3, extensions)],
  );
  return encodeSequence(body, algorithm, encodeBitString(await signer.sign(body)));
}

/** UTCTime to the end of 2049, GeneralizedTime from then on (RFC 5280, 4.1.2.5); whole seconds. */
function encodeTime(unixMs: number): Uint8Array {
  const digits = new Date(unixMs).toISOString().replace(/\.\d+|[-:T]/g, "");
  const isShort = digits < "2050";
  const text = new TextEncoder().encode(isShort ? digits.slice(2) : digits);
  return encodeDer(isShort ? derTags.utcTime : derTags.generalizedTime, text);
}
