import { concatBytes, isThinglineError } from "@thingline/protocol";
import type { Files } from "@thingline/transport";

export interface UpdateImageOptions {
  files: Files | undefined;
  /** Undefined: it is kept in memory, and a restart of the process forgets it. */
  path: string | undefined;
  /** Of the flash that it lies in. */
  bytesMax: number;
}

/** Room for an image in the application's flash: blank, then written from its beginning on. */
export class UpdateImage {
  readonly bytesMax: number;
  readonly #files: Files | undefined;
  readonly #path: string | undefined;
  #buffer: Uint8Array;
  #length: number;

  private constructor({ files, path, bytesMax }: UpdateImageOptions, content: Uint8Array) {
    this.bytesMax = bytesMax;
    this.#files = files;
    this.#path = path;
    this.#buffer = content;
    this.#length = content.length;
  }

  /** @throws {ThinglineError} FILE_UNREADABLE, FILE_TOO_LARGE */
  static async open(options: UpdateImageOptions): Promise<UpdateImage> {
    const { files, path, bytesMax } = options;
    if (files === undefined || path === undefined) return new UpdateImage(options, new Uint8Array(0));
    try {
      return new UpdateImage(options, Uint8Array.from(await files.read(path, { bytesMax })));
    } catch (error) {
      if (!isThinglineError(error, "FILE_NOT_FOUND")) throw error;
      return new UpdateImage(options, new Uint8Array(0));
    }
  }

  get sizeBytes(): number {
    return this.#length;
  }

  /** A view: it does not stay as it is. */
  get content(): Uint8Array {
    return this.#buffer.subarray(0, this.#length);
  }

  async erase(): Promise<void> {
    this.#length = 0;
    this.#buffer = new Uint8Array(0);
    if (this.#files !== undefined && this.#path !== undefined) await this.#files.remove(this.#path);
  }

  /** @returns false: there is no room for it, and nothing was written */
  async append(bytes: Uint8Array): Promise<boolean> {
    if (this.#length + bytes.length > this.bytesMax) return false;
    if (this.#files !== undefined && this.#path !== undefined) {
      await this.#files.append(this.#path, bytes);
      await this.#files.flush(this.#path);
    }
    if (this.#length + bytes.length > this.#buffer.length) {
      const room = Math.min(this.bytesMax, Math.max(2 * this.#buffer.length, this.#length + bytes.length));
      this.#buffer = concatBytes([this.content, new Uint8Array(room - this.#length)]);
    }
    this.#buffer.set(bytes, this.#length);
    this.#length += bytes.length;
    return true;
  }
}
