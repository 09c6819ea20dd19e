import { ThinglineError } from "@thingline/protocol";

/** Of one blob, in bytes. Larger than a firmware image or anything else that a device is sent. */
export const blobBytesMax = 268_435_456;
/** Of all blobs of a store together, those included that are just being put. */
export const blobBytesTotalMax = 4_294_967_296;
export const blobsMax = 100_000;
/** Blobs that are being put at one time. */
export const blobPutsMax = 64;
/** Readings that are begun and not ended. */
export const blobReadsMax = 256;
/** Of each part of a key, in bytes of UTF-8: as much as every file system takes, whatever the characters. */
export const blobKeyPartBytesMax = 80;

/** Account, region, service, name. A name is used once: what it stands for never changes. */
export type BlobKey = readonly [account: string, region: string, service: string, name: string];

/** What is known of a blob without reading it. */
export interface BlobFacts {
  bytes: number;
  /** SHA-256 of the content, 64 hexadecimal digits in lower case. In double quotes it is a strong ETag. */
  sha256: string;
}

export interface BlobEntry {
  key: BlobKey;
  bytes: number;
}

/** A part of a blob, from its first to its last byte. */
export interface BlobReading extends BlobFacts {
  /** Bytes of the whole blob before this part. */
  start: number;
  /** Where it ends: `end - start` bytes come. */
  end: number;
  /**
   * To be read once. Ends early when the reader leaves; fails with STORE_CORRUPT when the whole is read and is not what was put, and with
   * RESOURCE_NOT_FOUND when the blob was deleted before its first chunk was asked for.
   */
  chunks: AsyncIterable<Uint8Array>;
}

export interface BlobPutOptions {
  /** With more the put fails. At most {@link blobBytesMax}. */
  bytesMax: number;
  signal?: AbortSignal;
}

export interface BlobRange {
  /** Default 0. Past the end nothing is read. */
  start?: number;
  /** Before this byte. Default and at most: the end. */
  end?: number;
}

export interface BlobListOptions {
  /** Go on after this key; it need not exist any more. */
  after?: BlobKey;
  limit: number;
}

/**
 * Large contents beside the store, which says who needs them. A blob is there whole or not at all: what was put halfway, by whatever
 * end, is never seen.
 */
export interface BlobStore {
  /**
   * Resolves when the blob is as durable as the store's commits, and not before it can be read.
   *
   * @throws {ThinglineError} STORE_CONFLICT when there is one of that key, or one is being put; LIMIT_EXCEEDED, with the limit in its
   * details; STORE_UNWRITABLE; ABORTED; OPTION_INVALID for a key that cannot be; CLOSED; whatever `chunks` throws.
   */
  put(
    key: BlobKey,
    chunks: AsyncIterable<Uint8Array> | Iterable<Uint8Array>,
    options: BlobPutOptions,
  ): Promise<BlobFacts>;
  /**
   * @returns undefined when there is none.
   * @throws {ThinglineError} STORE_CORRUPT; LIMIT_EXCEEDED; OPTION_INVALID for a range that is none; CLOSED.
   */
  read(key: BlobKey, range?: BlobRange): Promise<BlobReading | undefined>;
  /** @throws {ThinglineError} STORE_CORRUPT; CLOSED. */
  stat(key: BlobKey): Promise<BlobFacts | undefined>;
  /** Not there: nothing happens. Whoever has begun to read it reads to its end. @throws {ThinglineError} STORE_UNWRITABLE; CLOSED. */
  delete(key: BlobKey): Promise<void>;
  /** Blobs whose key begins with the prefix, damaged ones too, in the order of their keys. */
  list(prefix: readonly string[], options: BlobListOptions): Promise<BlobEntry[]>;
  /** Of all blobs that are there. */
  readonly bytesTotal: number;
  /** Ends puts under way with CLOSED, and waits until nothing of them is left. Safe to call twice. */
  close(): Promise<void>;
}

/** Limits of a blob store; lower ones are for tests and small machines. */
export interface BlobLimits {
  /** Default {@link blobBytesTotalMax}. */
  bytesTotalMax?: number;
  /** Default {@link blobsMax}. */
  blobsMax?: number;
}

/** Every blob under a prefix, page by page. */
export async function* iterateBlobs(store: BlobStore, prefix: readonly string[] = []): AsyncGenerator<BlobEntry, void> {
  for (let after: BlobKey | undefined; ;) {
    const page = await store.list(prefix, { limit: 500, ...(after && { after }) });
    yield* page;
    after = page.at(-1)?.key;
    if (after === undefined) return;
  }
}

/** Quoted, as HTTP wants it. */
export const etagOf = ({ sha256 }: BlobFacts): string => `"${sha256}"`;

/** @throws {ThinglineError} OPTION_INVALID; REST answers it with 400, as a name that no store can have. */
export function checkBlobKey(key: BlobKey): void {
  const isText = (part: unknown) => typeof part === "string" && part !== "" && !/\p{Surrogate}|\0/u.test(part);
  const isShort = (part: string) => new TextEncoder().encode(part).length <= blobKeyPartBytesMax;
  if (key.length === 4 && key.every((part) => isText(part) && isShort(part))) return;
  const message = `blob key: four texts of 1 to ${blobKeyPartBytesMax} bytes, got ${JSON.stringify(key)}`;
  throw new ThinglineError("OPTION_INVALID", message, { details: { option: "key" } });
}

/** @throws {ThinglineError} OPTION_INVALID */
export function partOf(bytes: number, range: BlobRange = {}): { start: number; end: number } {
  const { start = 0, end = Math.max(start, bytes) } = range;
  if (!Number.isSafeInteger(start) || !Number.isSafeInteger(end) || start < 0 || end < start) {
    const message = `a range of a blob begins at 0 or later and does not end before that, got ${start} to ${end}`;
    throw new ThinglineError("OPTION_INVALID", message, { details: { option: "range" } });
  }
  return { start: Math.min(start, bytes), end: Math.min(end, bytes) };
}

export const deletedMeanwhile = (key: BlobKey) =>
  new ThinglineError("RESOURCE_NOT_FOUND", `the blob ${JSON.stringify(key)} was deleted before it was read`);
