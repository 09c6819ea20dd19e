import { isRecord, ThinglineError, toHex } from "@thingline/protocol";
import type { Files, Keys } from "@thingline/transport";
import { readRecord, writeRecord } from "./record-file.js";

/** One entry of the modem's credential storage. */
export interface StoredCredential {
  secTag: number;
  /** Number of `%CMNG`. */
  type: number;
  content: string;
  /** SHA-256 over the UTF-8 bytes of `content`, upper-case hex. */
  sha256: string;
  /** Made by `%KEYGEN`: cannot be overwritten. */
  isGenerated: boolean;
}

type NewCredential = Pick<StoredCredential, "secTag" | "type" | "content"> & { isGenerated?: boolean };

/** Sum of the contents that fit. A stand-in for the real part's size, which Nordic does not state. */
export const storageBytesMax = 65_536;

export interface SecureStorageOptions {
  keys: Keys;
  /** Both or none: without them the storage forgets everything with the process. */
  files?: Files;
  folder?: string;
  /** Default {@link storageBytesMax}. */
  contentBytesMax?: number;
  /** What is there from the factory: listed, never on disk, takes no room. */
  factoryEntries?: readonly NewCredential[];
  /** What every change of the disk goes through: it takes its time and may refuse. Default at once. */
  write?: (change: () => Promise<void>) => Promise<void>;
}

const fileVersion = 1;
const fileName = /^([0-9]{1,10})-([0-9]{1,2})\.json$/;

/**
 * Credentials on disk, a file per entry, each replaced whole: a power cut leaves the old entry or the new one.
 * Knows no rules about who may do what; see `credential-rules.ts`.
 */
export class SecureStorage {
  /** Sum of the contents that fit. */
  contentBytesMax: number;
  readonly #entries = new Map<string, StoredCredential>();
  readonly #factory = new Map<string, StoredCredential>();
  #usedBytes = 0;
  readonly #options: SecureStorageOptions;

  private constructor(options: SecureStorageOptions) {
    this.#options = options;
    this.contentBytesMax = options.contentBytesMax ?? storageBytesMax;
  }

  /** @throws {ThinglineError} STORE_CORRUPT when an entry is damaged; the message names the file. */
  static async open(options: SecureStorageOptions): Promise<SecureStorage> {
    const storage = new SecureStorage(options);
    for (const entry of options.factoryEntries ?? [])
      storage.#factory.set(key(entry.secTag, entry.type), storage.#seal(entry));
    await storage.#load();
    return storage;
  }

  /** Whether an entry has room, in place of the one that is there. What is from the factory takes none. */
  hasRoomFor({ secTag, type, content }: NewCredential): boolean {
    const old = this.#entries.get(key(secTag, type))?.content ?? "";
    return this.#usedBytes - contentBytes(old) + contentBytes(content) <= this.contentBytesMax;
  }

  /** Whether an entry came with the modem: it stays as it is. */
  isFromFactory(secTag: number, type: number): boolean {
    return this.#factory.has(key(secTag, type));
  }

  get(secTag: number, type: number): StoredCredential | undefined {
    return this.#entries.get(key(secTag, type)) ?? this.#factory.get(key(secTag, type));
  }

  /** Sorted by tag, then type. */
  list(secTag?: number, type?: number): StoredCredential[] {
    return [...this.#entries.values(), ...this.#factory.values()]
      .filter((entry) => secTag === undefined || entry.secTag === secTag)
      .filter((entry) => type === undefined || entry.type === type)
      .sort((a, b) => a.secTag - b.secTag || a.type - b.type);
  }

  /** @throws {ThinglineError} FILE_UNREADABLE; then the old entry, if any, stays. */
  async put(entry: NewCredential): Promise<void> {
    const stored = this.#seal(entry);
    await this.#change(async (files, folder) => {
      await writeRecord(files, path(folder, entry.secTag, entry.type), { version: fileVersion, ...stored });
    });
    this.#forget(key(entry.secTag, entry.type));
    this.#keep(stored);
  }

  async remove(secTag: number, type: number): Promise<void> {
    await this.#change((files, folder) => files.remove(path(folder, secTag, type)));
    this.#forget(key(secTag, type));
  }

  #keep(entry: StoredCredential): void {
    this.#entries.set(key(entry.secTag, entry.type), entry);
    this.#usedBytes += contentBytes(entry.content);
  }

  #forget(name: string): void {
    this.#usedBytes -= contentBytes(this.#entries.get(name)?.content ?? "");
    this.#entries.delete(name);
  }

  #seal({ secTag, type, content, isGenerated = false }: NewCredential): StoredCredential {
    const sha256 = toHex(this.#options.keys.sha256(new TextEncoder().encode(content))).toUpperCase();
    return { secTag, type, content, sha256, isGenerated };
  }

  async #change(change: (files: Files, folder: string) => Promise<void>): Promise<void> {
    const { files, folder, write = (work: () => Promise<void>) => work() } = this.#options;
    await write(async () => {
      if (files !== undefined && folder !== undefined) await change(files, folder);
    });
  }

  async #load(): Promise<void> {
    const { files, folder } = this.#options;
    if (files === undefined || folder === undefined) return;
    for (const name of await files.list(`${folder}/credentials`)) {
      // Anything else is a temporary file of a replacement that a power cut ended.
      const match = fileName.exec(name);
      if (match === null) continue;
      const entry = await readRecord(files, {
        path: `${folder}/credentials/${name}`,
        check: (value) => this.#check(value, { file: `${folder}/credentials/${name}`, match }),
        remedy: "Remove the file and write this credential again.",
      });
      if (entry !== undefined) this.#keep(entry);
    }
  }

  #check(value: unknown, { file, match }: { file: string; match: RegExpExecArray }): StoredCredential | undefined {
    const [secTag, type] = [Number(match[1]), Number(match[2])];
    if (!isRecord(value) || value["secTag"] !== secTag || value["type"] !== type) return undefined;
    const { version } = value;
    if (!Number.isSafeInteger(version)) return undefined;
    if (version !== fileVersion) {
      const message = `${file} has version ${Number(version)}; this modem reads ${fileVersion}`;
      throw new ThinglineError("STORE_CORRUPT", message, { details: { file, secTag, type } });
    }
    const { content, sha256, isGenerated } = value;
    if (typeof content !== "string" || typeof sha256 !== "string" || typeof isGenerated !== "boolean") return undefined;
    if (toHex(this.#options.keys.sha256(new TextEncoder().encode(content))).toUpperCase() !== sha256) return undefined;
    return { secTag, type, content, sha256, isGenerated };
  }
}

function contentBytes(content: string): number {
  return new TextEncoder().encode(content).length;
}

function key(secTag: number, type: number): string {
  return `${secTag}-${type}`;
}

function path(folder: string, secTag: number, type: number): string {
  return `${folder}/credentials/${key(secTag, type)}.json`;
}
