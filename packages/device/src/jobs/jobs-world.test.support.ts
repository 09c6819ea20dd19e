// A device whose network loses, repeats and delays what we say, in front of the jobs of one thing.
import { ThinglineError } from "@thingline/protocol";
import { parseTopicFilter, topicMatches } from "@thingline/protocol/mqtt/client";
import type { Clock, Files, Random } from "@thingline/transport";
import { createVirtualClock, createVirtualRandom, type VirtualClock } from "@thingline/transport/virtual";
import type { DeviceEventName, DeviceEvents } from "../client/events.js";
import type { DeviceState } from "../device.js";
import type { DeviceMessage, MessageListener } from "../topics/message.js";
import { DeviceSubscription } from "../topics/subscription.js";
import { JobsCloud } from "./jobs-cloud.test.support.js";
import { type JobRunner, runJobs, type RunJobsOptions } from "./index.js";
import { jobEventNames } from "./listeners.js";
import type { JobsDevice } from "./options.js";

const encoder = new TextEncoder();
export const thingName = "pump-7";

/** What becomes of a message on its way: when each of its copies arrives. */
export type Fate = (message: { topic: string; isToDevice: boolean }) => readonly number[];

export class JobsWorld {
  readonly clock: VirtualClock = createVirtualClock();
  readonly random: Random;
  readonly cloud: JobsCloud;
  device: FakeJobsDevice;
  fate: Fate = () => [0];

  constructor(seed: number | string = 1) {
    this.random = createVirtualRandom(seed);
    this.device = new FakeJobsDevice(this);
    this.cloud = new JobsCloud(thingName, {
      unixMs: () => this.clock.unixMs(),
      send: (topic, message) => {
        const payload = encoder.encode(JSON.stringify(message));
        // What is on its way to a connection that has ended is lost.
        const { device } = this;
        const { connectionCount } = device;
        this.#carry({ topic, isToDevice: true }, () => {
          if (device === this.device && device.connectionCount === connectionCount) device.receive(topic, payload);
        });
      },
    });
  }

  /** Of the device's. */
  toCloud(topic: string, payload: Uint8Array): void {
    this.#carry({ topic, isToDevice: false }, () => this.cloud.handle(topic, payload));
  }

  #carry(message: { topic: string; isToDevice: boolean }, arrive: () => void): void {
    for (const delayMs of this.fate(message)) this.clock.setTimer(delayMs, arrive);
  }

  /** Anything in between has time to happen. */
  async settle(ms = 0): Promise<void> {
    await this.clock.advance(ms);
    await this.clock.settle();
  }

  /** A job client, and what it tells. */
  async run(
    handlers: RunJobsOptions["handlers"],
    more: Partial<RunJobsOptions> & { clock?: Clock; files?: Files } = {},
  ): Promise<{ runner: JobRunner; events: string[]; errors: ThinglineError[] }> {
    const events: string[] = [];
    const errors: ThinglineError[] = [];
    const { clock, random } = this;
    const runner = await runJobs(this.device, { handlers, clock, random, ...more });
    for (const name of jobEventNames) {
      runner.on(name, (event) => {
        if ("error" in event) return void errors.push(event.error);
        const { jobId, executionNumber, ...others } = event;
        events.push([name, `${jobId}/${executionNumber}`, ...Object.values(others).map(shown)].join(" "));
      });
    }
    await this.settle();
    return { runner, events, errors };
  }

  /** Which requests the cloud got, without what is common to all. */
  get asked(): string[] {
    return this.cloud.requests.map(({ topic, members }) => {
      const { status } = members;
      return `${topic.split("/jobs/")[1] ?? ""}${typeof status === "string" ? ` ${status}` : ""}`;
    });
  }
}

const shown = (value: unknown): string => (typeof value === "string" ? value : JSON.stringify(value)) ?? "-";

interface Pending {
  topic: string;
  payload: Uint8Array;
  resolve: () => void;
  reject: (error: ThinglineError) => void;
}

/** What the fake device sends arrives here. */
export interface FakeDeviceWorld {
  toCloud(topic: string, payload: Uint8Array): void;
}

/** As a device behaves, as far as a job client or a download sees it. */
export class FakeJobsDevice implements JobsDevice {
  readonly clientId = thingName;
  readonly closed: Promise<void>;
  state: DeviceState = "ready";
  connectionCount = 1;
  subscribeError: ThinglineError | undefined;
  subscriptions: DeviceSubscription[] = [];
  /** PUBACK is lost with the connection: the message is sent again on the next one. */
  losesPuback: () => boolean = () => false;
  readonly #world: FakeDeviceWorld;
  readonly #listeners = new Map<DeviceEventName, Set<(event: never) => unknown>>();
  #pending: Pending[] = [];
  #close: () => void = () => undefined;
  isDead = false;

  constructor(world: FakeDeviceWorld) {
    this.#world = world;
    this.closed = new Promise((resolve) => (this.#close = resolve));
  }

  get listenerCount(): number {
    return [...this.#listeners.values()].reduce((sum, { size }) => sum + size, 0);
  }

  get filters(): string[] {
    return this.subscriptions.flatMap(({ filters }) => filters);
  }

  on<Name extends DeviceEventName>(name: Name, listener: (event: DeviceEvents[Name]) => unknown): () => void {
    const listeners = this.#listeners.get(name) ?? new Set();
    this.#listeners.set(name, listeners);
    listeners.add(listener);
    return () => listeners.delete(listener);
  }

  #emit(name: DeviceEventName, event: object): void {
    for (const listener of [...(this.#listeners.get(name) ?? [])]) listener(event as never);
  }

  connect(): void {
    if (this.state === "ready" || this.isDead) return;
    this.state = "ready";
    this.connectionCount += 1;
    for (const message of this.#pending.splice(0)) this.#send(message);
    this.#emit("ready", { isPersistentSession: false, refusedFilters: [] });
  }

  disconnect(error?: ThinglineError): void {
    if (this.state !== "ready") return;
    this.state = "waiting";
    this.connectionCount += 1;
    this.#emit("disconnected", { reason: "transport", retryInMs: 1, ...(error && { error }) });
  }

  /** As the process ends: nobody hears of it. */
  die(): void {
    this.isDead = true;
    this.state = "closed";
  }

  end(): void {
    this.disconnect();
    this.state = "closed";
    this.#close();
  }

  async publish(topic: string, payload: Uint8Array | string): Promise<void> {
    if (this.isDead) return new Promise(() => undefined);
    if (this.state === "closed") throw new ThinglineError("CLOSED", "closed");
    const bytes = typeof payload === "string" ? encoder.encode(payload) : payload.slice();
    return new Promise<void>((resolve, reject) => {
      const message = { topic, payload: bytes, resolve, reject };
      if (this.state === "ready") this.#send(message);
      else this.#pending.push(message);
    });
  }

  #send(message: Pending): void {
    this.#world.toCloud(message.topic, message.payload);
    if (this.losesPuback()) this.#pending.push(message);
    else message.resolve();
  }

  async subscribe(
    filters: string | readonly string[],
    listener?: MessageListener | object,
  ): Promise<DeviceSubscription> {
    if (this.subscribeError !== undefined) throw this.subscribeError;
    if (this.state !== "ready") throw new ThinglineError("CONNECTION_LOST", "no connection");
    const subscription = new DeviceSubscription({
      filters: typeof filters === "string" ? [filters] : filters,
      qos: 1,
      listener: (message) => void (listener as MessageListener)(message),
      queueMax: 100,
      isForData: false,
      unsubscribe: async (ended) => {
        this.subscriptions = this.subscriptions.filter((each) => each !== ended);
      },
    });
    this.subscriptions.push(subscription);
    return subscription;
  }

  receive(topic: string, payload: Uint8Array, more: Partial<DeviceMessage> = {}): void {
    if (this.isDead) return;
    const message: DeviceMessage = {
      topic,
      payload,
      qos: 1,
      isRetained: false,
      isDuplicate: false,
      packetId: 1,
      ...more,
    };
    for (const subscription of this.subscriptions) {
      if (!subscription.filters.some((filter) => topicMatches(parseTopicFilter(filter).filter, topic))) continue;
      void subscription.deliver(message);
    }
  }
}
