import { ThinglineError } from "@thingline/protocol";
import type { Clock, Timer } from "@thingline/transport";
import type { Log } from "../log.js";
import { iterateSound } from "../store/iterate.js";
import type { Store, StoreKey, StoreOperation } from "../store/store.js";
import type { Effect, Scope } from "./operation.js";

/** What the performer does; a wake-up is the runner's own. */
export type PerformedEffect = Exclude<Effect, { type: "wakeAt" }>;
/** A message as it is stored and handed over: with its payload. */
export type PublishEffect = Omit<Extract<Effect, { type: "publish" }>, "payload"> & { payload: Uint8Array };
type StoredEffect = Exclude<PerformedEffect, { type: "publish" }> | PublishEffect;

/**
 * What the runner needs of the rest of the cloud. Calls come in order, several at once: a call takes its place in the
 * order before it returns its promise, and resolves when the effect is in the receiver's hands (a QoS 1 message: with
 * the sessions that want it). It must not wait for an operation of the same runner. After a crash, or when it rejects,
 * an effect comes again.
 */
export interface EffectPerformer {
  publish(scope: Scope, effect: PublishEffect): Promise<void>;
  /**
   * Whether anybody would get the message now, connected or not. What nobody would get is not stored: it would go nowhere after a
   * crash as well. Without this everything is wanted.
   */
  isWanted?(scope: Scope, topic: string): boolean;
  disconnect(scope: Scope, effect: Extract<Effect, { type: "disconnect" }>): Promise<void>;
  recheckPrincipal(scope: Scope, effect: Extract<Effect, { type: "recheckPrincipal" }>): Promise<void>;
  /** Without it a blob that is wanted no more goes when the next engine opens. */
  deleteBlob?(scope: Scope, effect: Extract<Effect, { type: "deleteBlob" }>): Promise<void>;
}

/** How often an effect is offered before it is dropped with an error in the log. */
export const effectAttemptsMax = 5;
export const effectRetryDelayMs = 200;
/** Effects handed over together. */
const batchEffectsMax = 256;

/** Records of the cloud itself stand under an empty account and region. */
export const systemKey = (...rest: (string | number)[]): StoreKey => ["", "", ...rest];

const ignore = (): void => undefined;

type OutboxRecord = { account: string; region: string; effect: StoredEffect };

/** On its way to the performer. */
interface Pending {
  scope: Scope;
  effect: StoredEffect;
  /** undefined: nothing was stored for it. */
  key: StoreKey | undefined;
  attempts: number;
  /** Called once, with the error when it was given up. */
  settled(this: void, error?: Error): void;
}

/** Effects that share a commit with the state they follow from. */
export interface PreparedEffects {
  readonly scope: Scope;
  readonly effects: readonly PerformedEffect[];
  /** Of the effects that somebody wants, by their place. */
  readonly stored: readonly (Pending | undefined)[];
  /** What the commit needs for them. */
  readonly operations: readonly StoreOperation[];
}

const none: readonly never[] = [];

/** Effects between their commit and their hand-over, in order. */
export class Outbox {
  readonly #store: Store;
  readonly #clock: Clock;
  readonly #log: Log;
  #performer: EffectPerformer | undefined;
  #lastSequence = 0;
  #queue: Pending[] = [];
  /** Prepared, queued, handed over but not yet forgotten. */
  #pendingCount = 0;
  #waiters: { countMax: number; resolve: () => void }[] = [];
  #isPumping = false;
  /** Hand-overs and forgettings under way. */
  readonly #busy = new Set<Promise<void>>();
  #retry: { timer: Timer; resolve: () => void } | undefined;
  #isClosed = false;

  private constructor({ store, clock, log }: { store: Store; clock: Clock; log: Log }) {
    this.#store = store;
    this.#clock = clock;
    this.#log = log;
  }

  /** Reads what an earlier process left. */
  static async open(deps: { store: Store; clock: Clock; log: Log }): Promise<Outbox> {
    const outbox = new Outbox(deps);
    for await (const { key, value } of iterateSound<OutboxRecord>(deps.store, systemKey("outbox"))) {
      outbox.#lastSequence = Number(key.at(-1));
      outbox.#pendingCount++;
      const { account, region, effect } = value;
      outbox.#queue.push(pendingOf({ account, region }, effect, key));
    }
    if (outbox.#pendingCount > 0) deps.log.info("effectsLeftOver", { count: outbox.#pendingCount });
    return outbox;
  }

  get pendingCount(): number {
    return this.#pendingCount;
  }

  /** Resolves when what was left over is handed over. */
  async start(performer: EffectPerformer): Promise<void> {
    const leftOver = this.#queue.length;
    const last = this.#queue[leftOver - 1];
    this.#performer = performer;
    if (last === undefined) return;
    const settled = new Promise<void>((resolve) => {
      last.settled = () => resolve();
    });
    this.#pump();
    await settled;
  }

  /**
   * Takes places in the order; the commit must be asked for before control returns to the event loop. Then comes
   * {@link committed} or {@link discarded}.
   */
  prepare(scope: Scope, effects: readonly PerformedEffect[]): PreparedEffects {
    let stored: (Pending | undefined)[] | undefined;
    let operations: StoreOperation[] | undefined;
    for (let at = 0; at < effects.length; at++) {
      const effect = effects[at]!;
      if (!this.#isWanted(scope, effect)) continue;
      const key = systemKey("outbox", ++this.#lastSequence);
      const pending = pendingOf(scope, effect, key);
      const record: OutboxRecord = { account: scope.account, region: scope.region, effect: pending.effect };
      (operations ??= []).push({ key, value: record });
      (stored ??= [])[at] = pending;
    }
    if (operations !== undefined) this.#pendingCount += operations.length;
    return { scope, effects, stored: stored ?? none, operations: operations ?? none };
  }

  /** The commit is made: performs them, and what somebody has subscribed to meanwhile. */
  committed({ scope, effects, stored }: PreparedEffects): void {
    let wanted: Pending[] | undefined;
    for (let at = 0; at < effects.length; at++) {
      let pending = stored[at];
      if (pending === undefined) {
        if (!this.#isWanted(scope, effects[at]!)) continue;
        this.#pendingCount++;
        pending = pendingOf(scope, effects[at]!, undefined);
      }
      (wanted ??= []).push(pending);
    }
    if (wanted !== undefined) this.#enqueue(wanted);
  }

  /** The commit failed. */
  discarded({ operations }: PreparedEffects): void {
    this.#release(operations.length);
  }

  #isWanted(scope: Scope, effect: PerformedEffect): boolean {
    if (effect.type !== "publish" || effect.isRetained === true || effect.onlyToClientId !== undefined) return true;
    return this.#performer?.isWanted?.(scope, effect.topic) ?? true;
  }

  /** For effects without state: resolves when the performer has them, rejects when they were given up. */
  async handOver(scope: Scope, effects: readonly PerformedEffect[]): Promise<void> {
    const wanted = effects.filter((effect) => this.#isWanted(scope, effect));
    if (wanted.length === 0) return;
    const handed = wanted.map(
      (effect) =>
        new Promise<void>((resolve, reject) => {
          const settled = (error?: Error) => (error === undefined ? resolve() : reject(error));
          this.#pendingCount++;
          this.#enqueue([pendingOf(scope, effect, undefined, settled)]);
        }),
    );
    await Promise.all(handed);
  }

  /** Waits, in line, until fewer than `countMax` effects are pending. */
  async waitUntilBelow(countMax: number): Promise<void> {
    if (this.#pendingCount < countMax) return;
    await new Promise<void>((resolve) => this.#waiters.push({ countMax, resolve }));
  }

  /** Hands over what is queued, unless nobody takes it: that stays in the store for the next start. */
  async close(): Promise<void> {
    this.#isClosed = true;
    this.#retry?.timer.cancel();
    this.#retry?.resolve();
    while (this.#busy.size > 0) await Promise.all(this.#busy);
    for (const { settled } of this.#queue.splice(0)) settled(closedError());
    for (const { resolve } of this.#waiters.splice(0)) resolve();
  }

  #enqueue(pending: readonly Pending[]): void {
    if (this.#isClosed) for (const { settled } of pending) settled(closedError());
    else this.#queue.push(...pending);
    this.#pump();
  }

  #pump(): void {
    if (this.#performer === undefined || this.#isPumping) return;
    this.#isPumping = true;
    this.#track(this.#handOverQueued(this.#performer));
  }

  #track(work: Promise<void>): void {
    const tracked = work.finally(() => void this.#busy.delete(tracked));
    this.#busy.add(tracked);
  }

  async #handOverQueued(performer: EffectPerformer): Promise<void> {
    while (this.#queue.length > 0) {
      const batch = this.#queue.splice(0, batchEffectsMax);
      const results = await Promise.allSettled(batch.map((pending) => perform(performer, pending)));
      const failed: Pending[] = [];
      const done: Pending[] = [];
      for (const [index, pending] of batch.entries()) {
        const result = results[index];
        if (result?.status === "fulfilled") done.push(pending);
        else if (this.#mayRetry(pending, result?.reason)) failed.push(pending);
        else done.push(pending);
      }
      for (const { settled } of done) settled();
      this.#track(this.#forget(done));
      if (failed.length === 0) continue;
      this.#queue.unshift(...failed);
      if (this.#isClosed) break;
      await this.#retryDelay();
    }
    this.#isPumping = false;
  }

  /** Settles what is given up. */
  #mayRetry(pending: Pending, error: unknown): boolean {
    pending.attempts++;
    const facts = { effect: pending.effect.type, attempts: pending.attempts, error: String(error) };
    if (pending.attempts < effectAttemptsMax) {
      this.#log.warn("effectFailed", facts);
      return true;
    }
    this.#log.error("effectDropped", facts);
    pending.settled(error instanceof Error ? error : new Error(String(error)));
    return false;
  }

  async #retryDelay(): Promise<void> {
    await new Promise<void>((resolve) => {
      this.#retry = { timer: this.#clock.setTimer(effectRetryDelayMs, resolve), resolve };
    });
    this.#retry = undefined;
  }

  async #forget(done: readonly Pending[]): Promise<void> {
    const operations = done.flatMap(({ key }) => (key === undefined ? [] : [{ key, delete: true as const }]));
    try {
      if (operations.length > 0) await this.#store.commit(operations);
    } catch (error) {
      // They are performed again after the next start.
      this.#log.error("effectsNotForgotten", { count: operations.length, error: String(error) });
    }
    this.#release(done.length);
  }

  #release(count: number): void {
    this.#pendingCount -= count;
    let room = this.#pendingCount;
    this.#waiters = this.#waiters.filter(({ countMax, resolve }) => {
      if (room >= countMax) return true;
      room++;
      resolve();
      return false;
    });
  }
}

function pendingOf(
  scope: Scope,
  effect: PerformedEffect,
  key: StoreKey | undefined,
  settled: Pending["settled"] = ignore,
): Pending {
  return { scope, effect: complete(effect), key, attempts: 0, settled };
}

function complete(effect: PerformedEffect): StoredEffect {
  if (effect.type !== "publish") return effect;
  const { payload } = effect;
  return { ...effect, payload: typeof payload === "function" ? payload() : payload };
}

async function perform(performer: EffectPerformer, { scope, effect }: Pending): Promise<void> {
  switch (effect.type) {
    case "publish":
      return performer.publish(scope, effect);
    case "disconnect":
      return performer.disconnect(scope, effect);
    case "recheckPrincipal":
      return performer.recheckPrincipal(scope, effect);
    case "deleteBlob":
      return performer.deleteBlob?.(scope, effect);
  }
}

const closedError = () => new ThinglineError("CLOSED", "the operation runner was closed before the effect was taken");
