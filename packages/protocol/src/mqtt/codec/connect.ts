import type {
  ConnackPacket,
  ConnackProperties,
  ConnectPacket,
  ConnectProperties,
  MqttVersion,
  QoS,
  Will,
  WillProperties,
} from "../packets.js";
import { isReasonCodeOf, reasonCodes } from "../reason-codes.js";
import { ThinglineError } from "../../errors.js";
import { checkTopicName, hasWildcard } from "../topic.js";
import { malformed, protocolError, unencodable } from "./faults.js";
import { propertiesLength, readProperties, writeProperties } from "./properties.js";
import type { PacketReader } from "./reader.js";
import {
  binaryLength,
  checkInteger,
  stringLength,
  varintLength,
  writeBinary,
  writeString,
  writeUint16,
} from "./write.js";

const cleanStartFlag = 0x02;
const willFlag = 0x04;
const willRetainFlag = 0x20;
const passwordFlag = 0x40;
const usernameFlag = 0x80;

/** The protocol name and level, read before all else because they decide how to read the rest. */
export function readProtocolVersion(reader: PacketReader): MqttVersion {
  const name = reader.string("the protocol name");
  const level = reader.uint8("the protocol level");
  if (name === "MQTT" && (level === 4 || level === 5)) return level;
  // MQTT 3.1 called itself MQIsdp, level 3. Bridges of Mosquitto set the level's top bit.
  if (name === "MQTT" || name === "MQIsdp") {
    const message = `protocol "${name}" level ${level} is neither MQTT 3.1.1 (4) nor MQTT 5 (5) [MQTT-3.1.2-2]`;
    const details = { reasonCode: reasonCodes.unsupportedProtocolVersion, protocolLevel: level };
    throw new ThinglineError("MQTT_VERSION_UNSUPPORTED", message, { details });
  }
  throw protocolError(`the protocol name is not "MQTT"`, "MQTT-3.1.2-1", reasonCodes.unsupportedProtocolVersion);
}

/** What follows the protocol level. */
export function readConnect(reader: PacketReader, version: MqttVersion): ConnectPacket {
  const flags = reader.uint8("the connect flags");
  checkConnectFlags(flags, version);
  const keepAliveSeconds = reader.uint16("the keep alive");
  const properties = version === 5 ? readProperties<ConnectProperties>(reader, "connect") : undefined;
  const packet: ConnectPacket = {
    type: "connect",
    version,
    clientId: reader.string("the client ID"),
    isCleanStart: (flags & cleanStartFlag) !== 0,
    keepAliveSeconds,
  };
  if ((flags & willFlag) !== 0) packet.will = readWill(reader, version, flags);
  if ((flags & usernameFlag) !== 0) packet.username = reader.string("the user name");
  if ((flags & passwordFlag) !== 0) packet.password = reader.binary("the password");
  if (properties !== undefined) packet.properties = properties;
  reader.finish("CONNECT");
  return packet;
}

function checkConnectFlags(flags: number, version: MqttVersion): void {
  if ((flags & 0x01) !== 0) throw malformed("the reserved connect flag is set", "MQTT-3.1.2-3");
  if ((flags & willFlag) === 0) {
    if ((flags & 0x18) !== 0) throw malformed("will QoS without a will", "MQTT-3.1.2-11, 3.1.1 MQTT-3.1.2-13");
    if ((flags & willRetainFlag) !== 0) throw malformed("will retain without a will", "MQTT-3.1.2-13");
  } else if ((flags & 0x18) === 0x18) throw malformed("the will QoS is 3", "MQTT-3.1.2-12, 3.1.1 MQTT-3.1.2-14");
  // MQTT 5 §3.1.2.9 took this rule away.
  if (version === 4 && (flags & (usernameFlag | passwordFlag)) === passwordFlag) {
    throw malformed("a password without a user name", "3.1.1 MQTT-3.1.2-22");
  }
}

function readWill(reader: PacketReader, version: MqttVersion, flags: number): Will {
  const properties = version === 5 ? readProperties<WillProperties>(reader, "will") : undefined;
  const topic = reader.string("the will topic");
  if (topic === "") throw protocolError("the will topic is empty", "MQTT-4.7.3-1", reasonCodes.topicNameInvalid);
  if (hasWildcard(topic)) {
    throw protocolError("the will topic holds a wildcard", "MQTT-4.7.1-1", reasonCodes.topicNameInvalid);
  }
  const will: Will = {
    topic,
    payload: reader.binary("the will payload"),
    qos: ((flags >> 3) & 3) as QoS,
    isRetained: (flags & willRetainFlag) !== 0,
  };
  if (properties !== undefined) will.properties = properties;
  return will;
}

/** Remaining length of a CONNECT; checks every field. */
export function connectLength(packet: ConnectPacket, agreed: MqttVersion): number {
  const { version, will, username, password } = packet;
  if (version !== agreed)
    throw unencodable(`CONNECT of version ${version} on a link of ${agreed}`, { field: "version" });
  checkInteger(packet.keepAliveSeconds, 0, 65_535, "keepAliveSeconds");
  let length = 10 + stringLength(packet.clientId, "clientId");
  if (version === 5) {
    const properties = propertiesLength(packet.properties, "connect");
    length += varintLength(properties) + properties;
  }
  if (will !== undefined) {
    checkTopicName(will.topic);
    checkInteger(will.qos, 0, 2, "will.qos");
    length += stringLength(will.topic, "will.topic") + binaryLength(will.payload, "will.payload");
    if (version === 5) {
      const properties = propertiesLength(will.properties, "will");
      length += varintLength(properties) + properties;
    }
  }
  if (username !== undefined) length += stringLength(username, "username");
  if (password !== undefined) {
    length += binaryLength(password, "password");
    // [3.1.1 MQTT-3.1.2-22]
    if (version === 4 && username === undefined) throw unencodable("MQTT 3.1.1 has no password without a username");
  }
  return length;
}

export function writeConnect(target: Uint8Array, offset: number, packet: ConnectPacket): number {
  const { version, will, username, password } = packet;
  offset = writeString(target, offset, "MQTT");
  target[offset++] = version;
  target[offset++] =
    (packet.isCleanStart ? cleanStartFlag : 0) |
    (will === undefined ? 0 : willFlag | (will.qos << 3) | (will.isRetained ? willRetainFlag : 0)) |
    (username === undefined ? 0 : usernameFlag) |
    (password === undefined ? 0 : passwordFlag);
  offset = writeUint16(target, offset, packet.keepAliveSeconds);
  if (version === 5) {
    const length = propertiesLength(packet.properties, "connect");
    offset = writeProperties(target, offset, packet.properties, "connect", length);
  }
  offset = writeString(target, offset, packet.clientId);
  if (will !== undefined) {
    if (version === 5) {
      const length = propertiesLength(will.properties, "will");
      offset = writeProperties(target, offset, will.properties, "will", length);
    }
    offset = writeString(target, offset, will.topic);
    offset = writeBinary(target, offset, will.payload);
  }
  if (username !== undefined) offset = writeString(target, offset, username);
  if (password !== undefined) offset = writeBinary(target, offset, password);
  return offset;
}

export function readConnack(reader: PacketReader, version: MqttVersion): ConnackPacket {
  const flags = reader.uint8("the acknowledge flags");
  if (flags > 1) throw malformed("a reserved acknowledge flag is set", "MQTT-3.2.2-1");
  const reasonCode = reader.uint8("the reason code");
  // A reserved return code of 3.1.1 is kept: it refuses all the same, and the caller learns which one it was.
  if (version === 5 && !isReasonCodeOf("connack", reasonCode)) {
    throw protocolError(`CONNACK has no reason code ${reasonCode}`, "MQTT-3.2.2-8");
  }
  if (flags === 1 && reasonCode !== 0) {
    throw protocolError("a refusing CONNACK says that a session is present", "MQTT-3.2.2-6, 3.1.1 MQTT-3.2.2-4");
  }
  const packet: ConnackPacket = { type: "connack", isSessionPresent: flags === 1, reasonCode };
  if (version === 5) {
    const properties = readProperties<ConnackProperties>(reader, "connack");
    if (properties !== undefined) packet.properties = properties;
  }
  reader.finish("CONNACK");
  return packet;
}

export function connackLength(packet: ConnackPacket, version: MqttVersion): number {
  if (packet.isSessionPresent && packet.reasonCode !== 0) {
    throw unencodable("a refusing CONNACK has no session present", { field: "isSessionPresent" });
  }
  if (version === 4) {
    checkInteger(packet.reasonCode, 0, 5, "reasonCode");
    return 2;
  }
  checkInteger(packet.reasonCode, 0, 255, "reasonCode");
  if (!isReasonCodeOf("connack", packet.reasonCode)) {
    throw unencodable(`CONNACK has no reason code ${packet.reasonCode}`, { field: "reasonCode" });
  }
  const properties = propertiesLength(packet.properties, "connack");
  return 2 + varintLength(properties) + properties;
}

export function writeConnack(target: Uint8Array, offset: number, packet: ConnackPacket, version: MqttVersion): number {
  target[offset++] = packet.isSessionPresent ? 1 : 0;
  target[offset++] = packet.reasonCode;
  if (version === 4) return offset;
  const length = propertiesLength(packet.properties, "connack");
  return writeProperties(target, offset, packet.properties, "connack", length);
}
