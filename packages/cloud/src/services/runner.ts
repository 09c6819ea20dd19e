import { isThinglineError, ThinglineError } from "@thingline/protocol";
import type { Clock, Keys, Random } from "@thingline/transport";
import type { Log } from "../log.js";
import type { Store, StoreOperation, StoreReader } from "../store/store.js";
import { BatchView, NeedsOwnCommit } from "./batch-view.js";
import { Lanes } from "./lanes.js";
import { operationAttemptsMax, type Operation, type OperationRunner, type Outcome, type Scope } from "./operation.js";
import { Outbox, type EffectPerformer, type PerformedEffect, type PreparedEffects } from "./outbox.js";
import { WakeUps, type WakeEffect, type WakeHandler } from "./wake-ups.js";

/** Effects that were committed and not yet handed over and forgotten: with more, operations wait before they commit. */
export const defaultPendingEffectsMax = 10_000;

/** Scopes whose lanes are kept while they are idle. */
const scopesMax = 100;

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

/** One call of `submit`. */
interface Job {
  readonly scope: Scope;
  readonly operation: Operation<unknown, unknown>;
  readonly input: unknown;
  settled(this: void, error: Error | undefined, result: unknown): void;
}

/** What came of an operation, before anything is committed. */
type Decision = { readonly outcome: Outcome<unknown> } | { readonly error: unknown };

/** Committed with its outcome, or never stored. */
type Committed = PreparedEffects | { readonly unstored: readonly PerformedEffect[] };

class Runner implements EffectRunner {
  readonly #deps: RunnerDependencies;
  readonly #pendingEffectsMax: number;
  readonly #outbox: Outbox;
  readonly #wakeUps: WakeUps;
  readonly #lanesByScope = new Map<string, Lanes<Job>>();
  #lastScope: { scope: Scope; lanes: Lanes<Job> } | undefined;
  #runningCount = 0;
  #whenNoneRuns: (() => void)[] = [];
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
    return new Promise<Result>((resolve, reject) => {
      this.submit(scope, operation, input, (error, result) => {
        if (error === undefined) resolve(result as Result);
        else reject(error);
      });
    });
  }

  submit<Input, Result>(
    scope: Scope,
    operation: Operation<Input, Result>,
    input: Input,
    settled: (error: Error | undefined, result: Result | undefined) => void,
  ): void {
    if (this.#isClosed) {
      const error = new ThinglineError("CLOSED", "the operation runner was used after close()");
      void Promise.resolve().then(() => settled(error, undefined));
      return;
    }
    const lane = operation.lane?.(input);
    const job = { scope, operation, input, settled } as unknown as Job;
    this.#runningCount++;
    if (lane === undefined) void this.#runAlone(job);
    else this.#lanesOf(scope).add(lane, job);
  }

  /** Nearly always those of the call before. */
  #lanesOf(scope: Scope): Lanes<Job> {
    if (this.#lastScope?.scope === scope) return this.#lastScope.lanes;
    const name = `${scope.account}/${scope.region}`;
    let lanes = this.#lanesByScope.get(name);
    if (lanes === undefined) {
      // Over HTTP a scope is what a client says it is.
      if (this.#lanesByScope.size >= scopesMax) this.#forgetIdleScopes();
      lanes = new Lanes((batch) => this.#runBatch(batch));
      this.#lanesByScope.set(name, lanes);
    }
    this.#lastScope = { scope, lanes };
    return lanes;
  }

  #forgetIdleScopes(): void {
    for (const [name, { count }] of this.#lanesByScope) if (count === 0) this.#lanesByScope.delete(name);
    this.#lastScope = undefined;
  }

  async idle(): Promise<void> {
    while (this.#runningCount > 0 || this.#outbox.pendingCount > 0) {
      await this.#noneRuns();
      await this.#outbox.waitUntilBelow(1);
    }
  }

  async #noneRuns(): Promise<void> {
    if (this.#runningCount > 0) await new Promise<void>((resolve) => this.#whenNoneRuns.push(resolve));
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
    await this.#noneRuns();
    await this.#outbox.close();
  }

  /**
   * Decides for the jobs one after another, each seeing what the ones before it decided, and commits all of it at once: a record
   * that many write costs one commit and not one for each of them. When that commit fails, each job gets one of its own.
   */
  async #runBatch(jobs: readonly Job[]): Promise<void> {
    for (let at = 0; at < jobs.length;) {
      const first = jobs[at]!;
      if (at + 1 === jobs.length) return this.#runAlone(first);
      const view = new BatchView(this.#deps.store);
      const decisions = await this.#decide(jobs.slice(at), view);
      if (decisions.length <= 1) await this.#runAlone(first);
      else await this.#finishBatch(jobs.slice(at, at + decisions.length), decisions, view);
      at += Math.max(1, decisions.length);
    }
  }

  /** As far as one commit can hold them. */
  async #decide(jobs: readonly Job[], view: BatchView): Promise<Decision[]> {
    const decisions: Decision[] = [];
    for (const job of jobs) {
      try {
        const outcome = this.#call(job, view);
        const decided = outcome instanceof Promise ? await outcome : outcome;
        view.write(decided.operations);
        decisions.push({ outcome: decided });
      } catch (error) {
        if (error instanceof NeedsOwnCommit) break;
        decisions.push({ error });
      }
    }
    return decisions;
  }

  async #finishBatch(jobs: readonly Job[], decisions: readonly Decision[], view: BatchView): Promise<void> {
    const outcomes: Outcome<unknown>[] = [];
    for (const decision of decisions) if ("outcome" in decision) outcomes.push(decision.outcome);
    const { scope } = jobs[0]!;
    if (this.#outbox.pendingCount >= this.#pendingEffectsMax) await this.#waitForOutbox();
    let committed: readonly Committed[];
    try {
      committed = await this.#commit(scope, view.operations(), outcomes);
    } catch {
      // A conflict, or one of them asks for what cannot be stored: the others must not hear of it.
      for (const job of jobs) await this.#runAlone(job);
      return;
    }
    // In the order of the jobs: a refusal may have been about what an earlier job of the batch wrote.
    let decided = 0;
    for (let at = 0; at < jobs.length; at++) {
      const job = jobs[at]!;
      const decision = decisions[at]!;
      if ("error" in decision) this.#rejected(job, decision.error);
      else this.#finish(job, decision.outcome.result, committed[decided++]!);
    }
  }

  async #runAlone(job: Job): Promise<void> {
    for (let attempt = 1; ; attempt++) {
      try {
        const outcome = await this.#call(job, this.#deps.store);
        const isFull = this.#outbox.pendingCount >= this.#pendingEffectsMax;
        if (isFull && outcome.effects.length > 0) await this.#waitForOutbox();
        const [committed] = await this.#commit(job.scope, outcome.operations, [outcome]);
        this.#finish(job, outcome.result, committed!);
        return;
      } catch (error) {
        if (isThinglineError(error, "STORE_CONFLICT") && attempt < operationAttemptsMax) continue;
        this.#rejected(job, error);
        return;
      }
    }
  }

  #call({ scope, operation, input }: Job, store: StoreReader): Outcome<unknown> | Promise<Outcome<unknown>> {
    const { clock, random, keys } = this.#deps;
    return operation({ scope, store, nowMs: clock.unixMs(), random, keys }, input);
  }

  async #waitForOutbox(): Promise<void> {
    await this.#outbox.waitUntilBelow(this.#pendingEffectsMax);
  }

  /**
   * State and effects of the outcomes, as one commit.
   * @returns the effects of each outcome, to be performed one after another.
   */
  async #commit(
    scope: Scope,
    operations: readonly StoreOperation[],
    outcomes: readonly Outcome<unknown>[],
  ): Promise<readonly Committed[]> {
    const all = operations.slice();
    const committed: Committed[] = [];
    const wakes: WakeEffect[] = [];
    for (const outcome of outcomes) {
      const wakesBefore = wakes.length;
      let performed: PerformedEffect[] | undefined;
      for (const effect of outcome.effects) {
        if (effect.type === "wakeAt") wakes.push(effect);
        else (performed ??= []).push(effect);
      }
      if (outcome.operations.length === 0 && wakes.length === wakesBefore) {
        committed.push({ unstored: performed ?? [] });
        continue;
      }
      const prepared = this.#outbox.prepare(scope, performed ?? []);
      for (const operation of prepared.operations) all.push(operation);
      committed.push(prepared);
    }
    if (wakes.length > 0) all.push(...this.#wakeUps.operationsFor(scope, wakes));
    if (all.length > 0) {
      try {
        await this.#deps.store.commit(all);
      } catch (error) {
        for (const one of committed) if (!("unstored" in one)) this.#outbox.discarded(one);
        throw error;
      }
    }
    for (const { atUnixMs } of wakes) this.#wakeUps.wakeBy(atUnixMs);
    return committed;
  }

  /** What neither changed state nor set a wake-up left no record: its caller waits for the hand-over instead. */
  #finish(job: Job, result: unknown, committed: Committed): void {
    if (!("unstored" in committed)) this.#outbox.committed(committed);
    else if (committed.unstored.length > 0) {
      this.#outbox.handOver(job.scope, committed.unstored).then(
        () => this.#resolved(job, result),
        (error: unknown) => this.#rejected(job, error),
      );
      return;
    }
    this.#resolved(job, result);
  }

  #resolved(job: Job, result: unknown): void {
    this.#settle(job, undefined, result);
  }

  #rejected(job: Job, error: unknown): void {
    this.#settle(job, error instanceof Error ? error : new Error("an operation failed", { cause: error }), undefined);
  }

  #settle({ settled }: Job, error: Error | undefined, result: unknown): void {
    this.#done();
    try {
      settled(error, result);
    } catch (thrown) {
      // The caller's fault must not take the others of its batch with it.
      this.#deps.log.error("callbackFailed", { error: String(thrown) });
    }
  }

  #done(): void {
    if (--this.#runningCount === 0) for (const resolve of this.#whenNoneRuns.splice(0)) resolve();
  }
}
