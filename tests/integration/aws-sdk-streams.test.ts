// Streams: the unmodified AWS SDK makes them, and MQTT.js receives their files from a whole local cloud.
import assert from "node:assert/strict";
import { test, type TestContext } from "node:test";
import { CreateBucketCommand, PutObjectCommand, S3Client } from "@aws-sdk/client-s3";
import {
  CreateStreamCommand,
  DeleteStreamCommand,
  DescribeStreamCommand,
  ListStreamsCommand,
  ListTagsForResourceCommand,
  ResourceAlreadyExistsException,
  ResourceNotFoundException,
  UpdateStreamCommand,
} from "@aws-sdk/client-iot";
import {
  decodeStreamBlock,
  decodeStreamDescription,
  decodeStreamRejection,
  encodeDescribeStreamRequest,
  encodeGetStreamRequest,
  streamTopic,
  type StreamTopicType,
} from "@thingline/protocol/streams";
import type mqtt from "mqtt";
import { connectClient, createDevice, openWorld } from "./cloud-world.test.support.js";

const roleArn = "arn:aws:iam::123456789012:role/streams";
const content = Uint8Array.from({ length: 300_000 }, (_none, at) => (at * 31 + (at >> 8)) & 0xff);

async function openFirmware(context: TestContext) {
  const world = await openWorld(context, { memory: true, limits: "aws" });
  const credentials = { accessKeyId: "test", secretAccessKey: "test" };
  const endpoint = world.started.addresses.api;
  const s3 = new S3Client({ endpoint, region: "us-east-1", credentials, forcePathStyle: true, maxAttempts: 1 });
  context.after(() => s3.destroy());
  await s3.send(new CreateBucketCommand({ Bucket: "firmware" }));
  const put = (Body: Uint8Array) => s3.send(new PutObjectCommand({ Bucket: "firmware", Key: "app.bin", Body }));
  await put(content);
  const files = [{ fileId: 1, s3Location: { bucket: "firmware", key: "app.bin" } }];
  await world.iot.send(new CreateStreamCommand({ streamId: "update", description: "v2", files, roleArn }));
  return { ...world, files, put };
}

interface Received {
  topic: string;
  payload: Uint8Array;
  qos: number;
}

/** Messages as they come; waits until so many are there. */
function watch(client: mqtt.MqttClient) {
  const received: Received[] = [];
  let wake: () => void = () => undefined;
  client.on("message", (topic, payload, { qos }) => {
    received.push({ topic, payload: Uint8Array.from(payload), qos });
    wake();
  });
  return async (count: number): Promise<Received[]> => {
    while (received.length < count) await new Promise<void>((resolve) => (wake = resolve));
    return received.splice(0, count);
  };
}

const topicOf = (type: StreamTopicType, format: "json" | "cbor" = "cbor") =>
  streamTopic({ thingName: "pump-7", streamId: "update", type, format });

test("AWS's client makes, changes and deletes streams", async (context) => {
  const { iot, files } = await openFirmware(context);
  const streamId = "update";
  const { streamInfo } = await iot.send(new DescribeStreamCommand({ streamId }));
  assert.deepEqual([streamInfo?.streamVersion, streamInfo?.files, streamInfo?.roleArn], [1, files, roleArn]);
  assert.ok(streamInfo?.createdAt instanceof Date);
  await assert.rejects(iot.send(new CreateStreamCommand({ streamId, files, roleArn })), ResourceAlreadyExistsException);
  const tags = [{ Key: "team", Value: "a" }];
  const { streamArn } = await iot.send(new CreateStreamCommand({ streamId: "other", files, roleArn, tags }));
  const listed = await iot.send(new ListTagsForResourceCommand({ resourceArn: streamArn }));
  assert.deepEqual(listed.tags, tags);
  await iot.send(new DeleteStreamCommand({ streamId: "other" }));
  assert.equal((await iot.send(new UpdateStreamCommand({ streamId, files }))).streamVersion, 2);
  assert.deepEqual(
    (await iot.send(new ListStreamsCommand({}))).streams?.map((stream) => stream.streamId),
    [streamId],
  );
  await iot.send(new DeleteStreamCommand({ streamId }));
  await assert.rejects(iot.send(new DescribeStreamCommand({ streamId })), ResourceNotFoundException);
});

test("a device receives a file over MQTT, block by block, and nobody else does", async (context) => {
  const world = await openFirmware(context);
  const credentials = await createDevice(world.iot);
  const device = await connectClient(context, world.started, credentials, { clientId: "pump-7" });
  const other = await connectClient(context, world.started, credentials, { clientId: "bystander" });
  await other.subscribeAsync("$aws/things/pump-7/streams/#", { qos: 1 });
  const overheard: string[] = [];
  other.on("message", (topic) => overheard.push(topic));
  const next = watch(device);
  await device.subscribeAsync([topicOf("data"), topicOf("description"), topicOf("rejected")], { qos: 1 });

  device.publish(topicOf("describe"), Buffer.from(encodeDescribeStreamRequest({ clientToken: "a" }, "cbor")), {
    qos: 1,
  });
  const [description] = await next(1);
  assert.deepEqual(decodeStreamDescription(description?.payload ?? content, "cbor"), {
    ...{ clientToken: "a", streamVersion: 1, description: "v2", files: [{ fileId: 1, bytes: content.length }] },
  });
  // More messages than one connection is sent in a second: they wait, and none is lost.
  const blockBytes = 1_024;
  const blockCount = Math.ceil(content.length / blockBytes);
  const image = new Uint8Array(content.length);
  for (let firstBlock = 0; firstBlock < blockCount; firstBlock += 128) {
    const request = encodeGetStreamRequest({ fileId: 1, blockBytes, firstBlock, streamVersion: 1 }, "cbor");
    device.publish(topicOf("get"), Buffer.from(request), { qos: 1 });
    for (const { payload, qos } of await next(Math.min(128, blockCount - firstBlock))) {
      const block = decodeStreamBlock(payload, "cbor");
      image.set(block.payload, block.block * blockBytes);
      assert.equal(qos, 1);
    }
  }
  assert.equal(Buffer.from(image).compare(content), 0);

  device.publish(topicOf("get"), Buffer.from(encodeGetStreamRequest({ fileId: 9, blockBytes }, "cbor")), { qos: 1 });
  const [rejected] = await next(1);
  assert.equal(decodeStreamRejection(rejected?.payload ?? content, "cbor").code, "ResourceNotFound");
  assert.deepEqual(
    overheard.filter((topic) => !/\/(?:get|describe)\//.test(topic)),
    [],
  );
});

test("a client gets blocks with the quality that it subscribed with, and without a subscription as well", async (context) => {
  const { started, iot, put } = await openFirmware(context);
  const credentials = await createDevice(iot);
  const device = await connectClient(context, started, credentials, { clientId: "pump-7" });
  const next = watch(device);
  await device.subscribeAsync(topicOf("data", "json"), { qos: 0 });
  const request = encodeGetStreamRequest({ fileId: 1, blockBytes: 4_096, blockCount: 3 }, "json");
  device.publish(topicOf("get", "json"), Buffer.from(request), { qos: 0 });
  assert.deepEqual(
    (await next(3)).map(({ qos, payload }) => [qos, decodeStreamBlock(payload, "json").block]),
    [
      [0, 0],
      [0, 1],
      [0, 2],
    ],
  );
  await put(content.subarray(1));
  device.publish(topicOf("get", "json"), Buffer.from(request), { qos: 1 });
  const [rejected] = await next(1);
  assert.equal(rejected?.topic, topicOf("rejected", "json"));
  const { code, o } = JSON.parse(Buffer.from(rejected?.payload ?? "").toString()) as { code: string; o: string };
  assert.deepEqual([code, o], ["ETagMismatch", "ETagMismatch"]);
});
