import { isThinglineError, ThinglineError } from "@thingline/protocol";
import type { Files } from "@thingline/transport";
import { decodeRecords, encodeRecords, jobsRecordBytesMax } from "./record.js";
import type { ExecutionRecord } from "./types.js";

const fileName = "jobs.json";

export interface OpenedRecords {
  file: RecordFile;
  records: readonly ExecutionRecord[];
  /** A record was there that could not be read; it was kept under another name. */
  problem: ThinglineError | undefined;
}

/** The file that remembers executions over a restart: one small file, replaced whole. One process at a time has its folder. */
export class RecordFile {
  readonly #files: Files;
  readonly #path: string;
  readonly #thingName: string;
  readonly #lock: { release(): Promise<void> };
  #latest: readonly ExecutionRecord[] = [];
  #writing: Promise<void> | undefined;
  /** Begins when what is being written is on disk. */
  #next: Promise<void> | undefined;

  private constructor(files: Files, path: string, thingName: string, lock: { release(): Promise<void> }) {
    this.#files = files;
    this.#path = path;
    this.#thingName = thingName;
    this.#lock = lock;
  }

  /** @throws {ThinglineError} LOCKED, FILE_UNREADABLE, STORE_VERSION_UNKNOWN */
  static async open(files: Files, folder: string, thingName: string): Promise<OpenedRecords> {
    await files.makeFolder(folder);
    const lock = await files.lock(folder);
    const path = `${folder}/${fileName}`;
    try {
      const file = new RecordFile(files, path, thingName, lock);
      return { file, ...(await readRecords(files, path, thingName)) };
    } catch (error) {
      await lock.release();
      throw error;
    }
  }

  /** Resolves when these records or later ones are on disk. @throws {ThinglineError} FILE_UNREADABLE */
  save(records: readonly ExecutionRecord[]): Promise<void> {
    this.#latest = records;
    // What comes while the disk is busy is written together.
    this.#next ??= this.#write();
    return this.#next;
  }

  async #write(): Promise<void> {
    await this.#writing?.catch(() => undefined);
    this.#next = undefined;
    this.#writing = this.#files.replace(this.#path, encodeRecords(this.#thingName, this.#latest));
    return this.#writing;
  }

  async close(): Promise<void> {
    await this.#next?.catch(() => undefined);
    await this.#writing?.catch(() => undefined);
    await this.#lock.release();
  }
}

async function readRecords(
  files: Files,
  path: string,
  thingName: string,
): Promise<{ records: readonly ExecutionRecord[]; problem: ThinglineError | undefined }> {
  let bytes: Uint8Array;
  try {
    bytes = await files.read(path, { bytesMax: jobsRecordBytesMax });
  } catch (error) {
    if (isThinglineError(error, "FILE_NOT_FOUND")) return { records: [], problem: undefined };
    throw error;
  }
  const decoded = decodeRecords(bytes, thingName);
  if (decoded.type === "records") return { records: decoded.records, problem: undefined };
  if (decoded.type === "newer") {
    const message = `"${path}" was written by a newer version of Thingline`;
    throw new ThinglineError("STORE_VERSION_UNKNOWN", message, { details: { path } });
  }
  const kept = `${path}.unreadable`;
  await files.replace(kept, bytes);
  const message = `what "${path}" remembers of jobs cannot be understood, so nothing in it is trusted; it was kept as "${kept}"`;
  return { records: [], problem: new ThinglineError("STORE_CORRUPT", message, { details: { path } }) };
}
