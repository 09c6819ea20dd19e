// A connected device without a network: what the world of the provisioning flow hands out for each connection. No tests here.
import { ThinglineError } from "@thingline/protocol";
import type { SecureInfo } from "@thingline/transport";
import type { VirtualClock } from "@thingline/transport/virtual";
import type { DeviceEventName, DeviceEvents, DeviceListener } from "../client/events.js";
import type { ConnectDeviceOptions } from "../client/options.js";
import type { Device } from "../device.js";
import type { MessageListener } from "../topics/message.js";
import type { DeviceSubscription } from "../topics/subscription.js";

/** What is around a device. */
export interface FakeSurroundings {
  readonly clock: VirtualClock;
  readonly isPowered: boolean;
  readonly devices: Set<FakeDevice>;
  /** Something takes a while; without power, for ever. */
  tick(delayMs?: number): Promise<void>;
  published(device: FakeDevice, topic: string, payload: Uint8Array, qos: 0 | 1): void;
}

export class FakeDevice implements Device {
  readonly clientId: string;
  readonly secTag: number;
  readonly options: ConnectDeviceOptions;
  isConnected = true;
  readonly state = "ready";
  readonly isPersistentSession = false;
  readonly refusedFilters = [];
  readonly offlineQueue = undefined;
  readonly connection;
  readonly closed: Promise<void>;
  readonly filters: string[] = [];
  readonly #world: FakeSurroundings;
  readonly #listeners = new Map<string, Set<(event: never) => unknown>>();
  readonly #subscriptions: { filter: string; listener: MessageListener }[] = [];
  #resolveClosed: () => void = () => undefined;

  constructor(world: FakeSurroundings, options: ConnectDeviceOptions, isResumed: boolean) {
    this.#world = world;
    this.options = options;
    this.clientId = options.clientId;
    this.secTag = "secTag" in options ? options.secTag : -1;
    const secure: SecureInfo = {
      protocol: "TLSv1.2",
      cipher: "fake",
      peerCertificate: undefined,
      serverName: "cloud.test",
      alpnProtocol: undefined,
      isResumed,
    };
    this.connection = { secure, local: { host: "", port: 0 }, remote: { host: "", port: 0 } };
    this.closed = new Promise((resolve) => (this.#resolveClosed = resolve));
  }

  on<Name extends DeviceEventName>(name: Name, listener: DeviceListener<Name>): () => void {
    const listeners = this.#listeners.get(name) ?? new Set();
    this.#listeners.set(name, listeners.add(listener));
    return () => listeners.delete(listener);
  }

  off<Name extends DeviceEventName>(name: Name, listener: DeviceListener<Name>): void {
    this.#listeners.get(name)?.delete(listener);
  }

  async subscribe(filters: string | readonly string[], second?: unknown): Promise<DeviceSubscription> {
    await this.#world.tick(50);
    this.#requireConnected();
    if (typeof second !== "function") throw new Error("filters and a listener expected");
    for (const filter of typeof filters === "string" ? [filters] : filters) {
      this.filters.push(filter);
      this.#subscriptions.push({ filter, listener: second as MessageListener });
    }
    return undefined as unknown as DeviceSubscription;
  }

  async publish(topic: string, payload: Uint8Array | string, options: { qos?: 0 | 1 } = {}): Promise<void> {
    await this.#world.tick();
    this.#requireConnected();
    this.#world.published(this, topic, payload as Uint8Array, options.qos ?? 0);
  }

  receive(topic: string, payload: Uint8Array): void {
    if (!this.isConnected || !this.#world.isPowered) return;
    for (const { filter, listener } of this.#subscriptions) {
      const prefix = filter.replace(/\+$/u, "");
      if (topic !== filter && !(filter.endsWith("+") && topic.startsWith(prefix))) continue;
      void listener({ topic, payload, qos: 1, isRetained: false, isDuplicate: false, packetId: 1 });
    }
  }

  async connect(): Promise<void> {
    throw new ThinglineError("ALREADY_CONNECTED", "a fake device has one connection");
  }

  ping(): void {
    this.#world.clock.setTimer(30, () => {
      if (this.isConnected) this.#emit("pingresp", {});
    });
  }

  lose(reason: string): void {
    if (!this.isConnected) return;
    this.#end({ reason: "closedByRemote", error: new ThinglineError("CONNECTION_LOST", reason) });
  }

  async disconnect(): Promise<void> {
    if (this.isConnected) this.#end({ reason: "userRequest" });
    await this.#world.tick();
  }

  close(): Promise<void> {
    return this.disconnect();
  }

  async unsubscribe(): Promise<void> {
    throw new Error("not expected");
  }

  shadow(): never {
    throw new Error("not expected");
  }

  poll(): never {
    throw new Error("not expected");
  }

  input(): never {
    throw new Error("not expected");
  }

  keepAliveTimeLeftMs(): number {
    return 0;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.disconnect();
  }

  #end(event: DeviceEvents["disconnected"]): void {
    this.isConnected = false;
    this.#world.devices.delete(this);
    this.#emit("disconnected", event);
    this.#resolveClosed();
  }

  #emit<Name extends DeviceEventName>(name: Name, event: DeviceEvents[Name]): void {
    for (const listener of [...(this.#listeners.get(name) ?? [])]) void (listener as DeviceListener<Name>)(event);
  }

  #requireConnected(): void {
    if (!this.isConnected) throw new ThinglineError("CONNECTION_LOST", "the connection ended");
  }
}
