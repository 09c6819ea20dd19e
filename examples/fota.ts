// The original's aws_fota sample: a device on a board with MCUboot takes a new image by a job, and says what became of it. The image is made,
// signed and uploaded here as well, so that the example runs by itself: twice, with a good image and with one that fails its own check.
import { CreateJobCommand, DescribeJobExecutionCommand, IoTClient } from "@aws-sdk/client-iot";
import { CreateBucketCommand, PutObjectCommand, S3Client } from "@aws-sdk/client-s3";
import { startCloud } from "@thingline/cloud/node";
import { createFirmwareUpdater, createHttpDownloader, whenReady } from "@thingline/device/fota";
import { runJobs } from "@thingline/device/jobs";
import { createDevice } from "@thingline/device/node";
import { type BoardApplication, createBoard, makeSimulatedFirmware, runBoard } from "@thingline/sim";
import { createNodeClock, createNodeNetwork, createNodeRandom } from "@thingline/transport/node";
import { createNodeImageCrypto } from "@thingline/transport/node/firmware";
import { createVirtualFiles, createVirtualFlash } from "@thingline/transport/virtual";

const say = (text: string) => void process.stdout.write(`${text}\n`);
const [clock, random, crypto] = [createNodeClock(), createNodeRandom(), createNodeImageCrypto()];
await using cloud = await startCloud({ memory: true, mqttsPort: 0, httpsPort: 0, apiPort: 0 });
const thing = await cloud.createThing("pump-7");

// The board: flash, bootloader, the key of its maker, and what it left the factory with.
const { privateKeyPem, publicKeyPem } = await crypto.generateKey("ecdsa-p256");
const imageOf = (version: string, program = {}) =>
  makeSimulatedFirmware({ crypto, privateKeyPem, version, sizeBytes: 50_000, program });
const board = await createBoard({
  flash: createVirtualFlash({ sizeBytes: 256 * 1_024 }),
  crypto,
  keys: [crypto.publicKeyOf(publicKeyPem)],
  factoryImage: await imageOf("1.0.0"),
});
const files = createVirtualFiles();
let jobEnded: () => void = () => undefined;

/** The application, at each boot: it takes jobs, and an image on trial is judged as soon as it runs. */
const application: BoardApplication = async (image, { reboot, signal }) => {
  say(`board: runs ${image.version}`);
  await using device = createDevice({ ...thing });
  await using updater = createFirmwareUpdater({
    files,
    journalPath: "update.json",
    clock,
    random,
    targets: [board.target()],
    downloaders: [createHttpDownloader({ clock, dialer: createNodeNetwork(), tls: { ca: cloud.caPem } })],
    reboot,
    connected: whenReady(device),
    healthCheck: () => image.program["pumps"] !== false,
    onEvent: ({ type, ...facts }) => {
      if (type !== "progress" && type !== "note") say(`  ${type} ${JSON.stringify(facts)}`);
    },
  });
  await using _jobs = await runJobs(device, {
    clock,
    random,
    files,
    folder: "jobs",
    handlers: { app_fw_update: updater.handler },
    progressIntervalMs: 200,
    on: { jobCompleted: () => jobEnded(), jobFailed: () => jobEnded() },
  });
  device.connect().catch(() => undefined);
  await new Promise<void>((resolve) => signal.addEventListener("abort", () => resolve(), { once: true }));
};
const power = new AbortController();
const running = runBoard(board, application, { signal: power.signal });

// The maker: any AWS SDK, here with the local cloud as its endpoint.
const sdk = {
  endpoint: cloud.addresses.api,
  region: "us-east-1",
  credentials: { accessKeyId: "test", secretAccessKey: "test" },
};
const [iot, s3] = [new IoTClient(sdk), new S3Client({ ...sdk, forcePathStyle: true })];
await s3.send(new CreateBucketCommand({ Bucket: "firmware" }));

async function deploy(jobId: string, version: string, program: object): Promise<void> {
  const ended = new Promise<void>((resolve) => (jobEnded = resolve));
  await s3.send(
    new PutObjectCommand({ Bucket: "firmware", Key: `${jobId}.bin`, Body: await imageOf(version, program) }),
  );
  const url = `\${aws:iot:s3-presigned-url:https://s3.us-east-1.amazonaws.com/firmware/${jobId}.bin}`;
  const document = JSON.stringify({ operation: "app_fw_update", fwversion: `v${version}`, location: { url } });
  const presignedUrlConfig = { roleArn: "arn:aws:iam::123456789012:role/firmware", expiresInSec: 3_600 };
  await iot.send(new CreateJobCommand({ jobId, targets: [thing.thingArn], document, presignedUrlConfig }));
  await ended;
  const { execution } = await iot.send(new DescribeJobExecutionCommand({ jobId, thingName: "pump-7" }));
  const { versionRunning = "?", reason } = execution?.statusDetails?.detailsMap ?? {};
  say(`maker: ${jobId} is ${execution?.status}${reason === undefined ? "" : ` (${reason})`}, ${versionRunning} runs`);
}
await deploy("good-pump", "1.1.0", { pumps: true });
await deploy("bad-pump", "1.2.0", { pumps: false });

power.abort();
await running;
iot.destroy();
s3.destroy();
