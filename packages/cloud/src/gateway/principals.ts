import type { AssociatedThing } from "../policy/policy-context.js";
import { PrincipalAuthorizer } from "../policy/principal-authorizer.js";
import type { Scope } from "../services/operation.js";
import type { PrincipalDirectory } from "./gateway.js";
import { PolicyCache } from "./policy-cache.js";
import type { StoredPolicy } from "./policy-cache.js";

/** What the registry knows of a certificate when it is asked. */
export interface RegisteredPrincipal {
  status: string;
  /** Default versions of the attached policies. */
  policies: readonly StoredPolicy[];
  thing: AssociatedThing | undefined;
  /** Some of the things that the certificate is attached to, for explanations. */
  attachedThingNames: readonly string[];
}

export interface PrincipalsOptions {
  scope: Scope;
  unixMs: () => number;
  findStatus(certificateId: string): Promise<string | undefined>;
  loadPrincipal(certificateId: string, clientId: string): Promise<RegisteredPrincipal | undefined>;
}

/**
 * Binds the policies of a certificate to a client id. Everything is read anew for each CONNECT and each recheck, the
 * status too: a certificate can be deactivated between its handshake and its CONNECT.
 */
export function createPrincipals(options: PrincipalsOptions): PrincipalDirectory {
  const cache = new PolicyCache();
  return {
    findStatus: (certificateId) => options.findStatus(certificateId),
    async authorizeConnect({ certificateId, facts, sourceIp, serverName }, request) {
      const principal = await options.loadPrincipal(certificateId, request.clientId);
      const authorizer = new PrincipalAuthorizer({
        ...options.scope,
        unixMs: options.unixMs,
        policies: (principal?.policies ?? []).map((policy) => cache.get(policy)),
        facts: {
          clientId: request.clientId,
          certificateId,
          certificate: facts,
          thing: principal?.thing,
          attachedThingNames: principal?.attachedThingNames ?? [],
          sourceIp,
          serverName,
          isSecure: true,
        },
      });
      const shortId = certificateId.slice(0, 16);
      if (principal?.status !== "ACTIVE") {
        const status = principal === undefined ? "no longer registered" : principal.status;
        return { authorizer, decision: { isAllowed: false, explanation: `certificate ${shortId} is ${status}` } };
      }
      if (options.unixMs() > facts.notAfterMs)
        return { authorizer, decision: { isAllowed: false, explanation: `certificate ${shortId} has expired` } };
      return { authorizer, decision: authorizer.authorizeConnect(request) };
    },
  };
}
