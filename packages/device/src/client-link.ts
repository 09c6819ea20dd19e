import { isThinglineError, type ThinglineError } from "@thingline/protocol";
import { encodePacket, type MqttPacket, type MqttVersion, PacketDecoder, packetLength } from "@thingline/protocol/mqtt";
import { type Clock, type Connection, highWaterBytes } from "@thingline/transport";
import { SendWatch } from "./client-send-watch.js";

export interface LinkHandlers {
  /** @returns false when no further packet of these bytes is wanted */
  packet(packet: MqttPacket): boolean;
  /** The bytes are no MQTT. */
  malformed(error: ThinglineError): void;
  /** All packets of one piece of input were handed over. */
  inputHandled(): void;
  drained(): void;
  /** The network takes nothing. */
  stuck(error: ThinglineError): void;
  /** Exactly once, last. */
  closed(error: ThinglineError | undefined): void;
}

export interface LinkOptions {
  version: MqttVersion;
  packetBytesMax: number;
  clock: Clock;
  /** 0: never. */
  sendTimeoutMs: number;
}

/** One connection, seen as packets. */
export class DeviceLink {
  readonly connection: Connection;
  readonly #version: MqttVersion;
  readonly #decoder: PacketDecoder;
  readonly #watch: SendWatch;
  #stuck: (error: ThinglineError) => void = () => undefined;

  constructor(connection: Connection, { version, packetBytesMax, clock, sendTimeoutMs }: LinkOptions) {
    this.connection = connection;
    this.#version = version;
    this.#watch = new SendWatch(connection, clock, sendTimeoutMs, (error) => this.#stuck(error));
    this.#decoder = new PacketDecoder({ receiver: "client", version, packetBytesMax });
  }

  start(handlers: LinkHandlers): void {
    this.#stuck = (error) => handlers.stuck(error);
    this.connection.start({
      data: (bytes) => this.#received(bytes, handlers),
      drained: () => handlers.drained(),
      closed: (error) => {
        this.#watch.stop();
        handlers.closed(error);
      },
    });
  }

  #received(bytes: Uint8Array, handlers: LinkHandlers): void {
    const decoder = this.#decoder;
    decoder.push(bytes);
    try {
      for (let packet = decoder.next(); packet !== undefined; packet = decoder.next()) {
        if (!handlers.packet(packet)) break;
      }
    } catch (error) {
      if (!isThinglineError(error)) throw error;
      handlers.malformed(error);
    }
    handlers.inputHandled();
  }

  /** @returns false when the connection has enough for now */
  send(packet: MqttPacket): boolean {
    const { connection } = this;
    const lengthBytes = packetLength(packet, this.#version);
    const offset = connection.reserve(lengthBytes);
    encodePacket(packet, this.#version, connection.slab, offset);
    this.#watch.sent(lengthBytes);
    return connection.bufferedBytes <= highWaterBytes;
  }
}
