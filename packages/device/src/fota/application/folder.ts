import { isThinglineError, ThinglineError } from "@thingline/protocol";
import type { ImageCrypto } from "@thingline/protocol/image";
import type { Files } from "@thingline/transport";
import { bundleFileBytesMax, bundleManifestBytesMax, sha256Of } from "./bundle.js";
import {
  type ApplicationState,
  decodeSlot,
  decodeState,
  encodeSlot,
  encodeState,
  otherSlot,
  type SlotName,
  type SlotRecord,
} from "./state.js";

/** Of `state.json`. */
export const applicationStateBytesMax = 4_096;
/** Of the record of a slot: the manifest, and some facts. */
const slotRecordBytesMax = 2 * bundleManifestBytesMax;

/** The folder of an application: `state.json`, the slots `a` and `b` with a record each, and what comes in. */
export class ApplicationFolder {
  readonly folder: string;
  readonly #files: Files;
  readonly #crypto: Pick<ImageCrypto, "createHash">;

  constructor(options: { folder: string; files: Files; crypto: Pick<ImageCrypto, "createHash"> }) {
    this.folder = options.folder;
    this.#files = options.files;
    this.#crypto = options.crypto;
  }

  slotFolder(slot: SlotName): string {
    return `${this.folder}/${slot}`;
  }

  /** @throws {ThinglineError} FILE_NOT_FOUND without an application, STORE_CORRUPT */
  async readState(): Promise<ApplicationState> {
    const path = `${this.folder}/state.json`;
    const state = decodeState(await this.#files.read(path, { bytesMax: applicationStateBytesMax }));
    if (state !== undefined) return state;
    throw new ThinglineError("STORE_CORRUPT", `"${path}" does not say which application runs`, { details: { path } });
  }

  writeState(state: ApplicationState): Promise<void> {
    return this.#files.replace(`${this.folder}/state.json`, encodeState(state));
  }

  /** Undefined: nothing that is worth anything. */
  async readSlot(slot: SlotName): Promise<SlotRecord | undefined> {
    try {
      return decodeSlot(await this.#files.read(this.#recordPath(slot), { bytesMax: slotRecordBytesMax }));
    } catch (error) {
      if (isThinglineError(error, "FILE_NOT_FOUND")) return undefined;
      throw error;
    }
  }

  writeSlot(slot: SlotName, record: SlotRecord): Promise<void> {
    return this.#files.replace(this.#recordPath(slot), encodeSlot(record));
  }

  /** Whether the files of a slot are as they were unpacked, all of them read. */
  async isWhole(slot: SlotName): Promise<boolean> {
    const record = await this.readSlot(slot);
    if (record?.phase !== "complete") return false;
    for (const { path, sizeBytes, sha256 } of record.files) {
      const content = await this.#readFile(`${this.slotFolder(slot)}/${path}`);
      if (content?.length !== sizeBytes || sha256Of(this.#crypto, content) !== sha256) return false;
    }
    return true;
  }

  /** Something that cannot be read is as bad as something else that lies there. */
  async #readFile(path: string): Promise<Uint8Array | undefined> {
    try {
      return await this.#files.read(path, { bytesMax: bundleFileBytesMax });
    } catch (error) {
      if (isThinglineError(error)) return undefined;
      throw error;
    }
  }

  /**
   * Unpacks an application into a slot. While it lasts the record names every file that may be there, so that a cut leaves nothing behind
   * that the next attempt does not take away. What lies there goes first, under its own record: names of two applications together may be a
   * file and a folder, or two that a file system does not tell apart.
   *
   * @param content reads a file of the bundle, in the order of the record
   */
  async unpack(slot: SlotName, record: SlotRecord, content: (at: number) => Promise<Uint8Array>): Promise<void> {
    await this.drop(slot);
    await this.writeSlot(slot, { ...record, phase: "writing", isProven: false });
    for (const [at, { path }] of record.files.entries()) {
      await this.#files.replace(`${this.slotFolder(slot)}/${path}`, await content(at), { overEmptyFolder: true });
    }
    await this.writeSlot(slot, { ...record, phase: "complete" });
  }

  /** What lies in a slot is worth nothing. */
  async drop(slot: SlotName): Promise<void> {
    const record = await this.readSlot(slot);
    if (record === undefined) return;
    if (record.phase === "complete") await this.writeSlot(slot, { ...record, phase: "writing", isProven: false });
    for (const { path } of record.files) await this.#files.remove(`${this.slotFolder(slot)}/${path}`);
    await this.#files.remove(this.#recordPath(slot));
  }

  /** @throws {ThinglineError} FIRMWARE_ON_TRIAL */
  async requireSettled(): Promise<ApplicationState> {
    const state = await this.readState();
    if (state.trial !== "onTrial") return state;
    const message = `what runs is on trial, and slot ${otherSlot(state.active)} holds the application to go back to`;
    throw new ThinglineError("FIRMWARE_ON_TRIAL", message);
  }

  #recordPath(slot: SlotName): string {
    return `${this.folder}/${slot}.json`;
  }
}
