import type { S3Client } from "@aws-sdk/client-s3";
import { ThinglineError } from "@thingline/protocol";
import { findRunningCloud } from "@thingline/cloud/node";
import { s3Sdk } from "../aws-sdk.js";
import { localAccessKey } from "../access-keys.js";
import { UsageError } from "../failure.js";
import { isAwsError, type PlaceOptions } from "./plane.js";
import type { ObjectId, ObjectPlace } from "./object-place.js";

/** Where the local cloud keeps firmware unless `--bucket` says otherwise. */
export const localBucket = "thingline-firmware";

/** A bucket that firmware is put into, of the local cloud or of AWS. */
export interface ObjectStore {
  readonly bucket: string;
  /** Puts it there, unless the same is there already. */
  put(key: string, bytes: Uint8Array, signal: AbortSignal): Promise<{ isNew: boolean }>;
  /** @throws {ThinglineError} LIMIT_EXCEEDED for a larger one; AWS's NoSuchKey, NoSuchBucket */
  get(object: ObjectId, options: { bytesMax: number; signal: AbortSignal }): Promise<Uint8Array>;
  /** For the job document. */
  placeOf(key: string): ObjectPlace;
}

export async function openObjectStore(
  options: PlaceOptions & { bucket?: string | undefined },
  signal: AbortSignal,
): Promise<ObjectStore> {
  return options.aws === true
    ? openAws(options.bucket, signal)
    : openLocal(options.dataDir, options.bucket ?? localBucket);
}

const bucketMissing = () => new UsageError("--aws needs --bucket: where devices fetch the image from");

/** Before anything is done. @throws {UsageError} */
export function requireBucket({ aws, bucket }: { aws?: boolean; bucket?: string }): void {
  if (aws === true && bucket === undefined) throw bucketMissing();
}

async function openLocal(dataDir: string, bucket: string): Promise<ObjectStore> {
  const running = await findRunningCloud(dataDir);
  const { objects } = running;
  if (objects === undefined) {
    throw new ThinglineError(
      "CLOUD_NOT_RUNNING",
      "the cloud that runs there has no objects: it is of an earlier version",
    );
  }
  const { S3Client, CreateBucketCommand } = s3Sdk();
  const credentials = await localAccessKey();
  const client = new S3Client({ endpoint: running.api, region: running.region, credentials, forcePathStyle: true });
  const { host, protocol } = new URL(objects);
  return storeOf({
    ...{ client, bucket, region: running.region },
    // Made when it is first needed.
    prepare: async (signal) => {
      await client
        .send(new CreateBucketCommand({ Bucket: bucket }), { abortSignal: signal })
        .catch((error: unknown) => {
          if (!isAwsError(error, "BucketAlreadyOwnedByYou") && !isAwsError(error, "BucketAlreadyExists")) throw error;
        });
    },
    plain: (key) => ({ protocol, host, path: `${bucket}/${key}` }),
  });
}

async function openAws(bucket: string | undefined, signal: AbortSignal): Promise<ObjectStore> {
  if (bucket === undefined) throw bucketMissing();
  const { HeadBucketCommand, S3Client } = s3Sdk();
  // An endpoint of one's own mostly has one name for all buckets.
  const { AWS_ENDPOINT_URL_S3, AWS_ENDPOINT_URL } = process.env;
  const forcePathStyle = (AWS_ENDPOINT_URL_S3 ?? AWS_ENDPOINT_URL) !== undefined;
  const client = new S3Client({ followRegionRedirects: true, forcePathStyle });
  // A signed URL is good in the bucket's own region only, which need not be that of the devices.
  const { BucketRegion } = await client.send(new HeadBucketCommand({ Bucket: bucket }), { abortSignal: signal });
  const region = BucketRegion ?? (await client.config.region());
  return storeOf({
    ...{ client, bucket, region },
    prepare: async () => {},
    plain: (key) => ({ protocol: "https:", host: `${bucket}.s3.${region}.amazonaws.com`, path: key }),
  });
}

function storeOf(where: {
  client: S3Client;
  bucket: string;
  region: string;
  prepare: (signal: AbortSignal) => Promise<void>;
  plain: (key: string) => Pick<ObjectPlace, "protocol" | "host" | "path">;
}): ObjectStore {
  const { client, bucket, region } = where;
  return {
    bucket,
    async put(key, bytes, signal) {
      const { HeadObjectCommand, PutObjectCommand } = s3Sdk();
      await where.prepare(signal);
      const send = { abortSignal: signal };
      const there = await client.send(new HeadObjectCommand({ Bucket: bucket, Key: key }), send).catch(absent);
      // The key names the bytes.
      if (there?.ContentLength === bytes.length) return { isNew: false };
      const content = { Body: bytes, ContentLength: bytes.length, ContentType: "application/octet-stream" };
      await client.send(new PutObjectCommand({ Bucket: bucket, Key: key, ...content }), send);
      return { isNew: true };
    },
    async get({ bucket: from, key }, { bytesMax, signal }) {
      const { GetObjectCommand } = s3Sdk();
      const found = await client.send(new GetObjectCommand({ Bucket: from, Key: key }), { abortSignal: signal });
      const { ContentLength: length = 0, Body: body } = found;
      if (length > bytesMax || body === undefined) {
        const message = `the object ${key} has ${length} bytes, more than the ${bytesMax} that are read`;
        throw new ThinglineError("LIMIT_EXCEEDED", message, { details: { key, length, bytesMax } });
      }
      return body.transformToByteArray();
    },
    placeOf: (key) => ({ ...where.plain(key), s3Url: `https://s3.${region}.amazonaws.com/${bucket}/${key}` }),
  };
}

function absent(error: unknown): undefined {
  if (isAwsError(error, "NotFound") || isAwsError(error, "NoSuchKey")) return undefined;
  throw error;
}
