import type { MqttVersion, PublishProperties, SubscriptionOptions } from "@thingline/protocol/mqtt";
import { retainedKeys, type MessageRecord, type StoredProperties } from "../services/message-records.js";
import type { Scope } from "../services/operation.js";
import { iterate, iterateSound } from "../store/iterate.js";
import type { StoreKey, StoreReader } from "../store/store.js";
import { besidePrefix, type SessionName, type SessionOwner } from "./session-owner.js";

/** A persistent session as it is stored. Who holds its newest revision owns the session. */
export type SessionRecord = {
  /** Rises with every connection. */
  epoch: number;
  /** The session's UUID; not in records of earlier releases. */
  identifier?: string;
  /** The broker that holds it. */
  owner: string;
  /** Whose session it is; not in records of earlier releases. */
  principal?: SessionOwner;
  version: MqttVersion;
  expirySeconds: number;
  /** Unix time; undefined while a client is connected. */
  expiresAtMs: number | undefined;
  /** Why its last connection ended, in AWS's words; not in records of earlier releases, nor where nobody could write it. */
  endReason?: string;
};

export type SubscriptionRecord = {
  qos: 0 | 1;
  isNoLocal: boolean;
  isRetainAsPublished: boolean;
};

/** A shared group that has a queue. */
export type GroupRecord = {
  /** The broker that writes it. */
  owner: string;
};

export interface StoreKeys {
  sessions: StoreKey;
  session(name: SessionName): StoreKey;
  subscriptions(name: SessionName): StoreKey;
  subscription(name: SessionName, filter: string): StoreKey;
  messages(name: SessionName): StoreKey;
  message(name: SessionName, sequence: number): StoreKey;
  groups: StoreKey;
  group(shareName: string, filter: string): StoreKey;
  groupMessages(shareName: string, filter: string): StoreKey;
  groupMessage(shareName: string, filter: string, sequence: number): StoreKey;
  retainedMessages: StoreKey;
  retained(topic: string): StoreKey;
}

export function storeKeys(scope: Scope): StoreKeys {
  const { account, region } = scope;
  const key = (...rest: (string | number)[]): StoreKey => [account, region, "broker", ...rest];
  return {
    sessions: key("session"),
    session: (name) => key("session", name),
    subscriptions: (name) => key("subscription", name),
    subscription: (name, filter) => key("subscription", name, filter),
    messages: (name) => key("message", name),
    message: (name, sequence) => key("message", name, sequence),
    groups: key("group"),
    group: (shareName, filter) => key("group", shareName, filter),
    groupMessages: (shareName, filter) => key("groupMessage", shareName, filter),
    groupMessage: (shareName, filter, sequence) => key("groupMessage", shareName, filter, sequence),
    retainedMessages: retainedKeys.all(scope),
    retained: (topic) => retainedKeys.of(scope, topic),
  };
}

export interface StoredSession {
  name: SessionName;
  record: SessionRecord;
  revision: number;
  subscriptions: Map<string, SubscriptionOptions>;
  messages: { sequence: number; record: MessageRecord }[];
}

/** A session with all that belongs to it. */
export async function loadSession(
  store: StoreReader,
  keys: StoreKeys,
  name: SessionName,
): Promise<StoredSession | undefined> {
  const entry = await store.get<SessionRecord>(keys.session(name));
  if (entry === undefined) return undefined;
  const subscriptions = new Map<string, SubscriptionOptions>();
  for await (const { key, value } of iterate<SubscriptionRecord>(store, keys.subscriptions(name))) {
    subscriptions.set(key.at(-1) as string, value);
  }
  const messages: StoredSession["messages"] = [];
  for await (const { key, value } of iterateSound<MessageRecord>(store, keys.messages(name))) {
    messages.push({ sequence: key.at(-1) as number, record: value });
  }
  return { name, record: entry.value, revision: entry.revision, subscriptions, messages };
}

/** Sessions of one client id that are looked at: one for each owner that came while another's was there. */
export const sessionsPerClientIdMax = 100;

/** The names of a client id's sessions in the store, its own first. */
export async function storedNamesOf(
  { store, keys }: { store: StoreReader; keys: StoreKeys },
  clientId: string,
): Promise<SessionName[]> {
  const own = keys.session(clientId);
  const prefix = besidePrefix(clientId);
  const names: SessionName[] = (await store.get(own)) === undefined ? [] : [clientId];
  const beside = await store.list(keys.sessions, { after: own, limit: sessionsPerClientIdMax });
  for (const { key } of beside) {
    const name = key.at(-1) as SessionName;
    // A separator stands below whatever a client id may go on with.
    if (!name.startsWith(prefix)) break;
    names.push(name);
  }
  return names;
}

export function subscriptionRecord(options: SubscriptionOptions): SubscriptionRecord {
  const { isNoLocal = false, isRetainAsPublished = false } = options;
  return { qos: options.qos === 0 ? 0 : 1, isNoLocal, isRetainAsPublished };
}

export function storedProperties(properties: PublishProperties | undefined): StoredProperties | undefined {
  if (properties === undefined) return undefined;
  const { payloadFormatIndicator, contentType, responseTopic, correlationData, userProperties } = properties;
  return { payloadFormatIndicator, contentType, responseTopic, correlationData, userProperties };
}

/**
 * Leaves out what is undefined: the codec takes a member that is there for one to write. Earlier releases let pass what no packet
 * can carry, an empty response topic and U+0000 over HTTP: without this nobody could be sent such a message.
 */
export function restoredProperties(stored: StoredProperties | undefined): PublishProperties | undefined {
  if (stored === undefined) return undefined;
  const isSound = (name: string, value: unknown): boolean =>
    value !== undefined &&
    !(name === "responseTopic" && value === "") &&
    !(typeof value === "string" && value.includes("\0"));
  const entries = Object.entries(stored).filter(([name, value]) => isSound(name, value));
  return entries.length === 0 ? undefined : Object.fromEntries(entries);
}
