import type { ErrorCode, ThinglineError } from "@thingline/protocol";
import type { ProvisioningStepName } from "./steps.js";

/** What a failed step tells people: what went wrong, and the next thing to try. */
export interface StepAdvice {
  reason: string;
  next: string;
}

const byCode: Readonly<Partial<Record<ErrorCode, string>>> = {
  ABORTED: "start the flow again: it goes on where it stood",
  CERTIFICATE_INVALID: "the cloud half issues what is no certificate: look at its log",
  CONNECTION_REFUSED: "check host and port, and that the cloud runs",
  CREDENTIAL_MISSING: "write a complete claim (CA, certificate, private key) to its security tag, then start again",
  CREDENTIAL_NOT_VERIFIED: "start again; if it stays, the store alters what it is given (line ends on a serial line)",
  FILE_UNREADABLE: "make the progress file and its folder readable and writable for this process",
  HOST_NOT_FOUND: "check the host name, and that name service works on this network",
  KEY_INVALID: "the cloud half issues what is no private key: look at its log",
  KEY_MISMATCH: "start again; if it stays, the cloud half mixes the answers of several requests",
  LINK_FAILED: "check antenna, SIM and coverage, then start again",
  MQTT_SUBSCRIPTION_REFUSED: "let the claim's policy subscribe to the topics of the answers",
  PROVISIONING_EXHAUSTED: "read the history for what went wrong with each certificate, and correct that first",
  PROVISIONING_NOT_PROVED:
    "attach the policy for devices to the new certificate, and let it connect under this client id",
  PROVISIONING_TIMEOUT: "check that the cloud half is set up, and that the claim's policy may receive its answers",
  TLS_PEER_UNTRUSTED: "write the CA of this server to the security tag; its certificate has to name this host",
  TLS_RECORD_TOO_LARGE: "use a way whose answers fit: keys of the device (EC), CBOR, or native TLS",
};

const byStep: Readonly<Partial<Record<ProvisioningStepName, string>>> = {
  connectLte: "check antenna, SIM and coverage, then start again",
  connectClaim: "check that the claim is active and that its policy allows iot:Connect under this client id",
  connectDevice:
    "check that the device's certificate is active and that its policy allows iot:Connect under this client id",
  writeCredentials: "free some security tags and check the supply voltage, then start again: the claim is untouched",
};

export function adviceOf(step: ProvisioningStepName, error: ThinglineError): StepAdvice {
  return {
    reason: error.message,
    next: byCode[error.code] ?? byStep[step] ?? "start the flow again: it goes on where it stood",
  };
}
