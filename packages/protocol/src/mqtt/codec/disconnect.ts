import type { AuthPacket, DisconnectPacket, DisconnectProperties, MqttVersion } from "../packets.js";
import { isReasonCodeOf } from "../reason-codes.js";
import { protocolError, unencodable } from "./faults.js";
import { propertiesLength, readProperties, writeProperties } from "./properties.js";
import type { PacketReader } from "./reader.js";
import { checkInteger, varintLength } from "./write.js";

type AuthProperties = NonNullable<AuthPacket["properties"]>;

export function readDisconnect(reader: PacketReader, version: MqttVersion, isToServer: boolean): DisconnectPacket {
  // MQTT 5 §3.14.2.1: nothing at all means a normal disconnection.
  if (version === 4 || reader.remaining === 0) {
    reader.finish("DISCONNECT");
    return { type: "disconnect", reasonCode: 0 };
  }
  const reasonCode = reader.uint8("the reason code");
  if (!isReasonCodeOf("disconnect", reasonCode)) {
    throw protocolError(`DISCONNECT has no reason code ${reasonCode}`, "MQTT-3.14.2-1");
  }
  const properties = reader.remaining === 0 ? undefined : readProperties<DisconnectProperties>(reader, "disconnect");
  if (!isToServer && properties?.sessionExpirySeconds !== undefined) {
    throw protocolError("a server sent a session expiry with DISCONNECT", "MQTT-3.14.2-2");
  }
  reader.finish("DISCONNECT");
  return properties === undefined ? { type: "disconnect", reasonCode } : { type: "disconnect", reasonCode, properties };
}

export function readAuth(reader: PacketReader): AuthPacket {
  // MQTT 5 §3.15.2.1
  if (reader.remaining === 0) return { type: "auth", reasonCode: 0 };
  const reasonCode = reader.uint8("the reason code");
  if (!isReasonCodeOf("auth", reasonCode)) {
    throw protocolError(`AUTH has no reason code ${reasonCode}`, "MQTT-3.15.2-1");
  }
  const properties = reader.remaining === 0 ? undefined : readProperties<AuthProperties>(reader, "auth");
  if (properties?.authenticationMethod === undefined) {
    throw protocolError("AUTH without an authentication method", "MQTT 5 §3.15.2.2.2");
  }
  reader.finish("AUTH");
  return { type: "auth", reasonCode, properties };
}

/** Remaining length in the shortest form. */
export function endingLength(packet: DisconnectPacket | AuthPacket, version: MqttVersion): number {
  const { type, reasonCode, properties } = packet;
  if (version === 4) {
    if (type === "auth") throw unencodable("MQTT 3.1.1 has no AUTH", { field: "type" });
    // Sent as an ordinary DISCONNECT it would mean something else, and drop the will.
    if (reasonCode !== 0) throw unencodable("MQTT 3.1.1 has no reason code in DISCONNECT", { field: "reasonCode" });
    return 0;
  }
  checkInteger(reasonCode, 0, 255, "reasonCode");
  if (!isReasonCodeOf(type, reasonCode)) {
    throw unencodable(`${type} has no reason code ${reasonCode}`, { field: "reasonCode" });
  }
  const length = propertiesLength(properties, type);
  if (length === 0) {
    if (type === "auth" && reasonCode !== 0) {
      throw unencodable("AUTH needs an authentication method", { field: "properties" });
    }
    return reasonCode === 0 ? 0 : 1;
  }
  return 1 + varintLength(length) + length;
}

export function writeEnding(
  target: Uint8Array,
  offset: number,
  packet: DisconnectPacket | AuthPacket,
  version: MqttVersion,
): number {
  if (version === 4) return offset;
  const { type, reasonCode, properties } = packet;
  const length = propertiesLength(properties, type);
  if (length === 0 && reasonCode === 0) return offset;
  target[offset++] = reasonCode;
  return length === 0 ? offset : writeProperties(target, offset, properties, type, length);
}
