import { isAddressed, type Addressee } from "./addressee.js";
import type { SubscriptionOptions } from "@thingline/protocol/mqtt";
import type { BusLink } from "../bus/bus-link.js";
import type { BrokerContext } from "./context.js";
import type { GroupQueues } from "./group-queue.js";
import type { QueueLedger } from "./queue-ledger.js";
import { parseShare } from "./reserved-topics.js";
import { BrokerSession, type NewSession, type StoredPart } from "./session.js";
import type { SessionName } from "./session-owner.js";
import type { BrokerIndex } from "./routes.js";
import type { SharedGroup } from "./subscription-index.js";

export interface SessionsParts {
  index: BrokerIndex;
  groups: GroupQueues;
  ledger: QueueLedger;
  port: BusLink;
}

/** The sessions of one broker, in step with its index of subscriptions, its groups and the bus. */
export class Sessions {
  private readonly context: BrokerContext;
  private readonly parts: SessionsParts;
  private readonly byName = new Map<SessionName, BrokerSession>();
  /** Of client ids whose last client has a session beside the one that is kept under the client id. */
  private readonly beside = new Map<string, BrokerSession>();
  private persistent = 0;
  /** Rises with each session that is about to come here from the store, and when it has come. */
  arrivals = 0;
  /** Called when a session has come here from the store, with all that it has. */
  onArrival: ((session: BrokerSession) => void) | undefined;
  private created = 0;

  constructor(context: BrokerContext, parts: SessionsParts) {
    this.context = context;
    this.parts = parts;
  }

  /** Persistent sessions, online or not. */
  get persistentCount(): number {
    return this.persistent;
  }

  /** The session of the client that connected last under the client id: if one is connected, it is this one's. */
  get(clientId: string): BrokerSession | undefined {
    const session = this.beside.size > 0 ? this.beside.get(clientId) : undefined;
    return session ?? this.byName.get(clientId);
  }

  /** What {@link get} finds, if it is who is meant. */
  addressed(only: Addressee): BrokerSession | undefined {
    const session = this.get(only.clientId);
    return session !== undefined && isAddressed(session, only) ? session : undefined;
  }

  named(name: SessionName): BrokerSession | undefined {
    return this.byName.get(name);
  }

  all(): Iterable<BrokerSession> {
    return this.byName.values();
  }

  /** @param identifier of a session that the store holds. Default: a new one. */
  create(session: NewSession, identifier = this.newIdentifier()): BrokerSession {
    const created = new BrokerSession(session, identifier, this.context.limits);
    this.byName.set(created.name, created);
    return created;
  }

  /** The client id is that of its client now. */
  becomeCurrent(session: BrokerSession): void {
    const { clientId, name } = session;
    if (name === clientId) this.beside.delete(clientId);
    else this.beside.set(clientId, session);
  }

  /** The broker's own UUID, with a number in the place of its last digits: no randomness for each session. */
  private newIdentifier(): string {
    return this.context.brokerId.slice(0, 24) + (++this.created).toString(16).padStart(12, "0");
  }

  /** From here on the session has a record and a writer. */
  makePersistent(session: BrokerSession, stored: StoredPart): void {
    session.stored = stored;
    this.persistent++;
  }

  /** The members of a shared group that a filter names, if it names one that exists. */
  groupOf(filter: string): SharedGroup<BrokerSession> | undefined {
    const share = parseShare(filter);
    return share && this.parts.index.group(share.filter, share.shareName);
  }

  /** @returns when all other brokers know that somebody here wants it; undefined: they do. */
  subscribe(session: BrokerSession, filter: string, options: SubscriptionOptions): Promise<void> | undefined {
    const { index, groups, port } = this.parts;
    const share = parseShare(filter);
    const plain = share?.filter ?? filter;
    const isNew = !session.subscriptions.has(filter);
    const known = isNew ? port.setInterest(plain, true) : port.interestKnown(plain);
    session.subscriptions.set(filter, options);
    const group = index.add(plain, session, options, share?.shareName);
    if (group !== undefined) groups.joined(group, session);
    return known;
  }

  /** @returns whether there was such a subscription. */
  unsubscribe(session: BrokerSession, filter: string): boolean {
    if (!session.subscriptions.delete(filter)) return false;
    const { index, groups, port } = this.parts;
    const share = parseShare(filter);
    const plain = share?.filter ?? filter;
    const group = share && index.group(share.filter, share.shareName);
    index.remove(plain, session, share?.shareName);
    if (group !== undefined) groups.left(group, session);
    void port.setInterest(plain, false);
    return true;
  }

  /** Forgets a session in memory: subscriptions, queue, timer. What is stored is its caller's matter. */
  forget(session: BrokerSession): void {
    if (session.isEnded) return;
    session.isEnded = true;
    session.expiryTimer?.cancel();
    this.parts.groups.giveBack(session);
    for (const filter of [...session.subscriptions.keys()]) this.unsubscribe(session, filter);
    this.release(session);
    if (session.stored !== undefined) this.persistent--;
    const { name, clientId } = session;
    if (this.byName.get(name) === session) this.byName.delete(name);
    if (this.beside.get(clientId) === session) this.beside.delete(clientId);
  }

  private release({ queue }: BrokerSession): void {
    const { queuedBytes, queuedCount } = queue;
    // What was in flight is put before what waits.
    queue.detach();
    this.parts.ledger.released({ messages: queuedCount, bytes: queuedBytes }, queue.queuedBytes - queuedBytes);
    this.context.counters.droppedSessionEnded += queue.clear().length;
  }
}
