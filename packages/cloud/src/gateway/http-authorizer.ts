import { BoundedMap } from "@thingline/protocol";
import type { Clock, Keys, Random } from "@thingline/transport";
import type { Functions } from "../functions/index.js";
import type { Decision } from "../policy/authorizer.js";
import { parsePolicyDocument } from "../policy/document.js";
import { compilePolicy } from "../policy/evaluate.js";
import { PrincipalAuthorizer } from "../policy/principal-authorizer.js";
import {
  authenticate,
  authorizerNameKey,
  Credentials,
  findDefaultAuthorizerName,
  isAsItWas,
  type Authentication,
  type AuthorizerChoice,
} from "../services/authorizers/index.js";
import { findDomain, type DomainConfigurationRecord } from "../services/domain-configurations/index.js";
import { noClientId, type Scope } from "../services/operation.js";
import type { StoreReader } from "../store/store.js";

/** Answers of functions of authorizers with `enableCachingForHttp` that are kept; what nobody asks for goes first. */
export const cachedHttpAnswersMax = 1_000;

export interface HttpAuthorizerOptions {
  store: StoreReader;
  scope: Scope;
  keys: Keys;
  random: Random;
  clock: Clock;
  functions: Functions;
}

/** A request over HTTP as far as it says who sent it. */
export interface HttpPresented {
  /** Lower-case names. */
  headers: Readonly<Record<string, string>>;
  /** With its `?`, or empty. */
  queryString: string;
  /** The Host, without a port. */
  serverName: string;
  /** Where that is known: of a connection with TLS. */
  sourceIp?: string;
}

/** Whether a request names an authorizer; whoever does is asked for nothing else. */
export function namesAuthorizer(http: Pick<HttpPresented, "headers" | "queryString">): boolean {
  // Most name none, and are not looked through.
  if (http.headers[authorizerNameKey] !== undefined) return true;
  return (
    /x-amz-customauthorizer-name/i.test(http.queryString) &&
    new Credentials({ http, mqtt: undefined }).authorizerName !== undefined
  );
}

/** Asks authorizers who may publish over HTTP. */
export class HttpAuthorizer {
  readonly #options: HttpAuthorizerOptions;
  readonly #kept = new BoundedMap<string, { outcome: Authentication; untilMs: number }>(cachedHttpAnswersMax);

  constructor(options: HttpAuthorizerOptions) {
    this.#options = options;
  }

  async mayPublish(presented: HttpPresented, topic: string, isRetained: boolean): Promise<Decision> {
    const { scope, clock } = this.#options;
    const outcome = await this.#ask(presented);
    if ("refusal" in outcome) return { isAllowed: false, explanation: outcome.refusal };
    const { answer, authorizer } = outcome;
    const policies = answer.policyDocuments.map((text, at) => {
      const policyName = `policyDocuments[${at}] of authorizer ${authorizer.authorizerName},`;
      return compilePolicy({ policyName, versionId: "1", document: parsePolicyDocument(text) });
    });
    const { serverName, sourceIp } = presented;
    const facts = {
      ...{ clientId: noClientId, certificateId: undefined, certificate: undefined, thing: undefined },
      ...{ attachedThingNames: [], sourceIp: sourceIp ?? "", serverName, isSecure: sourceIp !== undefined },
    };
    const rights = new PrincipalAuthorizer({ ...scope, unixMs: () => clock.unixMs(), policies, facts });
    const publish = rights.authorize("iot:Publish", `topic/${topic}`);
    return publish.isAllowed && isRetained ? rights.authorize("iot:RetainPublish", `topic/${topic}`) : publish;
  }

  /** What a request at a port for devices has to show; whoever has no certificate and may have a token is asked for that. */
  async demandOf(
    presented: HttpPresented,
    hasCertificate: boolean,
  ): Promise<"certificate" | "credentials" | { refusal: string }> {
    const { store, scope } = this.#options;
    const domain = await findDomain({ store, scope }, presented.serverName);
    const refusal = faultOfDomain(domain);
    if (refusal !== undefined) return { refusal };
    if (domain.authenticationType === "CUSTOM_AUTH") return "credentials";
    if (hasCertificate) return "certificate";
    const isAsked =
      namesAuthorizer(presented) ||
      domain.authorizerConfig?.defaultAuthorizerName !== undefined ||
      (await findDefaultAuthorizerName({ store, scope })) !== undefined;
    return isAsked ? "credentials" : "certificate";
  }

  /** An authorizer that was changed or is gone lets nobody in by what it said before. */
  async #stillHolds(outcome: Authentication): Promise<boolean> {
    return "answer" in outcome && isAsItWas(this.#options, outcome.authorizer);
  }

  async #ask(presented: HttpPresented): Promise<Authentication> {
    const { clock, keys, random, store, scope, functions } = this.#options;
    const { headers, queryString, serverName } = presented;
    const domain = await findDomain({ store, scope }, serverName);
    const refusal = faultOfDomain(domain);
    if (refusal !== undefined) return { refusal };
    const { "content-length": _length, ...said } = headers;
    const { authorizerConfig } = domain;
    const choice: AuthorizerChoice = {
      defaultAuthorizerName: authorizerConfig?.defaultAuthorizerName,
      allowsOverride: authorizerConfig === undefined || authorizerConfig.allowAuthorizerOverride === true,
    };
    // Another default, or a domain that allows no other authorizer any more, is another question.
    const chosen = [choice, await findDefaultAuthorizerName({ store, scope })];
    const key = keyOf(keys, [serverName, said, queryString, chosen]);
    const nowMs = clock.monotonicMs();
    const kept = this.#kept.get(key);
    if (kept !== undefined && nowMs < kept.untilMs && (await this.#stillHolds(kept.outcome))) return kept.outcome;
    const outcome = await authenticate(
      { store, scope, keys, functions },
      {
        presented: { serverName, http: { headers, queryString } },
        choice,
        connectionId: random.uuid(),
      },
    );
    if ("answer" in outcome && outcome.authorizer.enableCachingForHttp) {
      const untilMs = nowMs + outcome.answer.refreshAfterInSeconds * 1000;
      this.#kept.set(key, { outcome, untilMs });
    }
    return outcome;
  }
}

/** Why nobody comes over HTTP under its name; undefined for no reason. */
function faultOfDomain(domain: DomainConfigurationRecord): string | undefined {
  const { domainConfigurationName: name, applicationProtocol: protocol, authenticationType, status } = domain;
  if (status === "DISABLED") return `the domain configuration ${name} is DISABLED`;
  const isForHttp = protocol === "DEFAULT" || (protocol === "HTTPS" && authenticationType === "CUSTOM_AUTH");
  return isForHttp ? undefined : `the domain configuration ${name} is for applicationProtocol ${protocol} alone`;
}

/** A digest: the cache is no place for tokens. */
function keyOf(keys: Keys, parts: unknown): string {
  const digest = keys.sha256(new TextEncoder().encode(JSON.stringify(parts)));
  return String.fromCharCode(...digest);
}
