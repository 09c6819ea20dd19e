import { isThinglineError, type ErrorCode } from "@thingline/protocol";
import { HttpRefusal, type ServedResponse } from "../admission.js";
import { writeXml } from "./xml.js";

/** By S3's own names. @see Amazon S3 API reference, "Error responses" */
const statuses = {
  AccessDenied: 403,
  AuthorizationHeaderMalformed: 400,
  AuthorizationQueryParametersError: 400,
  BadDigest: 400,
  BucketAlreadyOwnedByYou: 409,
  BucketNotEmpty: 409,
  EntityTooLarge: 400,
  IllegalLocationConstraintException: 400,
  ExpiredToken: 400,
  IncompleteBody: 400,
  InternalError: 500,
  InvalidAccessKeyId: 403,
  InvalidArgument: 400,
  InvalidBucketName: 400,
  InvalidDigest: 400,
  InvalidRange: 416,
  InvalidRequest: 400,
  InvalidToken: 400,
  InvalidURI: 400,
  KeyTooLongError: 400,
  MalformedXML: 400,
  MetadataTooLarge: 400,
  MethodNotAllowed: 405,
  MissingContentLength: 411,
  NoSuchBucket: 404,
  NoSuchKey: 404,
  NoSuchVersion: 404,
  NotImplemented: 501,
  OperationAborted: 409,
  PreconditionFailed: 412,
  RequestTimeTooSkewed: 403,
  ServiceUnavailable: 503,
  SignatureDoesNotMatch: 403,
  SlowDown: 503,
  TooManyBuckets: 400,
  XAmzContentSHA256Mismatch: 400,
} as const;
export type S3Code = keyof typeof statuses;

/** A request that is refused, as S3 says it. Thrown and caught within this folder. */
export class S3Fault extends Error {
  readonly code: S3Code;
  /** Elements of the answer besides code and message. */
  readonly elements: Readonly<Record<string, string | number>>;
  readonly headers: Readonly<Record<string, string>>;

  constructor(
    code: S3Code,
    message: string,
    { elements = {}, headers = {} }: { elements?: S3Fault["elements"]; headers?: S3Fault["headers"] } = {},
  ) {
    super(message);
    this.code = code;
    this.elements = elements;
    this.headers = headers;
  }

  get status(): number {
    return statuses[this.code];
  }
}

/** For what has no name of S3's own. What is missing here is a failure of the cloud. */
const codes: Readonly<Partial<Record<ErrorCode, readonly [S3Code, string?]>>> = {
  ABORTED: ["IncompleteBody", "The request body terminated unexpectedly"],
  CLOSED: ["ServiceUnavailable", "The local cloud is closing"],
  LIMIT_EXCEEDED: ["SlowDown"],
  NODE_OVER: ["ServiceUnavailable"],
  OPTION_INVALID: ["InvalidArgument"],
  REQUEST_INVALID: ["InvalidRequest"],
  RESOURCE_NOT_FOUND: ["NoSuchKey"],
  STORE_CONFLICT: [
    "OperationAborted",
    "A conflicting conditional operation is currently in progress against this resource.",
  ],
};

/** What S3 would say; undefined for what should not happen. */
export function faultOf(error: unknown): S3Fault | undefined {
  if (error instanceof S3Fault) return error;
  if (error instanceof HttpRefusal) {
    return new S3Fault(error.statusCode === 413 ? "EntityTooLarge" : "SlowDown", error.message);
  }
  if (!isThinglineError(error)) return undefined;
  const { s3Code, bucket, key, versionId, deleteMarker } = error.details;
  const elements = {
    ...(bucket !== undefined && { BucketName: bucket }),
    ...(key !== undefined && { Key: key }),
    ...(versionId !== undefined && { VersionId: versionId }),
  };
  const headers: Record<string, string> =
    deleteMarker === undefined ? {} : { "x-amz-delete-marker": "true", "x-amz-version-id": String(deleteMarker) };
  if (s3Code !== undefined) return new S3Fault(s3Code as S3Code, error.message, { elements, headers });
  const known = codes[error.code];
  return known === undefined ? undefined : new S3Fault(known[0], known[1] ?? error.message, { elements });
}

export const internalFault = () =>
  new S3Fault("InternalError", "We encountered an internal error. The log of the local cloud says more.");

export function answerFault(
  fault: S3Fault,
  { method, requestId }: { method: string; requestId: string },
): ServedResponse {
  const { code, message, elements } = fault;
  const content = { Code: code, Message: message, ...elements, RequestId: requestId, HostId: "thingline" };
  const body = method === "HEAD" ? new Uint8Array() : writeXml("Error", content, { isPlain: true });
  const headers = { "content-type": "application/xml", "x-amz-request-id": requestId, ...fault.headers };
  return { status: fault.status, headers, body };
}

/** A part of S3 that is not built, by its name. */
export const notBuilt = (what: string, advice = "") =>
  new S3Fault("NotImplemented", `The local cloud has not built ${what} of S3${advice}`);
