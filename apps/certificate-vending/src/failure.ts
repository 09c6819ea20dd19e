import { isThinglineError, ThinglineError } from "@thingline/protocol";
import { encodeSplitProvisioningRejection } from "@thingline/protocol/provisioning";

/** What an operation of an account failed with, as its SDK tells it. */
interface SdkError {
  name: string;
  $metadata?: { httpStatusCode?: number };
}

function asSdkError(error: unknown): SdkError | undefined {
  return error instanceof Error && !isThinglineError(error) ? error : undefined;
}

export function isNamed(error: unknown, ...names: readonly string[]): boolean {
  return names.includes(asSdkError(error)?.name ?? "");
}

/** The control plane says ThrottlingException with 400, others 429. */
function isThrottling(error: unknown): boolean {
  const sdk = asSdkError(error);
  return sdk !== undefined && (/Throttl|TooManyRequests/.test(sdk.name) || sdk.$metadata?.httpStatusCode === 429);
}

/** Worth another attempt: the service was busy, failed, or did not answer. */
export function isTransient(error: unknown): boolean {
  const sdk = asSdkError(error);
  if (sdk === undefined) return false;
  const status = sdk.$metadata?.httpStatusCode;
  return isThrottling(error) || status === undefined || status >= 500;
}

/** What an operation failed with, in our words. The reason of AWS is the cause; it goes to the log, not to the device. */
export function failureOf(what: string, cause: unknown): ThinglineError {
  if (isThinglineError(cause)) return cause;
  if (isThrottling(cause)) {
    return new ThinglineError("THROTTLED", `${what}: AWS IoT asks to be asked more slowly; try again later`, { cause });
  }
  if (what === createFromCsrWords && asSdkError(cause)?.$metadata?.httpStatusCode === 400) {
    return new ThinglineError("REQUEST_INVALID", "AWS IoT takes no certificate request like this one", { cause });
  }
  return new ThinglineError("INTERNAL_FAILURE", `${what} failed`, { cause });
}

export const createFromCsrWords = "making a certificate for the device's key";

const statusCodes: Readonly<Record<string, number>> = {
  REQUEST_INVALID: 400,
  REQUEST_FORBIDDEN: 403,
  QUOTA_EXCEEDED: 409,
  THROTTLED: 429,
};

/** The message on `certificate/<client id>/create/rejected`: 429 and 500 are worth asking again. */
export function rejectionOf(error: unknown): Uint8Array {
  const statusCode = isThinglineError(error) ? (statusCodes[error.code] ?? 500) : 500;
  const isKnown = isThinglineError(error) && statusCode !== 500;
  return encodeSplitProvisioningRejection({
    statusCode,
    errorCode: isKnown ? error.code : "INTERNAL_FAILURE",
    errorMessage: isKnown ? error.message : "the function failed; its log says more",
  });
}

/** An error for a log line: names and words, nothing that an object might carry besides. */
export function describeError(error: unknown): Record<string, unknown> {
  if (!(error instanceof Error)) return { error: typeof error };
  const { cause } = error;
  return {
    ...(isThinglineError(error) && { code: error.code }),
    error: withoutPem(error.message),
    ...(cause instanceof Error && { cause: withoutPem(`${cause.name}: ${cause.message}`) }),
  };
}

/** No library is trusted with what it puts into its errors. */
function withoutPem(text: string): string {
  return text.replace(/-----BEGIN[^]*/, "[PEM]");
}
