import {
  ServerSession,
  type MqttVersion,
  type SessionMessage,
  type SubscriptionOptions,
} from "@thingline/protocol/mqtt";
import type { Timer } from "@thingline/transport";
import type { Client } from "./client.js";
import type { BrokerLimits } from "./limits.js";
import type { Publication } from "./publication.js";
import type { RateBucket } from "./rate.js";
import { clientIdOfName, type SessionName, type SessionOwner } from "./session-owner.js";
import type { GroupRecord, SessionRecord } from "./session-store.js";
import type { SessionWriter } from "./session-writer.js";
import type { SharedGroup } from "./subscription-index.js";

// A session, the queue of a shared group and a message that waits in either know each other, so they stand in one file.

/** A QoS 1 message of one session or group, waiting or in flight. */
export interface QueuedMessage extends SessionMessage {
  readonly publication: Publication;
  /** The RETAIN flag that this receiver gets. */
  readonly isRetained: boolean;
  /** The store holds it too, under the session and the sequence. */
  readonly isStored: boolean;
  /** It waited through a time without connection: its delivery is paced. */
  isReplay: boolean;
  /** Where it belongs, when it is not the session's own. */
  readonly group: GroupQueue | undefined;
}

/** What makes a session persistent. */
export interface StoredPart {
  writer: SessionWriter<SessionRecord>;
  record: SessionRecord;
}

type QueueLimits = Pick<BrokerLimits, "queuedMessagesMax" | "queuedBytesMax">;

const newQueue = ({ queuedMessagesMax, queuedBytesMax }: QueueLimits): ServerSession<QueuedMessage> =>
  new ServerSession<QueuedMessage>({ queuedMessagesMax, queuedBytesMax });

export interface NewSession {
  name: SessionName;
  owner: SessionOwner | undefined;
  version: MqttVersion;
}

/** A client id's state in this broker: for the time of one connection, or longer when it is persistent. */
export class BrokerSession {
  readonly clientId: string;
  /** What it is kept under: see {@link SessionName}. */
  readonly name: SessionName;
  /** Undefined: it came from a record of an earlier release, and nobody has resumed it since. */
  owner: SessionOwner | undefined;
  readonly version: MqttVersion;
  /** A UUID for the session's life. */
  readonly identifier: string;
  /** By filter as subscribed, `$share/…/` included. */
  readonly subscriptions = new Map<string, SubscriptionOptions>();
  readonly queue: ServerSession<QueuedMessage>;
  connection: Client | undefined;
  stored: StoredPart | undefined;
  /** Rises with each session that comes to this broker from the store; 0 for one that began here. */
  arrival = 0;
  nextSequence = 1;
  expiryTimer: Timer | undefined;
  /** What it takes per second while nobody is connected; undefined without such a limit. */
  offlineRate: RateBucket | undefined;
  queueFullLoggedMs = -Infinity;
  isEnded = false;
  /** Who waits for the PUBACK of a packet identifier. Undefined while nobody does. */
  awaited: Map<number, (isAcknowledged: boolean) => void> | undefined;
  /** Queues of the shared groups that it is a member of. */
  groups: Set<GroupQueue> | undefined;

  constructor({ name, owner, version }: NewSession, identifier: string, limits: QueueLimits) {
    this.clientId = clientIdOfName(name);
    this.name = name;
    this.owner = owner;
    this.version = version;
    this.identifier = identifier;
    this.queue = newQueue(limits);
  }
}

/**
 * QoS 1 messages of one shared group that has a persistent member: they belong to the group, not to a member. What waits
 * goes to whichever member can take it; what a member has not acknowledged when its connection ends waits again.
 */
export class GroupQueue {
  readonly group: SharedGroup<BrokerSession>;
  readonly writer: SessionWriter<GroupRecord>;
  readonly waiting: ServerSession<QueuedMessage>;
  /** What no member that is online may take, and one that is away may: it waits without holding up the rest. */
  parked: QueuedMessage[] = [];
  private parkedBytes = 0;
  /** Sent to a member and not acknowledged. */
  readonly inflight = new Set<QueuedMessage>();
  nextSequence = 1;
  fullLoggedMs = -Infinity;
  isEnded = false;

  constructor(group: SharedGroup<BrokerSession>, writer: SessionWriter<GroupRecord>, limits: QueueLimits) {
    this.group = group;
    this.writer = writer;
    this.waiting = newQueue(limits);
  }

  get hasOnlineMember(): boolean {
    return this.group.memberList().some(({ connection }) => connection !== undefined);
  }

  get waitingCount(): number {
    return this.waiting.queuedCount + this.parked.length;
  }

  get waitingBytes(): number {
    return this.waiting.queuedBytes + this.parkedBytes;
  }

  /** Puts the oldest message aside. */
  park(message: QueuedMessage): void {
    this.waiting.shift();
    this.parked.push(message);
    this.parkedBytes += message.sizeBytes;
  }

  /** The members or their rights changed: what was put aside waits again, each message in its old place. */
  unpark(): void {
    if (this.parked.length === 0) return;
    const { parked } = this;
    this.parked = [];
    this.parkedBytes = 0;
    this.waiting.putBack(parked);
  }
}
