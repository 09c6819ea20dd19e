import type { ThinglineError } from "@thingline/protocol";
import type { PollOptions, PollResult } from "../connection/held-input.js";
import type { NumberedConnecting, NumberedDisconnected } from "../connection/numbers.js";

/**
 * What a message is about, with the numbers of `enum cloud_endpoint_type` of the nRF Connect SDK's cloud_api (2020). `message` names its
 * topic; the state of the device is wherever the backend keeps it: the Device Shadow service of AWS IoT, topics of a broker.
 */
export const cloudEndpointTypes = { message: 0, state: 1, stateDelete: 2, stateGet: 3, pair: 4 } as const;
export type CloudEndpointType = keyof typeof cloudEndpointTypes;

export interface CloudEndpoint {
  /** Default `message`. */
  type?: CloudEndpointType;
  /** Needed with `message`; not looked at with the others. */
  topic?: string;
}

/** The numbers of `enum cloud_qos`. Backends refuse what their cloud does not have; AWS IoT has no 2. */
export const cloudQos = { atMostOnce: 0, atLeastOnce: 1, exactlyOnce: 2 } as const;

export interface CloudMessage {
  endpoint: CloudEndpoint;
  payload: Uint8Array | string;
  /** Default 0, as a zeroed structure of the original. */
  qos?: 0 | 1 | 2;
}

/** Always with endpoint type `message` and the topic, as in the original. */
export interface ReceivedCloudMessage {
  endpoint: { type: "message"; topic: string };
  payload: Uint8Array;
  qos: 0 | 1 | 2;
}

/** The numbers of `enum cloud_event_type`. Pairing belongs to other clouds, and FOTA to a later version: nothing here raises them. */
export const cloudEventTypes = {
  connecting: 0,
  connected: 1,
  disconnected: 2,
  ready: 3,
  error: 4,
  dataSent: 5,
  dataReceived: 6,
  pairRequest: 7,
  pairDone: 8,
  fotaStart: 9,
  fotaDone: 10,
  fotaErasePending: 11,
  fotaEraseDone: 12,
  fotaDownloadProgress: 13,
  fotaError: 14,
} as const;
export type CloudEventType = keyof typeof cloudEventTypes;

export type CloudEvent =
  /** An attempt begins (`success`), and again with its result when no connection came about. */
  | NumberedConnecting
  | { type: "connected"; isPersistentSession: boolean }
  | { type: "ready" }
  | NumberedDisconnected
  | { type: "error"; error: Error }
  /** A message with QoS 1 was acknowledged. */
  | { type: "dataSent"; messageId: number }
  /** With QoS 1 it is acknowledged when the promise that the handler returns has settled. */
  | { type: "dataReceived"; message: ReceivedCloudMessage }
  | { type: "pairRequest" | "pairDone" }
  | { type: "fotaStart" | "fotaDone" | "fotaErasePending" | "fotaEraseDone" }
  /** 0..100 */
  | { type: "fotaDownloadProgress"; percent: number }
  | { type: "fotaError"; error: ThinglineError };

export type CloudHandler = (event: CloudEvent) => void | Promise<void>;

/** What `init()` may say about the device. */
export interface CloudConfig {
  /** The device's name at the cloud, when the backend's options leave it to the application. */
  clientId?: string;
}

/**
 * What a backend can do: the counterpart of the original's table of functions. Whatever is left out is refused for it, see
 * {@link createCloudBackend}; calls come in order, `init` first.
 */
export interface CloudOperations {
  init(config: CloudConfig, handler: CloudHandler): void | Promise<void>;
  uninit?(): void | Promise<void>;
  connect?(): Promise<void>;
  disconnect?(): Promise<void>;
  send?(message: CloudMessage): Promise<void>;
  ping?(): void;
  keepAliveTimeLeftMs?(): number;
  poll?(options?: PollOptions): Promise<PollResult>;
  input?(): void;
  subscriptionsAdd?(endpoints: readonly CloudEndpoint[]): Promise<void>;
  subscriptionsRemove?(endpoints: readonly CloudEndpoint[]): Promise<void>;
}

/**
 * One cloud, as an application sees it that works with any. After the nRF Connect SDK's cloud_api of 2020.
 *
 * Every call is refused with NOT_INITIALISED before {@link init} succeeded and after {@link uninit}, and with BACKEND_UNSUPPORTED
 * when the backend has no such operation.
 */
export interface CloudBackend {
  readonly name: string;
  readonly isInitialised: boolean;
  /** @throws {ThinglineError} ALREADY_INITIALISED, OPTION_INVALID */
  init(handler: CloudHandler, config?: CloudConfig): Promise<void>;
  /** Ends everything; no timer and no socket is left. {@link init} may follow. */
  uninit(): Promise<void>;
  /**
   * Resolves when the backend is ready; when the application drives it, as soon as it is worth polling.
   *
   * @throws {ThinglineError} with a connect result by `connectResultOf(error)`; `invalidParameter` without the operation.
   */
  connect(): Promise<void>;
  disconnect(): Promise<void>;
  /** @throws {ThinglineError} OPTION_INVALID: a `message` without topic, an unknown type. */
  send(message: CloudMessage): Promise<void>;
  /** Without the operation there is nothing to keep alive, and it succeeds, as in the original. */
  ping(): void;
  /** Milliseconds; Infinity without the operation. */
  keepAliveTimeLeftMs(): number;
  /** As `Device.poll` and `Device.input`. */
  poll(options?: PollOptions): Promise<PollResult>;
  input(): void;
  /** Topics whose messages are wanted, at once or with the next connection; only `topic` counts, as in the original. */
  subscriptionsAdd(endpoints: readonly CloudEndpoint[]): Promise<void>;
  subscriptionsRemove(endpoints: readonly CloudEndpoint[]): Promise<void>;
  /** The application's own; not looked at. Undefined until it is set. @throws {ThinglineError} OPTION_INVALID: undefined */
  userData: unknown;
}
