import { ThinglineError, toHex } from "@thingline/protocol";
import { parseCertificates, parsePrivateKey } from "@thingline/protocol/x509";
import type { Keys } from "@thingline/transport";
import type { ProvisioningAnswer } from "./types.js";

/** Of a certificate with its chain: what a store of native TLS takes. A modem takes less, and says so itself. */
export const receivedCertificateCharactersMax = 16 * 1024;

/** What the machine is told of a message, and the text that the shell keeps in memory for it. */
export interface InspectedAnswer {
  answer: ProvisioningAnswer;
  /** As it will be written: LF line ends, nothing around the PEM. */
  pem?: string;
}

export function inspectKey(text: string, keys: Keys): InspectedAnswer {
  const { pem } = parsePrivateKey(text, "the key that was received");
  const publicKey = toHex(keys.publicKeyOf(pem));
  return {
    answer: { kind: "key", sha256: digestOf(pem, keys), publicKey },
    pem,
  };
}

export function inspectCertificate(
  text: string,
  keys: Keys,
  given: { certificateId?: string; token?: string } = {},
): InspectedAnswer {
  if (text.length > receivedCertificateCharactersMax) {
    const message = `the certificate that was received has ${text.length} characters, more than ${receivedCertificateCharactersMax}`;
    const details = { characters: text.length, charactersMax: receivedCertificateCharactersMax };
    throw new ThinglineError("PROVISIONING_ANSWER_TOO_LARGE", message, { details });
  }
  const certificates = parseCertificates(text, "the certificate that was received");
  const [{ der }] = certificates;
  const pem = certificates.map((certificate) => certificate.pem).join("");
  const publicKey = toHex(keys.certificatePublicKey(pem));
  const certificateId = toHex(keys.sha256(der));
  if (given.certificateId !== undefined && given.certificateId.toLowerCase() !== certificateId) {
    const message = "the certificate that was received has another id than its message says";
    throw new ThinglineError("PROVISIONING_ANSWER_INVALID", message, {
      details: { certificateId },
    });
  }
  const token = given.token === undefined ? {} : { token: given.token };
  const sha256 = digestOf(pem, keys);
  return {
    answer: { kind: "certificate", sha256, publicKey, certificateId, pem, ...token },
    pem,
  };
}

/** The digest by which a credential store knows a text. */
export function digestOf(text: string, keys: Keys): string {
  return toHex(keys.sha256(new TextEncoder().encode(text)));
}
