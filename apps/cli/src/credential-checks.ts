import { ThinglineError } from "@thingline/protocol";
import { parseCertificates, requireCa, requireChainOrder, validityProblem } from "@thingline/protocol/x509";
import type { Clock, Keys } from "@thingline/transport";
import type { CredentialTexts } from "./credentials-folder.js";
import type { Output } from "./output.js";

/**
 * What a modem would take, and no handshake would: no modem looks into what is written.
 *
 * @param options.outcome goes behind the message.
 * @throws {ThinglineError} KEY_MISMATCH, CERTIFICATE_INVALID.
 */
export function requireUsable(
  texts: CredentialTexts,
  keys: Keys,
  options: { outcome?: string; caName?: string } = {},
): void {
  const { outcome = "", caName = "the CA" } = options;
  const { ca, certificate, privateKey } = texts;
  if (ca !== undefined) requireCa(parseCertificates(ca, caName), caName);
  if (certificate === undefined) return;
  requireChainOrder(parseCertificates(certificate, "the client certificate"), "the client certificate");
  if (privateKey === undefined) return;
  const ofKey = keys.publicKeyOf(privateKey);
  const ofCertificate = keys.certificatePublicKey(certificate);
  if (ofKey.length === ofCertificate.length && ofKey.every((byte, at) => byte === ofCertificate[at])) return;
  throw new ThinglineError("KEY_MISMATCH", `the private key does not belong to the certificate${outcome}`);
}

/** What may be meant so, and is worth a word: certificates that are not valid now. */
export function doubtsAbout({ ca, certificate }: CredentialTexts, nowSeconds: number): string[] {
  return [ca, certificate].flatMap((pem) => {
    if (pem === undefined) return [];
    return parseCertificates(pem).flatMap((each) => validityProblem(each, nowSeconds) ?? []);
  });
}

/** Tells each of {@link doubtsAbout}; a device may have another clock, so it is no error. */
export function warnOfDoubts(output: Output, texts: CredentialTexts, clock: Pick<Clock, "unixMs">): void {
  for (const message of doubtsAbout(texts, clock.unixMs() / 1000)) {
    output.event({ event: "warning", message });
    output.complain({ kind: "warning", message });
  }
}
