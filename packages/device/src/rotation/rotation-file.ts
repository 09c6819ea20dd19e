import { isThinglineError, ThinglineError } from "@thingline/protocol";
import type { Files } from "@thingline/transport";
import { decodeRotationRecord, encodeRotationRecord, rotationRecordBytesMax, type RotationRecord } from "./record.js";

const fileName = "rotation.json";

/** What is remembered, in one file that is replaced whole. One process at a time has its folder. */
export class RotationFile {
  readonly #files: Files;
  readonly #folder: string;
  readonly #lock: { release(): Promise<void> };

  private constructor(files: Files, folder: string, lock: { release(): Promise<void> }) {
    this.#files = files;
    this.#folder = folder;
    this.#lock = lock;
  }

  /**
   * `problem`: something was there that could not be read, and was kept under another name.
   *
   * @throws {ThinglineError} LOCKED, FILE_UNREADABLE, STORE_VERSION_UNKNOWN
   */
  static async open(
    files: Files,
    folder: string,
  ): Promise<{ file: RotationFile; record: RotationRecord | undefined; problem: ThinglineError | undefined }> {
    await files.makeFolder(folder);
    const lock = await files.lock(folder);
    try {
      return { file: new RotationFile(files, folder, lock), ...(await readRecord(files, `${folder}/${fileName}`)) };
    } catch (error) {
      await lock.release();
      throw error;
    }
  }

  /** Of the provisioning of a tag. */
  progressPath(toTag: number): string {
    return `${this.#folder}/provisioning-${toTag}.json`;
  }

  save(record: RotationRecord): Promise<void> {
    return this.#files.replace(`${this.#folder}/${fileName}`, encodeRotationRecord(record));
  }

  close(): Promise<void> {
    return this.#lock.release();
  }
}

/**
 * The security tag that a device has rotated to, for a program that does not rotate itself; undefined: it never did.
 *
 * @throws {ThinglineError} FILE_UNREADABLE, STORE_VERSION_UNKNOWN
 */
export async function readRotatedTag({
  files,
  folder,
  clientId,
}: {
  files: Files;
  folder: string;
  clientId: string;
}): Promise<number | undefined> {
  const { record, problem } = await readRecord(files, `${folder}/${fileName}`);
  if (problem !== undefined) throw problem;
  return record?.clientId === clientId ? record.secTag : undefined;
}

async function readRecord(
  files: Files,
  path: string,
): Promise<{ record: RotationRecord | undefined; problem: ThinglineError | undefined }> {
  let bytes: Uint8Array;
  try {
    bytes = await files.read(path, { bytesMax: rotationRecordBytesMax });
  } catch (error) {
    if (isThinglineError(error, "FILE_NOT_FOUND")) return { record: undefined, problem: undefined };
    throw error;
  }
  const decoded = decodeRotationRecord(bytes);
  if (decoded.type === "record") return { record: decoded.record, problem: undefined };
  if (decoded.type === "newer") {
    const message = `${path} was written by a later version of Thingline`;
    throw new ThinglineError("STORE_VERSION_UNKNOWN", message, { details: { path } });
  }
  const kept = `${path}.unreadable`;
  await files.replace(kept, bytes);
  const message = `${path} cannot be understood, so the tags are looked at anew; it was kept as ${kept}`;
  return { record: undefined, problem: new ThinglineError("FILE_UNREADABLE", message, { details: { path } }) };
}
