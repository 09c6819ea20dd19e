import type { ErrorCode, ThinglineError } from "@thingline/protocol";
import type { ProvisioningStepName } from "./steps.js";
import type { ProvisioningConfig } from "./types.js";

/** What a failed step tells people: what went wrong, and the next thing to try. */
export interface StepAdvice {
  reason: string;
  next: string;
}

const again = "start the flow again: it goes on where it stood";

const byCode: Readonly<Partial<Record<ErrorCode, string>>> = {
  ABORTED: again,
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
  PROVISIONING_ANSWER_INVALID: "see whether anybody else publishes on the topics of the answers",
  PROVISIONING_CLAIM_EXPIRED: "let the trusted user ask for another claim, and start again within five minutes",
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

/** By AWS IoT's own words for refusals. */
const byRefusal: readonly (readonly [code: RegExp, next: string])[] = [
  [/throttl|toomany/iu, "wait, then start again: the cloud was asked too often"],
  [/ownership/iu, "start again: another certificate is asked for"],
  [/notfound/iu, "create the provisioning template, or correct its name"],
  [/access.?denied|forbidden|unauthorized/iu, "let the claim's policy and the template's hook allow this device"],
  [/parameter/iu, "give the parameters that the template asks for"],
  [/csr/iu, "ask with a key of P-256 or RSA 2048 and a subject that the cloud takes"],
  [/conflict/iu, "the thing is there and differs: see OverrideSettings in the template"],
  [/internal|service|unavailable/iu, "start again later: the cloud failed, and says so"],
];

export function adviceOf(step: ProvisioningStepName, error: ThinglineError, config: ProvisioningConfig): StepAdvice {
  return { reason: error.message, next: nextOf(step, error, config) };
}

function nextOf(step: ProvisioningStepName, error: ThinglineError, { keys }: ProvisioningConfig): string {
  const { cloudCode, cme } = error.details;
  if (typeof cloudCode === "string") {
    const known = byRefusal.find(([code]) => code.test(cloudCode))?.[1];
    return known ?? "see what the cloud says; it refuses this device for good";
  }
  if (typeof cme === "number") return "see the modem's reason, then start again: nothing is lost";
  if (error.code === "PROVISIONING_NOT_PROVED" && keys === "own") {
    return "register the CA of this certificate with auto-registration, or the certificate itself, and activate it";
  }
  return byCode[error.code] ?? byStep[step] ?? again;
}
