import type {
  BlobEntry,
  BlobFacts,
  BlobListOptions,
  BlobPutOptions,
  BlobRange,
  BlobReading,
  BlobStore,
} from "../store/blobs.js";

/**
 * A service's own blobs in one account and region. What a blob is for stands in the store: a saga puts the blob under a new name and
 * runs an operation that commits {@link keepBlob} with the record that needs it; when that fails, and after a crash in between, nobody
 * has heard of the blob and it is swept. An operation that needs it no more commits {@link releaseBlob}.
 */
export interface BlobRoom {
  /** @throws {ThinglineError} as {@link BlobStore.put} */
  put(
    name: string,
    chunks: AsyncIterable<Uint8Array> | Iterable<Uint8Array>,
    options: BlobPutOptions,
  ): Promise<BlobFacts>;
  read(name: string, range?: BlobRange): Promise<BlobReading | undefined>;
  stat(name: string): Promise<BlobFacts | undefined>;
  /** For what was put and is not kept after all. What is kept is released by an operation. */
  delete(name: string): Promise<void>;
  /** In the order of their names; `after` is a name. */
  list(options: { after?: string; limit: number }): Promise<BlobEntry[]>;
}

export function blobRoom(
  blobs: BlobStore,
  { account, region }: { account: string; region: string },
  service: string,
): BlobRoom {
  const key = (name: string) => [account, region, service, name] as const;
  return {
    put: (name, chunks, options) => blobs.put(key(name), chunks, options),
    read: (name, range) => blobs.read(key(name), range),
    stat: (name) => blobs.stat(key(name)),
    delete: (name) => blobs.delete(key(name)),
    list({ after, limit }) {
      const options: BlobListOptions = { limit, ...(after !== undefined && { after: key(after) }) };
      return blobs.list([account, region, service], options);
    },
  };
}
