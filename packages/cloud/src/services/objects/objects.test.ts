import assert from "node:assert/strict";
import { test } from "node:test";
import { isThinglineError } from "@thingline/protocol";
import { openServiceWorld, scope } from "../world.test.support.js";
import { blobRecordKey } from "../blob-records.js";
import { Gate } from "./gate.js";
import { listedObjectsMax, listedRecordsMax } from "./list.js";
import {
  bucketsMax,
  objectKeyBytesMax,
  objectKeys,
  objectsServiceName,
  objectVersionsMax,
  type ObjectRecord,
} from "./model.js";
import { objectPartBytesMax, objectPartReadsMax } from "./read.js";
import { createObjects } from "./service.js";

const text = (content: string) => [new TextEncoder().encode(content)];
const isS3 = (code: string) => (error: unknown) => isThinglineError(error) && error.details["s3Code"] === code;

async function openObjects() {
  const world = await openServiceWorld();
  const objects = createObjects();
  await world.run(objects.createBucket, { bucket: "firmware" });
  const put = (key: string, content = key) =>
    world.run(objects.putObject, { bucket: "firmware", key, chunks: text(content) });
  const list = (more: object = {}) => world.run(objects.listObjects, { bucket: "firmware", ...more });
  return { ...world, objects, put, list };
}

test("a key has so many bytes, and an object so many versions", async () => {
  const { run, objects, put } = await openObjects();
  await put("ä".repeat(objectKeyBytesMax / 2));
  await assert.rejects(put("ä".repeat(objectKeyBytesMax / 2) + "x"), isS3("KeyTooLongError"));
  await assert.rejects(put(""), isS3("KeyTooLongError"));
  await run(objects.putBucketVersioning, { bucket: "firmware", versioning: "Enabled" });
  for (let version = 0; version < objectVersionsMax; version++) await put("app", String(version));
  await assert.rejects(put("app"), isS3("InvalidRequest"));
  const address = { bucket: "firmware", key: "app" };
  await assert.rejects(run(objects.deleteObject, address), isS3("InvalidRequest"));
  const { versionId } = await run(objects.headObject, address);
  await run(objects.deleteObject, { ...address, versionId });
  await put("app");
});

test("there are so many buckets, of names that are some", async () => {
  const { run, objects, store } = await openObjects();
  const create = (bucket: string) => run(objects.createBucket, { bucket });
  for (const bucket of ["ab", "A-b-c", "a_b", "a..b", "-abc", "abc-", "1.2.3.4", "a".repeat(64)])
    await assert.rejects(create(bucket), isS3("InvalidBucketName"), bucket);
  const value = { createdAtMs: 0 };
  const others = Array.from({ length: bucketsMax - 2 }, (_none, at) => objectKeys.bucket(scope, `other-${at}`));
  await store.commit(others.map((key) => ({ key, expectedRevision: 0, value })));
  await create("last.one");
  await assert.rejects(create("one-more"), isS3("TooManyBuckets"));
  assert.equal((await run(objects.listBuckets, {})).length, bucketsMax);
});

test("a page of a list has so many objects, and looks at so many records", async () => {
  const { put, list, store } = await openObjects();
  const { etag: _etag, ...facts } = await put("a");
  const blobName = "any";
  const version = {
    ...facts,
    headers: {},
    md5: "00",
    blobName,
    checksum: { header: "x-amz-checksum-crc32", value: "y" } as const,
  };
  const { isVersioned: _versioned, ...stored } = version;
  const record = (key: string, versions: ObjectRecord["versions"]) => ({
    key: objectKeys.object(scope, { bucket: "firmware", key }),
    value: { versions },
  });
  const name = (at: number) => String(at).padStart(6, "0");
  const count = listedObjectsMax + 1;
  await store.commit(Array.from({ length: count }, (_none, at) => record(`b${name(at)}`, [stored])));
  const first = await list({ prefix: "b" });
  assert.deepEqual([first.objects.length, first.next], [listedObjectsMax, `b${name(listedObjectsMax - 1)}`]);
  const second = await list({ prefix: "b", after: first.next });
  assert.deepEqual([second.objects.length, second.next], [1, undefined]);
  const marker = { versionId: "null", modifiedAtMs: 0, isDeleteMarker: true } as const;
  await store.commit(Array.from({ length: listedRecordsMax + 1 }, (_none, at) => record(`c${name(at)}`, [marker])));
  const hidden = await list({ prefix: "c" });
  assert.deepEqual(hidden.objects, []);
  assert.ok(hidden.next !== undefined && hidden.next >= `c${name(listedRecordsMax - 1)}`);
  assert.deepEqual(await list({ prefix: "c", after: hidden.next }), {
    objects: [],
    commonPrefixes: [],
    next: undefined,
  });
});

test("a part of an object has so many bytes, and so many are read at a time", async () => {
  const { run, objects } = await openObjects();
  const chunks = [new Uint8Array(objectPartBytesMax + 1)];
  const address = { bucket: "firmware", key: "app" };
  await run(objects.putObject, { ...address, chunks });
  const part = await run(objects.readObjectPart, { ...address, range: { start: 1, end: objectPartBytesMax + 1 } });
  assert.equal(part.content.length, objectPartBytesMax);
  await assert.rejects(run(objects.readObjectPart, address), (error) => isThinglineError(error, "OPTION_INVALID"));

  const gate = new Gate(objectPartReadsMax);
  const waiting: (() => void)[] = [];
  let running = 0;
  let runningMost = 0;
  const works = Array.from({ length: objectPartReadsMax + 3 }, () =>
    gate.run(async () => {
      runningMost = Math.max(runningMost, ++running);
      await new Promise<void>((resolve) => waiting.push(resolve));
      running--;
    }),
  );
  while (running > 0 || waiting.length > 0) {
    waiting.shift()?.();
    await Promise.resolve();
  }
  await Promise.all(works);
  assert.equal(runningMost, objectPartReadsMax);
});

test("what is replaced or deleted leaves no content behind", async () => {
  const { run, objects, put, store } = await openObjects();
  await put("app", "one");
  await put("app", "two");
  const blobs = async () =>
    (await store.list(blobRecordKey(scope, objectsServiceName, "").slice(0, -1), { limit: 10 })).length;
  assert.equal(await blobs(), 1);
  const { chunks, bytes } = await run(objects.readObject, { bucket: "firmware", key: "app" });
  let whole = "";
  for await (const chunk of chunks) whole += new TextDecoder().decode(chunk);
  assert.deepEqual([whole, bytes], ["two", 3]);
  await run(objects.deleteObject, { bucket: "firmware", key: "app" });
  assert.equal(await blobs(), 0);
  await run(objects.deleteBucket, { bucket: "firmware" });
});

test("a bucket that is being deleted takes no object, and one with an object is not deleted", async () => {
  const { run, objects, put } = await openObjects();
  const outcomes = await Promise.allSettled([put("app"), run(objects.deleteBucket, { bucket: "firmware" })]);
  const isThere = await run(objects.headBucket, { bucket: "firmware" }).then(
    () => true,
    () => false,
  );
  // Whichever came first, an object is in a bucket that is there.
  assert.equal(outcomes[0].status === "fulfilled", isThere);
  assert.equal(outcomes[1].status === "fulfilled", !isThere);
});

test("suspended versions keep those that have ids, and one that has none", async () => {
  const { run, objects, put } = await openObjects();
  const bucket = "firmware";
  await put("app", "before");
  await run(objects.putBucketVersioning, { bucket, versioning: "Enabled" });
  const { versionId } = await put("app", "enabled");
  await run(objects.putBucketVersioning, { bucket, versioning: "Suspended" });
  assert.equal((await put("app", "suspended")).versionId, "null");
  await put("app", "again");
  const { versions } = await run(objects.listObjectVersions, { bucket });
  assert.deepEqual(
    versions.map(({ version, isLatest }) => [version.versionId, isLatest]),
    [
      ["null", true],
      [versionId, false],
    ],
  );
  assert.deepEqual(await run(objects.deleteObject, { bucket, key: "app" }), {
    versionId: "null",
    isDeleteMarker: true,
  });
  assert.equal((await run(objects.headObject, { bucket, key: "app", versionId })).bytes, "enabled".length);
});
