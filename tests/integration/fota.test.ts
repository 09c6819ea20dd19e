// Firmware over the air against the local cloud over real sockets: jobs with presigned URLs, objects over TLS, a simulated board.
import assert from "node:assert/strict";
import { createServer } from "node:https";
import type { AddressInfo } from "node:net";
import { test, type TestContext } from "node:test";
import { CreateJobCommand, DescribeJobExecutionCommand } from "@aws-sdk/client-iot";
import { CreateBucketCommand, GetObjectCommand, PutObjectCommand, S3Client } from "@aws-sdk/client-s3";
import { getSignedUrl } from "@aws-sdk/s3-request-presigner";
import {
  createFirmwareUpdater,
  createHttpDownloader,
  type FotaEvent,
  type HttpDownloaderOptions,
  whenReady,
} from "@thingline/device/fota";
import { runJobs } from "@thingline/device/jobs";
import { createDevice } from "@thingline/device/node";
import { createBoard, makeSimulatedFirmware, runBoard } from "@thingline/sim";
import { bytesEqual, concatBytes, isThinglineError } from "@thingline/protocol";
import { makeTestCertificates } from "@thingline/transport/contract";
import { createNodeClock, createNodeKeys, createNodeNetwork, createNodeRandom } from "@thingline/transport/node";
import { createNodeImageCrypto } from "@thingline/transport/node/firmware";
import { createVirtualFiles, createVirtualFlash } from "@thingline/transport/virtual";
import { openWorld, type World } from "./cloud-world.test.support.js";

const clock = createNodeClock();
const random = createNodeRandom();
const network = createNodeNetwork();
const crypto = createNodeImageCrypto();
const { privateKeyPem, publicKeyPem } = await crypto.generateKey("ecdsa-p256");
const thingName = "pump";

const firmware = (version: string, health: string, sizeBytes = 100_000): Promise<Uint8Array> =>
  makeSimulatedFirmware({ crypto, privateKeyPem, version, sizeBytes, program: { health } });

async function openStore(context: TestContext, { started }: World): Promise<S3Client> {
  const credentials = { accessKeyId: "test", secretAccessKey: "test" };
  const s3 = new S3Client({ endpoint: started.addresses.api, region: "us-east-1", credentials, forcePathStyle: true });
  context.after(() => s3.destroy());
  await s3.send(new CreateBucketCommand({ Bucket: "firmware" }));
  return s3;
}

/** Updates a board by one job. @returns what the cloud and the board say in the end */
async function update(world: World, document: object, presigned = true) {
  const { iot, started } = world;
  const thing = await started.createThing(thingName);
  const files = createVirtualFiles();
  const board = await createBoard({
    flash: createVirtualFlash({ sizeBytes: 512 * 1_024 }),
    crypto,
    keys: [crypto.publicKeyOf(publicKeyPem)],
    factoryImage: await firmware("1.0.0", "good"),
  });
  const events: FotaEvent[] = [];
  const off = new AbortController();
  const boots: string[] = [];
  const running = runBoard(
    board,
    async (image, { reboot, signal }) => {
      boots.push(image.version);
      await using device = createDevice({ ...thing, reconnect: { firstAttempt: "retry", baseMs: 50, capMs: 200 } });
      await using updater = createFirmwareUpdater({
        files,
        journalPath: "fota.json",
        clock,
        random,
        targets: [board.target()],
        downloaders: [createHttpDownloader({ clock, dialer: network, tls: { ca: started.caPem } })],
        reboot,
        connected: whenReady(device),
        healthCheck: () => image.program["health"] === "good",
        onEvent: (event) => void events.push(event),
        limits: { retryMinMs: 1, retryMaxMs: 10 },
      });
      const ended = (): void => off.abort();
      await using _jobs = await runJobs(device, {
        handlers: { app_fw_update: updater.handler },
        clock,
        random,
        files,
        folder: "jobs",
        progressIntervalMs: 0,
        on: { jobCompleted: ended, jobFailed: ended, jobRejected: ended },
      });
      device.connect().catch(() => undefined);
      await new Promise<void>((resolve) => signal.addEventListener("abort", () => resolve(), { once: true }));
    },
    { signal: off.signal },
  );
  const roleArn = "arn:aws:iam::123456789012:role/firmware";
  const presignedUrlConfig = presigned ? { presignedUrlConfig: { roleArn, expiresInSec: 3_600 } } : {};
  const job = { jobId: "update", targets: [thing.thingArn], document: JSON.stringify(document), ...presignedUrlConfig };
  await iot.send(new CreateJobCommand(job));
  await running;
  const { execution } = await iot.send(new DescribeJobExecutionCommand({ jobId: "update", thingName }));
  const names = events.map(({ type }) => type).filter((type) => type !== "progress" && type !== "note");
  const { running: runs } = await board.target().state();
  return { status: execution?.status, details: execution?.statusDetails?.detailsMap ?? {}, boots, names, runs };
}

const presignedLocation = { url: "${aws:iot:s3-presigned-url:https://s3.us-east-1.amazonaws.com/firmware/app.bin}" };

test("a job with a presigned URL brings a new image to a board, and says SUCCEEDED when it runs", async (context) => {
  const world = await openWorld(context);
  const s3 = await openStore(context, world);
  await s3.send(new PutObjectCommand({ Bucket: "firmware", Key: "app.bin", Body: await firmware("2.0.0", "good") }));
  const document = { operation: "app_fw_update", fwversion: "v2.0.0", location: presignedLocation };
  const { status, details, boots, names, runs } = await update(world, document);
  assert.deepEqual([status, details["versionRunning"], details["phase"]], ["SUCCEEDED", "2.0.0+0", "confirmed"]);
  assert.deepEqual(boots, ["1.0.0+0", "2.0.0+0"]);
  assert.equal(runs.trial, "confirmed");
  assert.deepEqual(names.slice(-3), ["booted", "healthy", "confirmed"]);
});

test("an ill image goes back, and the job says why", async (context) => {
  const world = await openWorld(context);
  const s3 = await openStore(context, world);
  await s3.send(new PutObjectCommand({ Bucket: "firmware", Key: "app.bin", Body: await firmware("2.0.0", "ill") }));
  const { status, details, boots } = await update(world, { operation: "app_fw_update", location: presignedLocation });
  assert.deepEqual([status, details["reason"], details["versionRunning"]], ["FAILED", "healthCheckFailed", "1.0.0+0"]);
  assert.deepEqual(boots, ["1.0.0+0", "2.0.0+0", "1.0.0+0"]);
});

test("a file that is not there, and a URL that has expired, are gone after fresh documents", async (context) => {
  const world = await openWorld(context);
  const s3 = await openStore(context, world);
  const { status, details } = await update(world, { operation: "app_fw_update", location: presignedLocation });
  assert.deepEqual([status, details["reason"]], ["FAILED", "downloadGone"]);
  assert.match(details["message"] ?? "", /404/u);
  await s3.send(new PutObjectCommand({ Bucket: "firmware", Key: "app.bin", Body: await firmware("2.0.0", "good") }));
  const command = new GetObjectCommand({ Bucket: "firmware", Key: "app.bin" });
  const url = await getSignedUrl(s3, command, { expiresIn: 1, signingDate: new Date(Date.now() - 60_000) });
  const downloader = createHttpDownloader({ clock, dialer: network });
  const signal = new AbortController().signal;
  const opening = downloader.open({ source: { type: "http", url }, offset: 0, expected: undefined }, { signal });
  await assert.rejects(opening, (error) => {
    assert.ok(isThinglineError(error, "DOWNLOAD_GONE"));
    assert.match(error.message, /403/u);
    return true;
  });
});

async function fetchAll(options: Partial<HttpDownloaderOptions>, url: string): Promise<Uint8Array> {
  const downloader = createHttpDownloader({ clock, dialer: network, ...options });
  const request = { source: { type: "http", url }, offset: 0, expected: undefined } as const;
  const download = await downloader.open(request, { signal: new AbortController().signal });
  const parts: Uint8Array[] = [];
  for await (const chunk of download.chunks()) parts.push(chunk);
  return concatBytes(parts);
}

test("over TLS whose records are bounded, head and body of each range of the cloud's objects fit into one", async (context) => {
  const world = await openWorld(context);
  const s3 = await openStore(context, world);
  const body = await firmware("2.0.0", "good", 60_000);
  await s3.send(new PutObjectCommand({ Bucket: "firmware", Key: "app.bin", Body: body }));
  const endpoint = world.started.addresses.objects;
  const signer = new S3Client({
    endpoint,
    region: "us-east-1",
    credentials: { accessKeyId: "test", secretAccessKey: "test" },
    forcePathStyle: true,
  });
  context.after(() => signer.destroy());
  const url = await getSignedUrl(signer, new GetObjectCommand({ Bucket: "firmware", Key: "app.bin" }), {
    expiresIn: 600,
  });
  let largest = 0;
  const tls = {
    ca: world.started.caPem,
    maxVersion: "TLSv1.2",
    receivedRecordBytesMax: 2_048,
    onRecord: ({
      direction,
      contentType,
      lengthBytes,
    }: {
      direction: string;
      contentType: number;
      lengthBytes: number;
    }) => {
      if (direction === "received" && contentType === 23) largest = Math.max(largest, lengthBytes);
    },
  } as const;
  assert.ok(bytesEqual(await fetchAll({ tls }, url), body));
  assert.ok(largest > 1_500 && largest <= 2_048 + 24, `the largest record has ${largest} bytes`);
});

test("a server that puts 16 KB into a record is named", async (context) => {
  const { ca, server } = await makeTestCertificates(createNodeKeys());
  const options = { cert: server.certificatePem, key: server.privateKeyPem };
  // It has never heard of ranges.
  const https = createServer(options, (_request, response) => response.end(new Uint8Array(100_000)));
  await new Promise<void>((resolve) => https.listen(0, "127.0.0.1", resolve));
  context.after(() => https.close());
  const { port } = https.address() as AddressInfo;
  const tls = { ca: ca.certificatePem, receivedRecordBytesMax: 2_048 };
  await assert.rejects(fetchAll({ tls }, `https://127.0.0.1:${port}/app.bin`), (error) => {
    assert.ok(isThinglineError(error, "TLS_RECORD_TOO_LARGE"));
    assert.match(error.message, /sent \d{4,5} bytes in one TLS record for a range of 256 bytes.*2048/u);
    return true;
  });
  const native = { ca: ca.certificatePem };
  assert.equal((await fetchAll({ tls: native }, `https://127.0.0.1:${port}/app.bin`)).length, 100_000);
});
