import {
  parseTopicFilter,
  reasonCodes,
  type SubscribePacket,
  type Subscription,
  type SubscriptionOptions,
  type UnsubscribePacket,
} from "@thingline/protocol/mqtt";
import { BoundedMap, isThinglineError } from "@thingline/protocol";
import { verbosityOf } from "../services/iot-log.js";
import { topicLimits } from "../services/message-limits.js";
import type { ConnectedClient } from "./connected-client.js";
import type { BrokerContext } from "./context.js";
import type { Delivery } from "./delivery.js";
import { clientEntry } from "./iot-entries.js";
import type { GroupDelivery } from "./group-delivery.js";
import type { LifecycleEvents } from "./lifecycle-events.js";
import type { BrokerLimits } from "./limits.js";
import { parseShare, standingOfFilter } from "./reserved-topics.js";
import { RateBucket } from "./rate.js";
import type { RetainedMessages } from "./retained.js";
import { subscriptionRecord } from "./session-store.js";
import type { BrokerIndex } from "./routes.js";
import type { Sessions } from "./sessions.js";
import type { Turn, Turns } from "./turn.js";

/** Shared groups whose changes are counted; forgetting one lets it begin anew. */
export const ratedGroupsMax = 200;

interface Grant {
  filter: string;
  options: SubscriptionOptions;
  isNew: boolean;
  /** When all other brokers know of it; undefined: they do. */
  known: Promise<void> | undefined;
}

export interface SubscriptionsParts {
  delivery: Delivery;
  events: LifecycleEvents;
  groupDelivery: GroupDelivery;
  index: BrokerIndex;
  retained: RetainedMessages;
  sessions: Sessions;
  turns: Turns;
}

/** SUBSCRIBE and UNSUBSCRIBE. */
export class Subscriptions {
  private readonly context: BrokerContext;
  private readonly parts: SubscriptionsParts;

  /** Of shared groups, by their filters with the name. Made with the first. */
  private readonly changes = new BoundedMap<string, RateBucket>(ratedGroupsMax);

  constructor(context: BrokerContext, parts: SubscriptionsParts) {
    this.context = context;
    this.parts = parts;
  }

  /** A SUBSCRIBE: each filter is granted or refused by itself; what a persistent session gets is stored first. */
  subscribe(turn: Turn, client: ConnectedClient, packet: SubscribePacket): void {
    if (!this.mayAsk(client, packet)) return;
    const granted: Grant[] = [];
    const codes = packet.subscriptions.map((subscription) => this.subscribeOne(client, subscription, granted));
    const known: Promise<void>[] = [];
    for (const grant of granted) if (grant.known !== undefined) known.push(grant.known);
    const stored = this.store(client, granted);
    if (stored === undefined && known.length === 0) {
      this.answer(turn, client, packet.packetId, codes, granted);
      return;
    }
    const { turns } = this.parts;
    const answerLater = (): void => {
      const later = turns.begin();
      this.answer(later, client, packet.packetId, codes, granted);
      turns.end(later);
    };
    // Before the SUBACK every other broker knows that its messages are wanted here.
    const made = known.length === 0 ? undefined : this.untilKnown(client, known);
    // A store that fails ends the connection: there is no SUBACK then.
    void Promise.all([stored, made]).then(answerLater, () => undefined);
  }

  /** A client that others did not hear of has to notice, and to do it again. */
  private async untilKnown(client: ConnectedClient, known: readonly Promise<void>[]): Promise<void> {
    try {
      await Promise.all(known);
    } catch (error) {
      this.context.log.error("interestNotKnown", { clientId: client.clientId, error: String(error) });
      client.end("SERVER_ERROR");
      throw error;
    }
  }

  /** Ends the connection of a client that asks for what nobody gets. */
  private mayAsk(client: ConnectedClient, { subscriptions, properties }: SubscribePacket): boolean {
    const { filtersPerSubscribeMax } = this.context.limits;
    const misuse = (reason: keyof typeof reasonCodes, explanation: string): false => {
      client.misuse(reason, explanation);
      return false;
    };
    if (properties?.subscriptionIdentifier !== undefined) {
      return misuse("subscriptionIdentifiersNotSupported", "subscription identifiers are not supported");
    }
    const { length } = subscriptions;
    if (length > filtersPerSubscribeMax) {
      this.context.hit("filtersPerSubscribeMax", { clientId: client.clientId, filters: length });
      return misuse("quotaExceeded", `${length} filters in a SUBSCRIBE, at most ${filtersPerSubscribeMax}`);
    }
    // AWS closes a 3.1.1 connection that asks for QoS 2; MQTT 5 clients knew Maximum QoS and are granted it.
    if (client.version === 4 && subscriptions.some(({ qos }) => qos === 2)) {
      return misuse("qosNotSupported", "SUBSCRIBE with QoS 2: at most QoS 1 is supported");
    }
    if (subscriptions.some(({ filter }) => standingOfFilter(parseShare(filter)?.filter ?? filter) === "fatal")) {
      return misuse("topicFilterInvalid", "SUBSCRIBE to $SYS is not permitted");
    }
    return true;
  }

  private answer(
    turn: Turn,
    client: ConnectedClient,
    packetId: number,
    codes: readonly number[],
    granted: readonly Grant[],
  ): void {
    if (!client.isConnected) return;
    client.send(turn, { type: "suback", packetId, reasonCodes: codes });
    for (const grant of granted) this.sendRetained(turn, client, grant);
    // What a shared group has queued is the new member's as well.
    if (client.session.groups !== undefined) this.parts.groupDelivery.drainGroupsOf(turn, client.session);
    // Nobody waits for commits: what is retained is stored already.
    turn.dropWaits();
    const filters = granted.map(({ filter }) => filter);
    this.logSubscriptions(client, "Subscribe", filters);
    this.parts.events.subscriptionsChanged(client, "subscribed", filters);
  }

  private subscribeOne(client: ConnectedClient, subscription: Subscription, granted: Grant[]): number {
    const { clientId, version, session } = client;
    const { limits, counters, log } = this.context;
    const { filter } = subscription;
    const refuse = (code: number): number => (version === 5 ? code : 0x80);
    const fault = faultOfFilter(limits, filter);
    if (fault !== undefined) {
      counters.subscriptionsDenied++;
      log.warn("subscribeRefused", { clientId, filter, reason: fault.reason });
      this.logFailure(client, filter, "CLIENT_ERROR", fault.reason);
      return refuse(fault.code);
    }
    const isNew = !session.subscriptions.has(filter);
    const limit = isNew ? this.limitOf(session.subscriptions.size) : undefined;
    if (limit !== undefined) {
      this.context.hit(limit, { clientId, filter });
      this.logFailure(client, filter, "CLIENT_ERROR", limit);
      return refuse(reasonCodes.quotaExceeded);
    }
    if (isNew && this.isGroupFull(clientId, filter)) return refuse(reasonCodes.quotaExceeded);
    if (!this.takeGroupChange(filter)) {
      this.context.hit("sharedGroupChangesPerSecond", { clientId, filter });
      return refuse(reasonCodes.quotaExceeded);
    }
    if (!client.rights.authorize("iot:Subscribe", `topicfilter/${filter}`)) {
      counters.subscriptionsDenied++;
      this.logFailure(client, filter, "AUTHORIZATION_FAILURE");
      return refuse(reasonCodes.notAuthorized);
    }
    const qos = subscription.qos === 0 ? 0 : 1;
    const options = { ...subscription, qos } as const;
    const known = this.parts.sessions.subscribe(session, filter, options);
    granted.push({ filter, options, isNew, known });
    return qos;
  }

  private logSubscriptions(client: ConnectedClient, eventType: string, filters: readonly string[]): void {
    const { iotLog } = this.context;
    if (iotLog.verbosity < verbosityOf.INFO) return;
    for (const topicName of filters) iotLog.write(clientEntry(client, { level: "INFO", eventType, topicName }));
  }

  private logFailure(client: ConnectedClient, topicName: string, reason: string, details?: string): void {
    const { iotLog } = this.context;
    if (iotLog.verbosity < verbosityOf.ERROR) return;
    const failed = { level: "ERROR", eventType: "Subscribe", isFailure: true, topicName, reason, details } as const;
    iotLog.write(clientEntry(client, failed));
  }

  /** The limit that one more subscription would break, if any. */
  private limitOf(ownCount: number): "subscriptionsPerConnectionMax" | "subscriptionsMax" | undefined {
    const { subscriptionsPerConnectionMax, subscriptionsMax } = this.context.limits;
    if (ownCount >= subscriptionsPerConnectionMax) return "subscriptionsPerConnectionMax";
    return this.parts.index.count >= subscriptionsMax ? "subscriptionsMax" : undefined;
  }

  /** Counts a change of a shared group. @returns whether it is within the rate */
  private takeGroupChange(filter: string): boolean {
    const { limits, clock } = this.context;
    const { sharedGroupChangesPerSecond: rate } = limits;
    if (rate === Infinity || !filter.startsWith("$share/")) return true;
    const nowMs = clock.monotonicMs();
    let bucket = this.changes.get(filter);
    if (bucket === undefined) this.changes.set(filter, (bucket = new RateBucket(rate, nowMs)));
    return bucket.take(nowMs);
  }

  private isGroupFull(clientId: string, filter: string): boolean {
    if (parseShare(filter) === undefined) return false;
    const { sharedGroupsMax, sharedGroupMembersMax } = this.context.limits;
    const { index, sessions } = this.parts;
    const group = sessions.groupOf(filter);
    if (group === undefined) {
      if (index.groupCount < sharedGroupsMax) return false;
      this.context.hit("sharedGroupsMax", { clientId, filter });
      return true;
    }
    if (group.members.size < sharedGroupMembersMax) return false;
    this.context.hit("sharedGroupMembersMax", { clientId, filter });
    return true;
  }

  /** [MQTT-4.1.0-2] What a persistent session is granted is stored before the SUBACK. */
  private store({ session }: ConnectedClient, granted: readonly Grant[]): Promise<unknown> | undefined {
    const { stored, name } = session;
    if (stored === undefined || granted.length === 0) return undefined;
    const puts = granted.map(({ filter, options }) =>
      stored.writer.put(this.context.keys.subscription(name, filter), subscriptionRecord(options)),
    );
    return Promise.all(puts);
  }

  /** AWS: only a filter that is exactly the topic gets a retained message; wildcards and shared filters never do. */
  private sendRetained(turn: Turn, { session }: ConnectedClient, { filter, options, isNew }: Grant): void {
    const { retainHandling = 0 } = options;
    // [MQTT-3.3.1-9] to [MQTT-3.3.1-11]
    if (retainHandling === 2 || (retainHandling === 1 && !isNew)) return;
    const retained = this.parts.retained.get(filter);
    if (retained === undefined) return;
    this.parts.delivery.deliver(turn, session, undefined, options.qos === 0 ? 0 : 1, true, retained);
  }

  /** An UNSUBSCRIBE: what a persistent session gives up is deleted from the store first. */
  unsubscribe(turn: Turn, client: ConnectedClient, { filters, packetId }: UnsubscribePacket): void {
    const { clientId, session } = client;
    const { filtersPerUnsubscribeMax } = this.context.limits;
    if (filters.length > filtersPerUnsubscribeMax) {
      // AWS: no UNSUBACK, and nothing is unsubscribed; the connection stays.
      this.context.hit("filtersPerUnsubscribeMax", { clientId, filters: filters.length });
      return;
    }
    const { stored } = session;
    const codes: number[] = [];
    const given: string[] = [];
    const deletes: Promise<void>[] = [];
    for (const filter of filters) {
      const wasThere = this.parts.sessions.unsubscribe(session, filter);
      codes.push(wasThere ? reasonCodes.success : reasonCodes.noSubscriptionExisted);
      if (wasThere) given.push(filter);
      // It counts and is never refused: UNSUBACK of MQTT 3.1.1 could not say so.
      if (wasThere) this.takeGroupChange(filter);
      if (!wasThere || stored === undefined) continue;
      deletes.push(stored.writer.delete(this.context.keys.subscription(session.name, filter)));
    }
    const answer = (during: Turn): void => {
      if (!client.isConnected) return;
      client.send(during, { type: "unsuback", packetId, reasonCodes: codes });
      this.logSubscriptions(client, "Unsubscribe", given);
      this.parts.events.subscriptionsChanged(client, "unsubscribed", given);
    };
    if (deletes.length === 0) return answer(turn);
    const { turns } = this.parts;
    const answerLater = (): void => {
      const later = turns.begin();
      answer(later);
      turns.end(later);
    };
    void Promise.all(deletes).then(answerLater, () => undefined);
  }
}

function faultOfFilter(limits: BrokerLimits, filter: string): { code: number; reason: string } | undefined {
  const invalid = (reason: string) => ({ code: reasonCodes.topicFilterInvalid, reason });
  try {
    const parsed = parseTopicFilter(filter, topicLimits(limits));
    if (parsed.group !== undefined && parsed.group.length > limits.shareNameCharactersMax) {
      return invalid(`a share name of ${parsed.group.length} characters`);
    }
    if (standingOfFilter(parsed.filter) === "allowed") return undefined;
    return { code: reasonCodes.notAuthorized, reason: "clients may not subscribe to this reserved topic" };
  } catch (error) {
    if (!isThinglineError(error, "TOPIC_FILTER_INVALID")) throw error;
    return invalid(error.message);
  }
}
