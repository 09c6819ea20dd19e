import { toHex } from "@thingline/protocol";
import { decodePercent, encodePercent } from "@thingline/protocol/restjson";
import type { Keys } from "@thingline/transport";
import type { AccessKey } from "./access-keys.js";

/** How far the clock of a signer may be off. */
export const clockSkewMinutesMax = 15;

export interface SignedRequest {
  method: string;
  /** As it came, percent-encoding and all. */
  rawPath: string;
  /** Without the `?`. */
  rawQuery: string;
  /** Lower-case names. */
  headers: Readonly<Record<string, string>>;
  body: Uint8Array;
}

/** What an Authorization header, or the query of a presigned URL, claims. */
export interface Authorization {
  accessKeyId: string;
  /** `20260102` */
  date: string;
  region: string;
  service: string;
  signedHeaders: readonly string[];
  signature: string;
  /** Set when the query has the signature. */
  presigned?: { date: string; expiresSeconds: number; bodyHash: string | undefined };
}

/** A refusal, worded as AWS does. */
export interface SignatureFault {
  code: string;
  message: string;
}

export const algorithm = "AWS4-HMAC-SHA256";
const encoder = new TextEncoder();

/** Reads the Authorization header of Signature Version 4. */
export function parseAuthorization(header: string): Authorization | SignatureFault {
  const rest = header.startsWith(`${algorithm} `) ? header.slice(algorithm.length + 1) : undefined;
  if (rest === undefined) return incomplete(`Authorization header must begin with '${algorithm}'.`);
  const parts = rest.split(",");
  const fields = new Map(
    parts.map((field): [string, string] => {
      const equals = field.indexOf("=");
      return equals < 0 ? [field.trim(), ""] : [field.slice(0, equals).trim(), field.slice(equals + 1).trim()];
    }),
  );
  if (fields.size < parts.length) return incomplete("Authorization header has a parameter more than once.");
  for (const name of ["Credential", "Signature", "SignedHeaders"]) {
    if (!fields.get(name)) return incomplete(`Authorization header requires '${name}' parameter.`);
  }
  const scope = parseScope(fields.get("Credential") ?? "");
  if ("code" in scope) return scope;
  return {
    ...scope,
    signedHeaders: (fields.get("SignedHeaders") ?? "").toLowerCase().split(";"),
    signature: fields.get("Signature") ?? "",
  };
}

type CredentialScope = Pick<Authorization, "accessKeyId" | "date" | "region" | "service">;

export function parseScope(credential: string): CredentialScope | SignatureFault {
  const scope = credential.split("/");
  const [date = "", region = "", service = "", terminator] = scope.slice(-4);
  const isScope = scope.length >= 5 && /^\d{8}$/.test(date) && /^[a-z0-9-]{1,40}$/.test(region);
  if (!isScope || !/^[A-Za-z0-9_-]{1,40}$/.test(service) || terminator !== "aws4_request") {
    return incomplete("Credential must have exactly 5 slash-delimited elements, e.g. keyid/date/region/service/term.");
  }
  return { accessKeyId: scope.slice(0, -4).join("/"), date, region, service };
}

export interface ClaimOptions {
  accessKeys: readonly AccessKey[];
  nowMs: number;
}

/** All that can be said before the body is there. @returns undefined when the key is known and the date good. */
export function verifyClaims(
  request: Omit<SignedRequest, "body">,
  authorization: Authorization,
  { accessKeys, nowMs }: ClaimOptions,
): SignatureFault | undefined {
  if (findKey(accessKeys, authorization) === undefined) {
    const message = "The security token included in the request is invalid.";
    return { code: "UnrecognizedClientException", message };
  }
  const { presigned } = authorization;
  const date = dateOf(request, authorization);
  if (!/^\d{8}T\d{6}Z$/.test(date))
    return incomplete("Authorization header requires existence of an 'X-Amz-Date' header.");
  if (!date.startsWith(authorization.date)) {
    return invalid(
      `Date in Credential scope does not match YYYYMMDD from ISO-8601 version of date from HTTP: '${authorization.date}' != '${date.slice(0, 8)}', from '${date}'.`,
    );
  }
  const fault = presigned === undefined ? skewFault(date, nowMs) : expiryFault(date, presigned.expiresSeconds, nowMs);
  if (fault !== undefined) return fault;
  if (!authorization.signedHeaders.includes("host"))
    return invalid("'Host' must be a 'SignedHeader' in the AWS Authorization.");
  return undefined;
}

/** @returns undefined when the signature is right and fresh. */
export function verifySignature(
  request: SignedRequest,
  authorization: Authorization,
  options: ClaimOptions & { keys: Keys },
): SignatureFault | undefined {
  const { accessKeys, keys } = options;
  const fault = verifyClaims(request, authorization, options);
  const accessKey = findKey(accessKeys, authorization);
  if (fault !== undefined || accessKey === undefined) return fault;
  const bodyHash = toHex(keys.sha256(request.body));
  const claimedHash = request.headers["x-amz-content-sha256"] ?? authorization.presigned?.bodyHash ?? bodyHash;
  if (claimedHash !== bodyHash && claimedHash !== "UNSIGNED-PAYLOAD") {
    return invalid("The provided 'x-amz-content-sha256' header does not match what was computed.");
  }
  const date = dateOf(request, authorization);
  const signature = sign(canonicalRequest(request, authorization, claimedHash), authorization, date, accessKey, keys);
  if (isEqual(signature, authorization.signature)) return undefined;
  return invalid(
    "The request signature we calculated does not match the signature you provided. Check your AWS Secret Access Key and signing method. Consult the service documentation for details.",
  );
}

const findKey = (accessKeys: readonly AccessKey[], { accessKeyId }: Authorization) =>
  accessKeys.find((key) => key.accessKeyId === accessKeyId);

const dateOf = ({ headers }: Pick<SignedRequest, "headers">, { presigned }: Authorization) =>
  presigned?.date ?? headers["x-amz-date"] ?? "";

export function wrongServiceFault(expected: string): SignatureFault {
  return invalid(`Credential should be scoped to correct service: '${expected}'.`);
}

function skewFault(date: string, nowMs: number): SignatureFault | undefined {
  const signedMs = parseBasicDate(date);
  const skewMs = clockSkewMinutesMax * 60_000;
  if (signedMs < nowMs - skewMs) {
    const now = `${basicDate(nowMs - skewMs)} (${basicDate(nowMs)} - ${clockSkewMinutesMax} min.)`;
    return invalid(`Signature expired: ${date} is now earlier than ${now}`);
  }
  if (signedMs <= nowMs + skewMs) return undefined;
  const now = `${basicDate(nowMs + skewMs)} (${basicDate(nowMs)} + ${clockSkewMinutesMax} min.)`;
  return invalid(`Signature not yet current: ${date} is still later than ${now}`);
}

/** A presigned URL is good from its date on, which may be ahead as far as any clock, for as long as it says itself. */
function expiryFault(date: string, expiresSeconds: number, nowMs: number): SignatureFault | undefined {
  const endMs = parseBasicDate(date) + expiresSeconds * 1_000;
  // Of the two ends of the window of a signed header only the later one counts.
  if (nowMs <= endMs) return parseBasicDate(date) > nowMs ? skewFault(date, nowMs) : undefined;
  return invalid(`Signature expired: ${basicDate(endMs)} is now earlier than ${basicDate(nowMs)}`);
}

/** @see AWS General Reference, "Create a signed AWS API request" */
function canonicalRequest(request: SignedRequest, authorization: Authorization, bodyHash: string): string {
  const { signedHeaders } = authorization;
  const headers = signedHeaders.map((name) => {
    // "constructor" is no header that came, and still a member of every object.
    const value = (Object.hasOwn(request.headers, name) ? (request.headers[name] ?? "") : "")
      .trim()
      .replace(/ +/g, " ");
    return `${name}:${value}\n`;
  });
  const { method, rawPath } = request;
  // The signature in a query is over the rest of it.
  const isSigned = (part: string) => authorization.presigned === undefined || !/^X-Amz-Signature(=|$)/.test(part);
  const rawQuery = request.rawQuery.split("&").filter(isSigned).join("&");
  const names = signedHeaders.join(";");
  return [method, canonicalPath(rawPath), canonicalQuery(rawQuery), headers.join(""), names, bodyHash].join("\n");
}

/** Dot segments and empty ones are resolved; what is encoded is encoded once more, as every service but S3 does. */
function canonicalPath(rawPath: string): string {
  const segments: string[] = [];
  for (const segment of rawPath.split("/")) {
    if (segment === "..") segments.pop();
    else if (segment !== "" && segment !== ".") segments.push(encodePercent(segment));
  }
  const end = segments.length > 0 && rawPath.endsWith("/") ? "/" : "";
  return `/${segments.join("/")}${end}`;
}

function canonicalQuery(rawQuery: string): string {
  const pairs = rawQuery
    .split("&")
    .filter((part) => part !== "")
    .map((part): [string, string] => {
      const equals = part.indexOf("=");
      const halves = equals < 0 ? [part, ""] : [part.slice(0, equals), part.slice(equals + 1)];
      const [name = "", value = ""] = halves.map((half) => encodePercent(decodePercent(half) ?? half));
      return [name, value];
    });
  return pairs
    .sort(([leftName, left], [rightName, right]) => compare(leftName, rightName) || compare(left, right))
    .map(([name, value]) => `${name}=${value}`)
    .join("&");
}

const compare = (left: string, right: string) => (left < right ? -1 : left > right ? 1 : 0);

function sign(
  canonical: string,
  { date, region, service }: Authorization,
  dateTime: string,
  { secretAccessKey }: AccessKey,
  keys: Keys,
): string {
  const mac = (key: Uint8Array, text: string) => keys.hmacSha256(key, encoder.encode(text));
  const start = encoder.encode(`AWS4${secretAccessKey}`);
  const signingKey = [date, region, service, "aws4_request"].reduce(mac, start);
  const scope = `${date}/${region}/${service}/aws4_request`;
  const text = [algorithm, dateTime, scope, toHex(keys.sha256(encoder.encode(canonical)))].join("\n");
  return toHex(mac(signingKey, text));
}

/** Takes the same time wherever the first difference is. */
function isEqual(left: string, right: string): boolean {
  let difference = left.length ^ right.length;
  for (let index = 0; index < left.length; index++) difference |= left.charCodeAt(index) ^ right.charCodeAt(index);
  return difference === 0;
}

/** `20260102T030405Z` */
export function basicDate(unixMs: number): string {
  return new Date(unixMs).toISOString().replace(/[-:]|\.\d{3}/g, "");
}

function parseBasicDate(text: string): number {
  const iso = text.replace(/^(\d{4})(\d{2})(\d{2})T(\d{2})(\d{2})(\d{2})Z$/, "$1-$2-$3T$4:$5:$6Z");
  return Date.parse(iso) || 0;
}

const invalid = (message: string): SignatureFault => ({ code: "InvalidSignatureException", message });
export const incomplete = (message: string): SignatureFault => ({ code: "IncompleteSignatureException", message });
