import { ThinglineError } from "../errors.js";
import { decodeObjectIdentifier, DerReader, derTags, readDer } from "./der.js";
import {
  encodeBitString,
  encodedNull,
  encodeDer,
  encodeInteger,
  encodeObjectIdentifier,
  encodeSequence,
} from "./der-writer.js";
import type { DistinguishedName } from "./name.js";
import { decodeName, encodeName } from "./name.js";
import { encodePem, readPem } from "./pem.js";

export interface CertificateRequestOptions {
  subject: DistinguishedName;
  /** SubjectPublicKeyInfo, DER, of an RSA or P-256 key. */
  publicKey: Uint8Array;
  /** Signs with SHA-256: PKCS#1 v1.5 for RSA, a DER `SEQUENCE { r, s }` for EC, as `Keys.sign` does. */
  sign: (data: Uint8Array) => Promise<Uint8Array>;
}

export interface CertificateRequest {
  der: Uint8Array;
  pem: string;
}

/** What a request asks for. */
export interface ReadCertificateRequest extends CertificateRequest {
  /** SubjectPublicKeyInfo, DER. */
  publicKey: Uint8Array;
  /** `CN=pump-7`. */
  subject: string;
}

const sha256WithRsa = encodeSequence(encodeObjectIdentifier("1.2.840.113549.1.1.11"), encodedNull);
// RFC 5758, 3.2: no parameters at all for ECDSA.
const sha256WithEcdsa = encodeSequence(encodeObjectIdentifier("1.2.840.10045.4.3.2"));

/**
 * Builds a PKCS#10 certificate signing request (RFC 2986) without attributes.
 *
 * @throws {ThinglineError} KEY_INVALID for a public key of another kind, OPTION_INVALID for a bad subject.
 */
export async function createCertificateRequest(options: CertificateRequestOptions): Promise<CertificateRequest> {
  const algorithm = sha256AlgorithmOf(options.publicKey);
  const version = encodeInteger(0n);
  const attributes = encodeDer(0xa0);
  const info = encodeSequence(version, encodeName(options.subject), options.publicKey, attributes);
  const signature = await options.sign(info);
  const der = encodeSequence(info, algorithm, encodeBitString(signature));
  return { der, pem: encodePem("CERTIFICATE REQUEST", der) };
}

/** @throws {ThinglineError} KEY_INVALID */
export function sha256AlgorithmOf(publicKey: Uint8Array): Uint8Array {
  const [identifier, curve] = readDer("KEY_INVALID", "the public key", () => {
    const outer = new DerReader(publicKey);
    const key = outer.enter();
    outer.end();
    const algorithm = key.enter();
    key.read(derTags.bitString);
    key.end();
    const found = decodeObjectIdentifier(algorithm.read(derTags.objectIdentifier).content);
    const isNamed = algorithm.nextTag === derTags.objectIdentifier;
    return [found, isNamed ? decodeObjectIdentifier(algorithm.read().content) : undefined];
  });
  if (identifier === "1.2.840.113549.1.1.1") return sha256WithRsa;
  if (identifier === "1.2.840.10045.2.1" && curve === "1.2.840.10045.3.1.7") return sha256WithEcdsa;
  const message = `a certificate needs an RSA or P-256 key, got algorithm ${identifier} ${curve ?? ""}`;
  throw new ThinglineError("KEY_INVALID", message.trimEnd());
}

const ecdsaIdentifier = "1.2.840.10045.4.3.";

/**
 * Reads a PKCS#10 request in DER, or in PEM. Its signature is not verified.
 *
 * An nRF91 puts a NULL behind the identifier of ECDSA, which RFC 5758 (3.2) forbids and strict readers refuse: it is taken out. The signature
 * covers the inner part alone and stays valid.
 *
 * @throws {ThinglineError} CERTIFICATE_INVALID
 */
export function parseCertificateRequest(
  request: Uint8Array | string,
  what = "the certificate request",
): ReadCertificateRequest {
  const bytes = typeof request === "string" ? requestOf(request, what) : request;
  return readDer("CERTIFICATE_INVALID", what, () => {
    const outer = new DerReader(bytes);
    const parts = outer.enter();
    outer.end();
    const { whole: info, content } = parts.read(derTags.sequence);
    const algorithm = parts.enter();
    const signature = parts.read(derTags.bitString);
    parts.end();
    const inner = new DerReader(content);
    inner.read(derTags.integer);
    const name = inner.read(derTags.sequence);
    const publicKey = inner.read(derTags.sequence).whole;
    inner.read(0xa0);
    inner.end();
    const identifier = algorithm.read(derTags.objectIdentifier);
    const isEcdsa = decodeObjectIdentifier(identifier.content).startsWith(ecdsaIdentifier);
    const parameters =
      algorithm.isAtEnd || (isEcdsa && algorithm.nextTag === derTags.null) ? [] : [algorithm.read().whole];
    const der = encodeSequence(info, encodeSequence(identifier.whole, ...parameters), signature.whole);
    return { der, pem: encodePem("CERTIFICATE REQUEST", der), publicKey, subject: decodeName(name.whole) };
  });
}

function requestOf(text: string, what: string): Uint8Array {
  const result = readPem(text);
  const der = "blocks" in result && result.blocks.length === 1 ? result.blocks[0].der : undefined;
  if (der !== undefined) return der;
  throw new ThinglineError("CERTIFICATE_INVALID", `${what} is not one PEM`);
}
