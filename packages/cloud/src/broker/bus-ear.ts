import { ThinglineError } from "@thingline/protocol";
import type { BusControl, BusId, BusMessage, BusReceiver } from "../bus/bus.js";
import { isConfirmed, type Outgoing } from "../bus/bus-link.js";
import { SeenMessages } from "../bus/seen-messages.js";
import { addresseeOf, isAddressed } from "./addressee.js";
import type { Connections } from "./connections.js";
import type { BrokerContext } from "./context.js";
import type { Delivery } from "./delivery.js";
import type { Inquiries } from "./inquiries.js";
import type { MovingSessions } from "./moving-sessions.js";
import type { Publication } from "./publication.js";
import type { RetainedMessages } from "./retained.js";
import { RetainedGaps } from "./retained-gaps.js";
import type { BrokerIndex } from "./routes.js";
import type { BrokerSession } from "./session.js";
import type { SessionLifecycle } from "./session-lifecycle.js";
import type { Sessions } from "./sessions.js";
import type { Turn, Turns } from "./turn.js";

export interface BusEarParts {
  connections: Connections;
  delivery: Delivery;
  index: BrokerIndex;
  inquiries: Inquiries;
  lifecycle: SessionLifecycle;
  moving: MovingSessions;
  retained: RetainedMessages;
  sessions: Sessions;
  turns: Turns;
  onWakeUpStored: ((atUnixMs: number) => void) | undefined;
  onRefresh: ((service: string) => Promise<void>) | undefined;
}

/** What other brokers ask of this one. What came before is confirmed again and not done again. */
export class BusEar implements BusReceiver {
  private readonly context: BrokerContext;
  private readonly parts: BusEarParts;
  private readonly seen = new SeenMessages();
  private readonly gaps: RetainedGaps;

  constructor(context: BrokerContext, parts: BusEarParts) {
    this.context = context;
    this.parts = parts;
    this.gaps = new RetainedGaps(context.clock, () => void parts.retained.reload().catch(() => undefined));
  }

  /** How many sessions had come here when the message came over the bus; undefined: it did not. */
  arrivalsAt(id: BusId): number | undefined {
    return this.seen.markOf(id);
  }

  /** The broker of that name is gone for good. */
  forget(broker: string): void {
    this.gaps.forget(broker);
  }

  close(): void {
    this.gaps.end();
  }

  onMessage(message: BusMessage): Promise<void> | undefined {
    const { id, topic, retained } = message;
    this.parts.lifecycle.meetOthers();
    // The sessions that want it may be another node's by now: it must not be told that nobody here wants it.
    if (!this.context.node.mayAct()) return Promise.reject(leaseIsOver());
    if (!isConfirmed(message)) return this.seen.isLate(id, topic) ? undefined : this.take(message, undefined);
    if (retained !== undefined) this.gaps.came(retained);
    const ordered = id.isEffect === true ? undefined : topic;
    return this.seen.receive(id, ordered, (since) => this.take(message, since), this.parts.sessions.arrivals);
  }

  /** Brings a message that was on its way to a session that has come here since. */
  bring(message: Outgoing, session: BrokerSession): Promise<void> | undefined {
    const { turns, index, delivery } = this.parts;
    const turn = turns.begin();
    const publication = this.describe(turn, message);
    const only = addresseeOf(message);
    if (only !== undefined) {
      if (isAddressed(session, only)) delivery.deliver(turn, session, undefined, message.qos, false, publication);
    } else {
      const target = index.route(message.topic).targets.find(({ subscriber }) => subscriber === session);
      if (target !== undefined) delivery.deliverTo(turn, target, publication);
    }
    const done = turn.hasWaits ? turn.takeWaits().then(() => undefined) : undefined;
    turns.end(turn);
    return done;
  }

  /** @param since it came before, when so many sessions had come here: it is for those that came later */
  private take(message: BusMessage, since: number | undefined): Promise<void> | undefined {
    const { turns } = this.parts;
    const turn = turns.begin();
    this.receive(turn, message, since);
    const done = turn.hasWaits ? turn.takeWaits().then(() => undefined) : undefined;
    turns.end(turn);
    return done;
  }

  private receive(turn: Turn, message: BusMessage, since = -1): void {
    const { delivery, index, moving, retained, sessions } = this.parts;
    const { topic } = message;
    const only = addresseeOf(message);
    const publication = this.describe(turn, message);
    for (const wait of moving.waitsOf(message, (session) => this.bring(message, session))) turn.wait(wait);
    if (only !== undefined) {
      const session = sessions.addressed(only);
      if (session !== undefined && session.arrival > since)
        delivery.deliver(turn, session, undefined, message.qos, false, publication);
      return;
    }
    const route = index.route(topic);
    if (since >= 0) return delivery.deliverToArrivals(turn, publication, route, since);
    if (message.isRetained) turn.wait(retained.refresh(topic));
    // To this broker's own sessions alone: the sender reaches the others.
    delivery.deliverHere(turn, publication, route);
  }

  private describe({ publication }: Turn, message: Outgoing | BusMessage): Publication {
    publication.reset(message.topic, message.payload, message.qos, message.isRetained, undefined);
    publication.properties = message.properties;
    publication.expiresAtMs = message.expiresAtMs;
    return publication;
  }

  onControl(control: BusControl): Promise<void> | undefined {
    this.parts.lifecycle.meetOthers();
    // A hint has no place in the order.
    if (control.id.sequence === 0) return this.obey(control);
    return this.seen.receive(control.id, undefined, () => this.obey(control));
  }

  private obey(control: BusControl): Promise<void> | undefined {
    switch (control.type) {
      case "sessionTaken":
        this.parts.lifecycle.taken(control);
        return undefined;
      case "disconnectClient":
        this.disconnect(control.clientId, control.reason);
        return undefined;
      case "recheckPrincipal":
        return this.recheck(control.certificateId);
      case "refreshService":
        return this.parts.onRefresh?.(control.service);
      case "wakeUpStored":
        this.parts.onWakeUpStored?.(control.atUnixMs);
        return undefined;
      case "retainedSoFar":
        this.gaps.ended(control.sent);
        return undefined;
      case "clientQuestion":
        // Its clients may be another node's by now.
        return this.context.node.mayAct() ? this.parts.inquiries.hear(control) : Promise.reject(leaseIsOver());
      case "clientAnswer":
        this.parts.inquiries.answered(control);
        return undefined;
    }
  }

  private async recheck(certificateId: string): Promise<void> {
    try {
      await this.parts.connections.recheckPrincipal(certificateId);
    } catch (error) {
      this.context.log.error("recheckFailed", { certificateId, error: String(error) });
      throw error;
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

const leaseIsOver = (): ThinglineError => new ThinglineError("NODE_OVER", "the lease of this node is over");
