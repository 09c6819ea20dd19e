import type { Decision } from "../policy/authorizer.js";
import { bindPolicies } from "../policy/evaluate.js";
import { connectionContext, type PolicyContext } from "../policy/policy-context.js";
import type { Scope } from "../services/operation.js";
import { loadPrincipal } from "../services/registry/principal.js";
import type { StoreReader } from "../store/store.js";
import type { ConnectionOrigin } from "./gateway.js";
import { PolicyCache } from "./policy-cache.js";
import { whyNot } from "./principals.js";

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
export function createRequestAuthorizer({
  store,
  scope,
  unixMs,
}: {
  store: StoreReader;
  scope: Scope;
  unixMs: () => number;
}) {
  const cache = new PolicyCache();
  const arnPrefix = `arn:aws:iot:${scope.region}:${scope.account}:`;
  return async (origin: ConnectionOrigin, asks: readonly RequestAsk[]): Promise<Decision> => {
    const { certificateId, facts: certificate, sourceIp, serverName } = origin;
    const principal = await loadPrincipal(store, scope, { certificateId, clientId: "" });
    const why = whyNot(principal, { facts: certificate, serverName, nowMs: unixMs() });
    if (principal === undefined || why !== undefined) {
      return { isAllowed: false, explanation: `certificate ${certificateId} ${why}` };
    }
    const { thing } = principal;
    const policies = principal.policies.map((policy) => cache.get(policy));
    const attachedThingNames = thing === undefined ? [] : [thing.thingName];
    const facts = { clientId: "", certificateId, certificate, thing, attachedThingNames, sourceIp, serverName };
    const context = connectionContext({ ...facts, isSecure: true }, unixMs);
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
  const isClientId = (key: string) => key.toLowerCase() === "iot:clientid";
  return {
    get: (key) => (isClientId(key) ? undefined : (own.get(key.toLowerCase()) ?? context.get(key))),
    whyMissing: (key) => (isClientId(key) ? "a request over HTTP has no client id" : context.whyMissing(key)),
  };
}
