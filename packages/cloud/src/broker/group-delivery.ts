import type { BrokerContext } from "./context.js";
import type { Client } from "./client.js";
import type { GroupQueues } from "./group-queue.js";
import type { BrokerLimits } from "./limits.js";
import type { Publication } from "./publication.js";
import type { QueueLedger } from "./queue-ledger.js";
import { messageRecord } from "./retained.js";
import type { PublishSender } from "./send-publish.js";
import type { BrokerSession, GroupQueue, QueuedMessage } from "./session.js";
import type { Turn } from "./turn.js";

type Untaken = "nobody" | "away" | "denied" | "tooLarge";

/** Puts messages into the queues of shared groups, and sends them to the members. */
export class GroupDelivery {
  private readonly context: BrokerContext;
  private readonly ledger: QueueLedger;
  private readonly groups: GroupQueues;
  private readonly sender: PublishSender;

  constructor(
    context: BrokerContext,
    { ledger, groups, sender }: { ledger: QueueLedger; groups: GroupQueues; sender: PublishSender },
  ) {
    this.context = context;
    this.ledger = ledger;
    this.groups = groups;
    this.sender = sender;
  }

  /** Puts a QoS 1 message into the group's queue and into the store, and sends on what a member can take. */
  enqueue(turn: Turn, queue: GroupQueue, publication: Publication): void {
    const { sizeBytes, expiresAtMs } = publication;
    const isOnline = queue.hasOnlineMember;
    const limit = this.limitOf(turn, queue, sizeBytes, isOnline);
    if (limit !== undefined) {
      this.refuse(turn, queue, publication.topic, limit);
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
    this.ledger.queued(sizeBytes);
    const { shareName, filter } = queue.group;
    const key = this.context.keys.groupMessage(shareName, filter, message.sequence);
    turn.wait(queue.writer.put(key, messageRecord(kept)));
    if (isOnline) this.drain(turn, queue);
  }

  /** The limit that one more message would break. Expired ones make room. New ones are dropped, old ones kept, as at AWS. */
  private limitOf(turn: Turn, queue: GroupQueue, sizeBytes: number, isOnline: boolean): keyof BrokerLimits | undefined {
    const { limits } = this.context;
    const full = (): keyof BrokerLimits | undefined => {
      if (queue.waitingCount >= limits.queuedMessagesMax) return "queuedMessagesMax";
      if (queue.waitingBytes + sizeBytes > limits.queuedBytesMax) return "queuedBytesMax";
      return this.ledger.keptBytes + sizeBytes > limits.queuedBytesTotalMax ? "queuedBytesTotalMax" : undefined;
    };
    let limit = full();
    while (limit !== undefined && this.dropExpired(queue)) limit = full();
    const { rate } = this.groups;
    if (limit !== undefined || isOnline || rate === undefined) return limit;
    return rate.take(turn.nowMs) ? undefined : "groupQueuedPerSecondMax";
  }

  private refuse({ nowMs }: Turn, queue: GroupQueue, topic: string, limit: keyof BrokerLimits): void {
    this.context.counters.droppedQueueFull++;
    if (queue.fullLoggedMs + 1000 > nowMs) return;
    queue.fullLoggedMs = nowMs;
    const { shareName, filter } = queue.group;
    this.context.hit(limit, { shareName, filter, queued: queue.waitingCount, topic });
  }

  /** Whether the oldest message had expired, and is gone. */
  private dropExpired(queue: GroupQueue): boolean {
    const message = queue.waiting.peek();
    if (message?.expiresAtMs === undefined || message.expiresAtMs > this.context.clock.unixMs()) return false;
    this.groups.dropped(queue, message);
    this.context.counters.droppedExpired++;
    return true;
  }

  /** Sends from the group's queue, oldest first, while a member can take one. */
  drain(turn: Turn, queue: GroupQueue): void {
    const { counters } = this.context;
    while (!queue.isEnded) {
      if (this.dropExpired(queue)) continue;
      const message = queue.waiting.peek();
      if (message === undefined) return;
      const taker = this.findTaker(turn, queue, message);
      if (taker === "nobody") return;
      if (taker === "away") {
        // It must not hold up the rest.
        queue.park(message);
        continue;
      }
      if (taker === "denied") {
        this.groups.dropped(queue, message);
        counters.droppedReceiveDenied++;
      } else if (taker === "tooLarge") {
        // [MQTT-3.1.2-25] As if it had been delivered.
        this.groups.dropped(queue, message);
        counters.droppedTooLarge++;
      } else this.send(turn, queue, message, taker);
    }
  }

  /**
   * A member that can take the message now, the first of them from a random one on. `nobody`: one is busy, or none is there, so that
   * the message waits. `away`: none of those that are there will ever take it, and one that is not may. `denied` and `tooLarge`: no
   * member will ever take it.
   */
  private findTaker(turn: Turn, { group }: GroupQueue, message: QueuedMessage): BrokerSession | Untaken {
    const members = group.memberList();
    const start = this.context.random.integer(members.length);
    let untaken: Untaken | undefined;
    let isOneAway = false;
    for (let step = 0; step < members.length; step++) {
      const session = members[(start + step) % members.length]!;
      const isQos1 = group.members.get(session)?.qos !== 0;
      const { connection } = session;
      if (connection === undefined) {
        isOneAway ||= session.stored !== undefined && isQos1;
        continue;
      }
      const standing = standingOf(turn, connection, session, isQos1, message);
      if (standing === "ready") return session;
      if (standing === "busy") untaken = "nobody";
      else untaken ??= standing;
    }
    if (untaken === undefined || untaken === "nobody") return "nobody";
    return isOneAway ? "away" : untaken;
  }

  private send(turn: Turn, queue: GroupQueue, message: QueuedMessage, session: BrokerSession): void {
    const client = session.connection!;
    const { qos, isRetainAsPublished } = queue.group.members.get(session)!;
    const isRetained = isRetainAsPublished === true && message.isRetained;
    if (qos === 0) {
      this.groups.dropped(queue, message);
      this.sender.send(session, client, message.publication, 0, isRetained, 0);
      return;
    }
    this.groups.taken(queue, message);
    const packetId = session.queue.inflight!.allocate(message, turn.nowSeconds);
    this.sender.send(session, client, message.publication, 1, isRetained, packetId);
  }

  /** A member can take more, or is there again. */
  drainGroupsOf(turn: Turn, { groups }: BrokerSession): void {
    if (groups === undefined) return;
    for (const queue of groups) if (queue.waiting.queuedCount > 0) this.drain(turn, queue);
  }
}

function standingOf(
  turn: Turn,
  client: Client,
  { queue }: BrokerSession,
  isQos1: boolean,
  message: QueuedMessage,
): "ready" | "busy" | "denied" | "tooLarge" {
  const { publication } = message;
  if (!client.rights.mayReceive(publication.topic)) return "denied";
  const { packetBytesMax } = client;
  if (packetBytesMax !== Infinity) {
    const { lengthBytes } = publication.template(client.version, isQos1 ? 1 : 0, false);
    if (lengthBytes > packetBytesMax) return "tooLarge";
  }
  const { inflight } = queue;
  if (isQos1 && (inflight === undefined || inflight.count >= inflight.windowMax)) return "busy";
  return client.flow.maySendQueued(turn, message) ? "ready" : "busy";
}
