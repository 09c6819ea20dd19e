import { createHash } from "node:crypto";
import { InvalidArgumentError } from "commander";
import {
  type ImageDependency,
  type ImageVersion,
  parseVersion,
  vendorTlvMax,
  vendorTlvMin,
} from "@thingline/protocol/image";

/** A custom TLV of `firmware sign`. */
export interface CustomTlv {
  readonly type: number;
  readonly value: Uint8Array;
}

/** What the words behind the options of `firmware` may be. Each throws what commander reports with the option's name. */
export const firmwareValues = {
  /** Decimal, or with 0x, 0o or 0b before it. */
  number: (text: string): number => {
    const value = numberOf(text);
    if (value === undefined || value > 0xffff_ffff) {
      throw new InvalidArgumentError("A whole number up to 4294967295; hexadecimal with 0x.");
    }
    return value;
  },
  version: (text: string): ImageVersion => {
    const version = parseVersion(text);
    if (version !== undefined) return version;
    throw new InvalidArgumentError("A version is major[.minor[.revision[+build]]], up to 255.255.65535+4294967295.");
  },
  securityCounter: (text: string): number | "auto" => (/^auto$/i.test(text) ? "auto" : firmwareValues.number(text)),
  /** `1:2.3.4`, or `(1, 2.3.4), (2, 1.0.0)` as MCUboot's tool takes it. */
  dependencies: (text: string, before: readonly ImageDependency[] = []): readonly ImageDependency[] => {
    const found = dependenciesOf(text);
    if (found !== undefined) return [...before, ...found];
    throw new InvalidArgumentError('An image and its least version: 1:2.3.4+5, or "(1, 2.3.4+5)".');
  },
  customTlv: (text: string, before: readonly CustomTlv[] = []): readonly CustomTlv[] => {
    const [, type = "", value = ""] = /^([^=]+)=(.*)$/s.exec(text) ?? [];
    const number = numberOf(type);
    const bytes = customValueOf(value);
    if (number !== undefined && number >= vendorTlvMin && number <= vendorTlvMax && bytes !== undefined) {
      return [...before, { type: number, value: bytes }];
    }
    throw new InvalidArgumentError("A type from 0xa0 to 0xfffe and its value: 0xa0=text, or 0xa0=0x0102 for bytes.");
  },
};

function numberOf(text: string): number | undefined {
  return /^(?:0|[1-9]\d*|0[xX][\da-fA-F]+|0[oO][0-7]+|0[bB][01]+)$/.test(text) ? Number(text) : undefined;
}

function dependenciesOf(text: string): readonly ImageDependency[] | undefined {
  const isOfTool = /^\s*\(.*\)\s*$/s.test(text);
  const parts = isOfTool ? text.split(/(?<=\))\s*,\s*/) : [text];
  const found: ImageDependency[] = [];
  for (const part of parts) {
    const match = isOfTool ? /^\s*\((\d+)\s*,\s*([\d.+]+)\)\s*$/.exec(part) : /^(\d+):([\d.+]+)$/.exec(part);
    const version = parseVersion(match?.[2] ?? "");
    const imageNumber = Number(match?.[1]);
    if (version === undefined || imageNumber > 255) return undefined;
    found.push({ imageNumber, version });
  }
  return found;
}

function customValueOf(text: string): Uint8Array | undefined {
  if (!text.startsWith("0x")) return new TextEncoder().encode(text);
  return /^0x(?:[\da-fA-F]{2})*$/.test(text) ? new Uint8Array(Buffer.from(text.slice(2), "hex")) : undefined;
}

/** DNS, of RFC 9562, 6.6: what vendors' names are of. */
export const vendorNamespace: Uint8Array = new Uint8Array(Buffer.from("6ba7b8109dad11d180b400c04fd430c8", "hex"));

/**
 * A UUID with or without its hyphens, or a name, of which version 5 makes one: a vendor's among domain names, a class's among its vendor's.
 *
 * @returns undefined for a name without a namespace, and for what is no name.
 */
export function uuidOf(text: string, namespace: Uint8Array | undefined): Uint8Array | undefined {
  const isUuid = /^[\da-f]{8}-(?:[\da-f]{4}-){3}[\da-f]{12}$|^[\da-f]{32}$/i.test(text);
  if (isUuid) return new Uint8Array(Buffer.from(text.replaceAll("-", ""), "hex"));
  if (namespace === undefined || text === "" || /\p{Cc}/u.test(text)) return undefined;
  const bytes = new Uint8Array(createHash("sha1").update(namespace).update(text).digest().subarray(0, 16));
  bytes[6] = ((bytes[6] ?? 0) & 0x0f) | 0x50;
  bytes[8] = ((bytes[8] ?? 0) & 0x3f) | 0x80;
  return bytes;
}
