import type { KeyOrigin, ProvisioningMethod } from "@thingline/device/provisioning";
import { UsageError } from "./failure.js";
import { readNameValues } from "./name-values.js";

/** As people name the ways of provisioning; `docs/provisioning.md` has a table of them. */
export const methodNames = [
  "split",
  "split-csr",
  "split-modem-key",
  "fleet",
  "csr",
  "modem-key",
  "own-certificate",
] as const;
export type MethodName = (typeof methodNames)[number];

/** Key and certificate come in messages of their own; no template. */
export const isSplit = (method: MethodName): boolean => method.startsWith("split");

export const messageFormats = ["json", "cbor"] as const;
/** Whose name a device has after it was registered. */
export const connectNames = ["thing", "client-id"] as const;

export interface MethodOptions {
  method: MethodName;
  template?: string;
  parameter?: string[];
  format?: (typeof messageFormats)[number];
  keyKind?: "ec-p256" | "rsa-2048";
  connectAs?: (typeof connectNames)[number];
}

/** What stands for this device in the value of a parameter. */
export interface DeviceWords {
  name: string;
  imei: string;
}

const keysOf: Readonly<Record<Exclude<MethodName, "own-certificate">, KeyOrigin>> = {
  split: "cloud",
  "split-csr": "csr",
  "split-modem-key": "modem",
  fleet: "cloud",
  csr: "csr",
  "modem-key": "modem",
};
const makers = { cloud: "the cloud", modem: "the modem" } as const;

/**
 * What the device library is told. `{name}` and `{imei}` in parameters are replaced by the device's.
 *
 * @throws {UsageError} for options that do not go together.
 */
export function provisioningMethod(options: MethodOptions, words: DeviceWords): ProvisioningMethod {
  const { method, template, format, keyKind, connectAs = "thing" } = options;
  if (isSplit(method) || method === "own-certificate") {
    for (const name of ["template", "parameter", "format", "connectAs"] as const) {
      if (options[name] !== undefined) {
        throw new UsageError(`--${dashed(name)} is for --method fleet, csr and modem-key, not for ${method}`);
      }
    }
  }
  const keys = method === "own-certificate" ? undefined : keysOf[method];
  if (keyKind !== undefined && keys !== "csr") {
    const why = keys === undefined ? "the key is there" : `${makers[keys]} makes the key`;
    throw new UsageError(`--key-kind is for --method csr and split-csr: with ${method} ${why}`);
  }
  if (keys === undefined) return { kind: "ownCertificate" };
  if (isSplit(method)) {
    return { kind: "split", ...(keys !== "cloud" && { keys }), ...(keyKind !== undefined && { keyKind }) };
  }
  if (template === undefined) {
    const claim = "the --claim FOLDER of `claim create --template NAME`, which knows it";
    throw new UsageError(`--method ${method} needs --template NAME, or ${claim}`);
  }
  const entries = Object.entries(readNameValues(options.parameter ?? [], "--parameter"));
  return {
    kind: "fleet",
    template,
    keys,
    parameters: Object.fromEntries(entries.map(([name, value]) => [name, fill(value, words)])),
    ...(format !== undefined && { format }),
    ...(keyKind !== undefined && { keyKind }),
    connectsAs: connectAs === "thing" ? "thingName" : "clientId",
  };
}

function fill(value: string, { name, imei }: DeviceWords): string {
  return value.replaceAll("{name}", () => name).replaceAll("{imei}", () => imei);
}

const dashed = (name: string) => name.replace(/[A-Z]/g, (letter) => `-${letter.toLowerCase()}`);

/** For people, of a flow that begins. */
export function methodText({ method, template }: MethodOptions): string {
  return {
    split: "key and certificate in two messages",
    "split-csr": "split messages, a key of the device's own",
    "split-modem-key": "split messages, a key made inside the modem",
    fleet: `fleet provisioning, template ${template}, the cloud makes the key`,
    csr: `fleet provisioning, template ${template}, a key of the device's own`,
    "modem-key": `fleet provisioning, template ${template}, a key made inside the modem`,
    "own-certificate": "a certificate of one's own CA",
  }[method];
}
