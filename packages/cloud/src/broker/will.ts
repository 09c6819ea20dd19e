import type { Will } from "@thingline/protocol/mqtt";
import type { ServiceMessage } from "../services/operation.js";
import type { BrokerContext } from "./context.js";
import type { Intake } from "./intake.js";
import type { BrokerIndex } from "./routes.js";
import type { Turns } from "./turn.js";

export interface WillsParts {
  index: BrokerIndex;
  intake: Intake;
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
   * will on a reserved topic reaches subscribers and no service that answers requests: none of these hears wills.
   */
  send({ clientId, certificateId }: Pick<ServiceMessage, "clientId" | "certificateId">, will: Will): void {
    const { index, intake, turns } = this.parts;
    const turn = turns.begin();
    const { publication } = turn;
    publication.reset(will.topic, will.payload, will.qos === 0 ? 0 : 1, will.isRetained, undefined);
    intake.describe(publication, will.properties);
    this.context.log.debug("willSent", { clientId, topic: will.topic });
    intake.take(turn, publication, index.route(will.topic), { source: "will", clientId, certificateId });
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
