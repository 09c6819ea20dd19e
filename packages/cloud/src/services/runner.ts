import { isThinglineError, ThinglineError } from "@thingline/protocol";
import type { Clock, Keys, Random } from "@thingline/transport";
import type { Log } from "../log.js";
import type { Store } from "../store/store.js";
import { Lanes } from "./lanes.js";
import { operationAttemptsMax, type Operation, type OperationRunner, type Outcome, type Scope } from "./operation.js";
import { Outbox, type EffectPerformer, type StoredEffect } from "./outbox.js";
import { WakeUps, type WakeHandler } from "./wake-ups.js";

/** Effects that were committed and not yet handed over and forgotten: with more, operations wait before they commit. */
export const defaultPendingEffectsMax = 10_000;

export interface RunnerDependencies {
  store: Store;
  clock: Clock;
  random: Random;
  keys: Keys;
  log: Log;
}

export interface RunnerOptions {
  /** Default {@link defaultPendingEffectsMax}. */
  pendingEffectsMax?: number;
}

export interface RunnerStartOptions {
  performer: EffectPerformer;
  /** By the name that the services give in `wakeAt`. */
  wakeHandlers?: ReadonlyMap<string, WakeHandler>;
}

/** Open until `close()`; {@link openOperationRunner} makes one. */
export interface EffectRunner extends OperationRunner {
  /**
   * Performs what an earlier process left, then what comes. Before the start operations commit, and their effects
   * wait. Resolves when everything left over was handed to the performer.
   */
  start(options: RunnerStartOptions): Promise<void>;
  /** Effects that wait to be handed over or for their hand-over to be forgotten. */
  readonly pendingEffectCount: number;
  /** Resolves when nothing is pending any more. */
  idle(): Promise<void>;
  /** Finishes the running operations and hands their effects over; no timer is left. Safe to call twice. */
  close(): Promise<void>;
}

/**
 * Runs operations for MQTT, REST and timers alike. State and effects are one commit: after a crash either both are
 * there or neither. Effects are performed at least once, in the order of their commits; a crash between hand-over and
 * forgetting repeats some. An operation that changes no state stores nothing: its effects are handed over before its
 * caller hears of it, so a request lost on the way was never acknowledged and is sent again.
 */
export async function openOperationRunner(
  deps: RunnerDependencies,
  options: RunnerOptions = {},
): Promise<EffectRunner> {
  const outbox = await Outbox.open(deps);
  return new Runner(deps, outbox, options.pendingEffectsMax ?? defaultPendingEffectsMax);
}

class Runner implements EffectRunner {
  readonly #deps: RunnerDependencies;
  readonly #pendingEffectsMax: number;
  readonly #outbox: Outbox;
  readonly #wakeUps: WakeUps;
  readonly #running = new Set<Promise<unknown>>();
  readonly #lanes = new Lanes();
  #isStarted = false;
  #isClosed = false;
  #closing: Promise<void> | undefined;

  constructor(deps: RunnerDependencies, outbox: Outbox, pendingEffectsMax: number) {
    this.#deps = deps;
    this.#outbox = outbox;
    this.#pendingEffectsMax = pendingEffectsMax;
    this.#wakeUps = new WakeUps(deps, this);
  }

  get pendingEffectCount(): number {
    return this.#outbox.pendingCount;
  }

  async start({ performer, wakeHandlers = new Map() }: RunnerStartOptions): Promise<void> {
    this.#isStarted = true;
    await this.#outbox.start(performer);
    await this.#wakeUps.start(wakeHandlers);
  }

  run<Input, Result>(scope: Scope, operation: Operation<Input, Result>, input: Input): Promise<Result> {
    if (this.#isClosed) {
      return Promise.reject(new ThinglineError("CLOSED", "the operation runner was used after close()"));
    }
    const run = () => this.#run(scope, operation, input);
    const lane = operation.lane?.(input);
    const result = lane === undefined ? run() : this.#lanes.run(`${scope.account}/${scope.region}/${lane}`, run);
    this.#running.add(result);
    const forget = () => void this.#running.delete(result);
    result.then(forget, forget);
    return result;
  }

  async idle(): Promise<void> {
    while (this.#running.size > 0 || this.#outbox.pendingCount > 0) {
      await Promise.allSettled(this.#running);
      await this.#outbox.waitUntilBelow(1);
    }
  }

  close(): Promise<void> {
    this.#closing ??= this.#close();
    return this.#closing;
  }

  async #close(): Promise<void> {
    // Handlers of wake-ups may still run operations.
    await this.#wakeUps.close();
    this.#isClosed = true;
    if (!this.#isStarted) await this.#outbox.close(); // nobody takes what the running operations wait to hand over
    await Promise.allSettled(this.#running);
    await this.#outbox.close();
  }

  async #run<Input, Result>(scope: Scope, operation: Operation<Input, Result>, input: Input): Promise<Result> {
    const { store, clock, random, keys } = this.#deps;
    for (let attempt = 1; ; attempt++) {
      const outcome = await operation({ scope, store, nowMs: clock.unixMs(), random, keys }, input);
      if (outcome.effects.length > 0) await this.#outbox.waitUntilBelow(this.#pendingEffectsMax);
      try {
        await this.#commit(scope, outcome);
        return outcome.result;
      } catch (error) {
        if (!isThinglineError(error, "STORE_CONFLICT") || attempt >= operationAttemptsMax) throw error;
      }
    }
  }

  async #commit(scope: Scope, { operations, effects }: Outcome<unknown>): Promise<void> {
    const wakes = effects.filter((effect) => effect.type === "wakeAt");
    const performed = effects.filter((effect): effect is StoredEffect => effect.type !== "wakeAt");
    const isStored = operations.length > 0 || wakes.length > 0;
    if (!isStored) {
      await this.#outbox.handOver(scope, performed);
      return;
    }
    const prepared = this.#outbox.prepare(scope, performed);
    const wakeOperations = this.#wakeUps.operationsFor(scope, wakes);
    try {
      await this.#deps.store.commit([...operations, ...wakeOperations, ...prepared.operations]);
    } catch (error) {
      prepared.discarded();
      throw error;
    }
    prepared.committed();
    for (const { atUnixMs } of wakes) this.#wakeUps.wakeBy(atUnixMs);
  }
}
