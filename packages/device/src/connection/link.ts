import { isThinglineError, type ThinglineError } from "@thingline/protocol";
import {
  type ClientPacket,
  encodePacket,
  type MqttPacket,
  type MqttVersion,
  PacketDecoder,
  packetLength,
  writeMeasuredPublish,
} from "@thingline/protocol/mqtt/client";
import { type Clock, type Connection, type ConnectionHandlers, highWaterBytes } from "@thingline/transport";
import type { HeldInput } from "./held-input.js";
import { ReceiveWatch, type WatchTimes } from "./receive-watch.js";

export interface LinkOptions extends WatchTimes {
  version: MqttVersion;
  packetBytesMax: number;
  clock: Clock;
  /** Where input waits for the application; undefined: it is handled as it comes. */
  held: HeldInput | undefined;
}

/** One connection, seen as packets. A base and no part of the one who handles them, which is an object less for each connection. */
export abstract class DeviceLink extends ReceiveWatch implements ConnectionHandlers {
  protected readonly clock: Clock;
  protected readonly held: HeldInput | undefined;
  readonly #version: MqttVersion;
  readonly #decoder: PacketDecoder;
  #isReleased = false;
  #isReading = true;

  constructor(connection: Connection, { version, packetBytesMax, clock, held, ...times }: LinkOptions) {
    super(connection, times);
    this.clock = clock;
    this.held = held;
    this.#version = version;
    this.#decoder = new PacketDecoder({ receiver: "client", version, packetBytesMax, drainsPublish: true });
  }

  /** @returns false when no further packet of these bytes is wanted */
  protected abstract packet(packet: MqttPacket): boolean;
  /** The bytes are no MQTT. */
  protected abstract malformed(error: ThinglineError): void;
  /** All packets of one piece of input were handed over. */
  protected abstract inputHandled(): void;
  /** What handled the input threw, and no packet is to blame. */
  protected abstract failed(thrown: unknown): void;
  abstract drained(): void;
  /** Exactly once, last. */
  abstract closed(error: ThinglineError | undefined): void;

  start(): void {
    this.held?.opened(this.connection);
    this.connection.start(this);
  }

  data(bytes: Uint8Array): void {
    if (this.held === undefined || this.#isReleased) return this.#received(bytes);
    try {
      this.held.received(bytes);
    } catch (thrown) {
      this.failed(thrown);
    }
  }

  /** Handles what has come in and was held for the application. */
  protected takeHeld(): void {
    if (this.held === undefined) return;
    for (const bytes of this.held.take()) this.#received(bytes);
  }

  /** From now on input is handled as it comes, what was held first. */
  protected release(): void {
    this.#isReleased = true;
    this.takeHeld();
  }

  setReading(isReading: boolean): void {
    if (this.held !== undefined) this.held.setReading(isReading);
    else if (isReading) this.connection.resume();
    else this.connection.pause();
    this.#isReading = isReading;
    if (isReading) this.forgiveInput(this.clock.monotonicMs());
  }

  override checkInput(nowMs: number): ThinglineError | undefined {
    // What waits for the application, or for us, is not late.
    if (!this.#isReading || this.held?.isReadable === true) this.forgiveInput(nowMs);
    return super.checkInput(nowMs);
  }

  #received(bytes: Uint8Array): void {
    const decoder = this.#decoder;
    try {
      decoder.push(bytes);
      this.#decode();
      if (decoder.isWithinPacket) this.receivedPart(decoder.packetCount, bytes.length, this.clock);
      else this.receivedWhole();
      this.inputHandled();
    } catch (thrown) {
      this.failed(thrown);
    }
  }

  #decode(): void {
    const decoder = this.#decoder;
    try {
      for (let packet = decoder.next(); packet !== undefined; packet = decoder.next()) {
        if (!this.packet(packet)) return;
      }
    } catch (error) {
      if (!isThinglineError(error)) throw error;
      this.malformed(error);
    }
  }

  /** @returns false when the connection has enough for now */
  send(packet: ClientPacket<unknown>): boolean {
    const { connection } = this;
    const version = this.#version;
    // The session has measured and checked it already, which costs more than all the rest.
    const isMeasured = packet.type === "publish" && packet.properties === undefined;
    const lengthBytes = isMeasured ? packet.lengthBytes : packetLength(packet, version);
    const offset = connection.reserve(lengthBytes);
    if (isMeasured) writeMeasuredPublish(connection.slab, offset, packet, packet.headBytes, version);
    else encodePacket(packet, version, connection.slab, offset);
    this.sent(lengthBytes, this.clock);
    return connection.bufferedBytes <= highWaterBytes;
  }
}
