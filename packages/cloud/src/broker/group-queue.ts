import type { EncodedTopics } from "@thingline/protocol/mqtt";
import type { BusLink } from "../bus/bus-link.js";
import type { MessageRecord } from "../services/message-records.js";
import { iterateSound } from "../store/iterate.js";
import type { BrokerContext } from "./context.js";
import type { QueueLedger } from "./queue-ledger.js";
import { RateBucket } from "./rate.js";
import { restoredPublication } from "./retained.js";
import { GroupQueue, type BrokerSession, type QueuedMessage } from "./session.js";
import type { GroupRecord } from "./session-store.js";
import { SessionWriter } from "./session-writer.js";
import type { CommitGate } from "./commit-gate.js";
import type { SharedGroup } from "./subscription-index.js";

type Group = SharedGroup<BrokerSession>;

interface StoredGroup {
  record: GroupRecord;
  revision: number;
  messages: { sequence: number; record: MessageRecord }[];
}

export interface GroupQueuesParts {
  ledger: QueueLedger;
  port: BusLink;
  gate: CommitGate;
  topics: EncodedTopics;
}

/** The queues of all shared groups of one broker, kept in step with their members and with the store. */
export class GroupQueues {
  /** What all groups together may queue per second while none of their members is there; undefined without a limit. */
  readonly rate: RateBucket | undefined;
  private readonly context: BrokerContext;
  private readonly parts: GroupQueuesParts;
  private readonly queues = new Map<Group, GroupQueue>();
  /** Also of queues that have ended and are still being deleted: who comes after them goes on with their revision. */
  private readonly writers = new Map<string, SessionWriter<GroupRecord>>();
  /** Of the last start, until their members are there. */
  private readonly stored = new Map<string, StoredGroup>();

  constructor(context: BrokerContext, parts: GroupQueuesParts) {
    this.context = context;
    this.parts = parts;
    const { groupQueuedPerSecondMax: rate } = context.limits;
    this.rate = rate === Infinity ? undefined : new RateBucket(rate, context.clock.monotonicMs());
  }

  /** Of all groups, in no order. */
  all(): Iterable<GroupQueue> {
    return this.queues.values();
  }

  /** The group's queue, if it has one. */
  of(group: Group): GroupQueue | undefined {
    return this.queues.get(group);
  }

  /**
   * A session subscribed, or subscribed anew. The first persistent member makes the queue. Where other brokers share the store,
   * groups have none: which of the brokers owns it is settled nowhere.
   */
  joined(group: Group, session: BrokerSession): void {
    let queue = this.queues.get(group);
    if (queue === undefined && this.parts.port.isAlone && isDurable(group, session)) queue = this.begin(group);
    if (queue === undefined) return;
    for (const member of group.memberList()) (member.groups ??= new Set()).add(queue);
    queue.unpark();
    // It may have taken another QoS, and have been the last one that keeps the queue.
    this.endUnlessDurable(queue);
  }

  /** A session gave its subscription up, or has ended. The last persistent member takes the queue with it, as at AWS. */
  left(group: Group, session: BrokerSession): void {
    const queue = this.queues.get(group);
    if (queue === undefined) return;
    session.groups?.delete(queue);
    queue.unpark();
    this.endUnlessDurable(queue);
  }

  private endUnlessDurable(queue: GroupQueue): void {
    const { group } = queue;
    if (!group.memberList().some((member) => isDurable(group, member))) this.end(queue);
  }

  private begin(group: Group): GroupQueue {
    const name = nameOf(group);
    const stored = this.stored.get(name);
    this.stored.delete(name);
    const queue = new GroupQueue(group, this.writerOf(name, group, stored?.revision ?? 0), this.context.limits);
    this.queues.set(group, queue);
    for (const { sequence, record } of stored?.messages ?? []) this.restore(queue, sequence, record);
    return queue;
  }

  private writerOf(name: string, { shareName, filter }: Group, revision: number): SessionWriter<GroupRecord> {
    const known = this.writers.get(name);
    if (known !== undefined) {
      known.revive();
      return known;
    }
    const { clock, store, log, keys, counters, brokerId } = this.context;
    const writer = new SessionWriter<GroupRecord>({
      clock,
      store,
      key: keys.group(shareName, filter),
      record: { owner: brokerId },
      revision,
      gate: this.parts.gate,
      onConflict: () => {
        counters.sessionsConflicted++;
        log.warn("groupLost", { shareName, filter });
        for (const queue of this.queues.values()) if (queue.writer === writer) this.forget(queue);
      },
      onFailure: (error) => {
        counters.storeFailures++;
        log.error("storeFailed", { what: "shared group", shareName, filter, error: String(error) });
      },
    });
    this.writers.set(name, writer);
    return writer;
  }

  private restore(queue: GroupQueue, sequence: number, record: MessageRecord): void {
    const publication = restoredPublication(record, this.parts.topics);
    const { sizeBytes, expiresAtMs } = publication;
    const facts = { sequence, sizeBytes, expiresAtMs, publication, isRetained: record.isRetained };
    const message: QueuedMessage = { ...facts, isStored: true, isReplay: true, group: queue };
    queue.nextSequence = sequence + 1;
    if (queue.waiting.enqueue(message)) {
      this.parts.ledger.queued(sizeBytes);
      return;
    }
    this.context.counters.droppedQueueFull++;
    this.deleteStored(queue, sequence);
  }

  /** The queue and everything in it goes, in memory and in the store. */
  private end(queue: GroupQueue): void {
    const { keys: storeKeys, log } = this.context;
    const { group, writer } = queue;
    queue.unpark();
    const { shareName, filter } = group;
    const left = [...queue.waiting.all(), ...queue.inflight];
    const keys = left.map(({ sequence }) => storeKeys.groupMessage(shareName, filter, sequence));
    if (left.length > 0) log.info("groupQueueEnded", { shareName, filter, messages: left.length });
    this.forget(queue);
    const name = nameOf(group);
    void writer
      .deleteSession(keys)
      .catch(() => undefined)
      .then(() => writer.idle())
      .then(() => {
        if (writer.isDone && this.writers.get(name) === writer) this.writers.delete(name);
      });
  }

  private forget(queue: GroupQueue): void {
    const { group, waiting, inflight } = queue;
    queue.isEnded = true;
    queue.unpark();
    this.queues.delete(group);
    for (const member of group.memberList()) member.groups?.delete(queue);
    let inflightBytes = 0;
    for (const { sizeBytes } of inflight) inflightBytes += sizeBytes;
    this.parts.ledger.released({ messages: waiting.queuedCount, bytes: waiting.queuedBytes }, inflightBytes);
    this.context.counters.droppedSessionEnded += waiting.clear().length + inflight.size;
    inflight.clear();
  }

  /** The oldest message leaves the queue for a member. */
  taken(queue: GroupQueue, message: QueuedMessage): void {
    queue.waiting.shift();
    queue.inflight.add(message);
    this.parts.ledger.sent(message.sizeBytes);
  }

  /** A member is done with a message: nobody gets it again. */
  settled(message: QueuedMessage): void {
    const queue = message.group;
    if (queue === undefined || !queue.inflight.delete(message)) return;
    this.parts.ledger.settled(message.sizeBytes);
    this.deleteStored(queue, message.sequence);
  }

  /** The oldest message goes to nobody any more, or to somebody who need not acknowledge it. */
  dropped(queue: GroupQueue, message: QueuedMessage): void {
    queue.waiting.shift();
    this.parts.ledger.left(message.sizeBytes);
    this.deleteStored(queue, message.sequence);
  }

  private deleteStored({ group, writer }: GroupQueue, sequence: number): void {
    const key = this.context.keys.groupMessage(group.shareName, group.filter, sequence);
    void writer.delete(key).catch(() => undefined);
  }

  /**
   * A member's connection is over: what it has not acknowledged waits again, in the old order.
   * @returns the queues that others can be served from now
   */
  giveBack(session: BrokerSession): GroupQueue[] {
    const open: GroupQueue[] = [];
    const kept = session.queue.inflight?.takeKept(({ group }) => group !== undefined) ?? [];
    const again = new Map<GroupQueue, QueuedMessage[]>();
    for (const message of kept) {
      const queue = message.group!;
      if (!queue.inflight.delete(message)) continue;
      this.parts.ledger.returned(message.sizeBytes);
      const list = again.get(queue);
      if (list === undefined) again.set(queue, [message]);
      else list.push(message);
    }
    for (const [queue, messages] of again) queue.waiting.putBack(messages);
    for (const queue of new Set([...(session.groups ?? []), ...again.keys()])) {
      queue.unpark();
      if (queue.hasOnlineMember) open.push(queue);
      else for (const message of queue.waiting.all()) message.isReplay = true;
    }
    return open;
  }

  /** The session's client is there again, or may receive something else than before. */
  changed({ groups }: BrokerSession): void {
    if (groups !== undefined) for (const queue of groups) queue.unpark();
  }

  /** What the store holds, before any session is restored. */
  async load(): Promise<void> {
    const { store, keys } = this.context;
    for await (const { key, value, revision } of iterateSound<GroupRecord>(store, keys.groups)) {
      const [shareName, filter] = key.slice(-2) as [string, string];
      const messages: StoredGroup["messages"] = [];
      for await (const { key, value } of iterateSound<MessageRecord>(store, keys.groupMessages(shareName, filter))) {
        messages.push({ sequence: key.at(-1) as number, record: value });
      }
      this.stored.set(nameOf({ shareName, filter }), { record: value, revision, messages });
    }
  }

  /** Every session is restored: a queue that nobody came for ended while its last member was being deleted. */
  async forgetOrphans(): Promise<void> {
    const { keys, store, counters } = this.context;
    for (const [name, { messages }] of this.stored) {
      const slash = name.indexOf("/");
      const [shareName, filter] = [name.slice(0, slash), name.slice(slash + 1)];
      const orphans = messages.map(({ sequence }) => keys.groupMessage(shareName, filter, sequence));
      await store.commit([keys.group(shareName, filter), ...orphans].map((key) => ({ key, delete: true })));
      counters.droppedSessionEnded += messages.length;
    }
    this.stored.clear();
  }

  /** When everything asked for so far is settled. Never rejects. */
  async idle(): Promise<void> {
    await Promise.all([...this.writers.values()].map((writer) => writer.idle()));
  }
}

/** A share name has no slash. */
const nameOf = ({ shareName, filter }: Pick<Group, "shareName" | "filter">): string => `${shareName}/${filter}`;

/** Whether the member keeps messages for the group while it is away: QoS 0 is kept for nobody. */
function isDurable({ members }: Group, session: BrokerSession): boolean {
  return session.stored !== undefined && members.get(session)?.qos !== 0;
}
