import { isThinglineError, ThinglineError } from "@thingline/protocol";
import type { Clock, Keys, Random } from "@thingline/transport";
import type { Log } from "../log.js";
import { soleNode, type CloudNode } from "../nodes/node.js";
import type { BlobStore } from "../store/blobs.js";
import { createMemoryBlobStore } from "../store/blob-memory.js";
import type { Store, StoreOperation } from "../store/store.js";
import { blobRoom } from "./blob-room.js";
import { draftOver, type Draft } from "./draft.js";
import { DraftContext } from "./draft-context.js";
import { Lanes } from "./lanes.js";
import {
  operationAttemptsMax,
  type Effect,
  type Operation,
  type OperationRunner,
  type Outcome,
  type Saga,
  type SagaContext,
  type Scope,
} from "./operation.js";
import { nodeOverError, Outbox, type EffectPerformer, type PerformedEffect, type PreparedEffects } from "./outbox.js";
import { WakeUps, type WakeEffect, type WakeHandler } from "./wake-ups.js";

/** Effects that were committed and not yet handed over and forgotten: with more, operations wait before they commit. */
export const defaultPendingEffectsMax = 10_000;

/** Scopes whose lanes are kept while they are idle. */
const scopesMax = 100;

export interface RunnerDependencies {
  store: Store;
  /** Default: in memory. */
  blobs?: BlobStore;
  clock: Clock;
  random: Random;
  keys: Keys;
  log: Log;
  /** What this process is to others on the same store. Default: the store is its own. Closed by whoever opened it, last. */
  node?: CloudNode;
  /** Hears of what was committed, before its caller does. Default nobody. */
  onCommitted?: ((scope: Scope, operations: readonly StoreOperation[]) => void) | undefined;
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
  /** Another node has stored a wake-up for this Unix time; without this it is found a little later. */
  expectWakeUp(atUnixMs: number): void;
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
  const { node = soleNode } = deps;
  const outbox = await Outbox.open({ ...deps, node });
  return new Runner({ ...deps, node }, outbox, options.pendingEffectsMax ?? defaultPendingEffectsMax);
}

/** One call of `submit`, and how far it has come. */
class Job {
  readonly scope: Scope;
  readonly operation: Operation<unknown, unknown>;
  readonly input: unknown;
  readonly settled: (this: void, error: Error | undefined, result: unknown) => void;
  /** Decided and, until there are `effects`, not committed. */
  outcome: Outcome<unknown> | undefined;
  /** Thrown instead of an outcome. */
  refusal: unknown;
  effects: PreparedEffects | undefined;

  constructor(scope: Scope, operation: Job["operation"], input: unknown, settled: Job["settled"]) {
    this.scope = scope;
    this.operation = operation;
    this.input = input;
    this.settled = settled;
  }
}

/** What neither changes state nor sets a wake-up leaves no record. */
const isStored = ({ operations, effects }: Outcome<unknown>): boolean =>
  operations.length > 0 || effects.some(({ type }) => type === "wakeAt");

const isPerformed = (effect: Effect): effect is PerformedEffect => effect.type !== "wakeAt";

/** Nearly always all of them. */
function performedOf({ effects }: Outcome<unknown>): readonly PerformedEffect[] {
  return effects.every(isPerformed) ? effects : effects.filter(isPerformed);
}

class Runner implements EffectRunner {
  readonly #deps: RunnerDependencies;
  readonly #node: CloudNode;
  readonly #pendingEffectsMax: number;
  readonly #outbox: Outbox;
  readonly #wakeUps: WakeUps;
  #performer: EffectPerformer | undefined;
  readonly #lanesByScope = new Map<string, Lanes<Job>>();
  #lastScope: { scope: Scope; lanes: Lanes<Job> } | undefined;
  #blobs: BlobStore | undefined;
  #runningCount = 0;
  #whenNoneRuns: (() => void)[] = [];
  #isStarted = false;
  #isClosed = false;
  #closing: Promise<void> | undefined;

  constructor(deps: RunnerDependencies & { node: CloudNode }, outbox: Outbox, pendingEffectsMax: number) {
    this.#deps = deps;
    this.#node = deps.node;
    this.#outbox = outbox;
    this.#pendingEffectsMax = pendingEffectsMax;
    this.#wakeUps = new WakeUps(deps, this);
  }

  get pendingEffectCount(): number {
    return this.#outbox.pendingCount;
  }

  async start({ performer, wakeHandlers = new Map() }: RunnerStartOptions): Promise<void> {
    this.#isStarted = true;
    this.#performer = performer;
    await this.#outbox.start(performer);
    await this.#node.start();
    await this.#wakeUps.start(wakeHandlers);
  }

  expectWakeUp(atUnixMs: number): void {
    this.#wakeUps.wakeBy(atUnixMs);
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
    if (this.#isClosed || this.#node.isOver) {
      const error = this.#isClosed
        ? new ThinglineError("CLOSED", "the operation runner was used after close()")
        : nodeOverError();
      void Promise.resolve().then(() => settled(error, undefined));
      return;
    }
    this.#start(scope, operation, input, settled);
  }

  #start<Input, Result>(
    scope: Scope,
    operation: Operation<Input, Result>,
    input: Input,
    settled: (error: Error | undefined, result: Result | undefined) => void,
  ): void {
    const lane = operation.lane?.(input);
    const job = new Job(scope, operation as Job["operation"], input, settled as Job["settled"]);
    this.#runningCount++;
    if (operation.saga !== undefined) void this.#runSaga(job, operation.saga as Saga<unknown, unknown>);
    else if (lane === undefined) void this.#runAlone(job);
    else this.#lanesOf(scope).add(lane, job);
  }

  /** Its operations run like all others; what it waits for holds nobody up but {@link close}. */
  async #runSaga(job: Job, { service, run }: Saga<unknown, unknown>): Promise<void> {
    const { scope } = job;
    const { clock, random, keys } = this.#deps;
    this.#blobs ??= this.#deps.blobs ?? createMemoryBlobStore({ sha256: (bytes) => keys.sha256(bytes) });
    const context: SagaContext = {
      ...{ scope, clock, random, keys },
      blobs: blobRoom(this.#blobs, scope, service),
      run: (operation, input) =>
        new Promise((resolve, reject) => {
          this.#start(scope, operation, input, (error, result) => {
            if (error === undefined) resolve(result as never);
            else reject(error);
          });
        }),
    };
    try {
      this.#resolved(job, await run(context, job.input));
    } catch (error) {
      this.#rejected(job, error);
    }
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
      const rest = at === 0 ? jobs : jobs.slice(at);
      const draft = draftOver(this.#deps.store);
      const count = rest.length === 1 ? 0 : await this.#decide(rest, draft);
      if (count <= 1) await this.#runAlone(rest[0]!, rest.length === 1 ? draft : undefined);
      else await this.#finishBatch(count === rest.length ? rest : rest.slice(0, count), draft);
      at += Math.max(1, count);
    }
  }

  /** @returns for how many of the jobs: as far as one commit can hold them */
  async #decide(jobs: readonly Job[], draft: Draft): Promise<number> {
    const { scope } = jobs[0]!;
    let context: DraftContext | undefined;
    for (let at = 0; at < jobs.length; at++) {
      const job = jobs[at]!;
      context ??= this.#contextOf(scope, draft);
      let isWaited = false;
      try {
        let outcome = job.operation(context, job.input);
        isWaited = outcome instanceof Promise;
        if (outcome instanceof Promise) outcome = await outcome;
        if (context.hasCalled) job.outcome = context.conclude(outcome);
        else {
          draft.write(outcome.operations);
          job.outcome = outcome;
        }
      } catch (error) {
        if (context.hasCalled) await context.abandon();
        job.outcome = undefined;
        job.refusal = error;
      }
      if (draft.isDisputed) {
        if (context.hasCalled) await context.abandon();
        job.outcome = undefined;
        return at;
      }
      if (isWaited || context.hasCalled) {
        context.end();
        context = undefined;
      }
    }
    return jobs.length;
  }

  async #finishBatch(jobs: readonly Job[], draft: Draft): Promise<void> {
    if (this.#outbox.pendingCount >= this.#pendingEffectsMax) await this.#waitForOutbox();
    try {
      await this.#commit(jobs, draft.operations());
    } catch {
      // A conflict, or one of them asks for what cannot be stored: the others must not hear of it.
      for (const job of jobs) await this.#runAlone(job);
      return;
    }
    // In the order of the jobs: a refusal may have been about what an earlier job of the batch wrote.
    for (const job of jobs) this.#finish(job);
  }

  /** @param unused a draft with nothing in it */
  async #runAlone(job: Job, unused?: Draft): Promise<void> {
    for (let attempt = 1; ; attempt++) {
      const draft = attempt === 1 && unused !== undefined ? unused : draftOver(this.#deps.store);
      const context = this.#contextOf(job.scope, draft);
      try {
        const outcome = await job.operation(context, job.input);
        job.outcome = context.hasCalled ? context.conclude(outcome) : outcome;
        context.end();
        const isFull = this.#outbox.pendingCount >= this.#pendingEffectsMax;
        if (isFull && job.outcome.effects.length > 0) await this.#waitForOutbox();
        await this.#commit([job], context.hasCalled ? draft.operations() : outcome.operations);
      } catch (error) {
        if (context.hasCalled) await context.abandon();
        context.end();
        const isConflict = isThinglineError(error, "STORE_CONFLICT");
        const isOver = isConflict && !this.#node.isAlone && (await this.#verifyOver());
        if (isConflict && !isOver && attempt < operationAttemptsMax) continue;
        job.outcome = undefined;
        job.refusal = isOver ? nodeOverError() : error;
      }
      this.#finish(job);
      return;
    }
  }

  /** A store that cannot be asked does not say that the node is over. */
  #verifyOver(): Promise<boolean> {
    return this.#node.verify().catch(() => false);
  }

  #contextOf(scope: Scope, draft: Draft): DraftContext {
    return new DraftContext(scope, this.#deps.clock.unixMs(), this.#deps, draft);
  }

  async #waitForOutbox(): Promise<void> {
    await this.#outbox.waitUntilBelow(this.#pendingEffectsMax);
  }

  /** State and effects of what was decided for the jobs, which are of one scope, as one commit. */
  async #commit(jobs: readonly Job[], operations: readonly StoreOperation[]): Promise<void> {
    const all = operations.slice();
    const wakes: WakeEffect[] = [];
    try {
      for (const job of jobs) {
        job.effects = undefined;
        if (job.outcome === undefined || !isStored(job.outcome)) continue;
        job.effects = this.#outbox.prepare(job.scope, performedOf(job.outcome));
        for (const operation of job.effects.operations) all.push(operation);
        for (const effect of job.outcome.effects) if (effect.type === "wakeAt") wakes.push(effect);
      }
      if (wakes.length > 0) all.push(...this.#wakeUps.operationsFor(jobs[0]!.scope, wakes));
      if (all.length > 0) {
        if (this.#node.guard !== undefined) all.push(this.#node.guard);
        await this.#deps.store.commit(all);
      }
    } catch (error) {
      for (const { effects } of jobs) if (effects !== undefined) this.#outbox.discarded(effects);
      throw error;
    }
    if (operations.length > 0) this.#deps.onCommitted?.(jobs[0]!.scope, operations);
    for (const { atUnixMs } of wakes) {
      this.#wakeUps.wakeBy(atUnixMs);
      if (!this.#node.isAlone) this.#performer?.announceWakeUp?.(atUnixMs);
    }
  }

  /** Performs the effects, and tells the caller. */
  #finish(job: Job): void {
    const { outcome, effects, scope } = job;
    if (outcome === undefined) return this.#rejected(job, job.refusal);
    try {
      if (effects !== undefined) this.#outbox.committed(effects);
      else if (outcome.effects.length > 0) {
        // Nothing was stored for them, so the caller waits until they are handed over.
        this.#outbox.handOver(scope, performedOf(outcome)).then(
          () => this.#resolved(job, outcome.result),
          (error: unknown) => this.#rejected(job, error),
        );
        return;
      }
    } catch (error) {
      return this.#rejected(job, error);
    }
    this.#resolved(job, outcome.result);
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
