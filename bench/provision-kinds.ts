// What `npm run bench -- provision` measures, and what its processes tell each other.
import type { ProvisioningMethod } from "@thingline/device/provisioning";
import type { KeyKind } from "@thingline/transport";

export interface ProvisionKind {
  name: string;
  method: ProvisioningMethod;
  /** Where the key is made, and which. */
  keysOf: "cloud" | "device";
  keyKind: KeyKind;
}

export const templateName = "bench";
const fleet = { kind: "fleet", template: templateName } as const;

export const provisionKinds: readonly ProvisionKind[] = [
  { name: "split, RSA keys of the cloud", method: { kind: "split" }, keysOf: "cloud", keyKind: "rsa-2048" },
  {
    name: "split, RSA keys by CSR",
    method: { kind: "split", keys: "csr", keyKind: "rsa-2048" },
    keysOf: "device",
    keyKind: "rsa-2048",
  },
  {
    name: "split, EC keys by CSR",
    method: { kind: "split", keys: "csr", keyKind: "ec-p256" },
    keysOf: "device",
    keyKind: "ec-p256",
  },
  {
    name: "fleet, RSA keys of the cloud",
    method: { ...fleet, keys: "cloud" },
    keysOf: "cloud",
    keyKind: "rsa-2048",
  },
  {
    name: "fleet, EC keys by CSR",
    method: { ...fleet, keys: "csr", keyKind: "ec-p256" },
    keysOf: "device",
    keyKind: "ec-p256",
  },
];

export interface TlsPems {
  ca: string;
  certificate: string;
  privateKey: string;
}

/** Where devices are provisioned, and by which claim. */
export interface ProvisionCloudFacts {
  port: number;
  claim: TlsPems;
  /** Of the listener: the bare loop has the same. */
  server: TlsPems;
  /** For the second handshakes of the bare loop. */
  own: Record<KeyKind, TlsPems>;
}

export interface ProcessorFacts {
  cpuSeconds: number;
}

export type ProvisionCloudTask = { do: "open" } | { do: "askProcessor" } | { do: "close" };

export interface DevicesTask {
  count: number;
  /** How many at a time. */
  lanes: number;
  kind: ProvisionKind;
  /** Names of devices begin so: each is provisioned once. */
  prefix: string;
  cloud: ProvisionCloudFacts;
}

export interface DevicesFacts {
  seconds: number;
  cpuSeconds: number;
  /** Devices whose first attempt was refused, and that asked again. */
  notes: number;
  /** Mean of the devices, by step, in order. */
  steps: { name: string; ms: number }[];
}

export type BareServerTask =
  | {
      do: "listen";
      server: TlsPems;
      keyKind: KeyKind | undefined;
      /** The certificate that each device is sent. */
      issued: string;
    }
  | { do: "askProcessor" }
  | { do: "close" };
export interface BareServerFacts {
  port: number;
}

export interface BareTask {
  count: number;
  lanes: number;
  /** Made by the client between its handshakes; undefined: the server makes one during the first. */
  keyKind: KeyKind | undefined;
  port: number;
  claim: TlsPems;
  /** One for all: a pair of the same kind costs as much. */
  own: TlsPems;
}

export interface BareFacts {
  seconds: number;
  cpuSeconds: number;
}
