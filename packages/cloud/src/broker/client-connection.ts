import { isThinglineError, type ThinglineError } from "@thingline/protocol";
import {
  encodePacket,
  InboundInflight,
  InboundTopicAliases,
  packetLength,
  PacketDecoder,
  reasonCodes,
  stepServerKeepAlive,
  type ConnectPacket,
  type ConnectTerms,
  type DisconnectPacket,
  type MqttPacket,
  type MqttVersion,
  type PublishAckPacket,
  type PublishPacket,
  type ServerKeepAliveState,
  type Will,
} from "@thingline/protocol/mqtt";
import type { Connection, Timer } from "@thingline/transport";
import type { Authorizer, BrokerAction, ConnectionIdentity, ConnectRequest } from "../policy/authorizer.js";
import { connect } from "./connect.js";
import type { BrokerCore } from "./core.js";
import { drain } from "./delivery.js";
import { ConnectionFlow } from "./connection-flow.js";
import { disconnectReasons, type DisconnectReason } from "./disconnect-reasons.js";
import { receivePublish } from "./inbound-publish.js";
import type { QueuedMessage } from "./publication.js";
import type { BrokerSession } from "./session.js";
import { detachSession } from "./session-lifecycle.js";
import { receiveSubscribe, receiveUnsubscribe } from "./subscribe.js";
import type { Route } from "./subscription-index.js";
import { faultOfProperties } from "../services/message-limits.js";
import type { ServiceTopics } from "../services/operation.js";
import { ownWill, sendWill } from "./will.js";

/** What a connection remembers of a topic that it published to. */
export interface PublishGrant {
  readonly topic: string;
  isAllowed: boolean;
  /** Of the authorizer when it was asked. */
  generation: number;
  route: Route<BrokerSession, ServiceTopics>;
}

type State = "awaitingConnect" | "connecting" | "connected" | "closed";

const noTerms: ConnectTerms = {
  clientId: "",
  keepAliveSeconds: 0,
  sessionExpirySeconds: 0,
  outboundWindowMax: 0,
  clientPacketBytesMax: Infinity,
};

/** So many bytes of an unfinished packet count as a sign of life. */
const headwayBytesMin = 1_024;

/** What the decoder says of bytes that are no MQTT. */
const wireFaults: ReadonlySet<string> = new Set([
  "MQTT_MALFORMED_PACKET",
  "MQTT_PROTOCOL_ERROR",
  "MQTT_PACKET_TOO_LARGE",
  "MQTT_VERSION_UNSUPPORTED",
]);

/** One client at the other end of one transport connection: reads its packets and answers them. */
export class ClientConnection {
  readonly core: BrokerCore;
  readonly connection: Connection;
  readonly identity: ConnectionIdentity;
  state: State = "awaitingConnect";
  version: MqttVersion = 4;
  clientId = "";
  terms = noTerms;
  authorizer!: Authorizer;
  /** Of the CONNECT, with bytes of its own: the packet itself, credentials included, is not kept. */
  will: Will | undefined;
  private wantsReasons = true;
  connectRequest: ConnectRequest | undefined;
  /** Counts the changes of the principal; an answer of `authorizeConnect` to an earlier count is out of date. */
  principalChanges = 0;
  authorizedAt = 0;
  session: BrokerSession | undefined;
  readonly flow: ConnectionFlow;
  readonly grants = new Map<string, PublishGrant>();
  inbound!: InboundInflight;
  aliases!: InboundTopicAliases;
  private readonly decoder: PacketDecoder;
  private readonly receiveDecisions = new Map<string, boolean>();
  private receiveGeneration = -1;
  private keepAlive: ServerKeepAliveState = { name: "expired" };
  lastReceivedMs: number;
  /** Since the last packet, or the last time that they counted. */
  private unfinishedBytes = 0;
  private timer: Timer | undefined;

  constructor(core: BrokerCore, connection: Connection, identity: ConnectionIdentity) {
    this.core = core;
    this.connection = connection;
    this.identity = identity;
    const { packetBytesMax, connectTimeoutSeconds } = core.limits;
    this.decoder = new PacketDecoder({ receiver: "server", packetBytesMax });
    const { clock } = core.options;
    this.lastReceivedMs = core.nowMs = clock.monotonicMs();
    this.flow = new ConnectionFlow(this);
    this.timer = clock.setTimer(connectTimeoutSeconds * 1000, () => this.end("CONNECT_TIMEOUT"));
    connection.start({
      data: (bytes) => this.receive(bytes),
      drained: () => this.flow.outputDrained(),
      closed: (error) => this.lost(error),
    });
  }

  /** Coarse time for what is in flight. */
  get nowSeconds(): number {
    return Math.floor(this.core.nowMs / 1000);
  }

  get certificateId(): string | undefined {
    return this.identity.certificateId;
  }

  // Output

  /** Encodes straight into the connection's memory. */
  send(packet: MqttPacket): void {
    const lengthBytes = packetLength(packet, this.version);
    if (lengthBytes > this.terms.clientPacketBytesMax && (packet.type === "disconnect" || packet.type === "puback")) {
      // [MQTT-3.14.2-3] [MQTT-3.4.2-2] What only explains is left out when the client cannot take it.
      const { properties, ...bare } = packet;
      if (properties !== undefined) return this.send(bare);
    }
    const at = this.connection.reserve(lengthBytes);
    encodePacket(packet, this.version, this.connection.slab, at);
    this.checkOutput();
  }

  /** A client that asks without reading our answers must not fill our memory with them. */
  private checkOutput(): void {
    if (this.connection.bufferedBytes > this.core.outputShareBytes && this.state === "connected") {
      this.flow.isOutputFull();
    }
  }

  sendPuback(packetId: number, reasonCode: number, reasonString?: string): void {
    if (this.state !== "connected") return;
    if (reasonCode === 0) {
      const { connection } = this;
      const at = connection.reserve(4);
      const { slab } = connection;
      slab[at] = 0x40;
      slab[at + 1] = 2;
      slab[at + 2] = packetId >> 8;
      slab[at + 3] = packetId;
      this.checkOutput();
    } else this.sendWithReason({ type: "puback", packetId, reasonCode }, reasonString);
  }

  /** Request Problem Information 0 asks for no reason strings. [MQTT-3.1.2-29] */
  private sendWithReason(packet: PublishAckPacket | DisconnectPacket, reasonString: string | undefined): void {
    this.send(reasonString === undefined || !this.wantsReasons ? packet : { ...packet, properties: { reasonString } });
  }

  // Policy

  /** Whether the policy lets the client receive the topic; remembered until the policy changes. */
  mayReceive(topic: string): boolean {
    const { authorizer, receiveDecisions } = this;
    if (this.receiveGeneration !== authorizer.generation) {
      this.receiveGeneration = authorizer.generation;
      receiveDecisions.clear();
    }
    const known = receiveDecisions.get(topic);
    if (known !== undefined) return known;
    const isAllowed = this.authorize("iot:Receive", `topic/${topic}`);
    if (receiveDecisions.size >= this.core.limits.cachedTopicsPerConnectionMax) receiveDecisions.clear();
    receiveDecisions.set(topic, isAllowed);
    return isAllowed;
  }

  /** Asks the policy and logs a denial with its explanation. */
  authorize(action: BrokerAction, resource: string): boolean {
    const decision = this.authorizer.authorize(action, resource);
    if (decision.isAllowed) return true;
    const { clientId, certificateId } = this;
    const { explanation } = decision;
    this.core.options.log.warn("denied", { action, resource, clientId, certificateId, explanation });
    return false;
  }

  /** Policies of the principal were loaded again. */
  replaceAuthorizer(authorizer: Authorizer): void {
    this.authorizer = authorizer;
    this.receiveGeneration = -1;
    this.grants.clear();
  }

  // Input

  private receive(bytes: Uint8Array): void {
    const { core, decoder } = this;
    core.nowMs = core.options.clock.monotonicMs();
    this.flow.charge(bytes.length);
    const { packetCount } = decoder;
    decoder.push(bytes);
    try {
      for (let packet = decoder.next(); packet !== undefined; packet = decoder.next()) {
        this.handle(packet);
        if (this.state === "closed") return;
      }
    } catch (error) {
      if (isThinglineError(error) && wireFaults.has(error.code)) this.protocolError(error);
      else this.internalFault(error);
      return;
    }
    this.heard(decoder.packetCount > packetCount, bytes.length);
  }

  /** [MQTT-3.1.2-22] A packet keeps the connection alive; bytes only when they make headway on a long one. */
  private heard(isPacket: boolean, lengthBytes: number): void {
    this.unfinishedBytes = isPacket ? 0 : this.unfinishedBytes + lengthBytes;
    if (!isPacket && this.unfinishedBytes < headwayBytesMin) return;
    this.unfinishedBytes = 0;
    this.lastReceivedMs = this.core.nowMs;
  }

  /** A bug of ours. It costs the client that met it its connection, and nobody else. */
  private internalFault(error: unknown): void {
    const { core, clientId } = this;
    core.counters.internalFaults++;
    core.waits = [];
    core.options.log.error("internalFault", { clientId, error: error instanceof Error ? error.stack : String(error) });
    this.end("SERVER_ERROR");
  }

  private handle(packet: MqttPacket): void {
    if (this.state === "connected") {
      // Ordered by how often they come.
      if (packet.type === "publish") receivePublish(this, packet);
      else if (packet.type === "puback") this.receivePuback(packet);
      else if (this.hasSoundProperties(packet)) this.handleOther(packet);
    } else if (this.state === "awaitingConnect" && packet.type === "connect") this.receiveConnect(packet);
    else if (this.state !== "closed") {
      // The decoder lets only a CONNECT be the first packet, so this one came before our CONNACK.
      this.misuse("protocolError", `${packet.type} before CONNACK: the client must wait for it`);
    }
  }

  /** User properties have one bound in every packet. SUBSCRIBE has an answer that can say so, which others have not. */
  private hasSoundProperties(packet: Exclude<MqttPacket, PublishPacket>): boolean {
    const properties = "properties" in packet ? packet.properties : undefined;
    if (properties?.userProperties === undefined) return true;
    const fault = faultOfProperties(this.core.limits, { userProperties: properties.userProperties });
    if (fault === undefined) return true;
    this.core.hit("userPropertiesBytesMax", { clientId: this.clientId, packet: packet.type, fault });
    if (packet.type === "subscribe") {
      const reasonString = this.wantsReasons ? { properties: { reasonString: fault } } : {};
      const codes = packet.subscriptions.map(() => reasonCodes.quotaExceeded);
      this.send({ type: "suback", packetId: packet.packetId, reasonCodes: codes, ...reasonString });
    } else this.misuse("quotaExceeded", fault);
    return false;
  }

  private handleOther(packet: MqttPacket): void {
    switch (packet.type) {
      case "pingreq":
        this.send({ type: "pingresp" });
        return;
      case "subscribe":
        receiveSubscribe(this, packet);
        return;
      case "unsubscribe":
        receiveUnsubscribe(this, packet);
        return;
      case "disconnect":
        this.receiveDisconnect(packet.reasonCode, packet.properties?.sessionExpirySeconds);
        return;
      case "pubrec":
      case "pubrel":
      case "pubcomp":
        this.misuse("qosNotSupported", `${packet.type}: QoS 2 is not supported`);
        return;
      case "auth":
        this.misuse("protocolError", "AUTH: enhanced authentication is not supported");
        return;
      default:
        this.misuse("protocolError", `${packet.type} from a client`);
    }
  }

  private receiveConnect(packet: ConnectPacket): void {
    this.state = "connecting";
    this.core.unconnected.delete(this);
    this.version = packet.version;
    this.clientId = packet.clientId;
    this.wantsReasons = packet.properties?.requestProblemInformation !== 0;
    this.will = packet.will === undefined ? undefined : ownWill(packet.will);
    connect(this, packet);
  }

  /** The CONNECT was accepted and the session is there: from now on packets are handled. */
  connected(session: BrokerSession, authorizer: Authorizer): void {
    const { core, terms } = this;
    const { clock } = core.options;
    core.nowMs = this.lastReceivedMs = clock.monotonicMs();
    this.state = "connected";
    this.session = session;
    this.authorizer = authorizer;
    const { inboundInflightMax, topicAliasMax } = core.limits;
    this.inbound = new InboundInflight(inboundInflightMax);
    this.aliases = new InboundTopicAliases(topicAliasMax);
    session.connection = this;
    session.queue.attach(terms.outboundWindowMax);
    this.keepAlive = { name: "listening", lastReceivedMs: core.nowMs };
    this.timer?.cancel();
    this.checkKeepAlive();
  }

  private checkKeepAlive(): void {
    const { core } = this;
    const nowMs = core.options.clock.monotonicMs();
    // While we do not read, the client's silence proves nothing.
    const lastReceivedMs = this.flow.isPaused ? nowMs : this.lastReceivedMs;
    this.keepAlive = { name: "listening", lastReceivedMs };
    const [next, effects] = stepServerKeepAlive(this.keepAlive, { type: "tick" }, nowMs, this.terms.keepAliveSeconds);
    this.keepAlive = next;
    for (const effect of effects) {
      if (effect.type === "close") return this.end("MQTT_KEEP_ALIVE_TIMEOUT");
      this.timer = core.options.clock.setTimer(effect.atMs - nowMs, () => this.checkKeepAlive());
    }
    this.dropUnacknowledged(nowMs);
  }

  private receivePuback(packet: PublishAckPacket): void {
    const { packetId, reasonCode } = packet;
    if (packet.properties !== undefined && !this.hasSoundProperties(packet)) return;
    if (!this.acknowledged(packetId)) {
      this.core.counters.unexpectedAcks++;
      this.core.options.log.debug("unexpectedPuback", { clientId: this.clientId, packetId });
      return;
    }
    if (reasonCode >= 0x80) {
      this.core.counters.droppedRefused++;
      this.core.options.log.warn("messageRefused", { clientId: this.clientId, packetId, reasonCode });
    }
    const { queue, groups } = this.session!;
    if (queue.queuedCount > 0 || groups !== undefined) drain(this.core, this);
  }

  /** A message in flight is done with. @returns false when there is none under the identifier. */
  acknowledged(packetId: number): boolean {
    const { session } = this;
    const inflight = session?.queue.inflight;
    if (session === undefined || inflight === undefined) return false;
    // Of a clean session nothing is kept, unless it is a member of a group that keeps it.
    if (session.stored !== undefined || session.groups !== undefined)
      this.forgetKept(session, inflight.message(packetId));
    return inflight.release(packetId);
  }

  private forgetKept(session: BrokerSession, message: QueuedMessage | undefined): void {
    const { core } = this;
    if (message?.isStored !== true) return;
    if (message.group !== undefined) {
      core.groups.settled(message);
      return;
    }
    core.inflightBytes -= message.sizeBytes;
    const key = core.keys.message(session.clientId, message.sequence);
    void session.stored?.writer.delete(key).catch(() => undefined);
  }

  /** AWS gives up a QoS 1 message that a connected client does not acknowledge in time. */
  private dropUnacknowledged(nowMs: number): void {
    const inflight = this.session?.queue.inflight;
    if (inflight === undefined || inflight.count === 0) return;
    const late = inflight.sentBefore(Math.floor(nowMs / 1000) - this.core.limits.redeliverySecondsMax[this.version]);
    if (late.length === 0) return;
    for (const packetId of late) this.acknowledged(packetId);
    this.core.counters.droppedUnacknowledged += late.length;
    this.core.hit("redeliverySecondsMax", { clientId: this.clientId, messages: late.length });
    drain(this.core, this);
  }

  private receiveDisconnect(reasonCode: number, sessionExpirySeconds: number | undefined): void {
    if (sessionExpirySeconds !== undefined) {
      // [MQTT-3.1.2-23] A session that was to end with the connection cannot be made to last.
      if (this.terms.sessionExpirySeconds === 0 && sessionExpirySeconds > 0) {
        return this.misuse("protocolError", "DISCONNECT raises the session expiry from 0");
      }
      const expirySeconds = Math.min(sessionExpirySeconds, this.core.limits.sessionExpirySecondsMax);
      this.terms = { ...this.terms, sessionExpirySeconds: expirySeconds };
    }
    const wantsWill = reasonCode !== reasonCodes.success;
    this.end(wantsWill ? "CLIENT_DISCONNECT_WITH_WILL" : "CLIENT_INITIATED_DISCONNECT");
  }

  // End

  private protocolError(error: ThinglineError): void {
    const { reasonCode = reasonCodes.malformedPacket } = error.details as { reasonCode?: number };
    const { core, clientId, connection } = this;
    core.counters.protocolErrors++;
    const remote = connection.remote.host;
    core.options.log.warn("protocolError", { clientId, remote, code: error.code, error: error.message });
    if (this.state === "awaitingConnect") this.refuseUnreadConnect(error, reasonCode);
    else this.end("CLIENT_ERROR", { reasonCode, reasonString: error.message });
  }

  /** [MQTT-3.1.2-2] A version that we do not speak is answered; other bad beginnings are not. */
  private refuseUnreadConnect(error: ThinglineError, reasonCode: number): void {
    const version = this.decoder.version;
    if (error.code === "MQTT_VERSION_UNSUPPORTED") {
      this.send({ type: "connack", isSessionPresent: false, reasonCode: 1 });
    } else if (version === 5) {
      this.version = 5;
      this.send({ type: "connack", isSessionPresent: false, reasonCode });
    }
    this.end("CLIENT_ERROR");
  }

  /** A packet that is well formed and not allowed. The connection ends; nobody but the client is to blame. */
  misuse(reason: keyof typeof reasonCodes, explanation: string): void {
    this.core.counters.protocolErrors++;
    this.core.options.log.warn("protocolError", { clientId: this.clientId, error: explanation });
    this.end("CLIENT_ERROR", { reasonCode: reasonCodes[reason], reasonString: explanation });
  }

  /** The transport is gone. */
  private lost(error: ThinglineError | undefined): void {
    if (this.state === "closed") return;
    // A WebSocket that ended in order was ended by a Close frame, which AWS takes for a DISCONNECT.
    const isCloseFrame = error === undefined && this.connection.webSocketRequest !== undefined;
    this.finish(isCloseFrame ? "CLIENT_INITIATED_DISCONNECT" : "CONNECTION_LOST", error?.message);
  }

  /** Says good-bye as far as the version can, and closes. Safe to call twice. */
  end(
    reason: DisconnectReason,
    { reasonCode, reasonString }: { reasonCode?: number | undefined; reasonString?: string | undefined } = {},
  ): void {
    if (this.state === "closed") return;
    const code = reasonCode ?? disconnectReasons[reason].reasonCode;
    if (this.version === 5 && this.state === "connected" && code !== undefined) {
      this.sendWithReason({ type: "disconnect", reasonCode: code }, reasonString);
    }
    this.finish(reason, reasonString);
    void this.connection.close();
  }

  private finish(reason: DisconnectReason, explanation: string | undefined): void {
    const { core, session, state, clientId } = this;
    this.state = "closed";
    this.timer?.cancel();
    this.flow.stop();
    core.connections.delete(this);
    core.unconnected.delete(this);
    core.counters.connectionsClosed++;
    if (this.certificateId !== undefined) this.forgetPrincipal(this.certificateId);
    if (state !== "connected") {
      const remote = this.connection.remote.host;
      core.options.log.info("connectionClosed", { clientId, remote, reason, explanation, connected: false });
      return;
    }
    core.connectedCount--;
    core.options.log.info("disconnected", { clientId, reason, explanation });
    const sendsWill = disconnectReasons[reason].sendsWill;
    if (session !== undefined) detachSession(core, session, this);
    if (sendsWill) sendWill(this);
  }

  /** From here on a change of the principal concerns this connection. */
  rememberPrincipal(): void {
    const { certificateId, core } = this;
    if (certificateId === undefined) return;
    const connections = core.connectionsByCertificate.get(certificateId);
    if (connections === undefined) core.connectionsByCertificate.set(certificateId, new Set([this]));
    else connections.add(this);
  }

  private forgetPrincipal(certificateId: string): void {
    const connections = this.core.connectionsByCertificate.get(certificateId);
    connections?.delete(this);
    if (connections?.size === 0) this.core.connectionsByCertificate.delete(certificateId);
  }
}
