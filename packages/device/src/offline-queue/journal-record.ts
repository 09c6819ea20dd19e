import { crc32, isThinglineError, ThinglineError } from "@thingline/protocol";
import { encodePacket, packetLength, PacketDecoder, type PublishPacket } from "@thingline/protocol/mqtt/client";
import type { OfflineMessage } from "./types.js";

/** Of the files that {@link encodeRecord} writes. */
export const journalFormat = 1;

/**
 * One entry of the journal. `header` begins each file; `message` is a message that was taken; `settled` names messages,
 * first to last, that need not be sent any more.
 */
export type JournalRecord =
  | { type: "header"; format: number; nextSequence: number }
  | { type: "message"; sequence: number; expiresAtUnixMs: number; message: OfflineMessage }
  | { type: "settled"; ranges: readonly SequenceRange[] };

export interface SequenceRange {
  first: number;
  last: number;
}

/** Where a record stands. Part of its checksum, so that a copy of it elsewhere, as in a payload, is none. */
export interface RecordPlace {
  segment: number;
  offset: number;
}

/**
 * A record is magic, length of the body, checksum of the 8 bytes before it, checksum of the body: 4 bytes each, big
 * endian. Both checksums begin with the place. The first one makes the length believable, so that a damaged body costs
 * one message and not those behind it.
 */
export const recordHeaderBytes = 16;
const magic = 0x544c_514a;
const magicBytes = Uint8Array.of(0x54, 0x4c, 0x51, 0x4a);
const types = { header: 0, message: 1, settled: 2 } as const;
/** Type, sequence, expiry. */
const messagePrefixBytes = 17;

/** The message as the MQTT 5 packet that is stored: it has a place for everything that a message can carry. */
function packetOf(message: OfflineMessage): PublishPacket {
  const { topic, payload, isRetained, properties } = message;
  const packet: PublishPacket = {
    type: "publish",
    topic,
    payload,
    qos: 1,
    isRetained,
    isDuplicate: false,
    packetId: 1,
  };
  return properties === undefined ? packet : { ...packet, properties };
}

/**
 * Bytes that a message counts for: topic, payload and properties with their lengths.
 *
 * @throws {ThinglineError} TOPIC_NAME_INVALID, MQTT_PACKET_INVALID, MQTT_PACKET_TOO_LARGE.
 */
export function messageBytes(message: OfflineMessage): number {
  return packetLength(packetOf(message), 5);
}

export function encodeRecord(record: JournalRecord, place: RecordPlace): Uint8Array {
  const bytes = new Uint8Array(recordHeaderBytes + bodyLength(record));
  writeBody(record, bytes);
  const view = new DataView(bytes.buffer);
  view.setUint32(0, magic);
  view.setUint32(4, bytes.length - recordHeaderBytes);
  const seed = seedOf(place);
  view.setUint32(8, crc32(bytes.subarray(0, 8), seed));
  view.setUint32(12, crc32(bytes.subarray(recordHeaderBytes), seed));
  return bytes;
}

function bodyLength(record: JournalRecord): number {
  if (record.type === "header") return 10;
  if (record.type === "settled") return 1 + 16 * record.ranges.length;
  return messagePrefixBytes + packetLength(packetOf(record.message), 5);
}

function writeBody(record: JournalRecord, bytes: Uint8Array): void {
  const view = new DataView(bytes.buffer, recordHeaderBytes);
  view.setUint8(0, types[record.type]);
  if (record.type === "header") {
    view.setUint8(1, record.format);
    setInteger(view, 2, record.nextSequence);
  } else if (record.type === "settled") {
    record.ranges.forEach(({ first, last }, index) => {
      setInteger(view, 1 + 16 * index, first);
      setInteger(view, 9 + 16 * index, last);
    });
  } else {
    setInteger(view, 1, record.sequence);
    view.setFloat64(9, record.expiresAtUnixMs);
    encodePacket(packetOf(record.message), 5, bytes, recordHeaderBytes + messagePrefixBytes);
  }
}

/** What stands at a place: a record, a whole record whose body is damaged, or nothing that can be read. */
export type RecordReading =
  | { type: "record"; record: JournalRecord; lengthBytes: number }
  | { type: "damaged"; lengthBytes: number }
  | { type: "nothing" };

/** @throws {ThinglineError} STORE_VERSION_UNKNOWN */
export function readRecord(bytes: Uint8Array, place: RecordPlace): RecordReading {
  const { offset } = place;
  if (bytes.length - offset < recordHeaderBytes) return { type: "nothing" };
  const view = new DataView(bytes.buffer, bytes.byteOffset + offset);
  const bodyBytes = view.getUint32(4);
  const seed = seedOf(place);
  if (view.getUint32(0) !== magic) return { type: "nothing" };
  if (view.getUint32(8) !== crc32(bytes.subarray(offset, offset + 8), seed)) return { type: "nothing" };
  const lengthBytes = recordHeaderBytes + bodyBytes;
  if (offset + lengthBytes > bytes.length) return { type: "nothing" };
  const body = bytes.subarray(offset + recordHeaderBytes, offset + lengthBytes);
  if (view.getUint32(12) !== crc32(body, seed)) return { type: "damaged", lengthBytes };
  const record = readBody(body);
  return record === undefined ? { type: "damaged", lengthBytes } : { type: "record", record, lengthBytes };
}

/** The next place from `from` on at which a record could begin, or -1. */
export function findMagic(bytes: Uint8Array, from: number): number {
  for (let at = bytes.indexOf(0x54, from); at !== -1; at = bytes.indexOf(0x54, at + 1)) {
    if (magicBytes.every((byte, index) => bytes[at + index] === byte)) return at;
  }
  return -1;
}

function readBody(body: Uint8Array): JournalRecord | undefined {
  const view = new DataView(body.buffer, body.byteOffset, body.length);
  const type = body[0];
  if (type === types.header && body.length >= 10) {
    const format = view.getUint8(1);
    if (format !== journalFormat) {
      const message = `the offline queue's journal has the format ${format}, this version reads ${journalFormat}`;
      throw new ThinglineError("STORE_VERSION_UNKNOWN", message, { details: { format } });
    }
    return { type: "header", format, nextSequence: getInteger(view, 2) };
  }
  if (type === types.settled && body.length % 16 === 1) {
    const ranges: SequenceRange[] = [];
    for (let at = 1; at < body.length; at += 16) {
      ranges.push({ first: getInteger(view, at), last: getInteger(view, at + 8) });
    }
    return { type: "settled", ranges };
  }
  if (type !== types.message || body.length < messagePrefixBytes) return undefined;
  const message = readMessage(body.subarray(messagePrefixBytes));
  if (message === undefined) return undefined;
  return { type: "message", sequence: getInteger(view, 1), expiresAtUnixMs: view.getFloat64(9), message };
}

function readMessage(bytes: Uint8Array): OfflineMessage | undefined {
  const decoder = new PacketDecoder({ receiver: "server", version: 5, packetBytesMax: Math.max(2, bytes.length) });
  try {
    decoder.push(bytes);
    const packet = decoder.next();
    if (packet?.type !== "publish" || packet.qos !== 1 || decoder.bufferedBytes > 0) return undefined;
    const { topic, payload, isRetained, properties } = packet;
    const message = { topic, payload, isRetained };
    return properties === undefined ? message : { ...message, properties };
  } catch (error) {
    if (isThinglineError(error)) return undefined;
    throw error;
  }
}

function seedOf({ segment, offset }: RecordPlace): number {
  const bytes = new Uint8Array(16);
  const view = new DataView(bytes.buffer);
  setInteger(view, 0, segment);
  setInteger(view, 8, offset);
  return crc32(bytes);
}

/** Whole numbers below 2^53, in 8 bytes. */
function setInteger(view: DataView, at: number, value: number): void {
  view.setUint32(at, Math.floor(value / 2 ** 32));
  view.setUint32(at + 4, value >>> 0);
}

function getInteger(view: DataView, at: number): number {
  return view.getUint32(at) * 2 ** 32 + view.getUint32(at + 4);
}
