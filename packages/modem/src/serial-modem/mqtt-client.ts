import { concatBytes, isThinglineError, type ThinglineError } from "@thingline/protocol";
import { encodeToBytes, PacketDecoder, type MqttPacket, type PublishPacket, type QoS } from "@thingline/protocol/mqtt";
import { type Clock, type Connection, highWaterBytes, type Timer } from "@thingline/transport";
import { defaultSendTimeoutSeconds } from "./socket.js";

/** Room of the application's MQTT library for one packet, the payload of a PUBLISH not counted, in each direction. */
export const mqttBufferBytesMax = 512;
/** A larger message from the broker ends the connection: it must fit into what the line holds for the host. The original hands on any size. */
export const mqttPayloadBytesMax = 60_000;

/** By the numbers of `#XMQTTEVT`. */
export const mqttEvents = {
  connack: 0,
  disconnect: 1,
  publish: 2,
  puback: 3,
  pubrec: 4,
  pubrel: 5,
  pubcomp: 6,
  suback: 7,
  unsuback: 8,
  pingresp: 9,
} as const;
export type MqttEvent = keyof typeof mqttEvents;

/** What the library says with a negative number. */
const results = {
  timeout: -11,
  malformed: -22,
  noRoom: -12,
  tooLarge: -122,
  refused: -111,
  reset: -104,
  closed: -128,
  aborted: -113,
};

export interface MqttClientOptions {
  clock: Clock;
  /** Open, and not started. */
  connection: Connection;
  clientId: string;
  username?: string | undefined;
  password?: string | undefined;
  isCleanSession: boolean;
  /** 0 turns it off. */
  keepAliveSeconds: number;
  onEvent(event: MqttEvent, result: number): void;
  /** @returns false: the host cannot take it now; it is offered again by {@link MqttClient.lineChanged}, and nothing is read until then. */
  onMessage(topic: string, payload: Uint8Array): boolean;
}

export interface MqttClientPublish {
  topic: string;
  payload: Uint8Array;
  qos: QoS;
  isRetained: boolean;
  packetId: number;
}

/** A packet that the library cannot write: its buffer is too small, or the packet would be none. */
export type MqttRefusal = "notConnected" | "noRoom" | "invalid";

/**
 * The MQTT 3.1.1 client of the application, on one connection. Like the library of the original it remembers no packet: it sends nothing
 * again, and takes every acknowledgement for one of its own.
 *
 * @see Zephyr, MQTT client library
 */
export class MqttClient {
  readonly #options: MqttClientOptions;
  readonly #connection: Connection;
  readonly #decoder: PacketDecoder;
  /** `waiting`: CONNECT was sent, CONNACK has not come. */
  #state: "waiting" | "connected" | "over" = "waiting";
  #unansweredPings = 0;
  /** The host could not take it. */
  #undelivered: PublishPacket | undefined;
  #timer: Timer | undefined;
  #wakeWriters: (() => void)[] = [];
  /** Came after the pause for what is undelivered. */
  readonly #early: Uint8Array[] = [];

  constructor(options: MqttClientOptions) {
    this.#options = options;
    this.#connection = options.connection;
    this.#decoder = new PacketDecoder({
      receiver: "client",
      version: 4,
      packetBytesMax: mqttPayloadBytesMax + mqttBufferBytesMax,
    });
  }

  /** @returns why there is no CONNECT; the connection is then gone. */
  start(): MqttRefusal | undefined {
    const { clientId, username, password, isCleanSession, keepAliveSeconds } = this.#options;
    const refusal = this.#write({
      type: "connect",
      version: 4,
      clientId,
      isCleanStart: isCleanSession,
      keepAliveSeconds,
      ...(username !== undefined && { username }),
      ...(password !== undefined && { password: new TextEncoder().encode(password) }),
    });
    this.#connection.start({
      data: (bytes) => this.#received(bytes),
      drained: () => this.#wake(),
      closed: (error) => this.#closed(error),
    });
    if (refusal !== undefined) this.#end(undefined);
    return refusal;
  }

  get isOver(): boolean {
    return this.#state === "over";
  }

  /** The host may take something again. */
  lineChanged(): void {
    if (this.#undelivered === undefined || this.isOver || !this.#deliver(this.#undelivered)) return;
    this.#undelivered = undefined;
    this.#connection.resume();
    this.#readPackets();
  }

  /** Resolves when the transport has taken it. What it has not taken within its socket's time is the end of the connection: event 1,-11. */
  async publish({ topic, payload, qos, isRetained, packetId }: MqttClientPublish): Promise<MqttRefusal | undefined> {
    const refusal = this.#request({
      type: "publish",
      topic,
      payload,
      qos,
      isRetained,
      isDuplicate: false,
      ...(qos > 0 && { packetId }),
    });
    if (refusal !== undefined) return refusal;
    await this.#waitForRoom();
    return this.isOver ? "notConnected" : undefined;
  }

  async #waitForRoom(): Promise<void> {
    if (this.#connection.bufferedBytes <= highWaterBytes) return;
    const timer = this.#options.clock.setTimer(defaultSendTimeoutSeconds * 1000, () => this.#end(results.timeout));
    while (this.#state !== "over" && this.#connection.bufferedBytes > highWaterBytes) {
      await new Promise<void>((resolve) => this.#wakeWriters.push(resolve));
    }
    timer.cancel();
  }

  subscribe(filter: string, qos: QoS, packetId: number): MqttRefusal | undefined {
    return this.#request({ type: "subscribe", packetId, subscriptions: [{ filter, qos }] });
  }

  unsubscribe(filter: string, packetId: number): MqttRefusal | undefined {
    return this.#request({ type: "unsubscribe", packetId, filters: [filter] });
  }

  /** Sends DISCONNECT and ends: event 1,0. */
  disconnect(): MqttRefusal | undefined {
    const refusal = this.#request({ type: "disconnect", reasonCode: 0 });
    if (refusal === undefined) this.#end(0);
    return refusal;
  }

  /** Ends at once and without a word, to the broker and to the host. */
  async stop(): Promise<void> {
    this.#end(undefined);
    this.#connection.destroy();
    await this.#connection.closed;
  }

  #request(packet: MqttPacket): MqttRefusal | undefined {
    return this.#state === "connected" ? this.#write(packet) : "notConnected";
  }

  #write(packet: MqttPacket): MqttRefusal | undefined {
    let bytes: Uint8Array;
    try {
      bytes = encodeToBytes(packet, 4);
    } catch (error) {
      if (isThinglineError(error)) return "invalid";
      throw error;
    }
    const payloadBytes = packet.type === "publish" ? packet.payload.length : 0;
    if (bytes.length - payloadBytes > mqttBufferBytesMax) return "noRoom";
    this.#connection.write(bytes);
    this.#keepAlive();
    return undefined;
  }

  /** Only what is sent puts the next PINGREQ off. */
  #keepAlive(): void {
    const { clock, keepAliveSeconds } = this.#options;
    this.#timer?.cancel();
    this.#timer = keepAliveSeconds > 0 ? clock.setTimer(keepAliveSeconds * 1000, () => this.#ping()) : undefined;
  }

  #ping(): void {
    // A broker that has not answered CONNECT cannot be pinged, and so that is the end.
    if (this.#state !== "connected") return this.#end(results.aborted);
    this.#unansweredPings++;
    this.#write({ type: "pingreq" });
  }

  #received(bytes: Uint8Array): void {
    // A pause takes effect at once, but what has come already may come in several pieces.
    if (this.#undelivered !== undefined) this.#early.push(bytes);
    else {
      this.#decoder.push(bytes);
      this.#readPackets();
    }
  }

  #readPackets(): void {
    while (this.#state !== "over" && this.#undelivered === undefined) {
      let packet: MqttPacket | undefined;
      try {
        packet = this.#decoder.next();
      } catch (error) {
        if (!isThinglineError(error)) throw error;
        return this.#end(error.code === "MQTT_PACKET_TOO_LARGE" ? results.tooLarge : results.malformed);
      }
      if (packet === undefined) {
        const bytes = this.#early.shift();
        if (bytes === undefined) return;
        this.#decoder.push(bytes);
        continue;
      }
      this.#handle(packet);
      // The library looks at it only when something was received.
      if (this.#unansweredPings > 1) this.#end(results.aborted);
    }
  }

  #handle(packet: MqttPacket): void {
    if (packet.type === "connack") return this.#connected(packet.reasonCode);
    if (this.#state !== "connected") return this.#end(results.malformed);
    switch (packet.type) {
      case "publish":
        return this.#message(packet);
      case "pubrec":
        this.#write({ type: "pubrel", packetId: packet.packetId, reasonCode: 0 });
        break;
      case "pubrel":
        this.#write({ type: "pubcomp", packetId: packet.packetId, reasonCode: 0 });
        break;
      case "pingresp":
        if (this.#unansweredPings > 0) this.#unansweredPings--;
        break;
      case "puback":
      case "pubcomp":
      case "suback":
      case "unsuback":
        break;
      default:
        return this.#end(results.malformed);
    }
    this.#options.onEvent(packet.type, 0);
  }

  #connected(returnCode: number): void {
    if (this.#state === "connected") return this.#end(results.malformed);
    if (returnCode === 0) this.#state = "connected";
    this.#options.onEvent("connack", returnCode);
    if (returnCode !== 0) this.#end(results.refused);
  }

  #message(packet: PublishPacket): void {
    const { topic, payload, qos, packetId = 0 } = packet;
    const topicBytes = new TextEncoder().encode(topic).length;
    if (topicBytes + headBytesMax > mqttBufferBytesMax) return this.#end(results.noRoom);
    if (payload.length > mqttPayloadBytesMax) return this.#end(results.tooLarge);
    if (qos === 1) this.#write({ type: "puback", packetId, reasonCode: 0 });
    if (qos === 2) this.#write({ type: "pubrec", packetId, reasonCode: 0 });
    if (this.#deliver(packet)) return;
    this.#undelivered = { ...packet, payload: payload.slice() };
    this.#connection.pause();
  }

  #deliver({ topic, payload }: PublishPacket): boolean {
    const isTaken = this.#options.onMessage(topic, payload);
    if (isTaken) this.#options.onEvent("publish", 0);
    return isTaken;
  }

  #closed(error: ThinglineError | undefined): void {
    this.#end(error === undefined ? results.closed : results.reset);
  }

  /** @param result of the event that tells it; undefined: nobody is told. */
  #end(result: number | undefined): void {
    if (this.#state === "over") return;
    this.#state = "over";
    this.#timer?.cancel();
    void this.#connection.close();
    this.#wake();
    if (result !== undefined) this.#options.onEvent("disconnect", result);
  }

  #wake(): void {
    const writers = this.#wakeWriters;
    this.#wakeWriters = [];
    for (const wake of writers) wake();
  }
}

/** Fixed header, length of the topic, packet identifier. */
const headBytesMax = 5 + 2 + 2;

/** `#XMQTTMSG: <topic bytes>,<payload bytes>`, and both of them as they are. */
export function formatMqttMessage(topic: string, payload: Uint8Array): Uint8Array {
  const encoder = new TextEncoder();
  const topicBytes = encoder.encode(topic);
  const lineEnd = encoder.encode("\r\n");
  const head = encoder.encode(`\r\n#XMQTTMSG: ${topicBytes.length},${payload.length}\r\n`);
  return concatBytes([head, topicBytes, lineEnd, payload, lineEnd]);
}
