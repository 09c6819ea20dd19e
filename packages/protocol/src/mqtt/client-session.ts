import { ThinglineError } from "../errors.js";
import {
  connackRefusal,
  disconnectCodes,
  lost,
  packetTooLarge,
  publishRefusal,
  termsError,
} from "./client-session-errors.js";
import { InboundMessages, InboundRefusal } from "./client-session-inbound.js";
import {
  measurePublish,
  type OutboundPublish,
  type OutboundSubscribe,
  type OutboundUnsubscribe,
  PacketIdTable,
  PublishList,
} from "./client-session-inflight.js";
import { packetLength } from "./codec/encoder.js";
import { ClientKeepAlive } from "./client-session-keep-alive.js";
import { describeReasonCode, hexCode } from "./client-session-reasons.js";
import {
  type ClientSessionEffects,
  type ClientSessionOptions,
  type ConnectionTerms,
  controlPacketsMax,
  defaultAckTimeoutMs,
  defaultConnackTimeoutMs,
  defaultInflightMax,
  defaultQueueBytesMax,
  defaultQueueMax,
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
  SubackPacket,
  UnsubackPacket,
} from "./packets.js";

const pingreq: PingreqPacket = { type: "pingreq" };

type Request<Owner> = OutboundPublish<Owner> | OutboundSubscribe<Owner> | OutboundUnsubscribe<Owner>;

/**
 * The session of an MQTT client, 3.1.1 or 5: QoS 0 and 1 in both directions. It knows no socket, timer or chance:
 * packets and times go in, {@link ClientSessionEffects} come out, and its driver owns connection and clock. It
 * outlives connections: after {@link connectionClosed} the next {@link connectionOpened} resumes it.
 */
export class ClientSession<Owner> {
  readonly #options: ClientSessionOptions;
  readonly #effects: ClientSessionEffects<Owner>;
  readonly #keepAlive = new ClientKeepAlive();
  readonly #ids: PacketIdTable<Request<Owner>>;
  readonly #inbound: InboundMessages;
  readonly #ackTimeoutMs: number;
  readonly #queueMax: number;
  readonly #queueBytesMax: number;
  readonly #puback: PublishAckPacket = { type: "puback", packetId: 0, reasonCode: 0 };
  /** In the order of their first sending, from the oldest unacknowledged one. */
  readonly #inFlight = new PublishList<Owner>();
  /** Not sent yet, or to be sent again as new messages. */
  readonly #waiting = new PublishList<Owner>();
  #state: "offline" | "connecting" | "connected" = "offline";
  #connectionNumber = 0;
  #connackDeadlineMs = Infinity;
  #isCleanStart: boolean;
  #waitingBytes = 0;
  /** Sent on this connection and not answered. */
  #windowUsed = 0;
  #terms: ConnectionTerms | undefined;
  /** First of {@link #inFlight} that this connection has not sent again yet. */
  #resendNext: OutboundPublish<Owner> | undefined;
  /** No earlier than the first deadline of a SUBSCRIBE or UNSUBSCRIBE. */
  #controlDeadlineMs = Infinity;
  #controlCount = 0;
  #isWritable = true;

  constructor(options: ClientSessionOptions, effects: ClientSessionEffects<Owner>) {
    this.#options = options;
    this.#effects = effects;
    this.#isCleanStart = options.isCleanSession;
    this.#ackTimeoutMs = options.ackTimeoutMs ?? defaultAckTimeoutMs;
    this.#queueMax = options.queueMax ?? defaultQueueMax;
    this.#queueBytesMax = options.queueBytesMax ?? defaultQueueBytesMax;
    this.#ids = new PacketIdTable(Math.min(65535, this.#inflightMax + controlPacketsMax));
    this.#inbound = new InboundMessages({
      receiveMaximum: options.receiveMaximum ?? defaultReceiveMaximum,
      topicAliasMaximum: options.version === 5 ? (options.topicAliasMaximum ?? 0) : 0,
      isReceiveMaximumAnnounced: options.version === 5,
    });
  }

  get state(): "offline" | "connecting" | "connected" {
    return this.#state;
  }

  /** What was agreed with the server of the current connection. */
  get terms(): ConnectionTerms | undefined {
    return this.#state === "connected" ? this.#terms : undefined;
  }

  /** QoS 1 messages without PUBACK and messages that wait to be sent. */
  get pendingCount(): number {
    return this.#inFlight.count + this.#waiting.count;
  }

  /** Whether somebody still waits for one of them: not for those that were abandoned or timed out. */
  get isAwaited(): boolean {
    return firstDeadlineMs(this.#inFlight) !== Infinity || this.#waiting.count > 0;
  }

  get inFlightCount(): number {
    return this.#windowUsed;
  }

  get waitingCount(): number {
    return this.#waiting.count;
  }

  /** When {@link tick} has to be called at the latest; Infinity when nothing is due. */
  get wakeAtMs(): number {
    if (this.#state === "connecting") return Math.min(this.#connackDeadlineMs, this.#requestDeadlineMs());
    if (this.#state === "offline" || this.#options.isKeepAliveAutomatic === false) return this.#requestDeadlineMs();
    return Math.min(this.#keepAlive.dueMs, this.#requestDeadlineMs());
  }

  // ---- connection ----------------------------------------------------------------------------------------------

  /** A connection is open: sends CONNECT. `isCleanStart` overrules the option, for a reconnect that wants to resume. */
  connectionOpened(nowMs: number, { isCleanStart = this.#isCleanStart }: { isCleanStart?: boolean } = {}): void {
    if (this.#state !== "offline") throw new Error("the last connection has not been closed");
    this.#state = "connecting";
    this.#connectionNumber += 1;
    this.#isCleanStart = isCleanStart;
    this.#isWritable = true;
    this.#windowUsed = 0;
    this.#inbound.reset();
    this.#connackDeadlineMs = nowMs + (this.#options.connackTimeoutMs ?? defaultConnackTimeoutMs);
    this.#keepAlive.start(this.#options.keepAliveSeconds, nowMs);
    this.#effects.send(this.#connectPacket());
  }

  /**
   * The connection is gone, for whatever reason. Unacknowledged messages are kept for the next one; SUBSCRIBE and
   * UNSUBSCRIBE end with `CONNECTION_LOST`.
   */
  connectionClosed(): void {
    if (this.#state === "offline") return;
    this.#state = "offline";
    this.#terms = undefined;
    this.#windowUsed = 0;
    this.#resendNext = undefined;
    this.#inbound.reset();
    this.#failControlPackets(lost("the connection ended before the server answered"));
  }

  /** Gives up everything that is not settled, and frees it. For a driver that will not connect again. */
  discard(error: ThinglineError): void {
    const given: OutboundPublish<Owner>[] = [];
    for (const list of [this.#inFlight, this.#waiting]) {
      for (let publish = list.first; publish !== undefined; publish = list.first) {
        list.remove(publish);
        this.#ids.release(publish.packetId);
        if (!publish.isAbandoned) given.push(publish);
        publish.state = "settled";
      }
    }
    this.#waitingBytes = 0;
    this.#windowUsed = 0;
    this.#resendNext = undefined;
    for (const publish of given) this.#effects.publishSettled(publish, error);
    this.#failControlPackets(error);
  }

  /** Sends DISCONNECT and ends the connection. Before CONNACK it ends without one, as AWS IoT demands. */
  disconnect(nowMs: number, packet: Omit<DisconnectPacket, "type"> = { reasonCode: 0 }): void {
    if (this.#state === "offline") return;
    if (this.#state === "connected") this.#send({ type: "disconnect", ...packet }, nowMs);
    this.#close(undefined);
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
    this.#expireRequests(nowMs);
    if (this.#state === "connecting") {
      if (nowMs < this.#connackDeadlineMs) return;
      const waitedMs = this.#options.connackTimeoutMs ?? defaultConnackTimeoutMs;
      this.#close(new ThinglineError("TIMEOUT", `no CONNACK came within ${waitedMs} ms`, { details: { waitedMs } }));
      return;
    }
    if (this.#state !== "connected" || this.#options.isKeepAliveAutomatic === false) return;
    const verdict = this.#keepAlive.check(nowMs);
    if (verdict === "ping") this.#sendPing(nowMs);
    if (verdict === "dead") this.#close(lost("the server did not answer PINGREQ: the link is dead"));
  }

  /**
   * Sends PINGREQ by the application's own choice. A ping that is still unanswered means that the link is dead, as
   * in the original library: the connection is closed and `CONNECTION_LOST` thrown.
   */
  ping(nowMs: number): void {
    this.#requireConnected();
    if (!this.#keepAlive.isPingOutstanding) return this.#sendPing(nowMs);
    const error = lost("the server did not answer the PINGREQ before this one: the link is dead");
    this.#close(error);
    throw error;
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
    measurePublish(publish, this.#options.version);
    const terms = this.#terms;
    if (terms !== undefined) this.#checkTerms(publish, terms);
    if (terms !== undefined && this.#isWritable && this.#waiting.count === 0 && this.#resendNext === undefined) {
      if (publish.qos === 0) {
        this.#send(publish, nowMs);
        return true;
      }
      if (this.#windowUsed < terms.inflightMax && !this.#ids.isFull) {
        publish.deadlineMs = nowMs + this.#ackTimeoutMs;
        this.#sendFirstTime(publish, nowMs);
        return true;
      }
    }
    if (publish.qos === 0 && terms === undefined) throw lost("a QoS 0 message does not wait for a connection");
    if (this.#waiting.count >= this.#queueMax) {
      const message = `${this.#waiting.count} messages wait already, queueMax is ${this.#queueMax}`;
      throw new ThinglineError("LIMIT_EXCEEDED", message, { details: { queueMax: this.#queueMax } });
    }
    if (this.#waitingBytes + publish.payload.length > this.#queueBytesMax) {
      const message = `${this.#waitingBytes} payload bytes wait already, queueBytesMax is ${this.#queueBytesMax}`;
      throw new ThinglineError("LIMIT_EXCEEDED", message, { details: { queueBytesMax: this.#queueBytesMax } });
    }
    publish.deadlineMs = nowMs + this.#ackTimeoutMs;
    publish.state = "waiting";
    this.#waiting.append(publish);
    this.#waitingBytes += publish.payload.length;
    return false;
  }

  /** The owner does not wait any longer. One that was not sent is dropped, one in flight only stays silent. */
  abandon(publish: OutboundPublish<Owner>): void {
    publish.isAbandoned = true;
    if (publish.state !== "waiting") return;
    this.#removeWaiting(publish);
    publish.state = "settled";
  }

  /**
   * @throws {ThinglineError} CONNECTION_LOST without connection, LIMIT_EXCEEDED, TOPIC_FILTER_INVALID,
   * MQTT_PACKET_TOO_LARGE.
   */
  subscribe(subscribe: OutboundSubscribe<Owner>, nowMs: number): void {
    this.#sendControl(subscribe, nowMs);
  }

  /** @throws {ThinglineError} as {@link subscribe}. */
  unsubscribe(unsubscribe: OutboundUnsubscribe<Owner>, nowMs: number): void {
    this.#sendControl(unsubscribe, nowMs);
  }

  /** A message that was `pending` is settled. Acknowledgements leave in the order of the messages [MQTT-4.6.0-2]. */
  settle(packetId: number, connectionNumber: number, nowMs: number): void {
    if (connectionNumber !== this.#connectionNumber || this.#state !== "connected") return;
    this.#inbound.settle(packetId);
    this.#sendAcknowledgements(nowMs);
  }

  /** The transport takes no more for now, or takes more again. */
  setWritable(isWritable: boolean, nowMs: number): void {
    this.#isWritable = isWritable;
    if (isWritable) this.#pump(nowMs);
  }

  // ---- packets of the server -----------------------------------------------------------------------------------

  packetReceived(packet: MqttPacket, nowMs: number): void {
    if (this.#state === "offline") return;
    this.#keepAlive.received(nowMs);
    if (this.#state === "connecting") {
      if (packet.type === "connack") return this.#connackReceived(packet, nowMs);
      return this.#protocolError(`the first packet of a server must be CONNACK, got ${packet.type}`, nowMs);
    }
    switch (packet.type) {
      case "puback":
        return this.#pubackReceived(packet, nowMs);
      case "publish":
        return this.#publishReceived(packet, nowMs);
      case "suback":
        return this.#subackReceived(packet, nowMs);
      case "unsuback":
        return this.#unsubackReceived(packet, nowMs);
      case "pingresp":
        if (!this.#keepAlive.pingAnswered()) this.#warn("PINGRESP came although no PINGREQ was sent");
        return this.#effects.pingAnswered();
      case "disconnect":
        if (this.#options.version === 5) return this.#disconnectReceived(packet);
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
    if (packet.reasonCode !== 0) return this.#close(connackRefusal(packet, version));
    if (packet.isSessionPresent && this.#isCleanStart) {
      // [MQTT-3.2.2-2]: after a clean start there is no session to be present.
      return this.#protocolError("CONNACK says that a session is present after a clean start", nowMs);
    }
    const properties = packet.properties ?? {};
    const keepAliveSeconds = properties.serverKeepAliveSeconds ?? this.#options.keepAliveSeconds;
    const terms: ConnectionTerms = {
      isSessionPresent: packet.isSessionPresent,
      keepAliveSeconds,
      inflightMax: Math.min(this.#inflightMax, properties.receiveMaximum ?? 65535),
      maximumPacketBytes: properties.maximumPacketBytes ?? Infinity,
      maximumQos: properties.maximumQos ?? 2,
      isRetainAvailable: properties.retainAvailable !== 0,
      clientId: properties.assignedClientId ?? this.#options.clientId,
      connack: packet,
    };
    this.#state = "connected";
    this.#terms = terms;
    this.#keepAlive.start(keepAliveSeconds, nowMs);
    if (!packet.isSessionPresent) this.#startOver();
    this.#resendNext = this.#inFlight.first;
    this.#effects.connected(terms);
    this.#pump(nowMs);
  }

  /** The server knows nothing of us: what it had not acknowledged is published anew, in order, before what waits. */
  #startOver(): void {
    for (let publish = this.#inFlight.last; publish !== undefined; publish = this.#inFlight.last) {
      this.#inFlight.remove(publish);
      this.#ids.release(publish.packetId);
      publish.packetId = undefined;
      publish.isDuplicate = false;
      if (publish.isAbandoned) {
        publish.state = "settled";
        continue;
      }
      publish.state = "waiting";
      this.#waiting.prepend(publish);
      this.#waitingBytes += publish.payload.length;
    }
  }

  #pubackReceived(packet: PublishAckPacket, nowMs: number): void {
    const publish = this.#ids.get(packet.packetId);
    if (publish === undefined) {
      return this.#warn(`PUBACK for packet identifier ${packet.packetId}, which is not in use`);
    }
    if (publish.type !== "publish") {
      return this.#protocolError(`PUBACK answers ${publish.type} ${packet.packetId}`, nowMs);
    }
    if (publish === this.#resendNext) this.#resendNext = publish.next;
    this.#ids.release(packet.packetId);
    this.#inFlight.remove(publish);
    publish.state = "settled";
    if (publish.sentOn === this.#connectionNumber) this.#windowUsed -= 1;
    this.#effects.pubackReceived(packet.packetId, packet.reasonCode, packet.properties);
    if (!publish.isAbandoned) {
      this.#effects.publishSettled(publish, packet.reasonCode < 0x80 ? undefined : publishRefusal(publish, packet));
    }
    if (this.#waiting.count > 0 || this.#resendNext !== undefined) this.#pump(nowMs);
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

  #subackReceived(packet: SubackPacket, nowMs: number): void {
    const subscribe = this.#ids.get(packet.packetId);
    if (subscribe === undefined) return this.#warn(`SUBACK for packet identifier ${packet.packetId}, not in use`);
    if (subscribe.type !== "subscribe" || subscribe.subscriptions.length !== packet.reasonCodes.length) {
      return this.#protocolError(`SUBACK does not fit ${subscribe.type} ${packet.packetId}`, nowMs);
    }
    this.#releaseControl(subscribe);
    if (!subscribe.isAbandoned) this.#effects.subscribeSettled(subscribe, packet.reasonCodes);
  }

  #unsubackReceived(packet: UnsubackPacket, nowMs: number): void {
    const unsubscribe = this.#ids.get(packet.packetId);
    if (unsubscribe === undefined) return this.#warn(`UNSUBACK for packet identifier ${packet.packetId}, not in use`);
    if (unsubscribe.type !== "unsubscribe") {
      return this.#protocolError(`UNSUBACK answers ${unsubscribe.type} ${packet.packetId}`, nowMs);
    }
    // UNSUBACK of 3.1.1 has no codes.
    if (this.#options.version === 5 && packet.reasonCodes.length !== unsubscribe.filters.length) {
      return this.#protocolError(`UNSUBACK does not fit unsubscribe ${packet.packetId}`, nowMs);
    }
    this.#releaseControl(unsubscribe);
    if (!unsubscribe.isAbandoned) this.#effects.unsubscribeSettled(unsubscribe, packet.reasonCodes);
  }

  #disconnectReceived(packet: DisconnectPacket): void {
    const code = packet.reasonCode;
    const reason = packet.properties?.reasonString;
    const message = `the server disconnected: ${describeReasonCode(code)} (${hexCode(code)})`;
    this.#close(
      new ThinglineError("MQTT_DISCONNECTED", reason === undefined ? message : `${message}: ${reason}`, {
        details: { reasonCode: code },
      }),
    );
  }

  // ---- sending -------------------------------------------------------------------------------------------------

  /** Sends again what is unacknowledged, then what waits, as far as window and transport allow. */
  #pump(nowMs: number): void {
    const terms = this.#terms;
    if (terms === undefined) return;
    while (this.#isWritable && this.#resendNext !== undefined && this.#windowUsed < terms.inflightMax) {
      const publish = this.#resendNext;
      this.#resendNext = publish.next;
      const error = termsError(publish, terms);
      if (error !== undefined) {
        this.#dropInFlight(publish, error);
        continue;
      }
      publish.isDuplicate = true;
      publish.sentOn = this.#connectionNumber;
      this.#windowUsed += 1;
      this.#send(publish, nowMs);
    }
    if (this.#resendNext !== undefined) return;
    for (let publish = this.#waiting.first; publish !== undefined && this.#isWritable; publish = this.#waiting.first) {
      if (publish.qos === 1 && (this.#windowUsed >= terms.inflightMax || this.#ids.isFull)) return;
      this.#removeWaiting(publish);
      const error = termsError(publish, terms);
      if (error !== undefined) {
        publish.state = "settled";
        this.#effects.publishSettled(publish, error);
      } else if (publish.qos === 1) {
        this.#sendFirstTime(publish, nowMs);
      } else {
        publish.state = "settled";
        this.#send(publish, nowMs);
        this.#effects.publishSent(publish);
      }
      if (this.#terms !== terms) return;
    }
  }

  #sendFirstTime(publish: OutboundPublish<Owner>, nowMs: number): void {
    this.#ids.add(publish);
    publish.state = "inFlight";
    publish.sentOn = this.#connectionNumber;
    this.#inFlight.append(publish);
    this.#windowUsed += 1;
    this.#send(publish, nowMs);
  }

  /** The server of this connection announced that it would not take what the last one was sent. */
  #dropInFlight(publish: OutboundPublish<Owner>, error: ThinglineError): void {
    this.#ids.release(publish.packetId);
    this.#inFlight.remove(publish);
    publish.state = "settled";
    if (!publish.isAbandoned) this.#effects.publishSettled(publish, error);
  }

  #removeWaiting(publish: OutboundPublish<Owner>): void {
    this.#waiting.remove(publish);
    this.#waitingBytes -= publish.payload.length;
  }

  #sendControl(request: OutboundSubscribe<Owner> | OutboundUnsubscribe<Owner>, nowMs: number): void {
    const terms = this.#requireConnected();
    if (this.#controlCount >= controlPacketsMax || this.#ids.isFull) {
      const message = `${this.#controlCount} SUBSCRIBE and UNSUBSCRIBE packets wait for their answer already`;
      throw new ThinglineError("LIMIT_EXCEEDED", message, { details: { controlPacketsMax } });
    }
    this.#ids.add(request);
    try {
      const lengthBytes = packetLength(request, this.#options.version);
      if (lengthBytes > terms.maximumPacketBytes) throw packetTooLarge(lengthBytes, terms.maximumPacketBytes);
    } catch (error) {
      this.#ids.release(request.packetId);
      throw error;
    }
    this.#controlCount += 1;
    request.deadlineMs = nowMs + this.#ackTimeoutMs;
    this.#controlDeadlineMs = Math.min(this.#controlDeadlineMs, request.deadlineMs);
    this.#send(request, nowMs);
  }

  #sendPing(nowMs: number): void {
    this.#keepAlive.pingSent(nowMs);
    this.#effects.send(pingreq);
  }

  #sendPuback(packetId: number, nowMs: number): void {
    this.#puback.packetId = packetId;
    this.#send(this.#puback, nowMs);
  }

  #sendAcknowledgements(nowMs: number): void {
    for (let packetId = this.#inbound.takeSettled(); packetId !== 0; packetId = this.#inbound.takeSettled()) {
      this.#sendPuback(packetId, nowMs);
    }
    if (this.#inbound.startsReading()) this.#setReading(true, nowMs);
  }

  #send(packet: Parameters<ClientSessionEffects<Owner>["send"]>[0], nowMs: number): void {
    this.#keepAlive.sent(nowMs);
    this.#effects.send(packet);
  }

  #setReading(isReading: boolean, nowMs: number): void {
    this.#keepAlive.setDeaf(!isReading, nowMs);
    this.#effects.setReading(isReading);
  }

  // ---- deadlines and endings -----------------------------------------------------------------------------------

  #requestDeadlineMs(): number {
    const inFlightMs = firstDeadlineMs(this.#inFlight);
    const waitingMs = firstDeadlineMs(this.#waiting);
    return Math.min(inFlightMs, waitingMs, this.#controlDeadlineMs);
  }

  /** Deadlines rise along both lists, since every message gets the same time. */
  #expireRequests(nowMs: number): void {
    for (const list of [this.#inFlight, this.#waiting]) {
      for (let publish = list.first; publish !== undefined && publish.deadlineMs <= nowMs;) {
        const expired = publish;
        publish = publish.next;
        if (expired.isAbandoned) continue;
        const wasSent = expired.state === "inFlight";
        this.abandon(expired);
        this.#effects.publishSettled(expired, this.#ackTimeout(wasSent ? "PUBACK" : "chance to send it"));
      }
    }
    if (nowMs < this.#controlDeadlineMs) return;
    this.#controlDeadlineMs = Infinity;
    for (const request of [...this.#ids.entries()]) {
      if (request.type === "publish" || request.isAbandoned) continue;
      if (request.deadlineMs > nowMs) {
        this.#controlDeadlineMs = Math.min(this.#controlDeadlineMs, request.deadlineMs);
        continue;
      }
      request.isAbandoned = true;
      this.#settleControl(request, this.#ackTimeout(request.type === "subscribe" ? "SUBACK" : "UNSUBACK"));
    }
  }

  #ackTimeout(what: string): ThinglineError {
    const details = { waitedMs: this.#ackTimeoutMs };
    return new ThinglineError("TIMEOUT", `no ${what} came within ${this.#ackTimeoutMs} ms`, { details });
  }

  #releaseControl(request: OutboundSubscribe<Owner> | OutboundUnsubscribe<Owner>): void {
    this.#ids.release(request.packetId);
    this.#controlCount -= 1;
    if (this.#controlCount === 0) this.#controlDeadlineMs = Infinity;
  }

  #failControlPackets(error: ThinglineError): void {
    if (this.#controlCount === 0) return;
    for (const request of [...this.#ids.entries()]) {
      if (request.type === "publish") continue;
      this.#releaseControl(request);
      if (!request.isAbandoned) this.#settleControl(request, error);
    }
  }

  #settleControl(request: OutboundSubscribe<Owner> | OutboundUnsubscribe<Owner>, error: ThinglineError): void {
    if (request.type === "subscribe") this.#effects.subscribeSettled(request, error);
    else this.#effects.unsubscribeSettled(request, error);
  }

  #close(error: ThinglineError | undefined): void {
    this.connectionClosed();
    this.#effects.close(error);
  }

  #protocolError(message: string, nowMs: number): void {
    this.#failWith(new ThinglineError("MQTT_PROTOCOL_ERROR", message), 0x82, nowMs);
  }

  /** [MQTT-4.13.1-1] Only MQTT 5 has words for it; in 3.1.1 the connection just ends, and the will is published. */
  #failWith(error: ThinglineError, reasonCode: number, nowMs: number): void {
    if (this.#state === "connected" && this.#options.version === 5)
      this.#send({ type: "disconnect", reasonCode }, nowMs);
    this.#close(error);
  }

  #warn(message: string): void {
    this.#effects.warned(new ThinglineError("MQTT_PROTOCOL_ERROR", message));
  }

  #requireConnected(): ConnectionTerms {
    if (this.#terms === undefined) throw lost("there is no connection to the server");
    return this.#terms;
  }

  #checkTerms(publish: OutboundPublish<Owner>, terms: ConnectionTerms): void {
    const error = termsError(publish, terms);
    if (error !== undefined) throw error;
  }

  get #inflightMax(): number {
    return this.#options.inflightMax ?? defaultInflightMax;
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

/** The first deadline of a list; deadlines rise along it. */
function firstDeadlineMs<Owner>(list: PublishList<Owner>): number {
  let publish = list.first;
  while (publish?.isAbandoned) publish = publish.next;
  return publish === undefined ? Infinity : publish.deadlineMs;
}
