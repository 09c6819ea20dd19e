import type { Decision } from "../policy/authorizer.js";
import { bindPolicies } from "../policy/evaluate.js";
import type { PolicyContext } from "../policy/policy-context.js";
import { CertificateRights, isClientIdKey, type CertificateRightsOptions } from "./certificate-rights.js";
import type { ConnectionOrigin } from "./gateway.js";

/** What a request over HTTP needs. */
export interface RequestAsk {
  /** `iot:Publish` */
  action: string;
  /** The part after `arn:aws:iot:<region>:<account>:`, or `*`. */
  resource: string;
  /** Condition keys of this action. */
  values?: Readonly<Record<string, string>>;
}

/**
 * Says whether a device may ask something over HTTP: by the policies of its certificate, and of the groups of the thing that it is attached to
 * exclusively. Everything is read anew for each request. There is no client id, so what a policy makes depend on it does not match.
 *
 * @see AWS IoT developer guide, "AWS IoT Core policy actions"
 */
export function createRequestAuthorizer(options: CertificateRightsOptions) {
  const rights = new CertificateRights(options);
  const arnPrefix = `arn:aws:iot:${options.scope.region}:${options.scope.account}:`;
  return async (origin: ConnectionOrigin, asks: readonly RequestAsk[]): Promise<Decision> => {
    const found = await rights.of(origin, "");
    if (typeof found === "string") return { isAllowed: false, explanation: found };
    const { policies, context } = found;
    let allowed: Decision = { isAllowed: false, explanation: "nothing was asked for" };
    for (const { action, resource, values = {} } of asks) {
      const bound = bindPolicies(policies, ofRequest(context, values)).forAction(action);
      allowed = bound.decide(resource === "*" ? resource : arnPrefix + resource);
      if (!allowed.isAllowed) return allowed;
    }
    return allowed;
  };
}

function ofRequest(context: PolicyContext, values: Readonly<Record<string, string>>): PolicyContext {
  const own = new Map(Object.entries(values).map(([key, value]) => [key.toLowerCase(), value]));
  return {
    get: (key) => (isClientIdKey(key) ? undefined : (own.get(key.toLowerCase()) ?? context.get(key))),
    whyMissing: (key) => (isClientIdKey(key) ? "a request over HTTP has no client id" : context.whyMissing(key)),
  };
}
