import { ServerSession, type MqttVersion, type ServerSessionLimits } from "@thingline/protocol/mqtt";
import type { SubscriptionOptions } from "@thingline/protocol/mqtt";
import type { Timer } from "@thingline/transport";
import type { ClientConnection } from "./client-connection.js";
import type { GroupQueue } from "./group-queue.js";
import type { QueuedMessage } from "./publication.js";
import type { RateBucket } from "./rate.js";
import type { SessionRecord } from "./session-store.js";
import type { SessionWriter } from "./session-writer.js";

/** What makes a session persistent. */
export interface StoredPart {
  writer: SessionWriter<SessionRecord>;
  record: SessionRecord;
}

/** A client id's state in this broker: for the time of one connection, or longer when it is persistent. */
export class BrokerSession {
  readonly clientId: string;
  readonly version: MqttVersion;
  /** By filter as subscribed, `$share/…/` included. */
  readonly subscriptions = new Map<string, SubscriptionOptions>();
  readonly queue: ServerSession<QueuedMessage>;
  connection: ClientConnection | undefined;
  stored: StoredPart | undefined;
  nextSequence = 1;
  expiryTimer: Timer | undefined;
  /** What it takes per second while nobody is connected; undefined without such a limit. */
  offlineRate: RateBucket | undefined;
  queueFullLoggedMs = -Infinity;
  isEnded = false;
  /** Queues of the shared groups that it is a member of. */
  groups: Set<GroupQueue> | undefined;

  constructor(clientId: string, version: MqttVersion, limits: ServerSessionLimits) {
    this.clientId = clientId;
    this.version = version;
    this.queue = new ServerSession<QueuedMessage>(limits);
  }
}
