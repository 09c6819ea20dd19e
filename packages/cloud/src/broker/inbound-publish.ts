import { checkTopicName, reasonCodes, type PublishPacket } from "@thingline/protocol/mqtt";
import { isThinglineError, type ThinglineError } from "@thingline/protocol";
import type { ClientConnection, PublishGrant } from "./client-connection.js";
import type { BrokerCore } from "./core.js";
import { fanOut } from "./delivery.js";
import {
  expiresAt,
  faultOfProperties,
  faultOfResponseTopic,
  forwardedProperties,
  topicLimits,
} from "../services/message-limits.js";
import { answered, type ServiceMessage, type ServiceTopics } from "../services/operation.js";
import { isPublishableReservedTopic, isReservedTopic } from "./reserved-topics.js";

/** A PUBLISH from a client: may it, who gets it, and when is it acknowledged. */
export function receivePublish(client: ClientConnection, packet: PublishPacket): void {
  const { core } = client;
  const { qos, payload, isRetained, properties } = packet;
  core.counters.publishesReceived++;
  // AWS: no PUBREC and no downgrade. The connection ends, MQTT 5 is told 0x9B.
  if (qos === 2) return client.misuse("qosNotSupported", "PUBLISH with QoS 2: at most QoS 1 is supported");
  // Before anything is discarded: the client counts on the alias from here on.
  const topic = properties?.topicAlias === undefined ? packet.topic : resolveAlias(client, packet);
  if (topic === undefined) return;
  if (qos === 1 && client.inbound.count > 0 && !checkPacketId(client, packet.packetId!)) return;
  if (client.flow.rate !== undefined && !client.flow.rate.take(core.nowMs)) return throttled(client, packet);
  if (payload.length > core.limits.payloadBytesMax) {
    core.hit("payloadBytesMax", { clientId: client.clientId, topic, payloadBytes: payload.length });
    return client.misuse("packetTooLarge", `a payload of ${payload.length} bytes`);
  }
  let grant = client.grants.get(topic);
  if (grant === undefined || grant.generation !== client.authorizer.generation) {
    grant = grantPublish(client, topic);
    if (grant === undefined) return;
  }
  if (!grant.isAllowed) return denied(client, packet, topic, "an earlier decision, see the first line of the log");
  if (!core.index.isCurrent(grant.route)) grant.route = core.index.route(topic);
  if (isRetained || properties !== undefined || grant.route.services.length > 0) {
    return publishSlowly(client, packet, grant);
  }
  const { publication } = core;
  publication.reset(topic, payload, qos, false, client.session);
  fanOut(core, publication, grant.route);
  if (core.waits.length > 0) acknowledgeLater(client, packet, takeWaits(core));
  else if (qos === 1) acknowledge(client, packet.packetId!);
}

/** Without anything to wait for, and after everything that came before. */
function acknowledge(client: ClientConnection, packetId: number): void {
  if (client.inbound.count === 0) {
    client.sendPuback(packetId, reasonCodes.success);
    return;
  }
  const ticket = client.inbound.begin(packetId);
  finishAck(client, ticket, reasonCodes.success);
}

/** A refusing PUBACK of MQTT 5, after those of everything that came before. [MQTT-4.6.0-2] */
function acknowledgeRefused(client: ClientConnection, packetId: number, reasonCode: number, reason: string): void {
  if (client.inbound.count === 0) client.sendPuback(packetId, reasonCode, reason);
  else finishAck(client, client.inbound.begin(packetId), reasonCode);
}

/** The PUBACK follows the commits and services that the message concerns. */
function acknowledgeLater(
  client: ClientConnection,
  { qos, packetId, topic }: PublishPacket,
  work: Promise<unknown>,
): void {
  const ticket = qos === 1 ? client.inbound.begin(packetId!) : undefined;
  work.then(
    () => {
      if (ticket !== undefined) finishAck(client, ticket, reasonCodes.success);
    },
    (error: unknown) => failed(client, topic, ticket, error),
  );
}

function failed(client: ClientConnection, topic: string, ticket: number | undefined, error: unknown): void {
  const { core, clientId } = client;
  core.counters.serviceFailures++;
  core.options.log.error("publishFailed", { clientId, topic, error: String(error) });
  if (ticket === undefined) return;
  // MQTT 3.1.1 has no refusing PUBACK: the client has to connect and publish again.
  if (client.version === 5) finishAck(client, ticket, reasonCodes.unspecifiedError);
  else client.end("SERVER_ERROR");
}

/** A message that one service answers and nothing else has to wait for: no promise. */
function acknowledgeWhenAnswered(
  client: ClientConnection,
  { qos, packetId }: PublishPacket,
  service: ServiceTopics,
  message: ServiceMessage,
): void {
  const ticket = qos === 1 ? client.inbound.begin(packetId!) : undefined;
  let isAnswered = false;
  // As with a promise: only the first answer counts, and what is thrown is one.
  const done = (error?: unknown): void => {
    if (isAnswered) return;
    isAnswered = true;
    if (error !== undefined) failed(client, message.topic, ticket, error);
    else if (ticket !== undefined) finishAck(client, ticket, reasonCodes.success);
  };
  try {
    service.handle(message, client.core.options.runner!, done);
  } catch (error) {
    done(error);
  }
}

function finishAck(client: ClientConnection, ticket: number, reasonCode: number): void {
  client.inbound.finish(ticket, reasonCode, (packetId, code) => client.sendPuback(packetId, code));
}

/** Everything that an ordinary message does not need: properties, RETAIN, services. */
function publishSlowly(client: ClientConnection, packet: PublishPacket, { topic, route }: PublishGrant): void {
  const { core, clientId, certificateId } = client;
  const { properties, isRetained, payload } = packet;
  const fault = faultOfProperties(core.limits, properties);
  if (fault !== undefined) {
    core.counters.limitsHit++;
    core.options.log.warn("limitHit", { limit: "properties", clientId, topic, fault });
    return refused(client, packet, reasonCodes.quotaExceeded, fault);
  }
  const topicFault = faultOfResponseTopic(core.limits, properties);
  if (topicFault !== undefined) return refused(client, packet, reasonCodes.topicNameInvalid, topicFault);
  if (isRetained) {
    if (isReservedTopic(topic)) {
      const reason = `RETAIN may not be used on the reserved topic "${topic}"`;
      return refused(client, packet, reasonCodes.topicNameInvalid, reason);
    }
    if (!client.authorize("iot:RetainPublish", `topic/${topic}`)) return denied(client, packet, topic);
  }
  const { publication } = core;
  publication.reset(topic, payload, packet.qos === 0 ? 0 : 1, isRetained, client.session);
  if (properties !== undefined) {
    publication.properties = forwardedProperties(properties);
    publication.expiresAtMs = expiresAt(core.limits, properties.messageExpirySeconds, core.options.clock.unixMs());
  }
  if (isRetained) {
    const outcome = core.retained.retain(publication);
    if (outcome.type === "throttled") return throttled(client, packet);
    core.waits.push(outcome.done);
  }
  fanOut(core, publication, route);
  const { scope, runner } = core.options;
  for (const service of route.services) {
    // A view of the input may be overwritten by nobody, but it keeps the whole chunk alive while a service works.
    const message = { scope, topic, payload: core.copies.copy(payload), clientId, certificateId };
    if (route.services.length === 1 && core.waits.length === 0) {
      return acknowledgeWhenAnswered(client, packet, service, message);
    }
    core.waits.push(answered(service, message, runner!));
  }
  if (core.waits.length > 0) acknowledgeLater(client, packet, takeWaits(core));
  else if (packet.qos === 1) acknowledge(client, packet.packetId!);
}

export function takeWaits(core: BrokerCore): Promise<unknown> {
  const { waits } = core;
  core.waits = [];
  return waits.length === 1 ? waits[0]! : Promise.all(waits);
}

/** Checks a topic that the connection has not published to before, and remembers the answer. */
function grantPublish(client: ClientConnection, topic: string): PublishGrant | undefined {
  const { core, grants } = client;
  const fault = faultOfTopic(core, topic);
  if (fault !== undefined) {
    core.hit("topicBytesMax", { clientId: client.clientId, error: fault.message });
    client.misuse("topicNameInvalid", fault.message);
    return undefined;
  }
  const { generation } = client.authorizer;
  const isAllowed = mayPublish(client, topic);
  const grant: PublishGrant = { topic, isAllowed, generation, route: core.index.route(topic) };
  if (grants.size >= core.limits.cachedTopicsPerConnectionMax) grants.clear();
  grants.set(topic, grant);
  return grant;
}

function faultOfTopic(core: BrokerCore, topic: string): ThinglineError | undefined {
  try {
    checkTopicName(topic, topicLimits(core.limits));
    return undefined;
  } catch (error) {
    if (isThinglineError(error, "TOPIC_NAME_INVALID")) return error;
    throw error;
  }
}

function mayPublish(client: ClientConnection, topic: string): boolean {
  if (isReservedTopic(topic) && !isPublishableReservedTopic(topic)) {
    const explanation = "clients may not publish to this reserved topic, whatever their policy says";
    client.core.options.log.warn("denied", { action: "iot:Publish", clientId: client.clientId, topic, explanation });
    return false;
  }
  return client.authorize("iot:Publish", `topic/${topic}`);
}

function resolveAlias(client: ClientConnection, { topic, properties }: PublishPacket): string | undefined {
  try {
    return client.aliases.resolve(topic, properties!.topicAlias!);
  } catch (error) {
    if (!isThinglineError(error, "MQTT_PROTOCOL_ERROR")) throw error;
    const isOutOfRange = error.details["reasonCode"] === reasonCodes.topicAliasInvalid;
    client.misuse(isOutOfRange ? "topicAliasInvalid" : "protocolError", error.message);
    return undefined;
  }
}

/** Only asked while a PUBLISH of the client waits for its PUBACK. */
function checkPacketId(client: ClientConnection, packetId: number): boolean {
  const refusal = client.inbound.refusal(packetId);
  if (refusal === undefined) return true;
  const { core, clientId } = client;
  if (refusal === "packetIdInUse") {
    // The client sends again what we are still working on: the answer is on its way.
    core.counters.droppedDuplicate++;
    core.options.log.debug("duplicatePublish", { clientId, packetId });
    return false;
  }
  core.hit("inboundInflightMax", { clientId, inflight: client.inbound.count });
  // [MQTT-3.3.4-9] A client that goes beyond our Receive Maximum is at fault in MQTT 5; AWS takes no more from 3.1.1.
  if (client.version === 5)
    client.misuse("receiveMaximumExceeded", "more than Receive Maximum PUBLISH packets in flight");
  else core.counters.droppedThrottled++;
  return false;
}

/** AWS discards what is over the rate: MQTT 3.1.1 gets no PUBACK, MQTT 5 one that says so. */
function throttled(client: ClientConnection, { qos, packetId }: PublishPacket): void {
  client.core.counters.droppedThrottled++;
  client.flow.logThrottled("in");
  if (qos === 1 && client.version === 5) acknowledgeRefused(client, packetId!, reasonCodes.quotaExceeded, "throttled");
}

/** The policy says no: 3.1.1 loses its connection; MQTT 5 gets PUBACK 0x87, or DISCONNECT 0x87 for QoS 0. */
function denied(client: ClientConnection, packet: PublishPacket, topic: string, explanation?: string): void {
  const { core, clientId } = client;
  core.counters.publishesDenied++;
  if (explanation !== undefined)
    core.options.log.debug("denied", { action: "iot:Publish", clientId, topic, explanation });
  if (packet.qos === 1 && client.version === 5) {
    acknowledgeRefused(client, packet.packetId!, reasonCodes.notAuthorized, "Not authorized");
    return;
  }
  client.end("AUTH_ERROR");
}

/** A rule or limit says no: as {@link denied}, with a reason of its own. */
function refused(client: ClientConnection, packet: PublishPacket, reasonCode: number, reason: string): void {
  const { core, clientId } = client;
  core.counters.publishesDenied++;
  core.options.log.warn("publishRefused", { clientId, reason });
  if (packet.qos === 1 && client.version === 5) acknowledgeRefused(client, packet.packetId!, reasonCode, reason);
  else client.end("CLIENT_ERROR", { reasonCode, reasonString: reason });
}
