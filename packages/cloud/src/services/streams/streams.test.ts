import assert from "node:assert/strict";
import { test } from "node:test";
import { isThinglineError } from "@thingline/protocol";
import {
  encodeBlockBitmap,
  streamAnswerBytesMax,
  streamFileBytesMax,
  streamFilesMax,
} from "@thingline/protocol/streams";
import { requireFileBytes, streamKeys, streamsMax } from "./model.js";
import { openStreamsWorld, requester, roleArn } from "./streams-world.test.support.js";
import { scope } from "../world.test.support.js";

const bytesOf = (length: number) => Uint8Array.from({ length }, (_none, at) => (at * 31 + (at >> 8)) & 0xff);
const isCode = (code: string) => (error: unknown) => isThinglineError(error) && error.code === code;
const fileAt = (key: string, more: object = {}) => ({ fileId: 0, s3Location: { bucket: "firmware", key, ...more } });

test("streams are created, described, updated, listed and deleted", async () => {
  const { run, put, streams, clock } = await openStreamsWorld();
  const { createStream, describeStream, updateStream, listStreams, deleteStream } = streams.operations;
  await put("app", bytesOf(10));
  const created = await run(createStream, { streamId: "one", description: "d", files: [fileAt("app")], roleArn });
  const streamArn = "arn:aws:iot:us-east-1:123456789012:stream/one";
  assert.deepEqual(created, { streamId: "one", streamArn, description: "d", streamVersion: 1 });
  const createdAt = clock.unixMs() / 1_000;
  await clock.advance(5_000);
  assert.equal((await run(updateStream, { streamId: "one", description: "e" })).streamVersion, 2);
  const { streamInfo } = await run(describeStream, { streamId: "one" });
  assert.deepEqual(streamInfo, {
    ...{ streamId: "one", streamArn, streamVersion: 2, description: "e", roleArn, files: [fileAt("app")] },
    ...{ createdAt, lastUpdatedAt: createdAt + 5 },
  });
  await assert.rejects(
    run(createStream, { streamId: "one", files: [fileAt("app")], roleArn }),
    isCode("RESOURCE_EXISTS"),
  );
  await run(createStream, { streamId: "two", files: [fileAt("app")], roleArn });
  const names = async (input: object) => (await run(listStreams, input)).streams?.map(({ streamId }) => streamId);
  assert.deepEqual(await names({}), ["one", "two"]);
  assert.deepEqual(await names({ ascendingOrder: false }), ["two", "one"]);
  const { nextToken } = await run(listStreams, { maxResults: 1 });
  assert.deepEqual(await names({ nextToken }), ["two"]);
  await run(deleteStream, { streamId: "one" });
  await assert.rejects(run(deleteStream, { streamId: "one" }), isCode("RESOURCE_NOT_FOUND"));
  await assert.rejects(run(describeStream, { streamId: "one" }), isCode("RESOURCE_NOT_FOUND"));
});

test("a stream needs files that are there, of different ids, few and not too large", async () => {
  const { run, put, streams } = await openStreamsWorld();
  const { createStream } = streams.operations;
  await put("app", bytesOf(10));
  const create = (files: readonly object[]) => run(createStream, { streamId: "s", files: files as never, roleArn });
  await assert.rejects(create([fileAt("none")]), isCode("RESOURCE_NOT_FOUND"));
  await assert.rejects(create([fileAt("app", { version: "7" })]), isCode("RESOURCE_NOT_FOUND"));
  await assert.rejects(create([fileAt("app"), fileAt("app")]), isCode("REQUEST_INVALID"));
  await assert.rejects(create([{ fileId: 0 }]), isCode("REQUEST_INVALID"));
  const many = (count: number) => Array.from({ length: count }, (_none, fileId) => ({ ...fileAt("app"), fileId }));
  await assert.rejects(create(many(streamFilesMax + 1)), isCode("REQUEST_INVALID"));
  await create(many(streamFilesMax));
  requireFileBytes({ fileId: 0, bytes: streamFileBytesMax });
  assert.throws(() => requireFileBytes({ fileId: 0, bytes: streamFileBytesMax + 1 }), isCode("REQUEST_INVALID"));
});

test("there are so many streams and no more", async () => {
  const { run, put, streams, store } = await openStreamsWorld();
  const { createStream, deleteStream } = streams.operations;
  await put("app", bytesOf(10));
  const create = (streamId: string) => run(createStream, { streamId, files: [fileAt("app")], roleArn });
  await create("first");
  // As if the others had been made.
  await store.commit([{ key: streamKeys.count(scope), value: streamsMax - 1 }]);
  await create("last");
  await assert.rejects(create("more"), isCode("QUOTA_EXCEEDED"));
  await run(deleteStream, { streamId: "first" });
  await create("more");
});

test("a device gets the files of a stream, in JSON and in CBOR", async () => {
  const { createStream, describe, get } = await openStreamsWorld();
  const content = bytesOf(10_000);
  await createStream("fw", content);
  for (const format of ["json", "cbor"] as const) {
    const { descriptions } = await describe("fw", { clientToken: "t" }, format);
    assert.deepEqual(descriptions, [{ clientToken: "t", streamVersion: 1, files: [{ fileId: 1, bytes: 10_000 }] }]);
    const { blocks } = await get("fw", { clientToken: "t", fileId: 1, blockBytes: 4_096 }, format);
    assert.deepEqual(
      blocks.map(({ clientToken, fileId, block }) => [clientToken, fileId, block]),
      [0, 1, 2].map((block) => ["t", 1, block]),
    );
    assert.deepEqual(Buffer.concat(blocks.map(({ payload }) => payload)).compare(content), 0);
  }
});

test("the blocks of a bitmap come ascending, and no more than one answer has room for", async () => {
  const { createStream, get } = await openStreamsWorld();
  const blockBytes = 256;
  const content = bytesOf(1_000 * blockBytes);
  await createStream("fw", content);
  const numbers = async (request: object) =>
    (await get("fw", { fileId: 1, blockBytes, ...request })).blocks.map(({ block, payload }) => {
      assert.deepEqual(payload, content.subarray(block * blockBytes, (block + 1) * blockBytes));
      return block;
    });
  const room = streamAnswerBytesMax / blockBytes;
  assert.deepEqual(
    await numbers({}),
    Array.from({ length: room }, (_none, at) => at),
  );
  assert.deepEqual(await numbers({ firstBlock: 990 }), [990, 991, 992, 993, 994, 995, 996, 997, 998, 999]);
  assert.deepEqual(
    await numbers({ firstBlock: 20, bitmap: encodeBlockBitmap([20, 21, 24, 43, 999], 20) }),
    [20, 21, 24, 43, 999],
  );
  assert.deepEqual(await numbers({ bitmap: encodeBlockBitmap([5, 900, 7], 0), blockCount: 2 }), [5, 7]);
  assert.deepEqual(await numbers({ firstBlock: 998, bitmap: encodeBlockBitmap([998, 1_500], 998) }), [998]);
  assert.equal(
    (
      await numbers({
        bitmap: encodeBlockBitmap(
          Array.from({ length: 1_000 }, (_none, at) => at),
          0,
        ),
      })
    ).length,
    room,
  );
  assert.deepEqual(await numbers({ firstBlock: 3, blockCount: 2 }), [3, 4]);
});

test("each way to be refused has AWS's code, and the token when it could be read", async () => {
  const { createStream, get, describe, publish, put, run, streams } = await openStreamsWorld();
  await createStream("fw", bytesOf(1_000));
  const refused = async (request: object, streamId = "fw") => {
    const { blocks, rejections } = await get(
      streamId,
      { clientToken: "t", fileId: 1, blockBytes: 256, ...request },
      "json",
    );
    assert.deepEqual([blocks.length, rejections.length, rejections[0]?.clientToken], [0, 1, "t"]);
    return rejections[0]?.code;
  };
  assert.equal(await refused({}, "none"), "ResourceNotFound");
  assert.equal(await refused({ fileId: 2 }), "ResourceNotFound");
  assert.equal(await refused({ streamVersion: 2 }), "VersionMismatch");
  assert.equal(await refused({ firstBlock: 4 }), "OffsetOutOfBounds");
  assert.equal(await refused({ blockBytes: 255 }), "BlockSizeOutOfBounds");
  assert.equal(await refused({ blockCount: 0 }), "InvalidRequest");
  assert.equal(await refused({ bitmap: new Uint8Array(5) }), "InvalidRequest");
  assert.equal(await refused({ bitmap: encodeBlockBitmap([100], 0) }), "ResourceNotFound");
  assert.equal((await describe("none")).rejections[0]?.code, "ResourceNotFound");
  const topic = (rest: string) => `$aws/things/${requester}/streams/fw/${rest}`;
  assert.equal((await publish(topic("get/cbor"), Uint8Array.of(1))).rejections[0]?.code, "InvalidCbor");
  assert.equal((await publish(topic("describe/json"), Uint8Array.of(1))).rejections[0]?.code, "InvalidJson");
  assert.equal((await publish(topic("create/json"), Uint8Array.of(1))).rejections[0]?.code, "InvalidTopic");
  assert.deepEqual((await publish(topic("data/json"), Uint8Array.of(1))).rejections, []);

  await put("fw", bytesOf(1_001));
  assert.equal(await refused({}), "ETagMismatch");
  await run(streams.operations.updateStream, { streamId: "fw", files: [{ ...fileAt("fw"), fileId: 1 }] });
  assert.equal((await get("fw", { fileId: 1, blockBytes: 256, streamVersion: 2 })).blocks.length, 4);
});

test("a stream of a version goes on with it when the object is replaced", async () => {
  const { run, put, get, streams, objects } = await openStreamsWorld();
  await run(objects.putBucketVersioning, { bucket: "firmware", versioning: "Enabled" });
  const version = await put("app", bytesOf(300));
  const files = [{ ...fileAt("app", { version }), fileId: 1 }];
  await run(streams.operations.createStream, { streamId: "fw", files, roleArn });
  await put("app", bytesOf(5));
  assert.equal((await get("fw", { fileId: 1, blockBytes: 512 })).blocks[0]?.payload.length, 300);
  await run(objects.deleteObject, { bucket: "firmware", key: "app", versionId: version });
  assert.equal((await get("fw", { fileId: 1, blockBytes: 512 })).rejections[0]?.code, "ResourceNotFound");
});
