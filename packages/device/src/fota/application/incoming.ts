import { concatBytes, isThinglineError, optionInvalid } from "@thingline/protocol";
import type { ImageSource } from "@thingline/protocol/image";
import type { Files } from "@thingline/transport";

/** Bytes of a file that a part of an image is kept in. */
export const incomingPartBytes = 128 * 1024;

/** An image that comes in, kept in files of {@link incomingPartBytes}: each is there whole or not at all. */
export class IncomingImage {
  readonly #files: Files;
  readonly #folder: string;
  #sizeBytes = 0;
  /** On disk. */
  #writtenTo = 0;
  #held: Uint8Array[] = [];
  #heldBytes = 0;
  /** The part that was read last. */
  #cached: { part: number; bytes: Uint8Array } | undefined;

  constructor(files: Files, folder: string) {
    this.#files = files;
    this.#folder = folder;
  }

  async begin(sizeBytes: number): Promise<void> {
    await this.clear();
    this.#sizeBytes = sizeBytes;
  }

  /** @returns where to go on: behind the parts that are there */
  async resume(sizeBytes: number, offset: number): Promise<number> {
    this.#reset();
    this.#sizeBytes = sizeBytes;
    const partCount =
      offset >= sizeBytes ? Math.ceil(sizeBytes / incomingPartBytes) : Math.floor(offset / incomingPartBytes);
    let kept = 0;
    while (kept < partCount && (await this.#isWhole(kept))) kept += 1;
    await this.#removeFrom(kept);
    this.#writtenTo = Math.min(sizeBytes, kept * incomingPartBytes);
    return this.#writtenTo;
  }

  async #isWhole(part: number): Promise<boolean> {
    const wanted = Math.min(incomingPartBytes, this.#sizeBytes - part * incomingPartBytes);
    return (await this.#readPart(part))?.length === wanted;
  }

  async write(offset: number, bytes: Uint8Array): Promise<void> {
    const position = this.#writtenTo + this.#heldBytes;
    if (offset !== position) throw optionInvalid("offset", `${position}, where the last write ended`, offset);
    if (offset + bytes.length > this.#sizeBytes) {
      throw optionInvalid("bytes", `at most ${this.#sizeBytes - offset} more bytes`, bytes.length);
    }
    this.#held.push(bytes.slice());
    this.#heldBytes += bytes.length;
    while (this.#heldBytes >= incomingPartBytes) await this.#writePart(incomingPartBytes);
  }

  async sync(): Promise<number> {
    const isEnd = this.#writtenTo + this.#heldBytes === this.#sizeBytes;
    if (isEnd && this.#heldBytes > 0) await this.#writePart(this.#heldBytes);
    return this.#writtenTo;
  }

  async #writePart(length: number): Promise<void> {
    const all = concatBytes(this.#held);
    const part = Math.floor(this.#writtenTo / incomingPartBytes);
    await this.#files.replace(this.#pathOf(part), all.subarray(0, length));
    this.#cached = undefined;
    this.#held = length < all.length ? [all.subarray(length)] : [];
    this.#heldBytes = all.length - length;
    this.#writtenTo += length;
  }

  /** How much of an image is there, from its first byte on. */
  async length(): Promise<number> {
    const names = await this.#files.list(this.#folder);
    const count = names.findIndex((name, at) => name !== nameOf(at));
    const last = (count < 0 ? names.length : count) - 1;
    return last < 0 ? 0 : last * incomingPartBytes + ((await this.#readPart(last))?.length ?? 0);
  }

  /** What lies on disk. @throws {ThinglineError} FILE_NOT_FOUND when a part is not there */
  source(sizeBytes: number): ImageSource {
    return { sizeBytes, read: (offset, length) => this.read(offset, length) };
  }

  /** Fewer bytes at the end of what is there. */
  async read(offset: number, length: number): Promise<Uint8Array> {
    const pieces: Uint8Array[] = [];
    for (let at = offset; at < offset + length;) {
      const bytes = await this.#readPart(Math.floor(at / incomingPartBytes));
      const within = at % incomingPartBytes;
      const piece = bytes?.subarray(within, within + offset + length - at);
      if (piece === undefined || piece.length === 0) break;
      pieces.push(piece);
      at += piece.length;
    }
    return pieces.length === 1 ? (pieces[0] as Uint8Array) : concatBytes(pieces);
  }

  async #readPart(part: number): Promise<Uint8Array | undefined> {
    if (this.#cached?.part === part) return this.#cached.bytes;
    try {
      const bytes = await this.#files.read(this.#pathOf(part), { bytesMax: incomingPartBytes });
      this.#cached = { part, bytes };
      return bytes;
    } catch (error) {
      if (isThinglineError(error, "FILE_NOT_FOUND")) return undefined;
      throw error;
    }
  }

  /** Nothing of it is left. */
  async clear(): Promise<void> {
    this.#reset();
    await this.#removeFrom(0);
  }

  #reset(): void {
    this.#held = [];
    this.#heldBytes = 0;
    this.#writtenTo = 0;
    this.#cached = undefined;
  }

  async #removeFrom(part: number): Promise<void> {
    const first = nameOf(part);
    // The first part last: without it, nothing is an image.
    for (const name of (await this.#files.list(this.#folder)).reverse()) {
      if (name >= first) await this.#files.remove(`${this.#folder}/${name}`);
    }
  }

  #pathOf(part: number): string {
    return `${this.#folder}/${nameOf(part)}`;
  }
}

const nameOf = (part: number): string => `part-${String(part).padStart(6, "0")}`;
