import { crc32, isThinglineError, ThinglineError } from "@thingline/protocol";
import { takeBlobs, type SnapshotBlobs } from "./blob-snapshot.js";
import type { BlobStore } from "./blobs.js";
import { encodeKey } from "./key-encoding.js";
import { iterate } from "./iterate.js";
import { noSnapshot } from "./no-snapshot.js";
import type { Store, StoreKey, StoreOperation, StoreReader, StoreValue } from "./store.js";
import { decodeValue, encodeValue, normalizeValue } from "./value-encoding.js";

export const snapshotFormat = "thingline-snapshot";
export const snapshotVersion = 1;
/** Of one with blobs, which a program that knows nothing of them must not take. */
export const blobSnapshotVersion = 2;

/** Everything in a store as JSON. Private keys may be inside: keep it like one. */
export interface StoreSnapshot extends SnapshotBlobs {
  format: typeof snapshotFormat;
  version: typeof snapshotVersion | typeof blobSnapshotVersion;
  /** Key and encoded value (base64), in key order. */
  entries: [StoreKey, string][];
  /** CRC-32 of the entries, and of the blobs if there are any, 8 hexadecimal digits. Snapshots of earlier versions have none; who edits one removes it. */
  checksum?: string;
}

/** @param blobs Without them the snapshot has none. */
export async function takeSnapshot(store: StoreReader, blobs?: BlobStore): Promise<StoreSnapshot> {
  const entries: [StoreKey, string][] = [];
  for await (const { key, value } of iterate(store, [])) entries.push([key, toBase64(encodeValue(value))]);
  const carried = blobs === undefined ? {} : await takeBlobs(blobs);
  const version = "blobs" in carried || "blobsLeftOut" in carried ? blobSnapshotVersion : snapshotVersion;
  return { format: snapshotFormat, version, entries, ...carried, checksum: checksumOf(entries, carried) };
}

/** Of what JSON makes of the entries, one a line, and of the blobs after them. */
function checksumOf(entries: readonly unknown[], { blobs = [], blobsLeftOut = [] }: SnapshotBlobs): string {
  const encoder = new TextEncoder();
  let sum = 0;
  for (const entry of [...entries, ...blobs, ...blobsLeftOut]) {
    sum = crc32(encoder.encode(`${JSON.stringify(entry)}\n`), sum);
  }
  return sum.toString(16).padStart(8, "0");
}

/** Empties the store in one commit. */
export async function clearStore(store: Store): Promise<void> {
  await replaceContent(store, []);
}

/**
 * Replaces all that a store holds, in one commit.
 * @throws {ThinglineError} REQUEST_INVALID for what is no snapshot, STORE_VERSION_UNKNOWN for a newer one.
 */
export async function restoreSnapshot(store: Store, snapshot: unknown): Promise<void> {
  await replaceContent(store, parseSnapshot(snapshot));
}

async function replaceContent(store: Store, entries: readonly [StoreKey, StoreValue][]): Promise<void> {
  const operations = new Map<string, StoreOperation>();
  for await (const key of allKeys(store)) operations.set(JSON.stringify(key), { key, delete: true });
  for (const [key, value] of entries) operations.set(JSON.stringify(key), { key, value });
  await store.commit([...operations.values()]);
}

/** Those of damaged records too: emptying a store is a way out of the damage. */
async function* allKeys(store: Store): AsyncGenerator<StoreKey, void, undefined> {
  if (store.listKeys === undefined) {
    for await (const { key } of iterate(store, [])) yield key;
    return;
  }
  for (let after: StoreKey | undefined; ;) {
    const page = await store.listKeys([], { limit: 500, ...(after && { after }) });
    yield* page;
    after = page.at(-1);
    if (after === undefined) return;
  }
}

/** @throws {ThinglineError} REQUEST_INVALID, STORE_VERSION_UNKNOWN. */
export function parseSnapshot(snapshot: unknown): [StoreKey, StoreValue][] {
  if (snapshot === undefined) throw noSnapshot("it is not JSON; it may have been cut");
  if (typeof snapshot !== "object" || snapshot === null) throw noSnapshot("not an object");
  const { format, version, entries, checksum, blobs = [], blobsLeftOut = [] } = snapshot as Record<string, unknown>;
  if (format !== snapshotFormat) throw noSnapshot(`"format" must be "${snapshotFormat}"`);
  if (version !== snapshotVersion && version !== blobSnapshotVersion) {
    const message = `the snapshot has version ${String(version)}, this program reads versions ${snapshotVersion} and ${blobSnapshotVersion}`;
    throw new ThinglineError("STORE_VERSION_UNKNOWN", message);
  }
  if (!Array.isArray(entries)) throw noSnapshot(`"entries" must be an array`);
  if (!Array.isArray(blobs) || !Array.isArray(blobsLeftOut)) throw noSnapshot(`"blobs" must be an array`);
  if (checksum !== undefined && checksum !== checksumOf(entries, { blobs, blobsLeftOut })) {
    throw noSnapshot(`its entries do not have its "checksum": it was changed or damaged`);
  }
  const seen = new Set<string>();
  return entries.map((entry: unknown) => {
    const [key, encoded] = Array.isArray(entry) ? (entry as unknown[]) : [];
    if (!isKey(key) || typeof encoded !== "string") throw noSnapshot("an entry must be a key and a value");
    try {
      const encoded = encodeKey(key);
      if (seen.has(encoded)) throw noSnapshot(`it has the key ${JSON.stringify(key)} twice`);
      seen.add(encoded);
    } catch (cause) {
      if (isThinglineError(cause, "REQUEST_INVALID")) throw cause;
      throw noSnapshot("a key is none that a store can have", cause);
    }
    try {
      return [key, normalizeValue(decodeValue(fromBase64(encoded)))];
    } catch (cause) {
      throw noSnapshot(`the value of ${JSON.stringify(key)} cannot be decoded`, cause);
    }
  });
}

const isKey = (key: unknown): key is StoreKey =>
  Array.isArray(key) && key.length > 0 && key.every((part) => typeof part === "string" || typeof part === "number");

function toBase64(bytes: Uint8Array): string {
  let text = "";
  for (const byte of bytes) text += String.fromCharCode(byte);
  return btoa(text);
}

function fromBase64(text: string): Uint8Array {
  return Uint8Array.from(atob(text), (character) => character.charCodeAt(0));
}
