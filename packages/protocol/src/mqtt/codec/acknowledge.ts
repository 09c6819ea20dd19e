import type { AckProperties, MqttVersion, PublishAckPacket } from "../packets.js";
import { isReasonCodeOf } from "../reason-codes.js";
import { protocolError, unencodable } from "./faults.js";
import { propertiesLength, readProperties, writeProperties } from "./properties.js";
import type { PacketReader } from "./reader.js";
import { checkInteger, checkPacketId, varintLength, writeUint16 } from "./write.js";

type AckType = PublishAckPacket["type"];

function reasonPacket(type: AckType): "puback" | "pubrel" {
  return type === "puback" || type === "pubrec" ? "puback" : "pubrel";
}

export function readPublishAck(reader: PacketReader, type: AckType, version: MqttVersion): PublishAckPacket {
  const packetId = reader.packetId();
  // MQTT 5 §3.4.2.1: no reason code means success. In 3.1.1 nothing ever follows the identifier.
  if (version === 4 || reader.remaining === 0) {
    reader.finish(type.toUpperCase());
    return { type, packetId, reasonCode: 0 };
  }
  const reasonCode = reader.uint8("the reason code");
  if (!isReasonCodeOf(reasonPacket(type), reasonCode)) {
    throw protocolError(`${type.toUpperCase()} has no reason code ${reasonCode}`, "MQTT-3.4.2-1 to MQTT-3.7.2-1");
  }
  // MQTT 5 §3.4.2.2.1: below a remaining length of 4 there is no property length.
  const properties = reader.remaining === 0 ? undefined : readProperties<AckProperties>(reader, "puback");
  reader.finish(type.toUpperCase());
  return properties === undefined ? { type, packetId, reasonCode } : { type, packetId, reasonCode, properties };
}

/** Remaining length in the shortest form. */
export function publishAckLength(packet: PublishAckPacket, version: MqttVersion): number {
  const { type, packetId, reasonCode, properties } = packet;
  checkPacketId(packetId);
  if (reasonCode === 0 && properties === undefined) return 2;
  checkInteger(reasonCode, 0, 255, "reasonCode");
  if (!isReasonCodeOf(reasonPacket(type), reasonCode)) {
    throw unencodable(`${type} has no reason code ${reasonCode}`, { field: "reasonCode" });
  }
  if (version === 4) {
    // A refusal would reach the peer as a success.
    if (reasonCode >= 0x80) throw unencodable(`MQTT 3.1.1 has no refusing ${type}`, { field: "reasonCode" });
    return 2;
  }
  const length = propertiesLength(properties, "puback");
  if (length === 0) return reasonCode === 0 ? 2 : 3;
  return 3 + varintLength(length) + length;
}

export function writePublishAck(
  target: Uint8Array,
  offset: number,
  packet: PublishAckPacket,
  version: MqttVersion,
): number {
  const { packetId, reasonCode, properties } = packet;
  offset = writeUint16(target, offset, packetId);
  if (version === 4 || (reasonCode === 0 && properties === undefined)) return offset;
  const length = propertiesLength(properties, "puback");
  if (length === 0 && reasonCode === 0) return offset;
  target[offset++] = reasonCode;
  return length === 0 ? offset : writeProperties(target, offset, properties, "puback", length);
}

/** Length of a PUBACK that accepts, in both versions. */
export const pubackBytes = 4;

/**
 * Writes a PUBACK that accepts, without a packet object: a broker sends one for each message. The target has room for
 * {@link pubackBytes} at the offset, and the packet identifier came from a decoder.
 */
export function encodePuback(packetId: number, target: Uint8Array, offset: number): void {
  target[offset] = 0x40;
  target[offset + 1] = 2;
  writeUint16(target, offset + 2, packetId);
}
