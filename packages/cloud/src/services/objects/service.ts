import { createBucket, deleteBucket, headBucket, listBuckets, putBucketVersioning } from "./buckets.js";
import { deleteObject } from "./delete.js";
import { listObjects, listObjectVersions } from "./list.js";
import { putObject } from "./put.js";
import { createReadObjectPart, headObject, readObject } from "./read.js";

export type Objects = ReturnType<typeof createObjects>;

/** Buckets and objects. Names are those of S3's operations where there are any. */
export function createObjects() {
  return {
    ...{ createBucket, headBucket, listBuckets, deleteBucket, putBucketVersioning },
    readObjectPart: createReadObjectPart(),
    ...{ headObject, readObject, putObject, deleteObject, listObjects, listObjectVersions },
  };
}
