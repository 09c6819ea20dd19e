import { isThinglineError, ThinglineError, type ErrorCode } from "@thingline/protocol";

/** What the registry says no with. Anything else is a failure of the cloud, and stays what it is. */
const refusals: ReadonlySet<ErrorCode> = new Set<ErrorCode>([
  "CERTIFICATE_CONFLICT",
  "CERTIFICATE_CONFLICT",
  "CERTIFICATE_INVALID",
  "CERTIFICATE_STATE_INVALID",
  "POLICY_MALFORMED",
  "QUOTA_EXCEEDED",
  "REQUEST_INVALID",
  "RESOURCE_CONFLICT",
  "RESOURCE_EXISTS",
  "RESOURCE_NOT_FOUND",
  "VERSION_CONFLICT",
]);

/** What the template asks for at `path`. */
export async function at<Result>(path: string, run: () => Promise<Result>): Promise<Result> {
  try {
    return await run();
  } catch (error) {
    if (!isThinglineError(error) || !refusals.has(error.code)) throw error;
    throw failed(path, error.message, error);
  }
}

export function failed(path: string, reason: string, cause?: unknown): ThinglineError {
  return new ThinglineError("PROVISIONING_FAILED", `${path}: ${reason}`, { details: { path, reason }, cause });
}

/** AWS's guide calls it ResourceConflictsException. */
export function conflict(path: string, reason: string): ThinglineError {
  return new ThinglineError("PROVISIONING_CONFLICT", `${path}: ${reason}`, { details: { path, reason } });
}
