import type { CloudService } from "../service.js";
import type { Scope } from "../operation.js";
import { objectsServiceName } from "./model.js";
import { presignUrl, type PresignedUrlDependencies, type PresignedUrlRequest } from "./presigned-url.js";
import { createObjects, type Objects } from "./service.js";

// What other services and the HTTP face may know of objects.
export { bucketOfHost, isS3Host, parseS3Url, type ObjectAddress } from "./s3-url.js";
export { checksumHeaders, isChecksumHeader, type ChecksumHeader } from "./checksums.js";
export { listedObjectsMax } from "./list.js";
export { objectMetadataBytesMax } from "./model.js";
export { objectBytesMax, verifyDocument, type ExpectedContent } from "./put.js";
export { objectPartBytesMax } from "./read.js";
export type { ObjectFacts, ObjectPart, ObjectReading, ReadObjectInput } from "./read.js";
export type { ObjectsEndpoint, PresignedUrlRequest, SigningKey } from "./presigned-url.js";
export type { Objects } from "./service.js";

export interface ObjectsService extends CloudService<Objects> {
  /**
   * A URL by which a device may GET the object from this cloud until it expires, over HTTPS and without a client certificate: for the
   * placeholder of job documents. Whether there is such an object is not asked. May be called within an operation.
   *
   * @throws {ThinglineError} REQUEST_INVALID when no access key of this cloud speaks for the account.
   */
  presignedUrl(scope: Scope, request: PresignedUrlRequest): string;
}

/** Files in buckets, as S3 has them: firmware for jobs and streams. */
export function createObjectsService(deps: PresignedUrlDependencies): ObjectsService {
  return {
    name: objectsServiceName,
    operations: createObjects(),
    presignedUrl: (scope, request) => presignUrl(deps, scope, request),
  };
}
