import type { Will } from "@thingline/protocol/mqtt";
import { expiresAt, forwardedProperties } from "../services/message-limits.js";
import type { BrokerContext } from "./context.js";
import type { Delivery } from "./delivery.js";
import type { RetainedMessages } from "./retained.js";
import type { BrokerIndex } from "./sessions.js";
import type { Turns } from "./turn.js";

export interface WillsParts {
  delivery: Delivery;
  index: BrokerIndex;
  retained: RetainedMessages;
  turns: Turns;
}

/** Publishes last wills. */
export class Wills {
  private readonly context: BrokerContext;
  private readonly parts: WillsParts;

  constructor(context: BrokerContext, parts: WillsParts) {
    this.context = context;
    this.parts = parts;
  }

  /**
   * Publishes the last will of a connection that has ended. That the client may was settled by its CONNECT. As at AWS, a
   * will on a reserved topic reaches subscribers and no service.
   */
  send(clientId: string, will: Will): void {
    const { delivery, index, retained, turns } = this.parts;
    const { limits, clock, log } = this.context;
    const turn = turns.begin();
    const { publication } = turn;
    publication.reset(will.topic, will.payload, will.qos === 0 ? 0 : 1, will.isRetained, undefined);
    publication.properties = forwardedProperties(will.properties);
    publication.expiresAtMs = expiresAt(limits, will.properties?.messageExpirySeconds, clock.unixMs());
    log.debug("willSent", { clientId, topic: will.topic });
    if (will.isRetained) retained.retain(publication);
    delivery.fanOut(turn, publication, index.route(will.topic));
    // Nobody waits for a will; what cannot be stored is logged by the writer.
    turns.end(turn);
  }
}

/** A decoded will is a view of the CONNECT, and lives as long as the connection. */
export function ownWill(will: Will): Will {
  const { properties, payload } = will;
  const own: Will = { ...will, payload: payload.slice() };
  if (properties?.correlationData !== undefined) {
    own.properties = { ...properties, correlationData: properties.correlationData.slice() };
  }
  return own;
}
