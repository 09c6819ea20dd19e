import { ThinglineError } from "@thingline/protocol";
import { checkTopicName } from "@thingline/protocol/mqtt";
import type { Connection } from "@thingline/transport";
import type { ConnectionIdentity } from "../policy/authorizer.js";
import { noClientId } from "../services/operation.js";
import type { Clients } from "../services/client-directory.js";
import type { HandedOver } from "../services/outbox.js";
import { assembleBroker, type BrokerParts } from "./assemble.js";
import { ClientConnection } from "./client-connection.js";
import { sourceRules, type Origin } from "./sources.js";
import type { Turn } from "./turn.js";
import type { Broker, BrokerOptions, BrokerStats, PublishEffect } from "./types.js";
import type { EffectId } from "../services/outbox.js";

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

function originOf({ source, ruleDepth }: Omit<PublishEffect, "type">): Origin {
  const origin = source === "http" ? overHttp : ofService;
  return ruleDepth === undefined ? origin : { ...origin, ruleDepth };
}

/** What an earlier process left. */
async function loadBroker(parts: BrokerParts): Promise<void> {
  const { context, groups, lifecycle, port, retained } = parts;
  if (!context.node.isAlone) return joinOthers(parts);
  await retained.load();
  // With others on the bus a session is loaded when its client comes here: until then another broker may hold it.
  if (!port.isAlone) return;
  await groups.load();
  await lifecycle.restoreAll();
  await groups.forgetOrphans();
}

/** One of several: what others want is known here, and whatever is left by one that is over is in living hands, before a client comes. */
async function joinOthers({ context, ear, lifecycle, port, retained }: BrokerParts): Promise<void> {
  const { clock, node } = context;
  node.onEstate(({ id }) => lifecycle.adopt(id));
  node.onEnded((id) => port.silence(id));
  node.onGone((id) => {
    port.forget(id);
    ear.forget(id);
  });
  await node.start();
  while (!node.isOver && node.others().some((id) => !port.knows(id))) await clock.sleep(othersLookMs);
  if (node.isOver) throw new ThinglineError("NODE_OVER", "this node was declared over before its broker was open");
  lifecycle.meetOthers();
  await retained.load();
}

export class LocalBroker implements Broker {
  /** For tests that look at what no caller sees. */
  readonly parts: BrokerParts;
  private isClosed = false;
  private closing: Promise<void> | undefined;

  constructor(parts: BrokerParts) {
    this.parts = parts;
    // Its sessions are another's: nobody here may believe to be served.
    parts.context.node.onOver(() => void this.close());
  }

  accept(connection: Connection, identity: ConnectionIdentity): void {
    if (this.isClosed) {
      void connection.close();
      return;
    }
    const { connections, context, clients } = this.parts;
    connections.add(new ClientConnection(context, clients, connection, identity));
  }

  async publish(effect: Omit<PublishEffect, "type">, id?: EffectId): Promise<void | HandedOver> {
    if (this.isClosed) throw closed();
    checkTopicName(effect.topic);
    const { turns } = this.parts;
    const turn = turns.begin();
    this.take(turn, effect, id);
    // Everything up to here happens within the call, so effects keep their order.
    const answered = turn.takeAnswers();
    const stored = turn.hasWaits ? turn.takeWaits() : undefined;
    turns.end(turn);
    // Whoever waits for the answer may come to it later than it fails.
    answered?.catch(() => undefined);
    if (stored !== undefined) await stored;
    return answered && { answered };
  }

  get clients(): Clients {
    if (this.isClosed) throw closed();
    return this.parts.inquiries;
  }

  announceWakeUp(atUnixMs: number): void {
    this.parts.port.hint({ type: "wakeUpStored", atUnixMs });
  }

  private take(turn: Turn, effect: Omit<PublishEffect, "type">, id: EffectId | undefined): void {
    const { topic, payload, qos, isRetained = false, properties, onlyToClientId } = effect;
    const only =
      onlyToClientId === undefined
        ? undefined
        : { clientId: onlyToClientId, certificateId: effect.onlyToCertificateId };
    const { delivery, ear, index, intake, others, sessions } = this.parts;
    const { publication } = turn;
    publication.reset(topic, payload, qos, isRetained, undefined);
    intake.describe(publication, properties);
    if (id !== undefined) {
      publication.id = { publisher: `effects of ${id.node}`, sequence: id.sequence, isEffect: true };
      // The node that committed it brought it here, and was over before it had brought it everywhere.
      const since = ear.arrivalsAt(publication.id);
      if (since !== undefined) {
        delivery.deliverToArrivals(turn, publication, index.route(topic), since);
        others.forward(turn, publication, only);
        return;
      }
    }
    if (only === undefined) {
      intake.take(turn, publication, index.route(topic), originOf(effect));
    } else {
      const session = sessions.addressed(only);
      // Where it is subscribed, it says with which quality.
      const target = session && index.route(topic).targets.find(({ subscriber }) => subscriber === session);
      delivery.deliverToClient(turn, session, only, publication, target?.qos);
    }
  }

  isWanted(topic: string, source: "service" | "http" = "service"): boolean {
    const { index, port } = this.parts;
    if (this.isClosed || !port.isAlone) return true;
    const { targets, groups, audience } = index.route(topic);
    return targets.length > 0 || groups.length > 0 || (audience.sources & sourceRules[source].bit) !== 0;
  }

  async recheckPrincipal(certificateId: string): Promise<void> {
    const { connections, port } = this.parts;
    const others = port.isAlone ? undefined : port.control({ type: "recheckPrincipal", certificateId });
    await Promise.all([others, connections.recheckPrincipal(certificateId)]);
  }

  async refreshOthers(service: string): Promise<void> {
    const { port } = this.parts;
    if (!port.isAlone) await port.control({ type: "refreshService", service });
  }

  async disconnectClient(clientId: string, reason: string): Promise<void> {
    const { ear, order, port } = this.parts;
    const others = port.isAlone ? undefined : port.control({ type: "disconnectClient", clientId, reason });
    // After a CONNECT that is on its way, so that a client cannot slip through.
    await Promise.all([others, order.after(clientId, async () => ear.disconnect(clientId, reason))]);
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
    const { connections, connector, ear, events, groups, lifecycle, listeners, order, port, retained } = this.parts;
    this.isClosed = true;
    connector.close();
    events.close();
    lifecycle.beginClose();
    await connections.close();
    await order.idle();
    await Promise.all([lifecycle.close(), groups.idle(), retained.close()]);
    listeners.close();
    ear.close();
    port.close();
  }
}

/** How often a broker that joins others looks whether it knows them all. */
const othersLookMs = 250;

const closed = (): ThinglineError => new ThinglineError("CLOSED", "the broker is closed");
