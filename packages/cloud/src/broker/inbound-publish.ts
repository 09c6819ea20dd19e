import { checkTopicName, reasonCodes, type PublishPacket } from "@thingline/protocol/mqtt";
import { isThinglineError, type ThinglineError } from "@thingline/protocol";
import { verbosityOf } from "../services/iot-log.js";
import { faultOfProperties, faultOfResponseTopic, topicLimits } from "../services/message-limits.js";
import { isPublishableReservedTopic, isReservedTopic } from "../services/publishable-topics.js";
import type { PublishGrant } from "./client-rights.js";
import type { ConnectedClient } from "./connected-client.js";
import type { BrokerContext } from "./context.js";
import type { BrokerCounters } from "./counters.js";
import { enriched } from "./enrichment.js";
import { clientEntry, unauthorized } from "./iot-entries.js";
import type { Intake } from "./intake.js";
import type { Pubacks } from "./puback.js";
import type { BrokerIndex } from "./routes.js";
import type { Turn } from "./turn.js";

export interface InboundPublishesParts {
  index: BrokerIndex;
  intake: Intake;
  pubacks: Pubacks;
}

/** PUBLISH from clients: may they, who gets it, and when is it acknowledged. */
export class InboundPublishes {
  private readonly context: BrokerContext;
  private readonly counters: BrokerCounters;
  private readonly index: BrokerIndex;
  private readonly intake: Intake;
  private readonly pubacks: Pubacks;
  private readonly payloadBytesMax: number;

  constructor(context: BrokerContext, { index, intake, pubacks }: InboundPublishesParts) {
    this.context = context;
    this.counters = context.counters;
    this.index = index;
    this.intake = intake;
    this.pubacks = pubacks;
    this.payloadBytesMax = context.limits.payloadBytesMax;
  }

  receive(turn: Turn, client: ConnectedClient, packet: PublishPacket): void {
    const { qos, payload, isRetained, properties } = packet;
    const { rate } = client.flow;
    this.counters.publishesReceived++;
    // AWS: no PUBREC and no downgrade. The connection ends, MQTT 5 is told 0x9B.
    if (qos === 2) return client.misuse("qosNotSupported", "PUBLISH with QoS 2: at most QoS 1 is supported");
    // Before anything is discarded: the client counts on the alias from here on.
    const topic = properties?.topicAlias === undefined ? packet.topic : resolveAlias(client, packet);
    if (topic === undefined) return;
    if (qos === 1 && client.inbound.count > 0 && !this.checkPacketId(client, packet.packetId!)) return;
    if (rate !== undefined && !rate.take(turn.nowMs)) return this.throttled(turn, client, packet, topic);
    if (payload.length > this.payloadBytesMax) {
      this.context.hit("payloadBytesMax", { clientId: client.clientId, topic, payloadBytes: payload.length });
      return client.misuse("packetTooLarge", `a payload of ${payload.length} bytes`);
    }
    const grant = client.rights.grantOf(topic) ?? this.grant(client, topic);
    if (grant === undefined) return;
    if (!grant.isPlain) return this.receiveOther(turn, client, packet, grant);
    if (!this.index.isCurrent(grant.route)) grant.route = this.index.route(topic);
    if (isRetained || properties !== undefined) return this.receiveSlowly(turn, client, packet, grant);
    const { iotLog } = this.context;
    if (iotLog.verbosity >= verbosityOf.INFO) iotLog.write(clientEntry(client, publishedIn(topic)));
    const { publication } = turn;
    publication.reset(topic, payload, qos, false, client.session);
    this.intake.take(turn, publication, grant.route, client);
    this.pubacks.settle(turn, client, packet);
  }

  /** To a topic that the client may not publish to, or from a client whose messages are enriched. */
  private receiveOther(turn: Turn, client: ConnectedClient, packet: PublishPacket, grant: PublishGrant): void {
    const { topic } = grant;
    if (!grant.isAllowed) {
      return this.denied(turn, client, packet, topic, "an earlier decision, see the first line of the log");
    }
    if (!this.index.isCurrent(grant.route)) grant.route = this.index.route(topic);
    this.receiveSlowly(turn, client, packet, grant);
  }

  /** Everything that an ordinary message does not need: properties, RETAIN, what the type of the client's thing adds. */
  private receiveSlowly(turn: Turn, client: ConnectedClient, packet: PublishPacket, grant: PublishGrant): void {
    const { topic, route } = grant;
    const { isRetained, payload, properties } = packet;
    if (!this.checkProperties(turn, client, packet, topic)) return;
    if (isRetained && !this.mayRetain(turn, client, packet, topic)) return;
    const { iotLog } = this.context;
    const { publication } = turn;
    publication.reset(topic, payload, packet.qos === 0 ? 0 : 1, isRetained, client.session);
    this.intake.describe(publication, properties);
    const { enrichment } = client.rights;
    if (enrichment !== undefined) publication.properties = enriched(publication.properties, enrichment);
    const isLogged = iotLog.verbosity >= verbosityOf.INFO;
    // Before its deliveries, but for one that may still be refused.
    if (isLogged && !isRetained) iotLog.write(clientEntry(client, publishedIn(topic)));
    if (!this.intake.take(turn, publication, route, client)) return this.throttled(turn, client, packet, topic);
    if (isLogged && isRetained) iotLog.write(clientEntry(client, publishedIn(topic, true)));
    this.pubacks.settle(turn, client, packet);
  }

  private checkProperties(turn: Turn, client: ConnectedClient, packet: PublishPacket, topic: string): boolean {
    const { limits, log } = this.context;
    const fault = faultOfProperties(limits, packet.properties);
    if (fault !== undefined) {
      this.counters.limitsHit++;
      log.warn("limitHit", { limit: "properties", clientId: client.clientId, topic, fault });
      this.refused(turn, client, packet, reasonCodes.quotaExceeded, fault);
      return false;
    }
    const topicFault = faultOfResponseTopic(limits, packet.properties);
    if (topicFault === undefined) return true;
    this.refused(turn, client, packet, reasonCodes.topicNameInvalid, topicFault);
    return false;
  }

  private mayRetain(turn: Turn, client: ConnectedClient, packet: PublishPacket, topic: string): boolean {
    if (isReservedTopic(topic)) {
      const reason = `RETAIN may not be used on the reserved topic "${topic}"`;
      this.refused(turn, client, packet, reasonCodes.topicNameInvalid, reason);
      return false;
    }
    if (client.rights.authorize("iot:RetainPublish", `topic/${topic}`)) return true;
    this.denied(turn, client, packet, topic);
    return false;
  }

  /** Checks a topic that the connection has not published to before, and remembers the answer. */
  private grant(client: ConnectedClient, topic: string): PublishGrant | undefined {
    const fault = faultOfTopic(this.context, topic);
    if (fault !== undefined) {
      this.context.hit("topicBytesMax", { clientId: client.clientId, error: fault.message });
      client.misuse("topicNameInvalid", fault.message);
      return undefined;
    }
    const { generation } = client.rights.authorizer;
    const isAllowed = this.mayPublish(client, topic);
    const isPlain = isAllowed && client.rights.enrichment === undefined;
    const grant: PublishGrant = { topic, isAllowed, isPlain, generation, route: this.index.route(topic) };
    client.rights.remember(grant);
    return grant;
  }

  private mayPublish(client: ConnectedClient, topic: string): boolean {
    if (isReservedTopic(topic) && !isPublishableReservedTopic(topic, "client")) {
      const explanation = "clients may not publish to this reserved topic, whatever their policy says";
      this.context.log.warn("denied", { action: "iot:Publish", clientId: client.clientId, topic, explanation });
      return false;
    }
    return client.rights.authorize("iot:Publish", `topic/${topic}`);
  }

  /** Only asked while a PUBLISH of the client waits for its PUBACK. */
  private checkPacketId(client: ConnectedClient, packetId: number): boolean {
    const refusal = client.inbound.refusal(packetId);
    if (refusal === undefined) return true;
    const { clientId } = client;
    if (refusal === "packetIdInUse") {
      // The client sends again what we are still working on: the answer is on its way.
      this.counters.droppedDuplicate++;
      this.context.log.debug("duplicatePublish", { clientId, packetId });
      return false;
    }
    this.context.hit("inboundInflightMax", { clientId, inflight: client.inbound.count });
    // [MQTT-3.3.4-9] A client that goes beyond our Receive Maximum is at fault in MQTT 5; AWS takes no more from 3.1.1.
    if (client.version === 5)
      client.misuse("receiveMaximumExceeded", "more than Receive Maximum PUBLISH packets in flight");
    else this.counters.droppedThrottled++;
    return false;
  }

  // No

  /** AWS discards what is over the rate: MQTT 3.1.1 gets no PUBACK, MQTT 5 one that says so. */
  private throttled(turn: Turn, client: ConnectedClient, { qos, packetId }: PublishPacket, topicName: string): void {
    const { iotLog } = this.context;
    this.counters.droppedThrottled++;
    if (iotLog.verbosity >= verbosityOf.ERROR) {
      iotLog.write(clientEntry(client, { ...publishedIn(topicName), ...failed, reason: "THROTTLED" }));
    }
    client.flow.logThrottled(turn, "in");
    if (qos !== 1 || client.version !== 5) return;
    this.pubacks.refused(turn, client, packetId!, reasonCodes.quotaExceeded, "throttled");
  }

  /** The policy says no: 3.1.1 loses its connection; MQTT 5 gets PUBACK 0x87, or DISCONNECT 0x87 for QoS 0. */
  private denied(
    turn: Turn,
    client: ConnectedClient,
    packet: PublishPacket,
    topic: string,
    explanation?: string,
  ): void {
    const { clientId } = client;
    this.counters.publishesDenied++;
    const { iotLog } = this.context;
    if (iotLog.verbosity >= verbosityOf.ERROR) {
      iotLog.write(clientEntry(client, { ...unauthorized("Publish-In"), topicName: topic }));
    }
    if (explanation !== undefined)
      this.context.log.debug("denied", { action: "iot:Publish", clientId, topic, explanation });
    if (packet.qos === 1 && client.version === 5) {
      this.pubacks.refused(turn, client, packet.packetId!, reasonCodes.notAuthorized, "Not authorized");
      return;
    }
    client.end("AUTH_ERROR");
  }

  /** A rule or limit says no: as {@link denied}, with a reason of its own. */
  private refused(
    turn: Turn,
    client: ConnectedClient,
    packet: PublishPacket,
    reasonCode: number,
    reason: string,
  ): void {
    const { clientId } = client;
    this.counters.publishesDenied++;
    const { iotLog, log } = this.context;
    log.warn("publishRefused", { clientId, reason });
    if (iotLog.verbosity >= verbosityOf.ERROR) {
      const refused = { ...publishedIn(packet.topic), ...failed, reason: "CLIENT_ERROR", details: reason };
      iotLog.write(clientEntry(client, refused));
    }
    if (packet.qos === 1 && client.version === 5)
      this.pubacks.refused(turn, client, packet.packetId!, reasonCode, reason);
    else client.end("CLIENT_ERROR", { reasonCode, reasonString: reason });
  }
}

const failed = { level: "ERROR", isFailure: true } as const;

const publishedIn = (topicName: string, isRetained = false) =>
  ({ level: "INFO", eventType: "Publish-In", topicName, ...(isRetained && { more: { retain: "True" } }) }) as const;

function faultOfTopic({ limits }: BrokerContext, topic: string): ThinglineError | undefined {
  try {
    checkTopicName(topic, topicLimits(limits));
    return undefined;
  } catch (error) {
    if (isThinglineError(error, "TOPIC_NAME_INVALID")) return error;
    throw error;
  }
}

function resolveAlias(client: ConnectedClient, { topic, properties }: PublishPacket): string | undefined {
  try {
    return client.aliases.resolve(topic, properties!.topicAlias!);
  } catch (error) {
    if (!isThinglineError(error, "MQTT_PROTOCOL_ERROR")) throw error;
    const isOutOfRange = error.details["reasonCode"] === reasonCodes.topicAliasInvalid;
    client.misuse(isOutOfRange ? "topicAliasInvalid" : "protocolError", error.message);
    return undefined;
  }
}
