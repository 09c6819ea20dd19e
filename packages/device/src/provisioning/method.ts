import type { DistinguishedName } from "@thingline/protocol/x509";
import type { KeyKind } from "@thingline/transport";

/** Key and certificate in two messages, for TLS that cannot take both in one: what Nordic's sample and its cloud half do. The default. */
export interface SplitMethod {
  kind: "split";
}

/** AWS IoT's fleet provisioning by claim: a certificate, then RegisterThing with its ownership token under a template. */
export interface FleetMethod {
  kind: "fleet";
  /** The name of the provisioning template. */
  template: string;
  /** For the template and its hook. Default none. */
  parameters?: Readonly<Record<string, string>>;
  /** How the messages are written. Default `cbor`, which is smaller by the escapes of a PEM's line ends. */
  format?: "json" | "cbor";
  /**
   * Where the private key is made. `cloud`: it comes with the certificate in one message, which no modem's TLS can take. `csr`: here, and
   * written to the device's tag before anything is asked for. `modem`: inside the modem, by {@link KeyMaker}. The last two never let it leave.
   */
  keys: "cloud" | "csr" | "modem";
  /** For `csr`. Default `ec-p256`. */
  keyKind?: KeyKind;
  /** Of the certificate request, for `csr` and `modem`. Default `CN=<client id>`. */
  subject?: DistinguishedName;
  /** The client id of the device's own connection. Default `clientId`; `thingName` is what RegisterThing answers, where it names a thing. */
  connectsAs?: "clientId" | "thingName";
}

/**
 * A certificate of one's own CA that is in the device's tag already (JITP, JITR): no claim. The cloud registers it at the first connection,
 * which it closes, so the device connects until it is let in.
 */
export interface OwnCertificateMethod {
  kind: "ownCertificate";
}

export type ProvisioningMethod = SplitMethod | FleetMethod | OwnCertificateMethod;

/**
 * A claim that is not in a security tag yet, as `CreateProvisioningClaim` gives it to a trusted user for five minutes. It is written to the
 * claim's tag first, and deleted from there once the device's own credentials are proved.
 */
export interface ClaimMaterial {
  certificatePem: string;
  privateKeyPem: string;
  /** Default: what the claim's tag holds, else Amazon Root CA 1. */
  caPem?: string;
  /** Unix time in ms. After it the claim is not tried any more. */
  expiresAtUnixMs?: number;
}

/** For texts, views and files: which of the ways this is. */
export type ProvisioningWay = "split" | "fleetCloudKeys" | "fleetCsr" | "fleetModemKey" | "ownCertificate";

export function wayOf(method: ProvisioningMethod): ProvisioningWay {
  if (method.kind !== "fleet") return method.kind;
  return ({ cloud: "fleetCloudKeys", csr: "fleetCsr", modem: "fleetModemKey" } as const)[method.keys];
}
