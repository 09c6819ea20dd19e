export interface FileWriteOptions {
  /** 0o600 (the default) for anything private, 0o644 for what everybody may read. */
  mode?: 0o600 | 0o644;
}

/** Files under paths with `/`. Names of files are never taken from a peer without a check by the caller. */
export interface Files {
  /** @throws {ThinglineError} FILE_NOT_FOUND, FILE_UNREADABLE. */
  read(path: string): Promise<Uint8Array>;
  exists(path: string): Promise<boolean>;
  /** Names in a folder, sorted; empty when the folder is not there. */
  list(folder: string): Promise<string[]>;
  /**
   * Old content or new, never a mixture, whatever happens: temporary file in the same folder with the final mode,
   * flush, rename, flush of the folder. Makes the folders above (0o700).
   */
  replace(path: string, content: Uint8Array, options?: FileWriteOptions): Promise<void>;
  /** Adds to the end; durable after `flush`. Makes the file. */
  append(path: string, content: Uint8Array, options?: FileWriteOptions): Promise<void>;
  flush(path: string): Promise<void>;
  /** Not there: nothing happens. */
  remove(path: string): Promise<void>;
  makeFolder(path: string): Promise<void>;
  /**
   * Takes a folder for this process: a lock that a `kill -9` releases. The holder's process id is told in the error.
   * @throws {ThinglineError} LOCKED.
   */
  lock(folder: string): Promise<{ release(): Promise<void> }>;
}
