import { bytesEqual, ThinglineError, toHex } from "@thingline/protocol";
import {
  parseCertificateDer,
  parseCertificates,
  readCertificateSignature,
  readPublicKeyKind,
  type Certificate,
} from "@thingline/protocol/x509";
import type { Keys } from "@thingline/transport";

// Who has signed what, and whether AWS would take it. Pure.

export type SigningKeys = Pick<Keys, "sha256" | "verify">;

/** What of a certificate decides who signed it. */
export interface SignedCertificate extends Omit<Certificate, "pem"> {
  certificateId: string;
  /** The issuer's distinguished name, by which its certificate is found. */
  issuerDigest: string;
}

/**
 * The first certificate of a PEM.
 *
 * @throws {ThinglineError} CERTIFICATE_INVALID
 */
export function readSigned(keys: SigningKeys, pem: string, what: string): SignedCertificate & { pem: string } {
  const [certificate] = parseCertificates(pem, what);
  return { ...readSignedDer(keys, certificate.der, what), pem: certificate.pem };
}

/** @throws {ThinglineError} CERTIFICATE_INVALID */
export function readSignedDer(keys: SigningKeys, der: Uint8Array, what: string): SignedCertificate {
  const certificate = parseCertificateDer(der, what);
  const { issuerName } = readCertificateSignature(der, what);
  return {
    ...certificate,
    certificateId: toHex(keys.sha256(der)),
    issuerDigest: toHex(keys.sha256(issuerName)),
  };
}

/** By which the certificates that it signs are found. */
export function subjectDigestOf(keys: SigningKeys, der: Uint8Array): string {
  return toHex(keys.sha256(readCertificateSignature(der).subjectName));
}

/** Why a certificate is not by this CA, in words about "it"; undefined when it is. */
export function whyNotSignedBy(
  keys: SigningKeys,
  certificate: Pick<Certificate, "der">,
  ca: Pick<Certificate, "der" | "publicKey">,
): string | undefined {
  const { signed: data, signature, algorithm, algorithmName, issuerName } = readCertificateSignature(certificate.der);
  if (!bytesEqual(issuerName, readCertificateSignature(ca.der).subjectName)) return "its issuer is another";
  if (algorithm === undefined) return `its signature algorithm ${algorithmName} is not one that AWS IoT takes`;
  const isVerified = keys.verify({ publicKey: ca.publicKey, algorithm, data, signature });
  return isVerified ? undefined : "its signature is not by the key of that CA";
}

/** Why a certificate is not valid now, in words about "it"; undefined when it is. */
export function whyNotValid(
  { notBefore, notAfter }: Certificate | SignedCertificate,
  nowMs: number,
): string | undefined {
  const iso = (seconds: number) => new Date(seconds * 1000).toISOString();
  if (nowMs > notAfter * 1000) return `it expired at ${iso(notAfter)}`;
  if (nowMs < notBefore * 1000) return `it is valid from ${iso(notBefore)} only`;
  return undefined;
}

/** @throws {ThinglineError} CERTIFICATE_INVALID */
export function requireKeyOfAws({ publicKey }: Pick<Certificate, "publicKey">, what: string): void {
  const key = readPublicKeyKind(publicKey, what);
  const isTaken = key.kind === "rsa" ? key.bits >= 2048 : key.kind === "ec" && key.curve !== "other";
  if (isTaken) return;
  throw invalid(`${what} has a key that AWS IoT does not take: RSA of 2048 bits or more, or P-256, P-384 or P-521`);
}

export function invalid(message: string): ThinglineError {
  return new ThinglineError("CERTIFICATE_INVALID", message);
}
