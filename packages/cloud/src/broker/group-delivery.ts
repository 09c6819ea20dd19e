import type { ClientConnection } from "./client-connection.js";
import type { BrokerCore } from "./core.js";
import type { GroupQueue } from "./group-queue.js";
import type { BrokerLimits } from "./limits.js";
import type { Publication, QueuedMessage } from "./publication.js";
import { messageRecord } from "./retained.js";
import { sendPublish } from "./send-publish.js";
import type { BrokerSession } from "./session.js";

/** Puts a QoS 1 message into the group's queue and into the store, and sends on what a member can take. */
export function queueForGroup(core: BrokerCore, queue: GroupQueue, publication: Publication): void {
  const { sizeBytes, expiresAtMs } = publication;
  const isOnline = queue.hasOnlineMember;
  const limit = limitOf(core, queue, sizeBytes, isOnline);
  if (limit !== undefined) {
    refuse(core, queue, publication.topic, limit);
    return;
  }
  const kept = publication.keep();
  const { isRetained } = kept;
  const message: QueuedMessage = {
    sequence: queue.nextSequence++,
    sizeBytes,
    expiresAtMs,
    publication: kept,
    isRetained,
    isStored: true,
    isReplay: !isOnline,
    group: queue,
  };
  queue.waiting.enqueue(message);
  core.queuedMessages++;
  core.queuedBytes += sizeBytes;
  const { shareName, filter } = queue.group;
  core.waits.push(queue.writer.put(core.keys.groupMessage(shareName, filter, message.sequence), messageRecord(kept)));
  if (isOnline) drainGroup(core, queue);
}

/** The limit that one more message would break. Expired ones make room. New ones are dropped, old ones kept, as at AWS. */
function limitOf(
  core: BrokerCore,
  queue: GroupQueue,
  sizeBytes: number,
  isOnline: boolean,
): keyof BrokerLimits | undefined {
  const { limits, groups } = core;
  const { waiting } = queue;
  const full = (): keyof BrokerLimits | undefined => {
    if (waiting.queuedCount >= limits.queuedMessagesMax) return "queuedMessagesMax";
    if (waiting.queuedBytes + sizeBytes > limits.queuedBytesMax) return "queuedBytesMax";
    return core.queuedBytes + core.inflightBytes + sizeBytes > limits.queuedBytesTotalMax
      ? "queuedBytesTotalMax"
      : undefined;
  };
  let limit = full();
  while (limit !== undefined && dropExpired(core, queue)) limit = full();
  if (limit !== undefined || isOnline || groups.rate === undefined) return limit;
  return groups.rate.take(core.nowMs) ? undefined : "groupQueuedPerSecondMax";
}

function refuse(core: BrokerCore, queue: GroupQueue, topic: string, limit: keyof BrokerLimits): void {
  core.counters.droppedQueueFull++;
  if (queue.fullLoggedMs + 1000 > core.nowMs) return;
  queue.fullLoggedMs = core.nowMs;
  const { shareName, filter } = queue.group;
  core.hit(limit, { shareName, filter, queued: queue.waiting.queuedCount, topic });
}

/** Whether the oldest message had expired, and is gone. */
function dropExpired(core: BrokerCore, queue: GroupQueue): boolean {
  const message = queue.waiting.peek();
  if (message?.expiresAtMs === undefined || message.expiresAtMs > core.options.clock.unixMs()) return false;
  drop(core, queue, message);
  core.counters.droppedExpired++;
  return true;
}

function shift(core: BrokerCore, queue: GroupQueue, { sizeBytes }: QueuedMessage): void {
  queue.waiting.shift();
  core.queuedMessages--;
  core.queuedBytes -= sizeBytes;
}

/** The oldest message goes to nobody any more. */
function drop(core: BrokerCore, queue: GroupQueue, message: QueuedMessage): void {
  shift(core, queue, message);
  core.groups.deleteStored(queue, message.sequence);
}

/** Sends from the group's queue, oldest first, while a member can take one. */
export function drainGroup(core: BrokerCore, queue: GroupQueue): void {
  while (!queue.isEnded) {
    if (dropExpired(core, queue)) continue;
    const message = queue.waiting.peek();
    if (message === undefined) return;
    const taker = findTaker(core, queue, message);
    if (taker === "nobody") return;
    if (taker === "denied") {
      drop(core, queue, message);
      core.counters.droppedReceiveDenied++;
    } else if (taker === "tooLarge") {
      // [MQTT-3.1.2-25] As if it had been delivered.
      drop(core, queue, message);
      core.counters.droppedTooLarge++;
    } else send(core, queue, message, taker);
  }
}

/**
 * A member that can take the message now, the first of them from a random one on. `nobody`: one is busy, or none is there, so that
 * the message waits. `denied` and `tooLarge`: none of those that are there will ever take it.
 */
function findTaker(
  core: BrokerCore,
  { group }: GroupQueue,
  message: QueuedMessage,
): BrokerSession | "nobody" | "denied" | "tooLarge" {
  const members = group.memberList();
  const start = core.options.random.integer(members.length);
  let outcome: "nobody" | "denied" | "tooLarge" | undefined;
  for (let step = 0; step < members.length; step++) {
    const session = members[(start + step) % members.length]!;
    const { connection } = session;
    if (connection === undefined) continue;
    const standing = standingOf(connection, session, group.members.get(session)?.qos !== 0, message);
    if (standing === "ready") return session;
    if (standing === "busy") outcome = "nobody";
    else outcome ??= standing;
  }
  return outcome ?? "nobody";
}

function standingOf(
  connection: ClientConnection,
  { queue }: BrokerSession,
  isQos1: boolean,
  message: QueuedMessage,
): "ready" | "busy" | "denied" | "tooLarge" {
  const { publication } = message;
  if (!connection.mayReceive(publication.topic)) return "denied";
  const { clientPacketBytesMax } = connection.terms;
  if (clientPacketBytesMax !== Infinity) {
    const { lengthBytes } = publication.template(connection.version, isQos1 ? 1 : 0, false);
    if (lengthBytes > clientPacketBytesMax) return "tooLarge";
  }
  const { inflight } = queue;
  if (isQos1 && (inflight === undefined || inflight.count >= inflight.windowMax)) return "busy";
  return connection.flow.maySendQueued(message) ? "ready" : "busy";
}

function send(core: BrokerCore, queue: GroupQueue, message: QueuedMessage, session: BrokerSession): void {
  const connection = session.connection!;
  const { qos, isRetainAsPublished } = queue.group.members.get(session)!;
  const isRetained = isRetainAsPublished === true && message.isRetained;
  if (qos === 0) {
    drop(core, queue, message);
    sendPublish(core, connection, message.publication, 0, isRetained, 0);
    return;
  }
  shift(core, queue, message);
  core.groups.taken(queue, message);
  const packetId = session.queue.inflight!.allocate(message, connection.nowSeconds);
  sendPublish(core, connection, message.publication, 1, isRetained, packetId);
}

/** A member can take more, or is there again. */
export function drainGroupsOf(core: BrokerCore, { groups }: BrokerSession): void {
  if (groups === undefined) return;
  for (const queue of groups) if (queue.waiting.queuedCount > 0) drainGroup(core, queue);
}
