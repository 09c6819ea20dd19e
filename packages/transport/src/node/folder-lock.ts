import { randomBytes } from "node:crypto";
import { link, readlink, rename, unlink, writeFile } from "node:fs/promises";
import { dirname, join } from "node:path";
import { isThinglineError, ThinglineError } from "@thingline/protocol";
import { readBounded } from "./bounded-read.js";

/** Who holds a lock. A process id alone is used again after a while; with start time and boot it is unique. */
interface LockRecord {
  pid: number;
  /** Start of the process in clock ticks since boot (field 22 of /proc/PID/stat); empty where there is no /proc. */
  started: string;
  /** Empty where there is no /proc. */
  boot: string;
  /** The process id's name space: a container sees other numbers. Empty where there is no /proc. */
  namespace: string;
  token: string;
}

/** Ours are much shorter. */
const lockBytesMax = 4_096;
const lockName = ".thingline-lock";
/** A take-over that loses its race starts again; each round some other process got ahead. */
const roundsMax = 100;

/**
 * Takes a folder for this process. The lock is a file that appears whole (`link` of a finished file) and names its
 * holder; a holder that is no longer alive is replaced, so nothing has to be cleaned up after `kill -9` or a power cut.
 *
 * @throws {ThinglineError} LOCKED with `pid` in the details.
 */
export async function lockFolder(folder: string): Promise<{ release(): Promise<void> }> {
  const path = join(folder, lockName);
  const record = await recordOfThisProcess();
  const holder = await take(path, record);
  if (holder !== undefined) {
    const message = `"${folder}" belongs to the process ${holder.pid}, which is running`;
    throw new ThinglineError("LOCKED", message, { details: { folder, pid: holder.pid } });
  }
  let released: Promise<void> | undefined;
  return { release: () => (released ??= release(path, record.token)) };
}

/** The id of the living process that has a folder. One that only has the id of a dead holder does not count. */
export async function folderHolder(folder: string): Promise<number | undefined> {
  const holder = await readRecord(join(folder, lockName));
  return holder !== undefined && (await isAlive(holder)) ? holder.pid : undefined;
}

/** @returns the living holder, or undefined when the lock is ours. */
async function take(path: string, record: LockRecord): Promise<LockRecord | undefined> {
  for (let round = 0; round < roundsMax; round++) {
    if (await place(path, record)) return undefined;
    const holder = await readRecord(path);
    if (holder === undefined) continue;
    if (await isAlive(holder)) return holder;
    // Only who holds the lock on this very dead holder may replace it, so nobody removes a newcomer's lock.
    const takeOver = `${path}-${holder.token}`;
    const rival = await take(takeOver, record);
    if (rival !== undefined) return rival;
    try {
      if ((await readRecord(path))?.token !== holder.token) continue;
      await replaceRecord(path, record);
      return undefined;
    } finally {
      await release(takeOver, record.token);
    }
  }
  throw new ThinglineError("FILE_UNREADABLE", `cannot lock "${path}": its holder changes all the time`);
}

/** Puts the record there if nothing is there. It is never seen half-written. */
async function place(path: string, record: LockRecord): Promise<boolean> {
  const temporary = `${path}-${randomBytes(8).toString("hex")}.tmp`;
  // Flushed first: after a power cut there is a whole lock or none.
  await writeFile(temporary, JSON.stringify(record), { flag: "wx", mode: 0o600, flush: true });
  try {
    await link(temporary, path);
    return true;
  } catch (error) {
    if (error instanceof Error && "code" in error && error.code === "EEXIST") return false;
    throw error;
  } finally {
    await unlink(temporary);
  }
}

async function replaceRecord(path: string, record: LockRecord): Promise<void> {
  const temporary = `${path}-${randomBytes(8).toString("hex")}.tmp`;
  await writeFile(temporary, JSON.stringify(record), { flag: "wx", mode: 0o600, flush: true });
  await rename(temporary, path);
}

async function release(path: string, token: string): Promise<void> {
  if ((await readRecord(path))?.token === token) await unlink(path);
}

async function readRecord(path: string): Promise<LockRecord | undefined> {
  let text: string;
  try {
    text = await readText(path, lockBytesMax);
  } catch (error) {
    if (isThinglineError(error)) throw isThinglineError(error, "FILE_TOO_LARGE") ? notOurs(path) : error;
    const code = error instanceof Error && "code" in error ? error.code : undefined;
    if (code === "ENOENT") return undefined;
    const message =
      code === "ENOTDIR"
        ? `"${dirname(path)}" is a file, expected a folder`
        : `cannot read the lock "${path}": ${String(code)}`;
    throw new ThinglineError("FILE_UNREADABLE", message, { details: { path }, cause: error });
  }
  try {
    const { pid, started, boot, namespace, token } = JSON.parse(text) as Partial<LockRecord>;
    if (typeof pid === "number" && /^[0-9a-f]{32}$/.test(String(token))) {
      return { pid, started: String(started), boot: String(boot), namespace: String(namespace), token: String(token) };
    }
  } catch {
    // Not ours: reported below.
  }
  throw notOurs(path);
}

function notOurs(path: string): ThinglineError {
  const message = `"${path}" is no lock of Thingline; remove it if nothing uses the folder`;
  return new ThinglineError("FILE_UNREADABLE", message, { details: { path } });
}

async function recordOfThisProcess(): Promise<LockRecord> {
  return {
    pid: process.pid,
    started: (await startOf(process.pid)) ?? "",
    boot: await bootId(),
    namespace: await readlink("/proc/self/ns/pid").catch(() => ""),
    token: randomBytes(16).toString("hex"),
  };
}

async function isAlive(holder: LockRecord): Promise<boolean> {
  if (holder.boot !== "" && holder.boot !== (await bootId())) return false;
  if (holder.started === "") return isSignallable(holder.pid);
  // In another container the number says nothing; an unknown holder is taken for alive.
  if (holder.namespace !== (await readlink("/proc/self/ns/pid").catch(() => ""))) return true;
  return (await startOf(holder.pid)) === holder.started;
}

function isSignallable(pid: number): boolean {
  try {
    process.kill(pid, 0);
    return true;
  } catch (error) {
    return error instanceof Error && "code" in error && error.code === "EPERM";
  }
}

const bootId = async (): Promise<string> =>
  (await readText("/proc/sys/kernel/random/boot_id", lockBytesMax).catch(() => "")).trim();

/** Undefined when there is no such process, or only its zombie, or no /proc. */
async function startOf(pid: number): Promise<string | undefined> {
  const stat = await readText(`/proc/${pid}/stat`, lockBytesMax).catch(() => undefined);
  // The name, in parentheses, may hold anything; what follows it starts with field 3, the state.
  const fields = stat?.slice(stat.lastIndexOf(")") + 2).split(" ");
  if (fields === undefined || fields[0] === "Z" || fields[0] === "X") return undefined;
  return fields[19];
}

async function readText(path: string, bytesMax: number): Promise<string> {
  return new TextDecoder().decode(await readBounded(path, { bytesMax }));
}
