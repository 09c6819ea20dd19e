import type { Keys } from "@thingline/transport";
import type { Scope } from "../../services/operation.js";
import { basicDate, parseBasicDate } from "../../signature.js";
import { accountOf, type AccessKey } from "../access-keys.js";
import { parsePresigned } from "../presigned.js";
import { sessionQuestion, type SessionKey, type SessionQuestion } from "../session-keys.js";
import { clockSkewMinutesMax, isSignedBy, parseAuthorization, type Authorization } from "../sigv4.js";
import { S3Fault } from "./fault.js";
import type { S3Request } from "./request.js";

export interface S3Identity {
  scope: Scope;
  isSigned: boolean;
  /** What stands for the content: a hash, or a word of S3's. */
  bodyHash: string;
}

export interface AuthenticateOptions {
  keys: Keys;
  nowMs: number;
  accessKeys: readonly AccessKey[];
  /** Of unsigned requests, if they are allowed; and the account of keys that have none. */
  scope: Scope;
  signatures: "verify" | "any";
  unsignedRequests: "allowed" | "refused";
}

export const unsignedPayload = "UNSIGNED-PAYLOAD";

/** What has to be looked up before {@link authenticate}: undefined where the signer's key is none of a session. @throws {S3Fault} */
export function sessionOfRequest(
  request: S3Request,
  { signatures, accessKeys }: Pick<AuthenticateOptions, "signatures" | "accessKeys">,
): SessionQuestion | undefined {
  if (signatures === "any") return undefined;
  const authorization = readAuthorization(request);
  return authorization && sessionQuestion(authorization, request.headers, accessKeys);
}

/** @throws {S3Fault} */
function accessKeysWith(session: SessionKey | undefined, accessKeys: readonly AccessKey[]): readonly AccessKey[] {
  if (session === undefined) return accessKeys;
  if (!("fault" in session)) return [session.accessKey];
  if (session.fault === "expired") throw new S3Fault("ExpiredToken", "The provided token has expired.");
  throw new S3Fault("InvalidToken", "The provided token is malformed or otherwise invalid.");
}

/**
 * Who asks. The signature is over the head, so the body need not be there.
 *
 * @param session what {@link sessionOfRequest} asked for
 * @throws {S3Fault}
 */
export function authenticate(
  request: S3Request,
  { accessKeys: permanentKeys, ...options }: AuthenticateOptions,
  session: SessionKey | undefined,
): S3Identity {
  const { scope, signatures, unsignedRequests } = options;
  const authorization = readAuthorization(request);
  if (authorization === undefined) {
    if (unsignedRequests === "refused") throw new S3Fault("AccessDenied", "Access Denied");
    return { scope, isSigned: false, bodyHash: request.headers["x-amz-content-sha256"] ?? unsignedPayload };
  }
  const accessKeys = accessKeysWith(session, permanentKeys);
  const { accessKeyId, region, presigned } = authorization;
  const bodyHash = request.headers["x-amz-content-sha256"] ?? (presigned && (presigned.bodyHash ?? unsignedPayload));
  if (bodyHash === undefined) {
    throw new S3Fault("InvalidRequest", "Missing required header for this request: x-amz-content-sha256");
  }
  if (signatures === "verify") verify(request, authorization, bodyHash, { ...options, accessKeys });
  const account = accountOf(accessKeyId, { accessKeys, own: scope.account, isAnyTaken: signatures === "any" });
  const owner = request.headers["x-amz-expected-bucket-owner"];
  if (owner !== undefined && owner !== account) throw new S3Fault("AccessDenied", "Access Denied");
  return { scope: { account, region }, isSigned: true, bodyHash };
}

function readAuthorization({ headers, rawQuery }: S3Request): Authorization | undefined {
  const header = headers["authorization"];
  const presigned = parsePresigned(rawQuery);
  if (header !== undefined && presigned !== undefined) {
    const message =
      "Only one auth mechanism allowed; only the X-Amz-Algorithm query parameter, Signature query string parameter or the Authorization header should be specified";
    throw new S3Fault("InvalidArgument", message);
  }
  if (presigned !== undefined) {
    if (/(?:^|&)AWSAccessKeyId=/.test(rawQuery)) throw oldSignature();
    if ("code" in presigned) throw new S3Fault("AuthorizationQueryParametersError", presigned.message);
    return requireService(presigned, "AuthorizationQueryParametersError");
  }
  if (header === undefined) return undefined;
  if (header.startsWith("AWS ")) throw oldSignature();
  const parsed = parseAuthorization(header);
  if ("code" in parsed) {
    throw new S3Fault("AuthorizationHeaderMalformed", `The authorization header is malformed; ${parsed.message}`);
  }
  return requireService(parsed, "AuthorizationHeaderMalformed");
}

const oldSignature = () =>
  new S3Fault(
    "InvalidRequest",
    "The authorization mechanism you have provided is not supported. Please use AWS4-HMAC-SHA256. (AWS CLI: aws configure set default.s3.signature_version s3v4)",
  );

function requireService(
  authorization: Authorization,
  code: "AuthorizationHeaderMalformed" | "AuthorizationQueryParametersError",
): Authorization {
  const { service } = authorization;
  if (service === "s3") return authorization;
  const message = `incorrect service "${service}". This endpoint belongs to "s3".`;
  throw new S3Fault(code, `The authorization is malformed; ${message}`);
}

/** @throws {S3Fault} */
function verify(
  request: S3Request,
  authorization: Authorization,
  bodyHash: string,
  { accessKeys, keys, nowMs }: AuthenticateOptions,
): void {
  const { accessKeyId, presigned, signedHeaders } = authorization;
  const accessKey = accessKeys.find((key) => key.accessKeyId === accessKeyId);
  if (accessKey === undefined) {
    const message = "The AWS Access Key Id you provided does not exist in our records.";
    throw new S3Fault("InvalidAccessKeyId", message, { elements: { AWSAccessKeyId: accessKeyId } });
  }
  const date = presigned?.date ?? request.headers["x-amz-date"] ?? "";
  if (!/^\d{8}T\d{6}Z$/.test(date)) {
    throw new S3Fault("AccessDenied", "AWS authentication requires a valid Date or x-amz-date header");
  }
  if (!date.startsWith(authorization.date)) {
    const message = `Invalid credential date "${authorization.date}". This date is not the same as X-Amz-Date: "${date.slice(0, 8)}".`;
    throw new S3Fault("AuthorizationQueryParametersError", message);
  }
  requireTime(date, presigned?.expiresSeconds, nowMs);
  requireSignedHeaders(request, signedHeaders);
  if (isSignedBy(accessKey, request, authorization, { keys, date, bodyHash, pathStyle: "encodedOnce" })) return;
  const message =
    "The request signature we calculated does not match the signature you provided. Check your key and signing method.";
  throw new S3Fault("SignatureDoesNotMatch", message, { elements: { AWSAccessKeyId: accessKeyId } });
}

const isoSeconds = (ms: number) => new Date(ms).toISOString().replace(/\.\d{3}/, "");

/** @throws {S3Fault} */
function requireTime(date: string, expiresSeconds: number | undefined, nowMs: number): void {
  const signedMs = parseBasicDate(date);
  const skewMs = clockSkewMinutesMax * 60_000;
  if (expiresSeconds === undefined) {
    if (Math.abs(nowMs - signedMs) <= skewMs) return;
    const message = "The difference between the request time and the current time is too large.";
    const elements = { RequestTime: date, ServerTime: isoSeconds(nowMs), MaxAllowedSkewMilliseconds: skewMs };
    throw new S3Fault("RequestTimeTooSkewed", message, { elements });
  }
  const endMs = signedMs + expiresSeconds * 1_000;
  if (nowMs > endMs) {
    const elements = { "X-Amz-Expires": expiresSeconds, Expires: isoSeconds(endMs), ServerTime: isoSeconds(nowMs) };
    throw new S3Fault("AccessDenied", "Request has expired", { elements });
  }
  if (signedMs > nowMs + skewMs) {
    const elements = { "X-Amz-Date": date, ServerTime: basicDate(nowMs) };
    throw new S3Fault("AccessDenied", "Request is not yet valid", { elements });
  }
}

/** What changes the meaning of a request must not be added on its way. @throws {S3Fault} */
function requireSignedHeaders({ headers }: S3Request, signedHeaders: readonly string[]): void {
  const unsigned = Object.keys(headers).filter(
    (name) => (name === "host" || name.startsWith("x-amz-")) && !signedHeaders.includes(name),
  );
  if (unsigned.length === 0) return;
  const message = "There were headers present in the request which were not signed";
  throw new S3Fault("AccessDenied", message, { elements: { HeadersNotSigned: unsigned.join(", ") } });
}
