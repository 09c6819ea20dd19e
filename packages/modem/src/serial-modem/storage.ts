import { isRecord, ThinglineError } from "@thingline/protocol";
import { readRecord, writeRecord } from "../simulator/record-file.js";
import type { SerialModemStorage } from "./feature.js";
import type { SerialModemOptions } from "./options.js";

/** Names that the application may keep something under, and characters of each. */
export const storedEntriesMax = 32;
export const storedValueCharactersMax = 1024;

/** @throws {ThinglineError} STORE_CORRUPT, and those of the files. */
export async function openSerialModemStorage({
  files,
  folder,
}: Pick<SerialModemOptions, "files" | "folder">): Promise<SerialModemStorage> {
  const path = `${folder}/serial-modem.json`;
  const remedy = "Remove the file to give the application its factory settings.";
  const isKept = files !== undefined && folder !== undefined;
  let entries: ReadonlyMap<string, string> =
    (isKept ? await readRecord(files, { path, check: checkEntries, remedy }) : undefined) ?? new Map<string, string>();
  const set = async (name: string, value: string | undefined): Promise<void> => {
    const next = new Map(entries);
    if (value === undefined) next.delete(name);
    else next.set(name, value);
    checkSize(next, value);
    if (isKept) await writeRecord(files, path, Object.fromEntries(next));
    entries = next;
  };
  let last: Promise<void> = Promise.resolve();
  return {
    get: (name) => entries.get(name),
    // One after the other, for each writes the whole record: a download ends while a command changes something else.
    set: (name, value) => {
      const mine = last.then(() => set(name, value));
      last = mine.catch(() => undefined);
      return mine;
    },
  };
}

function checkSize(entries: ReadonlyMap<string, string>, value = ""): void {
  if (entries.size <= storedEntriesMax && value.length <= storedValueCharactersMax) return;
  const message = `a serial modem keeps ${storedEntriesMax} texts of ${storedValueCharactersMax} characters`;
  throw new ThinglineError("LIMIT_EXCEEDED", message, { details: { limit: storedEntriesMax } });
}

function checkEntries(value: unknown): Map<string, string> | undefined {
  if (!isRecord(value)) return undefined;
  const entries = new Map<string, string>();
  for (const [name, text] of Object.entries(value)) {
    if (typeof text !== "string") return undefined;
    entries.set(name, text);
  }
  return entries;
}
