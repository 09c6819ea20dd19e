// A gateway that is updated over the air: its application lies in two folders, a job brings a signed image of the next version, a supervisor tries it,
// and the job is SUCCEEDED when the new version is connected, healthy and confirmed. Then one that is not healthy is gone back from.
import { mkdtemp, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { CreateJobCommand, DescribeJobExecutionCommand, IoTClient } from "@aws-sdk/client-iot";
import { CreateBucketCommand, PutObjectCommand, S3Client } from "@aws-sdk/client-s3";
import { startCloud } from "@thingline/cloud/node";
import {
  createApplicationTarget,
  installApplication,
  packApplication,
  superviseApplication,
} from "@thingline/device/application";
import {
  createFirmwareUpdater,
  createHttpDownloader,
  firmwareUpdateOperation,
  whenReady,
} from "@thingline/device/fota";
import { runJobs } from "@thingline/device/jobs";
import { createDevice } from "@thingline/device/node";
import { parseVersion, signImage } from "@thingline/protocol/image";
import { createNodeClock, createNodeFiles, createNodeNetwork, createNodeRandom } from "@thingline/transport/node";
import { createNodeImageCrypto, createNodeProcesses, endWithParent } from "@thingline/transport/node/firmware";

const say = (text: string) => void process.stdout.write(`${text}\n`);
const clock = createNodeClock();
const files = createNodeFiles();
const crypto = createNodeImageCrypto();
const thingName = "gateway-7";

/** What every version of the application does: it works on jobs, and updates itself. */
async function runApplication(version: string, folder: string): Promise<void> {
  endWithParent();
  const thing = JSON.parse(await readFile(join(folder, "thing.json"), "utf8")) as {
    endpoint: string;
    tls: { ca: string; certificate: string; privateKey: string };
  };
  const publicKey = crypto.publicKeyOf(await readFile(join(folder, "key.pem"), "utf8"));
  const [random, dialer] = [createNodeRandom(), createNodeNetwork()];
  const device = createDevice({ ...thing, clientId: thingName });
  const updater = createFirmwareUpdater({
    ...{ files, clock, random, journalPath: join(folder, "update.json") },
    targets: [createApplicationTarget({ folder: join(folder, "application"), files, crypto, keys: [publicKey] })],
    downloaders: [createHttpDownloader({ clock, dialer, tls: { ca: thing.tls.ca } })],
    connected: whenReady(device),
    // This one says of itself that it does not work.
    healthCheck: () => version !== "3.0.0",
    reboot: () => process.exit(0),
    onEvent: (event) => {
      if (event.type !== "progress") say(`application ${version}: ${event.type}`);
    },
  });
  await updater.started;
  await runJobs(device, {
    ...{ files, folder: join(folder, "jobs"), clock, random },
    handlers: { [firmwareUpdateOperation]: updater.handler },
  });
  await device.connect();
}

/** A version as the build server makes it: the files of the application, signed. */
function makeImage(version: string, privateKeyPem: string): Promise<Uint8Array> {
  const program = `const { runApplication } = await import("file://" + process.env.GATEWAY_PROGRAM);
await runApplication(${JSON.stringify(version)}, process.env.GATEWAY_FOLDER);
`;
  const payload = packApplication({ "main.mjs": new TextEncoder().encode(program) }, { main: "main.mjs", crypto });
  const parsed = parseVersion(version) ?? { major: 0, minor: 0, revision: 0, build: 0 };
  return signImage(payload, { crypto, privateKeyPem, version: parsed, headerBytes: 32, padsHeader: true });
}

async function runExample(): Promise<void> {
  const folder = await mkdtemp(join(tmpdir(), "thingline-example-"));
  await using cloud = await startCloud({ memory: true, mqttsPort: 0, httpsPort: 0, apiPort: 0, objectsPort: 0 });
  const { endpoint, tls, thingArn } = await cloud.createThing(thingName);
  const { privateKeyPem, publicKeyPem } = await crypto.generateKey("ecdsa-p256");
  await writeFile(join(folder, "thing.json"), JSON.stringify({ endpoint, tls }), { mode: 0o600 });
  await writeFile(join(folder, "key.pem"), publicKeyPem);
  const application = join(folder, "application");
  await installApplication({ folder: application, files, crypto }, await makeImage("1.0.0", privateKeyPem));

  // The gateway: a supervisor as its service, and nothing else.
  const stop = new AbortController();
  const supervising = superviseApplication({
    ...{ folder: application, files, crypto, clock, processes: createNodeProcesses(), signal: stop.signal },
    restartFirstMs: 100,
    command: ({ folder: slot, main }) => ({
      program: process.execPath,
      arguments: [join(slot, main)],
      environment: { GATEWAY_PROGRAM: fileURLToPath(import.meta.url), GATEWAY_FOLDER: folder },
    }),
    onEvent: (event) => {
      if (event.type === "started") say(`supervisor: starts ${event.version} from slot ${event.slot} (${event.why})`);
    },
  });

  // The fleet's manager: any AWS SDK, here with the local cloud as its endpoint.
  const place = {
    endpoint: cloud.addresses.api,
    region: "us-east-1",
    credentials: { accessKeyId: "test", secretAccessKey: "test" },
  };
  const [iot, s3] = [new IoTClient(place), new S3Client({ ...place, forcePathStyle: true })];
  await s3.send(new CreateBucketCommand({ Bucket: "firmware" }));
  const deploy = async (version: string): Promise<void> => {
    const image = await makeImage(version, privateKeyPem);
    const key = `gateway-${version}.img`;
    await s3.send(new PutObjectCommand({ Bucket: "firmware", Key: key, Body: image }));
    const url = `\${aws:iot:s3-presigned-url:https://s3.us-east-1.amazonaws.com/firmware/${key}}`;
    const document = { operation: firmwareUpdateOperation, fwversion: version, size: image.length, location: { url } };
    const jobId = `update-${version.replaceAll(".", "-")}`;
    const presignedUrlConfig = { roleArn: "arn:aws:iam::123456789012:role/firmware", expiresInSec: 3_600 };
    const targets = [thingArn];
    await iot.send(new CreateJobCommand({ jobId, targets, document: JSON.stringify(document), presignedUrlConfig }));
    for (;;) {
      const { execution } = await iot.send(new DescribeJobExecutionCommand({ jobId, thingName }));
      if (execution?.status !== "QUEUED" && execution?.status !== "IN_PROGRESS") {
        const { reason = "", versionRunning = "" } = execution?.statusDetails?.detailsMap ?? {};
        return say(`manager: ${jobId} is ${execution?.status}, ${versionRunning} runs ${reason}`);
      }
      await clock.sleep(100);
    }
  };
  await deploy("2.0.0");
  await deploy("3.0.0");
  stop.abort();
  await supervising;
  iot.destroy();
  s3.destroy();
  await rm(folder, { recursive: true });
}

export { runApplication };
// The application's own processes only import this file.
if (process.env["GATEWAY_FOLDER"] === undefined) await runExample();
