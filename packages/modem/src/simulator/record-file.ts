import { isThinglineError, ThinglineError } from "@thingline/protocol";
import type { Files } from "@thingline/transport";

/** Where the simulated modem keeps what survives a power cut. */
export interface RecordFile<Value> {
  path: string;
  /** Undefined: the record is not what it should be. */
  check(value: unknown): Value | undefined;
  /** What to do about a file that cannot be read. */
  remedy: string;
}

/** A credential of the longest kind, escaped, is a quarter of it. */
export const recordBytesMax = 64 * 1024;

/**
 * @returns undefined when there is no such file.
 * @throws {ThinglineError} STORE_CORRUPT when the file holds something else, FILE_UNREADABLE.
 */
export async function readRecord<Value>(files: Files, file: RecordFile<Value>): Promise<Value | undefined> {
  let bytes: Uint8Array;
  try {
    bytes = await files.read(file.path, { bytesMax: recordBytesMax });
  } catch (error) {
    if (isThinglineError(error, "FILE_NOT_FOUND")) return undefined;
    throw error;
  }
  let value: Value | undefined;
  let cause: unknown;
  try {
    const text = new TextDecoder("utf-8", { fatal: true, ignoreBOM: true }).decode(bytes);
    value = file.check(JSON.parse(text) as unknown);
  } catch (error) {
    if (error instanceof ThinglineError) throw error;
    // The parser's own message may quote the content.
    cause = new Error("not JSON in UTF-8");
  }
  if (value !== undefined) return value;
  const message = `${file.path} is damaged: it is not the record that the simulated modem wrote. ${file.remedy}`;
  throw new ThinglineError("STORE_CORRUPT", message, { details: { file: file.path }, cause });
}

export async function writeRecord(files: Files, path: string, value: unknown): Promise<void> {
  await files.replace(path, new TextEncoder().encode(`${JSON.stringify(value, undefined, 2)}\n`), { mode: 0o600 });
}
