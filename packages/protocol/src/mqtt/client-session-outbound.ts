import { ThinglineError } from "../errors.js";
import { lost, packetTooLarge, publishRefusal, termsError, unanswered } from "./client-session-errors.js";
import {
  measurePublish,
  type OutboundPublish,
  type OutboundSubscribe,
  type OutboundUnsubscribe,
  PacketIdTable,
  PublishList,
} from "./client-session-inflight.js";
import {
  type ClientPacket,
  type ClientSessionEffects,
  type ClientSessionOptions,
  type ConnectionTerms,
  controlPacketsMax,
  defaultAckTimeoutMs,
  defaultInflightMax,
  defaultQueueBytesMax,
  defaultQueueMax,
} from "./client-session-types.js";
import { packetLength } from "./codec/encoder.js";
import type { PublishAckPacket, SubackPacket, UnsubackPacket } from "./packets.js";

type Control<Owner> = OutboundSubscribe<Owner> | OutboundUnsubscribe<Owner>;

/** Never appended to. */
const noPublishes = new PublishList<never>();

/** What the requests need of their session. */
export interface SessionLine<Owner> {
  send(packet: ClientPacket<Owner>, nowMs: number): void;
  warn(message: string): void;
  protocolError(message: string, nowMs: number): void;
}

/**
 * What a client asked of the server: messages in flight, messages that wait, SUBSCRIBE and UNSUBSCRIBE without an
 * answer. Messages outlive the connection, the others do not.
 */
export class OutboundRequests<Owner> {
  readonly #options: ClientSessionOptions;
  readonly #effects: ClientSessionEffects<Owner>;
  readonly #line: SessionLine<Owner>;
  /** Undefined until something is sent that is answered: most devices of a gateway are silent for long. */
  #usedIds: PacketIdTable<OutboundPublish<Owner> | Control<Owner>> | undefined;
  /** In the order of their first sending, from the oldest unacknowledged one. `noPublishes` until there is one. */
  #inFlight: PublishList<Owner> = noPublishes;
  /** Not sent yet, or to be sent again as new messages. `noPublishes` until there is one. */
  #waiting: PublishList<Owner> = noPublishes;
  #waitingBytes = 0;
  #terms: ConnectionTerms | undefined;
  #connectionNumber = 0;
  /** The last connection on which a message was acknowledged. */
  #acknowledgedOn = 0;
  /** Sent on this connection and not answered; and how many may be. */
  #windowUsed = 0;
  #windowMax = 0;
  /** So many messages still go one at a time. */
  #aloneCount = 0;
  /** First of {@link #inFlight} that this connection has not sent again yet. */
  #resendNext: OutboundPublish<Owner> | undefined;
  /** No later than the first deadline of a SUBSCRIBE or UNSUBSCRIBE; undefined without one. */
  #controlDeadlineMs: number | undefined;
  #controlCount = 0;
  #isWritable = true;
  /** QoS 0 messages of this connection: sent, sent before the last PINGREQ, and sent before one that was answered. */
  #qos0Count = 0;
  #qos0AtPingCount = 0;
  #qos0ProvenCount = 0;
  /** With `resendAfterMs`: what was sent on this connection to when it is sent again, rising. */
  readonly #resendAtMs: Map<OutboundPublish<Owner>, number> | undefined;
  /** When the last connection ended: deadlines of messages stand still from then to the next CONNACK. */
  #stoppedAtMs = 0;

  constructor(options: ClientSessionOptions, effects: ClientSessionEffects<Owner>, line: SessionLine<Owner>) {
    this.#options = options;
    this.#effects = effects;
    this.#line = line;
    const isResending = options.version === 4 && options.resendAfterMs !== undefined;
    this.#resendAtMs = isResending ? new Map() : undefined;
  }

  get inflightMax(): number {
    return this.#options.inflightMax ?? defaultInflightMax;
  }

  get #ids(): PacketIdTable<OutboundPublish<Owner> | Control<Owner>> {
    this.#usedIds ??= new PacketIdTable(Math.min(65535, this.inflightMax + controlPacketsMax));
    return this.#usedIds;
  }

  get #ackTimeoutMs(): number {
    return this.#options.ackTimeoutMs ?? defaultAckTimeoutMs;
  }

  #ownWaiting(): PublishList<Owner> {
    if (this.#waiting === noPublishes) this.#waiting = new PublishList();
    return this.#waiting;
  }

  #ownInFlight(): PublishList<Owner> {
    if (this.#inFlight === noPublishes) this.#inFlight = new PublishList();
    return this.#inFlight;
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

  /** Sent longest ago of those without PUBACK, abandoned ones included. */
  get oldestInFlight(): OutboundPublish<Owner> | undefined {
    return this.#inFlight.first;
  }

  /** Something was sent on this connection of which the server has not shown yet that it took it. */
  get isUnproven(): boolean {
    return this.#windowUsed > 0 || this.#controlCount > 0 || this.#qos0Count !== this.#qos0ProvenCount;
  }

  /** PINGREQ leaves; its answer comes after everything that was sent before was handled. */
  pingSent(): void {
    this.#qos0AtPingCount = this.#qos0Count;
  }

  pingAnswered(): void {
    this.#qos0ProvenCount = this.#qos0AtPingCount;
  }

  /** Does not try a message in flight again. */
  giveUp(publish: OutboundPublish<Owner>, error: ThinglineError): void {
    if (publish.state !== "inFlight") return;
    if (publish === this.#resendNext) this.#resendNext = publish.next;
    if (this.#terms !== undefined && publish.sentOn === this.#connectionNumber) this.#windowUsed -= 1;
    this.#dropInFlight(publish, error);
  }

  get hasAcknowledged(): boolean {
    return this.#acknowledgedOn === this.#connectionNumber;
  }

  get waitingCount(): number {
    return this.#waiting.count;
  }

  get deadlineMs(): number {
    const controlMs = this.#controlDeadlineMs ?? Infinity;
    if (this.#terms === undefined) return controlMs;
    const inFlightMs = firstDeadlineMs(this.#inFlight);
    const waitingMs = firstDeadlineMs(this.#waiting);
    return Math.min(inFlightMs, waitingMs, controlMs, this.#resendDueMs());
  }

  /**
   * A connection is open; nothing may be sent yet.
   *
   * @param isCautious what is in flight goes out again one message at a time
   */
  connectionOpened(connectionNumber: number, isCautious: boolean): void {
    this.#aloneCount = isCautious ? this.#inFlight.count : 0;
    this.#connectionNumber = connectionNumber;
    this.#qos0Count = this.#qos0AtPingCount = this.#qos0ProvenCount = 0;
    this.#isWritable = true;
  }

  /** CONNACK came: decides what is sent again, or anew; {@link pump} sends it. */
  connected(terms: ConnectionTerms, nowMs: number): void {
    this.#terms = terms;
    this.#windowMax = this.#aloneCount > 0 ? 1 : terms.inflightMax;
    const stoodMs = nowMs - this.#stoppedAtMs;
    for (const list of [this.#inFlight, this.#waiting]) {
      for (let publish = list.first; publish !== undefined; publish = publish.next) publish.deadlineMs += stoodMs;
    }
    if (!terms.isSessionPresent) this.#startOver();
    this.#resendNext = this.#inFlight.first;
  }

  /** Messages are kept for the next connection, SUBSCRIBE and UNSUBSCRIBE end with an error that tells the cause. */
  connectionClosed(cause: ThinglineError | undefined, nowMs: number): void {
    if (this.#terms !== undefined) this.#stoppedAtMs = nowMs;
    this.#terms = undefined;
    this.#windowUsed = 0;
    this.#resendNext = undefined;
    this.#resendAtMs?.clear();
    if (this.#controlCount > 0) this.#failControlPackets(unanswered(cause));
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
    this.#resendAtMs?.clear();
    this.#resendNext = undefined;
    for (const publish of given) this.#effects.publishSettled(publish, error);
    this.#failControlPackets(error);
  }

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
    const refusal = terms === undefined ? undefined : termsError(publish, terms);
    if (refusal !== undefined) throw refusal;
    if (terms !== undefined && this.#isWritable && this.#waiting.count === 0 && this.#resendNext === undefined) {
      if (publish.qos === 0) {
        this.#qos0Count += 1;
        this.#line.send(publish, nowMs);
        return true;
      }
      if (this.#windowUsed < this.#windowMax && !this.#ids.isFull) {
        publish.deadlineMs = nowMs + this.#ackTimeoutMs;
        this.#sendFirstTime(publish, nowMs);
        return true;
      }
    }
    if (publish.qos === 0 && terms === undefined) throw lost("a QoS 0 message does not wait for a connection");
    const { queueMax = defaultQueueMax, queueBytesMax = defaultQueueBytesMax } = this.#options;
    if (this.#waiting.count >= queueMax) {
      const message = `${this.#waiting.count} messages wait already, queueMax is ${queueMax}`;
      throw new ThinglineError("LIMIT_EXCEEDED", message, { details: { queueMax } });
    }
    if (this.#waitingBytes + publish.payload.length > queueBytesMax) {
      const message = `${this.#waitingBytes} payload bytes wait already, queueBytesMax is ${queueBytesMax}`;
      throw new ThinglineError("LIMIT_EXCEEDED", message, { details: { queueBytesMax } });
    }
    publish.deadlineMs = (terms === undefined ? this.#stoppedAtMs : nowMs) + this.#ackTimeoutMs;
    publish.state = "waiting";
    this.#ownWaiting().append(publish);
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

  request(request: Control<Owner>, nowMs: number): void {
    const terms = this.#terms;
    if (terms === undefined) throw lost("there is no connection to the server");
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
    this.#controlDeadlineMs = Math.min(this.#controlDeadlineMs ?? Infinity, request.deadlineMs);
    this.#line.send(request, nowMs);
  }

  setWritable(isWritable: boolean, nowMs: number): void {
    this.#isWritable = isWritable;
    if (isWritable) this.pump(nowMs);
  }

  pubackReceived(packet: PublishAckPacket, nowMs: number): void {
    const publish = this.#ids.get(packet.packetId);
    if (publish === undefined) {
      // The answer to the other copy.
      if (this.#resendAtMs !== undefined) return;
      return this.#line.warn(`PUBACK for packet identifier ${packet.packetId}, which is not in use`);
    }
    if (publish.type !== "publish") {
      return this.#line.protocolError(`PUBACK answers ${publish.type} ${packet.packetId}`, nowMs);
    }
    if (publish === this.#resendNext) this.#resendNext = publish.next;
    this.#ids.release(packet.packetId);
    this.#inFlight.remove(publish);
    this.#resendAtMs?.delete(publish);
    publish.state = "settled";
    this.#acknowledgedOn = this.#connectionNumber;
    if (publish.sentOn === this.#connectionNumber) this.#windowUsed -= 1;
    if (this.#aloneCount > 0) this.#wentAlone();
    this.#effects.pubackReceived(packet.packetId, packet.reasonCode, packet.properties);
    if (!publish.isAbandoned) {
      this.#effects.publishSettled(publish, packet.reasonCode < 0x80 ? undefined : publishRefusal(publish, packet));
    }
    if (this.#waiting.count > 0 || this.#resendNext !== undefined) this.pump(nowMs);
  }

  #wentAlone(): void {
    this.#aloneCount -= 1;
    if (this.#aloneCount === 0 && this.#terms !== undefined) this.#windowMax = this.#terms.inflightMax;
  }

  subackReceived(packet: SubackPacket, nowMs: number): void {
    const subscribe = this.#ids.get(packet.packetId);
    if (subscribe === undefined) return this.#line.warn(`SUBACK for packet identifier ${packet.packetId}, not in use`);
    if (subscribe.type !== "subscribe" || subscribe.subscriptions.length !== packet.reasonCodes.length) {
      return this.#line.protocolError(`SUBACK does not fit ${subscribe.type} ${packet.packetId}`, nowMs);
    }
    this.#releaseControl(subscribe);
    if (!subscribe.isAbandoned) this.#effects.subscribeSettled(subscribe, packet.reasonCodes);
  }

  unsubackReceived(packet: UnsubackPacket, nowMs: number): void {
    const unsubscribe = this.#ids.get(packet.packetId);
    if (unsubscribe === undefined)
      return this.#line.warn(`UNSUBACK for packet identifier ${packet.packetId}, not in use`);
    if (unsubscribe.type !== "unsubscribe") {
      return this.#line.protocolError(`UNSUBACK answers ${unsubscribe.type} ${packet.packetId}`, nowMs);
    }
    // UNSUBACK of 3.1.1 has no codes.
    if (this.#options.version === 5 && packet.reasonCodes.length !== unsubscribe.filters.length) {
      return this.#line.protocolError(`UNSUBACK does not fit unsubscribe ${packet.packetId}`, nowMs);
    }
    this.#releaseControl(unsubscribe);
    if (!unsubscribe.isAbandoned) this.#effects.unsubscribeSettled(unsubscribe, packet.reasonCodes);
  }

  /**
   * Deadlines rise along both lists, since every message gets the same time; without a connection they stand still.
   */
  expire(nowMs: number): void {
    for (const list of this.#terms === undefined ? [] : [this.#inFlight, this.#waiting]) {
      for (let publish = list.first; publish !== undefined && publish.deadlineMs <= nowMs;) {
        const expired = publish;
        publish = publish.next;
        if (expired.isAbandoned) continue;
        const wasSent = expired.state === "inFlight";
        this.abandon(expired);
        this.#effects.publishSettled(expired, this.#ackTimeout(wasSent ? "PUBACK" : "chance to send it"));
      }
    }
    this.#resend(nowMs);
    if (this.#controlDeadlineMs === undefined || nowMs < this.#controlDeadlineMs) return;
    this.#controlDeadlineMs = undefined;
    for (const request of [...(this.#usedIds?.entries() ?? [])]) {
      if (request.type === "publish" || request.isAbandoned) continue;
      if (request.deadlineMs > nowMs) {
        this.#controlDeadlineMs = Math.min(this.#controlDeadlineMs ?? Infinity, request.deadlineMs);
        continue;
      }
      request.isAbandoned = true;
      this.#settleControl(request, this.#ackTimeout(request.type === "subscribe" ? "SUBACK" : "UNSUBACK"));
    }
  }

  /** Sends again what is unacknowledged, then what waits, as far as window and transport allow. */
  pump(nowMs: number): void {
    const terms = this.#terms;
    if (terms === undefined) return;
    // Those that were dropped without being sent leave nobody to wait for.
    if (this.#aloneCount > 0 && this.#resendNext === undefined && this.#inFlight.count + this.#waiting.count === 0) {
      this.#aloneCount = 0;
      this.#windowMax = terms.inflightMax;
    }
    while (this.#isWritable && this.#resendNext !== undefined && this.#windowUsed < this.#windowMax) {
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
      this.#resendAtMs?.set(publish, nowMs + (this.#options.resendAfterMs ?? Infinity));
      this.#line.send(publish, nowMs);
    }
    if (this.#resendNext !== undefined) return;
    for (let publish = this.#waiting.first; publish !== undefined && this.#isWritable; publish = this.#waiting.first) {
      if (publish.qos === 1 && (this.#windowUsed >= this.#windowMax || this.#ids.isFull)) return;
      this.#removeWaiting(publish);
      const error = termsError(publish, terms);
      if (error !== undefined) {
        publish.state = "settled";
        this.#effects.publishSettled(publish, error);
      } else if (publish.qos === 1) {
        this.#sendFirstTime(publish, nowMs);
      } else {
        publish.state = "settled";
        this.#qos0Count += 1;
        this.#line.send(publish, nowMs);
        this.#effects.publishSent(publish);
      }
      if (this.#terms !== terms) return;
    }
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
      this.#ownWaiting().prepend(publish);
      this.#waitingBytes += publish.payload.length;
    }
  }

  #sendFirstTime(publish: OutboundPublish<Owner>, nowMs: number): void {
    this.#ids.add(publish);
    publish.state = "inFlight";
    publish.sentOn = this.#connectionNumber;
    this.#ownInFlight().append(publish);
    this.#windowUsed += 1;
    this.#resendAtMs?.set(publish, nowMs + (this.#options.resendAfterMs ?? Infinity));
    this.#line.send(publish, nowMs);
  }

  #resendDueMs(): number {
    if (this.#resendAtMs === undefined || !this.#isWritable) return Infinity;
    for (const dueMs of this.#resendAtMs.values()) return dueMs;
    return Infinity;
  }

  /** What waited too long for its PUBACK goes out again on the same connection. Nobody waits for an abandoned one. */
  #resend(nowMs: number): void {
    if (this.#resendAtMs === undefined || !this.#isWritable) return;
    for (const [publish, dueMs] of this.#resendAtMs) {
      if (dueMs > nowMs) return;
      this.#resendAtMs.delete(publish);
      if (publish.isAbandoned) continue;
      publish.isDuplicate = true;
      this.#resendAtMs.set(publish, nowMs + (this.#options.resendAfterMs ?? Infinity));
      this.#line.send(publish, nowMs);
      if (!this.#isWritable) return;
    }
  }

  /** The server of this connection announced that it would not take what the last one was sent. */
  #dropInFlight(publish: OutboundPublish<Owner>, error: ThinglineError): void {
    this.#ids.release(publish.packetId);
    this.#inFlight.remove(publish);
    this.#resendAtMs?.delete(publish);
    publish.state = "settled";
    if (!publish.isAbandoned) this.#effects.publishSettled(publish, error);
  }

  #removeWaiting(publish: OutboundPublish<Owner>): void {
    this.#waiting.remove(publish);
    this.#waitingBytes -= publish.payload.length;
  }

  #releaseControl(request: Control<Owner>): void {
    this.#ids.release(request.packetId);
    this.#controlCount -= 1;
    if (this.#controlCount === 0) this.#controlDeadlineMs = undefined;
  }

  #failControlPackets(error: ThinglineError): void {
    if (this.#controlCount === 0) return;
    for (const request of [...(this.#usedIds?.entries() ?? [])]) {
      if (request.type === "publish") continue;
      this.#releaseControl(request);
      if (!request.isAbandoned) this.#settleControl(request, error);
    }
  }

  #settleControl(request: Control<Owner>, error: ThinglineError): void {
    if (request.type === "subscribe") this.#effects.subscribeSettled(request, error);
    else this.#effects.unsubscribeSettled(request, error);
  }

  #ackTimeout(what: string): ThinglineError {
    const details = { waitedMs: this.#ackTimeoutMs };
    return new ThinglineError("TIMEOUT", `no ${what} came within ${this.#ackTimeoutMs} ms`, { details });
  }
}

/** The first deadline of a list; deadlines rise along it. */
function firstDeadlineMs<Owner>(list: PublishList<Owner>): number {
  let publish = list.first;
  while (publish?.isAbandoned) publish = publish.next;
  return publish === undefined ? Infinity : publish.deadlineMs;
}
