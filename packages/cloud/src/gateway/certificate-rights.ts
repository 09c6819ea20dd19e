import type { CompiledPolicy } from "../policy/evaluate.js";
import { connectionContext, type PolicyContext } from "../policy/policy-context.js";
import type { Scope } from "../services/operation.js";
import { loadPrincipal, type Principal } from "../services/registry/principal.js";
import type { StoreReader } from "../store/store.js";
import type { ConnectionOrigin } from "./gateway.js";
import { PolicyCache } from "./policy-cache.js";
import { whyNot } from "./principals.js";

export interface CertificateRightsOptions {
  store: StoreReader;
  scope: Scope;
  unixMs: () => number;
}

/** What policies go by, for a request of a device over HTTP. */
export interface DeviceRights {
  readonly thing: Principal["thing"];
  readonly policies: readonly CompiledPolicy[];
  readonly context: PolicyContext;
}

/** Reads anew, for each request over HTTP, what a certificate may: its status, its policies, and those of the groups of its thing. */
export class CertificateRights {
  readonly #options: CertificateRightsOptions;
  readonly #cache = new PolicyCache();

  constructor(options: CertificateRightsOptions) {
    this.#options = options;
  }

  /**
   * @param thingName as which the device asks; empty: as the thing that it is attached to exclusively
   * @returns a sentence for a certificate that may nothing
   */
  async of(origin: ConnectionOrigin, thingName: string): Promise<DeviceRights | string> {
    const { store, scope, unixMs } = this.#options;
    const { certificateId, facts: certificate, sourceIp, serverName } = origin;
    const principal = await loadPrincipal(store, scope, { certificateId, clientId: thingName });
    const why = whyNot(principal, { facts: certificate, serverName, nowMs: unixMs() });
    if (principal === undefined || why !== undefined) return `certificate ${certificateId} ${why}`;
    const { thing } = principal;
    const attachedThingNames = thing === undefined ? [] : [thing.thingName];
    const facts = { clientId: "", certificateId, certificate, thing, attachedThingNames, sourceIp, serverName };
    return {
      thing,
      policies: principal.policies.map((policy) => this.#cache.get(policy)),
      context: connectionContext({ ...facts, isSecure: true }, unixMs),
    };
  }
}

/** A request over HTTP has no client id, so that what asks for it does not match. */
export const isClientIdKey = (key: string): boolean => key.toLowerCase() === "iot:clientid";
