import type { CertificateFacts } from "../policy/certificate-facts.js";
import { PrincipalAuthorizer } from "../policy/principal-authorizer.js";
import type { Scope } from "../services/operation.js";
import { lastName } from "../services/page.js";
import { arnOf, findCertificate, registryKeys } from "../services/registry/model.js";
import { loadPrincipal, type Principal } from "../services/registry/principal.js";
import type { StoreKey, StoreReader } from "../store/store.js";
import type { PrincipalDirectory } from "./gateway.js";
import { PolicyCache } from "./policy-cache.js";

export interface PrincipalsOptions {
  store: StoreReader;
  scope: Scope;
  unixMs: () => number;
}

/** Names of other things that an explanation lists. */
const namesInExplanationMax = 3;

/**
 * Binds the policies of a certificate to a client id. Everything is read anew for each CONNECT and each recheck, the
 * status too: a certificate can be deactivated between its handshake and its CONNECT.
 */
export function createPrincipals({ store, scope, unixMs }: PrincipalsOptions): PrincipalDirectory {
  const cache = new PolicyCache();
  return {
    findStatus: async (certificateId) => (await findCertificate(store, scope, certificateId))?.status,
    findElsewhere: (certificateId) => findScope(store, certificateId),
    async authorizeConnect({ certificateId, facts: certificate, sourceIp, serverName }, request, others = []) {
      const { clientId } = request;
      const principal = await loadPrincipal(store, scope, { certificateId, clientId });
      const thing = principal?.thing;
      const attachedThingNames =
        thing === undefined ? await someThingNames(store, scope, certificateId) : [thing.thingName];
      const policies = [...(principal?.policies ?? []).map((policy) => cache.get(policy)), ...others];
      const connection = { clientId, certificateId, certificate, sourceIp, serverName, isSecure: true };
      const facts = { ...connection, thing, attachedThingNames };
      const enrichment = principal?.enrichment;
      const authorizer = new PrincipalAuthorizer({ ...scope, unixMs, policies, facts, enrichment });
      const refusal = whyNot(principal, { facts: certificate, serverName, nowMs: unixMs() });
      if (refusal === undefined) return { authorizer, decision: authorizer.authorizeConnect(request) };
      const explanation = `certificate ${certificateId} ${refusal}`;
      return { authorizer, decision: { isAllowed: false, explanation } };
    },
    async authorizeOther({ sourceIp, serverName }, policies, request) {
      const { clientId } = request;
      const connection = { clientId, certificateId: undefined, certificate: undefined, sourceIp, serverName };
      const facts = { ...connection, isSecure: true, thing: undefined, attachedThingNames: [] };
      const authorizer = new PrincipalAuthorizer({ ...scope, unixMs, policies, facts });
      return { authorizer, decision: authorizer.authorizeConnect(request) };
    },
  };
}

/**
 * Why a certificate speaks for nobody now, in words about it; undefined for one that does.
 *
 * @see AWS IoT API reference, CertificateDescription: with a certificate in mode SNI_ONLY a device must send SNI.
 */
export function whyNot(
  principal: Principal | undefined,
  connection: { facts: CertificateFacts; serverName: string | undefined; nowMs: number },
): string | undefined {
  if (principal === undefined) return "is no longer registered";
  const { status, certificateMode } = principal.certificate;
  if (status !== "ACTIVE") return `is ${status}`;
  if (certificateMode === "SNI_ONLY" && connection.serverName === undefined) {
    return (
      "was registered in mode SNI_ONLY, and this connection did not send the server's name (SNI), as AWS asks for: " +
      "connect by a host name, not by an IP address"
    );
  }
  return connection.nowMs > connection.facts.notAfterMs ? "has expired" : undefined;
}

async function someThingNames(store: StoreReader, scope: Scope, certificateId: string): Promise<string[]> {
  const prefix = registryKeys.thingsOfPrincipal(scope, arnOf.certificate(scope, certificateId));
  return (await store.list(prefix, { limit: namesInExplanationMax })).map(({ key }) => lastName(key));
}

/** Scopes that are looked through for an explanation. */
const scopesInExplanationMax = 20;

/** Every key begins with account and region, so a step over all keys of a scope finds the next one. */
async function findScope(store: StoreReader, certificateId: string): Promise<string | undefined> {
  let after: StoreKey | undefined;
  for (let count = 0; count < scopesInExplanationMax; count++) {
    const [next] = await store.list([], { limit: 1, ...(after && { after }) });
    const [account, region] = next?.key ?? [];
    if (typeof account !== "string" || typeof region !== "string") return undefined;
    if ((await findCertificate(store, { account, region }, certificateId)) !== undefined)
      return `account ${account}, region ${region}`;
    after = [account, region, "\u{10ffff}"];
  }
  return undefined;
}
