import { toHex } from "@thingline/protocol";
import { decodePercent, encodePercent } from "@thingline/protocol/restjson";
import type { Keys } from "@thingline/transport";

// Signature Version 4, for those who verify it and for those who sign.

export const algorithm = "AWS4-HMAC-SHA256";

/**
 * How a path is written where it is signed. `encodedTwice`: dot segments and empty ones are resolved, and what is encoded is encoded once
 * more, as every service but S3 does. `encodedOnce`: as S3 does, whose keys may have any segment.
 */
export type PathStyle = "encodedTwice" | "encodedOnce";

/** What a signature is over. */
export interface CanonicalParts {
  method: string;
  /** As it came, percent-encoding and all. */
  rawPath: string;
  /** Without the `?`, and without the signature. */
  rawQuery: string;
  /** Lower-case names. */
  headers: Readonly<Record<string, string>>;
  signedHeaders: readonly string[];
  /** SHA-256 of the body in hexadecimal, or the word that stands for it. */
  bodyHash: string;
  pathStyle: PathStyle;
}

export interface SigningScope {
  /** `20260102` */
  day: string;
  region: string;
  service: string;
  /** `20260102T030405Z` */
  date: string;
  secretAccessKey: string;
}

const encoder = new TextEncoder();

/** @see AWS General Reference, "Create a signed AWS API request" */
export function canonicalRequest(parts: CanonicalParts): string {
  const { method, rawPath, rawQuery, signedHeaders, bodyHash, pathStyle } = parts;
  const headers = signedHeaders.map((name) => {
    // "constructor" is no header that came, and still a member of every object.
    const value = (Object.hasOwn(parts.headers, name) ? (parts.headers[name] ?? "") : "").trim().replace(/ +/g, " ");
    return `${name}:${value}\n`;
  });
  const path = pathStyle === "encodedOnce" ? pathEncodedOnce(rawPath) : pathEncodedTwice(rawPath);
  return [method, path, canonicalQuery(rawQuery), headers.join(""), signedHeaders.join(";"), bodyHash].join("\n");
}

/** Hexadecimal. */
export function signatureOf(
  canonical: string,
  { day, region, service, date, secretAccessKey }: SigningScope,
  keys: Pick<Keys, "sha256" | "hmacSha256">,
): string {
  const mac = (key: Uint8Array, text: string) => keys.hmacSha256(key, encoder.encode(text));
  const start = encoder.encode(`AWS4${secretAccessKey}`);
  const signingKey = [day, region, service, "aws4_request"].reduce(mac, start);
  const scope = `${day}/${region}/${service}/aws4_request`;
  const text = [algorithm, date, scope, toHex(keys.sha256(encoder.encode(canonical)))].join("\n");
  return toHex(mac(signingKey, text));
}

function pathEncodedTwice(rawPath: string): string {
  const segments: string[] = [];
  for (const segment of rawPath.split("/")) {
    if (segment === "..") segments.pop();
    else if (segment !== "" && segment !== ".") segments.push(encodePercent(segment));
  }
  const end = segments.length > 0 && rawPath.endsWith("/") ? "/" : "";
  return `/${segments.join("/")}${end}`;
}

const pathEncodedOnce = (rawPath: string) => rawPath.split("/").map(encodedOnce).join("/");

function canonicalQuery(rawQuery: string): string {
  const pairs = rawQuery
    .split("&")
    .filter((part) => part !== "")
    .map((part): [string, string] => {
      const equals = part.indexOf("=");
      const halves = equals < 0 ? [part, ""] : [part.slice(0, equals), part.slice(equals + 1)];
      const [name = "", value = ""] = halves.map(encodedOnce);
      return [name, value];
    });
  return pairs
    .sort(([leftName, left], [rightName, right]) => compare(leftName, rightName) || compare(left, right))
    .map(([name, value]) => `${name}=${value}`)
    .join("&");
}

/** Whether a signer encodes a character that need not be is its own affair. */
const encodedOnce = (text: string) => encodePercent(decodePercent(text) ?? text);

const compare = (left: string, right: string) => (left < right ? -1 : left > right ? 1 : 0);

/** `20260102T030405Z` */
export function basicDate(unixMs: number): string {
  return new Date(unixMs).toISOString().replace(/[-:]|\.\d{3}/g, "");
}

/** @returns 0 for what is no such time */
export function parseBasicDate(text: string): number {
  const iso = text.replace(/^(\d{4})(\d{2})(\d{2})T(\d{2})(\d{2})(\d{2})Z$/, "$1-$2-$3T$4:$5:$6Z");
  return Date.parse(iso) || 0;
}
