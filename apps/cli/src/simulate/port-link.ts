import { lstat, readlink, stat, symlink, unlink } from "node:fs/promises";
import { resolve } from "node:path";
import { isRecord, isThinglineError, ThinglineError } from "@thingline/protocol";
import type { Files } from "@thingline/transport";

/** A name for a pseudo-terminal that stays the same, such as `/dev/ttyACM90`: host tools list ports by such names. */
export interface PortLink {
  readonly path: string;
  /** Takes the link away if it still is this one. Safe to call twice. */
  remove(): Promise<void>;
}

export interface PortLinkOptions {
  path: string;
  /** The pseudo-terminal. */
  target: string;
  /** Remembers the link, for the run that comes after a crash: a file of the modem's folder, which one process holds at a time. */
  files: Files;
  recordFile: string;
}

const recordBytesMax = 16_384;

/**
 * Makes a symbolic link to a pseudo-terminal. A link that is there already is replaced when it was left behind by a run that crashed: its
 * terminal is gone, or is this one, or the record tells that the folder's last run made it. Nothing else is ever replaced.
 *
 * @throws {ThinglineError} FILE_EXISTS, FILE_NOT_FOUND without its folder, FILE_UNREADABLE where this user may not make it.
 */
export async function makePortLink({ path: wanted, target, files, recordFile }: PortLinkOptions): Promise<PortLink> {
  const path = resolve(wanted);
  if (await isLeftBehind(path, target, await readRecord(files, recordFile))) await unlinkIfThere(path);
  // Before the link: a crash between the two must not leave a link that nobody knows.
  const record = new TextEncoder().encode(JSON.stringify({ link: path, target }));
  await files.replace(recordFile, record);
  try {
    await symlink(target, path);
  } catch (cause) {
    await files.remove(recordFile);
    const terminal = await terminalInUse(path);
    if (terminal === undefined) throw refusal(path, cause);
    const message = `${path} leads to ${terminal}, which is in use, as by another \`modem simulate\`: end that, or choose another --link`;
    throw new ThinglineError("FILE_EXISTS", message, { details: { path }, cause });
  }
  return {
    path,
    async remove() {
      if ((await targetOf(path)) === target) await unlinkIfThere(path);
      await files.remove(recordFile);
    },
  };
}

interface LinkRecord {
  link: string;
  target: string;
}

async function readRecord(files: Files, recordFile: string): Promise<LinkRecord | undefined> {
  try {
    const text = new TextDecoder().decode(await files.read(recordFile, { bytesMax: recordBytesMax }));
    const value: unknown = JSON.parse(text);
    if (!isRecord(value)) return undefined;
    const { link, target } = value;
    return typeof link === "string" && typeof target === "string" ? { link, target } : undefined;
  } catch (error) {
    // No record, or none that can be read: then the link itself has to tell.
    if (error instanceof SyntaxError) return undefined;
    if (isThinglineError(error, "FILE_NOT_FOUND") || isThinglineError(error, "FILE_TOO_LARGE")) return undefined;
    throw error;
  }
}

async function isLeftBehind(path: string, ownTarget: string, record: LinkRecord | undefined): Promise<boolean> {
  const target = await targetOf(path);
  if (target === undefined) return false;
  if (target === ownTarget) return true;
  if (record?.link === path && record.target === target) return true;
  return /^\/dev\/(?:pts\/\d+|ttys\d+)$/.test(target) && !(await exists(target));
}

/** Undefined when it does not lead to a terminal that somebody has. */
async function terminalInUse(path: string): Promise<string | undefined> {
  const target = await targetOf(path);
  return target !== undefined && /^\/dev\/(?:pts\/|ttys)/.test(target) && (await exists(target)) ? target : undefined;
}

/** Undefined when it is no symbolic link. */
async function targetOf(path: string): Promise<string | undefined> {
  try {
    return (await lstat(path)).isSymbolicLink() ? await readlink(path) : undefined;
  } catch {
    return undefined;
  }
}

async function exists(path: string): Promise<boolean> {
  try {
    await stat(path);
    return true;
  } catch (error) {
    return (error as NodeJS.ErrnoException).code !== "ENOENT";
  }
}

async function unlinkIfThere(path: string): Promise<void> {
  try {
    await unlink(path);
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== "ENOENT") throw refusal(path, error);
  }
}

function refusal(path: string, cause: unknown): ThinglineError {
  const systemCode = (cause as NodeJS.ErrnoException).code ?? "unknown";
  if (systemCode === "EEXIST" || systemCode === "ENOTDIR") {
    const message = `${path} is there already and was not made by \`modem simulate\`: it is not replaced`;
    return new ThinglineError("FILE_EXISTS", message, { details: { path }, cause });
  }
  if (systemCode === "ENOENT") {
    const message = `the link ${path} cannot be made: its folder is not there`;
    return new ThinglineError("FILE_NOT_FOUND", message, { details: { path }, cause });
  }
  const message =
    systemCode === "EACCES" || systemCode === "EPERM"
      ? `this user may not make the link ${path}: in /dev only root may (sudo), a folder of your own does for programs that take any path`
      : `the link ${path} cannot be made: ${systemCode}`;
  return new ThinglineError("FILE_UNREADABLE", message, { details: { path, systemCode }, cause });
}
