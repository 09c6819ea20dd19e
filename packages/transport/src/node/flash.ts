import { constants } from "node:fs";
import { type FileHandle, open } from "node:fs/promises";
import { checkOptionTypes, type OptionTypes, ThinglineError } from "@thingline/protocol";
import type { Clock } from "../clock.js";
import { checkFlashAccess, checkFlashGeometry, checkOnlyClears, defaultFlashPageBytes } from "../flash.js";
import { defaultFlashWriteBytes, type Flash } from "../flash.js";
import { clockOption } from "../option-types.js";
import { codeOf, createNodeFiles } from "./files.js";

export interface NodeFlashOptions {
  sizeBytes: number;
  /** Default {@link defaultFlashPageBytes}. */
  pageBytes?: number;
  /** Default {@link defaultFlashWriteBytes}. */
  writeBytes?: number;
  /** Lets erasures take time. */
  clock?: Clock;
  /** Of one page, by the clock. Default 0. */
  pageEraseMs?: number;
  /**
   * Each write and erasure waits for the disk. Default false: what has resolved survives `kill -9` of the process, and the end of the
   * machine only when its system has written it meanwhile. For a machine whose own power is what fails; several times slower.
   */
  syncs?: boolean;
}

/** A flash in a file. One process at a time: whoever opens it holds the lock of its folder. */
export interface NodeFlash extends Flash, AsyncDisposable {
  /** Ends what was begun, then closes the file. Safe to call twice. */
  close(): Promise<void>;
}

const optionTypes = {
  sizeBytes: "number",
  pageBytes: "number",
  writeBytes: "number",
  clock: clockOption,
  pageEraseMs: "number",
  syncs: "boolean",
} as const satisfies OptionTypes<NodeFlashOptions>;

/**
 * Opens a flash in a file, and makes it, erased and with mode 0600, when there is none. `kill -9` leaves what power loss leaves of a real
 * flash: a write or an erasure that was under way is there in part.
 *
 * @throws {ThinglineError} OPTION_INVALID; FLASH_FAILED when the file cannot be used or has another size.
 */
export async function openNodeFlash(path: string, options: NodeFlashOptions): Promise<NodeFlash> {
  checkOptionTypes(options, optionTypes, { of: "openNodeFlash()", required: ["sizeBytes"] });
  const { sizeBytes, pageBytes = defaultFlashPageBytes, writeBytes = defaultFlashWriteBytes } = options;
  checkFlashGeometry({ sizeBytes, pageBytes, writeBytes });
  const files = createNodeFiles();
  if (!(await files.exists(path))) await files.replace(path, new Uint8Array(sizeBytes).fill(erasedByte));
  // A link could have been laid there by somebody else.
  const handle = await attempt("open", path, () => open(path, constants.O_RDWR | constants.O_NOFOLLOW));
  try {
    const found = await attempt("open", path, () => handle.stat());
    if (!found.isFile() || found.size !== sizeBytes) {
      const what = found.isFile() ? `a file of ${found.size} bytes` : "not a file";
      const message = `"${path}" is ${what}, expected a flash of ${sizeBytes} bytes`;
      throw new ThinglineError("FLASH_FAILED", message, { details: { path, sizeBytes } });
    }
  } catch (error) {
    await handle.close();
    throw error;
  }
  return new FileFlash(path, handle, { ...options, pageBytes, writeBytes });
}

const erasedByte = 0xff;

class FileFlash implements NodeFlash {
  readonly sizeBytes: number;
  readonly pageBytes: number;
  readonly writeBytes: number;
  readonly erasedByte = erasedByte;
  readonly #path: string;
  readonly #handle: FileHandle;
  readonly #options: NodeFlashOptions;
  readonly #erasedPage: Uint8Array;
  /** The last call; the next one waits for it. */
  #last: Promise<unknown> = Promise.resolve();
  #closing: Promise<void> | undefined;

  constructor(path: string, handle: FileHandle, options: NodeFlashOptions & { pageBytes: number; writeBytes: number }) {
    this.#path = path;
    this.#handle = handle;
    this.#options = options;
    this.sizeBytes = options.sizeBytes;
    this.pageBytes = options.pageBytes;
    this.writeBytes = options.writeBytes;
    this.#erasedPage = new Uint8Array(options.pageBytes).fill(erasedByte);
  }

  async read(offset: number, length: number): Promise<Uint8Array> {
    checkFlashAccess(this, "read", offset, length);
    return this.#inTurn("read", () => this.#read(offset, length));
  }

  async write(offset: number, bytes: Uint8Array): Promise<void> {
    checkFlashAccess(this, "write", offset, bytes.length);
    const taken = bytes.slice();
    return this.#inTurn("write", async () => {
      checkOnlyClears(await this.#read(offset, taken.length), taken, offset);
      await this.#write(offset, taken);
    });
  }

  async erase(offset: number, length: number): Promise<void> {
    checkFlashAccess(this, "erase", offset, length);
    const { clock, pageEraseMs = 0 } = this.#options;
    return this.#inTurn("erase", async () => {
      for (let page = offset; page < offset + length; page += this.pageBytes) {
        if (clock !== undefined && pageEraseMs > 0) await clock.sleep(pageEraseMs);
        await this.#write(page, this.#erasedPage);
      }
    });
  }

  close(): Promise<void> {
    this.#closing ??= this.#last.then(() => this.#handle.close());
    return this.#closing;
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.close();
  }

  #inTurn<T>(action: string, run: () => Promise<T>): Promise<T> {
    if (this.#closing !== undefined) {
      return Promise.reject(new ThinglineError("CLOSED", `the flash "${this.#path}" is closed`));
    }
    const result = this.#last.then(() => attempt(action, this.#path, run));
    this.#last = result.catch(() => undefined);
    return result;
  }

  async #read(offset: number, length: number): Promise<Uint8Array> {
    const bytes = new Uint8Array(length);
    for (let done = 0; done < length;) {
      const { bytesRead } = await this.#handle.read(bytes, done, length - done, offset + done);
      if (bytesRead === 0) throw failed("read", this.#path, "the file ends before its size", undefined);
      done += bytesRead;
    }
    return bytes;
  }

  async #write(offset: number, bytes: Uint8Array): Promise<void> {
    for (let done = 0; done < bytes.length;) {
      const { bytesWritten } = await this.#handle.write(bytes, done, bytes.length - done, offset + done);
      done += bytesWritten;
    }
    if (this.#options.syncs === true) await this.#handle.datasync();
  }
}

async function attempt<T>(action: string, path: string, run: () => Promise<T>): Promise<T> {
  try {
    return await run();
  } catch (error) {
    const systemCode = codeOf(error);
    if (error instanceof ThinglineError || systemCode === undefined) throw error;
    throw failed(action, path, systemCode, error);
  }
}

function failed(action: string, path: string, systemCode: string, cause: unknown): ThinglineError {
  const message = `cannot ${action} the flash "${path}": ${systemCode}`;
  return new ThinglineError("FLASH_FAILED", message, { details: { path, systemCode }, cause });
}
