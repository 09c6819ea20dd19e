import { optionInvalid, ThinglineError } from "@thingline/protocol";
import {
  OutboundSubscribe,
  OutboundUnsubscribe,
  type Subscription,
  type TopicLimits,
} from "@thingline/protocol/mqtt/client";
import { abortedError } from "../errors.js";
import {
  chunksOf,
  filtersOf,
  filtersPerPacketMax,
  type RefusedFilter,
  refusedOf,
  subscriptionRefusal,
} from "./filters.js";
import { SubscriptionLedger } from "./ledger.js";
import type { Delivery, DeviceMessage, MessageListener } from "./message.js";
import { Restoration, type RestoreAlone, type RestorePacket } from "./restoration.js";
import { MessageRouter } from "./router.js";
import { defaultSubscriptionQueueMax, DeviceSubscription, type SubscribeOptions } from "./subscription.js";
import { abortable, type Settle } from "./waiter.js";

/** `subscribe()` calls that wait for a connection; more are refused with LIMIT_EXCEEDED. */
export const waitingSubscribesMax = 64;
/** Packets of one call without answer; the session takes 64 of all kinds. */
const packetsAtOnceMax = 16;

/** What the cloud takes of one connection. */
export interface SubscriptionQuotas {
  /** Of one filter. */
  readonly filterLimits: TopicLimits;
  /** @param count of distinct filters, the new ones included @throws {ThinglineError} QUOTA_EXCEEDED */
  checkSubscriptions(count: number): void;
}

/** What the topics need of their device. */
export interface TopicsPort {
  /** @throws {ThinglineError} CLOSED, CONNECTION_LOST: nobody tries to connect. */
  requireActive(): void;
  /** Whether SUBSCRIBE and UNSUBSCRIBE can be sent. */
  isConnected(): boolean;
  request(request: OutboundSubscribe<Settle> | OutboundUnsubscribe<Settle>): void;
  run(listener: MessageListener, message: DeviceMessage): Delivery;
  /** An error that has no caller any more. */
  reportLate(error: unknown): void;
}

export interface RestoreHandlers {
  /** Every answer is in. */
  done: (refused: readonly RefusedFilter[]) => void;
  /** An answer did not come, or the connection ended. */
  failed: (error: ThinglineError) => void;
  /** See {@link Restoration}. */
  alone?: RestoreAlone;
}

interface Waiter {
  resolve: () => void;
  reject: (error: ThinglineError) => void;
}

/** Topic filters of a device: asked for, restored, taken back, and who gets what arrives. */
export class DeviceTopics {
  readonly router: MessageRouter;
  readonly #port: TopicsPort;
  readonly #trustsSession: boolean;
  readonly #quotas: SubscriptionQuotas;
  /** Of this connection, while filters go one by one. */
  #restoration: Restoration | undefined;
  /** Filters that stay unsubscribed, and why. */
  #dropped: Map<string, ThinglineError> | undefined;
  readonly #ledger = new SubscriptionLedger();
  #waiters: Set<Waiter> | undefined;

  constructor(
    lists: {
      applicationTopics: readonly string[];
      shadowTopics: readonly string[];
      trustsSession: boolean;
      quotas: SubscriptionQuotas;
    },
    port: TopicsPort,
  ) {
    const { applicationTopics, shadowTopics, trustsSession, quotas } = lists;
    this.#quotas = quotas;
    this.#trustsSession = trustsSession;
    this.router = new MessageRouter(applicationTopics, shadowTopics);
    this.#port = port;
  }

  // ---- with each connection ------------------------------------------------------------------------------------

  /** CONNECT was sent. */
  connecting(): void {
    this.#restoration = undefined;
    this.#ledger.connecting();
  }

  /**
   * CONNACK came. Subscribes to what the server does not hold: everything when it has no session of ours, the difference
   * when it has one. The application topics come first, then the shadow's, each in packets of their own.
   */
  restore(isSessionPresent: boolean, { done, failed, alone }: RestoreHandlers): void {
    const lists = this.#wanted();
    const { applicationTopics, shadowTopics } = this.router;
    this.#ledger.connected(isSessionPresent, this.#trustsSession ? [...applicationTopics, ...shadowTopics] : []);
    const wanted = new Set(lists.flat().map(({ filter }) => filter));
    const packets: RestorePacket[] = [
      ...chunksOf(this.#ledger.surplus(wanted), filtersPerPacketMax).map((filters) => ({
        type: "unsubscribe" as const,
        filters,
      })),
      ...lists
        .flatMap((list) => chunksOf(this.#ledger.missing(list), filtersPerPacketMax))
        .map((subscriptions) => ({ type: "subscribe" as const, subscriptions })),
    ];
    const restoration = new Restoration(packets, {
      ...(alone === undefined ? {} : { alone }),
      isWanted: (filter) => this.#isWanted(filter),
      subscribe: (subscriptions, settle) => this.#sendSubscribe(subscriptions, settle),
      unsubscribe: (filters, settle) => this.#sendUnsubscribe(filters, settle),
      done: (refused) => {
        this.#endRefused(refused);
        done(refused);
        this.#releaseWaiters();
      },
      failed,
      report: (error) => this.#port.reportLate(error),
    });
    if (alone !== undefined) this.#restoration = restoration;
    restoration.start();
  }

  #isWanted(filter: string): boolean {
    return this.router.isWanted(filter) && this.#dropped?.has(filter) !== true;
  }

  /** While filters are restored one by one: the one that was subscribed last. */
  get suspectFilter(): string | undefined {
    return this.#restoration?.suspectFilter;
  }

  /** It is not subscribed any more, until `unsubscribe()` forgets that. */
  drop(filter: string, error: ThinglineError): void {
    this.#dropped ??= new Map();
    this.#dropped.set(filter, error);
    for (const subscription of [...this.router.subscriptions]) {
      if (!subscription.filters.includes(filter)) continue;
      subscription.end(error);
      this.#giveBack(subscription);
    }
  }

  #releaseWaiters(): void {
    const waiters = this.#waiters;
    this.#waiters = undefined;
    for (const waiter of waiters ?? []) waiter.resolve();
  }

  /** A `subscribe()` waits for a connection. */
  get isAwaited(): boolean {
    return this.#waiters !== undefined && this.#waiters.size > 0;
  }

  /** No connection comes that is of use: nobody waits for one any longer. */
  exhausted(error: ThinglineError): void {
    const waiters = this.#waiters;
    this.#waiters = undefined;
    for (const waiter of waiters ?? []) waiter.reject(error);
  }

  /** Nobody connects any more. With an error it goes into every loop, after what is queued; else loops wait on. */
  stopped(waiting: ThinglineError, loops: ThinglineError | undefined): void {
    this.exhausted(waiting);
    if (loops === undefined) return;
    for (const subscription of [...this.router.subscriptions]) {
      this.router.remove(subscription);
      subscription.end(loops);
    }
  }

  /** The device is closed: loops end. */
  close(): void {
    for (const subscription of [...this.router.subscriptions]) subscription.end(undefined);
  }

  /** The application topics, the shadow topics, then each run-time filter once, with the highest QoS that anybody asked for. */
  #wanted(): Subscription[][] {
    const lists = this.#listed();
    const dropped = this.#dropped;
    return dropped === undefined ? lists : lists.map((list) => list.filter(({ filter }) => !dropped.has(filter)));
  }

  #listed(): Subscription[][] {
    const { applicationTopics, shadowTopics } = this.router;
    const listed = (filters: Iterable<string>): Subscription[] => [...filters].map((filter) => ({ filter, qos: 1 }));
    const shadow = [...shadowTopics].filter((filter) => !applicationTopics.has(filter));
    const others = new Map<string, 0 | 1>();
    for (const { filters, qos, isEstablished } of this.router.subscriptions) {
      if (!isEstablished) continue;
      for (const filter of filters) {
        if (!this.router.isListed(filter)) others.set(filter, qos === 1 ? 1 : (others.get(filter) ?? 0));
      }
    }
    return [listed(applicationTopics), listed(shadow), [...others].map(([filter, qos]) => ({ filter, qos }))];
  }

  /** A filter that the cloud took before and takes no longer ends its subscriptions: all filters or none. */
  #endRefused(refused: readonly RefusedFilter[]): void {
    for (const refusal of refused) {
      for (const subscription of [...this.router.subscriptions]) {
        if (!subscription.isEstablished || !subscription.filters.includes(refusal.filter)) continue;
        subscription.end(subscriptionRefusal(refusal));
        this.#giveBack(subscription);
      }
    }
  }

  // ---- requests ------------------------------------------------------------------------------------------------

  async subscribe(
    wanted: string | readonly string[],
    listener: MessageListener | undefined,
    { qos = 1, queueMax = defaultSubscriptionQueueMax, toData = false, signal }: SubscribeOptions,
  ): Promise<DeviceSubscription> {
    const filters = filtersOf(wanted, this.#quotas.filterLimits);
    for (const filter of filters) {
      const why = this.#dropped?.get(filter);
      if (why !== undefined) throw why;
    }
    if (qos !== 0 && qos !== 1) throw optionInvalid("qos", "0 or 1", qos);
    if (!Number.isInteger(queueMax) || queueMax < 1) throw optionInvalid("queueMax", "a whole number from 1", queueMax);
    if (toData && listener !== undefined) throw optionInvalid("toData", "false with a listener", "true");
    this.#port.requireActive();
    if (signal?.aborted) throw abortedError(signal);
    this.#quotas.checkSubscriptions(this.router.countWith(filters));
    while (!this.#port.isConnected()) {
      await this.#connection(signal);
      this.#port.requireActive();
    }
    // Not before: others may have come and gone meanwhile.
    this.#quotas.checkSubscriptions(this.router.countWith(filters));
    const subscription = new DeviceSubscription({
      filters,
      qos,
      queueMax,
      isForData: toData,
      listener: listener && ((message) => this.#port.run(listener, message)),
      unsubscribe: (closed) => this.#unsubscribeOwn(closed),
    });
    // Before the packet is sent: a retained message may come ahead of SUBACK.
    this.router.add(subscription);
    try {
      const subscriptions = filters.map((filter) => ({ filter, qos }));
      const codes = await this.#sendAll(subscriptions, signal, (chunk, settle) => this.#sendSubscribe(chunk, settle));
      const [refused] = refusedOf(filters, codes);
      if (refused !== undefined) throw subscriptionRefusal(refused);
      subscription.grantedQos = codes;
      subscription.isEstablished = true;
    } catch (error) {
      // Whatever was granted is given back, or its messages would have no receiver.
      this.#giveBack(subscription);
      throw error;
    }
    if (signal !== undefined) this.#endOnAbort(subscription, signal);
    return subscription;
  }

  async unsubscribe(wanted: string | readonly string[], signal: AbortSignal | undefined): Promise<void> {
    const filters = filtersOf(wanted);
    this.#port.requireActive();
    if (signal?.aborted) throw abortedError(signal);
    // Without a connection it is enough not to want them: a session that the server kept is told with the next one.
    if (this.#port.isConnected()) {
      await this.#sendAll(filters, signal, (chunk, settle) => this.#sendUnsubscribe(chunk, settle));
    }
    for (const filter of filters) this.#dropped?.delete(filter);
    this.router.forget(filters);
    for (const subscription of [...this.router.subscriptions]) {
      if (!subscription.filters.every((filter) => filters.includes(filter))) continue;
      this.router.remove(subscription);
      subscription.end(undefined);
    }
  }

  async #connection(signal: AbortSignal | undefined): Promise<void> {
    const waiters = (this.#waiters ??= new Set());
    if (waiters.size >= waitingSubscribesMax) {
      const message = `${waiters.size} subscribe() calls wait for a connection already`;
      throw new ThinglineError("LIMIT_EXCEEDED", message, { details: { waitingSubscribesMax } });
    }
    await new Promise<void>((resolve, reject) => {
      const settle = abortable(
        signal,
        (outcome) => (outcome instanceof ThinglineError ? reject(outcome) : resolve()),
        () => waiters.delete(waiter),
      );
      const waiter: Waiter = { resolve: () => settle(undefined), reject: settle };
      waiters.add(waiter);
    });
  }

  #endOnAbort(subscription: DeviceSubscription, signal: AbortSignal): void {
    const abort = (): void => {
      subscription.abort(abortedError(signal));
      this.#giveBack(subscription);
    };
    signal.addEventListener("abort", abort, { once: true });
    subscription.whenEnded(() => signal.removeEventListener("abort", abort));
  }

  #giveBack(subscription: DeviceSubscription): void {
    subscription.end(undefined);
    void this.#unsubscribeOwn(subscription).catch((error: unknown) => this.#port.reportLate(error));
  }

  async #unsubscribeOwn(subscription: DeviceSubscription): Promise<void> {
    const filters = this.router.ownFilters(subscription);
    this.router.remove(subscription);
    if (filters.length === 0 || !this.#port.isConnected()) return;
    await this.#sendAll(filters, undefined, (chunk, settle) => this.#sendUnsubscribe(chunk, settle));
  }

  #sendSubscribe(subscriptions: readonly Subscription[], settle: Settle): void {
    const filters = subscriptions.map(({ filter }) => filter);
    const owner: Settle = (outcome) => {
      this.#ledger.subscribed(filters, outcome);
      settle(outcome);
    };
    this.#port.request(new OutboundSubscribe(subscriptions, owner));
    this.#ledger.asked(filters);
  }

  #sendUnsubscribe(filters: readonly string[], settle: Settle): void {
    const owner: Settle = (outcome) => {
      this.#ledger.unsubscribed(filters, outcome);
      settle(outcome);
    };
    this.#port.request(new OutboundUnsubscribe(filters, owner));
    this.#ledger.asked(filters);
  }

  /** Sends one packet for each 8 filters, a few at a time, and waits for all answers; their codes, joined. */
  async #sendAll<Item>(
    items: readonly Item[],
    signal: AbortSignal | undefined,
    send: (chunk: readonly Item[], settle: Settle) => void,
  ): Promise<readonly number[]> {
    const chunks = chunksOf(items, filtersPerPacketMax);
    const codes: (readonly number[])[] = [];
    let index = 0;
    const lane = async (): Promise<void> => {
      for (let own = index++; own < chunks.length; own = index++) {
        const chunk = chunks[own] ?? [];
        codes[own] = await new Promise<readonly number[]>((resolve, reject) => {
          const settle: Settle = (outcome) => {
            if (!(outcome instanceof ThinglineError)) return resolve(outcome ?? []);
            index = chunks.length;
            reject(outcome);
          };
          send(chunk, abortable(signal, settle));
        });
      }
    };
    await Promise.all(Array.from({ length: Math.min(packetsAtOnceMax, chunks.length) }, lane));
    return codes.flat();
  }
}
