import { BoundedMap } from "@thingline/protocol";
import type { Authorizer, BrokerAction } from "../policy/authorizer.js";
import type { ReceiveRights } from "./client.js";
import type { BrokerContext } from "./context.js";
import { createEnrichment, type Enrichment } from "./enrichment.js";
import type { BrokerRoute } from "./routes.js";

/** What a connection remembers of a topic that it published to. */
export interface PublishGrant {
  readonly topic: string;
  isAllowed: boolean;
  /** Allowed, and nothing is added to the message: the one thing that an ordinary message asks. */
  isPlain: boolean;
  /** Of the authorizer when it was asked. */
  generation: number;
  route: BrokerRoute;
}

/** Of a connection that has not published, or not received, yet: most have one of the two, and never both. Nothing is ever put in. */
const noGrants = new BoundedMap<string, PublishGrant>(1);
const noDecisions = new BoundedMap<string, boolean>(1);

/** What the policy lets one connected client do, remembered by topic until the policy changes. */
export class ClientRights implements ReceiveRights {
  authorizer: Authorizer;
  /** What is added to each message that the client publishes. */
  enrichment: Enrichment | undefined;
  /** The one asked for last: a publisher has few topics, and most of them one. */
  private lastGrant: PublishGrant | undefined;
  private grants = noGrants;
  private readonly context: BrokerContext;
  private readonly clientId: string;
  private readonly certificateId: string | undefined;
  private receiveDecisions = noDecisions;
  private receiveGeneration = -1;

  constructor(
    context: BrokerContext,
    { clientId, certificateId }: { clientId: string; certificateId: string | undefined },
    authorizer: Authorizer,
  ) {
    this.context = context;
    this.clientId = clientId;
    this.certificateId = certificateId;
    this.authorizer = authorizer;
    this.enrichment = createEnrichment(context, clientId, authorizer.enrichment);
  }

  /** Whether the policy lets the client receive the topic; remembered until the policy changes. */
  mayReceive(topic: string): boolean {
    const { authorizer } = this;
    if (this.receiveGeneration !== authorizer.generation) {
      this.receiveGeneration = authorizer.generation;
      this.receiveDecisions = noDecisions;
    }
    const known = this.receiveDecisions.get(topic);
    if (known !== undefined) return known;
    const isAllowed = this.authorize("iot:Receive", `topic/${topic}`);
    if (this.receiveDecisions === noDecisions) this.receiveDecisions = this.cacheOfTopics();
    this.receiveDecisions.set(topic, isAllowed);
    return isAllowed;
  }

  /** Asks the policy and logs a denial with its explanation. */
  authorize(action: BrokerAction, resource: string): boolean {
    const decision = this.authorizer.authorize(action, resource);
    if (decision.isAllowed) return true;
    const { clientId, certificateId } = this;
    const { explanation } = decision;
    this.context.log.warn("denied", { action, resource, clientId, certificateId, explanation });
    return false;
  }

  /** Policies of the principal were loaded again. */
  replace(authorizer: Authorizer): void {
    this.authorizer = authorizer;
    this.enrichment = createEnrichment(this.context, this.clientId, authorizer.enrichment);
    this.receiveGeneration = -1;
    this.grants = noGrants;
    this.lastGrant = undefined;
  }

  /** What is remembered of a topic, while the policy is the same. */
  grantOf(topic: string): PublishGrant | undefined {
    let grant = this.lastGrant;
    if (grant === undefined || grant.topic !== topic) {
      grant = this.grants.get(topic);
      if (grant === undefined) return undefined;
      this.lastGrant = grant;
    }
    return grant.generation === this.authorizer.generation ? grant : undefined;
  }

  remember(grant: PublishGrant): void {
    if (this.grants === noGrants) this.grants = this.cacheOfTopics();
    this.grants.set(grant.topic, grant);
    this.lastGrant = grant;
  }

  private cacheOfTopics<Answer extends NonNullable<unknown>>(): BoundedMap<string, Answer> {
    return new BoundedMap(this.context.limits.cachedTopicsPerConnectionMax);
  }
}
