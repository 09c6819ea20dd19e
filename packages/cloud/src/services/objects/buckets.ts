import type { StoreEntry } from "../../store/store.js";
import { answer, type Operation, type OperationContext } from "../operation.js";
import { lastName } from "../page.js";
import { bucketsMax, noSuchBucket, objectError, objectKeys, requireBucketName, type BucketRecord } from "./model.js";

/** Versions are kept, or were once and are not any more. */
export type BucketVersioning = "Enabled" | "Suspended";

/** @throws {ThinglineError} RESOURCE_NOT_FOUND */
export async function requireBucket(
  { store, scope }: Pick<OperationContext, "store" | "scope">,
  bucket: string,
): Promise<StoreEntry<BucketRecord>> {
  const entry = await store.get<BucketRecord>(objectKeys.bucket(scope, bucket));
  if (entry === undefined) throw noSuchBucket(bucket);
  return entry;
}

export interface BucketFacts {
  bucket: string;
  createdAtMs: number;
  versioning: BucketVersioning | undefined;
}

const decideBucket: Operation<{ bucket: string }, void> = async ({ scope, store, nowMs }, { bucket }) => {
  requireBucketName(bucket);
  const key = objectKeys.bucket(scope, bucket);
  if ((await store.get(key)) !== undefined) {
    if (scope.region === "us-east-1") return answer(undefined);
    const message = "Your previous request to create the named bucket succeeded and you already own it.";
    throw objectError("RESOURCE_EXISTS", "BucketAlreadyOwnedByYou", message, { bucket });
  }
  const others = await store.list(objectKeys.buckets(scope), { limit: bucketsMax });
  if (others.length >= bucketsMax) {
    const message = `You have attempted to create more buckets than allowed: there are ${bucketsMax}`;
    throw objectError("QUOTA_EXCEEDED", "TooManyBuckets", message, { bucketsMax });
  }
  const value: BucketRecord = { createdAtMs: nowMs };
  const guard = { key: objectKeys.bucketGuard(scope, bucket), value: null };
  return { result: undefined, operations: [{ key, expectedRevision: 0, value }, guard], effects: [] };
};
/**
 * Where there is one already, us-east-1 answers as if it had just been made, and other regions refuse. One after another, as the limit
 * counts all of them.
 */
export const createBucket: typeof decideBucket = Object.assign(decideBucket, { lane: () => "bucket" });

export const headBucket: Operation<{ bucket: string }, BucketFacts> = async (context, { bucket }) => {
  const { createdAtMs, versioning } = (await requireBucket(context, bucket)).value;
  return answer({ bucket, createdAtMs, versioning });
};

/** All of them: there are not many. */
export const listBuckets: Operation<object, BucketFacts[]> = async ({ scope, store }) => {
  const entries = await store.list<BucketRecord>(objectKeys.buckets(scope), { limit: bucketsMax });
  return answer(
    entries.map(({ key, value: { createdAtMs, versioning } }) => ({ bucket: lastName(key), createdAtMs, versioning })),
  );
};

export const deleteBucket: Operation<{ bucket: string }, void> = async (context, { bucket }) => {
  const { scope, store } = context;
  const { key, revision } = await requireBucket(context, bucket);
  const guardKey = objectKeys.bucketGuard(scope, bucket);
  const guardRevision = (await store.get(guardKey))?.revision ?? 0;
  const [object] = await store.list(objectKeys.objects(scope, bucket), { limit: 1 });
  if (object !== undefined) {
    const message = "The bucket you tried to delete is not empty. You must delete all versions in the bucket.";
    throw objectError("DELETE_CONFLICT", "BucketNotEmpty", message, { bucket });
  }
  return {
    result: undefined,
    operations: [
      { key, expectedRevision: revision, delete: true },
      { key: guardKey, expectedRevision: guardRevision, delete: true },
    ],
    effects: [],
  };
};

export const putBucketVersioning: Operation<{ bucket: string; versioning: BucketVersioning }, void> = async (
  context,
  { bucket, versioning },
) => {
  const { key, revision, value } = await requireBucket(context, bucket);
  const operations = [{ key, expectedRevision: revision, value: { ...value, versioning } }];
  return { result: undefined, operations, effects: [] };
};
