import { isThinglineError, ThinglineError } from "@thingline/protocol";
import type { Clock } from "@thingline/transport";
import type { Store, StoreKey, StoreOperation, StoreValue } from "../store/store.js";
import type { CommitGate } from "./commit-gate.js";

export interface SessionWriterOptions<R extends StoreValue> {
  clock: Clock;
  store: Store;
  key: StoreKey;
  record: R;
  /** Of the record as it is stored now; 0 when it is not. */
  revision: number;
  /** Shared by all writers of a broker. */
  gate: CommitGate;
  /** Of a node that shares the store: nothing can be written once it is over. */
  guard?: StoreOperation | undefined;
  /** Another broker took the session: nothing more can be written. */
  onConflict: () => void;
  /** The store failed otherwise; what was to be written is not. */
  onFailure: (error: unknown) => void;
}

interface Batch {
  operations: Map<string, StoreOperation>;
  done: Promise<void>;
  settle: { resolve: () => void; reject: (error: unknown) => void };
}

/**
 * Writes what belongs to one persistent session, or to one shared group: all of an event-loop turn in one commit, one commit at a time. Each
 * commit also writes its record at the revision that is known, so that a broker whose epoch is over cannot
 * write anything.
 */
export class SessionWriter<R extends StoreValue> {
  private readonly options: SessionWriterOptions<R>;
  private record: R;
  private revision: number;
  private batch: Batch | undefined;
  private isCommitting = false;
  private isScheduled = false;
  private isLost = false;
  private isDeleted = false;
  private current: Batch | undefined;

  constructor(options: SessionWriterOptions<R>) {
    this.options = options;
    this.record = options.record;
    this.revision = options.revision;
  }

  /** Changes the record with the next commit. */
  writeRecord(record: R): Promise<void> {
    this.record = record;
    return this.schedule().done;
  }

  put(key: StoreKey, value: StoreValue): Promise<void> {
    const batch = this.schedule();
    batch.operations.set(JSON.stringify(key), { key, value });
    return batch.done;
  }

  /** @returns resolves with the commit; callers that do not need it may drop it, a failure is reported anyway. */
  delete(key: StoreKey): Promise<void> {
    const batch = this.schedule();
    batch.operations.set(JSON.stringify(key), { key, delete: true });
    return batch.done;
  }

  /** Deletes the record and everything named with the next commit. The writer is done then. */
  deleteSession(keys: readonly StoreKey[]): Promise<void> {
    const batch = this.schedule();
    // What waits to be deleted is in no list of the session any more, and must go as well.
    for (const [name, { key }] of batch.operations) batch.operations.set(name, { key, delete: true });
    for (const key of keys) batch.operations.set(JSON.stringify(key), { key, delete: true });
    this.isDeleted = true;
    return batch.done;
  }

  /** Deleted, and nothing is under way. */
  get isDone(): boolean {
    return this.isDeleted && this.batch === undefined && !this.isCommitting;
  }

  /** After {@link deleteSession}: what comes now is written again, after the deletion or instead of it. */
  revive(): void {
    this.isDeleted = false;
  }

  /** When everything asked for so far is settled. Never rejects. */
  async idle(): Promise<void> {
    while (this.batch !== undefined || this.isCommitting) {
      await (this.batch ?? this.current)?.done.catch(() => undefined);
    }
  }

  private schedule(): Batch {
    this.batch ??= newBatch();
    if (!this.isScheduled && !this.isCommitting) {
      this.isScheduled = true;
      this.options.clock.afterTurn(() => {
        this.isScheduled = false;
        void this.commit();
      });
    }
    return this.batch;
  }

  private async commit(): Promise<void> {
    const { batch } = this;
    if (batch === undefined || this.isCommitting) return;
    this.batch = undefined;
    this.current = batch;
    this.isCommitting = true;
    const { store, key, gate, guard, onConflict, onFailure } = this.options;
    await gate.enter();
    const isDelete = this.isDeleted;
    const own: StoreOperation = isDelete
      ? { key, expectedRevision: this.revision, delete: true }
      : { key, expectedRevision: this.revision, value: this.record };
    try {
      if (this.isLost) throw new ThinglineError("STORE_CONFLICT", "it belongs to another broker");
      const operations = [own, ...batch.operations.values()];
      if (guard !== undefined) operations.push(guard);
      const [revision] = await store.commit(operations);
      this.revision = revision!;
      batch.settle.resolve();
    } catch (error) {
      batch.settle.reject(error);
      if (!this.isLost && isThinglineError(error, "STORE_CONFLICT")) {
        this.isLost = true;
        onConflict();
      } else if (!this.isLost) onFailure(error);
    } finally {
      gate.leave();
      this.isCommitting = false;
      this.current = undefined;
    }
    if (this.batch !== undefined) void this.commit();
  }
}

function newBatch(): Batch {
  let settle!: Batch["settle"];
  const done = new Promise<void>((resolve, reject) => {
    settle = { resolve, reject };
  });
  // Whoever needs the outcome awaits it; failures are reported by the writer as well.
  done.catch(() => undefined);
  return { operations: new Map(), done, settle };
}
