// The device library's downloader of streams against the local cloud's MQTT file delivery over mutual TLS, with a restart of the cloud in the middle.
import assert from "node:assert/strict";
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { test, type TestContext } from "node:test";
import { CreateStreamCommand, DeleteStreamCommand, UpdateStreamCommand } from "@aws-sdk/client-iot";
import { CreateBucketCommand, PutObjectCommand, S3Client } from "@aws-sdk/client-s3";
import {
  createStreamDownloader,
  type Download,
  type FileIdentity,
  type StreamDownloaderOptions,
} from "@thingline/device/fota";
import { connectDevice } from "@thingline/device/node";
import { createNodeClock, createNodeRandom } from "@thingline/transport/node";
import { createVirtualRandom } from "@thingline/transport/virtual";
import { openWorld, portOf, type World } from "./cloud-world.test.support.js";

const { signal } = new AbortController();
const roleArn = "arn:aws:iam::123456789012:role/firmware";
const streamId = "firmware-1";

async function put({ started }: World, key: string, content: Uint8Array): Promise<void> {
  const credentials = { accessKeyId: "test", secretAccessKey: "test" };
  const place = { endpoint: started.addresses.api, region: "us-east-1", credentials, forcePathStyle: true };
  const s3 = new S3Client(place);
  await s3.send(new CreateBucketCommand({ Bucket: "firmware" })).catch(() => undefined);
  await s3.send(new PutObjectCommand({ Bucket: "firmware", Key: key, Body: content }));
  s3.destroy();
}

const filesOf = (...keys: string[]) => keys.map((key, fileId) => ({ fileId, s3Location: { bucket: "firmware", key } }));

async function openGateway(context: TestContext) {
  const folder = await mkdtemp(join(tmpdir(), "thingline-streams-"));
  context.after(() => rm(folder, { recursive: true, force: true }));
  const dataDir = join(folder, "cloud");
  const world = await openWorld(context, { dataDir });
  const thing = await world.started.createThing("gateway");
  const device = await connectDevice({ ...thing, reconnect: { baseMs: 50, capMs: 100 } });
  context.after(() => device.close());
  const open = (
    options: Partial<StreamDownloaderOptions>,
    from?: { offset: number; expected: FileIdentity },
    fileId = 0,
  ) =>
    createStreamDownloader({ device, clock: createNodeClock(), random: createNodeRandom(), ...options }).open(
      {
        source: { type: "stream", streamName: streamId, fileId, sizeBytes: undefined },
        offset: from?.offset ?? 0,
        expected: from?.expected,
      },
      { signal },
    );
  return { world, dataDir, device, open };
}

async function read(download: Download, onBytes: (count: number) => Promise<void> | void = () => undefined) {
  const chunks: Uint8Array[] = [];
  let count = 0;
  for await (const chunk of download.chunks()) {
    chunks.push(chunk);
    await onBytes((count += chunk.length));
  }
  return Buffer.concat(chunks);
}

test("files of a stream in both formats, on from an offset, and what AWS answers when there is none", async (context) => {
  const { world, open } = await openGateway(context);
  const content = createVirtualRandom("firmware").bytes(700_001);
  await put(world, "app.bin", content);
  await put(world, "small.bin", content.subarray(0, 100));
  await world.iot.send(new CreateStreamCommand({ streamId, files: filesOf("app.bin", "small.bin"), roleArn }));
  for (const options of [{}, { format: "json" }, { blockBytes: 1_024 }, { blockBytes: 65_536 }] as const) {
    const download = await open(options);
    assert.deepEqual(Buffer.from(await read(download)), Buffer.from(content), JSON.stringify(options));
  }
  assert.deepEqual(Buffer.from(await read(await open({}, undefined, 1))), Buffer.from(content.subarray(0, 100)));
  const { identity: expected } = await open({});
  const rest = await read(await open({}, { offset: 699_000, expected }));
  assert.deepEqual(rest, Buffer.from(content.subarray(699_000)));
  await assert.rejects(open({}, undefined, 7), { code: "DOWNLOAD_GONE" });

  await world.iot.send(new UpdateStreamCommand({ streamId, files: filesOf("small.bin") }));
  await assert.rejects(open({}, { offset: 10, expected }), { code: "DOWNLOAD_CHANGED" });
  await put(world, "small.bin", content.subarray(0, 200));
  await assert.rejects(
    open({}).then((download) => read(download)),
    (error) => {
      assert.match(String((error as { code?: unknown }).code), /^DOWNLOAD_(?:GONE|INVALID)$/);
      return true;
    },
  );
  await world.iot.send(new DeleteStreamCommand({ streamId }));
  await assert.rejects(open({}), { code: "DOWNLOAD_GONE" });
});

test("a download goes on over a restart of the cloud", async (context) => {
  const { world, dataDir, device, open } = await openGateway(context);
  const content = createVirtualRandom("firmware").bytes(400_000);
  await put(world, "app.bin", content);
  await world.iot.send(new CreateStreamCommand({ streamId, files: filesOf("app.bin"), roleArn }));
  const download = await open({ windowBytes: 32_768 });
  let isCut = false;
  const bytes = await read(download, async (count) => {
    if (isCut || count < 100_000) return;
    isCut = true;
    const ready = new Promise<void>((resolve) => void device.on("ready", () => resolve()));
    const mqttsPort = portOf(world.started.addresses.mqtts);
    await world.started.close();
    await openWorld(context, { dataDir, mqttsPort });
    await ready;
  });
  assert.deepEqual(bytes, Buffer.from(content));
  assert.ok(isCut);
});
