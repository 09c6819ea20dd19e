import { ThinglineError } from "@thingline/protocol";
import { checkTopicName } from "@thingline/protocol/mqtt";
import type { Connection } from "@thingline/transport";
import type { ConnectionIdentity } from "../policy/authorizer.js";
import { noClientId } from "../services/operation.js";
import type { HandedOver } from "../services/outbox.js";
import { assembleBroker, type BrokerParts } from "./assemble.js";
import { ClientConnection } from "./client-connection.js";
import { sourceRules, type Origin } from "./sources.js";
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
  return new LocalBroker(parts);
}

const noClient = { clientId: noClientId, certificateId: undefined };
const ofService: Origin = { source: "service", ...noClient };
const overHttp: Origin = { source: "http", ...noClient };

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
  private isClosed = false;
  private closing: Promise<void> | undefined;

  constructor(parts: BrokerParts) {
    this.parts = parts;
  }

  accept(connection: Connection, identity: ConnectionIdentity): void {
    if (this.isClosed) {
      void connection.close();
      return;
    }
    const { connections, context, clients } = this.parts;
    connections.add(new ClientConnection(context, clients, connection, identity));
  }

  async publish(effect: Omit<PublishEffect, "type">): Promise<void | HandedOver> {
    if (this.isClosed) throw closed();
    checkTopicName(effect.topic);
    const { turns } = this.parts;
    const turn = turns.begin();
    this.take(turn, effect);
    // Everything up to here happens within the call, so effects keep their order.
    const answered = turn.takeAnswers();
    const stored = turn.hasWaits ? turn.takeWaits() : undefined;
    turns.end(turn);
    // Whoever waits for the answer may come to it later than it fails.
    answered?.catch(() => undefined);
    if (stored !== undefined) await stored;
    return answered && { answered };
  }

  private take(turn: Turn, effect: Omit<PublishEffect, "type">): void {
    const { topic, payload, qos, isRetained = false, properties, onlyToClientId } = effect;
    const { delivery, index, intake, sessions } = this.parts;
    const { publication } = turn;
    publication.reset(topic, payload, qos, isRetained, undefined);
    intake.describe(publication, properties);
    if (onlyToClientId === undefined) {
      intake.take(turn, publication, index.route(topic), effect.source === "http" ? overHttp : ofService);
    } else delivery.deliverToClient(turn, sessions.get(onlyToClientId), onlyToClientId, publication);
  }

  isWanted(topic: string, source: "service" | "http" = "service"): boolean {
    const { index, port } = this.parts;
    if (this.isClosed || !port.isAlone) return true;
    const { targets, groups, audience } = index.route(topic);
    return targets.length > 0 || groups.length > 0 || (audience.sources & sourceRules[source].bit) !== 0;
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
    const { connections, connector, events, groups, lifecycle, listeners, order, port, retained } = this.parts;
    this.isClosed = true;
    connector.close();
    events.close();
    lifecycle.beginClose();
    await connections.close();
    await order.idle();
    await Promise.all([lifecycle.close(), groups.idle(), retained.close()]);
    listeners.close();
    port.close();
  }
}

const closed = (): ThinglineError => new ThinglineError("CLOSED", "the broker is closed");
