import {
  parseTopicFilter,
  reasonCodes,
  type SubscribePacket,
  type Subscription,
  type SubscriptionOptions,
  type UnsubscribePacket,
} from "@thingline/protocol/mqtt";
import { isThinglineError } from "@thingline/protocol";
import type { ClientConnection } from "./client-connection.js";
import { deliver } from "./delivery.js";
import { drainGroupsOf } from "./group-delivery.js";
import { topicLimits } from "../services/message-limits.js";
import { parseShare, standingOfFilter } from "./reserved-topics.js";
import type { BrokerSession } from "./session.js";
import { subscriptionRecord } from "./session-store.js";

interface Grant {
  filter: string;
  options: SubscriptionOptions;
  isNew: boolean;
}

/** A SUBSCRIBE: each filter is granted or refused by itself; what a persistent session gets is stored first. */
export function receiveSubscribe(client: ClientConnection, packet: SubscribePacket): void {
  const { core, clientId, version } = client;
  const { subscriptions, packetId, properties } = packet;
  const { filtersPerSubscribeMax } = core.limits;
  if (properties?.subscriptionIdentifier !== undefined) {
    client.misuse("subscriptionIdentifiersNotSupported", "subscription identifiers are not supported");
    return;
  }
  if (subscriptions.length > filtersPerSubscribeMax) {
    core.hit("filtersPerSubscribeMax", { clientId, filters: subscriptions.length });
    client.misuse("quotaExceeded", `${subscriptions.length} filters in a SUBSCRIBE, at most ${filtersPerSubscribeMax}`);
    return;
  }
  // AWS closes a 3.1.1 connection that asks for QoS 2; MQTT 5 clients knew Maximum QoS and are granted it.
  if (version === 4 && subscriptions.some(({ qos }) => qos === 2)) {
    client.misuse("qosNotSupported", "SUBSCRIBE with QoS 2: at most QoS 1 is supported");
    return;
  }
  if (subscriptions.some(({ filter }) => standingOfFilter(parseShare(filter)?.filter ?? filter) === "fatal")) {
    client.misuse("topicFilterInvalid", "SUBSCRIBE to $SYS is not permitted");
    return;
  }
  const granted: Grant[] = [];
  const codes = subscriptions.map((subscription) => subscribeOne(client, subscription, granted));
  const session = client.session!;
  const stored = store(client, session, granted);
  const answer = (): void => {
    if (client.state !== "connected") return;
    client.send({ type: "suback", packetId, reasonCodes: codes });
    for (const grant of granted) sendRetained(client, session, grant);
    // What a shared group has queued is the new member's as well.
    if (session.groups !== undefined) drainGroupsOf(core, session);
  };
  if (stored === undefined) answer();
  // A store that fails ends the connection: there is no SUBACK then.
  else void stored.then(answer, () => undefined);
}

function subscribeOne(client: ClientConnection, subscription: Subscription, granted: Grant[]): number {
  const { core, clientId, version } = client;
  const { filter } = subscription;
  const session = client.session!;
  const refuse = (code: number): number => (version === 5 ? code : 0x80);
  const fault = faultOfFilter(client, filter);
  if (fault !== undefined) {
    core.counters.subscriptionsDenied++;
    core.options.log.warn("subscribeRefused", { clientId, filter, reason: fault.reason });
    return refuse(fault.code);
  }
  const isNew = !session.subscriptions.has(filter);
  if (isNew && session.subscriptions.size >= core.limits.subscriptionsPerConnectionMax) {
    core.hit("subscriptionsPerConnectionMax", { clientId, filter });
    return refuse(reasonCodes.quotaExceeded);
  }
  if (isNew && isGroupFull(client, filter)) return refuse(reasonCodes.quotaExceeded);
  if (!client.authorize("iot:Subscribe", `topicfilter/${filter}`)) {
    core.counters.subscriptionsDenied++;
    return refuse(reasonCodes.notAuthorized);
  }
  const qos = subscription.qos === 0 ? 0 : 1;
  const options = { ...subscription, qos } as const;
  core.subscribe(session, filter, options);
  granted.push({ filter, options, isNew });
  return qos;
}

function faultOfFilter({ core }: ClientConnection, filter: string): { code: number; reason: string } | undefined {
  const invalid = (reason: string) => ({ code: reasonCodes.topicFilterInvalid, reason });
  try {
    const parsed = parseTopicFilter(filter, topicLimits(core.limits));
    if (parsed.group !== undefined && parsed.group.length > core.limits.shareNameCharactersMax) {
      return invalid(`a share name of ${parsed.group.length} characters`);
    }
    if (standingOfFilter(parsed.filter) === "allowed") return undefined;
    return { code: reasonCodes.notAuthorized, reason: "clients may not subscribe to this reserved topic" };
  } catch (error) {
    if (!isThinglineError(error, "TOPIC_FILTER_INVALID")) throw error;
    return invalid(error.message);
  }
}

function isGroupFull({ core, clientId }: ClientConnection, filter: string): boolean {
  const share = parseShare(filter);
  if (share === undefined) return false;
  const group = core.index.group(share.filter, share.shareName);
  if (group === undefined) {
    if (core.index.groupCount < core.limits.sharedGroupsMax) return false;
    core.hit("sharedGroupsMax", { clientId, filter });
    return true;
  }
  if (group.members.size < core.limits.sharedGroupMembersMax) return false;
  core.hit("sharedGroupMembersMax", { clientId, filter });
  return true;
}

/** [MQTT-4.1.0-2] What a persistent session is granted is stored before the SUBACK. */
function store(
  { core }: ClientConnection,
  session: BrokerSession,
  granted: readonly Grant[],
): Promise<unknown> | undefined {
  const { stored, clientId } = session;
  if (stored === undefined || granted.length === 0) return undefined;
  const puts = granted.map(({ filter, options }) =>
    stored.writer.put(core.keys.subscription(clientId, filter), subscriptionRecord(options)),
  );
  return Promise.all(puts);
}

/** AWS: only a filter that is exactly the topic gets a retained message; wildcards and shared filters never do. */
function sendRetained(client: ClientConnection, session: BrokerSession, { filter, options, isNew }: Grant): void {
  const { core } = client;
  const { retainHandling = 0 } = options;
  // [MQTT-3.3.1-9] to [MQTT-3.3.1-11]
  if (retainHandling === 2 || (retainHandling === 1 && !isNew)) return;
  const retained = core.retained.get(filter);
  if (retained === undefined) return;
  deliver(core, session, undefined, options.qos === 0 ? 0 : 1, true, retained);
  // Nobody waits for its commit: the retained message itself is stored.
  core.waits = [];
}

/** An UNSUBSCRIBE: what a persistent session gives up is deleted from the store first. */
export function receiveUnsubscribe(client: ClientConnection, { filters, packetId }: UnsubscribePacket): void {
  const { core, clientId } = client;
  const { filtersPerUnsubscribeMax } = core.limits;
  if (filters.length > filtersPerUnsubscribeMax) {
    // AWS: no UNSUBACK, and nothing is unsubscribed; the connection stays.
    core.hit("filtersPerUnsubscribeMax", { clientId, filters: filters.length });
    return;
  }
  const session = client.session!;
  const { stored } = session;
  const codes: number[] = [];
  const deletes: Promise<void>[] = [];
  for (const filter of filters) {
    const wasThere = core.unsubscribe(session, filter);
    codes.push(wasThere ? reasonCodes.success : reasonCodes.noSubscriptionExisted);
    if (wasThere && stored !== undefined) deletes.push(stored.writer.delete(core.keys.subscription(clientId, filter)));
  }
  const answer = (): void => {
    if (client.state === "connected") client.send({ type: "unsuback", packetId, reasonCodes: codes });
  };
  if (deletes.length === 0) answer();
  else void Promise.all(deletes).then(answer, () => undefined);
}
