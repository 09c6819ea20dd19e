import { kindOf, optionInvalid, ThinglineError } from "@thingline/protocol";
import type { PublishProperties, QoS } from "@thingline/protocol/mqtt";
import type { RecordTooLargeEvent } from "./client-records.js";
import type { ConnectResult } from "./client-result.js";
import type { OfflineQueueEvent } from "./offline-queue/types.js";

/** A message from the cloud. `payload` is a view; copy it to keep it for long without its whole receive buffer. */
export interface DeviceMessage {
  topic: string;
  payload: Uint8Array;
  qos: QoS;
  isRetained: boolean;
  isDuplicate: boolean;
  /** Only with QoS 1. */
  packetId?: number;
  /** MQTT 5. */
  properties?: PublishProperties;
}

export interface RefusedFilter {
  filter: string;
  /** 0x80 in MQTT 3.1.1, the reason code in 5. */
  reasonCode: number;
  meaning: string;
}

/** After `AWS_IOT_DISCONNECT_*` of the original library. */
export type DisconnectReason =
  /** `disconnect()`, `close()` or the signal of `connect()`. */
  | "userRequest"
  /** The server or the network ended the connection. */
  | "closedByRemote"
  /** An MQTT 5 server said that it ended the connection because of what this device had sent. */
  | "invalidRequest"
  /** Refused CONNACK, no answer in time, dead link, a server that breaks the protocol. */
  | "misc";

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

const names: readonly DeviceEventName[] = [
  "connecting",
  "connected",
  "ready",
  "data",
  "puback",
  "pingresp",
  "offlineQueue",
  "recordTooLarge",
  "disconnected",
  "warning",
  "error",
];

const noListeners: readonly never[] = [];

/** Typed listeners; adding and removing during a call takes effect with the next event. */
export class EventHub {
  #listeners: Map<DeviceEventName, readonly DeviceListener<never>[]> | undefined;

  constructor(first: DeviceListeners = {}) {
    for (const name of Object.keys(first)) {
      const listener = first[name as DeviceEventName];
      if (listener !== undefined) this.on(name as DeviceEventName, listener as DeviceListener<DeviceEventName>);
    }
  }

  on<Name extends DeviceEventName>(name: Name, listener: DeviceListener<Name>): () => void {
    if (!names.includes(name)) {
      const message = `there is no event "${String(name)}"; there are ${names.join(", ")}`;
      throw new ThinglineError("OPTION_INVALID", message, { details: { option: "on" } });
    }
    if (typeof listener !== "function") throw optionInvalid(`on.${name}`, "a function", kindOf(listener));
    this.#listeners ??= new Map();
    this.#listeners.set(name, [...this.#get(name), listener]);
    return () => this.off(name, listener);
  }

  off<Name extends DeviceEventName>(name: Name, listener: DeviceListener<Name>): void {
    const listeners = this.#get(name);
    const index = listeners.indexOf(listener);
    if (index >= 0) this.#listeners?.set(name, listeners.toSpliced(index, 1));
  }

  has(name: DeviceEventName): boolean {
    return this.#get(name).length > 0;
  }

  /** @returns undefined when every listener is done, else a promise that never rejects */
  emit<Name extends DeviceEventName>(name: Name, event: DeviceEvents[Name]): Promise<void> | undefined {
    let pending: Promise<void> | undefined;
    for (const listener of this.#get(name)) {
      const running = this.run(listener, event, name);
      if (running !== undefined) pending = pending === undefined ? running : pending.then(() => running);
    }
    return pending;
  }

  /** Calls what belongs to the application; what it throws becomes an `error` event. */
  run<Argument>(
    listener: (argument: Argument) => void | Promise<void>,
    argument: Argument,
    name: string,
  ): Promise<void> | undefined {
    try {
      const result = listener(argument);
      return result instanceof Promise ? result.catch((error: unknown) => this.#failed(error, name)) : undefined;
    } catch (error) {
      this.#failed(error, name);
      return undefined;
    }
  }

  #failed(thrown: unknown, name: string): void {
    const error = thrown instanceof Error ? thrown : new Error(String(thrown));
    if (name !== "error" && this.has("error")) {
      void this.emit("error", { error });
      return;
    }
    // Nobody listens: an unhandled rejection shows the application its own mistake.
    void Promise.reject(error);
  }

  #get<Name extends DeviceEventName>(name: Name): readonly DeviceListener<Name>[] {
    return (this.#listeners?.get(name) ?? noListeners) as unknown as readonly DeviceListener<Name>[];
  }
}
