import { isThinglineError, type ThinglineError } from "@thingline/protocol";
import { encodePacket, type MqttPacket, type MqttVersion, PacketDecoder, packetLength } from "@thingline/protocol/mqtt";
import { type Connection, highWaterBytes } from "@thingline/transport";

export interface LinkHandlers {
  /** @returns false when no further packet of these bytes is wanted */
  packet(packet: MqttPacket): boolean;
  /** The bytes are no MQTT. */
  malformed(error: ThinglineError): void;
  /** All packets of one piece of input were handed over. */
  inputHandled(): void;
  drained(): void;
  /** Exactly once, last. */
  closed(error: ThinglineError | undefined): void;
}

/** One connection, seen as packets. */
export class DeviceLink {
  readonly connection: Connection;
  readonly #version: MqttVersion;
  readonly #decoder: PacketDecoder;

  constructor(connection: Connection, version: MqttVersion, packetBytesMax: number) {
    this.connection = connection;
    this.#version = version;
    this.#decoder = new PacketDecoder({ receiver: "client", version, packetBytesMax });
  }

  start(handlers: LinkHandlers): void {
    this.connection.start({
      data: (bytes) => this.#received(bytes, handlers),
      drained: () => handlers.drained(),
      closed: (error) => handlers.closed(error),
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
    const offset = connection.reserve(packetLength(packet, this.#version));
    encodePacket(packet, this.#version, connection.slab, offset);
    return connection.bufferedBytes <= highWaterBytes;
  }
}
