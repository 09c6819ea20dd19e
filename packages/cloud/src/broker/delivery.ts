import { verbosityOf } from "../services/iot-log.js";
import type { Addressee } from "./addressee.js";
import type { BrokerContext } from "./context.js";
import type { Client } from "./client.js";
import type { BrokerCounters } from "./counters.js";
import type { GroupDelivery } from "./group-delivery.js";
import type { GroupQueues } from "./group-queue.js";
import type { BrokerLimits } from "./limits.js";
import type { OtherBrokers } from "./other-brokers.js";
import type { Publication } from "./publication.js";
import type { QueueLedger } from "./queue-ledger.js";
import { messageRecord } from "./retained.js";
import type { PublishSender } from "./send-publish.js";
import type { BrokerSession, QueuedMessage } from "./session.js";
import type { BrokerRoute } from "./routes.js";
import type { RouteTarget, SharedGroup } from "./subscription-index.js";
import type { Turn } from "./turn.js";

export interface DeliveryParts {
  ledger: QueueLedger;
  groups: GroupQueues;
  groupDelivery: GroupDelivery;
  sender: PublishSender;
  others: OtherBrokers;
}

/** Brings messages to sessions: sends, queues or drops them. What has to be stored first is added to the turn's waits. */
export class Delivery {
  private readonly context: BrokerContext;
  private readonly counters: BrokerCounters;
  private readonly ledger: QueueLedger;
  private readonly groups: GroupQueues;
  private readonly groupDelivery: GroupDelivery;
  private readonly sender: PublishSender;
  private readonly others: OtherBrokers;

  constructor(context: BrokerContext, { ledger, groups, groupDelivery, sender, others }: DeliveryParts) {
    this.context = context;
    this.counters = context.counters;
    this.ledger = ledger;
    this.groups = groups;
    this.groupDelivery = groupDelivery;
    this.sender = sender;
    this.others = others;
  }

  /** Hands a message to every session that the route names, and to other brokers. @param isHeard a service hears it as well */
  fanOut(turn: Turn, publication: Publication, route: BrokerRoute, isHeard: boolean): void {
    const { others } = this;
    const isForwarded = !others.isNobody && others.forward(turn, publication, undefined);
    if (!isForwarded && !isHeard && route.targets.length === 0 && route.groups.length === 0) {
      this.counters.publishesWithoutReceiver++;
      return;
    }
    this.deliverHere(turn, publication, route);
  }

  /** Hands a message to the sessions of this broker. */
  deliverHere(turn: Turn, publication: Publication, { targets, groups }: BrokerRoute): void {
    for (let at = 0; at < targets.length; at++) {
      const target = targets[at]!;
      const session = target.subscriber;
      // [MQTT-3.8.3-3]
      if (target.isNoLocal && publication.from === session) continue;
      this.deliver(turn, session, target, target.qos, retainFlag(target, publication), publication);
    }
    // Nearly always there are none, and a loop over nothing costs more than the question.
    if (groups.length > 0) for (const group of groups) this.deliverToGroup(turn, group, publication);
  }

  /** Hands a message to the sessions that came to this broker after the first `since`. */
  deliverToArrivals(turn: Turn, publication: Publication, { targets }: BrokerRoute, since: number): void {
    for (const target of targets) if (target.subscriber.arrival > since) this.deliverTo(turn, target, publication);
  }

  /** Hands a message to one of those that a route names. */
  deliverTo(turn: Turn, target: RouteTarget<BrokerSession>, publication: Publication): void {
    this.deliver(turn, target.subscriber, target, target.qos, retainFlag(target, publication), publication);
  }

  /** A message for one client, subscribed or not: the answer of a service to its requester. */
  deliverToClient(
    turn: Turn,
    session: BrokerSession | undefined,
    only: Addressee,
    publication: Publication,
    grantedQos: 0 | 1 = publication.qos,
  ): void {
    if (session !== undefined) {
      this.deliver(turn, session, undefined, grantedQos, false, publication);
      return;
    }
    if (!this.others.isNobody && this.others.forward(turn, publication, only)) return;
    this.counters.droppedClientAbsent++;
    this.context.log.info("clientAbsent", { clientId: only.clientId, topic: publication.topic });
  }

  /** One member gets it. With a persistent member the group has a queue for QoS 1; without, it is one of those online or nobody. */
  private deliverToGroup(turn: Turn, group: SharedGroup<BrokerSession>, publication: Publication): void {
    const queue = publication.qos === 1 ? this.groups.of(group) : undefined;
    if (queue !== undefined) {
      this.groupDelivery.enqueue(turn, queue, publication);
      return;
    }
    const session = this.chooseMember(turn, group, publication);
    if (session === undefined) {
      this.counters.droppedGroupOffline++;
      return;
    }
    const options = group.members.get(session)!;
    const isRetained = options.isRetainAsPublished === true && publication.isRetained;
    this.deliver(turn, session, undefined, options.qos === 0 ? 0 : 1, isRetained, publication);
  }

  /** From a random member on, the first that is online and can take one, else one that is online. */
  private chooseMember(turn: Turn, group: SharedGroup<BrokerSession>, { qos }: Publication): BrokerSession | undefined {
    const members = group.memberList();
    const start = this.context.random.integer(members.length);
    let busy: BrokerSession | undefined;
    let away: BrokerSession | undefined;
    for (let step = 0; step < members.length; step++) {
      const session = members[(start + step) % members.length]!;
      const { connection } = session;
      if (connection === undefined) {
        if (session.stored !== undefined && group.members.get(session)?.qos !== 0) away ??= session;
      } else if (canTake(turn, session, connection)) return session;
      else busy ??= session;
    }
    // Only where several brokers share a store has a group with a persistent member no queue of its own.
    return busy ?? (qos === 1 ? away : undefined);
  }

  /**
   * Sends, queues or drops one message for one session.
   *
   * @param target where the decision on `iot:Receive` is cached; undefined asks the client's cache.
   */
  deliver(
    turn: Turn,
    session: BrokerSession,
    target: RouteTarget<BrokerSession> | undefined,
    grantedQos: 0 | 1,
    isRetained: boolean,
    publication: Publication,
  ): void {
    const client = session.connection;
    const qos = publication.qos < grantedQos ? publication.qos : grantedQos;
    if (client === undefined) {
      // Only QoS 1 is stored for a session without connection; whether it may receive is asked when it is back.
      if (qos === 1) this.enqueue(turn, session, publication, isRetained);
      else this.counters.droppedOffline++;
      return;
    }
    if (!isReceiveAllowed(client, target, publication.topic)) {
      this.counters.droppedReceiveDenied++;
      return;
    }
    const { flow } = client;
    if (qos === 0) {
      if (flow.isOutputFull(turn)) this.counters.droppedSlowConsumer++;
      else if (flow.rate !== undefined && !flow.rate.take(turn.nowMs)) flow.outboundThrottled(turn);
      else this.sender.send(session, client, publication, 0, isRetained, 0);
      return;
    }
    const { queue, stored } = session;
    if (stored === undefined && queue.queuedCount === 0) {
      const inflight = queue.inflight!;
      // The window first: the rate is only paid for what goes out.
      if (inflight.count < inflight.windowMax && flow.maySendQos1(turn)) {
        const packetId = inflight.allocate(undefined, turn.nowSeconds);
        this.sender.send(session, client, publication, 1, isRetained, packetId);
        return;
      }
    }
    this.enqueue(turn, session, publication, isRetained);
    // The window may be open and only the rate exhausted: then a timer has to be set.
    this.drain(turn, session);
  }

  /** Puts a QoS 1 message into the session's queue, and into the store when the session is persistent. */
  private enqueue(turn: Turn, session: BrokerSession, publication: Publication, isRetained: boolean): void {
    const { stored, queue } = session;
    const { sizeBytes, expiresAtMs } = publication;
    const limit = this.limitOfQueue(turn, session, sizeBytes);
    if (limit !== undefined) {
      this.counters.droppedQueueFull++;
      if (session.queueFullLoggedMs + 1000 > turn.nowMs) return;
      session.queueFullLoggedMs = turn.nowMs;
      const { topic } = publication;
      this.context.hit(limit, { clientId: session.clientId, queued: queue.queuedCount, topic });
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
    const { iotLog } = this.context;
    if (session.connection === undefined && iotLog.verbosity >= verbosityOf.INFO) {
      const { clientId } = session;
      const more = { qos: "1" };
      iotLog.write({ level: "INFO", eventType: "Queued", protocol: "MQTT", topicName: kept.topic, clientId, more });
    }
    this.ledger.queued(sizeBytes);
    if (stored === undefined) return;
    const record = { ...messageRecord(kept), isRetained };
    turn.wait(stored.writer.put(this.context.keys.message(session.name, message.sequence), record));
  }

  /** The limit that a message of this size would break, if any. */
  private limitOfQueue(turn: Turn, session: BrokerSession, sizeBytes: number): keyof BrokerLimits | undefined {
    const { limits } = this.context;
    const { queue, offlineRate, connection } = session;
    if (queue.queuedCount >= limits.queuedMessagesMax) return "queuedMessagesMax";
    if (queue.queuedBytes + sizeBytes > limits.queuedBytesMax) return "queuedBytesMax";
    if (this.ledger.keptBytes + sizeBytes > limits.queuedBytesTotalMax) return "queuedBytesTotalMax";
    // An offline session takes no more per second than a connected one would be sent.
    const isInRate = connection !== undefined || offlineRate === undefined || offlineRate.take(turn.nowMs);
    return isInRate ? undefined : "publishesPerSecond";
  }

  /** Sends from the session's queue, and from those of its groups, what window, rate and output allow. */
  drain(turn: Turn, session: BrokerSession): void {
    if (session.connection === undefined) return;
    this.drainSession(turn, session, session.connection);
    if (session.groups !== undefined) this.groupDelivery.drainGroupsOf(turn, session);
  }

  private drainSession(turn: Turn, session: BrokerSession, client: Client): void {
    const { queue } = session;
    for (let message = queue.peek(); message !== undefined; message = queue.peek()) {
      const { publication, expiresAtMs } = message;
      const isExpired = expiresAtMs !== undefined && expiresAtMs <= this.context.clock.unixMs();
      const isDenied = !isExpired && !client.rights.mayReceive(publication.topic);
      if (isExpired || isDenied) {
        if (isExpired) this.counters.droppedExpired++;
        else this.counters.droppedReceiveDenied++;
        this.dropOldest(session, message);
        continue;
      }
      const { inflight } = queue;
      if (inflight === undefined || inflight.count >= inflight.windowMax) return;
      if (!client.flow.maySendQueued(turn, message)) return;
      const { isStored, isRetained, sizeBytes } = message;
      queue.shift();
      if (isStored) this.ledger.sent(sizeBytes);
      else this.ledger.left(sizeBytes);
      const packetId = inflight.allocate(isStored ? message : undefined, turn.nowSeconds);
      this.sender.send(session, client, publication, 1, isRetained, packetId);
    }
  }

  private dropOldest({ queue, stored, name }: BrokerSession, message: QueuedMessage): void {
    queue.shift();
    this.ledger.left(message.sizeBytes);
    if (!message.isStored) return;
    void stored?.writer.delete(this.context.keys.message(name, message.sequence)).catch(() => undefined);
  }
}

/** [MQTT-3.3.1-9] Live delivery clears RETAIN, unless the subscription asks for it as published. */
function retainFlag({ isRetainAsPublished }: RouteTarget<BrokerSession>, { isRetained }: Publication): boolean {
  return isRetainAsPublished && isRetained;
}

function canTake(turn: Turn, { queue }: BrokerSession, client: Client): boolean {
  const { inflight } = queue;
  const isOpen = inflight !== undefined && inflight.count < inflight.windowMax && queue.queuedCount === 0;
  return isOpen && !client.flow.isOutputFull(turn);
}

function isReceiveAllowed({ rights }: Client, target: RouteTarget<BrokerSession> | undefined, topic: string): boolean {
  if (target === undefined) return rights.mayReceive(topic);
  const { authorizer } = rights;
  if (target.authorizer !== authorizer || target.generation !== authorizer.generation) {
    target.authorizer = authorizer;
    target.generation = authorizer.generation;
    target.isReceiveAllowed = rights.mayReceive(topic);
  }
  return target.isReceiveAllowed;
}
