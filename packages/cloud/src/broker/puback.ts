import { reasonCodes, type PublishPacket } from "@thingline/protocol/mqtt";
import type { ServiceMessage, ServiceTopics } from "../services/operation.js";
import type { OperationRunner } from "../services/operation.js";
import type { ConnectedClient } from "./connected-client.js";
import type { BrokerContext } from "./context.js";
import type { Turn, Turns } from "./turn.js";

/** Acknowledges what clients publish: at once, or when what it concerns is done; always in the order of the PUBLISH packets. */
export class Pubacks {
  private readonly context: BrokerContext;
  private readonly turns: Turns;
  private readonly runner: OperationRunner | undefined;

  constructor(context: BrokerContext, { turns, runner }: { turns: Turns; runner: OperationRunner | undefined }) {
    this.context = context;
    this.turns = turns;
    this.runner = runner;
  }

  /** Without anything to wait for, and after everything that came before. */
  now(turn: Turn, client: ConnectedClient, packetId: number): void {
    if (client.inbound.count === 0) {
      client.sendPuback(turn, packetId, reasonCodes.success);
      return;
    }
    const ticket = client.inbound.begin(packetId);
    finish(turn, client, ticket, reasonCodes.success);
  }

  /** A refusing PUBACK of MQTT 5, after those of everything that came before. [MQTT-4.6.0-2] */
  refused(turn: Turn, client: ConnectedClient, packetId: number, reasonCode: number, reason: string): void {
    if (client.inbound.count === 0) client.sendPuback(turn, packetId, reasonCode, reason);
    else finish(turn, client, client.inbound.begin(packetId), reasonCode);
  }

  /** The PUBACK follows the commits and services that the message concerns. */
  after(client: ConnectedClient, { qos, packetId, topic }: PublishPacket, work: Promise<unknown>): void {
    const ticket = qos === 1 ? client.inbound.begin(packetId!) : undefined;
    work.then(
      () => this.done(client, ticket),
      (error: unknown) => this.failed(client, topic, ticket, error),
    );
  }

  /** A message that one service answers and nothing else has to wait for: no promise. */
  whenAnswered(
    client: ConnectedClient,
    { qos, packetId }: PublishPacket,
    service: ServiceTopics,
    message: ServiceMessage,
  ): void {
    const ticket = qos === 1 ? client.inbound.begin(packetId!) : undefined;
    let isAnswered = false;
    // As with a promise: only the first answer counts, and what is thrown is one.
    const settled = (error?: unknown): void => {
      if (isAnswered) return;
      isAnswered = true;
      if (error === undefined) this.done(client, ticket);
      else this.failed(client, message.topic, ticket, error);
    };
    try {
      service.handle(message, this.runner!, settled);
    } catch (error) {
      settled(error);
    }
  }

  private done(client: ConnectedClient, ticket: number | undefined): void {
    if (ticket === undefined) return;
    const turn = this.turns.begin();
    finish(turn, client, ticket, reasonCodes.success);
    this.turns.end(turn);
  }

  private failed(client: ConnectedClient, topic: string, ticket: number | undefined, error: unknown): void {
    const { clientId } = client;
    this.context.counters.serviceFailures++;
    this.context.log.error("publishFailed", { clientId, topic, error: String(error) });
    if (ticket === undefined) return;
    // MQTT 3.1.1 has no refusing PUBACK: the client has to connect and publish again.
    if (client.version === 4) return client.end("SERVER_ERROR");
    const turn = this.turns.begin();
    finish(turn, client, ticket, reasonCodes.unspecifiedError);
    this.turns.end(turn);
  }
}

function finish(turn: Turn, client: ConnectedClient, ticket: number, reasonCode: number): void {
  client.inbound.finish(ticket, reasonCode, (packetId, code) => client.sendPuback(turn, packetId, code));
}
