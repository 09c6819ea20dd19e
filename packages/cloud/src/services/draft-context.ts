import { ThinglineError } from "@thingline/protocol";
import type { Keys, Random } from "@thingline/transport";
import type { StoreOperation } from "../store/store.js";
import type { Draft, DraftMark } from "./draft.js";
import type { Effect, Operation, OperationContext, Outcome, Scope } from "./operation.js";

/** An operation that calls one that calls another, and so on: more is a circle. */
export const callDepthMax = 16;

/** What the called operations of one run decided, in order. Their operations are in the draft as well. */
interface Called {
  readonly mark: DraftMark;
  readonly operations: StoreOperation[];
  readonly effects: Effect[];
}

/**
 * What an operation sees of the world, over a draft. One object serves operations that decide at once, one after another; whoever waits
 * or calls has one of its own. Nothing is kept for calls until the first one.
 */
export class DraftContext implements OperationContext {
  readonly scope: Scope;
  readonly store: Draft;
  readonly nowMs: number;
  readonly random: Random;
  readonly keys: Keys;
  readonly #depth: number;
  /** Shared with those that were called. */
  #called: Called | undefined;
  /** Settles when the last call is done; never rejects. */
  #lastCall: Promise<void> | undefined;
  #openCalls = 0;
  #isOver = false;

  /** @param adapters of which random and keys are taken */
  constructor(
    scope: Scope,
    nowMs: number,
    adapters: Pick<OperationContext, "random" | "keys">,
    draft: Draft,
    depth = 0,
    called?: Called,
  ) {
    this.scope = scope;
    this.store = draft;
    this.nowMs = nowMs;
    this.random = adapters.random;
    this.keys = adapters.keys;
    this.#depth = depth;
    this.#called = called;
  }

  get hasCalled(): boolean {
    return this.#called !== undefined || this.#openCalls > 0;
  }

  call<Input, Result>(operation: Operation<Input, Result>, input: Input): Promise<Result> {
    if (this.#depth >= callDepthMax) {
      const message = `operations call each other more than ${callDepthMax} deep`;
      return Promise.reject(new ThinglineError("LIMIT_EXCEEDED", message, { details: { callDepthMax } }));
    }
    this.#openCalls++;
    const call = this.#callAfter(this.#lastCall, operation, input);
    const done = (): void => void this.#openCalls--;
    this.#lastCall = call.then(done, done);
    return call;
  }

  async #callAfter<Input, Result>(
    before: Promise<void> | undefined,
    operation: Operation<Input, Result>,
    input: Input,
  ) {
    await before;
    if (this.#isOver) throw new Error("an operation was called by one that had decided already");
    this.#called ??= { mark: this.store.mark(), operations: [], effects: [] };
    const called = this.#called;
    const mark = this.store.mark();
    const [operationCount, effectCount] = [called.operations.length, called.effects.length];
    const inner = new DraftContext(this.scope, this.nowMs, this, this.store, this.#depth + 1, called);
    try {
      const outcome = await operation(inner, input);
      inner.#requireAllDone();
      this.store.write(outcome.operations);
      for (const one of outcome.operations) called.operations.push(one);
      for (const effect of outcome.effects) called.effects.push(effect);
      return outcome.result;
    } catch (error) {
      await inner.#allDone();
      this.store.goBack(mark);
      called.operations.length = operationCount;
      called.effects.length = effectCount;
      throw error;
    } finally {
      inner.#isOver = true;
    }
  }

  #requireAllDone(): void {
    if (this.#openCalls > 0) throw new Error("an operation decided before those that it had called");
  }

  async #allDone(): Promise<void> {
    while (this.#openCalls > 0) await this.#lastCall;
  }

  /** What an operation and all that it called decided together. To be asked only of one that has called. */
  conclude<Result>({ result, operations, effects }: Outcome<Result>): Outcome<Result> {
    this.#requireAllDone();
    const called = this.#called ?? { operations: [], effects: [] };
    this.store.write(operations);
    return {
      result,
      operations: [...called.operations, ...operations],
      effects: [...called.effects, ...effects],
    };
  }

  /** Nothing remains of what was called. */
  async abandon(): Promise<void> {
    await this.#allDone();
    if (this.#called !== undefined) this.store.goBack(this.#called.mark);
  }

  /** The operation has decided: no call comes any more. */
  end(): void {
    this.#isOver = true;
    if (this.#called !== undefined) this.store.settle();
  }
}
