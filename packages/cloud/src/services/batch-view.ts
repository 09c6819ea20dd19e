import { encodeKey } from "../store/key-encoding.js";
import type { ListOptions, StoreEntry, StoreKey, StoreOperation, StoreReader, StoreValue } from "../store/store.js";

/** Thrown to the runner: the operation has to run where nothing of the batch is pending. Not a failure. */
export class NeedsOwnCommit extends Error {}

interface Written {
  /** What the batch will ask of the store: the first expectation and the last write. */
  operation: StoreOperation;
  /** What later operations of the batch read; undefined where the key was deleted. */
  entry: StoreEntry | undefined;
}

/**
 * The store as the next operation of a batch sees it: with what the operations before it decided and nobody committed yet.
 * All of it becomes one commit, {@link operations}.
 */
export class BatchView implements StoreReader {
  readonly #store: StoreReader;
  readonly #written = new Map<string, Written>();
  /** Below every revision that a store gives. */
  #provisionalRevision = 0;

  /** Operations of a lane mostly ask for one and the same key. */
  #lastKey: { key: StoreKey; encoded: string } | undefined;

  readonly peek?: NonNullable<StoreReader["peek"]>;

  constructor(store: StoreReader) {
    this.#store = store;
    if (store.peek === undefined) return;
    this.peek = <T extends StoreValue>(key: StoreKey) => {
      const written = this.#writtenAt(key);
      return written === undefined ? store.peek!<T>(key) : (written.entry as StoreEntry<T> | undefined);
    };
  }

  get<T extends StoreValue>(key: StoreKey): Promise<StoreEntry<T> | undefined> {
    const written = this.#writtenAt(key);
    return written === undefined
      ? this.#store.get<T>(key)
      : Promise.resolve(written.entry as StoreEntry<T> | undefined);
  }

  #writtenAt(key: StoreKey): Written | undefined {
    if (this.#written.size === 0) return undefined;
    const written = this.#written.get(this.#encode(key));
    return written === undefined || "check" in written.operation ? undefined : written;
  }

  /** @throws {NeedsOwnCommit} once something was written: a list is not put together out of two sources. */
  list<T extends StoreValue>(prefix: StoreKey, options: ListOptions): Promise<StoreEntry<T>[]> {
    if (this.#written.size === 0) return this.#store.list<T>(prefix, options);
    return Promise.reject(new NeedsOwnCommit());
  }

  /**
   * Takes what one operation decided, all or nothing.
   * @throws {NeedsOwnCommit} when an expectation does not hold within the batch, or a key occurs twice: the store says what is
   * wrong. OPTION_INVALID for a key that cannot be. Values are looked at by the store, when all is committed.
   */
  write(operations: readonly StoreOperation[]): void {
    if (operations.length === 1) {
      const key = this.#encode(operations[0]!.key);
      this.#written.set(key, this.#merge(this.#written.get(key), operations[0]!));
      return;
    }
    const merged = new Map<string, Written>();
    for (const operation of operations) {
      const key = this.#encode(operation.key);
      if (merged.has(key)) throw new NeedsOwnCommit();
      merged.set(key, this.#merge(this.#written.get(key), operation));
    }
    for (const [key, written] of merged) this.#written.set(key, written);
  }

  #encode(key: StoreKey): string {
    if (this.#lastKey?.key !== key) this.#lastKey = { key, encoded: encodeKey(key) };
    return this.#lastKey.encoded;
  }

  #merge(before: Written | undefined, operation: StoreOperation): Written {
    const { expectedRevision } = operation;
    if (before === undefined) return { operation, entry: this.#entryOf(operation) };
    if ("check" in before.operation) {
      // Both were read from the store.
      if (expectedRevision !== before.operation.expectedRevision) throw new NeedsOwnCommit();
      return { operation, entry: this.#entryOf(operation) };
    }
    const revision = before.entry?.revision ?? 0;
    if (expectedRevision !== undefined && expectedRevision !== revision) throw new NeedsOwnCommit();
    if ("check" in operation) return before;
    const expected = before.operation.expectedRevision;
    const whole = "delete" in operation ? { delete: true as const } : { value: operation.value };
    const first = expected === undefined ? {} : { expectedRevision: expected };
    return { operation: { key: operation.key, ...first, ...whole }, entry: this.#entryOf(operation) };
  }

  #entryOf(operation: StoreOperation): StoreEntry | undefined {
    if (!("value" in operation)) return undefined;
    return { key: operation.key, value: operation.value, revision: --this.#provisionalRevision };
  }

  /** One for each key. */
  operations(): StoreOperation[] {
    return Array.from(this.#written.values(), ({ operation }) => operation);
  }
}
