import { type FileHandle, open } from "node:fs/promises";
import { ThinglineError } from "@thingline/protocol";
import type { ImageSource } from "@thingline/protocol/image";
import type { Files } from "@thingline/transport";
import { readTextFile } from "./text-file.js";

/** Of a binary to sign, which is in memory as a whole. */
export const signedFileBytesMax = 128 * 1024 * 1024;
/** Of a PEM file. */
export const keyFileBytesMax = 64 * 1024;

/** A file that is read in ranges, however large it is. */
export interface ImageFile extends ImageSource, AsyncDisposable {}

/** @throws {ThinglineError} FILE_NOT_FOUND; FILE_UNREADABLE, also of what is no regular file. */
export async function openImageFile(path: string): Promise<ImageFile> {
  const handle = await openFile(path);
  try {
    const stat = await handle.stat();
    if (!stat.isFile()) throw unreadable(path, "is not a regular file");
    return {
      sizeBytes: stat.size,
      read: (offset, length) => readRange(handle, { path, offset, length }),
      [Symbol.asyncDispose]: () => handle.close(),
    };
  } catch (error) {
    await handle.close();
    throw error;
  }
}

async function openFile(path: string): Promise<FileHandle> {
  try {
    return await open(path, "r");
  } catch (cause) {
    const code = codeOf(cause);
    if (code === "ENOENT" || code === "ENOTDIR") {
      throw new ThinglineError("FILE_NOT_FOUND", `there is no file "${path}"`, { details: { path }, cause });
    }
    throw unreadable(path, `cannot be read (${code ?? "unknown"})`, cause);
  }
}

/** Fewer bytes when the file has become shorter in the meantime. */
async function readRange(
  handle: FileHandle,
  { path, offset, length }: { path: string; offset: number; length: number },
): Promise<Uint8Array> {
  const bytes = new Uint8Array(length);
  let filled = 0;
  while (filled < length) {
    const { bytesRead } = await handle.read(bytes, filled, length - filled, offset + filled).catch((cause: unknown) => {
      throw unreadable(path, `cannot be read (${codeOf(cause) ?? "unknown"})`, cause);
    });
    if (bytesRead === 0) break;
    filled += bytesRead;
  }
  return bytes.subarray(0, filled);
}

function unreadable(path: string, why: string, cause?: unknown): ThinglineError {
  return new ThinglineError("FILE_UNREADABLE", `"${path}" ${why}`, { details: { path }, cause });
}

function codeOf(error: unknown): string | undefined {
  return error instanceof Error && "code" in error && typeof error.code === "string" ? error.code : undefined;
}

export function alreadyThere(path: string): ThinglineError {
  const message = `"${path}" is already there, and is never written over: a lost key cannot be made again`;
  return new ThinglineError("FILE_EXISTS", message, { details: { file: path } });
}

/** A file that must not be there: whatever is, stays. Only its owner may read it. */
export async function writeNewFile(path: string, text: string, mode: 0o600 | 0o644): Promise<void> {
  let handle: FileHandle;
  try {
    handle = await open(path, "wx", mode);
  } catch (cause) {
    const code = codeOf(cause);
    if (code === "EEXIST") throw alreadyThere(path);
    throw unreadable(path, `cannot be written (${code ?? "unknown"})`, cause);
  }
  try {
    await handle.writeFile(text);
    await handle.sync();
  } finally {
    await handle.close();
  }
}

/** A private or a public key in PEM. @throws {ThinglineError} FILE_NOT_FOUND, FILE_UNREADABLE, FILE_TOO_LARGE, KEY_INVALID. */
export function readKeyFile(files: Files, path: string, signal?: AbortSignal): Promise<string> {
  return readTextFile(files, path, {
    bytesMax: keyFileBytesMax,
    ...(signal && { signal }),
    onBinary: () => new ThinglineError("KEY_INVALID", `"${path}" is no PEM`, { details: { path } }),
  });
}
