import { type ErrorCode, ThinglineError } from "@thingline/protocol";
import type { StoreKey } from "../../store/store.js";
import type { Scope } from "../operation.js";
import type { ChecksumHeader } from "./checksums.js";
import type { ObjectAddress } from "./s3-url.js";

/** Of its sagas and blobs. */
export const objectsServiceName = "objects";

/** Of a key, in bytes of UTF-8, as S3 has it. */
export const objectKeyBytesMax = 1_024;
/** Of one object, delete markers included. S3 has no such limit. */
export const objectVersionsMax = 100;
/** Names and values of an object's own metadata together, as S3 has it. */
export const objectMetadataBytesMax = 2_048;
/** In an account and region. */
export const bucketsMax = 1_000;

export type BucketRecord = {
  createdAtMs: number;
  /** Set once somebody asked for versions; then it is never as if nobody had. */
  versioning?: "Enabled" | "Suspended";
};

/** The id of what is put into a bucket that keeps no versions. */
export const unversionedId = "null";

/** What is kept of one content, or of its deletion. */
export type ObjectVersion =
  | {
      versionId: string;
      modifiedAtMs: number;
      blobName: string;
      bytes: number;
      /** Hexadecimal. */
      sha256: string;
      /** Hexadecimal; in quotes it is the ETag. */
      md5: string;
      /** What is answered with the content, by lower-case names: `content-type`, `x-amz-meta-…`. */
      headers: { [name: string]: string };
      /** Base64, by lower-case header: `x-amz-checksum-crc32`. */
      checksum?: { header: ChecksumHeader; value: string };
    }
  | { versionId: string; modifiedAtMs: number; isDeleteMarker: true };

export type StoredVersion = Exclude<ObjectVersion, { isDeleteMarker: true }>;

/** Newest first; never empty. */
export type ObjectRecord = { versions: ObjectVersion[] };

const key = ({ account, region }: Scope, ...rest: string[]): StoreKey => [account, region, ...rest];

/** The guard of a bucket is written with every object of it, so that no object comes into a bucket that is being deleted. */
export const objectKeys = {
  buckets: (scope: Scope) => key(scope, "bucket"),
  bucket: (scope: Scope, bucket: string) => key(scope, "bucket", bucket),
  bucketGuard: (scope: Scope, bucket: string) => key(scope, "bucketGuard", bucket),
  objects: (scope: Scope, bucket: string) => key(scope, "object", bucket),
  object: (scope: Scope, { bucket, key: objectKey }: Pick<ObjectAddress, "bucket" | "key">) =>
    key(scope, "object", bucket, objectKey),
};

/** An error whose name on the wire is S3's own. */
export function objectError(
  code: ErrorCode,
  s3Code: string,
  message: string,
  details: Record<string, string | number> = {},
): ThinglineError {
  return new ThinglineError(code, message, { details: { ...details, s3Code } });
}

export const noSuchBucket = (bucket: string) =>
  objectError("RESOURCE_NOT_FOUND", "NoSuchBucket", "The specified bucket does not exist", { bucket });

export const noSuchKey = ({ bucket, key: objectKey }: ObjectAddress) =>
  objectError("RESOURCE_NOT_FOUND", "NoSuchKey", "The specified key does not exist.", { bucket, key: objectKey });

export const noSuchVersion = ({ bucket, key: objectKey, versionId = "" }: ObjectAddress) =>
  objectError("RESOURCE_NOT_FOUND", "NoSuchVersion", "The specified version does not exist.", {
    ...{ bucket, key: objectKey, versionId },
  });

/** @throws {ThinglineError} REQUEST_INVALID for a name that no bucket can have. */
export function requireBucketName(bucket: string): void {
  const isName = /^[a-z0-9][a-z0-9.-]{1,61}[a-z0-9]$/.test(bucket) && !/\.\.|^\d+\.\d+\.\d+\.\d+$/.test(bucket);
  if (!isName)
    throw objectError("REQUEST_INVALID", "InvalidBucketName", "The specified bucket is not valid.", { bucket });
}

/** @throws {ThinglineError} REQUEST_INVALID for a key that no object can have. */
export function requireObjectKey(objectKey: string): void {
  const bytes = new TextEncoder().encode(objectKey).length;
  if (bytes > 0 && bytes <= objectKeyBytesMax) return;
  throw objectError("REQUEST_INVALID", "KeyTooLongError", "Your key is too long", { bytes, max: objectKeyBytesMax });
}
