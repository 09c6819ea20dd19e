import { createHash } from "node:crypto";
import { constants, lstatSync, readdirSync, rmSync } from "node:fs";
import { mkdir, open, rename, rm, unlink, type FileHandle } from "node:fs/promises";
import { dirname, join } from "node:path";
import { crc32 } from "node:zlib";
import { isThinglineError, ThinglineError } from "@thingline/protocol";
import { blobHeadBytes, blobPath, decodeBlobHead, decodeBlobName, encodeBlobHead } from "./blob-file-format.js";
import { BlobLedger } from "./blob-ledger.js";
import {
  deletedMeanwhile,
  partOf,
  type BlobFacts,
  type BlobKey,
  type BlobLimits,
  type BlobPutOptions,
  type BlobRange,
  type BlobReading,
  type BlobStore,
} from "./blobs.js";
import type { Durability } from "./store.js";

export interface BlobFilesOptions extends BlobLimits {
  /** Of this process alone, as the data directory is. */
  folder: string;
  /** Default `process`. */
  durability?: Durability;
  /** What lies in the folder and is no blob, so nobody will ever find it. */
  onForeign?: (path: string) => void;
}

/** What a look at the files found of one blob. */
export interface BlobInspection {
  path: string;
  /** Undefined for what is no blob's name. */
  key: BlobKey | undefined;
  /** What is wrong with it. */
  fault: string | undefined;
}

const chunkBytes = 65_536;
/** Begins like no name of ours. */
const putFolderName = ".put";

/** Opens the folder, which need not be there, and sweeps what a process left that died while it put a blob. */
export function openBlobFiles(options: BlobFilesOptions): BlobStore {
  const { folder, onForeign = () => undefined } = options;
  const store = new BlobFiles(options);
  try {
    rmSync(join(folder, putFolderName), { recursive: true, force: true });
    for (const { path, key } of filesBelow(folder)) {
      const facts = lstatSync(path);
      if (key === undefined || !facts.isFile()) onForeign(path);
      else store.ledger.add({ key, bytes: Math.max(0, facts.size - blobHeadBytes) });
    }
  } catch (cause) {
    throw unwritable(folder, cause);
  }
  return store;
}

class BlobFiles implements BlobStore {
  readonly ledger: BlobLedger;
  readonly #folder: string;
  readonly #durability: Durability;
  readonly #puts = new Set<Promise<unknown>>();
  /** Paths of blobs whose file may be gone, and that the ledger still has. */
  readonly #deleting = new Map<string, Promise<void>>();
  #putCount = 0;

  constructor({ folder, durability = "process", ...limits }: BlobFilesOptions) {
    this.ledger = new BlobLedger(limits);
    this.#folder = folder;
    this.#durability = durability;
  }

  get bytesTotal(): number {
    return this.ledger.bytesTotal;
  }

  put(
    key: BlobKey,
    chunks: AsyncIterable<Uint8Array> | Iterable<Uint8Array>,
    options: BlobPutOptions,
  ): Promise<BlobFacts> {
    const putting = this.#put(key, chunks, options);
    this.#puts.add(putting);
    const forget = (): void => void this.#puts.delete(putting);
    putting.then(forget, forget);
    return putting;
  }

  async #put(
    key: BlobKey,
    chunks: AsyncIterable<Uint8Array> | Iterable<Uint8Array>,
    options: BlobPutOptions,
  ): Promise<BlobFacts> {
    const pending = this.ledger.beginPut(key, options);
    const temporary = join(this.#folder, putFolderName, String(this.#putCount++));
    try {
      const path = this.#pathOf(key);
      const file = await this.#attempt(async () => {
        await makeFolder(dirname(temporary));
        return open(temporary, constants.O_WRONLY | constants.O_CREAT | constants.O_EXCL, 0o600);
      });
      let facts: BlobFacts;
      try {
        facts = await this.#fill(file, pending.take(chunks));
      } finally {
        await this.#attempt(() => file.close());
      }
      await this.#attempt(async () => {
        await makeFolder(dirname(path));
        await rename(temporary, path);
        if (this.#durability === "disk") await this.#flushFolders(path);
      });
      pending.done();
      return facts;
    } catch (error) {
      await rm(temporary, { force: true }).catch(() => undefined);
      throw error;
    } finally {
      pending.dropped();
    }
  }

  /** The head last: until then the file does not begin as a blob does. */
  async #fill(file: FileHandle, chunks: AsyncIterable<Uint8Array>): Promise<BlobFacts> {
    const hash = createHash("sha256");
    let bytes = 0;
    for await (const chunk of chunks) {
      hash.update(chunk);
      await this.#attempt(() => writeWhole(file, chunk, blobHeadBytes + bytes));
      bytes += chunk.length;
    }
    const digest = hash.digest();
    await this.#attempt(async () => {
      await writeWhole(file, encodeBlobHead(bytes, digest, crc32), 0);
      if (this.#durability === "disk") await file.sync();
    });
    return { bytes, sha256: digest.toString("hex") };
  }

  async read(key: BlobKey, range?: BlobRange): Promise<BlobReading | undefined> {
    const facts = await this.stat(key);
    if (facts === undefined) return undefined;
    const part = partOf(facts.bytes, range);
    return { ...facts, ...part, chunks: this.#chunks(key, facts, part) };
  }

  async *#chunks(key: BlobKey, facts: BlobFacts, { start, end }: { start: number; end: number }) {
    const endRead = this.ledger.beginRead();
    try {
      const path = this.#pathOf(key);
      const file = await this.#openUnlessDeleted(key, path);
      if (file === undefined) throw deletedMeanwhile(key);
      try {
        const isWhole = start === 0 && end === facts.bytes;
        const hash = createHash("sha256");
        for (let at = start; at < end;) {
          const chunk = await readChunk(file, path, blobHeadBytes + at, Math.min(chunkBytes, end - at));
          if (isWhole) hash.update(chunk);
          at += chunk.length;
          yield chunk;
        }
        if (isWhole && hash.digest("hex") !== facts.sha256)
          throw corrupt(path, "its content does not have its SHA-256");
      } finally {
        await file.close();
      }
    } finally {
      endRead();
    }
  }

  async stat(key: BlobKey): Promise<BlobFacts | undefined> {
    if (this.ledger.find(key) === undefined) return undefined;
    const path = this.#pathOf(key);
    const file = await this.#openUnlessDeleted(key, path);
    if (file === undefined) return undefined;
    try {
      const facts = await readHead(file);
      if (typeof facts === "string") throw corrupt(path, facts);
      return facts;
    } finally {
      await file.close();
    }
  }

  /** @returns undefined for a blob that was deleted after it was found */
  async #openUnlessDeleted(key: BlobKey, path: string): Promise<FileHandle | undefined> {
    try {
      return await openToRead(path);
    } catch (error) {
      if (this.#deleting.has(path) || !this.ledger.has(key)) return undefined;
      throw error;
    }
  }

  async delete(key: BlobKey): Promise<void> {
    if (this.ledger.find(key) === undefined) return;
    const path = this.#pathOf(key);
    let deleting = this.#deleting.get(path);
    if (deleting === undefined) {
      deleting = this.#delete(key, path).finally(() => void this.#deleting.delete(path));
      this.#deleting.set(path, deleting);
    }
    await deleting;
  }

  async #delete(key: BlobKey, path: string): Promise<void> {
    await this.#attempt(async () => {
      await unlink(path).catch((error: unknown) => {
        if (codeOf(error) !== "ENOENT") throw error;
      });
    });
    this.ledger.remove(key);
  }

  async list(...[prefix, options]: Parameters<BlobStore["list"]>) {
    return this.ledger.list(prefix, options);
  }

  async close(): Promise<void> {
    this.ledger.close();
    await Promise.allSettled(this.#puts);
  }

  #pathOf(key: BlobKey): string {
    return join(this.#folder, blobPath(key));
  }

  /** Name, and the folders that may be as new as it. */
  async #flushFolders(path: string): Promise<void> {
    for (let folder = dirname(path); folder.length >= this.#folder.length; folder = dirname(folder)) {
      const handle = await open(folder, "r");
      try {
        await handle.sync();
      } finally {
        await handle.close();
      }
    }
  }

  async #attempt<T>(run: () => Promise<T>): Promise<T> {
    try {
      return await run();
    } catch (cause) {
      throw unwritable(this.#folder, cause);
    }
  }
}

/** Reads every blob in a folder that nobody has open, and holds it against its head. Changes nothing. */
export async function* inspectBlobFiles(folder: string): AsyncGenerator<BlobInspection, void> {
  try {
    for (const { path, key } of filesBelow(folder)) {
      yield { path, key, fault: key === undefined ? "it is no blob of a local cloud" : await faultOf(path) };
    }
  } catch (error) {
    const code = codeOf(error);
    if (code === undefined) throw error;
    yield { path: folder, key: undefined, fault: `blobs cannot be looked through (${code})` };
  }
}

async function faultOf(path: string): Promise<string | undefined> {
  let file: FileHandle;
  try {
    file = await openToRead(path);
  } catch (error) {
    return isThinglineError(error) ? error.message : String(error);
  }
  try {
    const facts = await readHead(file);
    if (typeof facts === "string") return facts;
    const hash = createHash("sha256");
    for (let at = 0; at < facts.bytes;) {
      const chunk = await readChunk(file, path, blobHeadBytes + at, Math.min(chunkBytes, facts.bytes - at));
      hash.update(chunk);
      at += chunk.length;
    }
    return hash.digest("hex") === facts.sha256 ? undefined : "its content does not have its SHA-256";
  } catch (error) {
    return `it cannot be read: ${String(error)}`;
  } finally {
    await file.close();
  }
}

/** Every file, four folders deep; in the order of their names. */
function* filesBelow(
  folder: string,
  names: readonly string[] = [],
): Generator<{ path: string; key: BlobKey | undefined }> {
  let entries;
  try {
    entries = readdirSync(folder, { withFileTypes: true });
  } catch (error) {
    if (codeOf(error) === "ENOENT") return;
    throw error;
  }
  for (const entry of entries.sort((left, right) => (left.name < right.name ? -1 : 1))) {
    if (names.length === 0 && entry.name === putFolderName) continue;
    const path = join(folder, entry.name);
    const inside = [...names, entry.name];
    if (entry.isDirectory() && inside.length < 4) yield* filesBelow(path, inside);
    else yield { path, key: keyOf(inside, entry.isDirectory()) };
  }
}

function keyOf(names: readonly string[], isFolder: boolean): BlobKey | undefined {
  const [account, region, service, name] = names.map(decodeBlobName);
  const parts = [account, region, service, name].filter((part) => part !== undefined);
  if (isFolder || names.length !== 4 || parts.length !== 4) return undefined;
  return parts as unknown as BlobKey;
}

/** One by one: `recursive` never returns where nothing can be made, as below /proc (Node 20). */
async function makeFolder(path: string): Promise<void> {
  try {
    await mkdir(path, { mode: 0o700 });
  } catch (error) {
    if (codeOf(error) === "EEXIST") return;
    if (codeOf(error) !== "ENOENT" || dirname(path) === path) throw error;
    await makeFolder(dirname(path));
    await makeFolder(path);
  }
}

async function writeWhole(file: FileHandle, bytes: Uint8Array, position: number): Promise<void> {
  for (let at = 0; at < bytes.length;) {
    const { bytesWritten } = await file.write(bytes, at, bytes.length - at, position + at);
    at += bytesWritten;
  }
}

async function openToRead(path: string): Promise<FileHandle> {
  try {
    // A link could lead anywhere. Windows has no such flag.
    return await open(path, constants.O_RDONLY | (constants.O_NOFOLLOW ?? 0));
  } catch (cause) {
    const code = codeOf(cause);
    if (code === "ENOENT") throw corrupt(path, "it is missing");
    throw new ThinglineError("FILE_UNREADABLE", `cannot read "${path}": ${code}`, { details: { path }, cause });
  }
}

/** @returns what is wrong when it is not the head of a blob */
async function readHead(file: FileHandle): Promise<BlobFacts | string> {
  const found = await file.stat();
  if (!found.isFile()) return "it is no file";
  const head = new Uint8Array(blobHeadBytes);
  const { bytesRead } = await file.read(head, 0, blobHeadBytes, 0);
  return decodeBlobHead(head.subarray(0, bytesRead), found.size, crc32);
}

async function readChunk(file: FileHandle, path: string, position: number, bytes: number): Promise<Uint8Array> {
  const chunk = new Uint8Array(bytes);
  const { bytesRead } = await file.read(chunk, 0, bytes, position);
  if (bytesRead === 0) throw corrupt(path, `it ends at byte ${position}`);
  return chunk.subarray(0, bytesRead);
}

function codeOf(error: unknown): string | undefined {
  const code = error instanceof Error && "code" in error ? error.code : undefined;
  return typeof code === "string" ? code : undefined;
}

const corrupt = (path: string, what: string) =>
  new ThinglineError("STORE_CORRUPT", `the blob "${path}" is damaged: ${what}`, { details: { path } });

/** What is no error of the system goes on as it is. */
function unwritable(folder: string, cause: unknown): Error {
  const code = codeOf(cause);
  if (code === undefined || isThinglineError(cause)) return cause as Error;
  const message = `the blobs in "${folder}" could not be written (${code}): is the disk full?`;
  return new ThinglineError("STORE_UNWRITABLE", message, { details: { path: folder, systemCode: code }, cause });
}
