import { reasonCodes, type PublishPacket } from "@thingline/protocol/mqtt";
import type { ServiceMessage } from "../services/operation.js";
import type { ConnectedClient } from "./connected-client.js";
import type { BrokerContext } from "./context.js";
import type { AckHolder, Turn, Turns } from "./turn.js";

/** Acknowledges what clients publish: at once, or when what it concerns is done; always in the order of the PUBLISH packets. */
export class Pubacks {
  private readonly context: BrokerContext;
  private readonly turns: Turns;

  constructor(context: BrokerContext, turns: Turns) {
    this.context = context;
    this.turns = turns;
  }

  /** When everything is done that the turn has collected for the message. */
  settle(turn: Turn, client: ConnectedClient, packet: PublishPacket): void {
    if (turn.message !== undefined) this.afterAnswers(turn, client, packet, turn.message);
    else if (turn.hasWaits) this.after(client, packet, turn.takeWaits());
    else if (packet.qos === 1) this.now(turn, client, packet.packetId!);
  }

  private afterAnswers(turn: Turn, client: ConnectedClient, packet: PublishPacket, message: ServiceMessage): void {
    if (turn.holders.length === 1 && !turn.hasWaits) {
      const [holder] = turn.holders;
      turn.dropHolders();
      this.whenAnswered(client, packet, holder!, message);
      return;
    }
    turn.wait(turn.takeAnswers()!);
    this.after(client, packet, turn.takeWaits());
  }

  /** Without anything to wait for, and after everything that came before. */
  private now(turn: Turn, client: ConnectedClient, packetId: number): void {
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
  private after(client: ConnectedClient, { qos, packetId, topic }: PublishPacket, work: Promise<unknown>): void {
    const ticket = qos === 1 ? client.inbound.begin(packetId!) : undefined;
    work.then(
      () => this.done(client, ticket),
      (error: unknown) => this.failed(client, topic, ticket, error),
    );
  }

  /** A message that one service answers and nothing else has to wait for: no promise. */
  private whenAnswered(
    client: ConnectedClient,
    { qos, packetId }: PublishPacket,
    holder: AckHolder,
    message: ServiceMessage,
  ): void {
    const ticket = qos === 1 ? client.inbound.begin(packetId!) : undefined;
    holder.ask(message, (error) => {
      if (error === undefined) this.done(client, ticket);
      else this.failed(client, message.topic, ticket, error);
    });
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
