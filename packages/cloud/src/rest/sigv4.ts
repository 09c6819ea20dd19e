import { toHex } from "@thingline/protocol";
import type { Keys } from "@thingline/transport";
import { algorithm, basicDate, canonicalRequest, parseBasicDate, signatureOf, type PathStyle } from "../signature.js";
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
  presigned?: {
    date: string;
    expiresSeconds: number;
    bodyHash: string | undefined;
    sessionToken: string | undefined;
  };
}

/** A refusal, worded as AWS does. */
export interface SignatureFault {
  code: string;
  message: string;
}

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
  return isSignedBy(accessKey, request, authorization, { keys, date, bodyHash: claimedHash, pathStyle: "encodedTwice" })
    ? undefined
    : invalid(
        "The request signature we calculated does not match the signature you provided. Check your AWS Secret Access Key and signing method. Consult the service documentation for details.",
      );
}

/** Whether the signature is that of the key over the head of the request and the hash that stands for its body. */
export function isSignedBy(
  { secretAccessKey }: AccessKey,
  { method, rawPath, rawQuery, headers }: Omit<SignedRequest, "body">,
  { region, service, date: day, signedHeaders, signature, presigned }: Authorization,
  { keys, date, bodyHash, pathStyle }: { keys: Keys; date: string; bodyHash: string; pathStyle: PathStyle },
): boolean {
  // The signature in a query is over the rest of it.
  const isSigned = (part: string) => presigned === undefined || !/^X-Amz-Signature(=|$)/.test(part);
  const signedQuery = rawQuery.split("&").filter(isSigned).join("&");
  const canonical = canonicalRequest({
    method,
    rawPath,
    rawQuery: signedQuery,
    headers,
    signedHeaders,
    bodyHash,
    pathStyle,
  });
  return isEqual(signatureOf(canonical, { region, service, day, date, secretAccessKey }, keys), signature);
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

/** Takes the same time wherever the first difference is. */
function isEqual(left: string, right: string): boolean {
  let difference = left.length ^ right.length;
  for (let index = 0; index < left.length; index++) difference |= left.charCodeAt(index) ^ right.charCodeAt(index);
  return difference === 0;
}

const invalid = (message: string): SignatureFault => ({ code: "InvalidSignatureException", message });
export const incomplete = (message: string): SignatureFault => ({ code: "IncompleteSignatureException", message });
