/** Protocol level byte of CONNECT: 4 is MQTT 3.1.1, 5 is MQTT 5. */
export type MqttVersion = 4 | 5;
export type QoS = 0 | 1 | 2;

/** Order and duplicates are kept. [MQTT-3.3.2-17] */
export type UserProperties = readonly (readonly [name: string, value: string])[];

/** MQTT 5 §3.3.2.3 without Topic Alias handling: an alias is resolved by the session, not by the codec. */
export interface PublishProperties {
  payloadFormatIndicator?: 0 | 1;
  messageExpirySeconds?: number;
  topicAlias?: number;
  responseTopic?: string;
  correlationData?: Uint8Array;
  userProperties?: UserProperties;
  /** Several only on a PUBLISH from a server. */
  subscriptionIdentifiers?: readonly number[];
  contentType?: string;
}

export interface WillProperties {
  willDelaySeconds?: number;
  payloadFormatIndicator?: 0 | 1;
  messageExpirySeconds?: number;
  contentType?: string;
  responseTopic?: string;
  correlationData?: Uint8Array;
  userProperties?: UserProperties;
}

export interface Will {
  topic: string;
  payload: Uint8Array;
  qos: QoS;
  isRetained: boolean;
  properties?: WillProperties;
}

export interface ConnectProperties {
  sessionExpirySeconds?: number;
  receiveMaximum?: number;
  maximumPacketBytes?: number;
  topicAliasMaximum?: number;
  requestResponseInformation?: 0 | 1;
  requestProblemInformation?: 0 | 1;
  userProperties?: UserProperties;
  authenticationMethod?: string;
  authenticationData?: Uint8Array;
}

export interface ConnectPacket {
  type: "connect";
  version: MqttVersion;
  clientId: string;
  /** Clean Session in 3.1.1, Clean Start in 5. */
  isCleanStart: boolean;
  keepAliveSeconds: number;
  will?: Will;
  username?: string;
  password?: Uint8Array;
  properties?: ConnectProperties;
}

export interface ConnackProperties {
  sessionExpirySeconds?: number;
  receiveMaximum?: number;
  maximumQos?: 0 | 1;
  retainAvailable?: 0 | 1;
  maximumPacketBytes?: number;
  assignedClientId?: string;
  topicAliasMaximum?: number;
  reasonString?: string;
  userProperties?: UserProperties;
  wildcardSubscriptionAvailable?: 0 | 1;
  subscriptionIdentifiersAvailable?: 0 | 1;
  sharedSubscriptionAvailable?: 0 | 1;
  serverKeepAliveSeconds?: number;
  responseInformation?: string;
  serverReference?: string;
  authenticationMethod?: string;
  authenticationData?: Uint8Array;
}

export interface ConnackPacket {
  type: "connack";
  isSessionPresent: boolean;
  /** Return code 0..5 in 3.1.1, reason code in 5. */
  reasonCode: number;
  properties?: ConnackProperties;
}

export interface PublishPacket {
  type: "publish";
  /** Empty only in MQTT 5 with a topic alias. */
  topic: string;
  payload: Uint8Array;
  qos: QoS;
  isRetained: boolean;
  isDuplicate: boolean;
  /** Present exactly when `qos` is not 0. */
  packetId?: number | undefined;
  properties?: PublishProperties;
  /** Only from a decoder that drains: the payload had so many bytes, more than are taken, and `payload` is empty. */
  droppedPayloadBytes?: number;
}

export interface AckProperties {
  reasonString?: string;
  userProperties?: UserProperties;
}

/** PUBACK, PUBREC, PUBREL and PUBCOMP share one shape. In 3.1.1 `reasonCode` is always 0. */
export interface PublishAckPacket {
  type: "puback" | "pubrec" | "pubrel" | "pubcomp";
  packetId: number;
  reasonCode: number;
  properties?: AckProperties;
}

export interface SubscriptionOptions {
  qos: QoS;
  isNoLocal?: boolean;
  isRetainAsPublished?: boolean;
  retainHandling?: 0 | 1 | 2;
}

export interface Subscription extends SubscriptionOptions {
  filter: string;
}

export interface SubscribePacket {
  type: "subscribe";
  packetId: number;
  subscriptions: readonly Subscription[];
  properties?: { subscriptionIdentifier?: number; userProperties?: UserProperties };
}

export interface SubackPacket {
  type: "suback";
  packetId: number;
  /** One per filter: 0, 1, 2 granted; 0x80 and above refused. */
  reasonCodes: readonly number[];
  properties?: AckProperties;
}

export interface UnsubscribePacket {
  type: "unsubscribe";
  packetId: number;
  filters: readonly string[];
  properties?: { userProperties?: UserProperties };
}

export interface UnsubackPacket {
  type: "unsuback";
  packetId: number;
  /** One per filter in MQTT 5, empty in 3.1.1. */
  reasonCodes: readonly number[];
  properties?: AckProperties;
}

export interface PingreqPacket {
  type: "pingreq";
}

export interface PingrespPacket {
  type: "pingresp";
}

export interface DisconnectProperties {
  sessionExpirySeconds?: number;
  reasonString?: string;
  userProperties?: UserProperties;
  serverReference?: string;
}

export interface DisconnectPacket {
  type: "disconnect";
  /** Always 0 in 3.1.1. */
  reasonCode: number;
  properties?: DisconnectProperties;
}

export interface AuthPacket {
  type: "auth";
  reasonCode: number;
  properties?: {
    authenticationMethod?: string;
    authenticationData?: Uint8Array;
    reasonString?: string;
    userProperties?: UserProperties;
  };
}

export type MqttPacket =
  | ConnectPacket
  | ConnackPacket
  | PublishPacket
  | PublishAckPacket
  | SubscribePacket
  | SubackPacket
  | UnsubscribePacket
  | UnsubackPacket
  | PingreqPacket
  | PingrespPacket
  | DisconnectPacket
  | AuthPacket;

export type PacketType = MqttPacket["type"];
