import { randomBytes } from "node:crypto";
import {
  chmodSync,
  closeSync,
  existsSync,
  fstatSync,
  mkdirSync,
  openSync,
  readFileSync,
  readSync,
  renameSync,
  rmSync,
  statSync,
  writeFileSync,
} from "node:fs";
import { dirname, join } from "node:path";
import { setImmediate } from "node:timers";
import { crc32 } from "node:zlib";
import { isThinglineError, ThinglineError } from "@thingline/protocol";
import { open, type RootDatabase } from "lmdb";
import { inspectStore, requireKnownVersion } from "./inspection.js";
import type { Inspection, InspectionOptions } from "./inspection.js";
import { afterPrefix, decodeKey, encodeKey } from "./key-encoding.js";
import { prepareOperations, requireRevision, type PreparedOperation } from "./operations.js";
import { readPageHead, storeCorrupt } from "./page-file.js";
import type { PageSource } from "./page-file.js";
import {
  decodeMeta,
  decodeOldRecord,
  decodeRecord,
  encodeMeta,
  encodeRecord,
  isRecordSound,
  metaKey,
  oldSchemaVersion,
  revisionOf,
  showKey,
} from "./record.js";
import type { StoreMeta } from "./record.js";
import type { Durability, ListOptions, Store, StoreEntry, StoreKey, StoreOperation, StoreValue } from "./store.js";
import { encodeValue } from "./value-encoding.js";

/** Commits that may wait for their turn in a transaction; more wait in line before they are prepared. */
export const pendingCommitsMax = 10_000;

/** A store that is larger, was closed, and was not touched since, is opened without looking at all of its pages. */
export const inspectedBytesMin = 16 * 1024 * 1024;

export interface LmdbStoreOptions {
  /** Made when it is not there, mode 0700; the files inside get mode 0600. */
  folder: string;
  /** Default `process`. */
  durability?: Durability;
  /** There has to be a store already: an empty or missing one is an error. Default false. */
  mustExist?: boolean;
  /**
   * The data directory that the store must belong to: 32 hexadecimal digits. A new or old store takes it as its own. Default:
   * whichever it has.
   */
  directoryId?: string;
  /** Told of each record that is read and does not have its checksum. The read fails all the same. */
  onCorrupt?(record: { key: string; error: ThinglineError }): void;
}

/** A store in a file. */
export interface LmdbStore extends Store {
  /** Of the data directory that it belongs to. */
  readonly directoryId: string;
}

/** Below every encoded key, above the store's own record. */
const firstKey = "\x01";

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
export async function openLmdbStore(options: LmdbStoreOptions): Promise<LmdbStore> {
  const { folder, directoryId } = options;
  const dataFile = join(folder, "data.mdb");
  const database = openDatabase(options);
  try {
    const record = database.getBinary(metaKey);
    const meta = record === undefined ? undefined : decodeMeta(crc32, record);
    if (record !== undefined && meta === undefined) {
      throw storeCorrupt(dataFile, "what it says about itself is damaged");
    }
    if (meta !== undefined) requireUsable(meta, dataFile, directoryId);
    const id = meta?.directoryId ?? directoryId ?? randomBytes(16).toString("hex");
    const lastRevision = meta?.lastRevision ?? 0;
    if (meta === undefined || meta.version === oldSchemaVersion) {
      bringUpToDate(database, dataFile, encodeMeta(crc32, lastRevision, id));
    }
    return new LmdbDatabase(database, options, { lastRevision, directoryId: id });
  } catch (error) {
    await database.close();
    throw error;
  }
}

/** @throws {ThinglineError} STORE_VERSION_UNKNOWN, STORE_CORRUPT */
function requireUsable(meta: StoreMeta, path: string, directoryId: string | undefined): void {
  requireKnownVersion(meta, path);
  const other = meta.directoryId;
  if (directoryId !== undefined && other !== undefined && other !== directoryId) {
    const what = `it belongs to another data directory (${other}), this one is ${directoryId}`;
    throw storeCorrupt(path, what);
  }
  const closed = readClosedFile(dirname(path));
  if (closed !== undefined && meta.lastRevision < closed.lastRevision) {
    const what = `its last change is number ${meta.lastRevision}, but it was closed after number ${closed.lastRevision}: it went back`;
    throw storeCorrupt(path, what);
  }
}

/** Writes what the store says about itself, and in an old store all records with their checksums, in one transaction. */
function bringUpToDate(database: RootDatabase<Uint8Array, Uint8Array>, path: string, meta: Uint8Array): void {
  // A fault that is thrown undoes it.
  database.transactionSync(() => {
    const keys = [...database.getKeys({ start: toBytes(firstKey) })];
    for (const key of keys) {
      const record = database.getBinary(key);
      if (record === undefined) continue;
      try {
        const { value, revision } = decodeOldRecord(decodeKey(key), record);
        database.putSync(key, encodeRecord(crc32, key, encodeValue(value), revision));
      } catch (error) {
        if (!isThinglineError(error)) throw error;
        throw storeCorrupt(path, `the record ${showKey(key)} cannot be decoded`, error);
      }
    }
    database.putSync(metaKey, meta);
  });
}

class LmdbDatabase implements LmdbStore {
  readonly directoryId: string;
  readonly #options: LmdbStoreOptions;
  #corruptReads = 0;
  readonly #database: RootDatabase<Uint8Array, Uint8Array>;
  readonly #durability: Durability;
  #lastRevision: number;
  #pending: PendingCommit[] = [];
  /** A transaction is asked for or under way; what comes meanwhile shares the next one. */
  #isWriting = false;
  readonly #unsettled = new Set<Promise<void>>();
  #closing: Promise<void> | undefined;

  constructor(
    database: RootDatabase<Uint8Array, Uint8Array>,
    options: LmdbStoreOptions,
    { lastRevision, directoryId }: { lastRevision: number; directoryId: string },
  ) {
    this.#database = database;
    this.#options = options;
    this.#durability = options.durability ?? "process";
    this.#lastRevision = lastRevision;
    this.directoryId = directoryId;
  }

  get corruptReads(): number {
    return this.#corruptReads;
  }

  async get<T extends StoreValue>(key: StoreKey): Promise<StoreEntry<T> | undefined> {
    return this.peek(key);
  }

  peek<T extends StoreValue>(key: StoreKey): StoreEntry<T> | undefined {
    this.#requireOpen();
    const bytes = toBytes(encodeKey(key));
    const record = this.#database.getBinary(bytes);
    return record === undefined ? undefined : (this.#decode(bytes, [...key], record) as StoreEntry<T>);
  }

  /** @throws {ThinglineError} STORE_CORRUPT, naming the key. */
  #decode(bytes: Uint8Array, key: StoreKey, record: Uint8Array): StoreEntry {
    this.#requireSound(bytes, record);
    return decodeRecord(key, record);
  }

  #requireSound(key: Uint8Array, record: Uint8Array): void {
    if (isRecordSound(crc32, key, record)) return;
    this.#corruptReads++;
    const shown = showKey(key);
    const error = storeCorrupt(
      join(this.#options.folder, "data.mdb"),
      `the record ${shown} does not have its checksum`,
    );
    this.#options.onCorrupt?.({ key: shown, error });
    throw error;
  }

  async list<T extends StoreValue>(prefix: StoreKey, options: ListOptions): Promise<StoreEntry<T>[]> {
    this.#requireOpen();
    const { limit } = options;
    const range = limit > 0 ? rangeOf(prefix, options) : undefined;
    const found: StoreEntry<T>[] = [];
    if (range === undefined) return found;
    for (const { key, value } of this.#database.getRange({ ...range, limit: limit + 1 })) {
      if (isEnd(key, range)) continue;
      found.push(this.#decode(key, decodeKey(key), value) as StoreEntry<T>);
      if (found.length >= limit) break;
    }
    return found;
  }

  async listKeys(prefix: StoreKey, options: ListOptions): Promise<StoreKey[]> {
    this.#requireOpen();
    const range = options.limit > 0 ? rangeOf(prefix, options) : undefined;
    if (range === undefined) return [];
    const keys = [...this.#database.getKeys({ ...range, limit: options.limit + 1 })];
    const found = keys.filter((key) => !isEnd(key, range)).slice(0, options.limit);
    return found.map((key) => decodeKey(key));
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
    writeClosedFile(this.#options.folder, this.#lastRevision);
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
      this.#database.putSync(metaKey, encodeMeta(crc32, this.#lastRevision, this.directoryId));
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
        const { expectedRevision } = operation;
        if (expectedRevision === undefined) continue;
        requireRevision(operation, this.#revisionOf(keys[index], expectedRevision));
      }
    } catch (error) {
      return { error };
    }
    const revision = ++this.#lastRevision;
    const revisions = prepared.map(({ operation, value }, index) => {
      const key = keys[index] ?? new Uint8Array();
      if ("value" in operation) {
        this.#database.putSync(key, encodeRecord(crc32, key, encodeValue(value), revision));
        return revision;
      }
      if (!("delete" in operation)) return operation.expectedRevision;
      this.#database.removeSync(key);
      return 0;
    });
    return { revisions };
  }

  /**
   * A commit that expects the revision which is there knows the record. Only where it expects another one does it matter whether the
   * record is sound.
   */
  #revisionOf(key: Uint8Array = new Uint8Array(), expected?: number): number {
    const record = this.#database.getBinary(key);
    if (record === undefined) return 0;
    if (revisionOf(record) !== expected) this.#requireSound(key, record);
    return revisionOf(record);
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

/** Where a list begins and ends, and which way it goes; undefined when nothing can be in between. */
function rangeOf(prefix: StoreKey, { after, order = "ascending" }: ListOptions) {
  const first = prefix.length === 0 ? firstKey : encodeKey(prefix);
  const last = afterPrefix(prefix.length === 0 ? "" : first);
  const edge = after === undefined ? undefined : encodeKey(after);
  const low = order === "ascending" && edge !== undefined && edge > first ? edge : first;
  const high = order === "descending" && edge !== undefined && edge < last ? edge : last;
  if (low >= high) return undefined;
  const [start, end] = [toBytes(low), toBytes(high)];
  return order === "descending" ? { start: end, end: start, reverse: true } : { start, end };
}

/** The first key of a range may be the end that does not belong to it: one more than wanted is asked for. */
const isEnd = (key: Uint8Array, { start, end }: { start: Buffer; end: Buffer }) => start.equals(key) || end.equals(key);

function openDatabase(options: LmdbStoreOptions): RootDatabase<Uint8Array, Uint8Array> {
  const { folder } = options;
  const dataFile = join(folder, "data.mdb");
  try {
    makeFolders(folder);
    requireSoundFile(options, dataFile);
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
      ? new ThinglineError("STORE_UNWRITABLE", `the store's folder "${folder}" cannot be written (${code})`, { cause })
      : storeCorrupt(dataFile, `it cannot be opened (${code ?? messageOf(cause)})`, cause);
  }
}

const messageOf = (cause: unknown) => (cause instanceof Error ? cause.message : String(cause));

/** LMDB itself ends the process on a file that is none, that was cut, or whose pages lead nowhere: look at all of it first. */
function requireSoundFile({ folder, directoryId, mustExist = false }: LmdbStoreOptions, dataFile: string): void {
  const bytes = requireFiles(folder);
  if (bytes === undefined || bytes === 0) {
    const closed = readClosedFile(folder);
    if (!mustExist && closed === undefined) return;
    throw storeCorrupt(dataFile, `${bytes === undefined ? "it is missing" : "it is empty"}, but it was in use before`);
  }
  if (bytes > inspectedBytesMin && isAsClosed(dataFile)) return;
  const { meta } = inspectFile(dataFile);
  if (meta !== undefined) requireUsable(meta, dataFile, directoryId);
}

/** Size of the data file; undefined when there is none. */
function requireFiles(folder: string): number | undefined {
  if (statSync(folder, { throwIfNoEntry: false })?.isDirectory() === false) {
    throw storeCorrupt(folder, "it is no folder");
  }
  requireFile(join(folder, "lock.mdb"));
  return requireFile(join(folder, "data.mdb"));
}

/** Its size; undefined when there is none. */
function requireFile(path: string): number | undefined {
  const stat = statSync(path, { throwIfNoEntry: false });
  if (stat === undefined || stat.isFile()) return stat?.size;
  throw storeCorrupt(path, `it is ${stat.isDirectory() ? "a folder" : "no file"}, expected a file`);
}

/**
 * Reads a store's file without LMDB: see {@link inspectStore}. Nobody may write it meanwhile.
 *
 * @throws {ThinglineError} FILE_NOT_FOUND, STORE_CORRUPT, STORE_VERSION_UNKNOWN.
 */
export function inspectFile(
  path: string,
  options: Pick<InspectionOptions, "onEntry" | "onFault" | "onProgress"> = {},
): Inspection {
  if (requireFiles(dirname(path)) === undefined) {
    throw new ThinglineError("FILE_NOT_FOUND", `there is no "${path}"`, { details: { path } });
  }
  const file = openSync(path, "r");
  try {
    return inspectStore({ ...options, path, source: sourceOf(file, path), checksum: crc32, bootId: readBootId() });
  } finally {
    closeSync(file);
  }
}

function sourceOf(file: number, path: string): PageSource {
  let buffer = Buffer.alloc(64 * 1024);
  return {
    bytes: fstatSync(file).size,
    read(at, bytes) {
      if (bytes > buffer.length) buffer = Buffer.alloc(bytes);
      const found = readSync(file, buffer, 0, bytes, at);
      if (found === bytes) return buffer.subarray(0, bytes);
      throw storeCorrupt(path, `it ends at byte ${at + found}, where page data should be`);
    },
  };
}

/** LMDB goes by it to know whether what it wrote last reached the disk. */
function readBootId(): bigint {
  try {
    return BigInt(`0x${readFileSync("/proc/sys/kernel/random/boot_id", "latin1").slice(0, 8)}`);
  } catch {
    return 0n;
  }
}

/** Beside the store: how it was left. What is lost or damaged of it costs a look at all pages. */
const closedFileName = "closed.json";

interface ClosedFile {
  lastRevision: number;
  bytes: number;
  /** Of the last write. */
  modifiedNs: string;
  transaction: number;
}

function writeClosedFile(folder: string, lastRevision: number): void {
  try {
    const dataFile = join(folder, "data.mdb");
    const closed: ClosedFile = { lastRevision, ...stateOf(dataFile) };
    const path = join(folder, closedFileName);
    // Nothing that lies there is written through: a pipe without a reader would hold the process for ever.
    rmSync(`${path}.tmp`, { force: true });
    writeFileSync(`${path}.tmp`, `${JSON.stringify(closed)}\n`, { mode: 0o600, flag: "wx" });
    renameSync(`${path}.tmp`, path);
  } catch {
    // A full disk, or a folder that is gone: the next start looks at all pages.
  }
}

function readClosedFile(folder: string): ClosedFile | undefined {
  try {
    const path = join(folder, closedFileName);
    const facts = statSync(path);
    if (!facts.isFile() || facts.size > 1_000) return undefined;
    const json = JSON.parse(readFileSync(path, "utf8")) as ClosedFile;
    return Number.isSafeInteger(json.lastRevision) ? json : undefined;
  } catch {
    return undefined;
  }
}

function isAsClosed(dataFile: string): boolean {
  const closed = readClosedFile(dirname(dataFile));
  const now = stateOf(dataFile);
  return closed?.bytes === now.bytes && closed.modifiedNs === now.modifiedNs && closed.transaction === now.transaction;
}

function stateOf(dataFile: string): Omit<ClosedFile, "lastRevision"> {
  const { size, mtimeNs } = statSync(dataFile, { bigint: true });
  const file = openSync(dataFile, "r");
  try {
    const transaction = readPageHead(sourceOf(file, dataFile), dataFile).snapshots[0]?.transaction ?? 0;
    return { bytes: Number(size), modifiedNs: `${mtimeNs}`, transaction };
  } finally {
    closeSync(file);
  }
}

const toBytes = (encodedKey: string) => Buffer.from(encodedKey, "latin1");
