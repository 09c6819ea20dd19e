import { isThinglineError } from "@thingline/protocol";
import type { Log } from "../log.js";
import { iterateSound } from "../store/iterate.js";
import { iterateBlobs, type BlobFacts, type BlobKey, type BlobStore } from "../store/blobs.js";
import type { StoreKey, StoreOperation, StoreReader } from "../store/store.js";
import type { Effect, Scope } from "./operation.js";

/** Part of a key, after account and region. */
export const blobRecordKind = "blob";

/** A blob that the store asks for. */
export type BlobRecord = { bytes: number; sha256: string };

export const blobRecordKey = ({ account, region }: Scope, service: string, name: string): StoreKey => [
  account,
  region,
  blobRecordKind,
  service,
  name,
];

/** For the commit that begins to need a blob, which was put before. */
export function keepBlob(scope: Scope, service: string, name: string, { bytes, sha256 }: BlobFacts): StoreOperation {
  const value: BlobRecord = { bytes, sha256 };
  return { key: blobRecordKey(scope, service, name), expectedRevision: 0, value };
}

/** For the commit that ends it: the blob itself goes when the commit is made. */
export function releaseBlob(
  scope: Scope,
  service: string,
  name: string,
): { operation: StoreOperation; effect: Effect } {
  return {
    operation: { key: blobRecordKey(scope, service, name), delete: true },
    effect: { type: "deleteBlob", service, name },
  };
}

/** The blob that a record of the store asks for, if it is such a record. */
export function blobOfRecord(key: StoreKey): BlobKey | undefined {
  const [account, region, kind, service, name] = key;
  if (key.length !== 5 || kind !== blobRecordKind) return undefined;
  return [String(account), String(region), String(service), String(name)];
}

/**
 * Blobs that no record asks for: they were put by a process that died before its commit, or released by one that died before it deleted
 * them. Only to be asked while nothing is being put, as before a cloud opens: a blob store that several nodes share would have to leave
 * alone what is younger than a put can take.
 */
export async function findOrphans(blobs: BlobStore, store: StoreReader): Promise<BlobKey[]> {
  const orphans: BlobKey[] = [];
  for await (const { key } of iterateBlobs(blobs)) if (!(await isWanted(store, key))) orphans.push(key);
  return orphans;
}

export async function deleteOrphans(blobs: BlobStore, orphans: readonly BlobKey[], log: Log): Promise<void> {
  if (orphans.length === 0) return;
  for (const key of orphans) {
    await blobs.delete(key).catch((error: unknown) => {
      // It takes room, and nobody can see it; the next start tries again.
      log.error("blobNotSwept", { blob: key, error: String(error) });
    });
  }
  log.info("blobsSwept", { count: orphans.length });
}

/** The keys of all records that ask for blobs in an account and region. */
export async function* blobRecords(store: StoreReader, { account, region }: Scope): AsyncGenerator<StoreKey, void> {
  for await (const { key } of iterateSound(store, [account, region, blobRecordKind])) yield key;
}

/** Tells the blobs that records ask for and that are not there. What needs one fails when it reads it. */
export async function tellMissingBlobs(
  blobs: BlobStore,
  records: Iterable<StoreKey> | AsyncIterable<StoreKey>,
  log: Log,
) {
  for await (const key of records) {
    const blob = blobOfRecord(key);
    if (blob !== undefined && !(await isThere(blobs, blob))) log.error("blobMissing", { blob });
  }
}

/** A record that is damaged still asks for its blob. */
async function isWanted(store: StoreReader, [account, region, service, name]: BlobKey): Promise<boolean> {
  try {
    return (await store.get(blobRecordKey({ account, region }, service, name))) !== undefined;
  } catch (error) {
    if (isThinglineError(error, "STORE_CORRUPT")) return true;
    throw error;
  }
}

/** Whether it is sound shows when it is read. */
async function isThere(blobs: BlobStore, blob: BlobKey): Promise<boolean> {
  try {
    return (await blobs.stat(blob)) !== undefined;
  } catch (error) {
    if (isThinglineError(error, "STORE_CORRUPT") || isThinglineError(error, "FILE_UNREADABLE")) return true;
    throw error;
  }
}
