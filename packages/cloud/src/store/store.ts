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

/** `expectedRevision`: a number must be the current one, 0 means "must not exist", undefined means "whatever is there". */
export type StoreOperation =
  | { key: StoreKey; expectedRevision?: number; value: StoreValue }
  | { key: StoreKey; expectedRevision?: number; delete: true };

/** Reading half, all that a service operation gets. Reads see every commit that was resolved before. */
export interface StoreReader {
  get<T extends StoreValue = StoreValue>(key: StoreKey): Promise<StoreEntry<T> | undefined>;
  /** Entries under `prefix` (exclusive) in key order, after key `after`, at most `limit`. */
  list<T extends StoreValue = StoreValue>(
    prefix: StoreKey,
    options: { after?: StoreKey; limit: number },
  ): Promise<StoreEntry<T>[]>;
}

/** `process` survives kill -9, `disk` survives a power cut: commit waits for the flush. */
export type Durability = "process" | "disk";

export interface Store extends StoreReader {
  /**
   * All or nothing. Resolves with the new revisions (0 for a delete) once the commit is as durable as asked.
   * Commits of one event-loop turn may share one transaction; each stands or falls by itself.
   * @throws {ThinglineError} STORE_CONFLICT when an expected revision does not hold; nothing is written then.
   */
  commit(operations: readonly StoreOperation[]): Promise<readonly number[]>;
  close(): Promise<void>;
}
