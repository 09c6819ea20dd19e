import { isBytes } from "../../bytes.js";
import type { MqttVersion, PublishPacket, PublishProperties, QoS } from "../packets.js";
import { hasWildcard } from "../topic.js";
import { topicLength, type EncodedTopics } from "./encoded-topics.js";
import { malformed, protocolError, unencodable } from "./faults.js";
import { propertiesLength, readProperties, writeProperties } from "./properties.js";
import { zeroPacketId, type PacketReader } from "./reader.js";
import type { TopicCache } from "./topic-cache.js";
import { decodeUtf8 } from "./utf8.js";
import { checkInteger, checkPacketId, varintLength, writeString, writeUint16, writeVarint } from "./write.js";

const noBytes = new Uint8Array(0);

/** The low half of the first byte. MQTT 5 §3.3.1 */
export function publishFlags(qos: QoS, isRetained: boolean, isDuplicate: boolean): number {
  return (isDuplicate ? 8 : 0) | (qos << 1) | (isRetained ? 1 : 0);
}

/** Reads a PUBLISH; the payload is a view of the input. */
export function readPublish(
  reader: PacketReader,
  flags: number,
  version: MqttVersion,
  isToServer: boolean,
  topics: TopicCache,
): PublishPacket {
  const qos = ((flags >> 1) & 3) as QoS;
  const topic = readTopic(reader, topics);
  let packetId = 0;
  if (qos !== 0) {
    packetId = reader.uint16("the packet identifier");
    if (packetId === 0) throw zeroPacketId();
  }
  const properties = version === 5 ? readPublishProperties(reader, topic, isToServer) : undefined;
  // [MQTT-4.7.3-1]
  if (version === 4 && topic === "") throw protocolError("the topic name is empty", "3.1.1 MQTT-4.7.3-1");
  const { bytes, position, end } = reader;
  const payload = position === end ? noBytes : bytes.subarray(position, end);
  const isRetained = (flags & 1) !== 0;
  const isDuplicate = (flags & 8) !== 0;
  if (qos === 0) {
    if (properties === undefined) return { type: "publish", topic, payload, qos, isRetained, isDuplicate };
    return { type: "publish", topic, payload, qos, isRetained, isDuplicate, properties };
  }
  if (properties === undefined) return { type: "publish", topic, payload, qos, isRetained, isDuplicate, packetId };
  return { type: "publish", topic, payload, qos, isRetained, isDuplicate, packetId, properties };
}

function readTopic(reader: PacketReader, topics: TopicCache): string {
  const length = reader.uint16("the topic name");
  const { bytes, position: start } = reader;
  const end = start + length;
  if (end > reader.end) {
    const message = `the topic name needs ${length} bytes, the packet has ${reader.remaining} left`;
    throw malformed(message, "MQTT 5 §2.1.4");
  }
  reader.position = end;
  if (length === 0) return "";
  const known = topics.find(bytes, start, end);
  if (known !== undefined) return known;
  const topic = decodeUtf8(bytes, start, end);
  if (topic === undefined) {
    throw malformed("the topic name is not UTF-8, or holds U+0000", "MQTT-1.5.4-1, MQTT-1.5.4-2");
  }
  if (hasWildcard(topic)) throw protocolError("the topic name holds a wildcard", "MQTT-3.3.2-2");
  topics.add(bytes, start, end, topic);
  return topic;
}

function readPublishProperties(
  reader: PacketReader,
  topic: string,
  isToServer: boolean,
): PublishProperties | undefined {
  // The common case costs one comparison.
  const { bytes, position } = reader;
  const isEmpty = position < reader.end && bytes[position] === 0;
  if (isEmpty) reader.position = position + 1;
  const properties = isEmpty ? undefined : readProperties<PublishProperties>(reader, "publish");
  if (topic === "" && properties?.topicAlias === undefined) {
    throw protocolError("an empty topic name without a topic alias", "MQTT 5 §3.3.2.1");
  }
  if (isToServer && properties?.subscriptionIdentifiers !== undefined) {
    throw protocolError("a client sent a subscription identifier with PUBLISH", "MQTT-3.3.4-6");
  }
  return properties;
}

/** Remaining length of a PUBLISH; checks every field. */
export function publishLength(packet: PublishPacket, version: MqttVersion, topics?: EncodedTopics): number {
  const { qos, packetId } = packet;
  const length = messageLength(packet.topic, packet.payload, packet.properties, version, topics);
  if (qos === 0) {
    // [MQTT-3.3.1-2] [MQTT-2.2.1-2]
    if (packet.isDuplicate) throw unencodable("a QoS 0 PUBLISH never carries DUP", { field: "isDuplicate" });
    if (packetId !== undefined) throw unencodable("a QoS 0 PUBLISH has no packetId", { field: "packetId" });
    return length;
  }
  checkInteger(qos, 0, 2, "qos");
  checkPacketId(packetId);
  return length + 2;
}

/** Topic, properties and payload: what all receivers of a message share. */
export function messageLength(
  topic: string,
  payload: Uint8Array,
  properties: PublishProperties | undefined,
  version: MqttVersion,
  topics?: EncodedTopics,
): number {
  if (!isBytes(payload)) throw unencodable("payload is no Uint8Array", { field: "payload" });
  const isAliasAlone = topic === "" && version === 5 && properties?.topicAlias !== undefined;
  const topicBytes = isAliasAlone ? 2 : topics === undefined ? topicLength(topic) : topics.bytesOf(topic).length;
  const length = topicBytes + payload.length;
  if (version === 4) return length;
  if (properties === undefined) return length + 1;
  const bytes = propertiesLength(properties, "publish");
  return length + varintLength(bytes) + bytes;
}

/** Writes everything before the payload, from the topic on. */
export function writePublishHead(
  target: Uint8Array,
  offset: number,
  topic: string,
  packetId: number,
  properties: PublishProperties | undefined,
  version: MqttVersion,
  topics?: EncodedTopics,
): number {
  if (topics === undefined || topic === "") offset = writeString(target, offset, topic);
  else offset = writeShort(target, offset, topics.bytesOf(topic));
  if (packetId !== 0) offset = writeUint16(target, offset, packetId);
  if (version === 4) return offset;
  if (properties === undefined) {
    target[offset] = 0;
    return offset + 1;
  }
  return writeProperties(target, offset, properties, "publish", propertiesLength(properties, "publish"));
}

/** For a few bytes a loop beats the call into the runtime. */
function writeShort(target: Uint8Array, offset: number, bytes: Uint8Array): number {
  const { length } = bytes;
  if (length > 64) target.set(bytes, offset);
  else for (let at = 0; at < length; at++) target[offset + at] = bytes[at]!;
  return offset + length;
}

export function writePublish(
  target: Uint8Array,
  offset: number,
  packet: PublishPacket,
  version: MqttVersion,
  topics?: EncodedTopics,
): number {
  const { payload } = packet;
  offset = writePublishHead(target, offset, packet.topic, packet.packetId ?? 0, packet.properties, version, topics);
  // An empty one may be a payload whose memory was given away, which `set` refuses: too late, the packet has its room.
  if (payload.length > 0) target.set(payload, offset);
  return offset + payload.length;
}

/** Bytes of a whole PUBLISH. `headBytes`: what comes before the payload, without the fixed header. */
export function publishBytes(headBytes: number, payload: Uint8Array): number {
  const remaining = headBytes + payload.length;
  return 1 + varintLength(remaining) + remaining;
}

/**
 * Writes a PUBLISH that was measured and checked before, without doing either again: for senders that have kept `headBytes`, see
 * {@link publishBytes}. Only for packets without properties, which their owner might have changed in the meantime.
 *
 * @returns the offset after it
 */
export function writeMeasuredPublish(
  target: Uint8Array,
  offset: number,
  packet: PublishPacket,
  headBytes: number,
  version: MqttVersion,
): number {
  target[offset] = 0x30 | publishFlags(packet.qos, packet.isRetained, packet.isDuplicate);
  offset = writeVarint(target, offset + 1, headBytes + packet.payload.length);
  return writePublish(target, offset, packet, version);
}
