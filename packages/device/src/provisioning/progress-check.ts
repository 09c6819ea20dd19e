import { isThinglineError, toHex } from "@thingline/protocol";
import { ownershipTokenCharactersMax } from "@thingline/protocol/fleet-provisioning";
import { parseCertificateRequest, parseCertificates, readRequestSignature } from "@thingline/protocol/x509";
import type { Keys } from "@thingline/transport";
import { digestOf } from "./inspect.js";
import type { DeviceKey, ProgressPhase } from "./progress.js";

/**
 * Whether what a phase holds belongs together. A file can be damaged and still be one: a certificate that is not the one of its digest can never
 * be written, a request for another key leads to a certificate that nobody can use, and a request or token that the cloud must refuse is refused, at
 * each start anew.
 */
export function isPhaseSound(phase: ProgressPhase, keys: Keys): boolean {
  switch (phase.name) {
    case "keyReady":
      return isKeySound(phase.key, keys);
    case "issued": {
      const { certificateId, certificatePem, sha256, key, ownership } = phase.issued;
      const isCertificate = isCertificateSound(certificatePem, { certificateId, sha256: sha256.certificate }, keys);
      const isToken = (ownership?.token ?? "").length <= ownershipTokenCharactersMax;
      return isCertificate && isToken && (key === undefined || isKeySound(key, keys));
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

function isKeySound({ publicKey, requestPem }: DeviceKey, keys: Keys): boolean {
  return isReadable(() => {
    const request = readRequestSignature(parseCertificateRequest(requestPem).der);
    const { publicKey: requested, algorithm, signed: data, signature } = request;
    if (toHex(requested) !== publicKey || algorithm === undefined) return false;
    return keys.verify({ publicKey: requested, algorithm, data, signature });
  });
}

function isReadable(check: () => boolean): boolean {
  try {
    return check();
  } catch (error) {
    if (!isThinglineError(error)) throw error;
    return false;
  }
}
