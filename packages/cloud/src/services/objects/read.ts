import { ThinglineError } from "@thingline/protocol";
import { answer, type Operation } from "../operation.js";
import { saga } from "../saga.js";
import type { ChecksumHeader } from "./checksums.js";
import { Gate } from "./gate.js";
import {
  noSuchBucket,
  noSuchKey,
  noSuchVersion,
  objectError,
  objectKeys,
  objectsServiceName,
  type ObjectRecord,
  type ObjectVersion,
  type StoredVersion,
} from "./model.js";
import type { ObjectAddress } from "./s3-url.js";

/** What is known of an object without reading it. */
export interface ObjectFacts {
  bytes: number;
  /** In quotes, as HTTP wants it: the MD5 of the content. */
  etag: string;
  /** 64 hexadecimal digits in lower case. */
  sha256: string;
  modifiedAtMs: number;
  /** `null`, as a text, in a bucket that keeps no versions. */
  versionId: string;
  /** What S3 answers with the content, by lower-case names: `content-type`, `x-amz-meta-…`. */
  headers: Readonly<Record<string, string>>;
  /** By the header that it was given in. */
  checksum: { header: ChecksumHeader; value: string } | undefined;
}

/** A part of an object, from its first to its last byte. */
export interface ObjectReading extends ObjectFacts {
  /** Bytes of the whole object before this part. */
  start: number;
  /** Where it ends: `end - start` bytes come. */
  end: number;
  /**
   * To be read once, soon, and in the time of the reader: nothing is read ahead. Fails with STORE_CORRUPT when the whole is read and is not
   * what was put, and with RESOURCE_NOT_FOUND when the object was deleted before its first chunk was asked for.
   */
  chunks: AsyncIterable<Uint8Array>;
}

export interface ReadObjectInput extends ObjectAddress {
  /** Bytes, `end` not included and at most the end of the object. Default: all of it. */
  range?: { start?: number; end?: number };
}

/** Within a commit as well. @throws {ThinglineError} RESOURCE_NOT_FOUND for bucket, key or version. */
export const headObject: Operation<ObjectAddress, ObjectFacts> = async (context, address) => {
  return answer(factsOf(await findVersion(context, address)));
};

/** Read whole into memory: a range that a device asks for, a block of a stream. */
export const objectPartBytesMax = 131_072;
/** Parts that are read at one time; others wait for their turn. */
export const objectPartReadsMax = 64;

export interface ObjectPart extends ObjectFacts {
  start: number;
  end: number;
  content: Uint8Array;
}

/**
 * The same for a small part, in memory. However many ask, so many parts are read at once, and none is refused for that.
 *
 * @throws {ThinglineError} what {@link readObject} throws; OPTION_INVALID for a longer part
 */
export function createReadObjectPart(): Operation<ReadObjectInput, ObjectPart> {
  const gate = new Gate(objectPartReadsMax);
  return saga(objectsServiceName, async ({ run }, input: ReadObjectInput): Promise<ObjectPart> =>
    gate.run(async () => {
      const { chunks, ...reading } = await run(readObject, input);
      const { start, end } = reading;
      if (end - start > objectPartBytesMax) {
        const message = `a part has at most ${objectPartBytesMax} bytes, got ${end - start}`;
        throw new ThinglineError("OPTION_INVALID", message, { details: { option: "range" } });
      }
      const content = new Uint8Array(end - start);
      let at = 0;
      for await (const chunk of chunks) {
        content.set(chunk, at);
        at += chunk.length;
      }
      return { ...reading, content };
    }),
  );
}

/** @throws {ThinglineError} RESOURCE_NOT_FOUND */
const findBlob: Operation<ObjectAddress, StoredVersion> = async (context, address) =>
  answer(await findVersion(context, address));

/**
 * Reads an object or a part of it, for any other service: `await context.run(objects.readObject, …)` in a saga.
 *
 * @throws {ThinglineError} RESOURCE_NOT_FOUND for bucket, key or version; STORE_CORRUPT; LIMIT_EXCEEDED when too many are being read.
 */
export const readObject = saga(
  objectsServiceName,
  async ({ run, blobs }, { range, ...address }: ReadObjectInput): Promise<ObjectReading> => {
    const version = await run(findBlob, address);
    const reading = await blobs.read(version.blobName, range);
    // Its record was there a moment ago: it was deleted meanwhile, or its file is gone.
    if (reading === undefined) throw noSuchKey(address);
    const { start, end, chunks } = reading;
    return { ...factsOf(version), start, end, chunks };
  },
);

export function factsOf(version: StoredVersion): ObjectFacts {
  const { bytes, sha256, md5, modifiedAtMs, versionId, headers, checksum } = version;
  return { bytes, sha256, etag: `"${md5}"`, modifiedAtMs, versionId, headers, checksum };
}

async function findVersion(
  { store, scope }: Parameters<typeof headObject>[0],
  address: ObjectAddress,
): Promise<StoredVersion> {
  const entry = await store.get<ObjectRecord>(objectKeys.object(scope, address));
  if (entry === undefined) {
    if ((await store.get(objectKeys.bucket(scope, address.bucket))) === undefined) throw noSuchBucket(address.bucket);
    throw address.versionId === undefined ? noSuchKey(address) : noSuchVersion(address);
  }
  const { versionId } = address;
  const [newest] = entry.value.versions;
  const found: ObjectVersion | undefined =
    versionId === undefined ? newest : entry.value.versions.find((version) => version.versionId === versionId);
  if (found === undefined) throw versionId === undefined ? noSuchKey(address) : noSuchVersion(address);
  if (!("isDeleteMarker" in found)) return found;
  const details = { bucket: address.bucket, key: address.key, deleteMarker: found.versionId };
  if (versionId === undefined) {
    throw objectError("RESOURCE_NOT_FOUND", "NoSuchKey", "The specified key does not exist.", details);
  }
  const message = "The specified method is not allowed against this resource.";
  throw objectError("RESOURCE_NOT_FOUND", "MethodNotAllowed", message, details);
}
