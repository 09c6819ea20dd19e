import type { ThinglineError } from "@thingline/protocol";
import type { DisconnectReason } from "../connection/events.js";
import type { RecordTooLargeEvent } from "../connection/records.js";
import type { ConnectResult } from "../connection/result.js";
import type { OfflineQueueEvent } from "../offline-queue/types.js";
import type { RefusedFilter } from "../topics/filters.js";
import type { DeviceMessage } from "../topics/message.js";

/** Events of a {@link Device}, named as in the 2022 generation of Nordic's aws_iot library. */
export interface DeviceEvents {
  /**
   * An attempt begins; and once more, with its result, when no secure connection came about. `retryInMs`: the next one
   * follows after that time.
   */
  connecting: { result?: ConnectResult; error?: ThinglineError; retryInMs?: number };
  /** CONNACK 0. `isPersistentSession`: not a clean session, and the server had kept it. */
  connected: { isPersistentSession: boolean; clientId: string; keepAliveSeconds: number };
  /**
   * Every SUBACK of the application topics, and after a reconnect of the other subscriptions, is in, or none was needed.
   * Refused filters are events of `error` as well.
   */
  ready: { isPersistentSession: boolean; refusedFilters: readonly RefusedFilter[] };
  /**
   * A message for the application topics, or one that no {@link Device.subscribe} asked for. A QoS 1 message is
   * acknowledged when the promises of all its listeners have settled.
   */
  data: DeviceMessage;
  puback: { packetId: number; reasonCode: number };
  pingresp: Record<never, never>;
  /** What becomes of messages in the offline queue; there is none without the option. */
  offlineQueue: OfflineQueueEvent;
  /** What was given up because messages too large for the TLS of this device kept ending its connections. */
  recordTooLarge: RecordTooLargeEvent;
  /** Exactly once for each connection that was opened, last. `retryInMs`: an attempt follows after that time. */
  disconnected: { reason: DisconnectReason; error?: ThinglineError; retryInMs?: number };
  /** Something that works and looks like a mistake: a security tag that belongs to another service. */
  warning: { warning: ThinglineError };
  /** What has no caller to go to: a refused filter, a dropped message, a listener that threw, that the device gave up. */
  error: { error: Error };
}

export type DeviceEventName = keyof DeviceEvents;

export type DeviceListener<Name extends DeviceEventName> = (event: DeviceEvents[Name]) => void | Promise<void>;

export type DeviceListeners = { [Name in DeviceEventName]?: DeviceListener<Name> };
