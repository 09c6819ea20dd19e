import { isThinglineError } from "@thingline/protocol";
import { readCertificateFacts } from "../policy/certificate-facts.js";
import type { CertificateFacts } from "../policy/certificate-facts.js";

/** Why a connection was refused before any MQTT. */
export type RefusalReason =
  | "noCertificate"
  | "certificateUnreadable"
  | "certificateUnknown"
  | "certificateNotActive"
  | "certificateNotYetValid"
  | "certificateExpired"
  | "registryFailed"
  | "handshakeFailed"
  | "handshakeTimeout"
  | "upgradeRefused"
  | "connectionLimit";

/** For the log: what is wrong and what a person can do about it. */
export interface Refusal {
  reason: RefusalReason;
  explanation: string;
  /** Undefined when no certificate was presented, or none that could be read. */
  certificateId?: string;
}

export type CertificateCheck = { certificateId: string; facts: CertificateFacts } | { refusal: Refusal };

export interface CertificateCheckOptions {
  /** DER of what the peer proved to hold the key of. */
  certificate: Uint8Array | undefined;
  nowMs: number;
  /** SHA-256 of the DER, lower-case hex: AWS's certificate id. */
  fingerprint: (der: Uint8Array) => string;
  findStatus(certificateId: string): Promise<string | undefined>;
  /** The account and region in which a certificate is registered that is not registered here. */
  findElsewhere(certificateId: string): Promise<string | undefined>;
}

/**
 * May this certificate connect? Its status in the registry, and its validity by the clock of the cloud. Asked for every
 * connection: a resumed TLS session only repeats the certificate of its first handshake.
 */
export async function checkCertificate(options: CertificateCheckOptions): Promise<CertificateCheck> {
  const { certificate, nowMs } = options;
  if (certificate === undefined)
    return refuse(
      "noCertificate",
      "the client presented no certificate; give it the device's certificate and private key",
    );
  let facts: CertificateFacts;
  try {
    facts = readCertificateFacts(certificate);
  } catch (error) {
    if (!isThinglineError(error)) throw error;
    return refuse("certificateUnreadable", `the client's certificate cannot be read: ${error.message}`);
  }
  const certificateId = options.fingerprint(certificate);
  const status = await options.findStatus(certificateId);
  if (status === undefined) {
    const elsewhere = await options.findElsewhere(certificateId);
    const why =
      elsewhere === undefined
        ? "no such certificate is registered here; it may belong to another cloud or data directory. Register it or " +
          "create one with `thingline thing create`"
        : `the certificate is registered in ${elsewhere}, but this cloud serves another; start it with --account and ` +
          "--region of the certificate, or register the certificate with this cloud's region";
    return refuse("certificateUnknown", why, certificateId);
  }
  if (status !== "ACTIVE") {
    const what = status === "REVOKED" ? "it must be replaced" : "activate it with UpdateCertificate, newStatus ACTIVE";
    return refuse("certificateNotActive", `the certificate is ${status}; ${what}`, certificateId);
  }
  if (nowMs < facts.notBeforeMs) {
    const why = `the certificate is valid from ${iso(facts.notBeforeMs)} and it is ${iso(nowMs)} now; check the clocks`;
    return refuse("certificateNotYetValid", why, certificateId);
  }
  if (nowMs > facts.notAfterMs) {
    const why = `the certificate expired at ${iso(facts.notAfterMs)} and it is ${iso(nowMs)} now; issue a new one`;
    return refuse("certificateExpired", why, certificateId);
  }
  return { certificateId, facts };
}

function refuse(reason: RefusalReason, explanation: string, certificateId?: string): { refusal: Refusal } {
  return { refusal: { reason, explanation, ...(certificateId === undefined ? {} : { certificateId }) } };
}

function iso(unixMs: number): string {
  return new Date(unixMs).toISOString();
}
