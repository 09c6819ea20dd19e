import { ThinglineError } from "@thingline/protocol";
import { checkTopicName } from "@thingline/protocol/mqtt";
import type { Connection } from "@thingline/transport";
import type { ConnectionIdentity } from "../policy/authorizer.js";
import { expiresAt, forwardedProperties } from "../services/message-limits.js";
import { answered, type OperationRunner, type ServiceMessage } from "../services/operation.js";
import { assembleBroker, type BrokerParts } from "./assemble.js";
import { ClientConnection } from "./client-connection.js";
import type { Turn } from "./turn.js";
import type { Broker, BrokerOptions, BrokerStats, PublishEffect } from "./types.js";

/**
 * The MQTT broker of one account and region: sessions, fan-out, retained messages. Loads persistent sessions and
 * retained messages from the store before it resolves.
 *
 * @throws {ThinglineError} OPTION_INVALID, or of the store.
 */
export async function createBroker(options: BrokerOptions): Promise<Broker> {
  if ((options.services ?? []).length > 0 && options.runner === undefined) {
    throw new ThinglineError("OPTION_INVALID", "`runner` is required when there are `services`", {
      details: { option: "runner" },
    });
  }
  const parts = assembleBroker(options);
  await loadBroker(parts);
  return new LocalBroker(parts, options.runner);
}

/** What an earlier process left. */
async function loadBroker({ groups, lifecycle, port, retained }: BrokerParts): Promise<void> {
  await retained.load();
  // With others on the bus a session is loaded when its client comes here: until then another broker may hold it.
  if (!port.isAlone) return;
  await groups.load();
  await lifecycle.restoreAll();
  await groups.forgetOrphans();
}

export class LocalBroker implements Broker {
  /** For tests that look at what no caller sees. */
  readonly parts: BrokerParts;
  private readonly runner: OperationRunner | undefined;
  private isClosed = false;
  private closing: Promise<void> | undefined;

  constructor(parts: BrokerParts, runner: OperationRunner | undefined) {
    this.parts = parts;
    this.runner = runner;
  }

  accept(connection: Connection, identity: ConnectionIdentity): void {
    if (this.isClosed) {
      void connection.close();
      return;
    }
    const { connections, context, clients } = this.parts;
    connections.add(new ClientConnection(context, clients, connection, identity));
  }

  async publish(effect: Omit<PublishEffect, "type">): Promise<void> {
    if (this.isClosed) throw closed();
    checkTopicName(effect.topic);
    const { turns } = this.parts;
    const turn = turns.begin();
    this.publishNow(turn, effect);
    // Everything up to here happens within the call, so effects keep their order.
    const done = turn.hasWaits ? turn.takeWaits() : undefined;
    turns.end(turn);
    if (done !== undefined) await done;
  }

  private publishNow(turn: Turn, effect: Omit<PublishEffect, "type">): void {
    const { topic, payload, qos, isRetained = false, properties, onlyToClientId } = effect;
    const { context, delivery, index, retained, sessions } = this.parts;
    const { publication } = turn;
    publication.reset(topic, payload, qos, isRetained, undefined);
    if (properties !== undefined) {
      const { limits, clock } = context;
      publication.properties = forwardedProperties(properties);
      publication.expiresAtMs = expiresAt(limits, properties.messageExpirySeconds, clock.unixMs());
    }
    if (onlyToClientId !== undefined) {
      delivery.deliverToClient(turn, sessions.get(onlyToClientId), onlyToClientId, publication);
      return;
    }
    if (isRetained) {
      const outcome = retained.retain(publication);
      if (outcome.type === "stored") turn.wait(outcome.done);
    }
    delivery.fanOut(turn, publication, index.route(topic));
  }

  isWanted(topic: string): boolean {
    const { index, port } = this.parts;
    if (this.isClosed || !port.isAlone) return true;
    const { targets, groups } = index.route(topic);
    return targets.length > 0 || groups.length > 0;
  }

  async ask(message: ServiceMessage): Promise<void> {
    if (this.isClosed) throw closed();
    const { services } = this.parts.index.route(message.topic);
    await Promise.all(services.map((service) => answered(service, message, this.runner!)));
  }

  async recheckPrincipal(certificateId: string): Promise<void> {
    const { connections, port } = this.parts;
    if (!port.isAlone) port.control({ type: "recheckPrincipal", certificateId });
    await connections.recheckPrincipal(certificateId);
  }

  disconnectClient(clientId: string, reason: string): Promise<void> {
    const { ear, order, port } = this.parts;
    if (!port.isAlone) port.control({ type: "disconnectClient", clientId, reason });
    // After a CONNECT that is on its way, so that a client cannot slip through.
    return order.after(clientId, async () => ear.disconnect(clientId, reason));
  }

  stats(): BrokerStats {
    const { connections, context, index, ledger, retained, sessions } = this.parts;
    return {
      ...context.counters,
      connections: connections.connectedCount,
      persistentSessions: sessions.persistentCount,
      subscriptions: index.count,
      retainedMessages: retained.count,
      queuedMessages: ledger.queuedMessages,
      queuedBytes: ledger.queuedBytes,
    };
  }

  close(): Promise<void> {
    this.closing ??= this.shutDown();
    return this.closing;
  }

  private async shutDown(): Promise<void> {
    const { connections, connector, groups, lifecycle, order, port, retained } = this.parts;
    this.isClosed = true;
    connector.close();
    lifecycle.beginClose();
    await connections.close();
    await order.idle();
    await Promise.all([lifecycle.close(), groups.idle(), retained.close()]);
    port.close();
  }
}

const closed = (): ThinglineError => new ThinglineError("CLOSED", "the broker is closed");
