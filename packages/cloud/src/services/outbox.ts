import { ThinglineError } from "@thingline/protocol";
import type { Clock, Timer } from "@thingline/transport";
import type { Log } from "../log.js";
import type { CloudNode, Estate } from "../nodes/node.js";
import type { Store, StoreKey, StoreOperation } from "../store/store.js";
import type { Scope } from "./operation.js";
import {
  adoptOutbox,
  leftOver,
  originOf,
  outboxKey,
  type EffectId,
  type OutboxRecord,
  type PerformedEffect,
  type PublishEffect,
  type StoredEffect,
} from "./outbox-records.js";

export type { EffectId, PerformedEffect, PublishEffect } from "./outbox-records.js";

/** A message that was handed over, and that services still work on: its caller hears when they have answered it. */
export interface HandedOver {
  /** The next effects do not wait for this, which may wait for effects itself. */
  answered: Promise<unknown>;
}

/**
 * What the runner needs of the rest of the cloud. Calls come in order, several at once: a call takes its place in the
 * order before it returns its promise, and resolves when the effect is in the receiver's hands (a QoS 1 message: with
 * the sessions that want it). It must not wait for an operation of the same runner. After a crash, or when it rejects,
 * an effect comes again.
 */
export interface EffectPerformer {
  /** @param id where nodes share the store: names the effect, also when another node performs it again. */
  publish(scope: Scope, effect: PublishEffect, id?: EffectId): Promise<void | HandedOver>;
  /**
   * Whether anybody would get or hear the message now, connected or not. What nobody would get is not stored: it would go nowhere after a
   * crash as well. Without this everything is wanted.
   */
  isWanted?(scope: Scope, topic: string, source: "service" | "http"): boolean;
  disconnect(scope: Scope, effect: Extract<PerformedEffect, { type: "disconnect" }>): Promise<void>;
  recheckPrincipal(scope: Scope, effect: Extract<PerformedEffect, { type: "recheckPrincipal" }>): Promise<void>;
  /** Without it nothing is kept ready by any service. */
  refresh?(scope: Scope, effect: Extract<PerformedEffect, { type: "refresh" }>): Promise<void>;
  /** Without it a blob that is wanted no more goes when the next engine opens. */
  deleteBlob?(scope: Scope, effect: Extract<PerformedEffect, { type: "deleteBlob" }>): Promise<void>;
  /** A wake-up for this Unix time was stored: other nodes may like to know before they look by themselves. */
  announceWakeUp?(atUnixMs: number): void;
}

/** How often an effect is offered before it is dropped with an error in the log. */
export const effectAttemptsMax = 5;
export const effectRetryDelayMs = 200;
/** Effects handed over together. */
const batchEffectsMax = 256;

const ignore = (): void => undefined;

/** On its way to the performer. */
interface Pending {
  scope: Scope;
  effect: StoredEffect;
  /** undefined: nothing was stored for it. */
  key: StoreKey | undefined;
  /** Who committed it, where that was another node. */
  origin: EffectId | undefined;
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

export interface OutboxDependencies {
  store: Store;
  clock: Clock;
  log: Log;
  node: CloudNode;
}

/**
 * Effects between their commit and their hand-over, in order. The records of each node stand under its name, so that nodes that
 * share a store do not meet; when a node is over, another takes its records and goes on with them.
 */
export class Outbox {
  readonly #store: Store;
  readonly #clock: Clock;
  readonly #log: Log;
  readonly #node: CloudNode;
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

  private constructor({ store, clock, log, node }: OutboxDependencies) {
    this.#store = store;
    this.#clock = clock;
    this.#log = log;
    this.#node = node;
  }

  /** Reads what an earlier process left, when the store is this node's alone. Otherwise what is left comes with its estate. */
  static async open(deps: OutboxDependencies): Promise<Outbox> {
    const outbox = new Outbox(deps);
    const { node, store } = deps;
    if (node.isAlone) {
      for await (const { key, value } of leftOver(store)) {
        const { node: owner, sequence } = originOf(key, value);
        // Also after the records of a release without nodes, and of nodes that were several.
        if (owner === node.id || key[3] === node.id) {
          outbox.#lastSequence = Math.max(outbox.#lastSequence, sequence, Number(key.at(-1)));
        }
        outbox.#take(key, value);
      }
      if (outbox.#pendingCount > 0) deps.log.info("effectsLeftOver", { count: outbox.#pendingCount });
      return outbox;
    }
    node.onEstate((estate) => outbox.#adopt(estate));
    node.onOver(() => outbox.#abandon());
    return outbox;
  }

  #take(key: StoreKey, { account, region, effect, origin }: OutboxRecord): void {
    this.#pendingCount++;
    this.#queue.push({ ...pendingOf({ account, region }, effect, key), origin });
  }

  /** After what is queued already, in the order in which the other node committed it. */
  async #adopt(estate: Estate): Promise<void> {
    const nextKey = () => outboxKey(this.#node.id, ++this.#lastSequence);
    await adoptOutbox(this.#store, estate, nextKey, (effects) => {
      for (const { key, record } of effects) this.#take(key, record);
      this.#log.info("effectsAdopted", { from: estate.id, count: effects.length });
      this.#pump();
    });
  }

  /** The node is over: what is stored is another's to perform, and nobody waits for the rest. */
  #abandon(): void {
    const left = this.#queue.splice(0);
    for (const { settled } of left) settled(nodeOverError());
    this.#release(left.length);
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
      const key = outboxKey(this.#node.id, ++this.#lastSequence);
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
    return this.#performer?.isWanted?.(scope, effect.topic, effect.source ?? "service") ?? true;
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
      // While its lease is not renewed, another node may have taken what is queued here.
      if (!this.#node.mayAct() && !(await this.#node.regained())) {
        this.#abandon();
        break;
      }
      const batch = this.#queue.splice(0, batchEffectsMax);
      const results = await Promise.allSettled(batch.map((pending) => this.#perform(performer, pending)));
      const failed: Pending[] = [];
      const done: Pending[] = [];
      for (const [index, pending] of batch.entries()) {
        const result = results[index];
        if (result?.status === "fulfilled") {
          done.push(pending);
          settle(pending, result.value);
        } else if (this.#mayRetry(pending, result?.reason)) failed.push(pending);
        else done.push(pending);
      }
      this.#track(this.#forget(done));
      if (failed.length === 0) continue;
      this.#queue.unshift(...failed);
      if (this.#isClosed) break;
      await this.#retryDelay();
    }
    this.#isPumping = false;
  }

  async #perform(performer: EffectPerformer, { scope, effect, key, origin }: Pending): Promise<void | HandedOver> {
    switch (effect.type) {
      case "publish": {
        if (this.#node.isAlone || key === undefined) return performer.publish(scope, effect);
        return performer.publish(scope, effect, origin ?? { node: this.#node.id, sequence: Number(key.at(-1)) });
      }
      case "disconnect":
        return performer.disconnect(scope, effect);
      case "recheckPrincipal":
        return performer.recheckPrincipal(scope, effect);
      case "refresh":
        return performer.refresh?.(scope, effect);
      case "deleteBlob":
        return performer.deleteBlob?.(scope, effect);
    }
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
      if (operations.length > 0) await this.#store.commit(this.#guarded(operations));
    } catch (error) {
      // They are performed again after the next start.
      this.#log.error("effectsNotForgotten", { count: operations.length, error: String(error) });
    }
    this.#release(done.length);
  }

  #guarded(operations: readonly StoreOperation[]): readonly StoreOperation[] {
    const { guard } = this.#node;
    return guard === undefined ? operations : [...operations, guard];
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
  return { scope, effect: complete(effect), key, origin: undefined, attempts: 0, settled };
}

function complete(effect: PerformedEffect): StoredEffect {
  if (effect.type !== "publish") return effect;
  const { payload } = effect;
  return { ...effect, payload: typeof payload === "function" ? payload() : payload };
}

function settle({ settled }: Pending, handedOver: void | HandedOver): void {
  if (handedOver === undefined) return settled();
  handedOver.answered.then(
    () => settled(),
    (error: unknown) => settled(error instanceof Error ? error : new Error(String(error))),
  );
}

const closedError = () => new ThinglineError("CLOSED", "the operation runner was closed before the effect was taken");
export const nodeOverError = () => new ThinglineError("NODE_OVER", "another node has declared this one over");
