import { BoundedMap } from "@thingline/protocol";
import { parseTopicFilter, topicMatches } from "@thingline/protocol/mqtt/client";
import type { DeviceSubscription } from "./subscription.js";

/** Topics whose receivers are remembered; a publisher can invent more, so each new one takes the place of another. */
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
  #routes: BoundedMap<string, Route> | undefined;

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
    const routes = (this.#routes ??= new BoundedMap<string, Route>(routesMax));
    const known = routes.get(topic);
    if (known !== undefined) return known;
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
