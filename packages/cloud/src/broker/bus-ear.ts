import type { BusControl, BusMessage, BusReceiver } from "../bus/bus.js";
import type { Connections } from "./connections.js";
import type { BrokerContext } from "./context.js";
import type { Delivery } from "./delivery.js";
import type { RetainedMessages } from "./retained.js";
import type { SessionLifecycle } from "./session-lifecycle.js";
import type { BrokerIndex } from "./routes.js";
import type { Sessions } from "./sessions.js";
import type { Turn, Turns } from "./turn.js";

export interface BusEarParts {
  connections: Connections;
  delivery: Delivery;
  index: BrokerIndex;
  lifecycle: SessionLifecycle;
  retained: RetainedMessages;
  sessions: Sessions;
  turns: Turns;
}

/** What other brokers ask of this one. */
export class BusEar implements BusReceiver {
  private readonly context: BrokerContext;
  private readonly parts: BusEarParts;

  constructor(context: BrokerContext, parts: BusEarParts) {
    this.context = context;
    this.parts = parts;
  }

  onMessage(message: BusMessage): Promise<void> | undefined {
    const { lifecycle, turns } = this.parts;
    lifecycle.meetOthers();
    const turn = turns.begin();
    this.receive(turn, message);
    const done = turn.hasWaits ? turn.takeWaits().then(() => undefined) : undefined;
    turns.end(turn);
    return done;
  }

  private receive(turn: Turn, message: BusMessage): void {
    const { delivery, index, retained, sessions } = this.parts;
    const { topic, onlyToClientId } = message;
    const { publication } = turn;
    publication.reset(topic, message.payload, message.qos, message.isRetained, undefined);
    publication.properties = message.properties;
    publication.expiresAtMs = message.expiresAtMs;
    if (onlyToClientId !== undefined) {
      const session = sessions.get(onlyToClientId);
      if (session !== undefined) delivery.deliver(turn, session, undefined, message.qos, false, publication);
      return;
    }
    if (message.isRetained) retained.learn(publication);
    // To this broker's own sessions alone: the sender reaches the others.
    delivery.deliverHere(turn, publication, index.route(topic));
  }

  onControl(control: BusControl): void {
    const { lifecycle } = this.parts;
    lifecycle.meetOthers();
    switch (control.type) {
      case "sessionTaken":
        lifecycle.taken(control.clientId, control.epoch);
        return;
      case "disconnectClient":
        this.disconnect(control.clientId, control.reason);
        return;
      case "recheckPrincipal":
        void this.parts.connections.recheckPrincipal(control.certificateId).catch((error: unknown) => {
          const { certificateId } = control;
          this.context.log.error("recheckFailed", { certificateId, error: String(error) });
        });
    }
  }

  /** Closes the connection of a client, if it is here. */
  disconnect(clientId: string, reason: string): void {
    const client = this.parts.sessions.get(clientId)?.connection;
    if (client === undefined) return;
    this.context.log.info("disconnecting", { clientId, reason });
    client.end("API_INITIATED_DISCONNECT", { reasonString: reason });
  }
}
