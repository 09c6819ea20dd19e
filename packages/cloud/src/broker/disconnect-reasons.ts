import { reasonCodes } from "@thingline/protocol/mqtt";

interface DisconnectRule {
  /** Of the DISCONNECT that an MQTT 5 client gets; undefined: none is sent. */
  reasonCode: number | undefined;
  sendsWill: boolean;
}

/**
 * Why a connection ended: the words of AWS IoT Core's lifecycle events, and some that only the log sees.
 * @see AWS IoT developer guide, "Lifecycle events", disconnectReason
 */
export const disconnectReasons = {
  AUTH_ERROR: { reasonCode: reasonCodes.notAuthorized, sendsWill: true },
  CLIENT_INITIATED_DISCONNECT: { reasonCode: undefined, sendsWill: false },
  /** MQTT 5 DISCONNECT 0x04 and above. [MQTT-3.14.4-3] only discards the will for 0x00. */
  CLIENT_DISCONNECT_WITH_WILL: { reasonCode: undefined, sendsWill: true },
  CLIENT_ERROR: { reasonCode: reasonCodes.protocolError, sendsWill: true },
  CONNECTION_LOST: { reasonCode: undefined, sendsWill: true },
  CONNECT_TIMEOUT: { reasonCode: undefined, sendsWill: false },
  /** It made room for another that had not said CONNECT either. */
  UNCONNECTED_LIMIT: { reasonCode: undefined, sendsWill: false },
  CONNECT_REFUSED: { reasonCode: undefined, sendsWill: false },
  DUPLICATE_CLIENTID: { reasonCode: reasonCodes.sessionTakenOver, sendsWill: true },
  FORBIDDEN_ACCESS: { reasonCode: reasonCodes.notAuthorized, sendsWill: true },
  MQTT_KEEP_ALIVE_TIMEOUT: { reasonCode: reasonCodes.keepAliveTimeout, sendsWill: true },
  SERVER_ERROR: { reasonCode: reasonCodes.unspecifiedError, sendsWill: true },
  SERVER_INITIATED_DISCONNECT: { reasonCode: reasonCodes.serverShuttingDown, sendsWill: true },
  API_INITIATED_DISCONNECT: { reasonCode: reasonCodes.administrativeAction, sendsWill: true },
  SLOW_CONSUMER: { reasonCode: reasonCodes.quotaExceeded, sendsWill: true },
} as const satisfies Record<string, DisconnectRule>;

export type DisconnectReason = keyof typeof disconnectReasons;
