import type { ConnectProperties, MqttVersion } from "@thingline/protocol/mqtt/client";
import type { ShadowTopicTail } from "@thingline/protocol/shadow/client";
import type { Clock, Random } from "@thingline/transport";
import type { DeviceCredentials, DeviceEndpoint } from "../connection/options.js";
import type { ReconnectOptions } from "../connection/reconnect.js";
import type { OfflineQueueOptions } from "../offline-queue/types.js";
import type { DeviceListeners } from "./events.js";
import { awsQuotas, type DeviceQuotas } from "./quotas.js";

export interface LastWill {
  topic: string;
  payload: Uint8Array | string;
  /** Default 0, as in the original library. */
  qos?: 0 | 1;
  /** Default false. */
  isRetained?: boolean;
}

/** Topics on which the shadow service answers; see `AWS_IOT_TOPIC_*_SUBSCRIBE` of the original library. */
export type ShadowTopic = Exclude<ShadowTopicTail, "get" | "update" | "delete" | "update/documents">;

export interface DeviceSettings {
  /** 1..128 bytes of UTF-8; not beginning with `$`. */
  clientId: string;
  clock: Clock;
  /** Jitter between attempts. */
  random: Random;
  /**
   * How the device stays connected; false: it does not, and is idle when its connection ends. Default: full-jitter backoff
   * from 1 s to 60 s, without end, once the first attempt succeeded.
   */
  reconnect?: false | ReconnectOptions;
  /** 4 is MQTT 3.1.1 (the default, as in the original library), 5 is MQTT 5. */
  version?: MqttVersion;
  /** 1..1200, what AWS IoT takes without changing it at most. Default {@link defaultKeepAliveSeconds}. */
  keepAliveSeconds?: number;
  /** true: the cloud forgets subscriptions and queued messages. Default false. */
  isCleanSession?: boolean;
  /** MQTT 5: how long the cloud keeps the session. Default {@link defaultSessionExpirySeconds}, 0 for a clean session. */
  sessionExpirySeconds?: number;
  /** Subscribed with QoS 1 right after CONNACK, unless the session was resumed. Default none. */
  applicationTopics?: Iterable<string>;
  /**
   * Topics of the classic shadow of the thing that is named like the client id: subscribed with QoS 1 in a packet of their
   * own after the application topics, and heard by `data` listeners. Default none.
   */
  shadowTopics?: Iterable<ShadowTopic>;
  /**
   * Publishes an empty message with QoS 0 to the shadow's `get` with every connection, as
   * `CONFIG_AWS_IOT_AUTO_DEVICE_SHADOW_REQUEST` does: before `ready`, on a resumed session right after it. The answer comes on
   * `get/accepted` or, when there is no shadow, on `get/rejected`. Default false.
   */
  requestsShadow?: boolean;
  /**
   * A persistent session that an earlier process left at the cloud is taken to hold the application and shadow topics, which are not
   * subscribed again then, as in the original library. false: they are, with the first connection: for lists that may have
   * changed since. Default true.
   */
  trustsSession?: boolean;
  lastWill?: LastWill;
  /** Messages with a larger payload are acknowledged, dropped and reported. Default {@link defaultPayloadBytesMax}. */
  payloadBytesMax?: number;
  /** From the first packet to the ready connection, TLS included. Default: the dialer's. */
  connectTimeoutMs?: number;
  /** From the open connection to CONNACK. Default 30 s. */
  connackTimeoutMs?: number;
  /**
   * From the call to PUBACK, SUBACK or UNSUBACK. Only the time with a connection counts: a message that waits for the next
   * one does not grow older. Default 30 s.
   */
  ackTimeoutMs?: number;
  /** Output of which the network takes nothing for that long ends the connection with TIMEOUT; 0: never. Default {@link defaultSendTimeoutMs}. */
  sendTimeoutMs?: number;
  /**
   * A packet of the server that is not complete after that long, and a second more for every `receiveBytesPerSecondMin` bytes
   * of it that have come, up to `receiveTotalMsMax`, ends the connection with TIMEOUT; 0: never. Default
   * `defaultReceiveTimeoutMs`.
   */
  receiveTimeoutMs?: number;
  /**
   * MQTT 3.1.1 only (5 forbids it): a QoS 1 message without PUBACK is sent again, marked as a duplicate, after that long on
   * the same connection. Default: only with the next connection.
   */
  resendAfterMs?: number;
  /** How long `disconnect()` waits for acknowledgements, and then for the end of the connection. Default {@link defaultCloseTimeoutMs}. */
  closeTimeoutMs?: number;
  /** Unacknowledged QoS 1 messages to the cloud. Default 100, the limit of AWS IoT. */
  inflightMax?: number;
  /** Messages that wait for their turn; more are refused with LIMIT_EXCEEDED. Default 1000. */
  queueMax?: number;
  /**
   * What becomes of messages that are too large for the TLS of this device, as those over 2,048 bytes are for a modem's, and that end
   * each connection anew. Under MQTT 5 the cloud is told not to send them. `giveUp`: after `sameRecordCutsMax` such cuts
   * in a row the session at the cloud is discarded, with the messages that wait in it, and a filter whose messages ended
   * `filterCutsMax` connections stays unsubscribed; each is a `recordTooLarge` event. `keepTrying`: neither. Default `giveUp`.
   */
  oversizeRecords?: "giveUp" | "keepTrying";
  /**
   * What the cloud takes, checked at the call. Single ones overrule those of AWS IoT; `none`: whatever MQTT can carry, for other
   * brokers. Default {@link awsQuotas}.
   */
  quotas?: Partial<DeviceQuotas> | "none";
  /** Keeps QoS 1 messages while the device is not connected. Default: there is none, and only `queueMax` messages wait. */
  offlineQueue?: OfflineQueueOptions;
  /** QoS 1 messages from the cloud that listeners have not finished. Default 100, the limit of AWS IoT. */
  receiveMaximum?: number;
  /** When PUBACK is sent. `beforeHandler` is what the original library does. Default `afterHandler`. */
  acknowledges?: "afterHandler" | "beforeHandler";
  /** This IPv4 or IPv6 address is dialed instead of the host, which stays the name for SNI and for the server's certificate. */
  staticAddress?: string;
  /** SNI and the name in the server's certificate. Default: the host. */
  serverName?: string;
  /** Default on port 443 `x-amzn-mqtt-ca`, else none. */
  alpnProtocols?: readonly string[];
  /** 4 or 6 forces an address family. */
  family?: 4 | 6;
  /** MQTT 5 and for authorizers: sent in CONNECT. */
  username?: string;
  password?: Uint8Array;
  userProperties?: ConnectProperties["userProperties"];
  /**
   * Who runs the session. `library`, the default: input is handled as it comes, and PINGREQ is sent in time, as with the
   * original's poll thread. `application`: it calls `Device.poll`, `Device.input` and `Device.ping`, and
   * `connect()` resolves when CONNECT is sent, before CONNACK. The device does not reconnect by itself then. Time-outs of the
   * connection and of requests run in both.
   */
  driver?: "library" | "application";
  /** Listeners that must not miss the first events. */
  on?: DeviceListeners;
}

export type DeviceOptions = DeviceSettings & DeviceEndpoint & DeviceCredentials;

export type ConnectDeviceOptions = DeviceOptions & {
  /** Ends the attempt at any stage; the device that came out of it does not listen to it any more. */
  signal?: AbortSignal;
};

export const defaultMqttsPort = 8883;
export const defaultKeepAliveSeconds = 60;

/** The lifetime of a persistent session at AWS IoT unless the account changed it. */
export const defaultSessionExpirySeconds = 3600;

/** The largest payload of AWS IoT. */
export const defaultPayloadBytesMax = 131_072;

export const defaultCloseTimeoutMs = 5_000;

/** As `CONFIG_AWS_IOT_SEND_TIMEOUT_SEC`. */
export const defaultSendTimeoutMs = 60_000;

/** The security tag that Nordic's own cloud service keeps its credentials under. */
export const nrfCloudSecTag = 16_842_753;

/** AWS IoT's limit for one connection. See {@link DeviceQuotas}. */
export const applicationTopicsMax = awsQuotas.subscriptionsMax;
