import { ThinglineError } from "../errors.js";
import type { Certificate } from "./certificate.js";

/**
 * A CA to trust must be one: a device's own certificate in its place is a common mistake, and shows only as a handshake that fails. A
 * certificate that is its own issuer may be trusted without being a CA.
 *
 * @param what how to call the text in the error: the name of its file.
 * @throws {ThinglineError} CERTIFICATE_INVALID
 */
export function requireCa(certificates: readonly Certificate[], what: string): void {
  for (const { isCa, subject, issuer, version } of certificates) {
    // Before version 3 a certificate could not say it.
    if (isCa || subject === issuer || version < 3) continue;
    const message = `${what} is no CA: it holds the certificate of "${subject}", which "${issuer}" has signed; expected that issuer's certificate`;
    throw new ThinglineError("CERTIFICATE_INVALID", message, { details: { subject, issuer } });
  }
}

/**
 * The leaf comes first, and each certificate is followed by that of its issuer (RFC 5246 7.4.2).
 *
 * @throws {ThinglineError} CERTIFICATE_INVALID
 */
export function requireChainOrder(certificates: readonly Certificate[], what: string): void {
  for (const [at, { subject, issuer }] of certificates.entries()) {
    const next = certificates[at + 1];
    if (next === undefined || next.subject === issuer) continue;
    const message = `${what} is no chain: behind the certificate of "${subject}" comes "${next.subject}", expected its issuer "${issuer}"`;
    throw new ThinglineError("CERTIFICATE_INVALID", message, { details: { subject, issuer } });
  }
}

/** Why a certificate cannot be used now; undefined when it can. */
export function validityProblem({ subject, notBefore, notAfter }: Certificate, nowSeconds: number): string | undefined {
  const day = (seconds: number) => new Date(seconds * 1000).toISOString().slice(0, 10);
  if (nowSeconds > notAfter) return `the certificate of "${subject}" has expired on ${day(notAfter)}`;
  if (nowSeconds < notBefore) return `the certificate of "${subject}" is valid only from ${day(notBefore)} on`;
  return undefined;
}
