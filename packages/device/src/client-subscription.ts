import { ThinglineError } from "@thingline/protocol";
import { parseTopicFilter, topicMatches } from "@thingline/protocol/mqtt";
import type { DeviceMessage } from "./client-events.js";

export type MessageListener = (message: DeviceMessage) => void | Promise<void>;

/** What a listener or queue makes of a message: done, or done when the promise resolves (it never rejects). */
export type Delivery = Promise<void> | undefined;

export const defaultSubscriptionQueueMax = 100;

interface QueuedMessage {
  message: DeviceMessage;
  done: () => void;
}

type Ending = { error: ThinglineError | undefined };

/**
 * Topic filters subscribed at run time. Without a listener it is an AsyncIterable for one loop: messages wait in a
 * queue, and a QoS 1 message is acknowledged when the loop asks for the next one. Leaving the loop unsubscribes.
 *
 * It lives on across reconnects and across `disconnect()` followed by `connect()`: the device subscribes again where the cloud
 * has forgotten it. It ends with `close()`, of its own or of the device, without an error; with one when the cloud refuses a
 * filter that it took before, and when the device gives up.
 *
 * Overflow: when `queueMax` messages wait, a further QoS 0 message is dropped, counted and reported. QoS 1 messages
 * are never dropped: they stay unacknowledged, and the cloud stops at its limit (100 at AWS IoT).
 */
export class DeviceSubscription implements AsyncIterable<DeviceMessage> {
  readonly filters: readonly string[];
  /** One for each filter: what the cloud granted. */
  grantedQos: readonly number[] = [];
  droppedCount = 0;
  /** As asked for. */
  readonly qos: 0 | 1;
  /** For the device: the cloud has granted it once, so that it is restored with every connection. */
  isEstablished = false;
  /** For the device: it has no consumer of its own. */
  readonly isForData: boolean;
  readonly #listener: ((message: DeviceMessage) => Delivery) | undefined;
  readonly #queueMax: number;
  readonly #unsubscribe: (subscription: DeviceSubscription) => Promise<void>;
  readonly #queue: QueuedMessage[] = [];
  readonly #whenEnded: ((error: ThinglineError | undefined) => void)[] = [];
  #ending: Ending | undefined;
  #closing: Promise<void> | undefined;
  #wake: (() => void) | undefined;
  #isIterated = false;

  constructor(options: {
    filters: readonly string[];
    qos: 0 | 1;
    listener: ((message: DeviceMessage) => Delivery) | undefined;
    queueMax: number;
    isForData: boolean;
    unsubscribe: (subscription: DeviceSubscription) => Promise<void>;
  }) {
    this.filters = options.filters;
    this.qos = options.qos;
    this.#listener = options.listener;
    this.#queueMax = options.queueMax;
    this.isForData = options.isForData;
    this.#unsubscribe = options.unsubscribe;
  }

  get isClosed(): boolean {
    return this.#ending !== undefined;
  }

  /** Hands a message over. @returns "dropped" when the queue was full. @internal */
  deliver(message: DeviceMessage): Delivery | "dropped" {
    if (this.#ending !== undefined) return undefined;
    if (this.#listener !== undefined) return this.#listener(message);
    if (message.qos === 0 && this.#queue.length >= this.#queueMax) {
      this.droppedCount += 1;
      return "dropped";
    }
    return new Promise<void>((done) => {
      this.#queue.push({ message, done });
      this.#wake?.();
    });
  }

  /**
   * No more messages come. An error is thrown into the loop, after what is queued. Without a loop
   * what is queued is settled, or its acknowledgement would hold up those behind it.
   *
   * @internal
   */
  end(error: ThinglineError | undefined): void {
    if (this.#ending !== undefined) return;
    this.#ending = { error };
    if (!this.#isIterated) this.#settleQueue();
    this.#wake?.();
    for (const callback of this.#whenEnded.splice(0)) callback(error);
  }

  /** As {@link end}, and what is queued is dropped. @internal */
  abort(error: ThinglineError): void {
    this.end(error);
    this.#settleQueue();
  }

  /** Called once, at the end. @internal */
  whenEnded(callback: (error: ThinglineError | undefined) => void): void {
    if (this.#ending === undefined) this.#whenEnded.push(callback);
    else callback(this.#ending.error);
  }

  #settleQueue(): void {
    for (const { done } of this.#queue.splice(0)) done();
  }

  /** Unsubscribes, unless another subscription needs the filter, and ends the loop. Safe to call twice. */
  close(): Promise<void> {
    this.#closing ??= this.#close();
    return this.#closing;
  }

  async #close(): Promise<void> {
    const wasEnded = this.#ending !== undefined;
    this.end(undefined);
    this.#settleQueue();
    if (!wasEnded) await this.#unsubscribe(this);
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.close();
  }

  async *[Symbol.asyncIterator](): AsyncGenerator<DeviceMessage, void, undefined> {
    if (this.#listener !== undefined || this.isForData || this.#isIterated) {
      const message = "a subscription has one consumer: its listener, one loop, or the listeners of `data`";
      throw new ThinglineError("OPTION_INVALID", message, { details: { option: "listener" } });
    }
    this.#isIterated = true;
    try {
      for (;;) {
        const next = this.#queue.shift();
        if (next !== undefined) {
          try {
            yield next.message;
          } finally {
            next.done();
          }
        } else if (this.#ending !== undefined) {
          if (this.#ending.error !== undefined) throw this.#ending.error;
          return;
        } else {
          await new Promise<void>((wake) => (this.#wake = wake));
          this.#wake = undefined;
        }
      }
    } finally {
      await this.close();
    }
  }
}

/** Topics whose receivers are remembered; a publisher can invent more, so the memory is emptied when it is full. */
export const routesMax = 1000;

export interface Route {
  subscriptions: readonly DeviceSubscription[];
  /** The message is for `data` listeners as well. */
  isData: boolean;
}

const noTopics: ReadonlySet<string> = new Set();

/** Most devices have none, and share one empty set. */
function setOf(topics: Iterable<string>): ReadonlySet<string> {
  const set = new Set(topics);
  return set.size === 0 ? noTopics : set;
}

/** Finds who gets a message. Matching filters again is only needed for a topic not seen since the last change. */
export class MessageRouter {
  #applicationTopics: ReadonlySet<string>;
  #shadowTopics: ReadonlySet<string>;
  #subscriptions: Set<DeviceSubscription> | undefined;
  #routes: Map<string, Route> | undefined;

  constructor(applicationTopics: readonly string[], shadowTopics: readonly string[]) {
    this.#applicationTopics = setOf(applicationTopics);
    this.#shadowTopics = setOf(shadowTopics);
  }

  add(subscription: DeviceSubscription): void {
    this.#subscriptions ??= new Set();
    this.#subscriptions.add(subscription);
    this.#routes = undefined;
  }

  remove(subscription: DeviceSubscription): void {
    this.#subscriptions?.delete(subscription);
    this.#routes = undefined;
  }

  get applicationTopics(): ReadonlySet<string> {
    return this.#applicationTopics;
  }

  set applicationTopics(topics: Iterable<string>) {
    this.#applicationTopics = setOf(topics);
    this.#routes = undefined;
  }

  /** The device's own topics of the shadow; as application topics, they are for `data` listeners. */
  get shadowTopics(): ReadonlySet<string> {
    return this.#shadowTopics;
  }

  /** Application and shadow topics that were unsubscribed. */
  forget(filters: readonly string[]): void {
    this.#shadowTopics = new Set([...this.#shadowTopics].filter((filter) => !filters.includes(filter)));
    this.applicationTopics = [...this.#applicationTopics].filter((filter) => !filters.includes(filter));
  }

  get subscriptions(): Iterable<DeviceSubscription> {
    return this.#subscriptions ?? [];
  }

  /** How many distinct filters there are with these. */
  countWith(filters: readonly string[]): number {
    const all = new Set([...this.#applicationTopics, ...this.#shadowTopics, ...filters]);
    for (const subscription of this.subscriptions) for (const filter of subscription.filters) all.add(filter);
    return all.size;
  }

  /** Filters of `subscription` that nobody else needs. */
  ownFilters(subscription: DeviceSubscription): string[] {
    return subscription.filters.filter((filter) => !this.#isNeeded(filter, subscription));
  }

  /** It is an application or shadow topic. */
  isListed(filter: string): boolean {
    return this.#applicationTopics.has(filter) || this.#shadowTopics.has(filter);
  }

  /** Somebody wants it with every connection. */
  isWanted(filter: string): boolean {
    if (this.isListed(filter)) return true;
    for (const { filters, isEstablished } of this.subscriptions)
      if (isEstablished && filters.includes(filter)) return true;
    return false;
  }

  #isNeeded(filter: string, except: DeviceSubscription): boolean {
    if (this.isListed(filter)) return true;
    for (const other of this.subscriptions) if (other !== except && other.filters.includes(filter)) return true;
    return false;
  }

  route(topic: string): Route {
    const routes = (this.#routes ??= new Map<string, Route>());
    const known = routes.get(topic);
    if (known !== undefined) return known;
    if (routes.size >= routesMax) routes.clear();
    // MQTT's own rule for `#`: a cloud that is stricter only sends less.
    const fits = (filter: string): boolean => topicMatches(parseTopicFilter(filter).filter, topic);
    const matching = [...this.subscriptions].filter(({ filters }) => filters.some(fits));
    const subscriptions = matching.filter(({ isForData }) => !isForData);
    const isData =
      subscriptions.length === 0 ||
      subscriptions.length < matching.length ||
      [...this.#applicationTopics].some(fits) ||
      [...this.#shadowTopics].some(fits);
    const route = { subscriptions, isData };
    routes.set(topic, route);
    return route;
  }
}
