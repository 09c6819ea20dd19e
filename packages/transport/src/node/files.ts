import { randomBytes } from "node:crypto";
import { constants, type Dir } from "node:fs";
import { type FileHandle, lstat, mkdir, open, opendir, readdir, rename, rmdir, stat, unlink } from "node:fs/promises";
import { dirname, join, resolve } from "node:path";
import { ThinglineError } from "@thingline/protocol";
import { defaultListedNamesMax, tooManyNames } from "../files.js";
import type { FileReplaceOptions, Files, FileWriteOptions } from "../files.js";
import { kindOf, readBounded } from "./bounded-read.js";
import { lockFolder } from "./folder-lock.js";

/** Locks, and what a power cut can leave of a `replace`: never listed. */
const temporaryName = /^\.thingline-(?:[0-9a-f]{16}\.tmp|lock)/;

/** The file system. */
export function createNodeFiles(): Files {
  /** The last append per path, so that two in flight keep their order. */
  const appends = new Map<string, Promise<void>>();

  return {
    read: (path, options) => attempt("read", path, () => readBounded(path, options)),
    exists: (path) => exists(path),
    list: (folder, { namesMax = defaultListedNamesMax } = {}) => attempt("list", folder, () => list(folder, namesMax)),
    replace(path, content, options) {
      // Taken now: the caller may use its buffer for something else meanwhile.
      const copy = content.slice();
      return attempt("write", path, () => replace(path, copy, options));
    },
    async append(path, content, options) {
      const copy = content.slice();
      const before = appends.get(path) ?? Promise.resolve();
      const mine = before.catch(() => undefined).then(() => attempt("write", path, () => append(path, copy, options)));
      appends.set(path, mine);
      try {
        await mine;
      } finally {
        if (appends.get(path) === mine) appends.delete(path);
      }
    },
    flush: (path) => attempt("flush", path, () => flush(path)),
    remove: (path) => attempt("remove", path, () => remove(path)),
    makeFolder: (path) => attempt("make the folder", path, () => makeFolder(path)),
    lock: (folder) =>
      attempt("lock", folder, async () => {
        await makeFolder(folder);
        return lockFolder(folder);
      }),
  };
}

async function attempt<T>(action: string, path: string, run: () => Promise<T>): Promise<T> {
  if (path.length === 0 || path.includes("\0")) {
    throw new ThinglineError("OPTION_INVALID", `a path must be text without U+0000, got ${JSON.stringify(path)}`);
  }
  try {
    return await run();
  } catch (error) {
    if (error instanceof ThinglineError) throw error;
    const systemCode = codeOf(error);
    if (systemCode === undefined) throw error;
    const options = { details: { path, systemCode }, cause: error };
    if (systemCode === "ENOENT") throw new ThinglineError("FILE_NOT_FOUND", `there is no "${path}"`, options);
    const why = systemCode === "ENOTDIR" ? `"${await firstFileOf(path)}" is a file, expected a folder` : systemCode;
    throw new ThinglineError("FILE_UNREADABLE", `cannot ${action} "${path}": ${why}`, options);
  }
}

/** What is in the way of a path that goes through a file. */
async function firstFileOf(path: string): Promise<string> {
  const parent = dirname(path);
  return parent === path || (await isThere(path)) ? path : firstFileOf(parent);
}

export function codeOf(error: unknown): string | undefined {
  const code = error instanceof Error && "code" in error ? error.code : undefined;
  return typeof code === "string" ? code : undefined;
}

async function exists(path: string): Promise<boolean> {
  try {
    await lstat(path);
    return true;
  } catch {
    return false;
  }
}

async function list(folder: string, namesMax: number): Promise<string[]> {
  let entries: Dir;
  try {
    entries = await opendir(folder);
  } catch (error) {
    if (codeOf(error) === "ENOENT") return [];
    throw error;
  }
  const names: string[] = [];
  // The loop closes the folder, however it is left.
  for await (const { name } of entries) {
    if (temporaryName.test(name)) continue;
    if (names.length >= namesMax) throw tooManyNames(folder, namesMax);
    names.push(name);
  }
  return names.sort();
}

/**
 * Folder by folder: where nothing can be made, as below `/proc`, `mkdir` with `recursive` of Node 20 never returns and
 * keeps a core busy.
 */
async function makeFolder(path: string): Promise<void> {
  try {
    await mkdir(path, { mode: 0o700 });
  } catch (error) {
    const code = codeOf(error);
    if (code === "EEXIST") return requireFolder(path, error);
    if (code === "ENOTDIR") return requireFolder(dirname(path), error);
    const parent = dirname(path);
    if (code !== "ENOENT" || parent === path) throw error;
    if (await isThere(parent)) {
      throw new ThinglineError("FILE_UNREADABLE", `no folder can be made in "${parent}"`, {
        details: { path },
        cause: error,
      });
    }
    await makeFolder(parent);
    await mkdir(path, { mode: 0o700 }).catch((again: unknown) => {
      if (codeOf(again) !== "EEXIST") throw again;
    });
  }
}

/** @throws {ThinglineError} FILE_UNREADABLE */
async function requireFolder(path: string, cause: unknown): Promise<void> {
  const found = await stat(path).catch(() => undefined);
  if (found?.isDirectory() === true) return;
  const parent = dirname(path);
  // A file further up.
  if (found === undefined && codeOf(cause) === "ENOTDIR" && parent !== path) return requireFolder(parent, cause);
  const message = `"${path}" is ${found === undefined ? "a link to nothing" : "a file"}, expected a folder`;
  throw new ThinglineError("FILE_UNREADABLE", message, { details: { path }, cause });
}

async function isThere(path: string): Promise<boolean> {
  return stat(path).then(
    () => true,
    () => false,
  );
}

/** Links that a system keeps for the streams of a process. */
const streamPath = /^\/(?:dev\/(?:stdin|stdout|stderr|fd\/)|proc\/)/;

/**
 * Root may rename a file over `/dev/null`, and every program of the machine would miss it. A pipe would be waited for, or lost.
 *
 * @throws {ThinglineError} FILE_UNREADABLE
 */
async function refuseSpecial(path: string): Promise<void> {
  const found = await lstat(path).catch(() => undefined);
  const isOrdinary = found === undefined || found.isFile() || found.isSymbolicLink() || found.isDirectory();
  const isStream = streamPath.test(resolve(path));
  if (isOrdinary && !isStream) return;
  const kind = found === undefined || isOrdinary ? "a stream of this process" : kindOf(found);
  const message = `"${path}" is ${kind}, expected a regular file to write, or nothing there`;
  throw new ThinglineError("FILE_UNREADABLE", message, { details: { path } });
}

/**
 * A symbolic link at `path` is replaced, not followed: whoever may write the folder could otherwise point a private
 * key's file somewhere else.
 */
async function replace(
  path: string,
  content: Uint8Array,
  { mode = 0o600, overEmptyFolder = false }: FileReplaceOptions = {},
): Promise<void> {
  await refuseSpecial(path);
  const folder = dirname(path);
  await makeFolder(folder);
  const temporary = join(folder, `.thingline-${randomBytes(8).toString("hex")}.tmp`);
  const file = await open(temporary, constants.O_WRONLY | constants.O_CREAT | constants.O_EXCL, mode);
  try {
    try {
      // The umask may have taken bits of the mode away.
      await file.chmod(mode);
      await file.writeFile(content);
      await file.sync();
    } finally {
      await file.close();
    }
    await (overEmptyFolder ? renameOver(temporary, path) : rename(temporary, path));
  } catch (error) {
    await unlink(temporary).catch(() => undefined);
    throw error;
  }
  await flushFolder(folder);
}

async function renameOver(temporary: string, path: string): Promise<void> {
  try {
    await rename(temporary, path);
  } catch (error) {
    const found = await lstat(path).catch(() => undefined);
    if (found?.isDirectory() !== true) throw error;
    await removeEmpty(path, error);
    await rename(temporary, path);
  }
}

/** @throws `cause` when there is a file in it; the folders beside that may be gone by then */
async function removeEmpty(folder: string, cause: unknown): Promise<void> {
  for (const entry of await readdir(folder, { withFileTypes: true })) {
    const path = join(folder, entry.name);
    if (entry.isDirectory()) await removeEmpty(path, cause);
    else if (/^\.thingline-[0-9a-f]{16}\.tmp$/u.test(entry.name)) await unlink(path);
    else throw cause;
  }
  await rmdir(folder);
}

async function append(path: string, content: Uint8Array, { mode = 0o600 }: FileWriteOptions = {}): Promise<void> {
  await refuseSpecial(path);
  await makeFolder(dirname(path));
  const file = await open(path, "a", mode);
  try {
    await file.appendFile(content);
  } finally {
    await file.close();
  }
}

async function flush(path: string): Promise<void> {
  const file = await open(path, "r+");
  try {
    await file.sync();
  } finally {
    await file.close();
  }
  // The file's entry may be as new as its content.
  await flushFolder(dirname(path));
}

async function remove(path: string): Promise<void> {
  try {
    await unlink(path);
  } catch (error) {
    if (codeOf(error) === "ENOENT") return;
    throw error;
  }
  await flushFolder(dirname(path));
}

async function flushFolder(folder: string): Promise<void> {
  let handle: FileHandle | undefined;
  try {
    handle = await open(folder, "r");
    await handle.sync();
  } catch (error) {
    // Windows opens no folders and needs no flush of them; some network file systems refuse.
    const code = codeOf(error);
    if (code !== "EPERM" && code !== "EISDIR" && code !== "EINVAL" && code !== "ENOTSUP" && code !== "EACCES")
      throw error;
  } finally {
    await handle?.close();
  }
}
