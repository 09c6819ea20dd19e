import { ThinglineError } from "../errors.js";
import type { PublishPacket } from "./packets.js";

export interface InboundLimits {
  readonly receiveMaximum: number;
  readonly topicAliasMaximum: number;
  /** MQTT 5: more than `receiveMaximum` is the server's fault. In 3.1.1 it cannot know: we stop reading instead. */
  readonly isReceiveMaximumAnnounced: boolean;
}

/** A PUBLISH that ends the connection, with the reason code for the server. */
export class InboundRefusal {
  readonly error: ThinglineError;
  readonly reasonCode: number;
  constructor(message: string, reasonCode: number, details: Readonly<Record<string, string | number>> = {}) {
    this.error = new ThinglineError("MQTT_PROTOCOL_ERROR", message, { details });
    this.reasonCode = reasonCode;
  }
}

/** Messages from the server on one connection: topic aliases and what is not acknowledged yet, in order. */
export class InboundMessages {
  readonly #limits: InboundLimits;
  #topics: Map<number, string> | undefined;
  /** Packet identifier to "is settled", in the order of arrival. */
  #pending: Map<number, boolean> | undefined;
  #isReading = true;

  constructor(limits: InboundLimits) {
    this.#limits = limits;
  }

  get pendingCount(): number {
    return this.#pending?.size ?? 0;
  }

  /** A new connection: aliases and unacknowledged messages of the old one mean nothing any more. */
  reset(): void {
    this.#topics?.clear();
    this.#pending?.clear();
    this.#isReading = true;
  }

  /** @returns the message with its topic, or why it is not delivered */
  receive(packet: PublishPacket): PublishPacket | "repeated" | InboundRefusal {
    if (packet.qos === 2) {
      // Nothing here subscribes with QoS 2 (AWS IoT has none), and exactly once would need a store of packet
      // identifiers that survives a restart of the device.
      return new InboundRefusal("a QoS 2 message came although no subscription asked for it", 0x9b);
    }
    const packetId = packet.packetId;
    if (packet.qos === 1 && packetId !== undefined) {
      if (this.#pending?.has(packetId) === true) return "repeated";
      const { receiveMaximum, isReceiveMaximumAnnounced } = this.#limits;
      if (isReceiveMaximumAnnounced && this.pendingCount >= receiveMaximum) {
        const message = `the server sent more than the ${receiveMaximum} unacknowledged messages it may`;
        return new InboundRefusal(message, 0x93, { receiveMaximum });
      }
    }
    const alias = packet.properties?.topicAlias;
    return alias === undefined ? packet : this.#resolveAlias(packet, alias);
  }

  #resolveAlias(packet: PublishPacket, alias: number): PublishPacket | InboundRefusal {
    const { topicAliasMaximum } = this.#limits;
    if (alias === 0 || alias > topicAliasMaximum) {
      const message = `topic alias ${alias} is outside 1..${topicAliasMaximum}`;
      return new InboundRefusal(message, 0x94, { alias, topicAliasMaximum });
    }
    if (packet.topic !== "") {
      this.#topics ??= new Map();
      this.#topics.set(alias, packet.topic);
      return packet;
    }
    const topic = this.#topics?.get(alias);
    if (topic === undefined) return new InboundRefusal(`topic alias ${alias} was never given a topic`, 0x82, { alias });
    return { ...packet, topic };
  }

  /** A QoS 1 message that cannot be acknowledged yet, or not before the ones ahead of it. */
  hold(packetId: number, isSettled: boolean): void {
    this.#pending ??= new Map();
    this.#pending.set(packetId, isSettled);
  }

  settle(packetId: number): void {
    if (this.#pending?.has(packetId) === true) this.#pending.set(packetId, true);
  }

  /** The next packet identifier to acknowledge, or 0. */
  takeSettled(): number {
    if (this.#pending === undefined) return 0;
    for (const [packetId, isSettled] of this.#pending) {
      if (!isSettled) return 0;
      this.#pending.delete(packetId);
      return packetId;
    }
    return 0;
  }

  /** @returns true once, when the server is that far ahead that reading has to stop */
  stopsReading(): boolean {
    if (!this.#isReading || this.#limits.isReceiveMaximumAnnounced) return false;
    if (this.pendingCount <= this.#limits.receiveMaximum) return false;
    this.#isReading = false;
    return true;
  }

  /** @returns true once, when enough was acknowledged to go on */
  startsReading(): boolean {
    if (this.#isReading || this.pendingCount > this.#limits.receiveMaximum / 2) return false;
    this.#isReading = true;
    return true;
  }
}
