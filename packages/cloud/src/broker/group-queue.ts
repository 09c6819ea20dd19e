import { ServerSession } from "@thingline/protocol/mqtt";
import type { MessageRecord } from "../services/messages/model.js";
import { iterateSound } from "../store/iterate.js";
import type { BrokerCore } from "./core.js";
import type { QueuedMessage } from "./publication.js";
import { RateBucket } from "./rate.js";
import { restoredPublication } from "./retained.js";
import type { BrokerSession } from "./session.js";
import type { GroupRecord } from "./session-store.js";
import { SessionWriter } from "./session-writer.js";
import type { SharedGroup } from "./subscription-index.js";

type Group = SharedGroup<BrokerSession>;

/**
 * QoS 1 messages of one shared group that has a persistent member: they belong to the group, not to a member. What waits
 * goes to whichever member can take it; what a member has not acknowledged when its connection ends waits again.
 */
export class GroupQueue {
  readonly group: Group;
  readonly writer: SessionWriter<GroupRecord>;
  readonly waiting: ServerSession<QueuedMessage>;
  /** Sent to a member and not acknowledged. */
  readonly inflight = new Set<QueuedMessage>();
  nextSequence = 1;
  fullLoggedMs = -Infinity;
  isEnded = false;

  constructor(group: Group, writer: SessionWriter<GroupRecord>, limits: BrokerCore["limits"]) {
    const { queuedMessagesMax, queuedBytesMax } = limits;
    this.group = group;
    this.writer = writer;
    this.waiting = new ServerSession<QueuedMessage>({ queuedMessagesMax, queuedBytesMax });
  }

  get hasOnlineMember(): boolean {
    return this.group.memberList().some(({ connection }) => connection !== undefined);
  }
}

interface StoredGroup {
  record: GroupRecord;
  revision: number;
  messages: { sequence: number; record: MessageRecord }[];
}

/** The queues of all shared groups of one broker, kept in step with their members and with the store. */
export class GroupQueues {
  /** What all groups together may queue per second while none of their members is there; undefined without a limit. */
  readonly rate: RateBucket | undefined;
  private readonly core: BrokerCore;
  private readonly queues = new Map<Group, GroupQueue>();
  /** Also of queues that have ended and are still being deleted: who comes after them goes on with their revision. */
  private readonly writers = new Map<string, SessionWriter<GroupRecord>>();
  /** Of the last start, until their members are there. */
  private readonly stored = new Map<string, StoredGroup>();

  constructor(core: BrokerCore) {
    this.core = core;
    const { groupQueuedPerSecondMax } = core.limits;
    this.rate = groupQueuedPerSecondMax === Infinity ? undefined : new RateBucket(groupQueuedPerSecondMax, core.nowMs);
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
    if (queue === undefined && this.core.port.isAlone && isDurable(group, session)) queue = this.begin(group);
    if (queue === undefined) return;
    for (const member of group.memberList()) (member.groups ??= new Set()).add(queue);
    // It may have taken another QoS, and have been the last one that keeps the queue.
    this.endUnlessDurable(queue);
  }

  /** A session gave its subscription up, or has ended. The last persistent member takes the queue with it, as at AWS. */
  left(group: Group, session: BrokerSession): void {
    const queue = this.queues.get(group);
    if (queue === undefined) return;
    session.groups?.delete(queue);
    this.endUnlessDurable(queue);
  }

  private endUnlessDurable(queue: GroupQueue): void {
    const { group } = queue;
    if (!group.memberList().some((member) => isDurable(group, member))) this.end(queue);
  }

  private begin(group: Group): GroupQueue {
    const { core } = this;
    const name = nameOf(group);
    const stored = this.stored.get(name);
    this.stored.delete(name);
    const queue = new GroupQueue(group, this.writerOf(name, group, stored?.revision ?? 0), core.limits);
    this.queues.set(group, queue);
    for (const { sequence, record } of stored?.messages ?? []) this.restore(queue, sequence, record);
    return queue;
  }

  private writerOf(name: string, { shareName, filter }: Group, revision: number): SessionWriter<GroupRecord> {
    const { core } = this;
    const known = this.writers.get(name);
    if (known !== undefined) {
      known.revive();
      return known;
    }
    const { clock, store, log } = core.options;
    const writer = new SessionWriter<GroupRecord>({
      clock,
      store,
      key: core.keys.group(shareName, filter),
      record: { owner: core.brokerId },
      revision,
      gate: core.commitGate,
      onConflict: () => {
        core.counters.sessionsConflicted++;
        log.warn("groupLost", { shareName, filter });
        for (const queue of this.queues.values()) if (queue.writer === writer) this.forget(queue);
      },
      onFailure: (error) => {
        core.counters.storeFailures++;
        log.error("storeFailed", { what: "shared group", shareName, filter, error: String(error) });
      },
    });
    this.writers.set(name, writer);
    return writer;
  }

  private restore(queue: GroupQueue, sequence: number, record: MessageRecord): void {
    const { core } = this;
    const publication = restoredPublication(record, core.topics);
    const { sizeBytes, expiresAtMs } = publication;
    const facts = { sequence, sizeBytes, expiresAtMs, publication, isRetained: record.isRetained };
    const message: QueuedMessage = { ...facts, isStored: true, isReplay: true, group: queue };
    queue.nextSequence = sequence + 1;
    if (queue.waiting.enqueue(message)) {
      core.queuedMessages++;
      core.queuedBytes += sizeBytes;
      return;
    }
    core.counters.droppedQueueFull++;
    this.deleteStored(queue, sequence);
  }

  /** The queue and everything in it goes, in memory and in the store. */
  private end(queue: GroupQueue): void {
    const { core } = this;
    const { group, writer } = queue;
    const { shareName, filter } = group;
    const left = [...queue.waiting.all(), ...queue.inflight];
    const keys = left.map(({ sequence }) => core.keys.groupMessage(shareName, filter, sequence));
    if (left.length > 0) core.options.log.info("groupQueueEnded", { shareName, filter, messages: left.length });
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
    const { core } = this;
    const { group, waiting, inflight } = queue;
    queue.isEnded = true;
    this.queues.delete(group);
    for (const member of group.memberList()) member.groups?.delete(queue);
    core.queuedMessages -= waiting.queuedCount;
    core.queuedBytes -= waiting.queuedBytes;
    for (const { sizeBytes } of inflight) core.inflightBytes -= sizeBytes;
    core.counters.droppedSessionEnded += waiting.clear().length + inflight.size;
    inflight.clear();
  }

  /** A message leaves the queue for a member. */
  taken(queue: GroupQueue, message: QueuedMessage): void {
    queue.inflight.add(message);
    this.core.inflightBytes += message.sizeBytes;
  }

  /** A member is done with a message: nobody gets it again. */
  settled(message: QueuedMessage): void {
    const queue = message.group;
    if (queue === undefined || !queue.inflight.delete(message)) return;
    this.core.inflightBytes -= message.sizeBytes;
    this.deleteStored(queue, message.sequence);
  }

  deleteStored({ group, writer }: GroupQueue, sequence: number): void {
    const key = this.core.keys.groupMessage(group.shareName, group.filter, sequence);
    void writer.delete(key).catch(() => undefined);
  }

  /**
   * A member's connection is over: what it has not acknowledged waits again, in the old order.
   * @returns the queues that others can be served from now
   */
  giveBack(session: BrokerSession): GroupQueue[] {
    const { core } = this;
    const open: GroupQueue[] = [];
    const kept = session.queue.inflight?.takeKept(({ group }) => group !== undefined) ?? [];
    const again = new Map<GroupQueue, QueuedMessage[]>();
    for (const message of kept) {
      const queue = message.group!;
      if (!queue.inflight.delete(message)) continue;
      core.inflightBytes -= message.sizeBytes;
      core.queuedBytes += message.sizeBytes;
      core.queuedMessages++;
      const list = again.get(queue);
      if (list === undefined) again.set(queue, [message]);
      else list.push(message);
    }
    for (const [queue, messages] of again) queue.waiting.putBack(messages);
    for (const queue of new Set([...(session.groups ?? []), ...again.keys()])) {
      if (queue.hasOnlineMember) open.push(queue);
      else for (const message of queue.waiting.all()) message.isReplay = true;
    }
    return open;
  }

  /** What the store holds, before any session is restored. */
  async load(): Promise<void> {
    const { store } = this.core.options;
    const { keys } = this.core;
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
    const { keys, options } = this.core;
    for (const [name, { messages }] of this.stored) {
      const slash = name.indexOf("/");
      const [shareName, filter] = [name.slice(0, slash), name.slice(slash + 1)];
      const orphans = messages.map(({ sequence }) => keys.groupMessage(shareName, filter, sequence));
      await options.store.commit([keys.group(shareName, filter), ...orphans].map((key) => ({ key, delete: true })));
      this.core.counters.droppedSessionEnded += messages.length;
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
