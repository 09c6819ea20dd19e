import { isThinglineError, type ErrorCode } from "@thingline/protocol";
import type { RestJsonError } from "@thingline/protocol/restjson";
import type { ModelOperation } from "../model/model.js";

export interface WireError extends RestJsonError {
  status: number;
}

type Wire = readonly [status: number, code: string];

/** The one map from codes to what AWS IoT answers. What is missing here is a failure of the service. */
export const wireErrors: Readonly<Partial<Record<ErrorCode, Wire>>> = {
  AUTHORIZER_ANSWER_INVALID: [400, "InvalidResponseException"],
  CERTIFICATE_CONFLICT: [409, "CertificateConflictException"],
  CERTIFICATE_INVALID: [400, "CertificateValidationException"],
  CERTIFICATE_PROVIDER_FAILED: [400, "InvalidRequestException"],
  CERTIFICATE_STATE_INVALID: [406, "CertificateStateException"],
  CLIENT_SILENT: [504, "GatewayTimeoutException"],
  CLOSED: [503, "ServiceUnavailableException"],
  DELETE_CONFLICT: [409, "DeleteConflictException"],
  INDEX_NOT_READY: [400, "IndexNotReadyException"],
  JOB_EXECUTION_ENDED: [410, "TerminalStateException"],
  JOB_STATE_INVALID: [409, "InvalidStateTransitionException"],
  LIMIT_EXCEEDED: [503, "ServiceUnavailableException"],
  LOGGING_NOT_CONFIGURED: [404, "NotConfiguredException"],
  NODE_OVER: [503, "ServiceUnavailableException"],
  NODE_SILENT: [503, "ServiceUnavailableException"],
  POLICY_MALFORMED: [400, "MalformedPolicyException"],
  PROVISIONING_CONFLICT: [400, "ResourceRegistrationFailureException"],
  PROVISIONING_FAILED: [400, "ResourceRegistrationFailureException"],
  PROVISIONING_TEMPLATE_INVALID: [400, "InvalidRequestException"],
  QUERY_AGGREGATION_INVALID: [400, "InvalidAggregationException"],
  QUERY_INVALID: [400, "InvalidQueryException"],
  QUOTA_EXCEEDED: [410, "LimitExceededException"],
  REGISTRATION_CODE_INVALID: [400, "RegistrationCodeValidationException"],
  REQUEST_FORBIDDEN: [403, "ForbiddenException"],
  REQUEST_INVALID: [400, "InvalidRequestException"],
  REQUEST_UNAUTHORIZED: [401, "UnauthorizedException"],
  REQUEST_TOO_LARGE: [413, "RequestEntityTooLargeException"],
  RESOURCE_CONFLICT: [409, "ConflictException"],
  RESOURCE_EXISTS: [409, "ResourceAlreadyExistsException"],
  RESOURCE_NOT_FOUND: [404, "ResourceNotFoundException"],
  RULE_SQL_FAILED: [400, "InvalidRequestException"],
  RULE_SQL_INVALID: [400, "SqlParseException"],
  SHADOW_DOCUMENT_INVALID: [400, "InvalidRequestException"],
  SHADOW_ENCODING_UNSUPPORTED: [415, "UnsupportedDocumentEncodingException"],
  SHADOW_NOT_FOUND: [404, "ResourceNotFoundException"],
  SHADOW_TOO_LARGE: [413, "RequestEntityTooLargeException"],
  SHADOW_VERSION_CONFLICT: [409, "ConflictException"],
  // Which record is damaged helps whoever asked for it; the cloud's log has it as well.
  STORE_CORRUPT: [500, "InternalFailureException"],
  // Others changed the same record again and again: asking once more is right.
  STORE_CONFLICT: [503, "ServiceUnavailableException"],
  THROTTLED: [400, "ThrottlingException"],
  TRANSFER_COMPLETED: [410, "TransferAlreadyCompletedException"],
  TRANSFER_CONFLICT: [409, "TransferConflictException"],
  VERSIONS_LIMIT_EXCEEDED: [409, "VersionsLimitExceededException"],
  VERSION_CONFLICT: [409, "VersionConflictException"],
};

/** The control plane answers 400 to who asks too often, the data planes 429. */
const dataPlaneThrottledStatus = 429;

const internalFailure: WireError = {
  status: 500,
  code: "InternalFailureException",
  message: "The local cloud failed to process the request; its log says more.",
};

/** What no store can have as a key: whatever the request names, there is no such thing. */
const nameImpossible: WireError = {
  status: 400,
  code: "InvalidRequestException",
  message: "A name in the request is longer than any that can exist, or is not well-formed text",
};

/** What newer operations of AWS say instead: each has its own list of errors. */
const newerErrors: Readonly<Record<string, readonly string[]>> = {
  InternalFailureException: ["InternalServerException"],
  InvalidRequestException: ["ValidationException"],
  LimitExceededException: ["ServiceQuotaExceededException"],
};

/** The error under the name that the operation has for it. */
export function asOperationSays<Error extends { status: number; code: string }>(
  error: Error,
  { errors }: Pick<ModelOperation, "errors">,
): Error {
  if (errors.has(error.code)) return error;
  const code = newerErrors[error.code]?.find((name) => errors.has(name));
  return code === undefined ? error : { ...error, code, status: errors.get(code) ?? error.status };
}

type Told = Pick<ModelOperation, "api" | "errors">;

/** What AWS would answer; `isDefect` for what should not happen. */
export function toWireError(error: unknown, operation: Told): WireError & { isDefect?: true } {
  return asOperationSays(wireErrorOf(error, operation), operation);
}

function wireErrorOf(error: unknown, { api }: Told): WireError & { isDefect?: true } {
  if (isThinglineError(error, "OPTION_INVALID") && error.details["option"] === "key") return nameImpossible;
  const wire = isThinglineError(error) ? wireErrors[error.code] : undefined;
  if (!isThinglineError(error) || wire === undefined) return { ...internalFailure, isDefect: true };
  // The jobs data plane knows no conflict of versions.
  const isUnknown = error.code === "VERSION_CONFLICT" && api === "iot-jobs-data";
  const [status, code] = isUnknown ? ([400, "InvalidRequestException"] as const) : wire;
  const { resourceId, resourceArn } = error.details;
  return {
    status: error.code === "THROTTLED" && api !== "iot" ? dataPlaneThrottledStatus : status,
    code,
    message: error.code === "REQUEST_FORBIDDEN" ? "Forbidden" : error.message,
    ...(resourceId !== undefined && resourceArn !== undefined && { members: { resourceId, resourceArn } }),
  };
}
