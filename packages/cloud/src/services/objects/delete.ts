import type { StoreOperation } from "../../store/store.js";
import { releaseBlob } from "../blob-records.js";
import { answer, type Operation, type OperationContext, type Outcome } from "../operation.js";
import { requireBucket } from "./buckets.js";
import { objectKeys, objectsServiceName, unversionedId, type ObjectRecord, type ObjectVersion } from "./model.js";
import { placeVersion } from "./put.js";
import type { ObjectAddress } from "./s3-url.js";

export interface DeleteObjectResult {
  /** What was deleted, or the delete marker that was made; absent where no versions are kept. */
  versionId?: string;
  isDeleteMarker?: boolean;
}

/**
 * Without a version: the object is gone, where versions are kept behind a delete marker. With one: that version is. What is not there is
 * as good as deleted.
 */
const decideDelete = async (
  context: OperationContext,
  address: ObjectAddress,
): Promise<Outcome<DeleteObjectResult>> => {
  const { scope, store, nowMs, random } = context;
  const { value: bucket } = await requireBucket(context, address.bucket);
  const key = objectKeys.object(scope, address);
  const entry = await store.get<ObjectRecord>(key);
  const { versionId } = address;
  if (versionId !== undefined) {
    const found = entry?.value.versions.find((version) => version.versionId === versionId);
    if (entry === undefined || found === undefined) return answer({ versionId });
    const versions = entry.value.versions.filter((version) => version !== found);
    const isDeleteMarker = "isDeleteMarker" in found;
    return outcome({ versionId, ...(isDeleteMarker && { isDeleteMarker }) }, versions, blobOf(found));
  }
  if (bucket.versioning === undefined) {
    if (entry === undefined) return answer({});
    return outcome({}, [], entry.value.versions.flatMap(blobOf));
  }
  const id = bucket.versioning === "Enabled" ? random.uuid().replaceAll("-", "") : unversionedId;
  const marker = { versionId: id, modifiedAtMs: nowMs, isDeleteMarker: true } as const;
  const { versions, replaced } = placeVersion(entry?.value.versions ?? [], marker);
  return outcome({ versionId: id, isDeleteMarker: true }, versions, replaced);

  function outcome(
    result: DeleteObjectResult,
    versions: ObjectVersion[],
    blobs: readonly string[],
  ): Outcome<DeleteObjectResult> {
    const released = blobs.map((name) => releaseBlob(scope, objectsServiceName, name));
    const expectedRevision = entry?.revision ?? 0;
    const record: StoreOperation =
      versions.length === 0
        ? { key, expectedRevision, delete: true }
        : { key, expectedRevision, value: { versions } satisfies ObjectRecord };
    // A delete marker is a record too, and must not come into a bucket that is being deleted.
    const guard: StoreOperation = { key: objectKeys.bucketGuard(scope, address.bucket), value: null };
    const operations = [record, guard, ...released.map(({ operation }) => operation)];
    return { result, operations, effects: released.map(({ effect }) => effect) };
  }
};

/** @throws {ThinglineError} RESOURCE_NOT_FOUND for the bucket */
export const deleteObject: Operation<ObjectAddress, DeleteObjectResult> = Object.assign(decideDelete, {
  lane: ({ bucket, key }: ObjectAddress) => `object/${bucket}/${key}`,
});

const blobOf = (version: ObjectVersion): string[] => ("isDeleteMarker" in version ? [] : [version.blobName]);
