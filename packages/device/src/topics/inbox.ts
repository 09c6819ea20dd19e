import { ThinglineError } from "@thingline/protocol";
import type { Disposition, PublishPacket } from "@thingline/protocol/mqtt/client";
import type { Delivery, DeviceMessage } from "./message.js";
import type { MessageRouter } from "./router.js";

/** Messages kept between CONNACK and the moment when the caller of `connectDevice` can have added listeners. */
export const heldMessagesMax = 1000;

/** What the inbox needs of its device. */
export interface InboxPort {
  /** To the listeners of `data`. */
  data(message: DeviceMessage): Delivery;
  report(error: ThinglineError): void;
  /** A QoS 1 message was handled. */
  settle(packetId: number, connectionNumber: number): void;
}

/** Messages on their way from the session to those who asked for them. */
export class DeviceInbox {
  readonly #router: MessageRouter;
  readonly #payloadBytesMax: number;
  readonly #port: InboxPort;
  #held: { packet: PublishPacket; connectionNumber: number }[] | undefined;

  /** @param isHolding nobody can have added listeners yet: messages wait for {@link release} */
  constructor(router: MessageRouter, payloadBytesMax: number, isHolding: boolean, port: InboxPort) {
    this.#router = router;
    this.#payloadBytesMax = payloadBytesMax;
    this.#port = port;
    if (isHolding) this.#held = [];
  }

  get isHolding(): boolean {
    return this.#held !== undefined;
  }

  /** CONNACK came. What was held for a session that the server kept comes again. */
  connected(isSessionPresent: boolean): void {
    if (isSessionPresent) this.#held = this.#held?.filter(({ packet }) => packet.qos === 0);
  }

  receive(packet: PublishPacket, connectionNumber: number): Disposition {
    const { droppedPayloadBytes, payload } = packet;
    // A payload within the limit is dropped too when its topic makes the packet larger than any of AWS IoT.
    if (droppedPayloadBytes !== undefined || payload.length > this.#payloadBytesMax) {
      this.#port.report(oversizeError(packet.topic, droppedPayloadBytes ?? payload.length, this.#payloadBytesMax));
      return "settled";
    }
    if (this.#held !== undefined) return this.#hold(packet, connectionNumber);
    const delivery = this.#deliver(packet);
    if (delivery === undefined) return "settled";
    if (packet.qos === 1) void delivery.then(() => this.#settle(packet, connectionNumber));
    return "pending";
  }

  release(): void {
    const held = this.#held ?? [];
    this.#held = undefined;
    for (const { packet, connectionNumber } of held) {
      const delivery = this.#deliver(packet);
      if (packet.qos === 0) continue;
      if (delivery === undefined) this.#settle(packet, connectionNumber);
      else void delivery.then(() => this.#settle(packet, connectionNumber));
    }
  }

  #deliver(message: DeviceMessage): Delivery {
    const { subscriptions, isData } = this.#router.route(message.topic);
    let delivery: Delivery = isData ? this.#port.data(message) : undefined;
    for (const subscription of subscriptions) {
      const own = subscription.deliver(message);
      if (own === "dropped") this.#port.report(droppedError(message.topic, "the subscription's queue"));
      else if (own !== undefined) delivery = delivery === undefined ? own : delivery.then(() => own);
    }
    return delivery;
  }

  #hold(packet: PublishPacket, connectionNumber: number): Disposition {
    const held = this.#held ?? [];
    if (held.length < heldMessagesMax) {
      held.push({ packet, connectionNumber });
      return "pending";
    }
    this.#port.report(droppedError(packet.topic, "the queue before ready"));
    // Without PUBACK, QoS 1 comes again with the next connection.
    return packet.qos === 0 ? "settled" : "pending";
  }

  #settle(packet: PublishPacket, connectionNumber: number): void {
    this.#port.settle(packet.packetId ?? 0, connectionNumber);
  }
}

export function oversizeError(topic: string, payloadBytes: number, payloadBytesMax: number): ThinglineError {
  const problem =
    payloadBytes > payloadBytesMax
      ? `a message on "${topic}" has ${payloadBytes} payload bytes, payloadBytesMax is ${payloadBytesMax}`
      : `a message of ${payloadBytes} payload bytes has a topic of ${topic.length} characters: too large as a whole`;
  const message = `${problem}: it was acknowledged and dropped`;
  return new ThinglineError("LIMIT_EXCEEDED", message, { details: { topic, payloadBytes, payloadBytesMax } });
}

export function droppedError(topic: string, where: string): ThinglineError {
  const message = `a message on "${topic}" was dropped: ${where} is full`;
  return new ThinglineError("LIMIT_EXCEEDED", message, { details: { topic } });
}
