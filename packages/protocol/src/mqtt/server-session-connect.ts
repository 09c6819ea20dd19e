import { utf8Length } from "./codec/utf8.js";
import type { ConnackProperties, ConnectPacket } from "./packets.js";
import { connectReturnCodes, reasonCodes } from "./reason-codes.js";
import { effectiveKeepAliveSeconds } from "./server-session-keep-alive.js";

/** What the server allows in a CONNECT. */
export interface ServerConnectLimits {
  clientIdBytesMax: number;
  keepAliveSecondsMin: number;
  keepAliveSecondsMax: number;
  sessionExpirySecondsMax: number;
  inboundInflightMax: number;
  outboundInflightMax: number;
  packetBytesMax: number;
  clientPacketBytesMin: number;
  topicAliasMax: number;
}

/** What both sides go by after a CONNECT, before anybody was asked whether the client may. */
export interface ConnectTerms {
  /** Empty when the server has to assign one. */
  clientId: string;
  keepAliveSeconds: number;
  /** 0: the session ends with the connection. */
  sessionExpirySeconds: number;
  /** At most so many PUBLISH QoS 1 in flight to the client. */
  outboundWindowMax: number;
  /** The largest packet the client takes. */
  clientPacketBytesMax: number;
}

/** `returnCode` undefined: the connection is closed without CONNACK. */
export interface ConnectRefusal {
  returnCode: number | undefined;
  /** For people and, in MQTT 5, the Reason String. */
  reason: string;
}

export type ConnectNegotiation = { terms: ConnectTerms } | { refusal: ConnectRefusal };

/** Checks a CONNECT against the limits and settles the terms. Pure: whether the client may is a policy's matter. */
export function negotiateConnect(packet: ConnectPacket, limits: ServerConnectLimits): ConnectNegotiation {
  const refusal = refuse(packet, limits);
  if (refusal !== undefined) return { refusal };
  const { version, properties = {} } = packet;
  const requestedExpirySeconds =
    version === 5 ? (properties.sessionExpirySeconds ?? 0) : packet.isCleanStart ? 0 : limits.sessionExpirySecondsMax;
  return {
    terms: {
      clientId: packet.clientId,
      keepAliveSeconds: effectiveKeepAliveSeconds(packet.keepAliveSeconds, {
        minSeconds: limits.keepAliveSecondsMin,
        maxSeconds: limits.keepAliveSecondsMax,
      }),
      sessionExpirySeconds: Math.min(requestedExpirySeconds, limits.sessionExpirySecondsMax),
      outboundWindowMax: Math.min(properties.receiveMaximum ?? 65_535, limits.outboundInflightMax),
      clientPacketBytesMax: properties.maximumPacketBytes ?? Infinity,
    },
  };
}

function refuse(packet: ConnectPacket, limits: ServerConnectLimits): ConnectRefusal | undefined {
  const { version, clientId, isCleanStart, will, properties } = packet;
  const is5 = version === 5;
  const badClientId = is5 ? reasonCodes.clientIdentifierNotValid : connectReturnCodes.identifierRejected;
  const clientIdBytes = utf8Length(clientId);
  if (clientIdBytes > limits.clientIdBytesMax) {
    const reason = `the client id has ${clientIdBytes} bytes, at most ${limits.clientIdBytesMax} are allowed`;
    return { returnCode: badClientId, reason };
  }
  // AWS assigns "$GEN/<uuid>" and refuses a client that presents such an id itself.
  if (clientId.startsWith("$")) return { returnCode: badClientId, reason: "a client id must not begin with $" };
  if (!is5 && clientId === "" && !isCleanStart) {
    return { returnCode: badClientId, reason: "an empty client id needs Clean Session 1 [MQTT-3.1.3-8]" };
  }
  if (will?.qos === 2) {
    return { returnCode: is5 ? reasonCodes.qosNotSupported : undefined, reason: "a will of QoS 2 is not supported" };
  }
  if (properties?.authenticationMethod !== undefined) {
    return { returnCode: reasonCodes.badAuthenticationMethod, reason: "enhanced authentication is not supported" };
  }
  const clientPacketBytesMax = properties?.maximumPacketBytes;
  if (clientPacketBytesMax !== undefined && clientPacketBytesMax < limits.clientPacketBytesMin) {
    const reason = `Maximum Packet Size ${clientPacketBytesMax} is below ${limits.clientPacketBytesMin}`;
    return { returnCode: reasonCodes.unspecifiedError, reason };
  }
  return undefined;
}

/**
 * CONNACK properties of a success, as AWS IoT Core announces them; Server Keep Alive and Session Expiry Interval are
 * told even when they are what was asked for.
 */
export function connackProperties(
  terms: ConnectTerms,
  limits: ServerConnectLimits,
  assignedClientId: string | undefined,
): ConnackProperties {
  return {
    sessionExpirySeconds: terms.sessionExpirySeconds,
    receiveMaximum: Math.min(limits.inboundInflightMax, 65_535),
    maximumQos: 1,
    retainAvailable: 1,
    maximumPacketBytes: limits.packetBytesMax,
    ...(assignedClientId === undefined ? {} : { assignedClientId }),
    topicAliasMaximum: limits.topicAliasMax,
    wildcardSubscriptionAvailable: 1,
    subscriptionIdentifiersAvailable: 0,
    sharedSubscriptionAvailable: 1,
    serverKeepAliveSeconds: terms.keepAliveSeconds,
  };
}
