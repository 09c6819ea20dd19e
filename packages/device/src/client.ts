import type { PublishProperties } from "@thingline/protocol/mqtt";
import type { Endpoint, SecureInfo } from "@thingline/transport";
import { DeviceClient } from "./client-device.js";
import type { DeviceEventName, DeviceListener, RefusedFilter } from "./client-events.js";
import { checkOptions, type ConnectDeviceOptions } from "./client-options.js";
import type { DeviceSubscription, MessageListener } from "./client-subscription.js";

export interface PublishOptions {
  /** Default 1. */
  qos?: 0 | 1;
  /** Default false. */
  isRetained?: boolean;
  /** MQTT 5. */
  properties?: PublishProperties;
  /** Gives up waiting: a message that was not sent yet is dropped, one that was may still arrive. */
  signal?: AbortSignal;
}

export interface SubscribeOptions {
  /** Default 1. */
  qos?: 0 | 1;
  /** Messages that wait for the loop. Default 100. */
  queueMax?: number;
  /** Ends the subscription, and its loop with ABORTED. */
  signal?: AbortSignal;
}

/** A device that is connected to the cloud. It comes from {@link connectDevice}, ready to use. */
export interface Device {
  readonly clientId: string;
  readonly isConnected: boolean;
  /** The cloud had kept the session of an earlier connection: its subscriptions stand. */
  readonly isPersistentSession: boolean;
  /** Application topics that the cloud refused. */
  readonly refusedFilters: readonly RefusedFilter[];
  /** How the bytes travel; `secure.isResumed` tells a resumed TLS session from a full handshake. */
  readonly connection: { readonly secure: SecureInfo | undefined; readonly local: Endpoint; readonly remote: Endpoint };

  /** @returns a function that takes the listener off again. @throws {ThinglineError} OPTION_INVALID */
  on<Name extends DeviceEventName>(name: Name, listener: DeviceListener<Name>): () => void;
  off<Name extends DeviceEventName>(name: Name, listener: DeviceListener<Name>): void;

  /**
   * Publishes. QoS 1 resolves with PUBACK, QoS 0 when the connection has taken the message. The payload must not be
   * changed before that.
   *
   * @throws {ThinglineError} MQTT_PUBLISH_REFUSED, TIMEOUT, ABORTED, CONNECTION_LOST and CLOSED: not acknowledged,
   * may have arrived. LIMIT_EXCEEDED, MQTT_PACKET_TOO_LARGE, MQTT_UNSUPPORTED, TOPIC_NAME_INVALID, OPTION_INVALID:
   * not sent.
   */
  publish(topic: string, payload: Uint8Array | string, options?: PublishOptions): Promise<void>;

  /**
   * Subscribes; all filters or none.
   *
   * @throws {ThinglineError} MQTT_SUBSCRIPTION_REFUSED, TIMEOUT, ABORTED, CONNECTION_LOST, CLOSED,
   * TOPIC_FILTER_INVALID, LIMIT_EXCEEDED.
   */
  subscribe(filters: string | readonly string[], options?: SubscribeOptions): Promise<DeviceSubscription>;
  subscribe(
    filters: string | readonly string[],
    listener: MessageListener,
    options?: SubscribeOptions,
  ): Promise<DeviceSubscription>;
  /** Unsubscribes from filters of whatever origin, application topics included, and ends their subscriptions. */
  unsubscribe(filters: string | readonly string[], options?: { signal?: AbortSignal }): Promise<void>;

  /** Sends PINGREQ now. @throws {ThinglineError} CONNECTION_LOST when the last one is unanswered: the link is dead. */
  ping(): void;
  /** Milliseconds until something has to be sent to keep the connection. */
  keepAliveTimeLeftMs(): number;

  /** Waits for acknowledgements for `closeTimeoutMs` at most, sends DISCONNECT and ends. Safe to call twice. */
  disconnect(): Promise<void>;
  /** The same as {@link disconnect}. */
  close(): Promise<void>;
  /** Resolves when nothing is left: no socket, no timer. */
  readonly closed: Promise<void>;
  [Symbol.asyncDispose](): Promise<void>;
}

/**
 * Connects to AWS IoT Core or to a local one: TLS with the device's credentials, CONNECT, application topics. Resolves when
 * the device is ready. Messages that arrive before that wait for the listeners that the caller adds right after;
 * `connecting`, `connected` and `ready` are past by then, and only seen by listeners given in `on`.
 *
 * @throws {ThinglineError} `details.connectResult` is a {@link ConnectResult}: how the attempt failed.
 */
export async function connectDevice(options: ConnectDeviceOptions): Promise<Device> {
  const device = new DeviceClient(options, checkOptions(options));
  await device.start();
  return device;
}
