import { isThinglineError, kindOf, optionInvalid, readOptions, ThinglineError } from "@thingline/protocol";
import { OutboundPublish } from "@thingline/protocol/mqtt/client";
import type { JsonObject } from "@thingline/protocol/shadow/client";
import type { Connection, Random } from "@thingline/transport";
import { alreadyConnectedError } from "../connection/errors.js";
import type { HeldInput, PollOptions, PollResult } from "../connection/held-input.js";
import type { ConnectOptions, Device, DeviceState, PublishOptions } from "../device.js";
import { abortedError } from "../errors.js";
import type { OfflineQueue } from "../offline-queue/offline-queue.js";
import type { OfflineMessage, OfflineQueueStats } from "../offline-queue/types.js";
import type { ShadowClient } from "../shadow/shadow-client.js";
import { DeviceShadows } from "../shadow/shadows.js";
import type { RefusedFilter } from "../topics/filters.js";
import type { MessageListener } from "../topics/message.js";
import type { DeviceSubscription, SubscribeOptions } from "../topics/subscription.js";
import { abortable, type Settle } from "../topics/waiter.js";
import { announcedRecordBytesOf, type CheckedOptions, topicsOf } from "./check-options.js";
import { checkSecTag, secTagWarning } from "./check-reach.js";
import { DeviceCore } from "./device-core.js";
import type { DeviceEventName, DeviceListener } from "./events.js";
import { connectOptionTypes, pollOptionTypes, signalOptionTypes, subscribeOptionTypes } from "./option-types.js";
import type { DeviceOptions } from "./options.js";
import { checkPublishOptions, checkUntil, copyProperties, requireBytes, unreadablePublish } from "./publish-options.js";

const ignore: Settle = () => undefined;
const done = Promise.resolve();
const noOptions: PublishOptions = {};
const encoder = new TextEncoder();

/** The one implementation of {@link Device}: checks what the application asks for, and hands it to the parts. */
export class DeviceClient implements Device {
  readonly #core: DeviceCore;
  readonly #random: Random;
  readonly #hasSecTag: boolean;
  #warning: ThinglineError | undefined;
  #opening: { isAbandoned: boolean } | undefined;
  #closed: Promise<void> | undefined;

  /** @param isHolding messages of the first connection wait until its caller can have added listeners */
  constructor(options: DeviceOptions, checked: CheckedOptions, isHolding: boolean) {
    this.#core = new DeviceCore(options, checked, isHolding);
    this.#random = options.random;
    const { secTag } = options as { secTag?: number };
    this.#hasSecTag = secTag !== undefined;
    this.#warning = secTag === undefined ? undefined : secTagWarning(secTag);
  }

  get clientId(): string {
    return this.#core.checked.session.clientId;
  }

  get closed(): Promise<void> {
    const { connector, offline } = this.#core;
    // The folder of the queue stays ours until the session has said what became of each message.
    this.#closed ??= connector.closed.then(() => offline?.close());
    return this.#closed;
  }

  get state(): DeviceState {
    return this.#core.connector.state;
  }

  get isConnected(): boolean {
    return this.#core.session.state === "connected";
  }

  get isPersistentSession(): boolean {
    return this.#core.isPersistentSession;
  }

  get refusedFilters(): readonly RefusedFilter[] {
    return this.#core.refusedFilters;
  }

  get connection(): Connection | undefined {
    return this.#core.connector.open?.connection;
  }

  get offlineQueue(): OfflineQueueStats | undefined {
    return this.#core.offline?.stats;
  }

  on<Name extends DeviceEventName>(name: Name, listener: DeviceListener<Name>): () => void {
    return this.#core.hub.on(name, listener);
  }

  off<Name extends DeviceEventName>(name: Name, listener: DeviceListener<Name>): void {
    this.#core.hub.off(name, listener);
  }

  // ---- connections ---------------------------------------------------------------------------------------------

  async connect(options: ConnectOptions = {}): Promise<void> {
    const { connector, offline, topics, checked } = this.#core;
    const { signal, applicationTopics, secTag } = readOptions(options, connectOptionTypes, { of: "connect()" });
    const filters = applicationTopics === undefined ? undefined : topicsOf(applicationTopics, checked.quotas);
    if (secTag !== undefined) checkSecTag(secTag, this.#hasSecTag);
    connector.requireIdle();
    if (secTag !== undefined) this.#warning = secTagWarning(secTag);
    this.#warnOnce();
    // A listener of the warning may have done anything.
    connector.requireIdle();
    if (offline?.isOpen === false) await this.#openQueue(offline);
    if (filters !== undefined) topics.router.applicationTopics = filters;
    await connector.connect(signal, secTag);
  }

  /** The device is idle all the while; whoever disconnects it means this call. */
  async #openQueue(offline: OfflineQueue): Promise<void> {
    if (this.#opening !== undefined) throw alreadyConnectedError("reading its offline queue");
    const opening = { isAbandoned: false };
    this.#opening = opening;
    try {
      await offline.open();
    } finally {
      this.#opening = undefined;
    }
    this.#core.connector.requireIdle();
    if (opening.isAbandoned) throw new ThinglineError("ABORTED", "disconnect() was called before the device was ready");
  }

  #warnOnce(): void {
    const warning = this.#warning;
    this.#warning = undefined;
    if (warning !== undefined) this.#core.emit("warning", { warning });
  }

  disconnect(): Promise<void> {
    if (this.#opening !== undefined) this.#opening.isAbandoned = true;
    return this.#core.connector.disconnect();
  }

  close(): Promise<void> {
    const { closed } = this;
    void this.#core.connector.close();
    return closed;
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.close();
  }

  // ---- publishing ----------------------------------------------------------------------------------------------

  publish(topic: string, payload: Uint8Array | string, options: PublishOptions = noOptions): Promise<void> {
    try {
      return this.#publish(topic, payload, options);
    } catch (thrown) {
      return rejection(isThinglineError(thrown) ? thrown : unreadablePublish(options, thrown));
    }
  }

  #publish(topic: string, payload: Uint8Array | string, options: PublishOptions): Promise<void> {
    const { connector, checked } = this.#core;
    if (options !== noOptions) checkPublishOptions(options);
    const { qos = 1, isRetained = false, properties: given, until, expiresAfterMs, signal } = options;
    const properties = given === undefined ? undefined : copyProperties(given);
    const offline = qos === 1 ? this.#core.offline : undefined;
    if (qos !== 0 && qos !== 1) throw optionInvalid("qos", "0 or 1", qos);
    if (properties !== undefined && checked.session.version === 4) {
      throw optionInvalid("properties", "none in MQTT 3.1.1", "an object");
    }
    if (typeof topic !== "string") throw optionInvalid("topic", "a string", kindOf(topic));
    const bytes = typeof payload === "string" ? encoder.encode(payload) : requireBytes(payload);
    checkUntil(until, expiresAfterMs, offline !== undefined);
    // What is wrong with the call is told first: it is wrong with a connection, too.
    if (offline === undefined) connector.requireActive();
    else connector.requireOpen();
    if (signal?.aborted) throw abortedError(signal);
    checked.quotas.checkPublish(topic, bytes, properties);
    if (connector.history.isRecordCautious) this.#core.noteAsk(topic);
    const publish = new OutboundPublish<Settle>(topic, bytes, qos, isRetained, ignore, properties);
    const isSent = this.#sendDirectly(publish, until, offline);
    if (isSent === undefined) return this.#publishOffline(publish, until, expiresAfterMs, signal);
    connector.open?.arm();
    // What the connection took at once needs no promise of its own.
    if (isSent && qos === 0) return done;
    return new Promise<void>((resolve, reject) => {
      const settle: Settle = (outcome) => (outcome instanceof ThinglineError ? reject(outcome) : resolve());
      publish.owner = abortable(signal, settle, () => {
        this.#core.session.abandon(publish);
        this.#core.checkDrained();
      });
    });
  }

  /** @returns as the session, or undefined: it has to go through the offline queue */
  #sendDirectly(
    publish: OutboundPublish<Settle>,
    until: PublishOptions["until"],
    offline: OfflineQueue | undefined,
  ): boolean | undefined {
    const { connector, session, clock } = this.#core;
    const isPast = offline === undefined || (offline.isPassable && connector.state === "ready");
    if (!isPast || until === "stored") return undefined;
    try {
      return session.publish(publish, clock.monotonicMs());
    } catch (error) {
      // The session's own queue is full.
      if (offline === undefined || !isThinglineError(error, "LIMIT_EXCEEDED")) throw error;
      return undefined;
    }
  }

  async #publishOffline(
    { topic, payload, isRetained, properties }: OfflineMessage,
    until: PublishOptions["until"] = "acknowledged",
    expiresAfterMs: number | undefined,
    signal: AbortSignal | undefined,
  ): Promise<void> {
    const message = { topic, payload, isRetained, ...(properties === undefined ? {} : { properties }) };
    await this.#core.offline?.publish(message, { until, expiresAfterMs, signal });
  }

  // ---- topics and shadows --------------------------------------------------------------------------------------

  async subscribe(
    filters: string | readonly string[],
    second: MessageListener | SubscribeOptions = {},
    third: SubscribeOptions = {},
  ): Promise<DeviceSubscription> {
    const [listener, options] = typeof second === "function" ? [second, third] : [undefined, second];
    const read = readOptions(options, subscribeOptionTypes, { of: "subscribe()" });
    return this.#core.topics.subscribe(filters, listener, read);
  }

  async unsubscribe(filters: string | readonly string[], options: { signal?: AbortSignal } = {}): Promise<void> {
    const { signal } = readOptions(options, signalOptionTypes, { of: "unsubscribe()" });
    return this.#core.topics.unsubscribe(filters, signal);
  }

  shadow<State extends JsonObject = JsonObject>(name?: string): ShadowClient<State> {
    const core = this.#core;
    core.shadows ??= new DeviceShadows({
      clientId: this.clientId,
      clock: core.clock,
      random: this.#random,
      publish: (topic, payload, how) => this.publish(topic, payload, how),
      subscribe: (filters, listener) => this.subscribe(filters, listener),
      report: (error) => core.emit("error", { error }),
      answerBytesMax: announcedRecordBytesOf(core.checked),
    });
    if (core.connector.state === "closed") core.shadows.end();
    return core.shadows.get(name) as unknown as ShadowClient<State>;
  }

  // ---- driven by the application -------------------------------------------------------------------------------

  ping(): void {
    const { connector, session, clock } = this.#core;
    connector.requireActive();
    try {
      session.ping(clock.monotonicMs());
    } finally {
      connector.open?.arm();
    }
  }

  keepAliveTimeLeftMs(): number {
    const { session, clock } = this.#core;
    return session.keepAliveTimeLeftMs(clock.monotonicMs());
  }

  async poll(options: PollOptions = {}): Promise<PollResult> {
    const held = this.#requireDriven("poll()");
    return held.poll(readOptions(options, pollOptionTypes, { of: "poll()" }));
  }

  input(): void {
    this.#requireDriven("input()");
    const { connector } = this.#core;
    connector.requireActive();
    connector.open?.input();
  }

  /** @throws {ThinglineError} CLOSED, DRIVER_MISMATCH */
  #requireDriven(call: string): HeldInput {
    const { connector, held } = this.#core;
    connector.requireOpen();
    if (held !== undefined) return held;
    const message = `${call} is for devices with \`driver: "application"\`: this one handles its input by itself`;
    throw new ThinglineError("DRIVER_MISMATCH", message);
  }
}

async function rejection(error: unknown): Promise<never> {
  throw error;
}
