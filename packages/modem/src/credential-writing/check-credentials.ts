import { bytesEqual, ThinglineError } from "@thingline/protocol";
import {
  type Certificate,
  parseCertificates,
  parsePrivateKey,
  requireCa,
  requireChainOrder,
  validityProblem,
} from "@thingline/protocol/x509";
import type { Keys } from "@thingline/transport";

/** PEM texts of one security tag. */
export interface CredentialTexts {
  ca?: string | undefined;
  certificate?: string | undefined;
  privateKey?: string | undefined;
}

export interface CredentialCheck {
  /** What no handshake would take. No modem looks into what is written, so that it would show only in the field. */
  problems: readonly ThinglineError[];
  /** What may be meant so, and is worth a word. */
  doubts: readonly string[];
}

/** A certificate that becomes valid soon is one of a machine whose clock goes a little ahead. */
const earlySeconds = 86_400;
/** What AWS IoT takes at the least. */
const rsaBitsMin = 2048;

/**
 * Looks into PEM texts before they are written: whether the key belongs to the certificate, the CA is one, chains are in order, all are valid
 * now, and of kinds that the modem's TLS has.
 *
 * @throws {ThinglineError} CERTIFICATE_INVALID, KEY_INVALID for what cannot be read at all.
 */
export function checkCredentials(
  { ca, certificate, privateKey }: CredentialTexts,
  { keys, nowSeconds }: { keys: Keys; nowSeconds: number },
): CredentialCheck {
  const problems: ThinglineError[] = [];
  const doubts: string[] = [];
  const collect = (check: () => void) => {
    try {
      check();
    } catch (error) {
      if (!(error instanceof ThinglineError)) throw error;
      problems.push(error);
    }
  };
  const chains: [what: string, certificates: readonly Certificate[]][] = [];
  if (ca !== undefined) {
    const certificates = parseCertificates(ca, "the CA");
    collect(() => requireCa(certificates, "the CA"));
    chains.push(["the CA", certificates]);
  }
  if (certificate !== undefined) {
    const certificates = parseCertificates(certificate, "the client certificate");
    collect(() => requireChainOrder(certificates, "the client certificate"));
    chains.push(["the client certificate", certificates]);
  }
  for (const [, certificates] of chains) {
    for (const each of certificates) checkDates(each, nowSeconds, { problems, doubts });
  }
  if (privateKey !== undefined) checkKind(privateKey, { problems, doubts });
  if (certificate !== undefined && privateKey !== undefined) {
    collect(() => {
      if (bytesEqual(keys.publicKeyOf(privateKey), keys.certificatePublicKey(certificate))) return;
      throw new ThinglineError("KEY_MISMATCH", "the private key does not belong to the certificate");
    });
  }
  return { problems, doubts };
}

interface Findings {
  problems: ThinglineError[];
  doubts: string[];
}

function checkDates(certificate: Certificate, nowSeconds: number, { problems, doubts }: Findings): void {
  const problem = validityProblem(certificate, nowSeconds);
  if (problem === undefined) return;
  const isEarly = nowSeconds < certificate.notBefore && certificate.notBefore - nowSeconds < earlySeconds;
  if (isEarly) doubts.push(problem);
  else problems.push(new ThinglineError("CERTIFICATE_INVALID", problem));
}

/** RSA of 2048 bits and P-256 are in use everywhere; of others no source says that a modem takes them as its own key. */
function checkKind(privateKey: string, { problems, doubts }: Findings): void {
  const { algorithm, modulusBits = 0 } = parsePrivateKey(privateKey, "the private key");
  if (algorithm === "other") {
    const message = "the private key is neither RSA nor of a NIST curve: the modem's TLS has nothing for it";
    problems.push(new ThinglineError("KEY_INVALID", message));
  } else if (algorithm === "rsa" && modulusBits < rsaBitsMin) {
    const message = `the private key is RSA of ${modulusBits} bits; AWS IoT and others take ${rsaBitsMin} and more`;
    problems.push(new ThinglineError("KEY_INVALID", message));
  } else if (algorithm === "rsa" && modulusBits > rsaBitsMin) {
    doubts.push(
      `the private key is RSA of ${modulusBits} bits: not known whether every modem firmware takes it; ${rsaBitsMin} is`,
    );
  } else if (algorithm === "ec-p384" || algorithm === "ec-p521") {
    doubts.push(
      `the private key is of ${algorithm.slice(3).toUpperCase()}: not known whether every modem firmware takes it; P-256 is`,
    );
  }
}
