import { ThinglineError } from "@thingline/protocol";
import { OutboundSubscribe, OutboundUnsubscribe } from "@thingline/protocol/mqtt";
import type { SubscribeOptions } from "./client.js";
import { abortedError, chunksOf, filtersOf, refusedOf, subscriptionRefusal } from "./client-errors.js";
import { filtersPerPacketMax, invalid } from "./client-options.js";
import {
  defaultSubscriptionQueueMax,
  type Delivery,
  DeviceSubscription,
  type MessageListener,
  MessageRouter,
} from "./client-subscription.js";
import { abortable, type Settle } from "./client-waiter.js";
import type { DeviceMessage } from "./client-events.js";

/** What the topics need of their device. */
export interface TopicsPort {
  /** @throws {ThinglineError} CLOSED. */
  requireUsable(): void;
  /** Whether an UNSUBSCRIBE still makes sense. */
  isOpen(): boolean;
  send(request: OutboundSubscribe<Settle> | OutboundUnsubscribe<Settle>): void;
  run(listener: MessageListener, message: DeviceMessage): Delivery;
  /** An error that has no caller any more. */
  report(error: unknown): void;
}

/** Topic filters of a device: asked for, taken back, and who gets what arrives. */
export class DeviceTopics {
  readonly router: MessageRouter;
  readonly #port: TopicsPort;

  constructor(applicationTopics: readonly string[], port: TopicsPort) {
    this.router = new MessageRouter(applicationTopics);
    this.#port = port;
  }

  /** One SUBSCRIBE for each 8 filters; `settle` gets the answer of each. */
  request(filters: readonly string[], qos: 0 | 1, settle: (chunk: readonly string[]) => Settle): void {
    for (const chunk of chunksOf(filters, filtersPerPacketMax)) this.#sendSubscribe(chunk, qos, settle(chunk));
  }

  async subscribe(
    wanted: string | readonly string[],
    listener: MessageListener | undefined,
    { qos = 1, queueMax = defaultSubscriptionQueueMax, signal }: SubscribeOptions,
  ): Promise<DeviceSubscription> {
    const filters = filtersOf(wanted);
    this.#port.requireUsable();
    if (qos !== 0 && qos !== 1) throw invalid("qos", "0 or 1", qos);
    if (!Number.isInteger(queueMax) || queueMax < 1) throw invalid("queueMax", "a whole number from 1", queueMax);
    if (signal?.aborted) throw abortedError(signal);
    const subscription = new DeviceSubscription({
      filters,
      queueMax,
      listener: listener && ((message) => this.#port.run(listener, message)),
      unsubscribe: (closed) => this.#unsubscribeOwn(closed),
    });
    // Before the packet is sent: a retained message may come ahead of SUBACK.
    this.router.add(subscription);
    try {
      const codes = await this.#sendAll(filters, signal, (chunk, settle) => this.#sendSubscribe(chunk, qos, settle));
      const [refused] = refusedOf(filters, codes);
      if (refused !== undefined) throw subscriptionRefusal(refused);
      subscription.grantedQos = codes;
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
    this.#port.requireUsable();
    if (signal?.aborted) throw abortedError(signal);
    await this.#sendAll(filters, signal, (chunk, settle) => this.#sendUnsubscribe(chunk, settle));
    this.router.forget(filters);
    for (const subscription of [...this.router.subscriptions]) {
      if (!subscription.filters.every((filter) => filters.includes(filter))) continue;
      this.router.remove(subscription);
      subscription.end(undefined);
    }
  }

  /** The device is over: an error goes into every loop, after what is queued. */
  end(error: ThinglineError | undefined): void {
    for (const subscription of [...this.router.subscriptions]) subscription.end(error);
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
    void this.#unsubscribeOwn(subscription).catch((error: unknown) => this.#port.report(error));
  }

  async #unsubscribeOwn(subscription: DeviceSubscription): Promise<void> {
    const filters = this.router.ownFilters(subscription);
    this.router.remove(subscription);
    if (filters.length === 0 || !this.#port.isOpen()) return;
    await this.#sendAll(filters, undefined, (chunk, settle) => this.#sendUnsubscribe(chunk, settle));
  }

  #sendSubscribe(filters: readonly string[], qos: 0 | 1, settle: Settle): void {
    const subscriptions = filters.map((filter) => ({ filter, qos }));
    this.#port.send(new OutboundSubscribe(subscriptions, settle));
  }

  #sendUnsubscribe(filters: readonly string[], settle: Settle): void {
    this.#port.send(new OutboundUnsubscribe(filters, settle));
  }

  /** Sends one packet for each 8 filters and waits for all answers; their codes, joined. */
  async #sendAll(
    filters: readonly string[],
    signal: AbortSignal | undefined,
    send: (chunk: readonly string[], settle: Settle) => void,
  ): Promise<readonly number[]> {
    const answers = chunksOf(filters, filtersPerPacketMax).map(
      (chunk) =>
        new Promise<readonly number[]>((resolve, reject) => {
          const settle: Settle = (outcome) =>
            outcome instanceof ThinglineError ? reject(outcome) : resolve(outcome ?? []);
          send(chunk, abortable(signal, settle));
        }),
    );
    return (await Promise.all(answers)).flat();
  }
}
