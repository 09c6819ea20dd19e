import type { PublishProperties } from "@thingline/protocol/mqtt/client";
import type { JsonObject } from "@thingline/protocol/shadow/client";
import type { Endpoint, SecureInfo } from "@thingline/transport";
import type { DeviceEventName, DeviceListener } from "./client/events.js";
import type { PollOptions, PollResult } from "./connection/held-input.js";
import type { OfflineQueueStats } from "./offline-queue/types.js";
import type { ShadowClient } from "./shadow/shadow-client.js";
import type { RefusedFilter } from "./topics/filters.js";
import type { MessageListener } from "./topics/message.js";
import type { DeviceSubscription, SubscribeOptions } from "./topics/subscription.js";

export interface PublishOptions {
  /** Default 1. */
  qos?: 0 | 1;
  /** Default false. */
  isRetained?: boolean;
  /** MQTT 5. */
  properties?: PublishProperties;
  /**
   * When the promise resolves. `acknowledged`: with PUBACK. `stored`: as soon as the offline queue has it in safety, be the
   * device connected or not; needs QoS 1 and an offline queue. Default `acknowledged`.
   */
  until?: "acknowledged" | "stored";
  /** Whole milliseconds that it may wait in the offline queue. Default: the queue's. */
  expiresAfterMs?: number;
  /** Gives up waiting: a message that was not sent yet is dropped, one that was may still arrive. */
  signal?: AbortSignal;
}

export interface ConnectOptions {
  /** Ends the attempt at any stage; once the device is ready it means nothing any more. */
  signal?: AbortSignal;
  /** Replaces the application topics of the options, and those of the last `connect()`. Default: they stay. */
  applicationTopics?: Iterable<string>;
  /**
   * Replaces the security tag of the options, and that of the last `connect()`. The next attempt is a full TLS handshake, whatever
   * `handshake` says. Default: it stays.
   */
  secTag?: number;
}

/**
 * `idle`: it is not connected and does not try to. `connecting`: an attempt runs, from the dial to `ready`. `waiting`: between
 * two attempts. `closing`: the connection is being ended, by whichever side. `closed`: for ever.
 */
export type DeviceState = "idle" | "connecting" | "ready" | "closing" | "waiting" | "closed";

/**
 * A device of the cloud. It outlives its connections: unless `reconnect` is false it comes back by itself, with its
 * subscriptions and its unacknowledged QoS 1 messages. It ends with {@link close}.
 *
 * It gives up, and is `idle`, when `reconnect.attemptsMax` attempts failed, and at once on an error that no further attempt
 * can mend: bad options, a missing or refused credential, a key that does not fit, a CONNACK code about the CONNECT itself.
 * Whatever waits then fails with that error, which also is an `error` event unless a {@link connect} rejects with it. A
 * denial is not final, since a policy may be attached at any time: AWS IoT denies by closing, so the attempts go on, with
 * growing waits, and every event says so.
 *
 * When another client has the same client id, the cloud closes the connection of the one with every CONNECT of the other. The
 * device does not fight: it gives up with MQTT_SESSION_TAKEN_OVER, under MQTT 5 at once, since the cloud says so, and under 3.1.1 after
 * {@link takeoverCutsMin} connections in a row that the cloud closed within {@link takeoverWithinMs} of CONNACK and that nothing
 * sent explains; a PINGREQ right after `ready`, from the second cut on, shows how far the cloud had followed. A QoS 1 message that was the oldest without
 * acknowledgement at {@link publishCutsMax} cuts in a row fails with CONNECTION_LOST, or it would be sent, and cut off, for ever.
 *
 * No promise waits for ever on a server that answers, whatever it answers: a request settles within `ackTimeoutMs` of connection, and at
 * the latest when {@link fruitlessConnectionsMax} connections in a row ended on which no message was acknowledged and which were ready for
 * less than {@link stableAfterMs}; connections that the device ends because the server broke the protocol count as the others. A message
 * that the server closes for takes {@link publishCutsMax} connections, and those behind it begin to count anew after it. Two kinds
 * of calls wait longer, and have their own bounds: what went into an `offlineQueue`, until it expires; and what is called while nobody
 * answers at all, so that there is no connection: `signal` ends it, and `attemptsMax` and `disconnect()` end the attempts. Loops over
 * messages wait for messages: they end with their `signal`, their subscription and the device.
 *
 * A message that is too large for the TLS of this device (2,048 bytes inside a modem) ends each connection anew; see `oversizeRecords`
 * for how the device gets out, and the event `recordTooLarge` for what that costs.
 *
 * Listeners are called at once and may call anything, `connect()`, `disconnect()` and `close()` included.
 */
export interface Device {
  readonly clientId: string;
  readonly state: DeviceState;
  /** CONNACK came and the connection has not ended. */
  readonly isConnected: boolean;
  /** The cloud had kept the session of an earlier connection: its subscriptions stand. */
  readonly isPersistentSession: boolean;
  /** Filters that the cloud refused when the device last became ready. */
  readonly refusedFilters: readonly RefusedFilter[];
  /**
   * How the bytes travel, while there is a connection; `secure.isResumed` tells a resumed TLS session from a full handshake.
   */
  readonly connection:
    | { readonly secure: SecureInfo | undefined; readonly local: Endpoint; readonly remote: Endpoint }
    | undefined;

  /**
   * Connects an idle device, and resolves when it is ready: TLS, CONNACK, application topics. With
   * `driver: "application"` when CONNECT is sent: the rest is up to {@link input}.
   *
   * @throws {ThinglineError} ALREADY_CONNECTED, CLOSED, OPTION_INVALID; else how the first attempt failed, with a
   * {@link ConnectResult} by `connectResultOf(error)`. With `firstAttempt: "retry"` only what is final, or the last of
   * `attemptsMax`; without `attemptsMax` the last of {@link fruitlessConnectionsMax} connections in a row that a server took and that
   * did not get ready. ABORTED by the signal, `disconnect()` or `close()`.
   */
  connect(options?: ConnectOptions): Promise<void>;

  /** What the offline queue holds, and what became of the rest. Undefined without one. */
  readonly offlineQueue: OfflineQueueStats | undefined;

  /** @returns a function that takes the listener off again. @throws {ThinglineError} OPTION_INVALID */
  on<Name extends DeviceEventName>(name: Name, listener: DeviceListener<Name>): () => void;
  off<Name extends DeviceEventName>(name: Name, listener: DeviceListener<Name>): void;

  /**
   * Publishes. QoS 1 resolves with PUBACK, QoS 0 when the connection has taken the message. The payload must not be
   * changed before that. Between two connections QoS 1 waits for the next one, up to `queueMax` messages; what was sent and
   * not acknowledged is sent again.
   *
   * With an `offlineQueue` a QoS 1 message that cannot be sent at once, before `connect()` as well, goes there, and then
   * waits as long as it takes. What holds then:
   *
   * - Order: the queue is sent in the order of the calls, restored messages of an earlier process first, and before anything
   *   that is published later with QoS 1. After a lost connection messages are repeated, in order.
   * - At least once: a message leaves the queue with PUBACK, and for no other reason than an expiry, `dropOldest`, its
   *   signal, or a cloud that refuses it, each with an `offlineQueue` event or a rejection. A refusal is PUBACK with a reason
   *   code of MQTT 5; under 3.1.1 AWS IoT closes the connection instead, so a message that was alone on its way at ten cuts is
   *   taken for refused; those behind it wait meanwhile.
   * - On disk: from the moment at which `until: "stored"` resolves, it survives `kill -9`, and with `durability: "disk"` a
   *   power cut. So does a message without `until` that went through the queue, only nobody is told when. One that was sent
   *   directly, over a live connection and past an empty queue, is not stored.
   * - A promise resolved by PUBACK: the cloud has the message. It is repeated if the process is killed before the journal
   *   says so.
   * - `close()` rejects what was not acknowledged with CLOSED; on disk it stays, and the next process sends it.
   *
   * @throws {ThinglineError} MQTT_PUBLISH_REFUSED, TIMEOUT, ABORTED, and CONNECTION_LOST and CLOSED of a message that was
   * accepted before: not acknowledged, may have arrived. CONNECTION_LOST at once: the device is idle, or QoS 0 without a
   * connection. TIMEOUT as well when it expired in the offline queue; LOCKED, FILE_UNREADABLE and STORE_VERSION_UNKNOWN of
   * its folder. QUOTA_EXCEEDED, LIMIT_EXCEEDED, MQTT_PACKET_TOO_LARGE, MQTT_UNSUPPORTED, TOPIC_NAME_INVALID, OPTION_INVALID: not sent.
   */
  publish(topic: string, payload: Uint8Array | string, options?: PublishOptions): Promise<void>;

  /**
   * Subscribes; all filters or none. Between two connections it waits for the next one, up to {@link waitingSubscribesMax}
   * calls. One that was sent when the connection ended is not tried again: it may have been the reason.
   *
   * @throws {ThinglineError} MQTT_SUBSCRIPTION_REFUSED, TIMEOUT, ABORTED, CONNECTION_LOST, CLOSED,
   * TOPIC_FILTER_INVALID, QUOTA_EXCEEDED: over the {@link DeviceQuotas}; LIMIT_EXCEEDED.
   */
  subscribe(filters: string | readonly string[], options?: SubscribeOptions): Promise<DeviceSubscription>;
  subscribe(
    filters: string | readonly string[],
    listener: MessageListener,
    options?: SubscribeOptions,
  ): Promise<DeviceSubscription>;
  /**
   * Unsubscribes from filters of whatever origin, application topics included, and ends their subscriptions. Without a
   * connection it resolves at once, and a session that the cloud kept is told with the next connection.
   */
  unsubscribe(filters: string | readonly string[], options?: { signal?: AbortSignal }): Promise<void>;

  /**
   * The shadow of the thing that has this device's client id as its name: the classic one, or a named one. The same
   * object for the same name, at most {@link shadowsMax}. Nothing is sent yet.
   *
   * @throws {ThinglineError} OPTION_INVALID, LIMIT_EXCEEDED.
   */
  shadow<State extends JsonObject = JsonObject>(name?: string): ShadowClient<State>;

  /**
   * With `driver: "application"`: waits until there is something to do. On `readable` call {@link input}; on `timeout`, with
   * {@link keepAliveTimeLeftMs} as the time, {@link ping}; on `hungUp` and `error` `input()` or {@link disconnect}, which bring
   * the `disconnected` event. Up to {@link inputBytesMax} bytes are held; further ones wait at the server. One call at a time.
   *
   * @throws {ThinglineError} DRIVER_MISMATCH with `driver: "library"`; ABORTED, CLOSED, OPTION_INVALID.
   */
  poll(options?: PollOptions): Promise<PollResult>;
  /**
   * With `driver: "application"`: handles what was received, without waiting; events and acknowledgements come from here.
   * Without input it does nothing, unless the connection has ended: then that is handled.
   *
   * @throws {ThinglineError} DRIVER_MISMATCH with `driver: "library"`; CONNECTION_LOST without a connection; CLOSED.
   */
  input(): void;

  /** Sends PINGREQ now. @throws {ThinglineError} CONNECTION_LOST when the last one is unanswered: the link is dead. */
  ping(): void;
  /** Milliseconds until something has to be sent to keep the connection. */
  keepAliveTimeLeftMs(): number;

  /**
   * Waits for acknowledgements for `closeTimeoutMs` at most, sends DISCONNECT, ends the connection and all attempts; resolves
   * when the device is idle, and {@link connect} may follow. What is not acknowledged by then fails with CONNECTION_LOST;
   * subscriptions wait for the next connection. Safe to call at any time.
   */
  disconnect(): Promise<void>;
  /**
   * As {@link disconnect}, and for ever: subscriptions end, every later call is refused with CLOSED. Resolves when no timer
   * and no socket is left. Safe to call twice.
   */
  close(): Promise<void>;
  /** Resolves after {@link close}. */
  readonly closed: Promise<void>;
  [Symbol.asyncDispose](): Promise<void>;
}
