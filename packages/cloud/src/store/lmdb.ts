import { chmodSync, closeSync, existsSync, mkdirSync, openSync, readSync, statSync } from "node:fs";
import { dirname, join } from "node:path";
import { setImmediate } from "node:timers";
import { isThinglineError, ThinglineError } from "@thingline/protocol";
import { open, type RootDatabase } from "lmdb";
import { afterPrefix, decodeKey, encodeKey } from "./key-encoding.js";
import { prepareOperations, requireRevision, type PreparedOperation } from "./operations.js";
import type { Durability, ListOptions, Store, StoreEntry, StoreKey, StoreOperation, StoreValue } from "./store.js";
import { decodeValue, encodeValue } from "./value-encoding.js";

/** Format of the files. A store of a higher one is refused, never guessed at. */
export const storeSchemaVersion = 1;

/** Commits that may wait for their turn in a transaction; more wait in line before they are prepared. */
export const pendingCommitsMax = 10_000;

export interface LmdbStoreOptions {
  /** Made when it is not there, mode 0700; the files inside get mode 0600. */
  folder: string;
  /** Default `process`. */
  durability?: Durability;
}

/** No encoded key begins with 00, so this record is in nobody's list: schema version and last revision, 8 bytes each. */
const metaKey = Uint8Array.of(0, 0x6d);
/** Below every encoded key, above {@link metaKey}. */
const firstKey = "\x01";
const revisionBytes = 8;

interface PendingCommit {
  prepared: PreparedOperation[];
  resolve: (revisions: number[]) => void;
  reject: (error: unknown) => void;
}

type Verdict = { revisions: number[] } | { error: unknown };

/**
 * A store in an LMDB file. Commits of one event-loop turn share one transaction.
 * `process`: a commit resolves when the kernel has it; `disk`: when it is flushed.
 *
 * @throws {ThinglineError} STORE_CORRUPT, STORE_VERSION_UNKNOWN, STORE_UNWRITABLE.
 */
export async function openLmdbStore({ folder, durability = "process" }: LmdbStoreOptions): Promise<Store> {
  const database = openDatabase(folder);
  const meta = await readMeta(database, folder);
  return new LmdbStore(database, durability, meta.lastRevision);
}

class LmdbStore implements Store {
  readonly #database: RootDatabase<Uint8Array, Uint8Array>;
  readonly #durability: Durability;
  #lastRevision: number;
  #pending: PendingCommit[] = [];
  /** A transaction is asked for or under way; what comes meanwhile shares the next one. */
  #isWriting = false;
  readonly #unsettled = new Set<Promise<void>>();
  #closing: Promise<void> | undefined;

  constructor(database: RootDatabase<Uint8Array, Uint8Array>, durability: Durability, lastRevision: number) {
    this.#database = database;
    this.#durability = durability;
    this.#lastRevision = lastRevision;
  }

  async get<T extends StoreValue>(key: StoreKey): Promise<StoreEntry<T> | undefined> {
    return this.peek(key);
  }

  peek<T extends StoreValue>(key: StoreKey): StoreEntry<T> | undefined {
    this.#requireOpen();
    const record = this.#database.getBinary(toBytes(encodeKey(key)));
    return record === undefined ? undefined : (decodeEntry([...key], record) as StoreEntry<T>);
  }

  async list<T extends StoreValue>(prefix: StoreKey, options: ListOptions): Promise<StoreEntry<T>[]> {
    this.#requireOpen();
    const { after, limit, order = "ascending" } = options;
    if (limit <= 0) return [];
    const start = prefix.length === 0 ? firstKey : encodeKey(prefix);
    const end = afterPrefix(prefix.length === 0 ? "" : start);
    const edge = after === undefined ? undefined : encodeKey(after);
    const low = order === "ascending" && edge !== undefined && edge > start ? edge : start;
    const high = order === "descending" && edge !== undefined && edge < end ? edge : end;
    if (low >= high) return [];
    const ends = { low: toBytes(low), high: toBytes(high) };
    const range =
      order === "descending" ? { start: ends.high, end: ends.low, reverse: true } : { start: ends.low, end: ends.high };
    const found: StoreEntry<T>[] = [];
    // One more than asked for, because the first may be the end that does not belong to the range.
    for (const { key, value } of this.#database.getRange({ ...range, limit: limit + 1 })) {
      if (ends.low.equals(key) || ends.high.equals(key)) continue;
      found.push(decodeEntry(decodeKey(key), value) as StoreEntry<T>);
      if (found.length >= limit) break;
    }
    return found;
  }

  async commit(operations: readonly StoreOperation[]): Promise<readonly number[]> {
    this.#requireOpen();
    if (this.#pending.length >= pendingCommitsMax) {
      throw new ThinglineError("LIMIT_EXCEEDED", `${pendingCommitsMax} commits of one turn already wait`);
    }
    const prepared = prepareOperations(operations);
    const settled = new Promise<readonly number[]>((resolve, reject) => {
      this.#pending.push({ prepared, resolve, reject });
    });
    if (!this.#isWriting) {
      this.#isWriting = true;
      // At the end of the turn, so that all its commits are in one transaction.
      setImmediate(() => void this.#writePending());
    }
    return settled;
  }

  close(): Promise<void> {
    this.#closing ??= this.#close();
    return this.#closing;
  }

  async #close(): Promise<void> {
    while (this.#isWriting || this.#unsettled.size > 0) {
      await Promise.all(this.#unsettled);
      await new Promise((resolve) => setImmediate(resolve));
    }
    await this.#database.flushed;
    await this.#database.close();
  }

  #requireOpen(): void {
    if (this.#closing !== undefined) throw new ThinglineError("CLOSED", "the store was used after close()");
  }

  /** Transaction after transaction, until nobody waits. The disk may still flush one while the next is written. */
  async #writePending(): Promise<void> {
    while (this.#pending.length > 0) {
      const commits = this.#pending;
      this.#pending = [];
      try {
        const verdicts = await this.#transact(commits);
        const settled = this.#settle(commits, verdicts).finally(() => void this.#unsettled.delete(settled));
        this.#unsettled.add(settled);
      } catch (thrown) {
        const error = new ThinglineError("STORE_UNWRITABLE", "the store could not be written: is the disk full?", {
          cause: await causeOf(thrown),
        });
        for (const { reject } of commits) reject(error);
      }
    }
    this.#isWriting = false;
  }

  /** A commit whose expectations fail leaves no trace in the transaction and does not disturb the others. */
  #transact(commits: readonly PendingCommit[]): Promise<Verdict[]> {
    return this.#database.transaction(() => {
      const verdicts = commits.map(({ prepared }) => this.#apply(prepared));
      this.#database.putSync(metaKey, encodeMeta(this.#lastRevision));
      return verdicts;
    });
  }

  async #settle(commits: readonly PendingCommit[], verdicts: readonly Verdict[]): Promise<void> {
    if (this.#durability === "disk") await this.#database.flushed;
    for (const [index, { resolve, reject }] of commits.entries()) {
      const verdict = verdicts[index];
      if (verdict !== undefined && "revisions" in verdict) resolve(verdict.revisions);
      else reject(verdict?.error);
    }
  }

  #apply(prepared: readonly PreparedOperation[]): Verdict {
    const keys = prepared.map(({ key }) => toBytes(key));
    try {
      for (const [index, { operation }] of prepared.entries()) {
        if (operation.expectedRevision !== undefined) requireRevision(operation, this.#revisionOf(keys[index]));
      }
    } catch (error) {
      return { error };
    }
    const revision = ++this.#lastRevision;
    const revisions = prepared.map(({ operation, value }, index) => {
      const key = keys[index] ?? new Uint8Array();
      if ("value" in operation) {
        this.#database.putSync(key, encodeEntry(value, revision));
        return revision;
      }
      if (!("delete" in operation)) return operation.expectedRevision;
      this.#database.removeSync(key);
      return 0;
    });
    return { revisions };
  }

  #revisionOf(key: Uint8Array = new Uint8Array()): number {
    const record = this.#database.getBinary(key);
    return record === undefined ? 0 : decodeRevision(record);
  }
}

/** lmdb says "Commit failed" and keeps the reason in a promise, which is rejected with it a little later. */
async function causeOf(thrown: unknown): Promise<unknown> {
  const { commitError } = thrown as { commitError?: Promise<never> };
  if (commitError === undefined) return thrown;
  const later = new Promise<unknown>((resolve) => setImmediate(() => resolve(thrown)));
  return Promise.race([commitError.catch((reason: unknown) => reason), later]);
}

/** One by one: `recursive` never returns where nothing can be made, as below /proc (Node 20). */
function makeFolders(folder: string): void {
  if (existsSync(folder)) return;
  if (dirname(folder) !== folder) makeFolders(dirname(folder));
  mkdirSync(folder, { mode: 0o700 });
}

function openDatabase(folder: string): RootDatabase<Uint8Array, Uint8Array> {
  const dataFile = join(folder, "data.mdb");
  try {
    makeFolders(folder);
    if (existsSync(dataFile)) requireLmdbFile(dataFile);
    const database = open<Uint8Array, Uint8Array>({
      path: folder,
      noSubdir: false,
      encoding: "binary",
      keyEncoding: "binary",
      // The map grows by itself; unused parts of pages are zeroed, because private keys pass through the outbox.
      noMemInit: false,
      // Commits of a turn are joined above. A batch of lmdb's own has a promise that nobody can hold: when the disk is full its
      // rejection would end the process.
      eventTurnBatching: false,
    });
    for (const name of ["data.mdb", "lock.mdb"]) {
      if (existsSync(join(folder, name))) chmodSync(join(folder, name), 0o600);
    }
    return database;
  } catch (cause) {
    if (isThinglineError(cause)) throw cause;
    const code = (cause as NodeJS.ErrnoException | undefined)?.code;
    const isUnwritable = typeof code === "string" && /^E(ACCES|PERM|ROFS|NOSPC|NOTDIR|EXIST)$/.test(code);
    throw isUnwritable
      ? new ThinglineError("STORE_UNWRITABLE", `the store's folder ${folder} cannot be written (${code})`, { cause })
      : corrupt(folder, cause);
  }
}

/**
 * LMDB itself ends the process on a file that is none or was cut: look at its head first. A sound file may lack pages
 * at its end that were taken and freed within one transaction, so only the pages in use must all be there.
 */
function requireLmdbFile(path: string): void {
  const { size } = statSync(path);
  if (size === 0) return;
  const head = readHead(path, headBytes);
  const pageBytes = head.length < headBytes ? 0 : head.readUInt32LE(metaOffset + 24);
  const metas = [0, pageBytes].map((at) => readHead(path, headBytes, at));
  const isMeta = (meta: Buffer) => meta.length === headBytes && meta.readUInt32LE(metaOffset) === metaMagic;
  if (!metas.every(isMeta)) throw corrupt(path, undefined);
  const ids = metas.map((meta) => meta.readBigUInt64LE(metaOffset + 128));
  const newest = metas[(ids[1] ?? 0n) > (ids[0] ?? 0n) ? 1 : 0] ?? head;
  let usedPages = BigInt(metas.length);
  // The free list, then the records: pages of branches, leaves and long values, and the page of the root.
  for (const tree of [metaOffset + 24, metaOffset + 72]) {
    for (const at of [8, 16, 24]) usedPages += newest.readBigUInt64LE(tree + at);
    const root = newest.readBigUInt64LE(tree + 40);
    if (root !== noPage && (root + 1n) * BigInt(pageBytes) > size) throw corrupt(path, undefined);
  }
  if (usedPages * BigInt(pageBytes) > size) throw corrupt(path, undefined);
}

const metaMagic = 0xbeefc0de;
/** Behind the header of the page. */
const metaOffset = 24;
const headBytes = metaOffset + 136;
const noPage = 0xffff_ffff_ffff_ffffn;

function readHead(path: string, bytes: number, at = 0): Buffer {
  const file = openSync(path, "r");
  try {
    const head = Buffer.alloc(bytes);
    return head.subarray(0, readSync(file, head, 0, bytes, at));
  } finally {
    closeSync(file);
  }
}

async function readMeta(database: RootDatabase<Uint8Array, Uint8Array>, folder: string) {
  const record = database.getBinary(metaKey);
  if (record === undefined) {
    await database.put(metaKey, encodeMeta(0));
    return { lastRevision: 0 };
  }
  const fault = metaFault(record, folder);
  if (fault === undefined) return { lastRevision: new DataView(record.buffer, record.byteOffset).getFloat64(8) };
  await database.close();
  throw fault;
}

function metaFault(record: Uint8Array, folder: string): ThinglineError | undefined {
  if (record.length !== 16) return corrupt(folder, undefined);
  const version = new DataView(record.buffer, record.byteOffset).getFloat64(0);
  if (version === storeSchemaVersion) return undefined;
  return new ThinglineError(
    "STORE_VERSION_UNKNOWN",
    `the store in ${folder} has format ${version}, this program reads format ${storeSchemaVersion}`,
    { details: { version, storeSchemaVersion } },
  );
}

function encodeMeta(lastRevision: number): Uint8Array {
  const view = new DataView(new ArrayBuffer(16));
  view.setFloat64(0, storeSchemaVersion);
  view.setFloat64(8, lastRevision);
  return new Uint8Array(view.buffer);
}

function encodeEntry(value: StoreValue, revision: number): Uint8Array {
  const encoded = encodeValue(value);
  const record = new Uint8Array(revisionBytes + encoded.length);
  new DataView(record.buffer).setFloat64(0, revision);
  record.set(encoded, revisionBytes);
  return record;
}

function decodeEntry(key: StoreKey, record: Uint8Array): StoreEntry {
  return { key, value: decodeValue(record.subarray(revisionBytes)), revision: decodeRevision(record) };
}

function decodeRevision(record: Uint8Array): number {
  if (record.length <= revisionBytes) throw new ThinglineError("STORE_CORRUPT", "the store holds a cut record");
  return new DataView(record.buffer, record.byteOffset).getFloat64(0);
}

const toBytes = (encodedKey: string) => Buffer.from(encodedKey, "latin1");

const corrupt = (path: string, cause: unknown) =>
  new ThinglineError("STORE_CORRUPT", `${path} is no store of this program, or it is damaged`, { cause });
