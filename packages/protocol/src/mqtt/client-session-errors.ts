import { type ErrorCode, ThinglineError } from "../errors.js";
import type { OutboundPublish } from "./client-session-inflight.js";
import { describeConnackCode, describeReasonCode, hexCode } from "./client-session-reasons.js";
import type { ConnectionTerms } from "./client-session-types.js";
import type { ConnackPacket, DisconnectPacket, MqttVersion, PublishAckPacket } from "./packets.js";

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

/** Of a SUBSCRIBE or UNSUBSCRIBE. The reason that ended the connection, with its details, is the reason of this, too. */
export function unanswered(cause: ThinglineError | undefined): ThinglineError {
  if (cause === undefined) return lost("the connection ended before the server answered");
  const message = `the connection ended before the server answered: ${cause.message}`;
  return new ThinglineError("CONNECTION_LOST", message, { details: cause.details, cause });
}

/** A server may say 64 KB about its reasons. */
const saidCharsMax = 300;

/**
 * What a server says about a reason code of 0x80 or above, in words: the code's meaning and the code, its Reason String and Server
 * Reference.
 */
function said(shown: string, properties: { reasonString?: string; serverReference?: string } | undefined) {
  const { reasonString, serverReference } = properties ?? {};
  const details: Record<string, string> = {};
  let text = shown;
  if (reasonString !== undefined) text += `: ${(details["reasonString"] = shortened(reasonString))}`;
  if (serverReference !== undefined) {
    text += ` (server reference: ${(details["serverReference"] = shortened(serverReference))})`;
  }
  return { text, details };
}

/** Fit for a line of a log, whoever wrote it. */
function shortened(text: string): string {
  const line = text.replace(/[\p{Cc}\u2028\u2029]/gu, " ");
  return line.length > saidCharsMax ? `${line.slice(0, saidCharsMax)}...` : line;
}

/** CONNACK with a code other than 0. `details` hold `reasonCode`, `reason`, and what else the server said. */
export function connackRefusal(packet: ConnackPacket, version: MqttVersion): ThinglineError {
  const code = packet.reasonCode;
  const shown = version === 4 ? `return code ${code}` : `reason code ${hexCode(code)}`;
  const reason = describeConnackCode(version, code);
  const { text, details } = said(`${reason} (${shown})`, packet.properties);
  return new ThinglineError("MQTT_CONNECT_REFUSED", `the server refused the connection: ${text}`, {
    details: { reasonCode: code, reason, ...details },
  });
}

/** DISCONNECT of an MQTT 5 server. `details` as those of {@link connackRefusal}. */
export function disconnectedError({ reasonCode, properties }: DisconnectPacket): ThinglineError {
  const reason = describeReasonCode(reasonCode);
  const { text, details } = said(`${reason} (${hexCode(reasonCode)})`, properties);
  return new ThinglineError("MQTT_DISCONNECTED", `the server disconnected: ${text}`, {
    details: { reasonCode, reason, ...details },
  });
}

/** PUBACK with a reason code of 0x80 or above. */
export function publishRefusal(publish: { topic: string }, packet: PublishAckPacket): ThinglineError {
  const code = packet.reasonCode;
  const reason = describeReasonCode(code);
  const { text, details } = said(`${reason} (${hexCode(code)})`, packet.properties);
  return new ThinglineError("MQTT_PUBLISH_REFUSED", `the server refused the message on "${publish.topic}": ${text}`, {
    details: { topic: publish.topic, reasonCode: code, reason, ...details },
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
  const topicAlias = publish.properties?.topicAlias;
  if (topicAlias !== undefined && topicAlias > (terms.properties?.topicAliasMaximum ?? 0)) {
    const topicAliasMaximum = terms.properties?.topicAliasMaximum ?? 0;
    const message = `topic alias ${topicAlias} cannot be used: the server announced ${topicAliasMaximum} as its topic alias maximum`;
    return new ThinglineError("MQTT_UNSUPPORTED", message, { details: { topicAlias, topicAliasMaximum } });
  }
  const { lengthBytes } = publish;
  return lengthBytes > terms.maximumPacketBytes ? packetTooLarge(lengthBytes, terms.maximumPacketBytes) : undefined;
}
