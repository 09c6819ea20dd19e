import { join } from "node:path";
import type { StartedCloud } from "@thingline/cloud/node";
import { createDevice, type DeviceOptions } from "@thingline/device";
import { createHttpDownloader } from "@thingline/device/fota";
import { ThinglineError } from "@thingline/protocol";
import type { ImageCrypto } from "@thingline/protocol/image";
import { type Board, type BoardApplication, makeSimulatedFirmware, runBoard } from "@thingline/sim";
import { makePrivateFolder, type Random, type SecTagDialer } from "@thingline/transport";
import { createNodeImageCrypto } from "@thingline/transport/node/firmware";
import { iotSdk, s3Sdk } from "./aws-sdk.js";
import { localAccessKey } from "./access-keys.js";
import type { Adapters } from "./adapters.js";
import type { ControlPlane } from "./control-plane.js";
import { runFirmwareApplication } from "./firmware-application.js";
import { readTextFile } from "./text-file.js";
import { shortVersion } from "./short-version.js";
import { createUpdateView } from "./update-view.js";
import type { Output } from "./output.js";
import { makeFactoryImage, openSimulatedBoard } from "./simulated-board.js";

/** Of the cloud that the demonstration starts. */
const demoRegion = "us-east-1";
const firstVersion = "1.0.0";
const imageBytes = 512 * 1024;
const bucket = "demo-firmware";
/** With `--keep`, what the bootloader trusts has to be the same the next time. */
const keyFileName = "firmware-key.pem";
const keyFileBytesMax = 65_536;
/** Head and body of an answer are one TLS record, of which the modem takes 2,048 bytes. */
const modemRangeBytes = 1_024;
/** Nothing in the demonstration takes so long. */
const updateTimeoutMs = 120_000;

export interface DemoUpdate {
  output: Output;
  signal: AbortSignal;
  adapters: Adapters;
  folder: string;
  cloud: StartedCloud;
  plane: ControlPlane;
  /** The provisioned device, and how it connects. */
  thingName: string;
  secTag: number;
  secTagDialer: SecTagDialer;
  /** Says no to its own health. */
  isBad: boolean;
}

/** A name and what there is to say about it. */
export type Row = (name: string, ...lines: string[]) => string;

/** What the update is about. */
interface Update {
  jobId: string;
  /** In the bucket. */
  key: string;
  oldVersion: string;
  newVersion: string;
}

/** A signed image by an AWS IoT job: downloaded, verified, swapped, booted, healthy, confirmed; or not. */
export async function showFirmwareUpdate(demo: DemoUpdate, row: Row): Promise<void> {
  const { output, adapters, folder } = demo;
  const what = `${imageBytes / 1024} KiB${demo.isBad ? ", of firmware that is bad" : ""}`;
  output.say("");
  output.say(output.paint.bold(`A firmware update over the air, ${what}`));
  const crypto = createNodeImageCrypto();
  const privateKeyPem = await signingKey(demo, crypto);
  await using simulated = await openSimulatedBoard(adapters, {
    folder: join(folder, "board"),
    crypto,
    keys: [crypto.publicKeyOf(privateKeyPem)],
    factoryImage: await makeFactoryImage(crypto, firstVersion, privateKeyPem),
  });
  const { board } = simulated;
  const slotBytes = board.layout.primary.sizeBytes;
  const oldVersion = await versionOf(board);
  output.event(
    { event: "boardReady", version: oldVersion, slotBytes },
    row("simulated board", `runs ${oldVersion}`, `MCUboot with two slots of ${slotBytes / 1024} KiB`),
  );
  const update = updateFrom(oldVersion, adapters.random);
  const image = await publishImage(demo, { update, crypto, privateKeyPem });
  const { newVersion, jobId, key } = update;
  output.event(
    { event: "imageUploaded", version: newVersion, bytes: image.length, keyType: "ecdsa-p256", bucket, key },
    row(
      "new image",
      `version ${newVersion}, ${image.length} bytes`,
      "signed with ECDSA P-256",
      `at s3://${bucket}/${key}`,
    ),
  );
  await createJob(demo, update, image.length);
  output.event({ event: "jobCreated", jobId }, row("job", jobId, `for thing ${demo.thingName}, with a presigned URL`));
  await runUntilJobEnds(demo, board);
  demo.signal.throwIfAborted();
  await showOutcome(demo, row, { update, running: await versionOf(board) });
}

const versionOf = async (board: Board) => shortVersion((await board.target().state()).running.version);

async function signingKey({ adapters: { files }, folder, signal }: DemoUpdate, crypto: ImageCrypto): Promise<string> {
  const path = join(folder, keyFileName);
  if (await files.exists(path)) return readTextFile(files, path, { bytesMax: keyFileBytesMax, signal });
  const { privateKeyPem } = await crypto.generateKey("ecdsa-p256");
  await files.replace(path, new TextEncoder().encode(privateKeyPem));
  return privateKeyPem;
}

function updateFrom(oldVersion: string, random: Random): Update {
  const [major = "1", minor = "0"] = oldVersion.split(".");
  const newVersion = `${major}.${Number(minor) + 1}.0`;
  const jobId = `demo-update-${random.uuid().slice(0, 8)}`;
  return { jobId, key: `app-${newVersion}.bin`, oldVersion, newVersion };
}

/** From boot to boot, until the cloud has taken what the job came to. */
async function runUntilJobEnds(demo: DemoUpdate, board: Board): Promise<void> {
  const { output, adapters, folder, signal } = demo;
  const deviceFolder = join(folder, "firmware");
  await makePrivateFolder(adapters.files, deviceFolder);
  const view = createUpdateView(output);
  const ended = new AbortController();
  const end = () => ended.abort();
  const application: BoardApplication = async (image, context) => {
    view.booted(context.report);
    await using device = createDevice(deviceOptions(demo));
    await runFirmwareApplication(adapters, {
      ...{ image, context, device, folder: deviceFolder, downloaders: [downloaderOf(demo)] },
      onFota: (event) => view.fota(event),
      onJobs: { jobCompleted: end, jobFailed: end, jobRejected: end, jobCancelled: end },
      run: async () => {
        await device.connect({ signal: context.signal });
        await aborted(context.signal);
      },
    });
  };
  try {
    const limit = AbortSignal.timeout(updateTimeoutMs);
    await runBoard(board, application, { signal: AbortSignal.any([signal, ended.signal, limit]) });
  } finally {
    view.end();
  }
}

async function publishImage(
  demo: DemoUpdate,
  made: { update: Update; crypto: ImageCrypto; privateKeyPem: string },
): Promise<Uint8Array> {
  using _step = demo.output.begin("signing and uploading the new image");
  const { update, crypto, privateKeyPem } = made;
  const program = { healthCheckFails: "no sensor" };
  const image = await makeSimulatedFirmware({
    ...{ crypto, privateKeyPem, version: update.newVersion, sizeBytes: imageBytes },
    ...(demo.isBad && { program }),
  });
  await upload(demo, update.key, image);
  return image;
}

/** As with S3: the client of AWS, and nothing that it would not do there. */
async function upload({ cloud, signal }: DemoUpdate, key: string, image: Uint8Array): Promise<void> {
  const { S3Client, CreateBucketCommand, PutObjectCommand } = s3Sdk();
  const credentials = await localAccessKey();
  const client = new S3Client({ endpoint: cloud.addresses.api, region: demoRegion, credentials, forcePathStyle: true });
  const call = { abortSignal: signal };
  try {
    // In a folder that was kept it is there already.
    await client.send(new CreateBucketCommand({ Bucket: bucket }), call).catch((error: unknown) => {
      if (!(error instanceof Error && error.name === "BucketAlreadyOwnedByYou")) throw error;
    });
    await client.send(new PutObjectCommand({ Bucket: bucket, Key: key, Body: image }), call);
  } finally {
    client.destroy();
  }
}

async function createJob(
  { plane, thingName, signal }: DemoUpdate,
  { jobId, key, newVersion }: Update,
  size: number,
): Promise<void> {
  const { CreateJobCommand, DescribeThingCommand } = iotSdk();
  const call = { abortSignal: signal };
  const { thingArn = "" } = await plane.client.send(new DescribeThingCommand({ thingName }), call);
  const url = `\${aws:iot:s3-presigned-url:https://s3.${demoRegion}.amazonaws.com/${bucket}/${key}}`;
  const document = JSON.stringify({ operation: "app_fw_update", fwversion: newVersion, size, location: { url } });
  await plane.client.send(new CreateJobCommand({ jobId, targets: [thingArn], document }), call);
}

function deviceOptions({ adapters, plane, thingName, secTag, secTagDialer }: DemoUpdate): DeviceOptions {
  const { clock, random } = adapters;
  return { ...plane.device, clientId: thingName, clock, random, secTagDialer, secTag };
}

function downloaderOf({ adapters, secTag, secTagDialer }: DemoUpdate) {
  const isBounded = secTagDialer.receivedRecordBytesMax !== undefined;
  return createHttpDownloader({
    ...{ clock: adapters.clock, secTag, secTagDialer },
    ...(isBounded && { rangeBytes: modemRangeBytes }),
  });
}

function aborted(signal: AbortSignal): Promise<void> {
  return new Promise((resolve) => {
    if (signal.aborted) resolve();
    else signal.addEventListener("abort", () => resolve(), { once: true });
  });
}

/** What the cloud says, and what runs. */
async function showOutcome(
  { output, plane, thingName, isBad, signal }: DemoUpdate,
  row: Row,
  { update, running }: { update: Update; running: string },
): Promise<void> {
  const { jobId, oldVersion, newVersion } = update;
  const { DescribeJobExecutionCommand } = iotSdk();
  const { execution } = await plane.client.send(new DescribeJobExecutionCommand({ jobId, thingName }), {
    abortSignal: signal,
  });
  const { status = "unknown", statusDetails } = execution ?? {};
  const { reason, message, phase } = statusDetails?.detailsMap ?? {};
  const expected = isBad ? ["FAILED", oldVersion] : ["SUCCEEDED", newVersion];
  const isAsExpected = status === expected[0] && running === expected[1];
  const { green, red, yellow } = output.paint;
  const color = isAsExpected ? (isBad ? yellow : green) : red;
  output.event(
    {
      event: "updated",
      jobId,
      status,
      running,
      phase,
      ...(reason !== undefined && { reason }),
      ...(message !== undefined && { message }),
    },
    row(
      "job in the cloud",
      color(status),
      ...[reason, message].filter((line) => line !== undefined),
      `the device runs ${running}`,
    ),
  );
  if (isAsExpected) return;
  const what = `the update ended with ${status} and ${running} running, expected ${expected.join(" and ")}`;
  throw new ThinglineError("INTERNAL_FAILURE", what, { details: { status, running } });
}
