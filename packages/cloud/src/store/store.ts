/** A tuple that begins with account and region. Strings order by UTF-8 bytes, numbers numerically, numbers first. */
export type StoreKey = readonly (string | number)[];

/** What JSON can hold, and bytes. Written values are never changed by their writer or reader afterwards. */
export type StoreValue =
  | null
  | boolean
  | number
  | string
  | Uint8Array
  | readonly StoreValue[]
  | { readonly [name: string]: StoreValue | undefined };

export interface StoreEntry<T extends StoreValue = StoreValue> {
  key: StoreKey;
  value: T;
  /** Rises by at least 1 with each write of the key; starts again above any earlier one after a delete. */
  revision: number;
}

/**
 * `expectedRevision`: a number must be the current one, 0 means "must not exist", undefined means "whatever is there".
 * `check` writes nothing: it makes the commit depend on a record that it only read, and does not get in the way of
 * other commits that check the same record.
 */
export type StoreOperation =
  | { key: StoreKey; expectedRevision?: number; value: StoreValue }
  | { key: StoreKey; expectedRevision?: number; delete: true }
  | { key: StoreKey; expectedRevision: number; check: true };

export interface ListOptions {
  /** Go on after this key, in the order asked for. It need not exist any more. */
  after?: StoreKey;
  /** At most so many entries. */
  limit: number;
  /** Default `ascending`. */
  order?: "ascending" | "descending";
}

/** Reading half, all that a service operation gets. Reads see every commit that was resolved before. */
export interface StoreReader {
  /**
   * The same as `get` for who need not wait: the entry, `undefined` when there is none. A store that has to ask somebody else has
   * no `peek`.
   */
  peek?<T extends StoreValue = StoreValue>(key: StoreKey): StoreEntry<T> | undefined;
  get<T extends StoreValue = StoreValue>(key: StoreKey): Promise<StoreEntry<T> | undefined>;
  /** Entries whose key is longer than `prefix` and begins with it, in key order. */
  list<T extends StoreValue = StoreValue>(prefix: StoreKey, options: ListOptions): Promise<StoreEntry<T>[]>;
  /** The same as `list` without values: it also names records that are damaged. A store that cannot be damaged has none. */
  listKeys?(prefix: StoreKey, options: ListOptions): Promise<StoreKey[]>;
}

/** `process` survives kill -9, `disk` survives a power cut: commit waits for the flush. */
export type Durability = "process" | "disk";

export interface Store extends StoreReader {
  /** Records that were read and were found damaged since the store was opened. A store that cannot be damaged has none. */
  readonly corruptReads?: number;
  /**
   * All or nothing. Resolves with the new revisions (0 for a delete, the current one for a check) once the commit is
   * as durable as asked. Commits of one event-loop turn may share one transaction; each stands or falls by itself.
   * A key occurs at most once in a commit.
   * @throws {ThinglineError} STORE_CONFLICT when an expected revision does not hold; nothing is written then.
   * OPTION_INVALID for a key or value that cannot be stored, STORE_UNWRITABLE when the disk refuses, CLOSED.
   */
  commit(operations: readonly StoreOperation[]): Promise<readonly number[]>;
  /** Waits for the commits that were asked for before. Safe to call twice. */
  close(): Promise<void>;
}
