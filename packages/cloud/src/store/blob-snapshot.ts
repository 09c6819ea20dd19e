import { isThinglineError } from "@thingline/protocol";
import { decodeBase64, encodeBase64 } from "@thingline/protocol/x509";
import { blobBytesMax, checkBlobKey, iterateBlobs, type BlobKey, type BlobReading, type BlobStore } from "./blobs.js";
import { noSnapshot } from "./no-snapshot.js";

/** Bytes of all blobs that a snapshot carries; those that do not fit are left out, and named. */
export const snapshotBlobBytesMax = 16_777_216;

/** Blobs as a snapshot has them. A snapshot without any has neither member. */
export interface SnapshotBlobs {
  /** Key, content (base64), SHA-256. */
  blobs?: [BlobKey, string, string][];
  /** Too large to be carried, all of them together: whoever restores needs them otherwise. */
  blobsLeftOut?: BlobKey[];
}

/** @throws {ThinglineError} STORE_CORRUPT */
export async function takeBlobs(store: BlobStore, bytesMax = snapshotBlobBytesMax): Promise<SnapshotBlobs> {
  const blobs: NonNullable<SnapshotBlobs["blobs"]> = [];
  const blobsLeftOut: BlobKey[] = [];
  let bytesLeft = bytesMax;
  for await (const { key, bytes } of iterateBlobs(store)) {
    if (bytes > bytesLeft) {
      blobsLeftOut.push(key);
      continue;
    }
    const read = await readUnlessDeleted(store, key);
    if (read === undefined) continue;
    bytesLeft -= bytes;
    blobs.push([key, encodeBase64(read.content), read.sha256]);
  }
  return { ...(blobs.length > 0 && { blobs }), ...(blobsLeftOut.length > 0 && { blobsLeftOut }) };
}

/** The cloud works on while its snapshot is taken. */
async function readUnlessDeleted(store: BlobStore, key: BlobKey): Promise<Omit<CarriedBlob, "key"> | undefined> {
  try {
    const reading = await store.read(key);
    return reading && { content: await readWhole(reading), sha256: reading.sha256 };
  } catch (error) {
    if (isThinglineError(error, "RESOURCE_NOT_FOUND")) return undefined;
    throw error;
  }
}

export interface CarriedBlob {
  key: BlobKey;
  content: Uint8Array;
  sha256: string;
}

/** @throws {ThinglineError} REQUEST_INVALID */
export function readBlobs(snapshot: SnapshotBlobs): CarriedBlob[] {
  const { blobs = [] } = snapshot as { blobs?: unknown };
  if (!Array.isArray(blobs)) throw noSnapshot(`"blobs" must be an array`);
  return blobs.map((entry: unknown) => {
    const [key, encoded, sha256] = Array.isArray(entry) ? (entry as unknown[]) : [];
    const content = typeof encoded === "string" ? decodeBase64(encoded) : undefined;
    if (!Array.isArray(key) || content === undefined || typeof sha256 !== "string") {
      throw noSnapshot("a blob must be a key, a content and its SHA-256");
    }
    try {
      checkBlobKey(key as unknown as BlobKey);
    } catch (cause) {
      throw noSnapshot("a key is none that a blob can have", cause);
    }
    return { key: key as unknown as BlobKey, content, sha256 };
  });
}

/**
 * Puts what a snapshot carries beside what is there; what is there already stays. Nothing is taken away, so whoever fails afterwards has
 * lost nothing.
 *
 * @throws {ThinglineError} REQUEST_INVALID for a content that is not what the snapshot says; what putting can throw
 */
export async function putBlobs(store: BlobStore, carried: readonly CarriedBlob[]): Promise<void> {
  for (const { key, content, sha256 } of carried) {
    const existing = await statSound(store, key);
    if (existing === sha256) continue;
    if (existing !== undefined) throw noSnapshot(`it has another blob ${JSON.stringify(key)} than there is here`);
    // A damaged one of the same key makes room for the good one.
    await store.delete(key);
    const put = await store.put(key, [content], { bytesMax: blobBytesMax });
    if (put.sha256 === sha256) continue;
    await store.delete(key);
    throw noSnapshot(`the blob ${JSON.stringify(key)} does not have its SHA-256`);
  }
}

async function statSound(store: BlobStore, key: BlobKey): Promise<string | undefined> {
  try {
    return (await store.stat(key))?.sha256;
  } catch (error) {
    if (isThinglineError(error, "STORE_CORRUPT")) return undefined;
    throw error;
  }
}

/** The content of a reading that is known to be short enough for memory. */
export async function readWhole({ start, end, chunks }: BlobReading): Promise<Uint8Array> {
  const whole = new Uint8Array(end - start);
  let at = 0;
  for await (const chunk of chunks) {
    whole.set(chunk, at);
    at += chunk.length;
  }
  return whole;
}
