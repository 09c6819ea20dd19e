import { ThinglineError } from "../../errors.js";
import type { MqttPacket, MqttVersion } from "../packets.js";
import { reasonCodes } from "../reason-codes.js";
import { readPublishAck } from "./acknowledge.js";
import { readConnack, readConnect, readProtocolVersion } from "./connect.js";
import { readAuth, readDisconnect } from "./disconnect.js";
import { malformed, protocolError } from "./faults.js";
import { OversizePublish } from "./oversize-publish.js";
import { readPublish } from "./publish.js";
import { PacketReader, zeroPacketId } from "./reader.js";
import { readSuback, readSubscribe, readUnsuback, readUnsubscribe } from "./subscribe.js";
import { TopicCache } from "./topic-cache.js";
import { varintMax } from "./write.js";

export interface PacketDecoderOptions {
  /** Who reads: decides which packets may come. */
  receiver: "client" | "server";
  /**
   * The agreed version. A client must give it. A server leaves it out: the first packet must then be CONNECT, which
   * says it. A server that gives it has seen the CONNECT elsewhere, and takes no other.
   */
  version?: MqttVersion;
  /** Largest whole packet, fixed header included, from 5 to 268,435,460 bytes. */
  packetBytesMax: number;
  /**
   * A larger PUBLISH of MQTT 3.1.1 is read over, in bounded memory, and comes out without payload, with
   * `droppedPayloadBytes`: the sender could not know the limit. In MQTT 5 it could, and the stream is lost. Default false.
   */
  drainsPublish?: boolean;
}

/** The longest packet that MQTT can express. */
export const packetBytesLimit = varintMax + 5;

/** An unfinished packet starts with this much room, or its own size if that is less. */
const firstRoomBytes = 512;

const noBytes = new Uint8Array(0);

/** One for all decoders: a packet is read within one call. */
const reader = new PacketReader();

/** What the first byte of a packet tells a receiver. */
const firstByte = { fine: 0, reservedType: 1, badFlags: 2, qos3: 3, duplicateQos0: 4, wrongDirection: 5 } as const;

const toServer = firstByteTable([1, 3, 4, 5, 6, 7, 8, 10, 12, 14, 15]);
const toClient = firstByteTable([2, 3, 4, 5, 6, 7, 9, 11, 13, 14, 15]);

function firstByteTable(types: readonly number[]): Uint8Array {
  const table = new Uint8Array(256);
  for (let byte = 0; byte < 256; byte++) {
    const type = byte >> 4;
    const flags = byte & 15;
    // [MQTT-2.1.3-1] PUBREL, SUBSCRIBE and UNSUBSCRIBE carry 0010, all others but PUBLISH 0000.
    const expected = type === 6 || type === 8 || type === 10 ? 2 : 0;
    if (type === 0) table[byte] = firstByte.reservedType;
    else if (type !== 3 && flags !== expected) table[byte] = firstByte.badFlags;
    else if (type === 3 && (flags & 6) === 6) table[byte] = firstByte.qos3;
    else if (type === 3 && (flags & 14) === 8) table[byte] = firstByte.duplicateQos0;
    else if (!types.includes(type)) table[byte] = firstByte.wrongDirection;
  }
  return table;
}

/**
 * Turns a byte stream into packets, whatever its chunking.
 *
 * ```ts
 * decoder.push(bytes);
 * for (let packet = decoder.next(); packet !== undefined; packet = decoder.next()) handle(packet);
 * ```
 *
 * Stop calling `next()` to pause; what is left waits. Payloads and other binary fields are views of the pushed bytes (of
 * a copy only for a packet that spans chunks): whoever keeps one for long keeps its whole chunk, and should copy.
 */
export class PacketDecoder {
  private readonly isToServer: boolean;
  private readonly accepted: Uint8Array;
  /** Made with the first PUBLISH. */
  private topics: TopicCache | undefined;
  private readonly drainsPublish: boolean;
  private agreed: MqttVersion | undefined;
  private limitBytes = 0;
  private failure: unknown;
  private hasFailed = false;
  private count = 0;
  /** Pushed and not yet read. */
  private chunk: Uint8Array = noBytes;
  private position = 0;
  /** An unfinished packet, copied from chunks that are gone. */
  private partial: Uint8Array = noBytes;
  private partialBytes = 0;
  /** Length of the unfinished packet; 0 while its header is unfinished too. */
  private partialTotal = 0;
  /** Fixed header of the packet that `measure` saw last. */
  private headerBytes = 0;
  private isLengthShortest = true;
  /** A packet that is read over. */
  private oversize: OversizePublish | undefined;

  /** @throws {ThinglineError} `OPTION_INVALID` */
  constructor({ receiver, version, packetBytesMax, drainsPublish = false }: PacketDecoderOptions) {
    if (receiver === "client" && version === undefined) {
      throw new ThinglineError("OPTION_INVALID", "a client's decoder needs `version`", {
        details: { option: "version" },
      });
    }
    this.isToServer = receiver === "server";
    this.accepted = this.isToServer ? toServer : toClient;
    this.agreed = version;
    this.drainsPublish = drainsPublish;
    this.packetBytesMax = packetBytesMax;
  }

  /** Given, or learnt from the CONNECT: from its protocol level on, even if the rest of it is refused. */
  get version(): MqttVersion | undefined {
    return this.agreed;
  }

  /** May be changed at any time, for packets whose header has not been read. */
  get packetBytesMax(): number {
    return this.limitBytes;
  }

  set packetBytesMax(bytes: number) {
    if (!Number.isInteger(bytes) || bytes < 5 || bytes > packetBytesLimit) {
      const message = `packetBytesMax is ${bytes}, not an integer from 5 to ${packetBytesLimit}`;
      throw new ThinglineError("OPTION_INVALID", message, { details: { option: "packetBytesMax" } });
    }
    this.limitBytes = bytes;
  }

  /** Memory held for an unfinished packet, and pushed bytes that `next()` has not taken yet. */
  get bufferedBytes(): number {
    return this.partial.length + (this.oversize?.headLength ?? 0) + (this.chunk.length - this.position);
  }

  /** Some of a packet has been read, and not all of it. */
  get isWithinPacket(): boolean {
    return this.partialBytes > 0 || this.oversize !== undefined;
  }

  /** Packets decoded so far. */
  get packetCount(): number {
    return this.count;
  }

  /** Hands in bytes as they came. Ignored after a failure. Take all packets with `next()` before the next push. */
  push(bytes: Uint8Array): void {
    if (this.hasFailed || bytes.length === 0) return;
    // Views that a subclass makes are of the subclass, and some of those copy or share where a Uint8Array does not.
    const plain =
      bytes.constructor === Uint8Array ? bytes : new Uint8Array(bytes.buffer, bytes.byteOffset, bytes.byteLength);
    const unread = this.chunk.length - this.position;
    if (unread === 0) this.chunk = plain;
    else {
      const joined = new Uint8Array(unread + plain.length);
      joined.set(this.chunk.subarray(this.position));
      joined.set(plain, unread);
      this.chunk = joined;
    }
    this.position = 0;
  }

  /**
   * The next whole packet, or undefined when more bytes are needed.
   *
   * @throws {ThinglineError} `MQTT_MALFORMED_PACKET`, `MQTT_PROTOCOL_ERROR`, `MQTT_PACKET_TOO_LARGE` or
   *   `MQTT_VERSION_UNSUPPORTED`, each with the MQTT 5 reason code to answer in `details.reasonCode`. The stream is lost
   *   then: every later call throws the same.
   */
  next(): MqttPacket | undefined {
    if (this.hasFailed) throw this.failure;
    try {
      return this.take();
    } catch (error) {
      this.hasFailed = true;
      this.failure = error;
      this.chunk = this.partial = noBytes;
      this.position = this.partialBytes = 0;
      this.oversize = undefined;
      reader.reset(noBytes, 0, 0);
      throw error;
    }
  }

  private take(): MqttPacket | undefined {
    if (this.oversize !== undefined) return this.drain(this.oversize);
    if (this.partialBytes > 0) {
      if (this.fill()) return this.takePartial();
      return this.oversize === undefined ? undefined : this.drain(this.oversize);
    }
    const { chunk, position } = this;
    const available = chunk.length - position;
    if (available > 0) {
      const total = this.measure(chunk, position, chunk.length);
      if (this.oversize !== undefined) return this.drain(this.oversize);
      if (total !== 0 && total <= available) {
        this.position = position + total;
        return this.decode(chunk, position, total);
      }
      this.partialTotal = total;
      this.append(available);
    }
    // Nothing keeps a chunk alive once it is read: it may be part of a much larger buffer.
    this.chunk = noBytes;
    this.position = 0;
    reader.bytes = noBytes;
    return undefined;
  }

  private takePartial(): MqttPacket {
    const { partial, partialTotal } = this;
    this.partial = noBytes;
    this.partialBytes = 0;
    this.partialTotal = 0;
    return this.decode(partial, 0, partialTotal);
  }

  /** Completes the unfinished packet from the chunk; whether it is whole now. */
  private fill(): boolean {
    while (this.partialTotal === 0) {
      if (this.position === this.chunk.length) return this.drained();
      this.append(1);
      this.partialTotal = this.measure(this.partial, 0, this.partialBytes);
      if (this.oversize !== undefined) return this.handOver(this.oversize);
    }
    const missing = this.partialTotal - this.partialBytes;
    const available = this.chunk.length - this.position;
    if (missing > 0 && available > 0) this.append(Math.min(missing, available));
    return missing <= available || this.drained();
  }

  /** What was kept of an unfinished header goes to the packet that is read over. */
  private handOver(oversize: OversizePublish): false {
    oversize.take(this.partial, 0, this.partialBytes);
    this.partial = noBytes;
    this.partialBytes = this.partialTotal = 0;
    return false;
  }

  private drain(oversize: OversizePublish): MqttPacket | undefined {
    this.position += oversize.take(this.chunk, this.position, this.chunk.length);
    if (!oversize.isComplete) {
      this.drained();
      return undefined;
    }
    this.oversize = undefined;
    const { head, headerBytes, payloadBytes } = oversize;
    reader.reset(head, headerBytes, head.length);
    this.count++;
    const packet = readPublish(reader, head[0]! & 15, 4, this.isToServer, (this.topics ??= new TopicCache()));
    packet.droppedPayloadBytes = payloadBytes;
    return packet;
  }

  private drained(): false {
    this.chunk = noBytes;
    this.position = 0;
    return false;
  }

  /** Room grows with what arrived, twice as much at the most, and never beyond the packet itself. */
  private append(bytes: number): void {
    const { chunk, position, partialBytes, partialTotal } = this;
    const needed = partialBytes + bytes;
    if (needed > this.partial.length) {
      const room = partialTotal === 0 ? 5 : Math.min(partialTotal, Math.max(firstRoomBytes, 2 * needed));
      const grown = new Uint8Array(room);
      grown.set(this.partial.subarray(0, partialBytes));
      this.partial = grown;
    }
    this.partial.set(chunk.subarray(position, position + bytes), partialBytes);
    this.partialBytes = needed;
    this.position = position + bytes;
  }

  /**
   * Reads a fixed header: the length of the whole packet, or 0 when the header is unfinished. Everything that the
   * header alone can tell is refused here, before a byte of the packet is kept.
   */
  private measure(bytes: Uint8Array, start: number, end: number): number {
    const first = bytes[start]!;
    if (this.accepted[first] !== firstByte.fine || this.agreed === undefined || first === 0x10 || first === 0xf0) {
      this.checkFirstByte(first);
    }
    let length = 0;
    for (let index = 1; index <= 4; index++) {
      if (start + index >= end) return 0;
      const byte = bytes[start + index]!;
      length |= (byte & 0x7f) << (7 * (index - 1));
      if (byte < 0x80) {
        this.isLengthShortest = byte !== 0 || index === 1;
        // [MQTT-1.5.5-1] 3.1.1 has no such rule, and a CONNECT has yet to tell its version.
        if (!this.isLengthShortest && this.agreed === 5) throw longLength();
        this.headerBytes = index + 1;
        const total = index + 1 + length;
        if (total <= this.limitBytes) return total;
        return this.beginDraining(first, total);
      }
    }
    throw malformed("the remaining length has more than four bytes", "MQTT 5 §1.5.5, 3.1.1 §2.2.3");
  }

  /** @returns 0 */
  private beginDraining(first: number, total: number): number {
    const canDrain = this.drainsPublish && this.agreed === 4 && first >> 4 === 3;
    if (!canDrain) throw tooLarge(total, this.limitBytes);
    this.oversize = new OversizePublish(total, this.headerBytes);
    return 0;
  }

  private checkFirstByte(first: number): void {
    const type = first >> 4;
    const flags = first & 15;
    const fault = this.accepted[first];
    if (fault === firstByte.reservedType) throw malformed("packet type 0 is reserved", "MQTT 5 §2.1.2");
    if (fault === firstByte.badFlags) {
      throw malformed(`packet type ${type} with flags ${flags}`, "MQTT-2.1.3-1, 3.1.1 MQTT-2.2.2-2");
    }
    if (fault === firstByte.qos3) throw malformed("a PUBLISH with QoS 3", "MQTT-3.3.1-4");
    if (fault === firstByte.duplicateQos0) throw protocolError("a QoS 0 PUBLISH with DUP", "MQTT-3.3.1-2");
    if (fault === firstByte.wrongDirection) {
      throw protocolError(`packet type ${type} does not go to a ${this.receiver}`, "MQTT 5 §2.1.2");
    }
    if (this.agreed === undefined) {
      if (type !== 1) throw protocolError(`the first packet has type ${type}, not CONNECT`, "MQTT-3.1.0-1");
    } else if (type === 1) throw protocolError("a second CONNECT", "MQTT-3.1.0-2");
    else if (type === 15 && this.agreed === 4) {
      throw malformed("packet type 15 is reserved in MQTT 3.1.1", "3.1.1 §2.2.1");
    }
  }

  private get receiver(): "client" | "server" {
    return this.isToServer ? "server" : "client";
  }

  private decode(bytes: Uint8Array, start: number, total: number): MqttPacket {
    const first = bytes[start]!;
    reader.reset(bytes, start + this.headerBytes, start + total);
    this.count++;
    const version = this.agreed;
    const type = first >> 4;
    if (type === 3)
      return readPublish(reader, first & 15, version!, this.isToServer, (this.topics ??= new TopicCache()));
    if (type === 4) {
      const { position, end } = reader;
      if (end - position !== 2) return readPublishAck(reader, "puback", version!);
      // Nearly every PUBACK, in both versions.
      const packetId = (bytes[position]! << 8) | bytes[position + 1]!;
      if (packetId === 0) throw zeroPacketId();
      return { type: "puback", packetId, reasonCode: 0 };
    }
    return version === undefined ? this.decodeConnect() : this.decodeOther(type, version);
  }

  private decodeConnect(): MqttPacket {
    const version = readProtocolVersion(reader);
    this.agreed = version;
    if (version === 5 && !this.isLengthShortest) throw longLength();
    return readConnect(reader, version);
  }

  private decodeOther(type: number, version: MqttVersion): MqttPacket {
    switch (type) {
      case 2:
        return readConnack(reader, version);
      case 5:
        return readPublishAck(reader, "pubrec", version);
      case 6:
        return readPublishAck(reader, "pubrel", version);
      case 7:
        return readPublishAck(reader, "pubcomp", version);
      case 8:
        return readSubscribe(reader, version);
      case 9:
        return readSuback(reader, version);
      case 10:
        return readUnsubscribe(reader, version);
      case 11:
        return readUnsuback(reader, version);
      case 12:
        reader.finish("PINGREQ");
        return { type: "pingreq" };
      case 13:
        reader.finish("PINGRESP");
        return { type: "pingresp" };
      case 14:
        // 3.1.1 §3.14: only a client disconnects with a packet.
        if (version === 4 && !this.isToServer) throw protocolError("a server sent DISCONNECT", "3.1.1 §2.2.1");
        return readDisconnect(reader, version, this.isToServer);
      default:
        return readAuth(reader);
    }
  }
}

/**
 * Decodes bytes that hold whole packets and nothing else.
 *
 * @throws {ThinglineError} as {@link PacketDecoder.next}; `MQTT_MALFORMED_PACKET` when the last packet is unfinished.
 */
export function decodePackets(
  bytes: Uint8Array,
  options: Omit<PacketDecoderOptions, "packetBytesMax"> & { packetBytesMax?: number },
): MqttPacket[] {
  const decoder = new PacketDecoder({ packetBytesMax: packetBytesLimit, ...options });
  const packets: MqttPacket[] = [];
  decoder.push(bytes);
  for (let packet = decoder.next(); packet !== undefined; packet = decoder.next()) packets.push(packet);
  if (decoder.bufferedBytes > 0) throw malformed("the last packet is unfinished", "MQTT 5 §2.1.4");
  return packets;
}

function longLength(): ThinglineError {
  return malformed("the remaining length is not in its shortest form", "MQTT-1.5.5-1");
}

function tooLarge(packetBytes: number, packetBytesMax: number): ThinglineError {
  // [MQTT-3.1.2-24] [MQTT-3.2.2-15]
  const message = `a packet of ${packetBytes} bytes, at most ${packetBytesMax} are taken`;
  const details = { reasonCode: reasonCodes.packetTooLarge, packetBytes, packetBytesMax };
  return new ThinglineError("MQTT_PACKET_TOO_LARGE", message, { details });
}
