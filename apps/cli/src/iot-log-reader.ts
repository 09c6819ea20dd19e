import { open, readdir } from "node:fs/promises";
import { join } from "node:path";
import { nameOfIotLog, numberOfIotLog } from "@thingline/cloud/node";

/** With AWS's members. */
export type LoggedEntry = Readonly<Record<string, unknown>>;

/** Read at once. */
const chunkBytesMax = 1024 * 1024;

/** Goes through the files of the log, from the oldest on, and each time on from where it was. */
export class IotLogReader {
  readonly #folder: string;
  #number = 0;
  #offset = 0;

  constructor(folder: string) {
    this.#folder = folder;
  }

  async *read(): AsyncGenerator<LoggedEntry> {
    const numbers = await this.#numbers();
    // Somebody took the files away, and they begin again.
    if ((numbers.at(-1) ?? this.#number) < this.#number) this.#number = 0;
    for (const number of numbers) {
      if (number < this.#number) continue;
      if (number > this.#number) [this.#number, this.#offset] = [number, 0];
      yield* this.#readFile(join(this.#folder, nameOfIotLog(number)));
    }
  }

  async #numbers(): Promise<number[]> {
    try {
      const names = await readdir(this.#folder);
      return names.flatMap((name) => numberOfIotLog(name) ?? []).sort((a, b) => a - b);
    } catch (error) {
      if (isMissing(error)) return [];
      throw error;
    }
  }

  async *#readFile(path: string): AsyncGenerator<LoggedEntry> {
    let file;
    try {
      file = await open(path, "r");
    } catch (error) {
      // Taken away meanwhile: it was the oldest.
      if (isMissing(error)) return;
      throw error;
    }
    try {
      const decoder = new TextDecoder();
      const chunk = new Uint8Array(chunkBytesMax);
      if ((await file.stat()).size < this.#offset) this.#offset = 0;
      for (;;) {
        const { bytesRead } = await file.read(chunk, 0, chunk.length, this.#offset);
        if (bytesRead === 0) return;
        // Only whole lines: the last one may still be written.
        const end = chunk.lastIndexOf(10, bytesRead - 1) + 1;
        if (end === 0) return;
        this.#offset += end;
        for (const line of decoder.decode(chunk.subarray(0, end - 1)).split("\n")) {
          const entry = parse(line);
          if (entry !== undefined) yield entry;
        }
      }
    } finally {
      await file.close();
    }
  }
}

/** A crash may have left half a line. */
function parse(line: string): LoggedEntry | undefined {
  try {
    const value: unknown = JSON.parse(line);
    return typeof value === "object" && value !== null ? (value as LoggedEntry) : undefined;
  } catch {
    return undefined;
  }
}

const isMissing = (error: unknown): boolean => error instanceof Error && "code" in error && error.code === "ENOENT";
