import { isThinglineError } from "@thingline/protocol";
import { readCertificateFacts } from "../policy/certificate-facts.js";
import type { CertificateFacts } from "../policy/certificate-facts.js";
import type { FirstConnectionVerdict } from "./first-connections.js";

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
  | "connectionLimit"
  | "domainRefused"
  | "callbackRefused";

/** For the log: what is wrong and what a person can do about it. */
export interface Refusal {
  reason: RefusalReason;
  explanation: string;
  /** Undefined when no certificate was presented, or none that could be read. */
  certificateId?: string;
}

export type CertificateCheck =
  | {
      certificateId: string;
      facts: CertificateFacts;
      /** It is not ACTIVE, and no client yet: its CONNECT registers it by this CA. */
      caCertificateId?: string;
    }
  | { refusal: Refusal };

export interface CertificateCheckOptions {
  /** DER of what the peer proved to hold the key of. */
  certificate: Uint8Array | undefined;
  nowMs: number;
  /** SHA-256 of the DER, lower-case hex: AWS's certificate id. */
  fingerprint: (der: Uint8Array) => string;
  findStatus(certificateId: string): Promise<string | undefined>;
  /** The account and region in which a certificate is registered that is not registered here. */
  findElsewhere(certificateId: string): Promise<string | undefined>;
  /** Asked of a certificate that is unknown, or waits for its activation. */
  judgeFirst?: ((certificate: Uint8Array) => Promise<FirstConnectionVerdict>) | undefined;
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
  const isActive = status === "ACTIVE";
  const isFirst = status === undefined || status === "PENDING_ACTIVATION";
  const verdict = isFirst ? await options.judgeFirst?.(certificate) : undefined;
  const caCertificateId = verdict?.caCertificateId;
  if (!isActive && caCertificateId === undefined) {
    const reason = verdict === undefined ? undefined : verdict.reason;
    return status === undefined
      ? refuseUnknown(certificateId, await options.findElsewhere(certificateId), reason)
      : refuseInactive(certificateId, status, reason);
  }
  if (nowMs < facts.notBeforeMs) {
    const why = `the certificate is valid from ${iso(facts.notBeforeMs)} and it is ${iso(nowMs)} now; check the clocks`;
    return refuse("certificateNotYetValid", why, certificateId);
  }
  if (nowMs > facts.notAfterMs) {
    const why = `the certificate expired at ${iso(facts.notAfterMs)} and it is ${iso(nowMs)} now; issue a new one`;
    return refuse("certificateExpired", why, certificateId);
  }
  return { certificateId, facts, ...(caCertificateId !== undefined && { caCertificateId }) };
}

function refuseUnknown(certificateId: string, elsewhere: string | undefined, reason: string | undefined) {
  const why =
    elsewhere !== undefined
      ? `the certificate is registered in ${elsewhere}, but this cloud serves another; start it with --account and ` +
        "--region of the certificate, or register the certificate with this cloud's region"
      : reason !== undefined
        ? `no such certificate is registered here, and ${reason}`
        : "no such certificate is registered here; it may belong to another cloud or data directory. Register it or " +
          "create one with `thingline thing create`";
  return refuse("certificateUnknown", why, certificateId);
}

function refuseInactive(certificateId: string, status: string, reason: string | undefined) {
  const what = status === "REVOKED" ? "it must be replaced" : "activate it with UpdateCertificate, newStatus ACTIVE";
  const why = `the certificate is ${status}; ${what}${reason === undefined ? "" : `. Its event is not told again: ${reason}`}`;
  return refuse("certificateNotActive", why, certificateId);
}

function refuse(reason: RefusalReason, explanation: string, certificateId?: string): { refusal: Refusal } {
  return { refusal: { reason, explanation, ...(certificateId === undefined ? {} : { certificateId }) } };
}

function iso(unixMs: number): string {
  return new Date(unixMs).toISOString();
}
