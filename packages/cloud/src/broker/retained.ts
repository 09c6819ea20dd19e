import type { EncodedTopics } from "@thingline/protocol/mqtt";
import type { Clock, Timer } from "@thingline/transport";
import type { Log } from "../log.js";
import { iterateSound } from "../store/iterate.js";
import { soleNode, type CloudNode } from "../nodes/node.js";
import type { Store, StoreOperation } from "../store/store.js";
import type { BrokerCounters } from "./counters.js";
import type { BrokerLimits } from "./limits.js";
import { Publication } from "./publication.js";
import { RateBucket } from "./rate.js";
import type { MessageRecord, RetainedRecord } from "../services/message-records.js";
import { restoredProperties, storedProperties, type StoreKeys } from "./session-store.js";

export interface RetainedMessagesOptions {
  clock: Clock;
  log: Log;
  store: Store;
  keys: StoreKeys;
  topics: EncodedTopics;
  limits: BrokerLimits;
  counters: BrokerCounters;
  node?: CloudNode;
}

export type RetainOutcome =
  /** Stored when the promise resolves. */
  | { type: "stored"; done: Promise<void> }
  /** Over a limit: nothing was kept. */
  | { type: "throttled" };

/** How often expired messages are looked for, while there are any that can expire. */
export const retainedSweepMs = 60_000;
/** At the limit, messages make room by expiry at most this often: a look walks over all of them. */
const sweepAgainMs = 1_000;
/** Expired messages that one commit forgets; the rest follows in the next look. */
export const sweptMessagesMax = 1_000;

/** Topics whose publish rate is remembered. */
export const ratedTopicsMax = 10_000;

/** The last message of each topic that was published with RETAIN. In memory, and in the store before a PUBACK. */
export class RetainedMessages {
  private readonly options: RetainedMessagesOptions;
  private readonly messages = new Map<string, Publication>();
  private bytes = 0;
  private readonly rates = new Map<string, RateBucket>();
  private pending = new Map<string, StoreOperation>();
  private commitDone: Promise<void> | undefined;
  private last: Promise<void> = Promise.resolve();
  /** Messages with an expiry. */
  private expiringCount = 0;
  private sweepTimer: Timer | undefined;
  private sweptAtMs = -Infinity;
  /** What the store is asked for, one after the other. */
  private refreshing: Promise<void> = Promise.resolve();
  /** Asked for and not begun. */
  private reloading: Promise<void> | undefined;
  /** Topics that changed during {@link load}: what it reads of them may be older. */
  private touched: Set<string> | undefined;
  private isClosed = false;

  constructor(options: RetainedMessagesOptions) {
    this.options = options;
  }

  private get isAlone(): boolean {
    return this.options.node?.isAlone ?? true;
  }

  get count(): number {
    return this.messages.size;
  }

  async load(): Promise<void> {
    const { store, keys, topics } = this.options;
    const touched = new Set<string>();
    const stored = new Set<string>();
    this.touched = touched;
    for await (const { value } of iterateSound<MessageRecord>(store, keys.retainedMessages)) {
      stored.add(value.topic);
      if (!touched.has(value.topic)) this.set(value.topic, restoredPublication(value, topics));
    }
    for (const topic of this.messages.keys()) {
      if (!stored.has(topic) && !touched.has(topic)) this.set(topic, undefined);
    }
    this.touched = undefined;
  }

  /** The copies here may be out of date: they become what the store has. One look at a time; another one follows when asked for meanwhile. */
  reload(): Promise<void> {
    if (this.isClosed) return Promise.resolve();
    this.reloading ??= this.refreshing.then(() => {
      this.reloading = undefined;
      return this.load();
    });
    const { reloading } = this;
    this.refreshing = reloading.catch((error: unknown) => this.failed(error));
    return reloading;
  }

  /** Somebody has stored another message for the topic: which one came last, the store knows. */
  refresh(topic: string): Promise<void> {
    const read = this.refreshing.then(async () => {
      const { store, keys, topics } = this.options;
      const entry = await store.get<MessageRecord>(keys.retained(topic));
      this.set(topic, entry && restoredPublication(entry.value, topics));
      this.touched?.add(topic);
    });
    this.refreshing = read.catch(() => undefined);
    return read;
  }

  /** The retained message of exactly this topic, if one is there and has not expired. */
  get(topic: string): Publication | undefined {
    const message = this.messages.get(topic);
    if (message?.expiresAtMs === undefined || message.expiresAtMs > this.options.clock.unixMs()) return message;
    this.expired(topic);
    return undefined;
  }

  private expired(topic: string): void {
    this.options.counters.droppedExpired++;
    this.set(topic, undefined);
    void this.write(topic, undefined);
  }

  /** What has expired makes room for others, asked for or not. @returns whether more may have */
  private sweep(): boolean {
    const { clock } = this.options;
    this.sweptAtMs = clock.monotonicMs();
    const nowMs = clock.unixMs();
    let swept = 0;
    for (const [topic, { expiresAtMs }] of this.messages) {
      if (expiresAtMs === undefined || expiresAtMs > nowMs) continue;
      if (swept++ === sweptMessagesMax) return true;
      this.expired(topic);
    }
    return false;
  }

  private armSweep(delayMs = retainedSweepMs): void {
    if (this.sweepTimer !== undefined || this.expiringCount === 0 || this.isClosed) return;
    this.sweepTimer = this.options.clock.setTimer(delayMs, () => {
      this.sweepTimer = undefined;
      this.armSweep(this.sweep() ? sweepAgainMs : retainedSweepMs);
    });
  }

  /** A PUBLISH with RETAIN came: replaces, or with an empty payload deletes, the topic's message. */
  retain(publication: Publication): RetainOutcome {
    const outcome = this.keep(publication);
    if (outcome.type === "stored") publication.stored = outcome.done;
    return outcome;
  }

  private keep(publication: Publication): RetainOutcome {
    const { limits, counters, log } = this.options;
    const { topic, payload } = publication;
    if (payload.length === 0) {
      // Where others write as well, the copy here may not be there yet.
      if (!this.messages.has(topic) && this.isAlone) return { type: "stored", done: Promise.resolve() };
      this.touched?.add(topic);
      this.set(topic, undefined);
      return { type: "stored", done: this.write(topic, undefined) };
    }
    if (!this.takeRate(topic)) {
      counters.droppedThrottled++;
      counters.limitsHit++;
      log.warn("limitHit", { limit: "retainedPublishesPerSecondPerTopic", topic });
      return { type: "throttled" };
    }
    let limit = this.limitOf(publication);
    const mayMakeRoom = this.expiringCount > 0 && this.options.clock.monotonicMs() >= this.sweptAtMs + sweepAgainMs;
    if (limit !== undefined && mayMakeRoom) {
      this.sweep();
      limit = this.limitOf(publication);
    }
    if (limit !== undefined) {
      counters.droppedRetainedFull++;
      counters.limitsHit++;
      log.warn("limitHit", { limit, topic, max: limits[limit] });
      return { type: "throttled" };
    }
    const kept = publication.keep();
    this.touched?.add(topic);
    this.set(topic, kept);
    const record = { ...messageRecord(kept), retainedAtMs: this.options.clock.unixMs() };
    return { type: "stored", done: this.write(topic, record) };
  }

  /** Resolves when everything asked for so far is stored, or failed. No timer is left. */
  async close(): Promise<void> {
    this.isClosed = true;
    this.sweepTimer?.cancel();
    await this.idle();
  }

  private async idle(): Promise<void> {
    while (this.commitDone !== undefined) await this.commitDone.catch(() => undefined);
    await this.last.catch(() => undefined);
    await this.refreshing;
  }

  private set(topic: string, message: Publication | undefined): void {
    const before = this.messages.get(topic);
    this.bytes += (message?.sizeBytes ?? 0) - (before?.sizeBytes ?? 0);
    if (before?.expiresAtMs !== undefined) this.expiringCount--;
    if (message?.expiresAtMs !== undefined) {
      this.expiringCount++;
      this.armSweep();
    }
    if (message === undefined) this.messages.delete(topic);
    else this.messages.set(topic, message);
  }

  private limitOf({ topic, sizeBytes }: Publication): "retainedMessagesMax" | "retainedBytesMax" | undefined {
    const { limits } = this.options;
    const old = this.messages.get(topic);
    if (old === undefined && this.messages.size >= limits.retainedMessagesMax) return "retainedMessagesMax";
    return this.bytes + sizeBytes - (old?.sizeBytes ?? 0) > limits.retainedBytesMax ? "retainedBytesMax" : undefined;
  }

  private takeRate(topic: string): boolean {
    const { clock, limits } = this.options;
    const rate = limits.retainedPublishesPerSecondPerTopic;
    if (rate === Infinity) return true;
    const nowMs = clock.monotonicMs();
    let bucket = this.rates.get(topic);
    if (bucket === undefined) {
      bucket = new RateBucket(rate, nowMs);
      this.rates.set(topic, bucket);
      if (this.rates.size > ratedTopicsMax) this.rates.delete(this.rates.keys().next().value!);
    }
    return bucket.take(nowMs);
  }

  /** One commit for everything of this turn, after the one before. */
  private write(topic: string, record: RetainedRecord | undefined): Promise<void> {
    const { clock, keys, store, node = soleNode } = this.options;
    const key = keys.retained(topic);
    this.pending.set(topic, record === undefined ? { key, delete: true } : { key, value: record });
    if (this.commitDone !== undefined) return this.commitDone;
    const before = this.last;
    const done = new Promise<void>((resolve) => clock.afterTurn(resolve))
      .then(() => before.catch(() => undefined))
      .then(async () => {
        const { pending } = this;
        this.pending = new Map();
        this.commitDone = undefined;
        const operations = [...pending.values()];
        if (node.guard === undefined) await store.commit(operations);
        else await this.commitShared([...pending.keys()], [...operations, node.guard]);
      });
    done.catch((error: unknown) => this.failed(error));
    this.commitDone = done;
    this.last = done;
    return done;
  }

  /** Another node may have written the same topics: what the store has is asked for afterwards, here as by those that hear of it. */
  private async commitShared(topics: readonly string[], operations: readonly StoreOperation[]): Promise<void> {
    try {
      await this.options.store.commit(operations);
    } finally {
      for (const topic of topics) this.refresh(topic).catch(() => undefined);
    }
  }

  private failed(error: unknown): void {
    this.options.counters.storeFailures++;
    this.options.log.error("storeFailed", { what: "retained messages", error: String(error) });
  }
}

export function messageRecord(publication: Publication): MessageRecord {
  const { topic, payload, isRetained, qos, expiresAtMs, properties } = publication;
  return { topic, payload, isRetained, qos, expiresAtMs, properties: storedProperties(properties) };
}

export function restoredPublication(record: MessageRecord, topics: EncodedTopics): Publication {
  const publication = new Publication(record.payload, topics);
  publication.reset(record.topic, record.payload, record.qos, record.isRetained, undefined);
  publication.properties = restoredProperties(record.properties);
  publication.expiresAtMs = record.expiresAtMs;
  return publication.keep();
}
