import type { ThinglineError } from "../errors.js";
import { ClientSession } from "./client-session.js";
import { OutboundPublish, OutboundSubscribe, OutboundUnsubscribe } from "./client-session-inflight.js";
import type { ClientSessionOptions, ConnectionTerms, Disposition } from "./client-session-types.js";
import type { ConnackPacket, MqttPacket, PublishPacket } from "./packets.js";

/** For tests: a session whose effects are kept, packets copied as an encoder would. Owners are numbers. */
export class RecordedSession {
  readonly session: ClientSession<number>;
  readonly sent: MqttPacket[] = [];
  readonly messages: { packet: PublishPacket; connectionNumber: number }[] = [];
  readonly settled = new Map<number, ThinglineError | undefined>();
  readonly answers = new Map<number, readonly number[] | ThinglineError>();
  readonly warnings: ThinglineError[] = [];
  readonly reading: boolean[] = [];
  readonly pubacks: number[] = [];
  pongs = 0;
  terms: ConnectionTerms | undefined;
  closed: { error: ThinglineError | undefined } | undefined;
  disposition: Disposition = "settled";
  nowMs = 0;
  #owner = 0;

  constructor(options: Partial<ClientSessionOptions> = {}) {
    const whole = { version: 4, clientId: "c", isCleanSession: false, keepAliveSeconds: 60, ...options } as const;
    this.session = new ClientSession<number>(whole, {
      send: (packet) => void this.sent.push(copyOf(packet)),
      close: (error) => (this.closed = { error }),
      connected: (terms) => (this.terms = terms),
      message: (packet, connectionNumber) => {
        this.messages.push({ packet, connectionNumber });
        return this.disposition;
      },
      setReading: (isReading) => void this.reading.push(isReading),
      publishSettled: (publish, error) => void this.settled.set(publish.owner, error),
      publishSent: (publish) => void this.settled.set(publish.owner, undefined),
      subscribeSettled: (subscribe, outcome) => void this.answers.set(subscribe.owner, outcome),
      unsubscribeSettled: (unsubscribe, outcome) => void this.answers.set(unsubscribe.owner, outcome),
      pubackReceived: (packetId) => void this.pubacks.push(packetId),
      pingAnswered: () => (this.pongs += 1),
      warned: (error) => void this.warnings.push(error),
    });
  }

  /** Opens a connection and answers CONNECT; forgets what was sent until then. */
  connect(connack: Partial<ConnackPacket> = {}, { isCleanStart }: { isCleanStart?: boolean } = {}): this {
    this.closed = undefined;
    this.session.connectionOpened(this.nowMs, isCleanStart === undefined ? {} : { isCleanStart });
    this.sent.length = 0;
    this.receive({ type: "connack", isSessionPresent: false, reasonCode: 0, ...connack });
    return this;
  }

  receive(...packets: MqttPacket[]): this {
    for (const packet of packets) this.session.packetReceived(packet, this.nowMs);
    return this;
  }

  puback(...packetIds: number[]): this {
    return this.receive(...packetIds.map((packetId) => ({ type: "puback", packetId, reasonCode: 0 }) as const));
  }

  /** @returns the message's owner */
  publish(topic = "t", { qos = 1, isRetained = false, payloadBytes = 1 }: Partial<PublishWish> = {}): number {
    const owner = ++this.#owner;
    const payload = new Uint8Array(payloadBytes);
    this.session.publish(new OutboundPublish(topic, payload, qos, isRetained, owner, undefined), this.nowMs);
    return owner;
  }

  subscribe(...filters: string[]): number {
    const owner = ++this.#owner;
    const subscriptions = filters.map((filter) => ({ filter, qos: 1 }) as const);
    this.session.subscribe(new OutboundSubscribe(subscriptions, owner), this.nowMs);
    return owner;
  }

  unsubscribe(...filters: string[]): number {
    const owner = ++this.#owner;
    this.session.unsubscribe(new OutboundUnsubscribe(filters, owner), this.nowMs);
    return owner;
  }

  message(packetId: number, { topic = "in", qos = 1 }: { topic?: string; qos?: 0 | 1 | 2 } = {}): this {
    return this.receive(inbound(packetId, topic, qos));
  }

  /** Lets time pass, with a tick at every moment at which the session asked for one. */
  pass(durationMs: number): this {
    const endMs = this.nowMs + durationMs;
    for (let wakes = 0; this.session.wakeAtMs <= endMs; wakes++) {
      if (wakes > 10_000) throw new Error("the session asks to be woken without end");
      this.nowMs = Math.max(this.nowMs, this.session.wakeAtMs);
      this.session.tick(this.nowMs);
    }
    this.nowMs = endMs;
    return this;
  }

  /** What was sent since the last call, in short: `publish 1 t`, `publish 1 t dup`, `puback 4`. */
  take(): string[] {
    return this.sent.splice(0).map(short);
  }
}

interface PublishWish {
  qos: 0 | 1;
  isRetained: boolean;
  payloadBytes: number;
}

function inbound(packetId: number, topic: string, qos: 0 | 1 | 2): PublishPacket {
  const packet: PublishPacket = {
    type: "publish",
    topic,
    payload: new Uint8Array(0),
    qos,
    isRetained: false,
    isDuplicate: false,
  };
  if (qos !== 0) packet.packetId = packetId;
  return packet;
}

function copyOf(packet: object): MqttPacket {
  const { type, topic, packetId, reasonCode, isDuplicate, qos, subscriptions, filters, ...rest } = packet as Record<
    string,
    never
  >;
  const kept = type === "connect" ? rest : {};
  return { type, topic, packetId, reasonCode, isDuplicate, qos, subscriptions, filters, ...kept } as never;
}

function short(packet: MqttPacket): string {
  switch (packet.type) {
    case "publish": {
      const dup = packet.isDuplicate ? " dup" : "";
      return packet.qos === 0 ? `publish0 ${packet.topic}` : `publish ${packet.packetId} ${packet.topic}${dup}`;
    }
    case "puback":
      return `puback ${packet.packetId}`;
    case "subscribe":
      return `subscribe ${packet.packetId} ${packet.subscriptions.map(({ filter }) => filter).join(",")}`;
    case "unsubscribe":
      return `unsubscribe ${packet.packetId} ${packet.filters.join(",")}`;
    case "disconnect":
      return `disconnect ${packet.reasonCode}`;
    default:
      return packet.type;
  }
}
