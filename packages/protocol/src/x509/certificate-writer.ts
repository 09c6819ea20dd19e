import { ThinglineError } from "../errors.js";
import { derTags } from "./der.js";
import {
  encodeBitString,
  encodeDer,
  encodedTrue,
  encodeInteger,
  encodeObjectIdentifier,
  encodeSequence,
} from "./der-writer.js";
import { encodeName, type DistinguishedName } from "./name.js";
import { encodePem } from "./pem.js";
import { sha256AlgorithmOf } from "./request.js";

export interface CertificateOptions {
  /** As attributes, or as DER: the subject of a request. */
  subject: DistinguishedName | Uint8Array;
  /** SubjectPublicKeyInfo, DER, of an RSA or P-256 key. */
  publicKey: Uint8Array;
  /** Who signs it. Default: it signs itself. */
  issuer?: {
    /** The subject of the issuer's certificate, DER: the very same bytes. */
    name: Uint8Array;
    /** SubjectPublicKeyInfo, DER. */
    publicKey: Uint8Array;
  };
  /** 1 to 20 bytes, not all zero, the first bit not set: drawn by chance. */
  serialNumber: Uint8Array;
  /** Unix time in seconds; both ends are part of the validity. */
  notBefore: number;
  notAfter: number;
  /** It may sign certificates of devices, and no further CAs. Default false. */
  isCa?: boolean;
  /** Makes the key identifiers (RFC 7093, 2, method 1). */
  sha256: (data: Uint8Array) => Uint8Array;
  /** Signs with SHA-256 and the issuer's key, as `Keys.sign` does. */
  sign: (data: Uint8Array) => Promise<Uint8Array>;
}

export interface WrittenCertificate {
  der: Uint8Array;
  pem: string;
}

/**
 * Writes an X.509 certificate, version 3 (RFC 5280): a CA for device certificates, or one of those.
 *
 * @throws {ThinglineError} KEY_INVALID for a key of another kind; OPTION_INVALID for a bad subject, serial number or validity.
 */
export async function createCertificate(options: CertificateOptions): Promise<WrittenCertificate> {
  const { publicKey, issuer, serialNumber, notBefore, notAfter } = options;
  const subject = options.subject instanceof Uint8Array ? options.subject : encodeName(options.subject);
  const isPositive = serialNumber.some((byte) => byte !== 0) && (serialNumber[0] ?? 0x80) < 0x80;
  if (serialNumber.length > 20 || !isPositive) {
    throw new ThinglineError("OPTION_INVALID", "serialNumber must be a positive number of 1 to 20 bytes");
  }
  if (!(notBefore < notAfter)) {
    throw new ThinglineError("OPTION_INVALID", "notBefore of a certificate must lie before its notAfter");
  }
  const algorithm = sha256AlgorithmOf(issuer?.publicKey ?? publicKey);
  // Who signs whom may be of two kinds; the key that is certified has to be one as well.
  sha256AlgorithmOf(publicKey);
  const toBeSigned = encodeSequence(
    encodeDer(0xa0, encodeInteger(2n)),
    encodeInteger(serialNumber.reduce((sum, byte) => sum * 256n + BigInt(byte), 0n)),
    algorithm,
    issuer?.name ?? subject,
    encodeSequence(encodeTime(notBefore), encodeTime(notAfter)),
    subject,
    publicKey,
    encodeDer(0xa3, encodeSequence(...extensionsOf(options))),
  );
  const signature = await options.sign(toBeSigned);
  const der = encodeSequence(toBeSigned, algorithm, encodeBitString(signature));
  return { der, pem: encodePem("CERTIFICATE", der) };
}

function extensionsOf({ isCa = false, publicKey, issuer, sha256 }: CertificateOptions): Uint8Array[] {
  const identifierOf = (key: Uint8Array) => sha256(key).subarray(0, 20);
  // No CA below it: AWS IoT looks for the issuer of a device's certificate among the registered CAs, and no further.
  const constraints = isCa ? encodeSequence(encodedTrue, encodeInteger(0n)) : encodeSequence();
  return [
    encodeExtension("2.5.29.19", constraints, true),
    // keyCertSign and cRLSign, or digitalSignature.
    encodeExtension("2.5.29.15", isCa ? Uint8Array.of(3, 2, 1, 6) : Uint8Array.of(3, 2, 7, 0x80), true),
    encodeExtension("2.5.29.14", encodeDer(derTags.octetString, identifierOf(publicKey))),
    encodeExtension("2.5.29.35", encodeSequence(encodeDer(0x80, identifierOf(issuer?.publicKey ?? publicKey)))),
  ];
}

function encodeExtension(name: string, value: Uint8Array, isCritical = false): Uint8Array {
  const critical = isCritical ? [encodedTrue] : [];
  return encodeSequence(encodeObjectIdentifier(name), ...critical, encodeDer(derTags.octetString, value));
}

/** RFC 5280, 4.1.2.5: two digits of the year up to 2049. */
function encodeTime(unixSeconds: number): Uint8Array {
  const date = new Date(unixSeconds * 1000);
  const year = date.getUTCFullYear();
  if (!(year >= 1950 && year <= 9999)) {
    throw new ThinglineError("OPTION_INVALID", "a certificate is valid between the years 1950 and 9999");
  }
  const digits = `${date.toISOString().slice(0, 19).replace(/[-:T]/gu, "")}Z`;
  const isShort = year < 2050;
  const text = new TextEncoder().encode(isShort ? digits.slice(2) : digits);
  return encodeDer(isShort ? derTags.utcTime : derTags.generalizedTime, text);
}
