import { isThinglineError } from "@thingline/protocol";
import type { FleetProvisioningRejection } from "@thingline/protocol/fleet-provisioning";

/** A device asked for what it does not get. Thrown within the service, and told to the device as it is. */
export class ProvisioningRefusal extends Error {
  readonly rejection: FleetProvisioningRejection;
  constructor(statusCode: number, errorCode: string, errorMessage: string) {
    super(errorMessage);
    this.rejection = { statusCode, errorCode, errorMessage };
  }
}

export const invalidToken = (why: string) => new ProvisioningRefusal(400, "InvalidCertificateOwnershipToken", why);

export const throttled = (why: string) => new ProvisioningRefusal(429, "ThrottlingException", why);

/** AWS says of a hook that refuses, and of one that fails, the same. */
export const accessDenied = () => new ProvisioningRefusal(403, "AccessDenied", "Access denied");

export const internalFailure: FleetProvisioningRejection = {
  statusCode: 500,
  errorCode: "InternalFailure",
  errorMessage: "Internal failure",
};

/** @returns undefined for what should not happen */
export function rejectionOf(error: unknown): FleetProvisioningRejection | undefined {
  if (error instanceof ProvisioningRefusal) return error.rejection;
  if (!isThinglineError(error)) return undefined;
  const { code, message, details } = error;
  const told = (errorCode: string, errorMessage = message, statusCode = 400) => ({
    ...{ statusCode, errorCode, errorMessage },
  });
  // AWS says it without a path.
  const { reason } = details;
  const isUnresolved = typeof reason === "string" && reason.startsWith("Cannot resolve reference value");
  if (code === "PROVISIONING_TEMPLATE_INVALID") return told("InvalidParameters", isUnresolved ? reason : message);
  if (code === "PROVISIONING_FAILED") return told("InvalidParameters");
  if (code === "PROVISIONING_CONFLICT") return told("ResourceConflicts");
  // A certificate provider may give one certificate twice.
  if (code === "REQUEST_INVALID" || code === "RESOURCE_EXISTS") return told("InvalidRequest");
  return undefined;
}
