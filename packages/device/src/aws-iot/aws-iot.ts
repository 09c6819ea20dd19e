import {
  checkOptionTypes,
  isThinglineError,
  kindOf,
  optionInvalid,
  type OptionTypes,
  ThinglineError,
} from "@thingline/protocol";
import type { AwsIotSettings } from "@thingline/protocol/kconfig";
import { parseTopicFilter } from "@thingline/protocol/mqtt/client";
import { shadowTopic } from "@thingline/protocol/shadow/client";
import {
  type Clock,
  clockOption,
  type Dialer,
  dialerOption,
  type Random,
  randomOption,
  type SecTagDialer,
  secTagDialerOption,
  type TlsClientOptions,
} from "@thingline/transport";
import { checkOptions } from "../client/check-options.js";
import { createDevice } from "../client/create-device.js";
import type { DeviceListeners } from "../client/events.js";
import { deviceReachTypes, deviceSettingTypes, withoutTypes } from "../client/option-types.js";
import type { DeviceOptions, DeviceSettings } from "../client/options.js";
import type { PollOptions, PollResult } from "../connection/held-input.js";
import { numberedConnecting, numberedDisconnected } from "../connection/numbers.js";
import type { Device } from "../device.js";
import { filtersPerPacketMax } from "../topics/filters.js";
import type { AwsIotEvent, AwsIotHandler } from "./events.js";
import { deviceOptionsOf } from "./kconfig-options.js";

/** What the library runs on. With `secTagDialer` the security tag of the settings is used, or the one given to `connect()`. */
export type AwsIotAdapters = { clock: Clock; random: Random } & (
  | { secTagDialer: SecTagDialer }
  | { dialer: Dialer; tls?: TlsClientOptions }
);

/** Options of {@link createDevice} that the original has no configuration for, or another one. */
export interface AwsIotOptions extends Partial<
  Omit<DeviceSettings, "clock" | "random" | "clientId" | "applicationTopics" | "on">
> {
  /**
   * Whether {@link AwsIot.subscriptionTopicsAdd} wants exactly `CONFIG_AWS_IOT_APP_SUBSCRIPTION_LIST_COUNT` topics, as the original
   * does, or anything up to {@link filtersPerPacketMax}. Default true.
   */
  checksTopicCount?: boolean;
}

/** What a message is about: a request to the shadow service, or `none`: the topic is the application's. */
export type AwsIotTopicType = "none" | "get" | "update" | "delete";

export interface AwsIotMessage {
  /** Default `none`. With another type the topic is the shadow's, and `topic` is ignored as in the original. */
  type?: AwsIotTopicType;
  topic?: string;
  /** Default empty. */
  payload?: Uint8Array | string;
  /** Default 0, as a zeroed structure of the original. */
  qos?: 0 | 1;
  /** Default false. */
  isRetained?: boolean;
}

/**
 * Nordic's aws_iot library of 2022, call by call, over a `Device`. Where numbers are returned there, promises reject or calls
 * throw here, with a {@link ThinglineError}; `connectResultOf(error)` is the result of `connect()`.
 *
 * Every call but `init` and `close` is refused with NOT_INITIALISED until {@link init} has succeeded, and with CLOSED after {@link close}.
 */
export interface AwsIot {
  /**
   * Checks the configuration and takes the handler of all events. Nothing is opened. After a failure it may be called again.
   *
   * @param config.clientId needed with `CONFIG_AWS_IOT_CLIENT_ID_APP`, of fewer bytes than
   * `CONFIG_AWS_IOT_CLIENT_ID_MAX_LEN`; otherwise not used, as in the original.
   * @throws {ThinglineError} OPTION_INVALID; ALREADY_INITIALISED the second time.
   */
  init(config: { clientId?: string } | undefined, handler: AwsIotHandler): void;

  /**
   * Connects. With the library's loop it resolves when the device is ready; with the application's
   * (`CONFIG_AWS_IOT_CONNECTION_POLL_THREAD=n`) when CONNECT is sent, and {@link poll} and {@link input} do the rest. Unless the
   * option `reconnect` says otherwise, nothing is tried again: the application connects anew, as with the original.
   *
   * @param config.secTag replaces the security tag, and stays for later calls
   * @throws {ThinglineError} as `Device.connect`
   */
  connect(config?: { secTag?: number }): Promise<void>;
  /** As `Device.disconnect`. @throws {ThinglineError} CONNECTION_LOST when there is nothing to disconnect. */
  disconnect(): Promise<void>;

  /**
   * Publishes. It resolves with PUBACK, or when a QoS 0 message was handed on; `puback` events come as well. A loop of the
   * application does not wait for it. The packet identifier is the library's choice.
   *
   * @throws {ThinglineError} OPTION_INVALID: an unknown type, or `none` without a topic; else as `Device.publish`.
   */
  send(message: AwsIotMessage): Promise<void>;

  /** As `Device.input`, `Device.poll`, `Device.ping` and `Device.keepAliveTimeLeftMs`. */
  input(): void;
  poll(options?: PollOptions): Promise<PollResult>;
  ping(): void;
  keepAliveTimeLeftMs(): number;

  /**
   * Replaces the application's list of topics, each subscribed with QoS 1 at the next connection that does not resume a session.
   *
   * @throws {ThinglineError} OPTION_INVALID: none, another number than configured, more than {@link filtersPerPacketMax}, or no
   * topic filter; the list stays as it was.
   */
  subscriptionTopicsAdd(topics: readonly string[]): void;
  /** Empties the list. The cloud keeps what a persistent session has subscribed. */
  subscriptionTopicsClear(): void;

  /** At run time, unlike the list; messages are `dataReceived` events, one for each. @throws {ThinglineError} as `Device.subscribe` */
  subscribe(filters: string | readonly string[]): Promise<void>;
  unsubscribe(filters: string | readonly string[]): Promise<void>;

  /** What is underneath, for what the original has no call for. @throws {ThinglineError} NOT_INITIALISED, CLOSED */
  readonly device: Device;

  /** Ends everything, for ever; resolves when no timer and no socket is left. */
  close(): Promise<void>;
  [Symbol.asyncDispose](): Promise<void>;
}

/**
 * The aws_iot library with a configuration:
 *
 * ```ts
 * const { config } = loadKconfig([{ file: "prj.conf", text }]);
 * await using awsIot = createAwsIot(awsIotSettings(config), { secTagDialer, clock, random });
 * awsIot.init(undefined, (event) => console.log(event.type));
 * await awsIot.connect();
 * ```
 */
export function createAwsIot(settings: AwsIotSettings, adapters: AwsIotAdapters, options: AwsIotOptions = {}): AwsIot {
  const of = "createAwsIot()";
  if (typeof settings !== "object" || (settings as unknown) === null) {
    throw optionInvalid("settings", "what awsIotSettings() makes of a configuration", kindOf(settings));
  }
  checkOptionTypes(adapters, adapterTypes, { of, required: ["clock", "random"] });
  checkOptionTypes(options, optionTypes, { of });
  const { checksTopicCount: _, ...deviceOptions } = options;
  const credentials = (adapters as { secTagDialer?: unknown }).secTagDialer === undefined ? {} : { secTag: 0 };
  // Address and client id are the configuration's, which is looked at by init().
  checkOptions({ host: "any", clientId: "any", ...deviceOptions, ...adapters, ...credentials } as DeviceOptions, of);
  return new AwsIotLibrary(settings, adapters, options);
}

const adapterTypes = {
  clock: clockOption,
  random: randomOption,
  secTagDialer: secTagDialerOption,
  dialer: dialerOption,
  tls: deviceReachTypes.tls,
} as const satisfies OptionTypes<AwsIotAdapters>;

const messageTypes = {
  type: "string",
  topic: "string",
  payload: "text",
  qos: "number",
  isRetained: "boolean",
} as const satisfies OptionTypes<AwsIotMessage>;

const optionTypes = {
  ...withoutTypes(deviceSettingTypes, "clock", "random", "clientId", "applicationTopics", "on"),
  checksTopicCount: "boolean",
} as const satisfies OptionTypes<AwsIotOptions>;

class AwsIotLibrary implements AwsIot {
  readonly #settings: AwsIotSettings;
  readonly #adapters: AwsIotAdapters;
  readonly #options: Omit<AwsIotOptions, "checksTopicCount">;
  readonly #checksTopicCount: boolean;
  #device: Device | undefined;
  #handler: AwsIotHandler = () => undefined;
  #isClosed = false;
  /** Undefined: the device knows the list. */
  #topics: readonly string[] | undefined;

  constructor(
    settings: AwsIotSettings,
    adapters: AwsIotAdapters,
    { checksTopicCount = true, ...options }: AwsIotOptions,
  ) {
    this.#settings = settings;
    this.#adapters = adapters;
    this.#options = options;
    this.#checksTopicCount = checksTopicCount;
  }

  init(config: { clientId?: string } | undefined, handler: AwsIotHandler): void {
    this.#requireOpen();
    if (this.#device !== undefined) {
      throw new ThinglineError("ALREADY_INITIALISED", "init() has succeeded before: it is called once");
    }
    if (typeof handler !== "function") throw optionInvalid("handler", "a function", kindOf(handler));
    checkOptionTypes(config ?? {}, { clientId: "string" }, { of: "init()" });
    const { clientId } = config ?? {};
    // The original looks at the given client id only when it is configured to.
    const isGiven = this.#settings.clientId === undefined && clientId !== undefined;
    this.#device = createDevice({
      reconnect: false,
      ...deviceOptionsOf(this.#settings, isGiven ? { clientId } : {}),
      ...this.#options,
      ...this.#credentials(),
      on: this.#listeners(),
    } as DeviceOptions);
    this.#handler = handler;
  }

  #credentials(): AwsIotAdapters & { secTag?: number } {
    const hasTags = "secTagDialer" in this.#adapters && (this.#adapters.secTagDialer as unknown) !== undefined;
    return hasTags ? { ...this.#adapters, secTag: this.#settings.secTag } : this.#adapters;
  }

  get device(): Device {
    return this.#initialised();
  }

  async connect(config: { secTag?: number } = {}): Promise<void> {
    const device = this.#initialised();
    checkOptionTypes(config, { secTag: "number" }, { of: "connect()" });
    const { secTag } = config;
    const topics = this.#topics;
    await device.connect({
      ...(secTag === undefined ? {} : { secTag }),
      ...(topics === undefined ? {} : { applicationTopics: topics }),
    });
  }

  async disconnect(): Promise<void> {
    const device = this.#initialised();
    if (device.state === "idle") throw new ThinglineError("CONNECTION_LOST", "there is no connection to end");
    await device.disconnect();
  }

  async send(message: AwsIotMessage): Promise<void> {
    const device = this.#initialised();
    checkOptionTypes(message, messageTypes, { of: "send()" });
    const { type = "none", topic, payload = "", qos = 0, isRetained = false } = message;
    await device.publish(topicOf(device.clientId, type, topic), payload, { qos, isRetained });
  }

  input(): void {
    this.#initialised().input();
  }

  async poll(options?: PollOptions): Promise<PollResult> {
    return this.#initialised().poll(options);
  }

  ping(): void {
    this.#initialised().ping();
  }

  keepAliveTimeLeftMs(): number {
    return this.#initialised().keepAliveTimeLeftMs();
  }

  subscriptionTopicsAdd(topics: readonly string[]): void {
    this.#initialised();
    if (!Array.isArray(topics)) throw optionInvalid("topics", "an array of topic filters", kindOf(topics));
    const count = this.#settings.appSubscriptionCount;
    const expected = this.#checksTopicCount
      ? `exactly CONFIG_AWS_IOT_APP_SUBSCRIPTION_LIST_COUNT=${count} of them, and not none`
      : `1..${filtersPerPacketMax} of them`;
    const isCounted = this.#checksTopicCount ? topics.length === count : topics.length <= filtersPerPacketMax;
    if (topics.length === 0 || !isCounted) throw optionInvalid("topics", expected, topics.length);
    this.#topics = topics.map(checkFilter);
  }

  subscriptionTopicsClear(): void {
    this.#initialised();
    this.#topics = [];
  }

  async subscribe(filters: string | readonly string[]): Promise<void> {
    const device = this.#initialised();
    await device.subscribe(filters, { toData: true });
  }

  async unsubscribe(filters: string | readonly string[]): Promise<void> {
    await this.#initialised().unsubscribe(filters);
  }

  async close(): Promise<void> {
    this.#isClosed = true;
    await this.#device?.close();
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.close();
  }

  #requireOpen(): void {
    if (this.#isClosed) throw new ThinglineError("CLOSED", "close() was called");
  }

  #initialised(): Device {
    this.#requireOpen();
    if (this.#device !== undefined) return this.#device;
    const details = { connectResult: "notInitialised" };
    throw new ThinglineError("NOT_INITIALISED", "init() has to succeed before any other call", { details });
  }

  #listeners(): DeviceListeners {
    const tell = (event: AwsIotEvent): void | Promise<void> => this.#handler(event);
    const hasPollThread =
      (this.#options.driver ?? (this.#settings.usesPollThread ? "library" : "application")) === "library";
    return {
      connecting: (event) => (hasPollThread ? tell(numberedConnecting(event)) : undefined),
      connected: ({ isPersistentSession }) => tell({ type: "connected", isPersistentSession }),
      ready: (event) => tell({ type: "ready", ...event }),
      data: (message) => tell({ type: "dataReceived", message }),
      puback: ({ packetId }) => tell({ type: "puback", messageId: packetId }),
      pingresp: () => tell({ type: "pingresp" }),
      disconnected: (event) => tell(numberedDisconnected(event)),
      warning: ({ warning }) => tell({ type: "warning", warning }),
      recordTooLarge: ({ error }) => tell({ type: "error", error }),
      error: ({ error }) => tell({ type: "error", error, ...connackCodeOf(error) }),
    };
  }
}

function topicOf(clientId: string, type: AwsIotTopicType, topic: string | undefined): string {
  switch (type) {
    case "get":
    case "update":
    case "delete":
      return shadowTopic({ thingName: clientId }, type);
    case "none":
      if (topic !== undefined) return topic;
      throw optionInvalid("topic", 'a topic with the type "none"', "none");
    default:
      throw optionInvalid("type", "none, get, update or delete", String(type));
  }
}

function checkFilter(filter: string, index: number): string {
  const option = `topics[${index}]`;
  if (typeof filter !== "string") throw optionInvalid(option, "a topic filter", typeof filter);
  try {
    parseTopicFilter(filter);
  } catch (error) {
    if (!isThinglineError(error)) throw error;
    throw optionInvalid(option, "a topic filter", `"${filter}": ${error.message}`);
  }
  return filter;
}

function connackCodeOf(error: Error): { connackCode?: number } {
  if (!isThinglineError(error, "MQTT_CONNECT_REFUSED")) return {};
  return { connackCode: Number(error.details["reasonCode"]) };
}
