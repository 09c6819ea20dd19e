// `thingline device run` with firmware updates, as the original's Kconfig options say: jobs of a local cloud, a board with its flash in a folder,
// reboots within one process and after `kill -9`.
import assert from "node:assert/strict";
import { readFile, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { test, type TestContext } from "node:test";
import { CreateJobCommand, DescribeJobExecutionCommand } from "@aws-sdk/client-iot";
import { CreateBucketCommand, PutObjectCommand, S3Client } from "@aws-sdk/client-s3";
import { startCloud, type StartedCloud } from "@thingline/cloud/node";
import { makeSimulatedModemDelta } from "@thingline/modem/simulator";
import { makeSimulatedFirmware } from "@thingline/sim";
import { createNodeImageCrypto } from "@thingline/transport/node/firmware";
import {
  runThinglineIn,
  startThinglineIn,
  temporaryFolder,
  type JsonEvent,
  type RunningProgram,
} from "./cli-process.test.support.js";
import { iotClient } from "./cloud-world.test.support.js";

const thing = "my-thing";
const bucket = "firmware";
const crypto = createNodeImageCrypto();

interface FotaWorld {
  cwd: string;
  cloud: StartedCloud;
  privateKeyPem: string;
  /** Uploads an image and makes a job of it. */
  deploy(jobId: string, image: Uint8Array, document?: Record<string, unknown>): Promise<void>;
  execution(jobId: string): Promise<{ status: string | undefined; details: Record<string, string> }>;
  /** With native TLS and the key of the bootloader. */
  start(): RunningProgram;
}

async function openFotaWorld(t: TestContext): Promise<FotaWorld> {
  const cwd = await temporaryFolder(t);
  const ports = { mqttsPort: 0, httpsPort: 0, apiPort: 0, objectsPort: 0 };
  const cloud = await startCloud({ dataDir: join(cwd, "cloud"), ...ports, limits: "none", keyPoolSize: 0 });
  t.after(() => cloud.close());
  const made = await runThinglineIn(t, { cwd }, "thing", "create", thing, "--data-dir", "cloud");
  assert.equal(made.code, 0, made.stderr);
  const { privateKeyPem } = await crypto.generateKey("ecdsa-p256");
  await writeFile(join(cwd, "boot.pem"), privateKeyPem);
  const lines = [
    await readFile(join(cwd, thing, "prj.conf"), "utf8"),
    ...["AWS_FOTA", "FOTA_DOWNLOAD", "DOWNLOAD_CLIENT", "DFU_TARGET", "CJSON_LIB"].map((name) => `CONFIG_${name}=y`),
    "CONFIG_AWS_IOT_AUTO_DEVICE_SHADOW_REQUEST=n",
  ];
  await writeFile(join(cwd, "fota.conf"), lines.join("\n"));
  const iot = iotClient(t, cloud.addresses.api);
  const credentials = { accessKeyId: "test", secretAccessKey: "test" };
  const s3 = new S3Client({ endpoint: cloud.addresses.api, region: "us-east-1", credentials, forcePathStyle: true });
  t.after(() => s3.destroy());
  await s3.send(new CreateBucketCommand({ Bucket: bucket }));
  return {
    ...{ cwd, cloud, privateKeyPem },
    async deploy(jobId, image, document) {
      await s3.send(new PutObjectCommand({ Bucket: bucket, Key: jobId, Body: image }));
      const url = `\${aws:iot:s3-presigned-url:https://s3.us-east-1.amazonaws.com/${bucket}/${jobId}}`;
      const whole = { operation: "app_fw_update", size: image.length, location: { url }, ...document };
      const targets = [`arn:aws:iot:us-east-1:123456789012:thing/${thing}`];
      await iot.send(new CreateJobCommand({ jobId, targets, document: JSON.stringify(whole) }));
    },
    async execution(jobId) {
      const { execution } = await iot.send(new DescribeJobExecutionCommand({ jobId, thingName: thing }));
      return { status: execution?.status, details: execution?.statusDetails?.detailsMap ?? {} };
    },
    start() {
      const conf = ["--conf", "fota.conf", "--certs", thing, "--native-tls", "--firmware-key", "boot.pem"];
      return startThinglineIn(t, { cwd }, "device", "run", ...conf, "--json");
    },
  };
}

const is =
  (name: string, facts: Record<string, unknown> = {}) =>
  (event: JsonEvent) =>
    event.event === name && Object.entries(facts).every(([key, value]) => event[key] === value);

test("a device from a Kconfig file does its jobs: an update, one with a wrong signature, one of an unknown kind", async (t) => {
  const world = await openFotaWorld(t);
  const { privateKeyPem } = world;
  const device = world.start();
  const board = await device.event(is("board"));
  assert.deepEqual([board["keyType"], board["folder"]], ["ecdsa-p256", ".thingline/modem/board"]);
  const boot = await device.event(is("boot"));
  assert.deepEqual([boot["version"], boot["isOnTrial"]], ["1.0.0+0", false]);

  await world.deploy("update", await makeSimulatedFirmware({ crypto, privateKeyPem, version: "1.1.0" }));
  const swapped = await device.event(is("boot", { version: "1.1.0+0" }));
  assert.deepEqual([swapped["swapType"], swapped["isOnTrial"]], ["test", true]);
  await device.event(is("job", { jobId: "update", state: "succeeded" }));
  const updated = await world.execution("update");
  assert.deepEqual(
    [updated.status, updated.details["phase"], updated.details["versionRunning"]],
    ["SUCCEEDED", "confirmed", "1.1.0+0"],
  );

  const stranger = await crypto.generateKey("ecdsa-p256");
  const forged = await makeSimulatedFirmware({ crypto, privateKeyPem: stranger.privateKeyPem, version: "1.2.0" });
  await world.deploy("forged", forged);
  const failed = await device.event(is("job", { jobId: "forged", state: "failed" }));
  const { reason, versionRunning } = failed["statusDetails"] as Record<string, string>;
  assert.deepEqual([reason, versionRunning], ["keyUnknown", "1.1.0+0"]);

  await world.deploy("strange", new Uint8Array(1), { operation: "make_coffee" });
  await device.event(is("job", { jobId: "strange", state: "rejected" }));
  assert.equal((await world.execution("strange")).details["reason"], "JOB_OPERATION_UNKNOWN");
  const { code, stderr } = await device.end("SIGINT");
  assert.equal(code, 0, stderr);
});

test("killed in the middle of a download and before the new image is confirmed, it goes on where it was", async (t) => {
  const world = await openFotaWorld(t);
  const { privateKeyPem } = world;
  const image = await makeSimulatedFirmware({ crypto, privateKeyPem, version: "2.0.0", sizeBytes: 500_000 });
  await world.deploy("update", image, { fwversion: "v2.0.0" });
  const first = world.start();
  await first.event(
    (event) => event.event === "fota" && event["phase"] === "progress" && Number(event["percent"]) >= 30,
  );
  await first.end("SIGKILL");
  const second = world.start();
  const resumed = await second.event(is("fota", { phase: "started" }));
  assert.equal(resumed["isResumed"], true);
  assert.ok(Number(resumed["offset"]) > 0, "it does not begin again");
  await second.event(is("fota", { phase: "rebooting" }));
  await second.end("SIGKILL");
  const third = world.start();
  await third.event(is("job", { jobId: "update", state: "succeeded" }));
  assert.equal((await world.execution("update")).details["versionRunning"], "2.0.0+0");
  assert.equal((await third.end("SIGINT")).code, 0);
});

test("through the modem, a delta image goes to the modem, which applies it when it starts anew with the board", async (t) => {
  const world = await openFotaWorld(t);
  const { cwd } = world;
  const written = await runThinglineIn(t, { cwd }, "modem", "write", "--sec-tag", "201", "--from", thing);
  assert.equal(written.code, 0, written.stderr);
  await writeFile(join(cwd, "modem.conf"), "CONFIG_DFU_TARGET_MODEM_DELTA=y\n");
  const [from, to] = ["mfw_nrf9160_1.3.2", "mfw_nrf9160_1.3.7"];
  await world.deploy("modem", makeSimulatedModemDelta({ from, to }), { fwversion: to });
  const conf = ["--conf", "fota.conf", "--conf", "modem.conf"];
  const device = startThinglineIn(t, { cwd }, "device", "run", ...conf, "--json");
  const started = await device.event(is("fota", { phase: "started" }));
  assert.equal(started["isResumed"], false);
  await device.event(is("job", { jobId: "modem", state: "succeeded" }));
  const { status, details } = await world.execution("modem");
  assert.deepEqual([status, details["target"], details["versionRunning"]], ["SUCCEEDED", "modem", to]);
  assert.equal((await device.end("SIGINT")).code, 0);
});
