import { isThinglineError, type ThinglineError } from "@thingline/protocol";
import { encodePacket, type MqttPacket, type MqttVersion, PacketDecoder, packetLength } from "@thingline/protocol/mqtt";
import { type Clock, type Connection, type ConnectionHandlers, highWaterBytes } from "@thingline/transport";
import type { HeldInput } from "./held-input.js";
import { ReceiveWatch, type WatchTimes } from "./receive-watch.js";

export interface LinkHandlers {
  /** @returns false when no further packet of these bytes is wanted */
  packet(packet: MqttPacket): boolean;
  /** The bytes are no MQTT. */
  malformed(error: ThinglineError): void;
  /** All packets of one piece of input were handed over. */
  inputHandled(): void;
  drained(): void;
  /** What handled the input threw, and no packet is to blame. */
  failed(thrown: unknown): void;
  /** Exactly once, last. */
  closed(error: ThinglineError | undefined): void;
}

export interface LinkOptions extends WatchTimes {
  version: MqttVersion;
  packetBytesMax: number;
  clock: Clock;
  /** Where input waits for the application; undefined: it is handled as it comes. */
  held: HeldInput | undefined;
}

/** One connection, seen as packets. */
export class DeviceLink extends ReceiveWatch implements ConnectionHandlers {
  readonly #version: MqttVersion;
  readonly #decoder: PacketDecoder;
  readonly #clock: Clock;
  readonly #held: HeldInput | undefined;
  #handlers: LinkHandlers | undefined;
  #isReleased = false;
  #isReading = true;

  constructor(connection: Connection, { version, packetBytesMax, clock, held, ...times }: LinkOptions) {
    super(connection, times);
    this.#version = version;
    this.#clock = clock;
    this.#held = held;
    this.#decoder = new PacketDecoder({ receiver: "client", version, packetBytesMax, drainsPublish: true });
  }

  start(handlers: LinkHandlers): void {
    this.#handlers = handlers;
    this.#held?.opened(this.connection);
    this.connection.start(this);
  }

  data(bytes: Uint8Array): void {
    if (this.#held !== undefined && !this.#isReleased) this.#held.received(bytes);
    else if (this.#handlers !== undefined) this.#received(bytes, this.#handlers);
  }

  drained(): void {
    this.#handlers?.drained();
  }

  closed(error: ThinglineError | undefined): void {
    this.#handlers?.closed(error);
  }

  /** Handles what has come in and was held for the application. */
  input(): void {
    const handlers = this.#handlers;
    if (handlers === undefined || this.#held === undefined) return;
    for (const bytes of this.#held.take()) this.#received(bytes, handlers);
  }

  /** From now on input is handled as it comes, what was held first. */
  release(): void {
    this.#isReleased = true;
    this.input();
  }

  setReading(isReading: boolean): void {
    if (this.#held !== undefined) this.#held.setReading(isReading);
    else if (isReading) this.connection.resume();
    else this.connection.pause();
    this.#isReading = isReading;
    if (isReading) this.forgiveInput(this.#clock.monotonicMs());
  }

  override checkInput(nowMs: number): ThinglineError | undefined {
    // What waits for the application, or for us, is not late.
    if (!this.#isReading || this.#held?.isReadable === true) this.forgiveInput(nowMs);
    return super.checkInput(nowMs);
  }

  #received(bytes: Uint8Array, handlers: LinkHandlers): void {
    const decoder = this.#decoder;
    try {
      decoder.push(bytes);
      this.#decode(handlers);
      if (decoder.isWithinPacket) this.receivedPart(decoder.packetCount, bytes.length, this.#clock);
      else this.receivedWhole();
      handlers.inputHandled();
    } catch (thrown) {
      handlers.failed(thrown);
    }
  }

  #decode(handlers: LinkHandlers): void {
    const decoder = this.#decoder;
    try {
      for (let packet = decoder.next(); packet !== undefined; packet = decoder.next()) {
        if (!handlers.packet(packet)) return;
      }
    } catch (error) {
      if (!isThinglineError(error)) throw error;
      handlers.malformed(error);
    }
  }

  /** @returns false when the connection has enough for now */
  send(packet: MqttPacket): boolean {
    const { connection } = this;
    const lengthBytes = packetLength(packet, this.#version);
    const offset = connection.reserve(lengthBytes);
    encodePacket(packet, this.#version, connection.slab, offset);
    this.sent(lengthBytes, this.#clock);
    return connection.bufferedBytes <= highWaterBytes;
  }
}
