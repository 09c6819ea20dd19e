import { bytesEqual, toHex } from "../bytes.js";
import { decodeObjectIdentifier, DerError, DerReader, derTags, readDer } from "./der.js";

export type SignatureHash = "sha256" | "sha384" | "sha512";

/** How something was signed. The key says no more than of which kind it is, so that the algorithm has to be told. */
export type SignatureAlgorithm =
  | { readonly kind: "rsa" | "ecdsa" | "dsa"; readonly hash: SignatureHash }
  /** MGF1 with the same hash. */
  | { readonly kind: "rsa-pss"; readonly hash: SignatureHash; readonly saltBytes: number };

/** What is needed to see who signed a certificate. Views of its bytes. */
export interface CertificateSignature {
  /** What was signed: the TBSCertificate. */
  signed: Uint8Array;
  signature: Uint8Array;
  /** Undefined: of another kind than those that AWS IoT takes; `algorithmName` says which. */
  algorithm: SignatureAlgorithm | undefined;
  /** The object identifier. */
  algorithmName: string;
  /** The distinguished names, DER: an issuer's certificate has the same bytes as its subject. */
  issuerName: Uint8Array;
  subjectName: Uint8Array;
}

/** The key of a certificate, as far as it decides whether somebody takes it. */
export type PublicKeyKind =
  | { readonly kind: "rsa"; readonly bits: number }
  | { readonly kind: "ec"; readonly curve: "P-256" | "P-384" | "P-521" | "other" }
  | { readonly kind: "other"; readonly name: string };

/**
 * How an X.509 certificate was signed, without looking whether that is right.
 *
 * @throws {ThinglineError} CERTIFICATE_INVALID when it is no certificate, or its two statements about the algorithm differ
 * (RFC 5280 4.1.1.2).
 */
export function readCertificateSignature(der: Uint8Array, what = "the certificate"): CertificateSignature {
  return readDer("CERTIFICATE_INVALID", what, () => {
    const certificate = new DerReader(der).enter();
    const signed = certificate.read(derTags.sequence);
    const algorithm = certificate.read(derTags.sequence);
    const bits = certificate.read(derTags.bitString).content;
    certificate.end();
    if (bits[0] !== 0) throw new DerError("a signature of half bytes");

    const body = new DerReader(signed.content);
    if (body.nextTag === 0xa0) body.read(0xa0);
    body.read(derTags.integer);
    const inner = body.read(derTags.sequence);
    if (!bytesEqual(inner.whole, algorithm.whole)) throw new DerError("two signature algorithms");
    const issuerName = body.read(derTags.sequence).whole;
    body.read(derTags.sequence);
    const subjectName = body.read(derTags.sequence).whole;
    return {
      ...{ signed: signed.whole, signature: bits.subarray(1), issuerName, subjectName },
      ...readAlgorithm(algorithm.content),
    };
  });
}

/** What is needed to see who made a certificate request. Views of its bytes. */
export interface RequestSignature extends Omit<CertificateSignature, "issuerName"> {
  /** SubjectPublicKeyInfo, DER. */
  publicKey: Uint8Array;
}

/**
 * How a PKCS#10 request was signed, without looking whether that is right.
 *
 * @throws {ThinglineError} CERTIFICATE_INVALID when it is no request.
 */
export function readRequestSignature(der: Uint8Array, what = "the certificate request"): RequestSignature {
  return readDer("CERTIFICATE_INVALID", what, () => {
    const request = new DerReader(der).enter();
    const signed = request.read(derTags.sequence);
    const algorithm = request.read(derTags.sequence);
    const bits = request.read(derTags.bitString).content;
    request.end();
    if (bits[0] !== 0) throw new DerError("a signature of half bytes");
    const info = new DerReader(signed.content);
    info.read(derTags.integer);
    const subjectName = info.read(derTags.sequence).whole;
    const publicKey = info.read(derTags.sequence).whole;
    const views = { signed: signed.whole, signature: bits.subarray(1), subjectName, publicKey };
    return { ...views, ...readAlgorithm(algorithm.content) };
  });
}

/** @throws {ThinglineError} CERTIFICATE_INVALID */
export function readPublicKeyKind(publicKey: Uint8Array, what = "the certificate's key"): PublicKeyKind {
  return readDer("CERTIFICATE_INVALID", what, () => {
    const outer = new DerReader(publicKey).enter();
    const algorithm = outer.enter();
    const name = decodeObjectIdentifier(algorithm.read(derTags.objectIdentifier).content);
    if (name === ecPublicKey) {
      if (algorithm.nextTag !== derTags.objectIdentifier) return { kind: "ec", curve: "other" };
      const curve = decodeObjectIdentifier(algorithm.read(derTags.objectIdentifier).content);
      return { kind: "ec", curve: curves.get(curve) ?? "other" };
    }
    if (name !== rsaEncryption && name !== rsaPss) return { kind: "other", name };
    const modulus = new DerReader(outer.read(derTags.bitString).content.subarray(1))
      .enter()
      .read(derTags.integer).content;
    const first = modulus.findIndex((byte) => byte !== 0);
    if (first < 0) return { kind: "rsa", bits: 0 };
    return { kind: "rsa", bits: (modulus.length - first) * 8 - Math.clz32(modulus[first] ?? 0) + 24 };
  });
}

const rsaEncryption = "1.2.840.113549.1.1.1";
const rsaPss = "1.2.840.113549.1.1.10";
const maskGeneration1 = "1.2.840.113549.1.1.8";
const ecPublicKey = "1.2.840.10045.2.1";

const curves: ReadonlyMap<string, "P-256" | "P-384" | "P-521"> = new Map([
  ["1.2.840.10045.3.1.7", "P-256"],
  ["1.3.132.0.34", "P-384"],
  ["1.3.132.0.35", "P-521"],
]);

/** RFC 4055, RFC 5758. */
const algorithms: ReadonlyMap<string, SignatureAlgorithm> = new Map([
  ["1.2.840.113549.1.1.11", { kind: "rsa", hash: "sha256" }],
  ["1.2.840.113549.1.1.12", { kind: "rsa", hash: "sha384" }],
  ["1.2.840.113549.1.1.13", { kind: "rsa", hash: "sha512" }],
  ["1.2.840.10045.4.3.2", { kind: "ecdsa", hash: "sha256" }],
  ["1.2.840.10045.4.3.3", { kind: "ecdsa", hash: "sha384" }],
  ["1.2.840.10045.4.3.4", { kind: "ecdsa", hash: "sha512" }],
  ["2.16.840.1.101.3.4.3.2", { kind: "dsa", hash: "sha256" }],
]);

const hashes: ReadonlyMap<string, SignatureHash> = new Map([
  ["2.16.840.1.101.3.4.2.1", "sha256"],
  ["2.16.840.1.101.3.4.2.2", "sha384"],
  ["2.16.840.1.101.3.4.2.3", "sha512"],
]);

function readAlgorithm(content: Uint8Array): Pick<CertificateSignature, "algorithm" | "algorithmName"> {
  const reader = new DerReader(content);
  const algorithmName = decodeObjectIdentifier(reader.read(derTags.objectIdentifier).content);
  if (algorithmName !== rsaPss) return { algorithm: algorithms.get(algorithmName), algorithmName };
  return { algorithm: reader.isAtEnd ? undefined : readPss(reader.enter()), algorithmName };
}

/** RFC 4055 3.1. What is left out means SHA-1, which nobody takes. */
function readPss(parameters: DerReader): SignatureAlgorithm | undefined {
  const field = (tag: number) => (parameters.nextTag === tag ? parameters.enter(tag) : undefined);
  const [hashField, maskField, saltField] = [field(0xa0), field(0xa1), field(0xa2)];
  if (hashField === undefined || maskField === undefined) return undefined;
  const hash = hashes.get(decodeObjectIdentifier(hashField.enter().read(derTags.objectIdentifier).content));
  const mask = maskField.enter();
  const maskName = decodeObjectIdentifier(mask.read(derTags.objectIdentifier).content);
  const maskHash = hashes.get(decodeObjectIdentifier(mask.enter().read(derTags.objectIdentifier).content));
  const saltBytes = saltField === undefined ? 20 : Number(`0x${toHex(saltField.read(derTags.integer).content)}`);
  const isKnown = hash !== undefined && maskName === maskGeneration1 && maskHash === hash && saltBytes <= saltBytesMax;
  return isKnown ? { kind: "rsa-pss", hash, saltBytes } : undefined;
}

/** More than any key has room for. */
const saltBytesMax = 512;
