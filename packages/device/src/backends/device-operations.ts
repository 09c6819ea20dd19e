import { checkOptionTypes, optionInvalid, type OptionTypes } from "@thingline/protocol";
import { checkOptions } from "../client/check-options.js";
import { createDevice } from "../client/create-device.js";
import type { DeviceListeners } from "../client/events.js";
import type { DeviceOptions } from "../client/options.js";
import type { PollOptions, PollResult } from "../connection/held-input.js";
import { numberedConnecting, numberedDisconnected } from "../connection/numbers.js";
import type { Device } from "../device.js";
import { filtersOf } from "../topics/filters.js";
import { unsupported } from "./backend.js";
import {
  type CloudConfig,
  type CloudEndpoint,
  type CloudEndpointType,
  cloudEndpointTypes,
  type CloudEvent,
  type CloudHandler,
  type CloudMessage,
  type CloudOperations,
} from "./types.js";

/** What distinguishes one cloud of MQTT from another. */
export interface DeviceBackendRules {
  name: string;
  /** The options of the device for a client id; without one the backend's own. @throws {ThinglineError} OPTION_INVALID */
  optionsOf(config: CloudConfig): DeviceOptions;
  /** The topic of a state endpoint; undefined: this cloud has none. */
  stateTopicOf(type: Exclude<CloudEndpointType, "message">, clientId: string): string | undefined;
}

const endpointTypes = { type: "string", topic: "string" } as const satisfies OptionTypes<CloudEndpoint>;

const messageTypes = {
  endpoint: { options: endpointTypes },
  payload: "text",
  qos: "number",
} as const satisfies OptionTypes<CloudMessage>;

/** The operations of a backend that is a `Device`. */
export class DeviceOperations implements CloudOperations {
  readonly #rules: DeviceBackendRules;
  #device: Device | undefined;
  /** Asked for without a connection: application topics of the next one. */
  readonly #listed = new Set<string>();
  #topicsMax = 0;
  #handler: CloudHandler = () => undefined;

  constructor(rules: DeviceBackendRules) {
    this.#rules = rules;
  }

  init(config: CloudConfig, handler: CloudHandler): void {
    const options = this.#rules.optionsOf(config);
    this.#topicsMax = checkOptions(options).quotas.subscriptionsMax;
    this.#handler = handler;
    this.#listed.clear();
    for (const topic of options.applicationTopics ?? []) this.#listed.add(topic);
    this.#device = createDevice({ ...options, on: this.#listeners(options.driver === "application") });
  }

  async uninit(): Promise<void> {
    await this.#open.close();
    this.#device = undefined;
  }

  connect(): Promise<void> {
    return this.#open.connect({ applicationTopics: this.#listed });
  }

  disconnect(): Promise<void> {
    return this.#open.disconnect();
  }

  async send(message: CloudMessage): Promise<void> {
    checkOptionTypes(message, messageTypes, { of: "send()", required: ["endpoint", "payload"] });
    const { endpoint, payload, qos = 0 } = message;
    if (qos === 2) throw unsupported(this.#rules.name, "QoS 2");
    await this.#open.publish(this.#topicOf(endpoint), payload, { qos });
  }

  ping(): void {
    this.#open.ping();
  }

  keepAliveTimeLeftMs(): number {
    return this.#open.keepAliveTimeLeftMs();
  }

  poll(options?: PollOptions): Promise<PollResult> {
    return this.#open.poll(options);
  }

  input(): void {
    this.#open.input();
  }

  async subscriptionsAdd(endpoints: readonly CloudEndpoint[]): Promise<void> {
    const device = this.#open;
    const filters = filtersOf(endpoints.map(({ topic }) => requireTopic(topic)));
    if (device.state !== "idle") {
      await device.subscribe(filters, { toData: true });
      return;
    }
    const together = new Set([...this.#listed, ...filters]);
    if (together.size > this.#topicsMax) {
      throw optionInvalid("endpoints", `at most ${this.#topicsMax} topics in all`, together.size);
    }
    for (const filter of filters) this.#listed.add(filter);
  }

  async subscriptionsRemove(endpoints: readonly CloudEndpoint[]): Promise<void> {
    const filters = filtersOf(endpoints.map(({ topic }) => requireTopic(topic)));
    for (const filter of filters) this.#listed.delete(filter);
    await this.#open.unsubscribe(filters);
  }

  get #open(): Device {
    // The order of calls is the wrapper's business.
    return this.#device as Device;
  }

  #topicOf({ type = "message", topic }: CloudEndpoint): string {
    if (type === "message") return requireTopic(topic);
    if (!Object.hasOwn(cloudEndpointTypes, type)) {
      throw optionInvalid("endpoint.type", Object.keys(cloudEndpointTypes).join(", "), String(type));
    }
    const stateTopic = this.#rules.stateTopicOf(type, this.#open.clientId);
    if (stateTopic === undefined) throw unsupported(this.#rules.name, `the endpoint ${type}`);
    return stateTopic;
  }

  #listeners(isDriven: boolean): DeviceListeners {
    const tell = (event: CloudEvent): void | Promise<void> => this.#handler(event);
    return {
      connecting: (event) => (isDriven ? undefined : tell(numberedConnecting(event))),
      connected: ({ isPersistentSession }) => tell({ type: "connected", isPersistentSession }),
      ready: () => tell({ type: "ready" }),
      disconnected: (event) => tell(numberedDisconnected(event)),
      data: ({ topic, payload, qos }) =>
        tell({ type: "dataReceived", message: { endpoint: { type: "message", topic }, payload, qos } }),
      puback: ({ packetId }) => tell({ type: "dataSent", messageId: packetId }),
      warning: ({ warning }) => tell({ type: "error", error: warning }),
      recordTooLarge: ({ error }) => tell({ type: "error", error }),
      error: ({ error }) => tell({ type: "error", error }),
    };
  }
}

function requireTopic(topic: string | undefined): string {
  if (typeof topic === "string" && topic !== "") return topic;
  throw optionInvalid(
    "endpoint.topic",
    'a topic with the endpoint "message"',
    topic === "" ? "an empty one" : typeof topic,
  );
}
