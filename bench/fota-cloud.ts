// The local cloud with quotas off, for `npm run bench -- fota`: has a file for downloads over HTTPS and as a stream, and a fleet with a job.
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { startCloud } from "@thingline/cloud/node";

export type FotaCloudTask =
  | { do: "serveFile"; fileBytes: number; hasStream: boolean }
  | { do: "makeFleet"; things: number; imageBase64: string }
  | { do: "deploy"; jobId: string }
  | { do: "askJob"; jobId: string }
  | { do: "askMemory" }
  | { do: "close" };

/** Where a file is, and how a device gets it. */
export interface ServedFile {
  url: string;
  streamName: string;
  fileBytes: number;
  endpoint: string;
  clientId: string;
  tls: { ca: string; certificate: string; privateKey: string };
}

export interface FleetFacts {
  mqttPort: number;
  caPem: string;
}

export interface JobCounts {
  succeeded: number;
  failed: number;
  others: number;
}

export interface MemoryFacts {
  rssBytes: number;
  /** Since the process started. */
  peakBytes: number;
}

const quiet = (): void => undefined;
const say = (event: string, facts?: unknown): void => {
  process.stderr.write(`thingline: ${event} ${JSON.stringify(facts ?? {})}\n`);
};
const bucket = "bench";
const clientId = "bench-device";
const group = "fleet";
const roleArn = "arn:aws:iam::123456789012:role/bench";
const folder = mkdtempSync(join(tmpdir(), "thingline-bench-"));
const started = await startCloud({
  dataDir: folder,
  mqttsPort: 0,
  httpsPort: 0,
  apiPort: 0,
  objectsPort: 0,
  mqttPort: 0,
  keyPoolSize: 0,
  limits: "none",
  log: { debug: quiet, info: quiet, warn: say, error: say },
});
const { cloud } = started;
const { registry, jobs, objects, streams } = cloud;
await cloud.run(objects.createBucket, { bucket });

/** Bytes that do not repeat soon, a part at a time, so that the file is never here as a whole. */
function* contentOf(fileBytes: number): Generator<Uint8Array> {
  let state = 1;
  for (let left = fileBytes; left > 0;) {
    const part = new Uint32Array(16_384);
    for (let index = 0; index < part.length; index++) part[index] = state = (Math.imul(state, 1_664_525) + 1) >>> 0;
    const bytes = new Uint8Array(part.buffer).subarray(0, left);
    left -= bytes.length;
    yield bytes;
  }
}

let device: ReturnType<typeof started.createThing> | undefined;
function makeDevice(): ReturnType<typeof started.createThing> {
  const statement = { Effect: "Allow", Action: "iot:*", Resource: "*" };
  const policyDocument = { Version: "2012-10-17", Statement: [statement] };
  return started.createThing(clientId, { keyType: "ec-p256", policyDocument });
}

async function serveFile({ fileBytes, hasStream }: { fileBytes: number; hasStream: boolean }): Promise<ServedFile> {
  const key = `file-${fileBytes}`;
  await cloud.run(objects.putObject, { bucket, key, chunks: contentOf(fileBytes) });
  if (hasStream) {
    const files = [{ fileId: 0, s3Location: { bucket, key } }];
    await cloud.run(streams.createStream, { streamId: key, files, roleArn });
  }
  const { endpoint, tls } = await (device ??= makeDevice());
  const url = `${started.addresses.objects}/${bucket}/${key}`;
  return { url, streamName: key, fileBytes, endpoint, clientId, tls: { ...tls } };
}

async function makeFleet({ things, imageBase64 }: { things: number; imageBase64: string }): Promise<FleetFacts> {
  await cloud.run(objects.putObject, { bucket, key: "app.bin", chunks: [Buffer.from(imageBase64, "base64")] });
  const { thingGroupArn } = await cloud.run(registry.createThingGroup, { thingGroupName: group });
  for (let count = 0; count < things; count++) {
    const thingName = `device-${count}`;
    await cloud.run(registry.createThing, { thingName });
    await cloud.run(registry.addThingToThingGroup, { thingName, thingGroupArn });
  }
  return { mqttPort: cloud.addresses.mqtt!.port, caPem: started.caPem };
}

async function deploy({ jobId }: { jobId: string }): Promise<object> {
  const { thingGroupArn = "" } = await cloud.run(registry.describeThingGroup, { thingGroupName: group });
  const url = `\${aws:iot:s3-presigned-url:https://s3.us-east-1.amazonaws.com/${bucket}/app.bin}`;
  const document = JSON.stringify({ operation: "app_fw_update", fwversion: "2.0.0", location: { url } });
  await cloud.run(jobs.createJob, { jobId, targets: [thingGroupArn], document });
  return {};
}

async function askJob({ jobId }: { jobId: string }): Promise<JobCounts> {
  const { job } = await cloud.run(jobs.describeJob, { jobId });
  const {
    numberOfSucceededThings: succeeded = 0,
    numberOfFailedThings: failed = 0,
    numberOfRejectedThings = 0,
    numberOfTimedOutThings = 0,
    numberOfCanceledThings = 0,
    numberOfRemovedThings = 0,
  } = job?.jobProcessDetails ?? {};
  const others = numberOfRejectedThings + numberOfTimedOutThings + numberOfCanceledThings + numberOfRemovedThings;
  return { succeeded, failed, others };
}

function askMemory(): MemoryFacts {
  return { rssBytes: process.memoryUsage.rss(), peakBytes: process.resourceUsage().maxRSS * 1024 };
}

async function close(): Promise<object> {
  await started.close();
  rmSync(folder, { recursive: true });
  return {};
}

async function perform(task: FotaCloudTask): Promise<object> {
  switch (task.do) {
    case "serveFile":
      return serveFile(task);
    case "makeFleet":
      return makeFleet(task);
    case "deploy":
      return deploy(task);
    case "askJob":
      return askJob(task);
    case "askMemory":
      return askMemory();
    case "close":
      return close();
  }
}

process.on("message", (task: FotaCloudTask) => {
  perform(task).then(
    (answer) => process.send!(answer),
    (error: unknown) => {
      process.stderr.write(`bench: ${error instanceof Error ? error.stack : String(error)}\n`);
      process.exit(1);
    },
  );
});
