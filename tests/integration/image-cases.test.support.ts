// One table of images for MCUboot's tool and for this library: what one is told by flags, the other is told by options.
import { createHash } from "node:crypto";
import { parseVersion, type ImageKeyType, type SignImageOptions } from "@thingline/protocol/image";

/** Flags of `imgtool sign`, without their dashes. */
export type ImageFlags = Readonly<Record<string, string | true | readonly string[]>>;

export interface ImageCase {
  readonly name: string;
  readonly key?: ImageKeyType;
  readonly flags?: ImageFlags;
  /** The binary begins with zeros where the header goes, and `--pad-header` is left out. */
  readonly hasRoom?: boolean;
}

/** What the flags of a case are added to. */
export const commonFlags: ImageFlags = {
  version: "1.2.3+4",
  "header-size": "0x40",
  "slot-size": "0x8000",
};

const keyed: readonly ImageKeyType[] = ["rsa-2048", "rsa-3072", "ecdsa-p256", "ecdsa-p384", "ed25519"];
const vendor = "6ba7b810-9dad-11d1-80b4-00c04fd430c8";
const small: ImageFlags = { "slot-size": "0x600", "max-sectors": "8" };

export const imageCases: readonly ImageCase[] = [
  { name: "unsigned" },
  { name: "unsigned-sha384", flags: { sha: "384" } },
  { name: "unsigned-sha512", flags: { sha: "512" } },
  ...keyed.map((key) => ({ name: key, key })),
  ...keyed.map((key) => ({ name: `${key}-full-key`, key, flags: { "public-key-format": "full" } })),
  { name: "ed25519-sha512", key: "ed25519", flags: { sha: "512" } },
  { name: "ed25519-pure", key: "ed25519", flags: { pure: true } },
  { name: "ed25519-pure-full-key", key: "ed25519", flags: { pure: true, "public-key-format": "full" } },
  { name: "ecdsa-p256-padded-signature", key: "ecdsa-p256", flags: { "pad-sig": true } },
  { name: "ecdsa-p384-padded-signature", key: "ecdsa-p384", flags: { "pad-sig": true } },
  { name: "counter", key: "ed25519", flags: { "security-counter": "7" } },
  { name: "counter-0", key: "ed25519", flags: { "security-counter": "0" } },
  { name: "counter-auto", key: "ed25519", flags: { "security-counter": "auto", version: "255.254.65533+4294967295" } },
  { name: "dependency", key: "ecdsa-p256", flags: { dependencies: "(1, 2.3.4+5)" } },
  { name: "dependencies", key: "ed25519", flags: { dependencies: "(0, 1.0.0+0), (3, 255.255.65535+4294967295)" } },
  { name: "boot-record-unsigned", flags: { "boot-record": "SPE" } },
  { name: "boot-record", key: "ecdsa-p256", flags: { "boot-record": "ABCDEFGHIJKL" } },
  { name: "boot-record-sha384", key: "ecdsa-p384", flags: { "boot-record": "NSPE" } },
  { name: "ids", key: "ed25519", flags: { vid: vendor, cid: vendor.replaceAll("-", "").toUpperCase() } },
  { name: "ids-by-name", key: "ed25519", flags: { vid: "nordicsemi.com", cid: "nRF9160 pump" } },
  { name: "custom-text", key: "ed25519", flags: { "custom-tlv": ["0xa0", "hello"] } },
  { name: "custom-bytes", key: "ed25519", flags: { "custom-tlv": ["0xfffe", "0x00ff10"] } },
  {
    name: "everything-protected",
    key: "rsa-2048",
    flags: {
      "security-counter": "4294967295",
      "boot-record": "SPE",
      dependencies: "(1, 1.2)",
      vid: vendor,
      cid: vendor,
      "custom-tlv": ["0x1a0", "x"],
    },
  },
  { name: "version-of-one-number", flags: { version: "7" } },
  { name: "version-0", flags: { version: "0.0.0+0" } },
  { name: "non-bootable", key: "ed25519", flags: { "non-bootable": true } },
  { name: "load-address", key: "ed25519", flags: { "load-addr": "0x20000000" } },
  { name: "fixed-address", key: "ed25519", flags: { "rom-fixed": "0xc000" } },
  { name: "erased-0", key: "ed25519", flags: { ...small, "erased-val": "0", pad: true } },
  { name: "padded", key: "ed25519", flags: { ...small, pad: true } },
  { name: "test", key: "ecdsa-p256", flags: { ...small, test: true, align: "4" } },
  { name: "confirmed", key: "ed25519", flags: { ...small, confirm: true, align: "8" } },
  { name: "confirmed-align-16", key: "ed25519", flags: { ...small, confirm: true, align: "16", "slot-size": "0x800" } },
  { name: "confirmed-align-32", key: "ed25519", flags: { ...small, confirm: true, align: "32", "slot-size": "0x800" } },
  { name: "confirmed-max-align-32", key: "ed25519", flags: { ...small, confirm: true, align: "4", "max-align": "32" } },
  { name: "confirmed-max-align-16", key: "ed25519", flags: { ...small, confirm: true, align: "8", "max-align": "16" } },
  { name: "overwrite-only", key: "ed25519", flags: { "slot-size": "0x400", "overwrite-only": true, pad: true } },
  {
    name: "overwrite-only-confirmed",
    key: "ed25519",
    flags: { "slot-size": "0x400", "overwrite-only": true, confirm: true, align: "16" },
  },
  { name: "room-for-the-header", key: "ed25519", hasRoom: true },
  { name: "default-sectors", flags: { "slot-size": "0x800", pad: true, align: "1" } },
];

const code: Uint8Array = Uint8Array.from({ length: 301 }, (_none, at) => (at * 167 + (at >> 3)) & 0xff);

/** What is signed: the same in every case, but for the room that one has. */
export function binaryOf({ hasRoom = false }: ImageCase): Uint8Array {
  return hasRoom ? Buffer.concat([new Uint8Array(0x40), code]) : code;
}

export function flagsOf({ flags, hasRoom = false }: ImageCase): ImageFlags {
  return { ...commonFlags, ...(!hasRoom && { "pad-header": true }), ...flags };
}

/** The slot that the trailer of a padded image belongs to. */
export function isPadded(flags: ImageFlags): boolean {
  return ["pad", "test", "confirm"].some((name) => flags[name] === true);
}

/** As `imgtool sign` is called. */
export function argumentsOf(flags: ImageFlags): string[] {
  return Object.entries(flags).flatMap(([name, value]) => [
    `--${name}`,
    ...(value === true ? [] : typeof value === "string" ? [value] : value),
  ]);
}

/** As `signImage()` is called, without crypto and key. */
export function optionsOf(flags: ImageFlags): Omit<SignImageOptions, "crypto" | "privateKeyPem"> {
  const text = (name: string): string | undefined => (typeof flags[name] === "string" ? flags[name] : undefined);
  const number = (name: string): number | undefined => (text(name) === undefined ? undefined : Number(text(name)));
  const has = (name: string): boolean => flags[name] === true;
  const counter = text("security-counter");
  const vendorId = idOf(text("vid"), dnsNamespace);
  const custom = flags["custom-tlv"] as readonly [string, string] | undefined;
  return {
    version: parseVersion(text("version") ?? "") ?? { major: 0, minor: 0, revision: 0, build: 0 },
    headerBytes: number("header-size") ?? 0,
    padsHeader: has("pad-header"),
    slotBytes: number("slot-size"),
    writeBytes: number("align"),
    alignBytes: number("max-align"),
    sectorsMax: number("max-sectors"),
    isOverwriteOnly: has("overwrite-only"),
    pad: has("confirm") ? "confirmed" : has("pad") || has("test") ? "test" : undefined,
    erasedByte: number("erased-val"),
    securityCounter: counter === "auto" ? counter : number("security-counter"),
    dependencies: dependenciesOf(text("dependencies") ?? ""),
    bootRecord: text("boot-record"),
    vendorId,
    classId: idOf(text("cid"), vendorId),
    customTlvs: custom && [{ type: Number(custom[0]), value: customValue(custom[1]) }],
    loadAddress: number("load-addr"),
    fixedAddress: number("rom-fixed"),
    isNonBootable: has("non-bootable"),
    hash: text("sha") === undefined ? undefined : (`sha${text("sha")}` as SignImageOptions["hash"]),
    isPure: has("pure"),
    publicKeyFormat: text("public-key-format") as SignImageOptions["publicKeyFormat"],
    padsSignature: has("pad-sig"),
  };
}

function dependenciesOf(text: string): SignImageOptions["dependencies"] {
  return [...text.matchAll(/\((\d+), ([\d.+]+)\)/g)].map(([, imageNumber = "", version = ""]) => {
    const parsed = parseVersion(version);
    if (parsed === undefined) throw new Error(version);
    return { imageNumber: Number(imageNumber), version: parsed };
  });
}

function customValue(text: string): Uint8Array {
  return text.startsWith("0x") ? Buffer.from(text.slice(2), "hex") : Buffer.from(text);
}

/** Of RFC 9562. */
const dnsNamespace = Buffer.from("6ba7b8109dad11d180b400c04fd430c8", "hex");

function idOf(text: string | undefined, namespace: Uint8Array | undefined): Uint8Array | undefined {
  if (text === undefined) return undefined;
  const hex = text.replaceAll("-", "");
  if (/^[0-9a-f]{32}$/i.test(hex)) return Buffer.from(hex, "hex");
  const bytes = createHash("sha1")
    .update(namespace ?? new Uint8Array())
    .update(text)
    .digest()
    .subarray(0, 16);
  bytes[6] = ((bytes[6] ?? 0) & 0x0f) | 0x50;
  bytes[8] = ((bytes[8] ?? 0) & 0x3f) | 0x80;
  return bytes;
}
