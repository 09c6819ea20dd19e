import type { BrokerCore } from "./core.js";
import { busMessage } from "./core.js";
import type { ClientConnection } from "./client-connection.js";
import type { BrokerLimits } from "./limits.js";
import { drainGroupsOf, queueForGroup } from "./group-delivery.js";
import type { Publication, QueuedMessage } from "./publication.js";
import { messageRecord } from "./retained.js";
import { sendPublish } from "./send-publish.js";
import type { BrokerSession } from "./session.js";
import type { Route, RouteTarget, SharedGroup } from "./subscription-index.js";
import type { ServiceTopics } from "../services/operation.js";

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

/** One member gets it. With a persistent member the group has a queue for QoS 1; without, it is one of those online or nobody. */
function deliverToGroup(core: BrokerCore, group: SharedGroup<BrokerSession>, publication: Publication): void {
  const queue = publication.qos === 1 ? core.groups.of(group) : undefined;
  if (queue !== undefined) {
    queueForGroup(core, queue, publication);
    return;
  }
  const session = chooseMember(core, group, publication.qos);
  if (session === undefined) {
    core.counters.droppedGroupOffline++;
    return;
  }
  const options = group.members.get(session)!;
  const isRetained = options.isRetainAsPublished === true && publication.isRetained;
  deliver(core, session, undefined, options.qos === 0 ? 0 : 1, isRetained, publication);
}

/** From a random member on, the first that is online and can take one, else one that is online. */
function chooseMember(core: BrokerCore, group: SharedGroup<BrokerSession>, qos: 0 | 1): BrokerSession | undefined {
  const members = group.memberList();
  const start = core.options.random.integer(members.length);
  let busy: BrokerSession | undefined;
  let away: BrokerSession | undefined;
  for (let step = 0; step < members.length; step++) {
    const session = members[(start + step) % members.length]!;
    const { connection } = session;
    if (connection === undefined) {
      if (session.stored !== undefined && group.members.get(session)?.qos !== 0) away ??= session;
    } else if (canTake(session)) return session;
    else busy ??= session;
  }
  // Only where several brokers share a store has a group with a persistent member no queue of its own.
  return busy ?? (qos === 1 ? away : undefined);
}

function canTake({ connection, queue }: BrokerSession): boolean {
  const { inflight } = queue;
  const isOpen = inflight !== undefined && inflight.count < inflight.windowMax && queue.queuedCount === 0;
  return isOpen && connection?.flow.isOutputFull() === false;
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
    group: undefined,
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

/** Sends from the session's queue, and from those of its groups, what window, rate and output allow. */
export function drain(core: BrokerCore, connection: ClientConnection): void {
  const { session } = connection;
  if (session === undefined) return;
  drainSession(core, connection, session);
  if (session.groups !== undefined) drainGroupsOf(core, session);
}

function drainSession(core: BrokerCore, connection: ClientConnection, session: BrokerSession): void {
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
