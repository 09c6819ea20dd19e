import { ThinglineError } from "../../errors.js";
import type { MqttPacket, MqttVersion, PublishPacket } from "../packets.js";
import { publishAckLength, writePublishAck } from "./acknowledge.js";
import { connackLength, connectLength, writeConnack, writeConnect } from "./connect.js";
import type { EncodedTopics } from "./encoded-topics.js";
import { endingLength, writeEnding } from "./disconnect.js";
import { publishFlags, publishLength, writePublish } from "./publish.js";
import {
  subackLength,
  subscribeLength,
  unsubackLength,
  unsubscribeLength,
  writeSuback,
  writeSubscribe,
  writeUnsuback,
  writeUnsubscribe,
} from "./subscribe.js";
import { varintLength, varintMax, writeVarint } from "./write.js";

/**
 * Bytes of the whole packet in the given version. Every field is checked, so a packet that has a length can be written.
 *
 * MQTT 3.1.1 has less room for meaning. `properties` are left out, as a server must when it hands an MQTT 5 message to
 * a 3.1.1 client; so are reason codes below 0x80 of acknowledgements and those of UNSUBACK, and every refusal in a
 * SUBACK becomes 0x80. What would change meaning is refused: subscription options other than the QoS, an
 * acknowledgement that refuses, DISCONNECT with a reason, AUTH.
 *
 * @param topics Topics that this sender has used, so that they are not checked and encoded again.
 * @throws {ThinglineError} `MQTT_PACKET_INVALID`, `TOPIC_NAME_INVALID`, `TOPIC_FILTER_INVALID`, `MQTT_PACKET_TOO_LARGE`.
 */
export function packetLength(packet: MqttPacket, version: MqttVersion, topics?: EncodedTopics): number {
  const remaining = remainingLength(packet, version, topics);
  return 1 + varintLength(remaining) + remaining;
}

/**
 * Writes a packet at `offset` of `target` and returns the offset after it. Nothing is written when it throws.
 *
 * @throws {ThinglineError} as {@link packetLength}; `OPTION_INVALID` when `target` has not enough room.
 */
export function encodePacket(
  packet: MqttPacket,
  version: MqttVersion,
  target: Uint8Array,
  offset = 0,
  topics?: EncodedTopics,
): number {
  const remaining = remainingLength(packet, version, topics);
  const end = offset + 1 + varintLength(remaining) + remaining;
  checkRoom(target, end);
  target[offset] = fixedHeader(packet);
  offset = writeVarint(target, offset + 1, remaining);
  if (packet.type === "publish") return writePublish(target, offset, packet, version, topics);
  return writeBody(target, offset, packet, version);
}

/** Encodes into an array of its own. For hot paths see {@link encodePacket}. */
export function encodeToBytes(packet: MqttPacket, version: MqttVersion): Uint8Array {
  const bytes = new Uint8Array(packetLength(packet, version));
  encodePacket(packet, version, bytes, 0);
  return bytes;
}

/** @throws {ThinglineError} `OPTION_INVALID` */
export function checkRoom(target: Uint8Array, end: number): void {
  if (end <= target.length) return;
  const message = `the packet ends at ${end}, the target has ${target.length} bytes`;
  throw new ThinglineError("OPTION_INVALID", message, { details: { option: "target" } });
}

/** @throws {ThinglineError} `MQTT_PACKET_TOO_LARGE` */
export function checkRemainingLength(remaining: number): void {
  if (remaining <= varintMax) return;
  const message = `a remaining length of ${remaining} bytes, MQTT has room for ${varintMax}`;
  throw new ThinglineError("MQTT_PACKET_TOO_LARGE", message, { details: { remainingBytes: remaining } });
}

function remainingLength(packet: MqttPacket, version: MqttVersion, topics: EncodedTopics | undefined): number {
  const remaining =
    packet.type === "publish" ? publishLength(packet, version, topics) : uncheckedLength(packet, version);
  if (remaining > varintMax) checkRemainingLength(remaining);
  return remaining;
}

function uncheckedLength(packet: Exclude<MqttPacket, PublishPacket>, version: MqttVersion): number {
  switch (packet.type) {
    case "puback":
    case "pubrec":
    case "pubrel":
    case "pubcomp":
      return publishAckLength(packet, version);
    case "pingreq":
    case "pingresp":
      return 0;
    case "subscribe":
      return subscribeLength(packet, version);
    case "suback":
      return subackLength(packet, version);
    case "unsubscribe":
      return unsubscribeLength(packet, version);
    case "unsuback":
      return unsubackLength(packet, version);
    case "connect":
      return connectLength(packet, version);
    case "connack":
      return connackLength(packet, version);
    case "disconnect":
    case "auth":
      return endingLength(packet, version);
  }
}

function fixedHeader(packet: MqttPacket): number {
  switch (packet.type) {
    case "connect":
      return 0x10;
    case "connack":
      return 0x20;
    case "publish":
      return 0x30 | publishFlags(packet.qos, packet.isRetained, packet.isDuplicate);
    case "puback":
      return 0x40;
    case "pubrec":
      return 0x50;
    case "pubrel":
      return 0x62;
    case "pubcomp":
      return 0x70;
    case "subscribe":
      return 0x82;
    case "suback":
      return 0x90;
    case "unsubscribe":
      return 0xa2;
    case "unsuback":
      return 0xb0;
    case "pingreq":
      return 0xc0;
    case "pingresp":
      return 0xd0;
    case "disconnect":
      return 0xe0;
    case "auth":
      return 0xf0;
  }
}

function writeBody(
  target: Uint8Array,
  offset: number,
  packet: Exclude<MqttPacket, PublishPacket>,
  version: MqttVersion,
): number {
  switch (packet.type) {
    case "puback":
    case "pubrec":
    case "pubrel":
    case "pubcomp":
      return writePublishAck(target, offset, packet, version);
    case "pingreq":
    case "pingresp":
      return offset;
    case "subscribe":
      return writeSubscribe(target, offset, packet, version);
    case "suback":
      return writeSuback(target, offset, packet, version);
    case "unsubscribe":
      return writeUnsubscribe(target, offset, packet, version);
    case "unsuback":
      return writeUnsuback(target, offset, packet, version);
    case "connect":
      return writeConnect(target, offset, packet);
    case "connack":
      return writeConnack(target, offset, packet, version);
    case "disconnect":
    case "auth":
      return writeEnding(target, offset, packet, version);
  }
}
