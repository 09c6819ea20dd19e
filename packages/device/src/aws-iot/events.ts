import type { ThinglineError } from "@thingline/protocol";
import type { NumberedConnecting, NumberedDisconnected } from "../connection/numbers.js";
import type { RefusedFilter } from "../topics/filters.js";
import type { DeviceMessage } from "../topics/message.js";

/**
 * The events of Nordic's aws_iot library of 2022 with the number of each in `enum aws_iot_evt_type`; `warning` is ours and has
 * none. The six of firmware updates come from `awsIotFotaEvent()`, by which an application translates what its updater tells.
 */
export const awsIotEventTypes = {
  connecting: 1,
  connected: 2,
  ready: 3,
  disconnected: 4,
  dataReceived: 5,
  puback: 6,
  pingresp: 7,
  fotaStart: 8,
  fotaDone: 9,
  fotaErasePending: 10,
  fotaEraseDone: 11,
  fotaDownloadProgress: 12,
  fotaError: 13,
  error: 14,
  warning: undefined,
} as const;

export type AwsIotEventType = keyof typeof awsIotEventTypes;

/** One event, as the handler of `init()` gets it. */
export type AwsIotEvent =
  /** An attempt begins (`success`), and again with its result when no connection came about. Not with the application's own loop. */
  | NumberedConnecting
  /** CONNACK 0. */
  | { type: "connected"; isPersistentSession: boolean }
  /** All SUBACKs are in, or none was needed. A refused filter is also an `error`. */
  | { type: "ready"; isPersistentSession: boolean; refusedFilters: readonly RefusedFilter[] }
  | NumberedDisconnected
  /** A QoS 1 message is acknowledged when the promise that the handler returns has settled. */
  | { type: "dataReceived"; message: DeviceMessage }
  | { type: "puback"; messageId: number }
  | { type: "pingresp" }
  | { type: "fotaStart" | "fotaDone" | "fotaErasePending" | "fotaEraseDone" }
  /** 0..100 */
  | { type: "fotaDownloadProgress"; percent: number }
  | { type: "fotaError"; error: ThinglineError }
  /** `connackCode`: 1..5 when the cloud refused the connection. */
  | { type: "error"; error: Error; connackCode?: number }
  /** Something that works and looks like a mistake. */
  | { type: "warning"; warning: ThinglineError };

export type AwsIotHandler = (event: AwsIotEvent) => void | Promise<void>;
