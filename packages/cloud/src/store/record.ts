import { ThinglineError, toHex } from "@thingline/protocol";
import { decodeKey } from "./key-encoding.js";
import type { StoreEntry, StoreKey } from "./store.js";
import { decodeValue } from "./value-encoding.js";

/** CRC-32 of bytes, going on from that of earlier ones. */
export type Checksum = (bytes: Uint8Array, before?: number) => number;

/** Format of the files. A store of a higher one is refused, never guessed at. */
export const storeSchemaVersion = 2;
/** Its records have no checksums; it is brought to the present one when it is opened. */
export const oldSchemaVersion = 1;

/** No encoded key begins with 00, so this record is in nobody's list. */
export const metaKey: Uint8Array = Uint8Array.of(0, 0x6d);

/**
 * A record: checksum (4 bytes) of its key and of all that follows, the low half of the key's own checksum (2 bytes), revision (8),
 * encoded value. The key's own tells a damaged key, which nobody would look for, from a damaged value.
 */
const keyCheckAt = 4;
const revisionAt = 6;
const valueAt = 14;
/** Of an old record: revision and value. */
const oldValueAt = 8;

export function encodeRecord(
  checksum: Checksum,
  key: Uint8Array,
  encodedValue: Uint8Array,
  revision: number,
): Uint8Array {
  const record = new Uint8Array(valueAt + encodedValue.length);
  const view = new DataView(record.buffer);
  const ofKey = checksum(key);
  view.setUint16(keyCheckAt, ofKey & 0xffff);
  view.setFloat64(revisionAt, revision);
  record.set(encodedValue, valueAt);
  view.setUint32(0, checksum(record.subarray(keyCheckAt), ofKey));
  return record;
}

/** A record as it is stored under a key. */
export function isRecordSound(checksum: Checksum, key: Uint8Array, record: Uint8Array): boolean {
  if (record.length <= valueAt) return false;
  // By hand: a view of its own for each record that is read costs more than the sum of its bytes.
  const kept = (((record[0] ?? 0) << 24) | ((record[1] ?? 0) << 16) | ((record[2] ?? 0) << 8) | (record[3] ?? 0)) >>> 0;
  return kept === checksum(record.subarray(keyCheckAt), checksum(key));
}

/** Whether a record was written under this key; its first bytes are enough. */
export function isKeySound(checksum: Checksum, key: Uint8Array, record: Uint8Array): boolean {
  return record.length >= revisionAt && viewOf(record).getUint16(keyCheckAt) === (checksum(key) & 0xffff);
}

/** Of a sound record. NaN for one that was cut. */
export function revisionOf(record: Uint8Array): number {
  return record.length > valueAt ? viewOf(record).getFloat64(revisionAt) : NaN;
}

/** @throws {ThinglineError} STORE_CORRUPT */
export function decodeRecord(key: StoreKey, record: Uint8Array): StoreEntry {
  return { key, value: decodeValue(record.subarray(valueAt)), revision: revisionOf(record) };
}

/** A record without checksum. @throws {ThinglineError} STORE_CORRUPT */
export function decodeOldRecord(key: StoreKey, record: Uint8Array): StoreEntry {
  if (record.length <= oldValueAt) throw new ThinglineError("STORE_CORRUPT", "the store holds a cut record");
  return { key, value: decodeValue(record.subarray(oldValueAt)), revision: viewOf(record).getFloat64(0) };
}

/** What a store says about itself. */
export interface StoreMeta {
  version: number;
  lastRevision: number;
  /** Of the data directory that it belongs to, 32 hexadecimal digits; undefined in an old store. */
  directoryId: string | undefined;
}

const metaBytes = 36;
const idBytes = 16;
const oldMetaBytes = 16;

export function encodeMeta(checksum: Checksum, lastRevision: number, directoryId: string): Uint8Array {
  const record = new Uint8Array(metaBytes);
  const view = new DataView(record.buffer);
  view.setFloat64(0, storeSchemaVersion);
  view.setFloat64(8, lastRevision);
  for (let at = 0; at < idBytes; at++) record[16 + at] = parseInt(directoryId.slice(2 * at, 2 * at + 2), 16);
  view.setUint32(metaBytes - 4, checksum(record.subarray(0, metaBytes - 4)));
  return record;
}

/** Undefined when it is damaged. One of a later version is never damaged: nothing but its version is known. */
export function decodeMeta(checksum: Checksum, record: Uint8Array): StoreMeta | undefined {
  if (record.length < oldMetaBytes) return undefined;
  const view = viewOf(record);
  const version = view.getFloat64(0);
  const lastRevision = view.getFloat64(8);
  if (version === oldSchemaVersion) {
    return record.length === oldMetaBytes ? { version, lastRevision, directoryId: undefined } : undefined;
  }
  if (version !== storeSchemaVersion) {
    const isLater = Number.isInteger(version) && version > storeSchemaVersion && version < 1_000;
    return isLater ? { version, lastRevision: 0, directoryId: undefined } : undefined;
  }
  if (record.length !== metaBytes) return undefined;
  if (view.getUint32(metaBytes - 4) !== checksum(record.subarray(0, metaBytes - 4))) return undefined;
  return { version, lastRevision, directoryId: toHex(record.subarray(16, 16 + idBytes)) };
}

/** For people: the key, or its bytes where it is none. */
export function showKey(encoded: Uint8Array): string {
  try {
    return JSON.stringify(decodeKey(encoded));
  } catch {
    return `0x${toHex(encoded.subarray(0, 100))}`;
  }
}

const viewOf = (bytes: Uint8Array) => new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
