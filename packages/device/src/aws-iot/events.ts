import type { ThinglineError } from "@thingline/protocol";
import type { DeviceMessage, DisconnectReason, RefusedFilter } from "../client-events.js";
import type { ConnectResult } from "../client-result.js";

/**
 * The events of Nordic's aws_iot library of 2022 with the number of each in `enum aws_iot_evt_type`; `warning` is ours and has
 * none. The seven of firmware updates are named for whoever translates numbers; nothing raises them before firmware updates are part
 * of this library.
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

/** The numbers of `enum aws_iot_disconnect_reason`. */
export const awsIotDisconnectReasons = {
  userRequest: 0,
  closedByRemote: 1,
  invalidRequest: 2,
  misc: 3,
} as const satisfies Record<DisconnectReason, number>;

/** One event, as the handler of `init()` gets it. */
export type AwsIotEvent =
  /**
   * An attempt begins (`success`, 0), and again with its result when no connection came about. Not with the application's own
   * loop. `resultCode` is the original's number, -5 for a result that it does not have.
   */
  | { type: "connecting"; result: ConnectResult; resultCode: number; error?: ThinglineError; retryInMs?: number }
  /** CONNACK 0. */
  | { type: "connected"; isPersistentSession: boolean }
  /** All SUBACKs are in, or none was needed. A refused filter is also an `error`. */
  | { type: "ready"; isPersistentSession: boolean; refusedFilters: readonly RefusedFilter[] }
  | {
      type: "disconnected";
      reason: DisconnectReason;
      /** 0..3, see {@link awsIotDisconnectReasons}. */
      reasonCode: number;
      error?: ThinglineError;
      retryInMs?: number;
    }
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
