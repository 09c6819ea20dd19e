import type { EncodedTopics, MqttVersion, SubscriptionOptions } from "@thingline/protocol/mqtt";
import type { BusMessage, BusPort } from "../bus/bus.js";
import type { ServiceTopics } from "../services/operation.js";
import type { ClientConnection } from "./client-connection.js";
import { CommitGate } from "./commit-gate.js";
import { ConnectRate } from "./connect-rate.js";
import type { ConnectionFlow } from "./connection-flow.js";
import type { BrokerCounters } from "./counters.js";
import { GroupQueues } from "./group-queue.js";
import { type BrokerLimits, outputBytesShare } from "./limits.js";
import { Publication } from "./publication.js";
import { SmallCopies } from "./small-copies.js";
import { parseShare } from "./reserved-topics.js";
import type { RetainedMessages } from "./retained.js";
import { BrokerSession } from "./session.js";
import type { StoreKeys } from "./session-store.js";
import type { SubscriptionIndex } from "./subscription-index.js";
import type { BrokerOptions } from "./types.js";

const noBytes = new Uint8Array(0);

/** Commits of sessions that are under way at once. */
const commitsMax = 1_000;

/** What the parts of one broker share. Its methods keep the tables in step with each other, nothing more. */
export class BrokerCore {
  readonly options: BrokerOptions;
  /** Names this broker in session records. */
  readonly brokerId: string;
  readonly limits: BrokerLimits;
  readonly counters: BrokerCounters;
  readonly keys: StoreKeys;
  readonly index: SubscriptionIndex<BrokerSession, ServiceTopics>;
  readonly retained: RetainedMessages;
  readonly sessions = new Map<string, BrokerSession>();
  /** Every transport connection, before and after CONNACK. */
  readonly connections = new Set<ClientConnection>();
  /** Those of them that have not said CONNECT, the oldest first. */
  readonly unconnected = new Set<ClientConnection>();
  readonly connectionsByCertificate = new Map<string, Set<ClientConnection>>();
  readonly port: BusPort;
  readonly connectRate: ConnectRate;
  readonly commitGate = new CommitGate(commitsMax);
  /** Monotonic, read once per chunk of input or timer: exact enough for rates and deadlines. */
  nowMs: number;
  connectedCount = 0;
  persistentCount = 0;
  queuedMessages = 0;
  queuedBytes = 0;
  /** Below this a connection's unsent bytes are not counted; see `outputBytesTotalMax`. */
  readonly outputShareBytes: number;
  /** Connections with more than their share of unsent bytes, and the sum of those bytes when each was last looked at. */
  readonly slowFlows = new Set<ConnectionFlow>();
  unsentBytes = 0;
  unsentCountedMs = -Infinity;
  /** Stored messages that were sent and not acknowledged: kept to be sent again. */
  inflightBytes = 0;
  isClosed = false;
  /** The message that is being fanned out right now. */
  readonly publication: Publication;
  /** Of what services work on. */
  readonly copies = new SmallCopies();
  readonly groups: GroupQueues;
  /** Topics that messages had lately, encoded. */
  readonly topics: EncodedTopics;
  /** Commits that the message being fanned out has to wait for. */
  waits: Promise<unknown>[] = [];
  /** The tail of what is done for a client id, so that connects, takeovers and expiries come one after the other. */
  metOthers = false;
  private readonly turns = new Map<string, Promise<void>>();

  constructor(parts: {
    options: BrokerOptions;
    brokerId: string;
    limits: BrokerLimits;
    counters: BrokerCounters;
    keys: StoreKeys;
    index: SubscriptionIndex<BrokerSession, ServiceTopics>;
    retained: RetainedMessages;
    topics: EncodedTopics;
    attach: (core: BrokerCore) => BusPort;
  }) {
    this.options = parts.options;
    this.brokerId = parts.brokerId;
    this.limits = parts.limits;
    this.outputShareBytes = Math.min(outputBytesShare, parts.limits.outputBytesMax);
    this.counters = parts.counters;
    this.keys = parts.keys;
    this.index = parts.index;
    this.retained = parts.retained;
    this.topics = parts.topics;
    this.publication = new Publication(noBytes, parts.topics);
    this.connectRate = new ConnectRate(parts.options.clock, parts.limits.connectsPerSecondPerClientId);
    this.nowMs = parts.options.clock.monotonicMs();
    this.groups = new GroupQueues(this);
    this.port = parts.attach(this);
  }

  /** Whether another broker shares the store, or did in this broker's life. */
  hasMetOthers(): boolean {
    this.metOthers ||= !this.port.isAlone;
    return this.metOthers;
  }

  newSession(clientId: string, version: MqttVersion): BrokerSession {
    const { queuedMessagesMax, queuedBytesMax } = this.limits;
    const session = new BrokerSession(clientId, version, { queuedMessagesMax, queuedBytesMax });
    this.sessions.set(clientId, session);
    return session;
  }

  subscribe(session: BrokerSession, filter: string, options: SubscriptionOptions): void {
    const share = parseShare(filter);
    const plain = share?.filter ?? filter;
    if (!session.subscriptions.has(filter)) this.port.setInterest(plain, true);
    session.subscriptions.set(filter, options);
    const group = this.index.add(plain, session, options, share?.shareName);
    if (group !== undefined) this.groups.joined(group, session);
  }

  /** @returns whether there was such a subscription. */
  unsubscribe(session: BrokerSession, filter: string): boolean {
    if (!session.subscriptions.delete(filter)) return false;
    const share = parseShare(filter);
    const plain = share?.filter ?? filter;
    const group = share && this.index.group(share.filter, share.shareName);
    this.index.remove(plain, session, share?.shareName);
    if (group !== undefined) this.groups.left(group, session);
    this.port.setInterest(plain, false);
    return true;
  }

  /** Forgets a session in memory: subscriptions, queue, timer. What is stored is its caller's matter. */
  forget(session: BrokerSession): void {
    if (session.isEnded) return;
    session.isEnded = true;
    session.expiryTimer?.cancel();
    this.groups.giveBack(session);
    for (const filter of [...session.subscriptions.keys()]) this.unsubscribe(session, filter);
    this.releaseQueued(session);
    if (session.stored !== undefined) this.persistentCount--;
    if (this.sessions.get(session.clientId) === session) this.sessions.delete(session.clientId);
  }

  private releaseQueued(session: BrokerSession): void {
    const { queue } = session;
    const { queuedBytes } = queue;
    this.queuedBytes -= queuedBytes;
    this.queuedMessages -= queue.queuedCount;
    queue.detach();
    this.inflightBytes -= queue.queuedBytes - queuedBytes;
    this.counters.droppedSessionEnded += queue.clear().length;
  }

  /** Runs work for a client id after everything that was asked for it before. */
  inTurn<T>(clientId: string, work: () => Promise<T>): Promise<T> {
    const before = this.turns.get(clientId) ?? Promise.resolve();
    const result = before.then(work);
    const tail = result.then(
      () => undefined,
      () => undefined,
    );
    this.turns.set(clientId, tail);
    void tail.then(() => {
      if (this.turns.get(clientId) === tail) this.turns.delete(clientId);
    });
    return result;
  }

  /** When nothing is going on for any client id. */
  async idle(): Promise<void> {
    while (this.turns.size > 0) await Promise.all(this.turns.values());
  }

  hit(limit: keyof BrokerLimits, facts: Readonly<Record<string, unknown>>): void {
    this.counters.limitsHit++;
    this.options.log.warn("limitHit", { limit, ...facts });
  }
}

export function busMessage(publication: Publication, onlyToClientId: string | undefined): BusMessage {
  const { topic, payload, qos, isRetained, properties, expiresAtMs } = publication.keep();
  return { topic, payload, qos, isRetained, properties, expiresAtMs, onlyToClientId };
}
