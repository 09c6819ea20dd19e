import { ThinglineError } from "@thingline/protocol";
import { checkTopicName, EncodedTopics, topicMatches } from "@thingline/protocol/mqtt";
import type { Connection } from "@thingline/transport";
import type { BusControl, BusMessage, BusReceiver } from "../bus/bus.js";
import { createLocalBus } from "../bus/local-bus.js";
import type { ConnectionIdentity } from "../policy/authorizer.js";
import { expiresAt, forwardedProperties } from "../services/message-limits.js";
import { answered, type ServiceMessage, type ServiceTopics } from "../services/operation.js";
import { iterateSound } from "../store/iterate.js";
import { ClientConnection } from "./client-connection.js";
import { BrokerCore, busMessage } from "./core.js";
import { createCounters } from "./counters.js";
import { deliver, fanOut } from "./delivery.js";
import { takeWaits } from "./inbound-publish.js";
import { awsLimits } from "./limits.js";
import { isBasicIngest } from "./reserved-topics.js";
import { RetainedMessages } from "./retained.js";
import type { BrokerSession } from "./session.js";
import { loseSession, restoreAtStart } from "./session-lifecycle.js";
import { storeKeys, type SessionRecord } from "./session-store.js";
import { SubscriptionIndex } from "./subscription-index.js";
import type { Broker, BrokerOptions, BrokerStats, PublishEffect } from "./types.js";

/**
 * The MQTT broker of one account and region: sessions, fan-out, retained messages. Loads persistent sessions and
 * retained messages from the store before it resolves.
 *
 * @throws {ThinglineError} OPTION_INVALID, or of the store.
 */
export async function createBroker(options: BrokerOptions): Promise<Broker> {
  const { clock, log, store, scope, services = [], limits = awsLimits, bus = createLocalBus() } = options;
  if (services.length > 0 && options.runner === undefined) {
    throw new ThinglineError("OPTION_INVALID", "`runner` is required when there are `services`", {
      details: { option: "runner" },
    });
  }
  const counters = createCounters();
  const keys = storeKeys(scope);
  const topics = new EncodedTopics({ topicsMax: limits.cachedTopicsMax });
  const index = new SubscriptionIndex<BrokerSession, ServiceTopics>({
    cachedTopicsMax: limits.cachedTopicsMax,
    servicesOf: (topic) => services.filter(({ filters }) => filters.some((filter) => topicMatches(filter, topic))),
    isHidden: isBasicIngest,
  });
  const retained = new RetainedMessages({ clock, log, store, keys, topics, limits, counters });
  const core = new BrokerCore({
    options,
    brokerId: options.random.uuid(),
    limits,
    counters,
    keys,
    index,
    retained,
    topics,
    attach: (self) => bus.attach(receiverOf(self)),
  });
  await retained.load();
  // With others on the bus a session is loaded when its client comes here: until then another broker may hold it.
  if (core.port.isAlone) {
    await core.groups.load();
    for await (const { key } of iterateSound<SessionRecord>(store, keys.sessions)) {
      await restoreAtStart(core, key.at(-1) as string);
    }
    await core.groups.forgetOrphans();
  }
  return new LocalBroker(core);
}

class LocalBroker implements Broker {
  private readonly core: BrokerCore;
  private closing: Promise<void> | undefined;

  constructor(core: BrokerCore) {
    this.core = core;
  }

  accept(connection: Connection, identity: ConnectionIdentity): void {
    if (this.core.isClosed) {
      void connection.close();
      return;
    }
    const { core } = this;
    const client = new ClientConnection(core, connection, identity);
    core.connections.add(client);
    core.unconnected.add(client);
    if (core.unconnected.size <= core.limits.unconnectedMax) return;
    // It had its time, and who has just come may be the one that means it.
    const [oldest = client] = core.unconnected;
    core.hit("unconnectedMax", { remote: oldest.connection.remote.host });
    oldest.end("UNCONNECTED_LIMIT");
    // An end in order would leave the socket to it for a while.
    oldest.connection.destroy();
  }

  async publish(effect: Omit<PublishEffect, "type">): Promise<void> {
    const { core } = this;
    const { topic, payload, qos, isRetained = false, properties, onlyToClientId } = effect;
    const { publication } = core;
    if (core.isClosed) throw new ThinglineError("CLOSED", "the broker is closed");
    checkTopicName(topic);
    core.nowMs = core.options.clock.monotonicMs();
    publication.reset(topic, payload, qos, isRetained, undefined);
    if (properties !== undefined) {
      publication.properties = forwardedProperties(properties);
      publication.expiresAtMs = expiresAt(core.limits, properties.messageExpirySeconds, core.options.clock.unixMs());
    }
    if (onlyToClientId !== undefined) deliverToClient(core, onlyToClientId);
    else {
      if (isRetained) {
        const outcome = core.retained.retain(publication);
        if (outcome.type === "stored") core.waits.push(outcome.done);
      }
      fanOut(core, publication, core.index.route(topic));
    }
    // Everything up to here happens within the call, so effects keep their order.
    if (core.waits.length > 0) await takeWaits(core);
  }

  isWanted(topic: string): boolean {
    const { core } = this;
    if (core.isClosed || !core.port.isAlone) return true;
    const { targets, groups } = core.index.route(topic);
    return targets.length > 0 || groups.length > 0;
  }

  async ask(message: ServiceMessage): Promise<void> {
    const { core } = this;
    if (core.isClosed) throw new ThinglineError("CLOSED", "the broker is closed");
    const { services } = core.index.route(message.topic);
    await Promise.all(services.map((service) => answered(service, message, core.options.runner!)));
  }

  async recheckPrincipal(certificateId: string): Promise<void> {
    const { core } = this;
    if (!core.port.isAlone) core.port.control({ type: "recheckPrincipal", certificateId });
    await recheck(core, certificateId);
  }

  disconnectClient(clientId: string, reason: string): Promise<void> {
    const { core } = this;
    if (!core.port.isAlone) core.port.control({ type: "disconnectClient", clientId, reason });
    // After a CONNECT that is on its way, so that a client cannot slip through.
    return core.inTurn(clientId, async () => disconnect(core, clientId, reason));
  }

  stats(): BrokerStats {
    const { core } = this;
    return {
      ...core.counters,
      connections: core.connectedCount,
      persistentSessions: core.persistentCount,
      subscriptions: core.index.count,
      retainedMessages: core.retained.count,
      queuedMessages: core.queuedMessages,
      queuedBytes: core.queuedBytes,
    };
  }

  close(): Promise<void> {
    this.closing ??= this.shutDown();
    return this.closing;
  }

  private async shutDown(): Promise<void> {
    const { core } = this;
    core.isClosed = true;
    core.connectRate.close();
    const closed: Promise<void>[] = [];
    for (const client of [...core.connections]) {
      closed.push(client.connection.closed);
      client.end("SERVER_INITIATED_DISCONNECT");
    }
    await Promise.all(closed);
    await core.idle();
    const writers = [...core.sessions.values()].map((session) => session.stored?.writer.idle());
    for (const session of core.sessions.values()) session.expiryTimer?.cancel();
    await Promise.all([...writers, core.groups.idle(), core.retained.close()]);
    core.port.close();
  }
}

/** A message for one client, subscribed or not: the answer of a service to its requester. */
function deliverToClient(core: BrokerCore, clientId: string): void {
  const { publication } = core;
  const session = core.sessions.get(clientId);
  if (session !== undefined) {
    deliver(core, session, undefined, publication.qos, false, publication);
    return;
  }
  if (!core.port.isAlone) {
    const wait = core.port.publish(busMessage(publication, clientId));
    if (wait !== undefined) core.waits.push(wait);
    return;
  }
  core.counters.droppedClientAbsent++;
  core.options.log.info("clientAbsent", { clientId, topic: publication.topic });
}

async function recheck(core: BrokerCore, certificateId: string): Promise<void> {
  const connections = [...(core.connectionsByCertificate.get(certificateId) ?? [])];
  await Promise.all(
    connections.map(async (client) => {
      const change = ++client.principalChanges;
      // One that is still connecting asks again by itself.
      if (client.state !== "connected") return;
      const { decision, authorizer } = await client.identity.authorizeConnect(client.connectRequest!);
      if (client.state !== "connected" || client.principalChanges !== change) return;
      if (decision.isAllowed) {
        client.replaceAuthorizer(authorizer);
        return;
      }
      const { explanation } = decision;
      core.options.log.warn("connectionRevoked", { clientId: client.clientId, certificateId, explanation });
      client.end("FORBIDDEN_ACCESS");
    }),
  );
}

function disconnect(core: BrokerCore, clientId: string, reason: string): void {
  const connection = core.sessions.get(clientId)?.connection;
  if (connection === undefined) return;
  core.options.log.info("disconnecting", { clientId, reason });
  connection.end("API_INITIATED_DISCONNECT", { reasonString: reason });
}

/** What other brokers ask of this one. */
function receiverOf(core: BrokerCore): BusReceiver {
  return {
    onMessage: (message) => receiveFromBus(core, message),
    onControl: (control) => obeyBus(core, control),
  };
}

function receiveFromBus(core: BrokerCore, message: BusMessage): Promise<void> | undefined {
  core.metOthers = true;
  const { publication } = core;
  publication.reset(message.topic, message.payload, message.qos, message.isRetained, undefined);
  publication.properties = message.properties;
  publication.expiresAtMs = message.expiresAtMs;
  if (message.onlyToClientId !== undefined) {
    const session = core.sessions.get(message.onlyToClientId);
    if (session === undefined) return undefined;
    deliver(core, session, undefined, message.qos, false, publication);
  } else {
    if (message.isRetained) core.retained.learn(publication);
    // To this broker's own sessions alone: the sender reaches the others.
    fanOut(core, publication, core.index.route(message.topic), true);
  }
  return core.waits.length === 0 ? undefined : takeWaits(core).then(() => undefined);
}

function obeyBus(core: BrokerCore, control: BusControl): void {
  core.metOthers = true;
  switch (control.type) {
    case "sessionTaken": {
      const session = core.sessions.get(control.clientId);
      if (session !== undefined && (session.stored?.record.epoch ?? 0) < control.epoch) loseSession(core, session);
      return;
    }
    case "disconnectClient":
      disconnect(core, control.clientId, control.reason);
      return;
    case "recheckPrincipal":
      void recheck(core, control.certificateId).catch((error: unknown) => {
        core.options.log.error("recheckFailed", { certificateId: control.certificateId, error: String(error) });
      });
  }
}
