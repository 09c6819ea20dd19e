import type { DistinguishedName } from "@thingline/protocol/x509";
import type { KeyKind } from "@thingline/transport";

/**
 * Where the private key is made. `cloud`: it comes with the certificate. `csr`: here, and written to the device's tag before anything is asked
 * for. `modem`: inside the modem, by a `KeyMaker`. The last two never let it leave: what is asked for is a certificate for the key.
 */
export type KeyOrigin = "cloud" | "csr" | "modem";

interface KeyOptions {
  /** For `csr`. Default `ec-p256`. */
  keyKind?: KeyKind;
  /** Of the certificate request, for `csr` and `modem`. Default `CN=<client id>`. */
  subject?: DistinguishedName;
}

/** Key and certificate in messages of their own, for TLS that cannot take both in one: Nordic's sample and its cloud half. The default. */
export interface SplitMethod extends KeyOptions {
  kind: "split";
  /** Default `cloud`, as in the sample. The others need a cloud half that knows `certificate/<id>/create-from-csr`. */
  keys?: KeyOrigin;
}

/** AWS IoT's fleet provisioning by claim: a certificate, then RegisterThing with its ownership token under a template. */
export interface FleetMethod extends KeyOptions {
  kind: "fleet";
  /** The name of the provisioning template. */
  template: string;
  /** For the template and its hook. Default none. */
  parameters?: Readonly<Record<string, string>>;
  /** How the messages are written. Default `cbor`, which is smaller by the escapes of a PEM's line ends. */
  format?: "json" | "cbor";
  /** `cloud` brings key and certificate in one message, which no modem's TLS can take: native TLS alone. */
  keys: KeyOrigin;
  /** The client id of the device's own connection. Default `clientId`; `thingName` is what RegisterThing answers, where it names a thing. */
  connectsAs?: "clientId" | "thingName";
}

/**
 * A certificate of one's own CA that is in the device's tag already (JITP, JITR): no claim. The cloud registers it at the first connection,
 * which it closes, so the device connects until it is let in.
 */
export interface OwnCertificateMethod {
  kind: "ownCertificate";
  /** SHA-256 of the certificate's DER, lower-case hex. Default: of what the device's tag holds, where that can be read. */
  certificateId?: string;
}

export type ProvisioningMethod = SplitMethod | FleetMethod | OwnCertificateMethod;

/**
 * A claim that is not in a security tag yet, as `CreateProvisioningClaim` gives it to a trusted user for five minutes. It is written to the
 * claim's tag first, and stays there, worth nothing once it has ended.
 */
export interface ClaimMaterial {
  certificatePem: string;
  privateKeyPem: string;
  /** Default: what the claim's tag holds, else Amazon Root CA 1. */
  caPem?: string;
  /** Unix time in ms. After it the claim is not tried any more. */
  expiresAtUnixMs?: number;
}

/** For steps, texts and files: which of the ways a method is. */
export type ProvisioningWay =
  | "splitCloudKeys"
  | "splitCsr"
  | "splitModemKey"
  | "fleetCloudKeys"
  | "fleetCsr"
  | "fleetModemKey"
  | "ownCertificate";

export const provisioningWays: readonly ProvisioningWay[] = [
  "splitCloudKeys",
  "splitCsr",
  "splitModemKey",
  "fleetCloudKeys",
  "fleetCsr",
  "fleetModemKey",
  "ownCertificate",
];

const suffixes = { cloud: "CloudKeys", csr: "Csr", modem: "ModemKey" } as const;

export function wayOf(method: ProvisioningMethod): ProvisioningWay {
  if (method.kind === "ownCertificate") return method.kind;
  return `${method.kind}${suffixes[method.keys ?? "cloud"]}`;
}

export function keysOf(method: ProvisioningMethod): KeyOrigin | "own" {
  return method.kind === "ownCertificate" ? "own" : (method.keys ?? "cloud");
}
