import { type ErrorCode, ThinglineError } from "../errors.js";
import type { OutboundPublish } from "./client-session-inflight.js";
import { describeConnackCode, describeReasonCode, hexCode } from "./client-session-reasons.js";
import type { ConnectionTerms } from "./client-session-types.js";
import type { ConnackPacket, MqttVersion, PublishAckPacket } from "./packets.js";

/** The reason code of DISCONNECT with which an MQTT 5 server learns why the client ends the connection. */
export const disconnectCodes: Readonly<Partial<Record<ErrorCode, number>>> = {
  LIMIT_EXCEEDED: 0x97,
  MQTT_MALFORMED_PACKET: 0x81,
  MQTT_PACKET_TOO_LARGE: 0x95,
  MQTT_PROTOCOL_ERROR: 0x82,
};

export function lost(message: string): ThinglineError {
  return new ThinglineError("CONNECTION_LOST", message);
}

/** CONNACK with a code other than 0. `details.reasonCode` is the code. */
export function connackRefusal(packet: ConnackPacket, version: MqttVersion): ThinglineError {
  const code = packet.reasonCode;
  const shown = version === 4 ? `return code ${code}` : `reason code ${hexCode(code)}`;
  const reason = packet.properties?.reasonString;
  const message = `the server refused the connection: ${describeConnackCode(version, code)} (${shown})`;
  return new ThinglineError("MQTT_CONNECT_REFUSED", reason === undefined ? message : `${message}: ${reason}`, {
    details: { reasonCode: code },
  });
}

/** PUBACK with a reason code of 0x80 or above. */
export function publishRefusal(publish: { topic: string }, packet: PublishAckPacket): ThinglineError {
  const code = packet.reasonCode;
  const reason = packet.properties?.reasonString;
  const message = `the server refused the message on "${publish.topic}": ${describeReasonCode(code)} (${hexCode(code)})`;
  return new ThinglineError("MQTT_PUBLISH_REFUSED", reason === undefined ? message : `${message}: ${reason}`, {
    details: { topic: publish.topic, reasonCode: code },
  });
}

export function packetTooLarge(lengthBytes: number, maximumPacketBytes: number): ThinglineError {
  const message = `the packet has ${lengthBytes} bytes, the server takes at most ${maximumPacketBytes}`;
  return new ThinglineError("MQTT_PACKET_TOO_LARGE", message, { details: { lengthBytes, maximumPacketBytes } });
}

/** Why the server of this connection would not take the message, by its CONNACK. */
export function termsError<Owner>(publish: OutboundPublish<Owner>, terms: ConnectionTerms): ThinglineError | undefined {
  if (publish.qos > terms.maximumQos) {
    return new ThinglineError("MQTT_UNSUPPORTED", "the server announced that it takes QoS 0 only");
  }
  if (publish.isRetained && !terms.isRetainAvailable) {
    return new ThinglineError("MQTT_UNSUPPORTED", "the server announced that it has no retained messages");
  }
  const { lengthBytes } = publish;
  return lengthBytes > terms.maximumPacketBytes ? packetTooLarge(lengthBytes, terms.maximumPacketBytes) : undefined;
}
