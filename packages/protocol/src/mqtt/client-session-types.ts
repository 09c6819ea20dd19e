import type { ThinglineError } from "../errors.js";
import type { OutboundPublish, OutboundSubscribe, OutboundUnsubscribe } from "./client-session-inflight.js";
import type {
  AckProperties,
  ConnackProperties,
  ConnectPacket,
  ConnectProperties,
  DisconnectPacket,
  MqttVersion,
  PingreqPacket,
  PublishAckPacket,
  PublishPacket,
  Will,
} from "./packets.js";

export interface ClientSessionOptions {
  version: MqttVersion;
  clientId: string;
  /** Clean Session in 3.1.1, Clean Start in 5: of the first connection. */
  isCleanSession: boolean;
  /** 0 turns keep alive off; a Server Keep Alive of MQTT 5 overrules it. */
  keepAliveSeconds: number;
  will?: Will;
  username?: string;
  password?: Uint8Array;
  /** MQTT 5. Receive maximum, maximum packet size and topic alias maximum come from the fields below. */
  properties?: Omit<ConnectProperties, "receiveMaximum" | "maximumPacketBytes" | "topicAliasMaximum">;
  /** From the open connection to CONNACK. Default {@link defaultConnackTimeoutMs}. */
  connackTimeoutMs?: number;
  /**
   * From the call to PUBACK, SUBACK or UNSUBACK, counting only the time between CONNACK and the end of a connection:
   * a message that waits for the next connection does not grow older. Default {@link defaultAckTimeoutMs}.
   */
  ackTimeoutMs?: number;
  /**
   * MQTT 3.1.1 only, since [MQTT-4.4.0-1] of 5 forbids it: a QoS 1 message without PUBACK is sent again, with DUP, after that
   * long on the same connection. Default: never.
   */
  resendAfterMs?: number;
  /** Unacknowledged QoS 1 messages to the server; its Receive Maximum may lower it. 1..65535. Default {@link defaultInflightMax}. */
  inflightMax?: number;
  /** Messages that wait for the window or for the connection. Default {@link defaultQueueMax}. */
  queueMax?: number;
  /** Payload bytes that wait likewise. Default {@link defaultQueueBytesMax}. */
  queueBytesMax?: number;
  /** QoS 1 messages from the server that we have not acknowledged yet. 1..65535. Default {@link defaultReceiveMaximum}. */
  receiveMaximum?: number;
  /** Announced in MQTT 5: the largest packet the decoder takes. */
  maximumPacketBytes?: number;
  /** Topic aliases the server may use in MQTT 5. Default 0. */
  topicAliasMaximum?: number;
  /** `beforeHandler`: PUBACK first, then the message: lost if the application fails. Default `afterHandler`. */
  acknowledges?: "afterHandler" | "beforeHandler";
  /** false: only {@link ClientSession.ping} pings, and silence never ends the connection. Default true. */
  isKeepAliveAutomatic?: boolean;
}

export const defaultConnackTimeoutMs = 30_000;
export const defaultAckTimeoutMs = 30_000;
/** AWS IoT accepts 100 unacknowledged QoS 1 messages in each direction. */
export const defaultInflightMax = 100;
export const defaultQueueMax = 1000;
export const defaultQueueBytesMax = 16 * 1024 * 1024;
export const defaultReceiveMaximum = 100;
/** SUBSCRIBE and UNSUBSCRIBE packets without an answer. */
export const controlPacketsMax = 64;

/** Packets that a client sends. */
export type ClientPacket<Owner> =
  | ConnectPacket
  | OutboundPublish<Owner>
  | PublishAckPacket
  | OutboundSubscribe<Owner>
  | OutboundUnsubscribe<Owner>
  | PingreqPacket
  | DisconnectPacket;

/** What the CONNACK agreed on, with the defaults of MQTT filled in. */
export interface ConnectionTerms {
  /** `!isCleanSession` and the server found the old session: its subscriptions stand. */
  isSessionPresent: boolean;
  keepAliveSeconds: number;
  inflightMax: number;
  maximumPacketBytes: number;
  maximumQos: 0 | 1 | 2;
  isRetainAvailable: boolean;
  clientId: string;
  /** What else the server said in MQTT 5. */
  properties: ConnackProperties | undefined;
}

/** `settled`: acknowledge now. `pending`: the driver calls {@link ClientSession.settle} later. */
export type Disposition = "settled" | "pending";

/**
 * The effects of a {@link ClientSession}, called in order from inside its methods, each when the session's own state
 * is complete: an effect may call the session again.
 */
export interface ClientSessionEffects<Owner> {
  /** Queue this packet on the connection. The object may be used again after the call: encode it at once. */
  send(packet: ClientPacket<Owner>): void;
  /**
   * End the connection after what was sent. From here on the session takes it for closed. No error: the
   * application's own disconnect.
   */
  close(error: ThinglineError | undefined): void;
  connected(terms: ConnectionTerms): void;
  /** A PUBLISH with its topic alias resolved. Pass `connectionNumber` back to {@link ClientSession.settle}. */
  message(packet: PublishPacket, connectionNumber: number): Disposition;
  /** Stop or go on reading: the application has more unacknowledged messages than it said it would take. */
  setReading(isReading: boolean): void;
  /** A QoS 1 message was acknowledged (no error), or refused, timed out, or given up by {@link ClientSession.discard}. */
  publishSettled(publish: OutboundPublish<Owner>, error: ThinglineError | undefined): void;
  /** A QoS 0 message that had to wait was sent. */
  publishSent(publish: OutboundPublish<Owner>): void;
  pubackReceived(packetId: number, reasonCode: number, properties: AckProperties | undefined): void;
  subscribeSettled(subscribe: OutboundSubscribe<Owner>, reasonCodes: readonly number[] | ThinglineError): void;
  unsubscribeSettled(unsubscribe: OutboundUnsubscribe<Owner>, reasonCodes: readonly number[] | ThinglineError): void;
  pingAnswered(): void;
  /** Something that the peer should not have done and that the session can live with. */
  warned(error: ThinglineError): void;
}
