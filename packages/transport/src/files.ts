import { ThinglineError } from "@thingline/protocol";

export interface FileWriteOptions {
  /** 0o600 (the default) for anything private, 0o644 for what everybody may read. */
  mode?: 0o600 | 0o644;
}

export interface FileReplaceOptions extends FileWriteOptions {
  /**
   * A folder of that name makes way, when neither it nor the folders in it hold a file. For whoever owns the folder above, and knows only
   * files: taking a file away leaves its folder there. Default false: FILE_UNREADABLE.
   */
  overEmptyFolder?: boolean;
}

export interface FileReadOptions {
  /** A file with more is refused, and not read any further. Required, so that nobody reads without a bound. */
  bytesMax: number;
  /**
   * Also what has no size: a device, and by the names that a shell gives them (`/dev/stdin`, `/dev/fd/63`) pipes and
   * terminals. For paths that a person has typed. Default false: a regular file or nothing.
   */
  takesStreams?: boolean;
  /** Ends the wait for a stream. */
  signal?: AbortSignal;
}

/** So many names of one folder are listed when nobody says another bound. */
export const defaultListedNamesMax = 100_000;

export interface FileListOptions {
  /** A folder with more is refused. Default {@link defaultListedNamesMax}. */
  namesMax?: number;
}

/** Files under paths with `/`. Names of files are never taken from a peer without a check by the caller. */
export interface Files {
  /** @throws {ThinglineError} FILE_NOT_FOUND, FILE_UNREADABLE, FILE_TOO_LARGE with path, limit and size. */
  read(path: string, options: FileReadOptions): Promise<Uint8Array>;
  exists(path: string): Promise<boolean>;
  /**
   * Names in a folder, sorted; empty when the folder is not there.
   *
   * @throws {ThinglineError} FILE_UNREADABLE, LIMIT_EXCEEDED with path and limit.
   */
  list(folder: string, options?: FileListOptions): Promise<string[]>;
  /**
   * Old content or new, never a mixture, whatever happens: temporary file in the same folder with the final mode,
   * flush, rename, flush of the folder. Makes the folders above (0o700).
   */
  replace(path: string, content: Uint8Array, options?: FileReplaceOptions): Promise<void>;
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

/** What every `Files` throws for a file that is larger than it may be. `sizeBytes` is unknown of what has no end. */
export function fileTooLarge(path: string, bytesMax: number, sizeBytes?: number): ThinglineError {
  const size = sizeBytes === undefined ? `more than ${bytesMax} bytes` : `${sizeBytes} bytes`;
  const message = `"${path}" is too large: it has ${size}, and at most ${bytesMax} are read of it`;
  const details = { path, bytesMax, ...(sizeBytes !== undefined && { sizeBytes }) };
  return new ThinglineError("FILE_TOO_LARGE", message, { details });
}

/** What every `Files` throws for a folder with more names than are listed. */
export function tooManyNames(path: string, namesMax: number): ThinglineError {
  const message = `"${path}" is too full: at most ${namesMax} names are listed of a folder, and it has more`;
  return new ThinglineError("LIMIT_EXCEEDED", message, { details: { path, namesMax } });
}
