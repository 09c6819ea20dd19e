import { concatBytes, isThinglineError } from "@thingline/protocol";
import type { Files } from "@thingline/transport";
import type { Log } from "../../log.js";

/** Below the folder of the cloud. */
export const iotLogFolder = "aws-iot-logs";
/** A file that has as much is followed by the next. */
export const iotLogFileBytesMax = 8 * 1024 * 1024;
/** With one more, the oldest is taken away. */
export const iotLogFilesMax = 4;
/** Lines that wait to be written. With more, new ones are dropped and counted. */
export const iotLogWaitingBytesMax = 4 * 1024 * 1024;

const newline = 10;
const namePattern = /^AWSIotLogsV2-(\d{6})\.log$/;

/** The names of the files in order. */
export const nameOfIotLog = (number: number): string => `AWSIotLogsV2-${String(number).padStart(6, "0")}.log`;

/** The number in the name of a file of the log; undefined for any other. */
export function numberOfIotLog(name: string): number | undefined {
  const [, number] = namePattern.exec(name) ?? [];
  return number === undefined ? undefined : Number(number);
}

export interface LogFilesOptions {
  files: Pick<Files, "append" | "list" | "makeFolder" | "read" | "remove">;
  /** Of the cloud. */
  folder: string;
  log: Log;
}

/** Lines that go to the end of the newest file, many at once. Whoever adds one waits for nothing. */
export class LogFiles {
  readonly #files: LogFilesOptions["files"];
  readonly #folder: string;
  readonly #log: Log;
  #waiting: Uint8Array[] = [];
  #waitingBytes = 0;
  #dropped = 0;
  /** The file that is written to; undefined until the first line. */
  #current: { number: number; bytes: number } | undefined;
  #writing: Promise<void> | undefined;

  constructor({ files, folder, log }: LogFilesOptions) {
    this.#files = files;
    this.#folder = `${folder}/${iotLogFolder}`;
    this.#log = log;
  }

  add(line: string): void {
    const bytes = new TextEncoder().encode(line);
    if (this.#waitingBytes + bytes.length > iotLogWaitingBytesMax) {
      this.#dropped++;
      return;
    }
    this.#waiting.push(bytes);
    this.#waitingBytes += bytes.length;
    this.#writing ??= this.#write();
  }

  /** Resolves when all that was added is written, or could not be. */
  async idle(): Promise<void> {
    while (this.#writing !== undefined) await this.#writing;
  }

  async #write(): Promise<void> {
    // What comes in the same turn goes with it.
    await Promise.resolve();
    while (this.#waiting.length > 0) {
      const content = concatBytes(this.#waiting);
      this.#waiting = [];
      try {
        await this.#append(content);
      } catch (error) {
        if (!isThinglineError(error)) throw error;
        this.#log.error("iotLogFailed", { path: this.#folder, error: error.message });
        this.#current = undefined;
      }
      this.#waitingBytes -= content.length;
      if (this.#dropped > 0) this.#log.warn("limitHit", { limit: "iotLogWaitingBytesMax", dropped: this.#dropped });
      this.#dropped = 0;
    }
    this.#writing = undefined;
  }

  async #append(content: Uint8Array): Promise<void> {
    let current = this.#current ?? (await this.#find());
    if (current.bytes > 0 && current.bytes + content.length > iotLogFileBytesMax) {
      current = { number: current.number + 1, bytes: 0 };
      await this.#forgetBefore(current.number - iotLogFilesMax + 1);
    }
    await this.#files.append(`${this.#folder}/${nameOfIotLog(current.number)}`, content);
    this.#current = { number: current.number, bytes: current.bytes + content.length };
  }

  /** The newest file goes on. */
  async #find(): Promise<{ number: number; bytes: number }> {
    await this.#files.makeFolder(this.#folder);
    const numbers = (await this.#files.list(this.#folder)).flatMap((name) => numberOfIotLog(name) ?? []);
    const number = Math.max(1, ...numbers);
    if (numbers.length === 0) return { number, bytes: 0 };
    try {
      const path = `${this.#folder}/${nameOfIotLog(number)}`;
      const content = await this.#files.read(path, { bytesMax: iotLogFileBytesMax });
      if (content.length === 0 || content.at(-1) === newline) return { number, bytes: content.length };
      // A crash, or a full disk, left half a line, which must not become half of the next.
      await this.#files.append(path, Uint8Array.of(newline));
      return { number, bytes: content.length + 1 };
    } catch (error) {
      if (!isThinglineError(error, "FILE_TOO_LARGE")) throw error;
      return { number: number + 1, bytes: 0 };
    }
  }

  async #forgetBefore(first: number): Promise<void> {
    for (const name of await this.#files.list(this.#folder)) {
      const number = numberOfIotLog(name);
      if (number !== undefined && number < first) await this.#files.remove(`${this.#folder}/${name}`);
    }
  }
}
