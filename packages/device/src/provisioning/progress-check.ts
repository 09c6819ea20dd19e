import { isThinglineError, toHex } from "@thingline/protocol";
import { parseCertificateRequest, parseCertificates } from "@thingline/protocol/x509";
import type { Keys } from "@thingline/transport";
import { digestOf } from "./inspect.js";
import type { DeviceKey, ProgressPhase } from "./progress.js";

/**
 * Whether what a phase holds belongs together. A file can be damaged and still be one: a certificate that is not the one of its digest can never
 * be written, and a request for another key leads to a certificate that nobody can use, at each start anew.
 */
export function isPhaseSound(phase: ProgressPhase, keys: Keys): boolean {
  switch (phase.name) {
    case "keyReady":
      return isKeySound(phase.key);
    case "issued": {
      const { certificateId, certificatePem, sha256, key } = phase.issued;
      const isCertificate = isCertificateSound(certificatePem, { certificateId, sha256: sha256.certificate }, keys);
      return isCertificate && (key === undefined || isKeySound(key));
    }
    case "writing": {
      const { certificatePem, credentials } = phase;
      const { certificateId, sha256 } = credentials;
      if (certificatePem === undefined) return true;
      return isCertificateSound(certificatePem, { certificateId, sha256: sha256.certificate }, keys);
    }
    case "claim":
    case "written":
    case "provisioned":
      return true;
  }
}

function isCertificateSound(pem: string, named: { certificateId: string; sha256: string }, keys: Keys): boolean {
  return isReadable(() => {
    const [{ der }] = parseCertificates(pem);
    return digestOf(pem, keys) === named.sha256 && toHex(keys.sha256(der)) === named.certificateId;
  });
}

function isKeySound({ publicKey, requestPem }: DeviceKey): boolean {
  return isReadable(() => toHex(parseCertificateRequest(requestPem).publicKey) === publicKey);
}

function isReadable(check: () => boolean): boolean {
  try {
    return check();
  } catch (error) {
    if (!isThinglineError(error)) throw error;
    return false;
  }
}
