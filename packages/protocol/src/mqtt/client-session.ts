import { ThinglineError } from "../errors.js";
import { connackRefusal, disconnectCodes, disconnectedError, lost } from "./client-session-errors.js";
import { type InboundLimits, InboundMessages, InboundRefusal } from "./client-session-inbound.js";
import type { OutboundPublish, OutboundSubscribe, OutboundUnsubscribe } from "./client-session-inflight.js";
import { ClientKeepAlive } from "./client-session-keep-alive.js";
import { OutboundRequests, type SessionLine } from "./client-session-outbound.js";
import {
  type ClientPacket,
  type ClientSessionEffects,
  type ClientSessionOptions,
  type ConnectionTerms,
  defaultConnackTimeoutMs,
  defaultReceiveMaximum,
} from "./client-session-types.js";
import type {
  ConnackPacket,
  ConnectPacket,
  DisconnectPacket,
  MqttPacket,
  PingreqPacket,
  PublishAckPacket,
  PublishPacket,
} from "./packets.js";

const pingreq: PingreqPacket = { type: "pingreq" };
/** Filled in for each acknowledgement, by whichever session: it is encoded within the call. */
const puback: PublishAckPacket = { type: "puback", packetId: 0, reasonCode: 0 };

let lastLimits: InboundLimits | undefined;

/** The same object for sessions with the same limits, as nearly all of a process are. */
function inboundLimitsOf({ version, receiveMaximum = defaultReceiveMaximum, ...rest }: ClientSessionOptions) {
  const topicAliasMaximum = version === 5 ? (rest.topicAliasMaximum ?? 0) : 0;
  const isReceiveMaximumAnnounced = version === 5;
  const isLast =
    lastLimits?.receiveMaximum === receiveMaximum &&
    lastLimits.topicAliasMaximum === topicAliasMaximum &&
    lastLimits.isReceiveMaximumAnnounced === isReceiveMaximumAnnounced;
  if (!isLast) lastLimits = { receiveMaximum, topicAliasMaximum, isReceiveMaximumAnnounced };
  return lastLimits!;
}

/**
 * The session of an MQTT client, 3.1.1 or 5: QoS 0 and 1 in both directions. It knows no socket, timer or chance:
 * packets and times go in, {@link ClientSessionEffects} come out, and its driver owns connection and clock. It
 * outlives connections: after {@link connectionClosed} the next {@link connectionOpened} resumes it.
 */
export class ClientSession<Owner> {
  readonly #options: ClientSessionOptions;
  readonly #effects: ClientSessionEffects<Owner>;
  readonly #keepAlive = new ClientKeepAlive();
  readonly #outbound: OutboundRequests<Owner>;
  readonly #inbound: InboundMessages;
  #state: "offline" | "connecting" | "connected" = "offline";
  #connectionNumber = 0;
  /** While connecting. */
  #connackDeadlineMs = 0;
  #isCleanStart: boolean;
  #terms: ConnectionTerms | undefined;

  constructor(options: ClientSessionOptions, effects: ClientSessionEffects<Owner>) {
    this.#options = options;
    this.#effects = effects;
    this.#isCleanStart = options.isCleanSession;
    this.#outbound = new OutboundRequests(options, effects, new ClientSession.Line(this));
    this.#inbound = new InboundMessages(inboundLimitsOf(options));
  }

  /** A class, and not closures, so that a session is small: gateways have thousands. */
  private static readonly Line = class Line<Owner> implements SessionLine<Owner> {
    private readonly session: ClientSession<Owner>;

    constructor(session: ClientSession<Owner>) {
      this.session = session;
    }

    send(packet: ClientPacket<Owner>, nowMs: number): void {
      this.session.#send(packet, nowMs);
    }

    warn(message: string): void {
      this.session.#warn(message);
    }

    protocolError(message: string, nowMs: number): void {
      this.session.#protocolError(message, nowMs);
    }
  };

  get state(): "offline" | "connecting" | "connected" {
    return this.#state;
  }

  /** What was agreed with the server of the current connection. */
  get terms(): ConnectionTerms | undefined {
    return this.#state === "connected" ? this.#terms : undefined;
  }

  /** QoS 1 messages without PUBACK and messages that wait to be sent. */
  get pendingCount(): number {
    return this.#outbound.pendingCount;
  }

  /** Whether somebody still waits for one of them: not for those that were abandoned or timed out. */
  get isAwaited(): boolean {
    return this.#outbound.isAwaited;
  }

  /** Messages sent on this connection and not acknowledged. */
  get inFlightCount(): number {
    return this.#outbound.inFlightCount;
  }

  /** The message that was sent longest ago without PUBACK, even if nobody waits for it any more. */
  get oldestInFlight(): OutboundPublish<Owner> | undefined {
    return this.#outbound.oldestInFlight;
  }

  /**
   * Whether something was sent on this connection of which the server has not shown that it took it: a message or request
   * without answer, a QoS 0 message after the last PINGREQ that was answered. If the server closes now, that may be why.
   */
  get isUnproven(): boolean {
    return this.#outbound.isUnproven;
  }

  get waitingCount(): number {
    return this.#outbound.waitingCount;
  }

  /** The server has answered a message on the last connection. */
  get hasAcknowledged(): boolean {
    return this.#outbound.hasAcknowledged;
  }

  /** When {@link tick} has to be called at the latest; Infinity when nothing is due, as always without a connection. */
  get wakeAtMs(): number {
    if (this.#state === "connecting") return Math.min(this.#connackDeadlineMs, this.#outbound.deadlineMs);
    if (this.#state === "offline" || this.#options.isKeepAliveAutomatic === false) return this.#outbound.deadlineMs;
    return Math.min(this.#keepAlive.dueMs, this.#outbound.deadlineMs);
  }

  // ---- connection ----------------------------------------------------------------------------------------------

  /**
   * A connection is open: sends CONNECT. `isCleanStart` overrules the option, for a reconnect that wants to resume.
   * `isCautious` sends what is in flight again one message at a time, to see which one the server closes for.
   */
  connectionOpened(
    nowMs: number,
    { isCleanStart = this.#isCleanStart, isCautious = false }: { isCleanStart?: boolean; isCautious?: boolean } = {},
  ): void {
    if (this.#state !== "offline") throw new Error("the last connection has not been closed");
    this.#state = "connecting";
    this.#connectionNumber += 1;
    this.#isCleanStart = isCleanStart;
    this.#outbound.connectionOpened(this.#connectionNumber, isCautious);
    this.#inbound.reset();
    this.#connackDeadlineMs = nowMs + (this.#options.connackTimeoutMs ?? defaultConnackTimeoutMs);
    this.#keepAlive.start(this.#options.keepAliveSeconds, nowMs);
    this.#effects.send(this.#connectPacket());
  }

  /**
   * The connection is gone, for whatever reason. Unacknowledged messages are kept for the next one; SUBSCRIBE and
   * UNSUBSCRIBE end with `CONNECTION_LOST`, which tells the cause.
   */
  connectionClosed(nowMs: number, cause?: ThinglineError): void {
    if (this.#state === "offline") return;
    this.#state = "offline";
    this.#terms = undefined;
    this.#inbound.reset();
    this.#outbound.connectionClosed(cause, nowMs);
  }

  /** Gives up everything that is not settled, and frees it. For a driver that will not connect again. */
  discard(error: ThinglineError): void {
    this.#outbound.discard(error);
  }

  /** Sends DISCONNECT and ends the connection. Before CONNACK it ends without one, as AWS IoT demands. */
  disconnect(nowMs: number, packet: Omit<DisconnectPacket, "type"> = { reasonCode: 0 }): void {
    if (this.#state === "offline") return;
    if (this.#state === "connected") this.#send({ type: "disconnect", ...packet }, nowMs);
    this.#close(undefined, nowMs);
  }

  /** The peer's bytes are no MQTT, or the driver found another reason to end: tells an MQTT 5 server, then closes. */
  fail(error: ThinglineError, nowMs: number): void {
    if (this.#state === "offline") return;
    const told = error.details["reasonCode"];
    this.#failWith(error, typeof told === "number" ? told : (disconnectCodes[error.code] ?? 0x82), nowMs);
  }

  // ---- time ----------------------------------------------------------------------------------------------------

  /** Does what is due. Calling it early is harmless. */
  tick(nowMs: number): void {
    this.#outbound.expire(nowMs);
    if (this.#state === "connecting") {
      if (nowMs < this.#connackDeadlineMs) return;
      const waitedMs = this.#options.connackTimeoutMs ?? defaultConnackTimeoutMs;
      this.#close(
        new ThinglineError("TIMEOUT", `no CONNACK came within ${waitedMs} ms`, { details: { waitedMs } }),
        nowMs,
      );
      return;
    }
    if (this.#state !== "connected" || this.#options.isKeepAliveAutomatic === false) return;
    const verdict = this.#keepAlive.check(nowMs);
    if (verdict === "ping") this.#sendPing(nowMs);
    if (verdict === "dead") this.#close(lost("the server did not answer PINGREQ: the link is dead"), nowMs);
  }

  /**
   * Sends PINGREQ by the application's own choice. A ping that is still unanswered means that the link is dead, as
   * in the original library: the connection is closed and `CONNECTION_LOST` thrown.
   */
  ping(nowMs: number): void {
    if (this.#state !== "connected") throw lost("there is no connection to the server");
    if (!this.#keepAlive.isPingOutstanding) return this.#sendPing(nowMs);
    const error = lost("the server did not answer the PINGREQ before this one: the link is dead");
    this.#close(error, nowMs);
    throw error;
  }

  /** Sends PINGREQ unless there is no connection or one is unanswered already: the answer shows what the server has taken. */
  probe(nowMs: number): void {
    if (this.#state === "connected" && !this.#keepAlive.isPingOutstanding) this.#sendPing(nowMs);
  }

  /** Milliseconds until a packet has to be sent to keep the connection; 0 when overdue, Infinity without connection. */
  keepAliveTimeLeftMs(nowMs: number): number {
    return this.#state === "connected" ? this.#keepAlive.timeLeftMs(nowMs) : Infinity;
  }

  // ---- requests of the application -----------------------------------------------------------------------------

  /**
   * Sends a message, or lets it wait for the window, the connection or the transport.
   *
   * @returns true when it was handed over now. A QoS 1 message ends with `publishSettled`, a QoS 0 message that
   * waited with `publishSent` or, when it had to be given up, `publishSettled`.
   * @throws {ThinglineError} TOPIC_NAME_INVALID, MQTT_PACKET_INVALID; LIMIT_EXCEEDED when the queue is full;
   * MQTT_PACKET_TOO_LARGE and MQTT_UNSUPPORTED by what the server announced; CONNECTION_LOST for QoS 0 without a
   * connection.
   */
  publish(publish: OutboundPublish<Owner>, nowMs: number): boolean {
    return this.#outbound.publish(publish, nowMs);
  }

  /** The owner does not wait any longer. One that was not sent is dropped, one in flight only stays silent. */
  abandon(publish: OutboundPublish<Owner>): void {
    this.#outbound.abandon(publish);
  }

  /** A message in flight is not sent again, and ends with the error. */
  giveUp(publish: OutboundPublish<Owner>, error: ThinglineError): void {
    this.#outbound.giveUp(publish, error);
  }

  /**
   * @throws {ThinglineError} CONNECTION_LOST without connection, LIMIT_EXCEEDED, TOPIC_FILTER_INVALID,
   * MQTT_PACKET_TOO_LARGE.
   */
  subscribe(subscribe: OutboundSubscribe<Owner>, nowMs: number): void {
    this.#outbound.request(subscribe, nowMs);
  }

  /** @throws {ThinglineError} as {@link subscribe}. */
  unsubscribe(unsubscribe: OutboundUnsubscribe<Owner>, nowMs: number): void {
    this.#outbound.request(unsubscribe, nowMs);
  }

  /** A message that was `pending` is settled. Acknowledgements leave in the order of the messages [MQTT-4.6.0-2]. */
  settle(packetId: number, connectionNumber: number, nowMs: number): void {
    if (connectionNumber !== this.#connectionNumber || this.#state !== "connected") return;
    this.#inbound.settle(packetId);
    this.#sendAcknowledgements(nowMs);
  }

  /** The transport takes no more for now, or takes more again. */
  setWritable(isWritable: boolean, nowMs: number): void {
    this.#outbound.setWritable(isWritable, nowMs);
  }

  // ---- packets of the server -----------------------------------------------------------------------------------

  /** Bytes have come of a packet that is not complete: the link lives. How long the packet may take is up to the driver. */
  heard(nowMs: number): void {
    if (this.#state === "connected") this.#keepAlive.received(nowMs);
  }

  packetReceived(packet: MqttPacket, nowMs: number): void {
    if (this.#state === "offline") return;
    this.#keepAlive.received(nowMs);
    if (this.#state === "connecting") {
      if (packet.type === "connack") return this.#connackReceived(packet, nowMs);
      // Out of turn, and still the best that is known about the reason.
      if (packet.type === "disconnect" && this.#options.version === 5) return this.#disconnectReceived(packet, nowMs);
      return this.#protocolError(`the first packet of a server must be CONNACK, got ${packet.type}`, nowMs);
    }
    switch (packet.type) {
      case "puback":
        return this.#outbound.pubackReceived(packet, nowMs);
      case "publish":
        return this.#publishReceived(packet, nowMs);
      case "suback":
        return this.#outbound.subackReceived(packet, nowMs);
      case "unsuback":
        return this.#outbound.unsubackReceived(packet, nowMs);
      case "pingresp":
        this.#outbound.pingAnswered();
        if (!this.#keepAlive.pingAnswered()) this.#warn("PINGRESP came although no PINGREQ was sent");
        return this.#effects.pingAnswered();
      case "disconnect":
        if (this.#options.version === 5) return this.#disconnectReceived(packet, nowMs);
        return this.#protocolError("a server of MQTT 3.1.1 sends no DISCONNECT", nowMs);
      case "pubrec":
      case "pubrel":
      case "pubcomp":
        return this.#protocolError(`${packet.type} belongs to QoS 2, which was never agreed on`, nowMs);
      case "connack":
        return this.#protocolError("a second CONNACK came", nowMs);
      case "auth":
        return this.#protocolError("AUTH came although no authentication method was asked for", nowMs);
      case "connect":
      case "subscribe":
      case "unsubscribe":
      case "pingreq":
        return this.#protocolError(`a server never sends ${packet.type}`, nowMs);
    }
  }

  #connackReceived(packet: ConnackPacket, nowMs: number): void {
    const { version } = this.#options;
    if (packet.reasonCode !== 0) return this.#close(connackRefusal(packet, version), nowMs);
    if (packet.isSessionPresent && this.#isCleanStart) {
      // [MQTT-3.2.2-2]: after a clean start there is no session to be present.
      return this.#protocolError("CONNACK says that a session is present after a clean start", nowMs);
    }
    const properties = packet.properties ?? {};
    const keepAliveSeconds = properties.serverKeepAliveSeconds ?? this.#options.keepAliveSeconds;
    const terms: ConnectionTerms = {
      isSessionPresent: packet.isSessionPresent,
      keepAliveSeconds,
      inflightMax: Math.min(this.#outbound.inflightMax, properties.receiveMaximum ?? 65535),
      maximumPacketBytes: properties.maximumPacketBytes ?? Infinity,
      maximumQos: properties.maximumQos ?? 2,
      isRetainAvailable: properties.retainAvailable !== 0,
      clientId: properties.assignedClientId ?? this.#options.clientId,
      properties: packet.properties,
    };
    this.#state = "connected";
    this.#terms = terms;
    this.#keepAlive.start(keepAliveSeconds, nowMs);
    this.#outbound.connected(terms, nowMs);
    this.#effects.connected(terms);
    this.#outbound.pump(nowMs);
  }

  #publishReceived(packet: PublishPacket, nowMs: number): void {
    const message = this.#inbound.receive(packet);
    if (message instanceof InboundRefusal) return this.#failWith(message.error, message.reasonCode, nowMs);
    if (message === "repeated") {
      return this.#warn(`the message with packet identifier ${packet.packetId} came again before its PUBACK`);
    }
    if (packet.qos === 0) {
      this.#effects.message(message, this.#connectionNumber);
      return;
    }
    const packetId = packet.packetId ?? 0;
    if (this.#options.acknowledges === "beforeHandler") {
      this.#sendPuback(packetId, nowMs);
      this.#effects.message(message, this.#connectionNumber);
      return;
    }
    const number = this.#connectionNumber;
    const disposition = this.#effects.message(message, number);
    if (this.#connectionNumber !== number || this.#state !== "connected") return;
    if (disposition === "settled" && this.#inbound.pendingCount === 0) return this.#sendPuback(packetId, nowMs);
    this.#inbound.hold(packetId, disposition === "settled");
    if (this.#inbound.stopsReading()) this.#setReading(false, nowMs);
  }

  #disconnectReceived(packet: DisconnectPacket, nowMs: number): void {
    this.#close(disconnectedError(packet), nowMs);
  }

  // ---- sending -------------------------------------------------------------------------------------------------

  #sendPing(nowMs: number): void {
    this.#keepAlive.pingSent(nowMs);
    this.#outbound.pingSent();
    this.#effects.send(pingreq);
  }

  #sendPuback(packetId: number, nowMs: number): void {
    puback.packetId = packetId;
    this.#send(puback, nowMs);
  }

  #sendAcknowledgements(nowMs: number): void {
    for (let packetId = this.#inbound.takeSettled(); packetId !== 0; packetId = this.#inbound.takeSettled()) {
      this.#sendPuback(packetId, nowMs);
    }
    if (this.#inbound.startsReading()) this.#setReading(true, nowMs);
  }

  #send(packet: ClientPacket<Owner>, nowMs: number): void {
    this.#keepAlive.sent(nowMs);
    this.#effects.send(packet);
  }

  #setReading(isReading: boolean, nowMs: number): void {
    this.#keepAlive.setDeaf(!isReading, nowMs);
    this.#effects.setReading(isReading);
  }

  // ---- deadlines and endings -----------------------------------------------------------------------------------

  #close(error: ThinglineError | undefined, nowMs: number): void {
    this.connectionClosed(nowMs, error);
    this.#effects.close(error);
  }

  #protocolError(message: string, nowMs: number): void {
    this.#failWith(new ThinglineError("MQTT_PROTOCOL_ERROR", message), 0x82, nowMs);
  }

  /** [MQTT-4.13.1-1] Only MQTT 5 has words for it; in 3.1.1 the connection just ends, and the will is published. */
  #failWith(error: ThinglineError, reasonCode: number, nowMs: number): void {
    if (this.#state === "connected" && this.#options.version === 5)
      this.#send({ type: "disconnect", reasonCode }, nowMs);
    this.#close(error, nowMs);
  }

  #warn(message: string): void {
    this.#effects.warned(new ThinglineError("MQTT_PROTOCOL_ERROR", message));
  }

  #connectPacket(): ConnectPacket {
    const options = this.#options;
    const packet: ConnectPacket = {
      type: "connect",
      version: options.version,
      clientId: options.clientId,
      isCleanStart: this.#isCleanStart,
      keepAliveSeconds: options.keepAliveSeconds,
    };
    if (options.will !== undefined) packet.will = options.will;
    if (options.username !== undefined) packet.username = options.username;
    if (options.password !== undefined) packet.password = options.password;
    if (options.version === 4) return packet;
    packet.properties = { ...options.properties, receiveMaximum: options.receiveMaximum ?? defaultReceiveMaximum };
    if (options.maximumPacketBytes !== undefined) packet.properties.maximumPacketBytes = options.maximumPacketBytes;
    if (options.topicAliasMaximum) packet.properties.topicAliasMaximum = options.topicAliasMaximum;
    return packet;
  }
}
