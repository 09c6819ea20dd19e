import { ThinglineError } from "@thingline/protocol";
import { afterPrefix, encodeKey } from "../store/key-encoding.js";
import { requireRevision } from "../store/operations.js";
import type { ListOptions, StoreEntry, StoreKey, StoreOperation, StoreReader, StoreValue } from "../store/store.js";

/** What the commit will ask of the store about one key: the first expectation and the last change. */
interface Written {
  readonly key: StoreKey;
  readonly expectedRevision: number | undefined;
  change: "check" | "delete" | "value";
  /** What is read from now on; undefined where the key was deleted or only checked. */
  entry: StoreEntry | undefined;
}

/** What was drafted of a key before, for the way back. */
interface Undo {
  readonly encoded: string;
  readonly before: Written | undefined;
}

/** A place in a draft to come back to. */
export type DraftMark = number;

/**
 * The store with what was decided and nobody committed yet, as operations read it that come later in the same commit: those of a
 * batch, and those that call each other. All of it becomes one commit, {@link operations}, which asks of the store just what the
 * operations one after another would have asked. Costs a field or two until the first {@link write}.
 */
export class Draft implements StoreReader {
  protected readonly store: StoreReader;
  /** Undefined while nothing is drafted. */
  #written: Map<string, Written> | undefined;
  /** Undefined until the first mark: nobody goes back then. */
  #undos: Undo[] | undefined;
  /** Below every revision that a store gives; no two writes of a draft have the same. */
  #provisionalRevision = 0;
  /** Operations of a lane mostly ask for one and the same key. */
  #lastKey: StoreKey | undefined;
  #lastEncoded = "";
  #isDisputed = false;

  constructor(store: StoreReader) {
    this.store = store;
  }

  /** An expectation did not hold against what is drafted. Where others share the draft, only the store can tell who is right. */
  get isDisputed(): boolean {
    return this.#isDisputed;
  }

  get<T extends StoreValue>(key: StoreKey): Promise<StoreEntry<T> | undefined> {
    const written = this.writtenAt(key);
    return written === undefined ? this.store.get<T>(key) : Promise.resolve(written.entry as StoreEntry<T> | undefined);
  }

  /** What is drafted of a key, unless that is only a check. */
  protected writtenAt(key: StoreKey): Written | undefined {
    if (this.#written === undefined) return undefined;
    const written = this.#written.get(this.#encode(key));
    return written?.change === "check" ? undefined : written;
  }

  async list<T extends StoreValue>(prefix: StoreKey, options: ListOptions): Promise<StoreEntry<T>[]> {
    const drafted = this.#draftedUnder(prefix, options);
    if (drafted === undefined) return this.store.list<T>(prefix, options);
    // Each drafted key hides at most one entry of the store.
    const stored = await this.store.list<T>(prefix, { ...options, limit: options.limit + drafted.size });
    const sign = options.order === "descending" ? -1 : 1;
    const found: [encoded: string, entry: StoreEntry<T>][] = [];
    for (const entry of stored) {
      const encoded = encodeKey(entry.key);
      if (!drafted.has(encoded)) found.push([encoded, entry]);
    }
    for (const [encoded, entry] of drafted) if (entry !== undefined) found.push([encoded, entry as StoreEntry<T>]);
    found.sort(([left], [right]) => (left < right ? -sign : sign));
    return found.slice(0, options.limit).map(([, entry]) => entry);
  }

  /** What is drafted in the range of a list; undefined when the store alone knows. A deleted entry is there without a value. */
  #draftedUnder(
    prefix: StoreKey,
    { after, limit, order }: ListOptions,
  ): Map<string, StoreEntry | undefined> | undefined {
    if (this.#written === undefined || limit <= 0) return undefined;
    let above = encodeKey(prefix);
    let below = afterPrefix(above);
    if (after !== undefined) {
      const edge = encodeKey(after);
      if (order === "descending") below = edge < below ? edge : below;
      else above = edge > above ? edge : above;
    }
    let found: Map<string, StoreEntry | undefined> | undefined;
    for (const [encoded, { change, entry }] of this.#written) {
      if (change !== "check" && encoded > above && encoded < below) (found ??= new Map()).set(encoded, entry);
    }
    return found;
  }

  /** From now on it can be gone back to what is drafted now. Marks are given up in the opposite order. */
  mark(): DraftMark {
    this.#undos ??= [];
    return this.#undos.length;
  }

  /** Forgets what was drafted since the mark. */
  goBack(mark: DraftMark): void {
    const undos = this.#undos ?? [];
    while (undos.length > mark) {
      const { encoded, before } = undos.pop()!;
      if (before === undefined) this.#written?.delete(encoded);
      else this.#written?.set(encoded, before);
    }
  }

  /** Nobody goes back to a mark any more. */
  settle(): void {
    this.#undos = undefined;
  }

  /**
   * Takes what one operation decided, all or nothing.
   * @throws {ThinglineError} STORE_CONFLICT when an expectation does not hold against what is drafted, and the draft {@link isDisputed}
   * then; OPTION_INVALID for a key that cannot be, or occurs twice. Whether an expectation holds in the store, and whether a value can
   * be stored, shows when all is committed.
   */
  write(operations: readonly StoreOperation[]): void {
    // Most commits are of one operation, which needs no set.
    const seen = operations.length > 1 ? new Set<string>() : undefined;
    for (const operation of operations) this.#check(operation, seen);
    for (const operation of operations) this.#take(operation);
  }

  #check(operation: StoreOperation, seen: Set<string> | undefined): void {
    const encoded = this.#encode(operation.key);
    if (seen?.has(encoded) === true) {
      throw new ThinglineError("OPTION_INVALID", `key ${JSON.stringify(operation.key)} occurs twice in one commit`);
    }
    seen?.add(encoded);
    const before = this.#written?.get(encoded);
    if (before === undefined || operation.expectedRevision === undefined) return;
    const revision = before.change === "check" ? (before.expectedRevision ?? 0) : (before.entry?.revision ?? 0);
    if (operation.expectedRevision === revision) return;
    this.#isDisputed = true;
    requireRevision(operation, revision);
  }

  #take(operation: StoreOperation): void {
    const { key } = operation;
    const encoded = this.#encode(key);
    const before = this.#written?.get(encoded);
    const isCheck = "check" in operation;
    // It was held against what is drafted, which keeps its own expectation.
    if (isCheck && before !== undefined) return;
    const entry =
      "value" in operation ? { key, value: operation.value, revision: --this.#provisionalRevision } : undefined;
    const change = isCheck ? "check" : entry === undefined ? "delete" : "value";
    if (before !== undefined && this.#undos === undefined) {
      before.change = change;
      before.entry = entry;
      return;
    }
    this.#undos?.push({ encoded, before });
    const { expectedRevision } = before ?? operation;
    (this.#written ??= new Map()).set(encoded, { key, expectedRevision, change, entry });
  }

  #encode(key: StoreKey): string {
    if (this.#lastKey !== key) {
      this.#lastEncoded = encodeKey(key);
      this.#lastKey = key;
    }
    return this.#lastEncoded;
  }

  /** One for each key. */
  operations(): StoreOperation[] {
    if (this.#written === undefined) return [];
    return Array.from(this.#written.values(), ({ key, expectedRevision, change, entry }) => {
      const expected = expectedRevision === undefined ? {} : { expectedRevision };
      if (entry !== undefined) return { key, ...expected, value: entry.value };
      if (change === "delete") return { key, ...expected, delete: true };
      return { key, expectedRevision: expectedRevision ?? 0, check: true };
    });
  }
}

/** Over a store that can answer at once. */
class PeekableDraft extends Draft {
  peek<T extends StoreValue>(key: StoreKey): StoreEntry<T> | undefined {
    const written = this.writtenAt(key);
    return written === undefined ? this.store.peek!<T>(key) : (written.entry as StoreEntry<T> | undefined);
  }
}

/** A draft with nothing in it. */
export function draftOver(store: StoreReader): Draft {
  return store.peek === undefined ? new Draft(store) : new PeekableDraft(store);
}
