import { isThinglineError, ThinglineError } from "@thingline/protocol";
import { decodeCommandUpdate, encodeCommandUpdate, isCommandExecutionId } from "@thingline/protocol/commands";
import type { CommandTarget } from "@thingline/protocol/commands";
import { decodeBase64, encodeBase64 } from "@thingline/protocol/x509";
import type { Files } from "@thingline/transport";
import type { CommandRecord, FinalTold, Remembered } from "./types.js";

const fileName = "commands.json";
/** What survives a restart, of all executions together. */
export const commandsRecordBytesMax = 16 * 1024 * 1024;
const version = 1;
const nothing: Remembered = { records: [], finished: [] };

/** The file that remembers executions over a restart: one file, replaced whole. One process at a time has its folder. */
export class CommandsFile {
  readonly #files: Files;
  readonly #path: string;
  readonly #target: CommandTarget;
  readonly #lock: { release(): Promise<void> };
  #latest: Remembered = nothing;
  #writing: Promise<void> | undefined;
  /** Begins when what is being written is on disk. */
  #next: Promise<void> | undefined;

  private constructor(files: Files, path: string, target: CommandTarget, lock: { release(): Promise<void> }) {
    this.#files = files;
    this.#path = path;
    this.#target = target;
    this.#lock = lock;
  }

  /** @throws {ThinglineError} LOCKED, FILE_UNREADABLE, STORE_VERSION_UNKNOWN */
  static async open(files: Files, folder: string, target: CommandTarget) {
    await files.makeFolder(folder);
    const lock = await files.lock(folder);
    const path = `${folder}/${fileName}`;
    try {
      return { file: new CommandsFile(files, path, target, lock), ...(await readFile(files, path, target)) };
    } catch (error) {
      await lock.release();
      throw error;
    }
  }

  /** Resolves when this or something later is on disk. @throws {ThinglineError} FILE_UNREADABLE */
  save(remembered: Remembered): Promise<void> {
    this.#latest = remembered;
    // What comes while the disk is busy is written together.
    this.#next ??= this.#write();
    return this.#next;
  }

  async #write(): Promise<void> {
    await this.#writing?.catch(() => undefined);
    this.#next = undefined;
    this.#writing = this.#files.replace(this.#path, encodeRemembered(this.#target, this.#latest));
    return this.#writing;
  }

  async close(): Promise<void> {
    await this.#next?.catch(() => undefined);
    await this.#writing?.catch(() => undefined);
    await this.#lock.release();
  }
}

async function readFile(
  files: Files,
  path: string,
  target: CommandTarget,
): Promise<{ remembered: Remembered; problem?: ThinglineError }> {
  let bytes: Uint8Array;
  try {
    bytes = await files.read(path, { bytesMax: commandsRecordBytesMax });
  } catch (error) {
    if (isThinglineError(error, "FILE_NOT_FOUND")) return { remembered: nothing };
    throw error;
  }
  const decoded = decodeRemembered(bytes, target);
  if (typeof decoded === "object") return { remembered: decoded };
  if (decoded === "newer") {
    const message = `"${path}" was written by a newer version of Thingline`;
    throw new ThinglineError("STORE_VERSION_UNKNOWN", message, { details: { path } });
  }
  const kept = `${path}.unreadable`;
  await files.replace(kept, bytes);
  const message = `what "${path}" remembers of commands cannot be understood, so nothing in it is trusted; it was kept as "${kept}"`;
  return { remembered: nothing, problem: new ThinglineError("STORE_CORRUPT", message, { details: { path } }) };
}

const decoder = new TextDecoder("utf-8", { fatal: true });

/** What is told is written as it is sent. */
export function encodeRemembered({ kind, id }: CommandTarget, { records, finished }: Remembered): Uint8Array {
  const executions = records.map((record) => {
    const { executionId, phase } = record;
    if (phase === "begun") return { executionId, phase };
    if (phase === "ended") {
      const { result, ...told } = record.told;
      const update = { ...told, result: result && new Map(Object.entries(result)) };
      return { executionId, phase, told: decoder.decode(encodeCommandUpdate(update, "json")) };
    }
    const { payload, ...command } = record.command;
    return { executionId, phase, calls: record.calls, command: { ...command, payload: encodeBase64(payload) } };
  });
  return new TextEncoder().encode(`${JSON.stringify({ version, target: `${kind}/${id}`, executions, finished })}\n`);
}

/** Executions of another target are worth nothing. */
export function decodeRemembered(bytes: Uint8Array, { kind, id }: CommandTarget): Remembered | "newer" | "unreadable" {
  try {
    const value = JSON.parse(decoder.decode(bytes)) as Record<string, unknown>;
    if (typeof value["version"] === "number" && value["version"] > version) return "newer";
    const { executions, finished } = value;
    if (value["version"] !== version || !Array.isArray(executions) || !Array.isArray(finished)) return "unreadable";
    if (value["target"] !== `${kind}/${id}`) return nothing;
    if (!finished.every((one) => isCommandExecutionId(String(one)))) return "unreadable";
    return { records: executions.map((one: Record<string, unknown>) => recordOf(one)), finished: finished as string[] };
  } catch {
    return "unreadable";
  }
}

/** @throws for what is none */
function recordOf({ executionId, phase, told, command, calls }: Record<string, unknown>): CommandRecord {
  if (typeof executionId !== "string" || !isCommandExecutionId(executionId)) throw new Error("no id");
  if (phase === "begun") return { executionId, phase };
  if (phase === "ended") {
    const read = decodeCommandUpdate(new TextEncoder().encode(String(told)), "json");
    if ("rejection" in read || read.update.status === "IN_PROGRESS") throw new Error("no end");
    const { result, ...update } = read.update;
    const told_ = { ...update, ...(result && { result: Object.fromEntries(result) }) } as FinalTold;
    return { executionId, phase, told: told_ };
  }
  const { payload, format, contentType } = command as Record<string, unknown>;
  const bytes = decodeBase64(String(payload));
  if (phase !== "parked" || bytes === undefined || !Number.isSafeInteger(calls)) throw new Error("no record");
  return {
    ...{ executionId, phase, calls: Number(calls) },
    command: {
      ...{ executionId, payload: bytes },
      format: format === "json" || format === "cbor" ? format : undefined,
      contentType: typeof contentType === "string" ? contentType : undefined,
    },
  };
}
