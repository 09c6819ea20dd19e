import { bindPolicies } from "../policy/evaluate.js";
import type { PolicyContext } from "../policy/policy-context.js";
import { CertificateRights, isClientIdKey, type CertificateRightsOptions } from "./certificate-rights.js";
import type { ConnectionOrigin } from "./gateway.js";

export interface RoleRequest {
  /** The ARN of the alias. */
  resource: string;
  /** The thing that the device says it is. */
  thingName: string | undefined;
}

export type RoleDecision =
  | { isAllowed: true; explanation: string }
  | {
      isAllowed: false;
      /** What was wrong: the certificate as it is now, the thing's name, or what the policies say. */
      reason: "certificate" | "thingName" | "policy";
      explanation: string;
    };

/**
 * Says whether a device may assume a role: by the policies of its certificate, and of the groups of its thing. Everything is read anew for
 * each request.
 *
 * @see AWS IoT developer guide, "Authorizing direct calls to AWS services"
 */
export function createRoleAuthorizer(options: CertificateRightsOptions) {
  const rights = new CertificateRights(options);
  return async (origin: ConnectionOrigin, { resource, thingName }: RoleRequest): Promise<RoleDecision> => {
    const found = await rights.of(origin, thingName ?? "");
    if (typeof found === "string") return { isAllowed: false, reason: "certificate", explanation: found };
    const { thing, policies } = found;
    if (thingName !== undefined && thing?.thingName !== thingName) {
      const explanation = `certificate ${origin.certificateId} is not attached to a thing ${thingName}`;
      return { isAllowed: false, reason: "thingName", explanation };
    }
    const context = withoutClientId(found.context);
    const { isAllowed, explanation } = bindPolicies(policies, context)
      .forAction("iot:AssumeRoleWithCertificate")
      .decide(resource);
    return isAllowed ? { isAllowed, explanation } : { isAllowed, reason: "policy", explanation };
  };
}

/** A request over HTTP has none, so that what asks for it does not match. */
function withoutClientId(context: PolicyContext): PolicyContext {
  return {
    get: (key) => (isClientIdKey(key) ? undefined : context.get(key)),
    whyMissing: (key) => {
      const normal = key.toLowerCase();
      if (isClientIdKey(key)) return "a request for credentials has no client id";
      if (normal.startsWith("iot:connection.thing.")) {
        return "the request names no thing in its header x-amzn-iot-thingname, or the thing has no such value";
      }
      return context.whyMissing(key);
    },
  };
}
