import { BoundedMap } from "@thingline/protocol";
import type { Authorizer, BrokerAction, ConnectRequest, Decision } from "./authorizer.js";
import { bindPolicies } from "./evaluate.js";
import type { ActionPolicies, BoundPolicies, CompiledPolicy } from "./evaluate.js";
import { connectionContext } from "./policy-context.js";
import type { ConnectFacts, ConnectionFacts } from "./policy-context.js";

/** Decisions kept for each action of one connection; with more topics, each new one takes the place of another. */
export const decisionCacheEntriesMax = 1024;

/** Policies and facts of a principal on one connection, as they are now. */
export interface PrincipalPolicies {
  policies: readonly CompiledPolicy[];
  facts: ConnectionFacts;
}

export interface PrincipalAuthorizerOptions extends PrincipalPolicies {
  account: string;
  region: string;
  unixMs: () => number;
  enrichment?: Authorizer["enrichment"];
}

interface ActionState {
  policies: ActionPolicies;
  cache: BoundedMap<string, Decision>;
}

/** An {@link Authorizer} over compiled policies. Lives as long as its connection; {@link update} brings changes. */
export class PrincipalAuthorizer implements Authorizer {
  readonly enrichment: Authorizer["enrichment"];
  #generation = 0;
  #arnPrefix: string;
  #unixMs: () => number;
  #principal: PrincipalPolicies;
  #bound: BoundPolicies;
  #actions = new Map<BrokerAction, ActionState>();

  constructor({ account, region, unixMs, policies, facts, enrichment }: PrincipalAuthorizerOptions) {
    this.enrichment = enrichment;
    this.#arnPrefix = `arn:aws:iot:${region}:${account}:`;
    this.#unixMs = unixMs;
    this.#principal = { policies, facts };
    this.#bound = bindPolicies(policies, connectionContext(facts, unixMs));
  }

  /** With a policy that looks at the time, every second is another generation. */
  get generation(): number {
    return this.#generation + (this.#bound.isVolatile ? Math.floor(this.#unixMs() / 1000) : 0);
  }

  get thingName(): string | undefined {
    return this.#principal.facts.thing?.thingName;
  }

  get isExclusiveThing(): boolean {
    return this.#principal.facts.thing?.isExclusive === true;
  }

  get certificateId(): string | undefined {
    return this.#principal.facts.certificateId;
  }

  authorize(action: BrokerAction, resource: string): Decision {
    const state = this.#actions.get(action) ?? this.#stateFor(action);
    const { policies, cache } = state;
    if (policies.constant !== undefined) return policies.constant;
    const cached = cache.get(resource);
    if (cached !== undefined) return cached;
    const decision = policies.decide(this.#arnPrefix + resource);
    if (policies.isVolatile) return decision;
    cache.set(resource, decision);
    return decision;
  }

  /** The CONNECT itself, then what its last will needs. The first refusal is the answer. */
  authorizeConnect({ clientId, wantsPersistentSession, will }: ConnectRequest): Decision {
    const attributes: ConnectFacts["attributes"][number][] = [];
    if (wantsPersistentSession) attributes.push("PersistentConnect");
    if (will !== undefined) attributes.push("LastWill");
    const lastWillTopicArn = will === undefined ? undefined : `${this.#arnPrefix}topic/${will.topic}`;
    const context = connectionContext(this.#principal.facts, this.#unixMs, { attributes, lastWillTopicArn });
    const connect = bindPolicies(this.#principal.policies, context)
      .forAction("iot:Connect")
      .decide(`${this.#arnPrefix}client/${clientId}`);
    if (!connect.isAllowed || will === undefined) return connect;
    const publish = this.authorize("iot:Publish", `topic/${will.topic}`);
    if (!publish.isAllowed) return forLastWill(publish);
    if (!will.isRetained) return connect;
    const retain = this.authorize("iot:RetainPublish", `topic/${will.topic}`);
    return retain.isAllowed ? connect : forLastWill(retain);
  }

  /** Policies, attachments or thing changed. */
  update(principal: PrincipalPolicies): void {
    this.#generation = this.generation + 1;
    this.#principal = principal;
    this.#bound = bindPolicies(principal.policies, connectionContext(principal.facts, this.#unixMs));
    this.#actions.clear();
  }

  #stateFor(action: BrokerAction): ActionState {
    const state = {
      policies: this.#bound.forAction(action),
      cache: new BoundedMap<string, Decision>(decisionCacheEntriesMax),
    };
    this.#actions.set(action, state);
    return state;
  }
}

function forLastWill(decision: Decision): Decision {
  return { isAllowed: false, explanation: `the last will is refused: ${decision.explanation}` };
}

const anonymousDecision: Decision = {
  isAllowed: true,
  explanation: "the plain TCP port is anonymous and allows everything",
};

/** What an anonymous client of the plain TCP port may do: everything. */
export const allowAllAuthorizer: Authorizer = {
  authorize: () => anonymousDecision,
  generation: 0,
  thingName: undefined,
};
