import { encodeBase64 } from "@thingline/protocol/x509";
import { fromHex, isThinglineError, ThinglineError, toHex } from "@thingline/protocol";
import { blobBytesMax } from "../../store/blobs.js";
import type { BlobFacts } from "../../store/blobs.js";
import type { StoreOperation } from "../../store/store.js";
import { keepBlob, releaseBlob } from "../blob-records.js";
import { answer, type Effect, type Operation, type OperationContext } from "../operation.js";
import { saga } from "../saga.js";
import { requireBucket } from "./buckets.js";
import { checksumOf, type Checksum, type ChecksumHeader } from "./checksums.js";
import { Md5 } from "./md5.js";
import {
  objectError,
  objectKeys,
  objectsServiceName,
  objectVersionsMax,
  requireObjectKey,
  unversionedId,
  type ObjectRecord,
  type ObjectVersion,
  type StoredVersion,
} from "./model.js";
import { factsOf, type ObjectFacts } from "./read.js";

/** Of one object. */
export const objectBytesMax = blobBytesMax;

/** What the sender says of the content. */
export interface ExpectedContent {
  bytes?: number;
  /** Base64, as in Content-MD5. */
  md5?: string;
  /** Hexadecimal, as in x-amz-content-sha256. */
  sha256?: string;
  /** Base64, under its header. */
  checksum?: { header: ChecksumHeader; value: string };
}

export interface PutObjectInput {
  bucket: string;
  key: string;
  /** Taken as it comes, and never kept as a whole. */
  chunks: AsyncIterable<Uint8Array> | Iterable<Uint8Array>;
  /** Answered with the content: `content-type`, `x-amz-meta-…`, by lower-case names. */
  headers?: Readonly<Record<string, string>>;
  /** Which checksum is asked for. */
  checksumHeader?: ChecksumHeader;
  /** Asked when all of the content is there: what is said behind it is known then. */
  expected?: () => ExpectedContent;
  /** ETags as in If-Match: the object must be one of these. */
  ifMatch?: (etag: string | undefined) => boolean;
  signal?: AbortSignal;
}

export interface PutObjectResult extends ObjectFacts {
  /** Whether the bucket was ever asked to keep versions. */
  isVersioned: boolean;
}

const findBucket: Operation<{ bucket: string }, void> = async (context, { bucket }) => {
  await requireBucket(context, bucket);
  return answer(undefined);
};

/**
 * Puts an object: as a whole or not at all, whatever ends it. What it replaces is there until then.
 *
 * @throws {ThinglineError} RESOURCE_NOT_FOUND for the bucket; REQUEST_INVALID when the content is not what was said of it; VERSION_CONFLICT
 * when a condition does not hold; LIMIT_EXCEEDED; STORE_UNWRITABLE; whatever `chunks` throws.
 */
export const putObject = saga(objectsServiceName, async (context, input: PutObjectInput): Promise<PutObjectResult> => {
  const { run, blobs, random } = context;
  const { bucket, key, headers = {}, checksumHeader, ifMatch } = input;
  requireObjectKey(key);
  await run(findBucket, { bucket });
  const blobName = random.uuid();
  const md5 = new Md5();
  const checksum = checksumHeader === undefined ? undefined : checksumOf(checksumHeader);
  const options = { bytesMax: objectBytesMax, ...(input.signal && { signal: input.signal }) };
  const facts = await blobs.put(blobName, digested(input.chunks, [md5, checksum]), options).catch((error: unknown) => {
    throw isThinglineError(error, "LIMIT_EXCEEDED") && error.details["limit"] === "bytesMax" ? tooLarge(error) : error;
  });
  try {
    const content = { md5: md5.digest(), checksum: checksumHeader && valueOf(checksum, facts) };
    verify(facts, content, checksumHeader, input.expected?.() ?? {});
    const version = {
      ...{ blobName, bytes: facts.bytes, sha256: facts.sha256, md5: toHex(content.md5), headers: { ...headers } },
      ...(checksumHeader !== undefined &&
        content.checksum !== undefined && { checksum: { header: checksumHeader, value: content.checksum } }),
    };
    return await run(commitObject, { bucket, key, version, ...(ifMatch && { ifMatch }) });
  } catch (error) {
    await blobs.delete(blobName);
    throw error;
  }
});

async function* digested(
  chunks: PutObjectInput["chunks"],
  digests: readonly (Pick<Checksum, "update"> | undefined)[],
): AsyncGenerator<Uint8Array, void> {
  for await (const chunk of chunks) {
    for (const digest of digests) digest?.update(chunk);
    yield chunk;
  }
}

const valueOf = (checksum: Checksum | undefined, { sha256 }: BlobFacts) =>
  checksum?.base64() ?? encodeBase64(fromHex(sha256) ?? new Uint8Array());

/** @throws {ThinglineError} REQUEST_INVALID */
function verify(
  facts: BlobFacts,
  content: { md5: Uint8Array; checksum: string | undefined },
  checksumHeader: ChecksumHeader | undefined,
  { bytes, md5, sha256, checksum }: ExpectedContent,
): void {
  const invalid = (s3Code: string, message: string) => objectError("REQUEST_INVALID", s3Code, message);
  if (bytes !== undefined && bytes !== facts.bytes) {
    const message = "You did not provide the number of bytes specified by the Content-Length HTTP header";
    throw invalid("IncompleteBody", message);
  }
  if (sha256 !== undefined && sha256 !== facts.sha256) {
    const message = "The provided 'x-amz-content-sha256' header does not match what was computed.";
    throw invalid("XAmzContentSHA256Mismatch", message);
  }
  if (md5 !== undefined && md5 !== encodeBase64(content.md5)) {
    throw invalid("BadDigest", "The Content-MD5 you specified did not match what we received.");
  }
  if (checksumHeader === undefined || checksum === undefined || checksum.value === content.checksum) return;
  const name = checksumHeader.replace("x-amz-checksum-", "").toUpperCase();
  throw invalid("BadDigest", `The ${name} you specified did not match the calculated checksum.`);
}

/**
 * Compares bytes that are there whole with what their sender said of them.
 *
 * @throws {ThinglineError} REQUEST_INVALID
 */
export function verifyDocument(
  document: Uint8Array,
  sha256: string,
  { checksumHeader, expected }: { checksumHeader: ChecksumHeader | undefined; expected: ExpectedContent },
): void {
  const md5 = new Md5();
  md5.update(document);
  const checksum = checksumHeader && checksumOf(checksumHeader);
  checksum?.update(document);
  const facts = { bytes: document.length, sha256 };
  verify(facts, { md5: md5.digest(), checksum: checksumHeader && valueOf(checksum, facts) }, checksumHeader, expected);
}

type NewVersion = Omit<StoredVersion, "versionId" | "modifiedAtMs">;
interface CommitInput {
  bucket: string;
  key: string;
  version: NewVersion;
  ifMatch?: (etag: string | undefined) => boolean;
}

const decideObject = async (context: OperationContext, { bucket, key, version, ifMatch }: CommitInput) => {
  const { scope, store, nowMs, random } = context;
  const { value: bucketRecord, ...bucketEntry } = await requireBucket(context, bucket);
  const objectKey = objectKeys.object(scope, { bucket, key });
  const entry = await store.get<ObjectRecord>(objectKey);
  const before = entry?.value.versions ?? [];
  requireMatch(before[0], ifMatch);
  const versionId = bucketRecord.versioning === "Enabled" ? random.uuid().replaceAll("-", "") : unversionedId;
  const stored: StoredVersion = { ...version, versionId, modifiedAtMs: nowMs };
  const placed = placeVersion(before, stored);
  const released = placed.replaced.map((name) => releaseBlob(scope, objectsServiceName, name));
  const operations: StoreOperation[] = [
    { key: bucketEntry.key, expectedRevision: bucketEntry.revision, check: true },
    { key: objectKeys.bucketGuard(scope, bucket), value: null },
    { key: objectKey, expectedRevision: entry?.revision ?? 0, value: { versions: placed.versions } },
    keepBlob(scope, objectsServiceName, version.blobName, version),
    ...released.map(({ operation }) => operation),
  ];
  const effects: Effect[] = released.map(({ effect }) => effect);
  return { result: { ...factsOf(stored), isVersioned: bucketRecord.versioning !== undefined }, operations, effects };
};

/** What the saga ends with. Those who put the same object take turns. */
const commitObject: Operation<CommitInput, PutObjectResult> = Object.assign(decideObject, {
  lane: ({ bucket, key }: CommitInput) => `object/${bucket}/${key}`,
});

/** @throws {ThinglineError} VERSION_CONFLICT */
function requireMatch(newest: ObjectVersion | undefined, ifMatch: CommitInput["ifMatch"]): void {
  const etag = newest === undefined || "isDeleteMarker" in newest ? undefined : `"${newest.md5}"`;
  if (ifMatch === undefined || ifMatch(etag)) return;
  const message = "At least one of the pre-conditions you specified did not hold";
  throw objectError("VERSION_CONFLICT", "PreconditionFailed", message);
}

/**
 * The versions of an object with a new one: of those without an id of their own there is one.
 *
 * @returns also the blobs that nobody needs any more
 * @throws {ThinglineError} QUOTA_EXCEEDED
 */
export function placeVersion(
  before: readonly ObjectVersion[],
  added: ObjectVersion,
): { versions: ObjectVersion[]; replaced: string[] } {
  const isReplaced = ({ versionId }: ObjectVersion) => versionId === unversionedId && added.versionId === unversionedId;
  const versions = [added, ...before.filter((version) => !isReplaced(version))];
  const replaced = before.flatMap((version) =>
    isReplaced(version) && !("isDeleteMarker" in version) ? [version.blobName] : [],
  );
  if (versions.length <= objectVersionsMax) return { versions, replaced };
  const message = `The local cloud keeps ${objectVersionsMax} versions of an object: delete some that nobody needs`;
  throw objectError("QUOTA_EXCEEDED", "InvalidRequest", message, { objectVersionsMax });
}

function tooLarge(cause: Error) {
  const message = "Your proposed upload exceeds the maximum allowed object size.";
  return new ThinglineError("LIMIT_EXCEEDED", message, {
    details: { max: objectBytesMax, s3Code: "EntityTooLarge" },
    cause,
  });
}
