import { bindPolicies } from "../policy/evaluate.js";
import { connectionContext, type PolicyContext } from "../policy/policy-context.js";
import type { Scope } from "../services/operation.js";
import { loadPrincipal } from "../services/registry/principal.js";
import type { StoreReader } from "../store/store.js";
import type { ConnectionOrigin } from "./gateway.js";
import { PolicyCache } from "./policy-cache.js";
import { whyNot } from "./principals.js";

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
export function createRoleAuthorizer({
  store,
  scope,
  unixMs,
}: {
  store: StoreReader;
  scope: Scope;
  unixMs: () => number;
}) {
  const cache = new PolicyCache();
  return async (
    { certificateId, facts: certificate, sourceIp, serverName }: ConnectionOrigin,
    { resource, thingName }: RoleRequest,
  ): Promise<RoleDecision> => {
    const principal = await loadPrincipal(store, scope, { certificateId, clientId: thingName ?? "" });
    const why = whyNot(principal, { facts: certificate, serverName, nowMs: unixMs() });
    if (principal === undefined || why !== undefined) {
      return { isAllowed: false, reason: "certificate", explanation: `certificate ${certificateId} ${why}` };
    }
    const { thing } = principal;
    if (thingName !== undefined && thing?.thingName !== thingName) {
      const explanation = `certificate ${certificateId} is not attached to a thing ${thingName}`;
      return { isAllowed: false, reason: "thingName", explanation };
    }
    const policies = principal.policies.map((policy) => cache.get(policy));
    const attachedThingNames = thing === undefined ? [] : [thing.thingName];
    const context = withoutClientId(
      connectionContext(
        { clientId: "", certificateId, certificate, thing, attachedThingNames, sourceIp, serverName, isSecure: true },
        unixMs,
      ),
    );
    const { isAllowed, explanation } = bindPolicies(policies, context)
      .forAction("iot:AssumeRoleWithCertificate")
      .decide(resource);
    return isAllowed ? { isAllowed, explanation } : { isAllowed, reason: "policy", explanation };
  };
}

/** A request over HTTP has none, so that what asks for it does not match. */
function withoutClientId(context: PolicyContext): PolicyContext {
  return {
    get: (key) => (key.toLowerCase() === "iot:clientid" ? undefined : context.get(key)),
    whyMissing: (key) => {
      const normal = key.toLowerCase();
      if (normal === "iot:clientid") return "a request for credentials has no client id";
      if (normal.startsWith("iot:connection.thing.")) {
        return "the request names no thing in its header x-amzn-iot-thingname, or the thing has no such value";
      }
      return context.whyMissing(key);
    },
  };
}
