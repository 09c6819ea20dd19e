import type { OperationRunner, ServiceMessage, ServiceTopics } from "../services/operation.js";
import { TopicFilters } from "../services/topic-filters.js";
import type { BrokerContext } from "./context.js";
import { sourceRules } from "./sources.js";

/** Messages that wait for a listener which holds no acknowledgement, beside those that it works on. New ones are dropped. */
export const listenerQueuedMessagesMax = 10_000;
/** Topics and payloads of those. */
export const listenerQueuedBytesMax = 16 * 1024 * 1024;
/** Messages that such a listener works on at once. */
export const listenerInFlightMax = 64;
/** Messages that it is given before the event loop has its turn: what answers itself must not keep everybody else waiting. */
export const listenerStartsPerTurnMax = 1_000;

/** A service that hears messages, as the intake sees it. */
export class Listener {
  readonly filters: TopicFilters;
  /** Bits of `sourceRules`. */
  readonly sources: number;
  readonly holdsAck: boolean;
  private readonly context: BrokerContext;
  private readonly service: ServiceTopics;
  private readonly runner: OperationRunner;
  private waiting: ServiceMessage[] = [];
  private head = 0;
  private waitingBytes = 0;
  private inFlight = 0;
  private startsLeft = listenerStartsPerTurnMax;
  private fullLoggedMs = -Infinity;
  private isAdvancing = false;
  private isClosed = false;

  constructor(context: BrokerContext, service: ServiceTopics, runner: OperationRunner) {
    const { filters, sources = ["client"], holdsAck = true } = service;
    this.context = context;
    this.service = service;
    this.runner = runner;
    this.filters = filters instanceof TopicFilters ? filters : new TopicFilters(filters);
    this.sources = sources.reduce((bits, source) => bits | sourceRules[source].bit, 0);
    this.holdsAck = holdsAck;
  }

  /** Messages that wait for it. */
  get queuedCount(): number {
    return this.waiting.length - this.head;
  }

  /** Calls back once with the answer; what the service throws is one. */
  ask(message: ServiceMessage, answered: (error?: unknown) => void): void {
    let isAnswered = false;
    const settled = (error?: unknown): void => {
      if (isAnswered) return;
      isAnswered = true;
      answered(error);
    };
    try {
      this.service.handle(message, this.runner, settled);
    } catch (error) {
      settled(error);
    }
  }

  /** A message that nobody waits for: the listener gets it when it has room. */
  offer(message: ServiceMessage, nowMs: number): void {
    if (this.isClosed) return;
    if (this.mayStart && this.queuedCount === 0) {
      this.start(message);
      return;
    }
    const bytes = bytesOf(message);
    if (this.queuedCount >= listenerQueuedMessagesMax || this.waitingBytes + bytes > listenerQueuedBytesMax) {
      this.overflow(message, nowMs);
      return;
    }
    this.waiting.push(message);
    this.waitingBytes += bytes;
  }

  private overflow({ topic }: ServiceMessage, nowMs: number): void {
    const { counters, log } = this.context;
    counters.droppedListenerFull++;
    if (this.fullLoggedMs + 1000 > nowMs) return;
    this.fullLoggedMs = nowMs;
    counters.limitsHit++;
    log.warn("limitHit", { limit: "listenerQueue", filters: [...this.filters.all].slice(0, 3).join(" "), topic });
  }

  private get mayStart(): boolean {
    return this.inFlight < listenerInFlightMax && this.startsLeft > 0;
  }

  private start(message: ServiceMessage): void {
    this.inFlight++;
    if (--this.startsLeft === 0) this.context.clock.afterTurn(() => this.goOn());
    this.ask(message, (error) => {
      this.inFlight--;
      if (error !== undefined) this.failed(message.topic, error);
      this.next();
    });
  }

  private failed(topic: string, error: unknown): void {
    this.context.counters.serviceFailures++;
    this.context.log.error("listenerFailed", { topic, error: String(error) });
  }

  private goOn(): void {
    this.startsLeft = listenerStartsPerTurnMax;
    this.next();
  }

  private next(): void {
    // A service that answers within the call is asked for the next message by the loop, and not from inside its answer.
    if (this.isAdvancing) return;
    this.isAdvancing = true;
    try {
      this.startWaiting();
    } finally {
      this.isAdvancing = false;
    }
  }

  private startWaiting(): void {
    while (this.mayStart && this.head < this.waiting.length) {
      const message = this.waiting[this.head]!;
      this.head++;
      this.waitingBytes -= bytesOf(message);
      if (this.head === this.waiting.length || this.head >= 1024) {
        this.waiting = this.waiting.slice(this.head);
        this.head = 0;
      }
      this.start(message);
    }
  }

  /** What waits is given up, and said. */
  close(): void {
    this.isClosed = true;
    const { queuedCount } = this;
    if (queuedCount === 0) return;
    this.context.counters.droppedListenerFull += queuedCount;
    this.context.log.warn("listenerClosed", {
      filters: [...this.filters.all].slice(0, 3).join(" "),
      dropped: queuedCount,
    });
    this.waiting = [];
    this.head = 0;
    this.waitingBytes = 0;
  }
}

const bytesOf = ({ topic, payload }: ServiceMessage): number => topic.length + payload.length;

/** The listeners of one topic. */
export interface Audience {
  readonly listeners: readonly Listener[];
  /** Bits of every source that one of them hears: 0 for nearly every topic. */
  readonly sources: number;
}

/** Of a topic that no service hears. */
export const noAudience: Audience = { listeners: [], sources: 0 };

/** All listeners of one broker. */
export class Listeners {
  private readonly all: readonly Listener[];
  private readonly stops: (() => void)[] = [];

  constructor(context: BrokerContext, services: readonly ServiceTopics[], runner: OperationRunner | undefined) {
    this.all = runner === undefined ? [] : services.map((service) => new Listener(context, service, runner));
  }

  of(topic: string): Audience {
    const listeners = this.all.filter(({ filters }) => filters.matches(topic));
    if (listeners.length === 0) return noAudience;
    return { listeners, sources: listeners.reduce((bits, { sources }) => bits | sources, 0) };
  }

  /** Whether any of them hears the source at all. */
  hears(bit: number): boolean {
    return this.all.some(({ sources }) => (sources & bit) !== 0);
  }

  /** Calls back when the filters of one of them have changed. */
  watch(changed: () => void): void {
    for (const { filters } of this.all) this.stops.push(filters.watch(changed));
  }

  close(): void {
    for (const stop of this.stops.splice(0)) stop();
    for (const listener of this.all) listener.close();
  }
}
