import { encodeKey } from "../store/key-encoding.js";
import type { ListOptions, StoreEntry, StoreKey, StoreOperation, StoreReader, StoreValue } from "../store/store.js";

/** Thrown to the runner: the operation has to run where nothing of the batch is pending. Not a failure. */
export class NeedsOwnCommit extends Error {}

/** What the batch will ask of the store about one key: the first expectation and the last change. */
interface Written {
  readonly key: StoreKey;
  readonly expectedRevision: number | undefined;
  change: "check" | "delete" | "value";
  /** What later operations of the batch read; undefined where the key was deleted or only checked. */
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
    return written?.change === "check" ? undefined : written;
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
    for (let at = 0; at < operations.length; at++) this.#check(operations, at);
    for (const operation of operations) this.#take(operation);
  }

  #check(operations: readonly StoreOperation[], at: number): void {
    const { key, expectedRevision } = operations[at]!;
    const encoded = this.#encode(key);
    for (let other = 0; other < at; other++) {
      if (encodeKey(operations[other]!.key) === encoded) throw new NeedsOwnCommit();
    }
    const before = this.#written.get(encoded);
    if (before === undefined || expectedRevision === undefined) {
      // After a check only the store can tell whether what was checked is what is overwritten.
      if (before?.change === "check") throw new NeedsOwnCommit();
      return;
    }
    const revision = before.change === "check" ? before.expectedRevision : (before.entry?.revision ?? 0);
    if (expectedRevision !== revision) throw new NeedsOwnCommit();
  }

  #take(operation: StoreOperation): void {
    const { key, expectedRevision } = operation;
    const change = "value" in operation ? "value" : "delete" in operation ? "delete" : "check";
    const encoded = this.#encode(key);
    let written = this.#written.get(encoded);
    if (written === undefined) {
      written = { key, expectedRevision, change, entry: undefined };
      this.#written.set(encoded, written);
    } else if (change === "check") return;
    written.change = change;
    written.entry =
      "value" in operation ? { key, value: operation.value, revision: --this.#provisionalRevision } : undefined;
  }

  #encode(key: StoreKey): string {
    if (this.#lastKey?.key !== key) this.#lastKey = { key, encoded: encodeKey(key) };
    return this.#lastKey.encoded;
  }

  /** One for each key. */
  operations(): StoreOperation[] {
    return Array.from(this.#written.values(), ({ key, expectedRevision, change, entry }) => {
      const expected = expectedRevision === undefined ? {} : { expectedRevision };
      if (entry !== undefined) return { key, ...expected, value: entry.value };
      if (change === "delete") return { key, ...expected, delete: true };
      return { key, expectedRevision: expectedRevision ?? 0, check: true };
    });
  }
}
