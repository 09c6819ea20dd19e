import type { StoreOperation } from "../store/store.js";
import type { OperationRunner, Scope } from "./operation.js";

/** The engine between two resets or restores, as a service sees it that hears of its commits. */
export interface ListenedEngine {
  /** Of the cloud itself. */
  readonly scope: Scope;
  readonly runner: OperationRunner;
  /** No other node writes to the store, so that every change is heard. */
  readonly isAlone: boolean;
}

/**
 * A service that keeps in memory what it knows of the store. What it hears is what operations of this process committed: at once after the
 * commit and before the caller hears of it. Nothing is replayed: with a new engine it begins anew.
 */
export interface CommitListener {
  /** The store may be another than before. */
  opened(engine: ListenedEngine): void;
  /** Every commit comes by here, so it returns at once, and never throws. */
  committed(scope: Scope, operations: readonly StoreOperation[]): void;
  /**
   * Resolves, in bounded time, when what was committed so far has had its consequences; undefined when there is nothing to wait for. Answers
   * to requests wait for it.
   */
  settled(scope: Scope): Promise<void> | undefined;
  /** No operation can be run any more. */
  closed(): Promise<void>;
}
