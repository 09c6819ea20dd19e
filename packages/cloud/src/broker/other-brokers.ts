import { ThinglineError } from "@thingline/protocol";
import { isConfirmed, type BusLink, type Outgoing } from "../bus/bus-link.js";
import type { Addressee } from "./addressee.js";
import type { BrokerContext } from "./context.js";
import type { Publication } from "./publication.js";
import type { Turn } from "./turn.js";

/** A message that not all others have confirmed. */
interface Open {
  readonly message: Outgoing;
  /** What sessions that came here meanwhile have to store of it. */
  readonly kept: Promise<unknown>[];
}

/** Brings messages to the brokers of other nodes. A message is acknowledged when all that want it have it. */
export class OtherBrokers {
  private readonly context: BrokerContext;
  private readonly link: BusLink;
  /** In the order in which they were sent. */
  private readonly open = new Set<Open>();
  /** Retained messages that the others were sent. */
  private retainedCount = 0;
  private isTelling = false;

  constructor(context: BrokerContext, link: BusLink) {
    this.context = context;
    this.link = link;
  }

  /**
   * A session has come here. It was at none of the brokers that are being asked, or left them before it had what is under way, and
   * was not here when that came: it gets it now, before anything newer.
   */
  arrived(deliver: (message: Outgoing) => Promise<unknown> | undefined): void {
    for (const { message, kept } of this.open) {
      const done = deliver(message);
      if (done === undefined) continue;
      done.catch(() => undefined);
      kept.push(done);
    }
  }

  /** Nobody else could want anything: asked for every message. */
  get isNobody(): boolean {
    return this.link.isAlone;
  }

  /**
   * Sends a message to the brokers that want it. What it has to wait for is added to the turn.
   *
   * @param only for the session of this client, wherever it is.
   * @returns whether it went, or may go, to any of them
   */
  forward(turn: Turn, publication: Publication, only: Addressee | undefined): boolean {
    const { node } = this.context;
    if (node.mayAct()) {
      if (!this.isWanted(publication, only)) return false;
      const sent = this.send(this.messageOf(publication, only), publication.stored);
      if (sent !== undefined) turn.wait(sent);
      return true;
    }
    // Another node may have become the holder of a session that wants it, without this one having heard of it.
    const later = this.sendLater(this.messageOf(publication, only), publication.stored);
    if (isConfirmed(publication)) turn.wait(later);
    else later.catch(() => undefined);
    return true;
  }

  private isWanted({ topic, isRetained }: Publication, only: Addressee | undefined): boolean {
    return isRetained || only !== undefined || this.link.hasInterest(topic);
  }

  private messageOf(publication: Publication, only: Addressee | undefined): Outgoing {
    const { topic, payload, qos, isRetained, properties, expiresAtMs } = publication.keep();
    const retained = isRetained ? { broker: this.context.brokerId, count: ++this.retainedCount } : undefined;
    return {
      id: publication.id,
      topic,
      payload,
      qos,
      isRetained,
      properties,
      expiresAtMs,
      retained,
      onlyToClientId: only?.clientId,
      onlyToCertificateId: only?.certificateId,
    };
  }

  /** @param stored a retained message is told of when it is in the store: whoever misses it finds it there */
  private send(message: Outgoing, stored: Promise<void> | undefined): Promise<void> | undefined {
    const sent = this.link.publish(message, stored);
    if (message.isRetained) sent?.catch(() => this.tellRetained());
    return sent && this.untilSettled(message, sent);
  }

  private async untilSettled(message: Outgoing, sent: Promise<void>): Promise<void> {
    const open: Open = { message, kept: [] };
    this.open.add(open);
    try {
      await sent;
      // Whoever took a session meanwhile may have told all others but this one, because it is over.
      await this.requireLease();
    } finally {
      this.open.delete(open);
    }
    await Promise.all(open.kept);
  }

  private sendLater(message: Outgoing, stored: Promise<void> | undefined): Promise<void> {
    stored?.catch(() => undefined);
    return this.untilSettled(message, this.sendWhenRegained(message, stored));
  }

  private async sendWhenRegained(message: Outgoing, stored: Promise<void> | undefined): Promise<void> {
    await this.requireLease();
    const { topic, isRetained, onlyToClientId } = message;
    if (isRetained || onlyToClientId !== undefined || this.link.hasInterest(topic)) await this.send(message, stored);
  }

  /** Waits for the lease of this node, if it ran out. @throws {ThinglineError} NODE_OVER */
  private async requireLease(): Promise<void> {
    const { node } = this.context;
    if (node.mayAct() || (await node.regained())) return;
    throw new ThinglineError("NODE_OVER", "this node was declared over before all others had the message");
  }

  /** One of the others may have missed a retained message for good: they are told how many there were, until all of them know. */
  private tellRetained(): void {
    if (this.isTelling) return;
    this.isTelling = true;
    const { brokerId: broker, log } = this.context;
    const { retainedCount: count } = this;
    const told = this.link.control({ type: "retainedSoFar", sent: { broker, count } }) ?? Promise.resolve();
    told.then(
      () => {
        this.isTelling = false;
        if (count < this.retainedCount) this.tellRetained();
      },
      (error: unknown) => {
        this.isTelling = false;
        log.warn("retainedNotTold", { error: String(error) });
        // Each round takes as long as all attempts of the link together.
        if (!this.link.isClosed && !this.context.node.isOver) this.tellRetained();
      },
    );
  }
}
