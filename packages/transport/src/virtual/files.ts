import { checkOptionTypes, concatBytes, type OptionTypes, ThinglineError } from "@thingline/protocol";
import { defaultListedNamesMax, fileTooLarge, tooManyNames } from "../files.js";
import type { FileListOptions, FileReadOptions, FileReplaceOptions, Files, FileWriteOptions } from "../files.js";
import { randomOption } from "../option-types.js";
import type { Random } from "../random.js";

export interface VirtualFilesOptions {
  /** What is on the disk, durable, by path. */
  content?: Readonly<Record<string, Uint8Array | string>>;
  /** Decides what a power cut leaves of unflushed writes; without it, nothing. */
  random?: Random;
  /** 1 cuts before the first write to the disk from now on. */
  powerLossBeforeWrite?: number;
  /** Called in the moment of the cut, before the write that fails. */
  onPowerLoss?: () => void;
}

/** A disk that can lose power. After a cut, every call fails until {@link VirtualFiles.restart}. */
export interface VirtualFiles extends Files {
  /** Writes to the disk so far: what `powerLossBeforeWrite` counts. A `replace` is three: content, rename, folder. */
  readonly writeCount: number;
  readonly isPowered: boolean;
  powerLossBeforeWrite(count: number): void;
  cutPower(): void;
  /** The machine comes up again: what was durable is there, locks are gone. */
  restart(options?: Pick<VirtualFilesOptions, "powerLossBeforeWrite" | "onPowerLoss">): VirtualFiles;
  /** The process was killed, the machine was not: everything written is there, locks are gone. */
  restartProcess(options?: Pick<VirtualFilesOptions, "powerLossBeforeWrite" | "onPowerLoss">): VirtualFiles;
  /** All files as this moment shows them, by path. */
  snapshot(): Record<string, Uint8Array>;
  modeOf(path: string): number | undefined;
}

/** `flushedBytes` of the content survive a power cut, of what follows a random part does. */
interface VirtualFile {
  content: Uint8Array;
  mode: number;
  flushedBytes: number;
}

/** A rename or removal that the folder's flush has not made durable yet. */
interface PendingEntry {
  before: VirtualFile | undefined;
}

const optionTypes = {
  content: "object",
  random: randomOption,
  powerLossBeforeWrite: "number",
  onPowerLoss: "function",
} as const satisfies OptionTypes<VirtualFilesOptions>;

/** @throws {ThinglineError} OPTION_INVALID */
export function createVirtualFiles(options: VirtualFilesOptions = {}): VirtualFiles {
  checkOptionTypes(options, optionTypes, { of: "createVirtualFiles()" });
  const files = new Map<string, VirtualFile>();
  for (const [path, text] of Object.entries(options.content ?? {})) {
    const content = typeof text === "string" ? new TextEncoder().encode(text) : text.slice();
    files.set(normalize(path), { content, mode: 0o600, flushedBytes: content.length });
  }
  return new MemoryFiles(files, new Set(), options);
}

class MemoryFiles implements VirtualFiles {
  readonly #files: Map<string, VirtualFile>;
  readonly #folders: Set<string>;
  readonly #pending = new Map<string, PendingEntry>();
  readonly #locks = new Set<string>();
  readonly #random: Random | undefined;
  readonly #onPowerLoss: (() => void) | undefined;
  #writeCount = 0;
  #cutBefore = Infinity;
  #isPowered = true;

  constructor(files: Map<string, VirtualFile>, folders: Set<string>, options: VirtualFilesOptions) {
    this.#files = files;
    this.#folders = folders;
    this.#random = options.random;
    this.#onPowerLoss = options.onPowerLoss;
    if (options.powerLossBeforeWrite !== undefined) this.powerLossBeforeWrite(options.powerLossBeforeWrite);
  }

  get writeCount(): number {
    return this.#writeCount;
  }

  get isPowered(): boolean {
    return this.#isPowered;
  }

  powerLossBeforeWrite(count: number): void {
    this.#cutBefore = this.#writeCount + count;
  }

  cutPower(): void {
    if (!this.#isPowered) return;
    this.#isPowered = false;
    this.#onPowerLoss?.();
  }

  restart(options: Pick<VirtualFilesOptions, "powerLossBeforeWrite" | "onPowerLoss"> = {}): VirtualFiles {
    this.cutPower();
    const files = new Map(this.#files);
    for (const [path, { before }] of this.#pending) {
      const isKept = this.#random !== undefined && this.#random.integer(2) === 1;
      if (isKept) continue;
      if (before === undefined) files.delete(path);
      else files.set(path, before);
    }
    for (const [path, file] of files) {
      const unflushed = file.content.length - file.flushedBytes;
      const kept = file.flushedBytes + (unflushed > 0 ? (this.#random?.integer(unflushed + 1) ?? 0) : 0);
      files.set(path, { ...file, content: file.content.slice(0, kept), flushedBytes: kept });
    }
    return this.#reborn(files, options);
  }

  restartProcess(options: Pick<VirtualFilesOptions, "powerLossBeforeWrite" | "onPowerLoss"> = {}): VirtualFiles {
    this.#isPowered = false;
    const reborn = this.#reborn(new Map(this.#files), options);
    for (const [path, entry] of this.#pending) reborn.#pending.set(path, entry);
    return reborn;
  }

  snapshot(): Record<string, Uint8Array> {
    const sorted = [...this.#files].sort(([a], [b]) => (a < b ? -1 : 1));
    return Object.fromEntries(sorted.map(([path, { content }]) => [path, content.slice()]));
  }

  modeOf(path: string): number | undefined {
    return this.#files.get(normalize(path))?.mode;
  }

  async read(path: string, { bytesMax, signal }: FileReadOptions): Promise<Uint8Array> {
    this.#check(path);
    const file = this.#files.get(normalize(path));
    signal?.throwIfAborted();
    if (file !== undefined && file.content.length > bytesMax) {
      throw fileTooLarge(path, bytesMax, file.content.length);
    }
    if (file !== undefined) return file.content.slice();
    if (this.#isFolder(normalize(path))) throw unreadable("read", path, "EISDIR");
    throw new ThinglineError("FILE_NOT_FOUND", `there is no "${path}"`, { details: { path, systemCode: "ENOENT" } });
  }

  async exists(path: string): Promise<boolean> {
    this.#check(path);
    return this.#files.has(normalize(path)) || this.#isFolder(normalize(path));
  }

  async list(folder: string, { namesMax = defaultListedNamesMax }: FileListOptions = {}): Promise<string[]> {
    this.#check(folder);
    const prefix = prefixOf(normalize(folder));
    const names = new Set<string>();
    for (const path of [...this.#files.keys(), ...this.#folders]) {
      const name = path.startsWith(prefix) ? path.slice(prefix.length).split("/")[0] : "";
      if (name !== undefined && name !== "") names.add(name);
    }
    if (names.size > namesMax) throw tooManyNames(folder, namesMax);
    return [...names].sort();
  }

  async replace(
    path: string,
    content: Uint8Array,
    { mode = 0o600, overEmptyFolder = false }: FileReplaceOptions = {},
  ): Promise<void> {
    this.#check(path);
    const copy = content.slice();
    if (overEmptyFolder) this.#removeEmptyFolder(normalize(path));
    this.#refuseFolder("write", path);
    await this.#write();
    await this.#write();
    this.#rename(normalize(path), { content: copy, mode, flushedBytes: copy.length });
    await this.#write();
    this.#pending.delete(normalize(path));
  }

  #removeEmptyFolder(key: string): void {
    const isBelow = (path: string): boolean => path.startsWith(`${key}/`);
    if ([...this.#files.keys()].some(isBelow)) return;
    for (const path of [...this.#folders]) if (path === key || isBelow(path)) this.#folders.delete(path);
  }

  async append(path: string, content: Uint8Array, { mode = 0o600 }: FileWriteOptions = {}): Promise<void> {
    this.#check(path);
    const copy = content.slice();
    this.#refuseFolder("write", path);
    await this.#write();
    const key = normalize(path);
    const file = this.#files.get(key);
    if (file === undefined) this.#rename(key, { content: copy, mode, flushedBytes: 0 });
    else this.#files.set(key, { ...file, content: concatBytes([file.content, copy]) });
  }

  async flush(path: string): Promise<void> {
    this.#check(path);
    const key = normalize(path);
    if (!this.#files.has(key)) await this.read(path, { bytesMax: 0 });
    await this.#write();
    const file = this.#files.get(key);
    if (file !== undefined) this.#files.set(key, { ...file, flushedBytes: file.content.length });
    this.#pending.delete(key);
  }

  async remove(path: string): Promise<void> {
    this.#check(path);
    const key = normalize(path);
    if (!this.#files.has(key)) return;
    await this.#write();
    this.#rename(key, undefined);
    await this.#write();
    this.#pending.delete(key);
  }

  async makeFolder(path: string): Promise<void> {
    this.#check(path);
    this.#folders.add(normalize(path));
  }

  async lock(folder: string): Promise<{ release(): Promise<void> }> {
    this.#check(folder);
    const key = normalize(folder);
    if (this.#locks.has(key)) {
      const message = `"${folder}" belongs to the process 1, which is running`;
      throw new ThinglineError("LOCKED", message, { details: { folder, pid: 1 } });
    }
    this.#locks.add(key);
    this.#folders.add(key);
    let isHeld = true;
    return {
      release: async () => {
        if (isHeld) this.#locks.delete(key);
        isHeld = false;
      },
    };
  }

  #reborn(files: Map<string, VirtualFile>, options: VirtualFilesOptions): MemoryFiles {
    const random = this.#random === undefined ? {} : { random: this.#random };
    return new MemoryFiles(files, new Set(this.#folders), { ...options, ...random });
  }

  /** One write to the disk: the last one that power lets through, or the first that it does not. */
  async #write(): Promise<void> {
    await Promise.resolve();
    if (this.#isPowered && this.#writeCount + 1 >= this.#cutBefore) this.cutPower();
    this.#checkPower();
    this.#writeCount += 1;
  }

  #rename(key: string, file: VirtualFile | undefined): void {
    if (!this.#pending.has(key)) this.#pending.set(key, { before: this.#files.get(key) });
    if (file === undefined) this.#files.delete(key);
    else this.#files.set(key, file);
  }

  #isFolder(key: string): boolean {
    const prefix = prefixOf(key);
    return this.#folders.has(key) || [...this.#files.keys()].some((path) => path.startsWith(prefix));
  }

  #refuseFolder(action: string, path: string): void {
    if (!this.#files.has(normalize(path)) && this.#isFolder(normalize(path))) throw unreadable(action, path, "EISDIR");
  }

  #check(path: string): void {
    if (path.length === 0 || path.includes("\0")) {
      throw new ThinglineError("OPTION_INVALID", `a path must be text without U+0000, got ${JSON.stringify(path)}`);
    }
    this.#checkPower();
  }

  #checkPower(): void {
    if (this.#isPowered) return;
    const options = { details: { systemCode: "powerLoss" } };
    throw new ThinglineError("FILE_UNREADABLE", "the power is cut or the process was killed", options);
  }
}

function unreadable(action: string, path: string, systemCode: string): ThinglineError {
  return new ThinglineError("FILE_UNREADABLE", `cannot ${action} "${path}": ${systemCode}`, {
    details: { path, systemCode },
  });
}

const prefixOf = (folder: string): string => (folder === "." ? "" : folder === "/" ? "/" : `${folder}/`);

/** `a//b/./c/../d` is `a/b/d`. */
function normalize(path: string): string {
  const parts: string[] = [];
  for (const part of path.split("/")) {
    if (part === "" || part === ".") continue;
    if (part === ".." && parts.length > 0 && parts.at(-1) !== "..") parts.pop();
    else if (part !== ".." || !path.startsWith("/")) parts.push(part);
  }
  const joinedPath = parts.join("/");
  if (path.startsWith("/")) return `/${joinedPath}`;
  return joinedPath === "" ? "." : joinedPath;
}
