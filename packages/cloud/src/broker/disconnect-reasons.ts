import { reasonCodes } from "@thingline/protocol/mqtt";

interface DisconnectRule {
  /** Of the DISCONNECT that an MQTT 5 client gets; undefined: none is sent. */
  reasonCode: number | undefined;
  sendsWill: boolean;
  /** As AWS's event of the end of a connection names it; those that never concern a connected client have a name all the same. */
  awsReason: string;
  /** The client said that it would go. */
  isByClient: boolean;
}

const rule = (
  reasonCode: number | undefined,
  sendsWill: boolean,
  awsReason: string,
  isByClient = false,
): DisconnectRule => ({ reasonCode, sendsWill, awsReason, isByClient });

/**
 * Why a connection ended: the words of AWS IoT Core's lifecycle events, and some that only the log sees.
 * @see AWS IoT developer guide, "Lifecycle events", disconnectReason
 */
export const disconnectReasons = {
  AUTH_ERROR: rule(reasonCodes.notAuthorized, true, "AUTH_ERROR"),
  CLIENT_INITIATED_DISCONNECT: rule(undefined, false, "CLIENT_INITIATED_DISCONNECT", true),
  /** MQTT 5 DISCONNECT 0x04 and above. [MQTT-3.14.4-3] only discards the will for 0x00. */
  CLIENT_DISCONNECT_WITH_WILL: rule(undefined, true, "CLIENT_INITIATED_DISCONNECT", true),
  CLIENT_ERROR: rule(reasonCodes.protocolError, true, "CLIENT_ERROR"),
  /** The time that an authorizer gave it is over. */
  CUSTOMAUTH_TTL_EXPIRATION: rule(reasonCodes.maximumConnectTime, true, "CUSTOMAUTH_TTL_EXPIRATION"),
  CONNECTION_LOST: rule(undefined, true, "CONNECTION_LOST"),
  CONNECT_TIMEOUT: rule(undefined, false, "CLIENT_ERROR"),
  /** It made room for another that had not said CONNECT either. */
  UNCONNECTED_LIMIT: rule(undefined, false, "THROTTLED"),
  CONNECT_REFUSED: rule(undefined, false, "CLIENT_ERROR"),
  DUPLICATE_CLIENTID: rule(reasonCodes.sessionTakenOver, true, "DUPLICATE_CLIENTID"),
  FORBIDDEN_ACCESS: rule(reasonCodes.notAuthorized, true, "FORBIDDEN_ACCESS"),
  MQTT_KEEP_ALIVE_TIMEOUT: rule(reasonCodes.keepAliveTimeout, true, "MQTT_KEEP_ALIVE_TIMEOUT"),
  SERVER_ERROR: rule(reasonCodes.unspecifiedError, true, "SERVER_ERROR"),
  SERVER_INITIATED_DISCONNECT: rule(reasonCodes.serverShuttingDown, true, "SERVER_INITIATED_DISCONNECT"),
  API_INITIATED_DISCONNECT: rule(reasonCodes.administrativeAction, true, "API_INITIATED_DISCONNECT"),
  /** AWS's documents do not list a reason code for it; MQTT 5 has one of that meaning. */
  WEBSOCKET_TTL_EXPIRATION: rule(reasonCodes.maximumConnectTime, true, "WEBSOCKET_TTL_EXPIRATION"),
  SLOW_CONSUMER: rule(reasonCodes.quotaExceeded, true, "SERVER_INITIATED_DISCONNECT"),
} as const;

export type DisconnectReason = keyof typeof disconnectReasons;
