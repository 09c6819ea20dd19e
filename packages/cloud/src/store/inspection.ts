import { ThinglineError } from "@thingline/protocol";
import { decodeKey } from "./key-encoding.js";
import { chooseSnapshot, readPageHead, storeCorrupt } from "./page-file.js";
import type { PageSource } from "./page-file.js";
import { walkPages } from "./page-walk.js";
import {
  decodeMeta,
  decodeOldRecord,
  decodeRecord,
  isKeySound,
  isRecordSound,
  metaKey,
  oldSchemaVersion,
  revisionOf,
  showKey,
  storeSchemaVersion,
} from "./record.js";
import type { Checksum, StoreMeta } from "./record.js";
import type { StoreEntry } from "./store.js";

export interface InspectionOptions {
  source: PageSource;
  /** For messages. */
  path: string;
  checksum: Checksum;
  /** Of the machine, from when it was started; 0n where there is none. */
  bootId: bigint;
  /** Default: the first fault is thrown. */
  onFault?: (what: string) => void;
  /** Every record's checksum is looked at and its value decoded, not only its place and its key. */
  onEntry?(entry: StoreEntry): void;
  /** After each page or so of records, with how many there were. */
  onProgress?(records: number): void;
}

export interface Inspection {
  /** Undefined when the store is new. */
  meta: StoreMeta | undefined;
  records: number;
  transaction: number;
}

const progressRecords = 10_000;

/**
 * Reads a store's file without LMDB, and tells what is wrong with it. After it LMDB can map the file.
 *
 * @throws {ThinglineError} STORE_CORRUPT; STORE_VERSION_UNKNOWN for a store of a later version.
 */
export function inspectStore(options: InspectionOptions): Inspection {
  const { source, path, checksum } = options;
  const onFault =
    options.onFault ??
    ((what: string) => {
      throw storeCorrupt(path, what);
    });
  const head = readPageHead(source, path);
  const snapshot = chooseSnapshot(head, options.bootId);
  const { pageBytes } = head;
  let meta: StoreMeta | undefined;
  let records = 0;
  let isFirst = true;
  const onRecord = (key: Uint8Array, value: Uint8Array, _bytes: number, page: number) => {
    const mayBeMeta = isFirst && key.length === metaKey.length && key.every((byte, at) => byte === metaKey[at]);
    if (isFirst) meta = mayBeMeta ? decodeMeta(checksum, value) : undefined;
    isFirst = false;
    if (mayBeMeta) {
      if (meta === undefined) onFault(`page ${page}: what the store says about itself is damaged`);
      else requireKnownVersion(meta, path);
      return;
    }
    if (++records % progressRecords === 0) options.onProgress?.(records);
    if (options.onEntry !== undefined) readEntry(key, value, page);
    else if (meta?.version !== oldSchemaVersion && !isKeySound(checksum, key, value)) onFault(badKey(key, page));
  };
  const readEntry = (key: Uint8Array, record: Uint8Array, page: number) => {
    try {
      if (meta?.version === oldSchemaVersion) return options.onEntry?.(decodeOldRecord(decodeKey(key), record));
      if (!isKeySound(checksum, key, record)) return onFault(badKey(key, page));
      if (!isRecordSound(checksum, key, record))
        return onFault(`the record ${showKey(key)} does not have its checksum`);
      if (revisionOf(record) > (meta?.lastRevision ?? Infinity)) {
        onFault(
          `the record ${showKey(key)} has revision ${revisionOf(record)}, the store's last is ${meta?.lastRevision}`,
        );
      }
      options.onEntry?.(decodeRecord(decodeKey(key), record));
    } catch (error) {
      if (options.onFault === undefined) throw error;
      onFault(`the record ${showKey(key)} cannot be decoded`);
    }
  };
  const wholeValues = options.onEntry !== undefined;
  const tellPage = ({ page, what }: { page: number; what: string }) => onFault(`page ${page}: ${what}`);
  walkPages({ source, pageBytes, snapshot, onFault: tellPage, onRecord, wholeValues });
  if (meta === undefined && records > 0) onFault("it does not say what it is");
  return { meta, records, transaction: snapshot.transaction };
}

const badKey = (key: Uint8Array, page: number) =>
  `page ${page}: the record that it has as ${showKey(key)} is another's`;

/** @throws {ThinglineError} STORE_VERSION_UNKNOWN */
export function requireKnownVersion({ version }: StoreMeta, path: string): void {
  if (version === storeSchemaVersion || version === oldSchemaVersion) return;
  throw new ThinglineError(
    "STORE_VERSION_UNKNOWN",
    `the store "${path}" has format ${version}, this program reads format ${storeSchemaVersion}: use the newer program`,
    { details: { path, version, storeSchemaVersion } },
  );
}
