import { isThinglineError, ThinglineError, type ErrorCode } from "../errors.js";

/**
 * Every refusal of the Device Shadow service, in AWS's words. What is more to say goes into the error's `details`.
 * @see AWS IoT developer guide, "Device Shadow error messages"
 */
export const shadowFaults = {
  jsonInvalid: ["SHADOW_DOCUMENT_INVALID", "Invalid JSON"],
  payloadMissing: ["SHADOW_DOCUMENT_INVALID", "Missing update payload"],
  stateMissing: ["SHADOW_DOCUMENT_INVALID", "Missing required node: state"],
  stateInvalid: ["SHADOW_DOCUMENT_INVALID", "State node must be an object"],
  desiredInvalid: ["SHADOW_DOCUMENT_INVALID", "Desired node must be an object"],
  reportedInvalid: ["SHADOW_DOCUMENT_INVALID", "Reported node must be an object"],
  versionInvalid: ["SHADOW_DOCUMENT_INVALID", "Invalid version"],
  clientTokenInvalid: ["SHADOW_DOCUMENT_INVALID", "Invalid clientToken"],
  // The number in the text is AWS's; the limit that is enforced is shadowDepthMax.
  tooDeep: ["SHADOW_DOCUMENT_INVALID", "JSON contains too many levels of nesting; maximum is 6"],
  nodeInvalid: ["SHADOW_DOCUMENT_INVALID", "State contains an invalid node"],
  versionConflict: ["SHADOW_VERSION_CONFLICT", "Version conflict"],
  tooLarge: ["SHADOW_TOO_LARGE", "The payload exceeds the maximum size allowed"],
  encodingUnsupported: ["SHADOW_ENCODING_UNSUPPORTED", "Unsupported documented encoding; supported encoding is UTF-8"],
} as const satisfies Record<string, readonly [ErrorCode, string]>;

export type ShadowFault = keyof typeof shadowFaults;

/** @param details `node`: the name of the node that is to blame, which AWS puts behind its text. */
export function shadowError(fault: ShadowFault, details: Readonly<Record<string, string | number>> = {}) {
  const [code, message] = shadowFaults[fault];
  const { node } = details;
  return new ThinglineError(code, node === undefined ? message : `${message}: '${node}'`, { details });
}

/** `code` of a `rejected` message, as an HTTP status, for the codes that the service throws. */
const statuses: Readonly<Partial<Record<ErrorCode, number>>> = {
  REQUEST_INVALID: 400,
  SHADOW_DOCUMENT_INVALID: 400,
  RESOURCE_NOT_FOUND: 404,
  SHADOW_NOT_FOUND: 404,
  SHADOW_VERSION_CONFLICT: 409,
  SHADOW_TOO_LARGE: 413,
  SHADOW_ENCODING_UNSUPPORTED: 415,
  THROTTLED: 429,
};

const internalFailure = { code: 500, message: "Internal service failure" };

/** Body of a `rejected` message. */
export type ShadowRejected = { code: number; message: string; timestamp?: number; clientToken?: string };

/** What a `rejected` message says of an error. What is no refusal is a failure of the service: 500, without its text. */
export function describeShadowError(error: unknown): { code: number; message: string } {
  const code = isThinglineError(error) ? statuses[error.code] : undefined;
  return code === undefined || !isThinglineError(error) ? internalFailure : { code, message: error.message };
}

/** What is kept of a text that came from the network. */
const rejectionCharactersMax = 1_000;

/** The error that the parsed JSON of a `rejected` message tells. Goes by `code`: texts differ between AWS's own services. */
export function decodeShadowRejected(value: unknown): ThinglineError {
  const members = typeof value === "object" && value !== null ? (value as Readonly<Record<string, unknown>>) : {};
  const { code, message } = members;
  const status = typeof code === "number" ? code : 500;
  const text =
    typeof message === "string" && message !== ""
      ? message.slice(0, rejectionCharactersMax)
      : `the shadow service answered ${status}`;
  return new ThinglineError(codeOfStatus(status), text, { details: { status } });
}

function codeOfStatus(status: number): ErrorCode {
  switch (status) {
    case 404:
      return "SHADOW_NOT_FOUND";
    case 409:
      return "SHADOW_VERSION_CONFLICT";
    case 413:
      return "SHADOW_TOO_LARGE";
    case 415:
      return "SHADOW_ENCODING_UNSUPPORTED";
    case 429:
      return "THROTTLED";
    default:
      return status >= 400 && status < 500 ? "SHADOW_DOCUMENT_INVALID" : "INTERNAL_FAILURE";
  }
}
