import type { PublishProperties } from "@thingline/protocol/mqtt";
import type { Scope, ServiceMessage } from "../services/operation.js";
import { expiresAt, forwardedProperties } from "../services/message-limits.js";
import type { BrokerContext } from "./context.js";
import type { Delivery } from "./delivery.js";
import { ownProperties, type Publication } from "./publication.js";
import type { RetainedMessages } from "./retained.js";
import type { BrokerRoute } from "./routes.js";
import { SmallCopies } from "./small-copies.js";
import { sourceRules, type Origin } from "./sources.js";
import type { Turn } from "./turn.js";

export interface IntakeParts {
  delivery: Delivery;
  retained: RetainedMessages;
}

/**
 * The one door for messages: what clients and HTTP publish, effects of services, wills, retained messages and lifecycle events all enter here,
 * each with its source. A message is retained if it says so, goes to its subscribers, and is heard by the services that hear its source. Whether its publisher
 * may was settled before.
 */
export class Intake {
  private readonly context: BrokerContext;
  private readonly scope: Scope;
  private readonly delivery: Delivery;
  private readonly retained: RetainedMessages;
  /** Of what services work on. */
  private readonly copies = new SmallCopies();

  constructor(context: BrokerContext, { delivery, retained }: IntakeParts) {
    this.context = context;
    this.scope = context.scope;
    this.delivery = delivery;
    this.retained = retained;
  }

  /**
   * Takes the message. What its acknowledgement has to wait for is in the turn then: commits, and the services that hold it.
   *
   * @param route of the publication's topic
   * @returns false when it was refused for the limits of retained messages, and went to nobody
   */
  take(turn: Turn, publication: Publication, route: BrokerRoute, origin: Origin): boolean {
    if (publication.isRetained && !this.retain(turn, publication, origin)) return false;
    const { sources } = route.audience;
    const isHeard = sources !== 0 && (sources & sourceRules[origin.source].bit) !== 0;
    this.delivery.fanOut(turn, publication, route, isHeard);
    if (isHeard) this.tell(turn, publication, route, origin);
    return true;
  }

  private retain(turn: Turn, publication: Publication, { source }: Origin): boolean {
    const outcome = this.retained.retain(publication);
    if (outcome.type === "stored") turn.wait(outcome.done);
    return outcome.type === "stored" || !sourceRules[source].isRefusedOverRetainLimits;
  }

  private tell(turn: Turn, publication: Publication, { audience }: BrokerRoute, origin: Origin): void {
    const { bit, isPayloadBorrowed, isAcknowledged } = sourceRules[origin.source];
    const { topic, payload } = publication;
    const message: ServiceMessage = {
      scope: this.scope,
      topic,
      // A view of the input may be overwritten by nobody, but it keeps the whole chunk alive while a service works.
      payload: isPayloadBorrowed ? this.copies.copy(payload) : payload,
      clientId: origin.clientId,
      certificateId: origin.certificateId,
      source: origin.source,
      properties: ownProperties(publication.properties),
      sourceIp: origin.sourceIp,
      ruleDepth: origin.ruleDepth,
    };
    for (const listener of audience.listeners) {
      if ((listener.sources & bit) === 0) continue;
      if (listener.holdsAck && isAcknowledged) turn.hold(listener, message);
      else listener.offer(message, turn.nowMs);
    }
  }

  /** MQTT 5 properties of a message that comes from outside: what is forwarded, and when it expires. */
  describe(publication: Publication, properties: PublishProperties | undefined): void {
    if (properties === undefined) return;
    const { limits, clock } = this.context;
    publication.properties = forwardedProperties(properties);
    publication.expiresAtMs = expiresAt(limits, properties.messageExpirySeconds, clock.unixMs());
  }
}
