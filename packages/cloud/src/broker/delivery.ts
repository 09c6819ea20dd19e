import type { BrokerCore } from "./core.js";
import { busMessage } from "./core.js";
import type { ClientConnection } from "./client-connection.js";
import type { BrokerLimits } from "./limits.js";
import type { Publication, QueuedMessage } from "./publication.js";
import { messageRecord } from "./retained.js";
import type { BrokerSession } from "./session.js";
import type { Route, RouteTarget, SharedGroup } from "./subscription-index.js";
import type { ServiceTopics } from "../services/operation.js";

/** From this size on a packet is handed on by reference instead of being copied into the slab of each receiver. */
const byReferenceBytesMin = 16 * 1024;

/**
 * Hands a message to every session that the route names, and to other brokers. Commits to wait for are added to
 * `core.waits`.
 */
export function fanOut(
  core: BrokerCore,
  publication: Publication,
  route: Route<BrokerSession, ServiceTopics>,
  isFromBus = false,
): void {
  const { targets, groups } = route;
  if (!isFromBus && !core.port.isAlone && (publication.isRetained || core.port.hasInterest(publication.topic))) {
    const wait = core.port.publish(busMessage(publication, undefined));
    if (wait !== undefined) core.waits.push(wait);
  } else if (targets.length === 0 && groups.length === 0 && route.services.length === 0) {
    core.counters.publishesWithoutReceiver++;
    return;
  }
  for (let at = 0; at < targets.length; at++) {
    const target = targets[at]!;
    const session = target.subscriber;
    // [MQTT-3.8.3-3]
    if (target.isNoLocal && publication.from === session) continue;
    // [MQTT-3.3.1-9] Live delivery clears RETAIN, unless the subscription asks for it as published.
    deliver(core, session, target, target.qos, target.isRetainAsPublished && publication.isRetained, publication);
  }
  for (const group of groups) deliverToGroup(core, group, publication);
}

/** One member gets it, chosen at random among those online; for QoS 1 a persistent one when none is. */
function deliverToGroup(core: BrokerCore, group: SharedGroup<BrokerSession>, publication: Publication): void {
  const members = [...group.members.keys()];
  let candidates = members.filter((session) => session.connection !== undefined);
  if (candidates.length === 0 && publication.qos === 1) {
    candidates = members.filter((session) => session.stored !== undefined && group.members.get(session)!.qos > 0);
  }
  if (candidates.length === 0) {
    core.counters.droppedGroupOffline++;
    return;
  }
  const session = candidates[core.options.random.integer(candidates.length)]!;
  const options = group.members.get(session)!;
  const isRetained = options.isRetainAsPublished === true && publication.isRetained;
  deliver(core, session, undefined, options.qos === 0 ? 0 : 1, isRetained, publication);
}

/**
 * Sends, queues or drops one message for one session.
 *
 * @param target where the decision on `iot:Receive` is cached; undefined asks the connection's cache.
 */
export function deliver(
  core: BrokerCore,
  session: BrokerSession,
  target: RouteTarget<BrokerSession> | undefined,
  grantedQos: 0 | 1,
  isRetained: boolean,
  publication: Publication,
): void {
  const { connection } = session;
  const qos = publication.qos < grantedQos ? publication.qos : grantedQos;
  if (connection === undefined) {
    // Only QoS 1 is stored for a session without connection; whether it may receive is asked when it is back.
    if (qos === 1) enqueue(core, session, publication, isRetained);
    else core.counters.droppedOffline++;
    return;
  }
  if (!isReceiveAllowed(connection, target, publication.topic)) {
    core.counters.droppedReceiveDenied++;
    return;
  }
  if (qos === 0) {
    if (connection.flow.isOutputFull()) core.counters.droppedSlowConsumer++;
    else if (connection.flow.rate !== undefined && !connection.flow.rate.take(core.nowMs))
      connection.flow.outboundThrottled();
    else sendPublish(core, connection, publication, 0, isRetained, 0);
    return;
  }
  if (session.stored !== undefined) {
    enqueue(core, session, publication, isRetained);
    drain(core, connection);
    return;
  }
  const inflight = session.queue.inflight!;
  // The window first: the rate is only paid for what goes out.
  if (session.queue.queuedCount === 0 && inflight.count < inflight.windowMax && connection.flow.maySendQos1()) {
    const packetId = inflight.allocate(undefined, connection.nowSeconds);
    sendPublish(core, connection, publication, 1, isRetained, packetId);
    return;
  }
  enqueue(core, session, publication, isRetained);
  // The window may be open and only the rate exhausted: then a timer has to be set.
  drain(core, connection);
}

function isReceiveAllowed(
  connection: ClientConnection,
  target: RouteTarget<BrokerSession> | undefined,
  topic: string,
): boolean {
  const { authorizer } = connection;
  if (target === undefined) return connection.mayReceive(topic);
  if (target.authorizer !== authorizer || target.generation !== authorizer.generation) {
    target.authorizer = authorizer;
    target.generation = authorizer.generation;
    target.isReceiveAllowed = connection.mayReceive(topic);
  }
  return target.isReceiveAllowed;
}

/** Writes one PUBLISH for one receiver; with QoS 0 the packet identifier is 0. */
function sendPublish(
  core: BrokerCore,
  client: ClientConnection,
  publication: Publication,
  qos: 0 | 1,
  isRetained: boolean,
  packetId: number,
): void {
  const { connection } = client;
  const template = publication.template(client.version, qos, isRetained);
  const { lengthBytes } = template;
  if (lengthBytes > client.terms.clientPacketBytesMax) {
    // [MQTT-3.1.2-25] Acts as if it had been delivered.
    core.counters.droppedTooLarge++;
    core.options.log.warn("messageTooLarge", { clientId: client.clientId, topic: publication.topic });
    if (packetId !== 0) client.acknowledged(packetId);
    return;
  }
  core.counters.publishesDelivered++;
  const patch = publication.expiresAtMs === undefined ? undefined : publication.patch(core.options.clock.unixMs());
  if (lengthBytes < byReferenceBytesMin) {
    const at = connection.reserve(lengthBytes);
    template.writeTo(connection.slab, at, packetId, patch);
    return;
  }
  // The input's memory is not ours to keep: what is handed on by reference has bytes of its own, shared by receivers.
  const kept = publication.keep();
  connection.write(kept.template(client.version, qos, isRetained).head(packetId, patch), kept.payload);
}

/** Puts a QoS 1 message into the session's queue, and into the store when the session is persistent. */
function enqueue(core: BrokerCore, session: BrokerSession, publication: Publication, isRetained: boolean): void {
  const { stored, queue } = session;
  const { sizeBytes, expiresAtMs } = publication;
  const limit = limitOfQueue(core, session, sizeBytes);
  if (limit !== undefined) {
    core.counters.droppedQueueFull++;
    if (session.queueFullLoggedMs + 1000 > core.nowMs) return;
    session.queueFullLoggedMs = core.nowMs;
    core.hit(limit, { clientId: session.clientId, queued: queue.queuedCount, topic: publication.topic });
    return;
  }
  const kept = publication.keep();
  const message: QueuedMessage = {
    sequence: session.nextSequence,
    sizeBytes,
    expiresAtMs,
    publication: kept,
    isRetained,
    isStored: stored !== undefined,
    isReplay: session.connection === undefined,
  };
  queue.enqueue(message);
  session.nextSequence++;
  core.queuedMessages++;
  core.queuedBytes += sizeBytes;
  if (stored === undefined) return;
  const record = { ...messageRecord(kept), isRetained };
  core.waits.push(stored.writer.put(core.keys.message(session.clientId, message.sequence), record));
}

/** The limit that a message of this size would break, if any. */
function limitOfQueue(core: BrokerCore, session: BrokerSession, sizeBytes: number): keyof BrokerLimits | undefined {
  const { limits } = core;
  const { queue, offlineRate, connection } = session;
  if (queue.queuedCount >= limits.queuedMessagesMax) return "queuedMessagesMax";
  if (queue.queuedBytes + sizeBytes > limits.queuedBytesMax) return "queuedBytesMax";
  if (core.queuedBytes + core.inflightBytes + sizeBytes > limits.queuedBytesTotalMax) return "queuedBytesTotalMax";
  // An offline session takes no more per second than a connected one would be sent.
  const isInRate = connection !== undefined || offlineRate === undefined || offlineRate.take(core.nowMs);
  return isInRate ? undefined : "publishesPerSecond";
}

/** Sends from the queue what window, rate and output allow. */
export function drain(core: BrokerCore, connection: ClientConnection): void {
  const { session } = connection;
  if (session === undefined) return;
  const { queue, stored } = session;
  for (let message = queue.peek(); message !== undefined; message = queue.peek()) {
    const { publication, sizeBytes, expiresAtMs, isStored, sequence, isRetained } = message;
    const isExpired = expiresAtMs !== undefined && expiresAtMs <= core.options.clock.unixMs();
    const isDenied = !isExpired && !connection.mayReceive(publication.topic);
    if (!isExpired && !isDenied) {
      const { inflight } = queue;
      if (inflight === undefined || inflight.count >= inflight.windowMax || !connection.flow.maySendQueued(message))
        return;
    }
    queue.shift();
    core.queuedMessages--;
    core.queuedBytes -= sizeBytes;
    if (isExpired) core.counters.droppedExpired++;
    else if (isDenied) core.counters.droppedReceiveDenied++;
    else {
      const packetId = queue.inflight!.allocate(isStored ? message : undefined, connection.nowSeconds);
      if (isStored) core.inflightBytes += sizeBytes;
      sendPublish(core, connection, publication, 1, isRetained, packetId);
      continue;
    }
    if (isStored) void stored?.writer.delete(core.keys.message(session.clientId, sequence)).catch(() => undefined);
  }
}
