// The local cloud with its plain TCP port and quotas off, for `npm run bench -- fota`: makes things in a group, and rolls jobs out to them.
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { performance } from "node:perf_hooks";
import { startCloud } from "@thingline/cloud/node";

export type RolloutTask = { type: "prepare"; things: number } | { type: "rollout"; jobId: string } | { type: "close" };
export type RolloutAnswer = { port: number } | { seconds: number } | { isClosed: true };

const quiet = (): void => undefined;
const say = (event: string, facts?: unknown): void => {
  process.stderr.write(`thingline: ${event} ${JSON.stringify(facts ?? {})}\n`);
};
const folder = mkdtempSync(join(tmpdir(), "thingline-bench-"));
const started = await startCloud({
  ...(process.argv[2] === "lmdb" ? { dataDir: folder } : { memory: true }),
  mqttsPort: 0,
  httpsPort: 0,
  apiPort: 0,
  mqttPort: 0,
  keyPoolSize: 0,
  limits: "none",
  log: { debug: quiet, info: quiet, warn: say, error: say },
});
const { cloud } = started;
const { registry, jobs } = cloud;
const thingGroupName = "fleet";
let things = 0;

async function prepare(count: number): Promise<RolloutAnswer> {
  const { thingGroupArn } = await cloud.run(registry.createThingGroup, { thingGroupName });
  for (; things < count; things++) {
    const thingName = `thing-${things}`;
    await cloud.run(registry.createThing, { thingName });
    await cloud.run(registry.addThingToThingGroup, { thingName, thingGroupArn });
  }
  return { port: cloud.addresses.mqtt!.port };
}

async function rollOut(jobId: string): Promise<RolloutAnswer> {
  const { thingGroupArn = "" } = await cloud.run(registry.describeThingGroup, { thingGroupName });
  const begun = performance.now();
  await cloud.run(jobs.createJob, { jobId, targets: [thingGroupArn], document: '{"operation":"bench"}' });
  for (;;) {
    const { job } = await cloud.run(jobs.describeJob, { jobId });
    if (job?.jobProcessDetails?.numberOfQueuedThings === things) break;
    await new Promise((resolve) => setTimeout(resolve, 20));
  }
  return { seconds: (performance.now() - begun) / 1_000 };
}

async function close(): Promise<RolloutAnswer> {
  await started.close();
  rmSync(folder, { recursive: true });
  return { isClosed: true };
}

function perform(task: RolloutTask): Promise<RolloutAnswer> {
  if (task.type === "prepare") return prepare(task.things);
  return task.type === "rollout" ? rollOut(task.jobId) : close();
}

process.on("message", (task: RolloutTask) => void perform(task).then((answer) => process.send!(answer)));
