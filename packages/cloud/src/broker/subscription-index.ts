import { MapFront } from "@thingline/protocol";
import type { SubscriptionOptions } from "@thingline/protocol/mqtt";

/** One receiver of a topic, its overlapping subscriptions merged: it gets one copy at the highest QoS. */
export interface RouteTarget<S> {
  subscriber: S;
  qos: 0 | 1;
  /** Every one of its subscriptions that match says No Local. */
  isNoLocal: boolean;
  isRetainAsPublished: boolean;
  /** Cached decision on `iot:Receive`; good while `authorizer` and `generation` are those of the receiver. */
  isReceiveAllowed: boolean;
  authorizer: unknown;
  generation: number;
}

/** Sessions that share a subscription. */
export class SharedGroup<S> {
  readonly shareName: string;
  readonly filter: string;
  readonly members = new Map<S, SubscriptionOptions>();
  private list: readonly S[] | undefined;

  constructor(shareName: string, filter: string) {
    this.shareName = shareName;
    this.filter = filter;
  }

  /** The members by position; the same array until they change. */
  memberList(): readonly S[] {
    this.list ??= [...this.members.keys()];
    return this.list;
  }

  changed(): void {
    this.list = undefined;
  }
}

/** Everything that is known about a topic: who gets it, and which services hear it. */
export interface Route<S, Audience> {
  readonly topic: string;
  /** Good while it equals the index's; see {@link SubscriptionIndex.isCurrent}. */
  version: number;
  targets: readonly RouteTarget<S>[];
  groups: readonly SharedGroup<S>[];
  readonly audience: Audience;
}

interface Leaf<S> {
  subscribers: Map<S, SubscriptionOptions>;
  groups: Map<string, SharedGroup<S>>;
}

interface Node<S> {
  children: Map<string, Node<S>>;
  leaf: Leaf<S> | undefined;
}

const newNode = <S>(): Node<S> => ({ children: new Map(), leaf: undefined });
const newLeaf = <S>(): Leaf<S> => ({ subscribers: new Map(), groups: new Map() });
const isEmpty = <S>(leaf: Leaf<S>): boolean => leaf.subscribers.size === 0 && leaf.groups.size === 0;
const hasWildcard = (filter: string): boolean => filter.includes("+") || filter.includes("#");

export interface SubscriptionIndexOptions<Audience> {
  /** Topics remembered; the least recently used goes first. */
  cachedTopicsMax: number;
  /** Default {@link defaultCachedTargetsMax}. */
  cachedTargetsMax?: number;
  /** Which services hear the topic. Asked once per remembered topic, and again after {@link SubscriptionIndex.forgetRoutes}. */
  audienceOf: (topic: string) => Audience;
  /** Topics that no subscriber sees, whatever its filter. */
  isHidden?: (topic: string) => boolean;
  /** Filters that are counted in {@link SubscriptionIndex.watchedCount}. */
  isWatched?: (filter: string) => boolean;
}

/** Targets remembered over all cached routes: a bound on memory when many topics have many subscribers. */
export const defaultCachedTargetsMax = 2_000_000;

/**
 * Who subscribed to what. Exact filters are a map, wildcards a tree by topic level, and the answer for a topic is
 * remembered, so that a message on a known topic costs a map look-up.
 */
export class SubscriptionIndex<S extends object, Audience> {
  /** Filters with their subscribers, groups counted by member. */
  count = 0;
  /** Those of them that somebody wants to know of, without a look at each topic. */
  watchedCount = 0;
  groupCount = 0;
  private version = 1;
  private readonly exact = new Map<string, Leaf<S>>();
  private readonly root: Node<S> = newNode();
  private readonly routes = new Map<string, Route<S, Audience>>();
  private readonly oldestRoutes = new MapFront(this.routes);
  private cachedTargets = 0;
  private readonly cachedTopicsMax: number;
  private readonly cachedTargetsMax: number;
  private readonly audienceOf: (topic: string) => Audience;
  private readonly isHidden: (topic: string) => boolean;
  private readonly isWatched: (filter: string) => boolean;

  constructor(options: SubscriptionIndexOptions<Audience>) {
    this.cachedTopicsMax = options.cachedTopicsMax;
    this.cachedTargetsMax = options.cachedTargetsMax ?? defaultCachedTargetsMax;
    this.audienceOf = options.audienceOf;
    this.isHidden = options.isHidden ?? (() => false);
    this.isWatched = options.isWatched ?? (() => false);
  }

  /** Adds or replaces. @param filter without the `$share/` prefix. @returns the group, for a shared subscription. */
  add(filter: string, subscriber: S, options: SubscriptionOptions, shareName?: string): SharedGroup<S> | undefined {
    let group: SharedGroup<S> | undefined;
    const leaf = this.leafOf(filter);
    if (shareName === undefined) {
      if (!leaf.subscribers.has(subscriber)) this.counted(filter, 1);
      leaf.subscribers.set(subscriber, options);
    } else {
      group = leaf.groups.get(shareName);
      if (group === undefined) {
        group = new SharedGroup(shareName, filter);
        leaf.groups.set(shareName, group);
        this.groupCount++;
      }
      if (!group.members.has(subscriber)) this.counted(filter, 1);
      group.members.set(subscriber, options);
      group.changed();
    }
    this.forget(filter);
    return group;
  }

  /** @returns whether it was there. */
  remove(filter: string, subscriber: S, shareName?: string): boolean {
    const leaf = hasWildcard(filter) ? this.nodeOf(filter)?.leaf : this.exact.get(filter);
    if (leaf === undefined) return false;
    const group = shareName === undefined ? undefined : leaf.groups.get(shareName);
    const members = shareName === undefined ? leaf.subscribers : group?.members;
    if (members?.delete(subscriber) !== true) return false;
    group?.changed();
    this.counted(filter, -1);
    if (shareName !== undefined && members.size === 0) {
      leaf.groups.delete(shareName);
      this.groupCount--;
    }
    if (isEmpty(leaf)) this.prune(filter);
    this.forget(filter);
    return true;
  }

  private counted(filter: string, change: 1 | -1): void {
    this.count += change;
    if (this.isWatched(filter)) this.watchedCount += change;
  }

  /** Members of a shared group. */
  group(filter: string, shareName: string): SharedGroup<S> | undefined {
    const leaf = hasWildcard(filter) ? this.nodeOf(filter)?.leaf : this.exact.get(filter);
    return leaf?.groups.get(shareName);
  }

  isCurrent(route: Route<S, Audience>): boolean {
    return route.version === this.version;
  }

  /** Where a message on the topic goes. The same object until a subscription that concerns it changes. */
  route(topic: string): Route<S, Audience> {
    const known = this.routes.get(topic);
    if (known !== undefined && known.version === this.version) {
      if (this.routes.size * 2 > this.cachedTopicsMax) {
        this.routes.delete(topic);
        this.routes.set(topic, known);
      }
      return known;
    }
    if (known !== undefined) this.drop(topic, known);
    const route = this.match(topic);
    this.routes.set(topic, route);
    this.cachedTargets += route.targets.length;
    this.evict();
    return route;
  }

  /** As {@link route} for a topic that comes seldom: nothing of it is remembered. */
  match(topic: string): Route<S, Audience> {
    const audience = this.audienceOf(topic);
    if (this.isHidden(topic)) return { topic, version: this.version, targets: [], groups: [], audience };
    const leaves: Leaf<S>[] = [];
    const exact = this.exact.get(topic);
    if (exact !== undefined) leaves.push(exact);
    const levels = topic.split("/");
    // [MQTT-4.7.2-1] A wildcard at the first level never matches a topic that begins with $.
    if (this.root.children.size > 0) collect(this.root, levels, 0, topic.startsWith("$"), leaves);
    const merged = new Map<S, RouteTarget<S>>();
    const groups: SharedGroup<S>[] = [];
    for (const leaf of leaves) {
      for (const [subscriber, options] of leaf.subscribers) merge(merged, subscriber, options);
      groups.push(...leaf.groups.values());
    }
    return { topic, version: this.version, targets: [...merged.values()], groups, audience };
  }

  /** What services hear has changed: every route is found anew. */
  forgetRoutes(): void {
    this.version++;
  }

  /** Routes that the filter may concern are wrong now. */
  private forget(filter: string): void {
    if (hasWildcard(filter)) {
      this.version++;
      return;
    }
    const route = this.routes.get(filter);
    if (route !== undefined) this.drop(filter, route);
  }

  private drop(topic: string, route: Route<S, Audience>): void {
    this.routes.delete(topic);
    this.cachedTargets -= route.targets.length;
    // Connections may still hold it, but not the sessions that it names.
    route.version = 0;
    route.targets = [];
    route.groups = [];
  }

  private evict(): void {
    while (this.routes.size > this.cachedTopicsMax || this.cachedTargets > this.cachedTargetsMax) {
      const oldest = this.routes.size > 1 ? this.oldestRoutes.next() : undefined;
      if (oldest === undefined) return;
      this.drop(oldest[0], oldest[1]);
    }
  }

  private leafOf(filter: string): Leaf<S> {
    if (!hasWildcard(filter)) {
      let leaf = this.exact.get(filter);
      if (leaf === undefined) this.exact.set(filter, (leaf = newLeaf()));
      return leaf;
    }
    let node = this.root;
    for (const level of filter.split("/")) {
      let child = node.children.get(level);
      if (child === undefined) node.children.set(level, (child = newNode()));
      node = child;
    }
    return (node.leaf ??= newLeaf());
  }

  private nodeOf(filter: string): Node<S> | undefined {
    let node: Node<S> | undefined = this.root;
    for (const level of filter.split("/")) node = node?.children.get(level);
    return node;
  }

  /** Removes an empty leaf and the branch that led to it alone. */
  private prune(filter: string): void {
    if (!hasWildcard(filter)) {
      this.exact.delete(filter);
      return;
    }
    const levels = filter.split("/");
    const path: Node<S>[] = [this.root];
    for (const level of levels) path.push(path.at(-1)!.children.get(level)!);
    path.at(-1)!.leaf = undefined;
    for (let depth = levels.length; depth > 0; depth--) {
      const node = path[depth]!;
      if (node.leaf !== undefined || node.children.size > 0) return;
      path[depth - 1]!.children.delete(levels[depth - 1]!);
    }
  }
}

function collect<S>(
  node: Node<S>,
  levels: readonly string[],
  depth: number,
  isReserved: boolean,
  found: Leaf<S>[],
): void {
  const wildcards = depth > 0 || !isReserved;
  if (depth === levels.length) {
    if (node.leaf !== undefined) found.push(node.leaf);
    return;
  }
  // AWS IoT Core: `#` stands for at least one level, so `sensor/#` does not match `sensor` (MQTT would say it does).
  const rest = wildcards ? node.children.get("#")?.leaf : undefined;
  if (rest !== undefined) found.push(rest);
  const same = node.children.get(levels[depth]!);
  if (same !== undefined) collect(same, levels, depth + 1, isReserved, found);
  const any = wildcards ? node.children.get("+") : undefined;
  if (any !== undefined) collect(any, levels, depth + 1, isReserved, found);
}

function merge<S>(targets: Map<S, RouteTarget<S>>, subscriber: S, options: SubscriptionOptions): void {
  const qos = options.qos === 0 ? 0 : 1;
  const { isNoLocal = false, isRetainAsPublished = false } = options;
  const target = targets.get(subscriber);
  if (target === undefined) {
    targets.set(subscriber, {
      subscriber,
      qos,
      isNoLocal,
      isRetainAsPublished,
      isReceiveAllowed: false,
      authorizer: undefined,
      generation: -1,
    });
    return;
  }
  if (qos > target.qos) target.qos = qos;
  target.isNoLocal &&= isNoLocal;
  target.isRetainAsPublished ||= isRetainAsPublished;
}
