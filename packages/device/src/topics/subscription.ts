import { ThinglineError } from "@thingline/protocol";
import type { Delivery, DeviceMessage } from "./message.js";

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

export interface SubscribeOptions {
  /** Default 1. */
  qos?: 0 | 1;
  /** Messages that wait for the loop. Default 100. */
  queueMax?: number;
  /**
   * Messages go to the listeners of `data`, as those of the application topics do: each once, however many of these filters match.
   * There is neither a listener nor a loop of this subscription then. Default false.
   */
  toData?: boolean;
  /** Ends the subscription, and its loop with ABORTED. */
  signal?: AbortSignal;
}
