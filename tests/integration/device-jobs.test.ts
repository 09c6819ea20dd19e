// The device library's job client against the local cloud over mutual TLS: the control plane by the AWS SDK, restarts of both ends.
import assert from "node:assert/strict";
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { test, type TestContext } from "node:test";
import {
  CancelJobCommand,
  CancelJobExecutionCommand,
  CreateJobCommand,
  DeleteJobCommand,
  DescribeJobExecutionCommand,
} from "@aws-sdk/client-iot";
import type { Device } from "@thingline/device";
import {
  type JobEventName,
  type JobEvents,
  type JobRunner,
  runJobs,
  type RunJobsOptions,
  type RunningJob,
} from "@thingline/device/jobs";
import { connectDevice, createDevice } from "@thingline/device/node";
import type { CreatedThing } from "@thingline/cloud/node";
import { isThinglineError, type ThinglineError } from "@thingline/protocol";
import { createNodeClock, createNodeFiles, createNodeRandom } from "@thingline/transport/node";
import { openWorld, portOf, type World } from "./cloud-world.test.support.js";

const clock = createNodeClock();
const random = createNodeRandom();
const thingName = "gateway";

const next = <Name extends JobEventName>(runner: JobRunner, name: Name): Promise<JobEvents[Name]> =>
  new Promise((resolve) => {
    const off = runner.on(name, (event) => {
      off();
      resolve(event);
    });
  });

async function folderOf(context: TestContext): Promise<string> {
  const folder = await mkdtemp(join(tmpdir(), "thingline-jobs-"));
  context.after(() => rm(folder, { recursive: true, force: true }));
  return folder;
}

function connect(thing: CreatedThing): Promise<Device> {
  return connectDevice({ ...thing, reconnect: { baseMs: 50, capMs: 100 } });
}

const work = (device: Device, handlers: RunJobsOptions["handlers"], more: Partial<RunJobsOptions> = {}) =>
  runJobs(device, { clock, random, handlers, progressIntervalMs: 0, ...more });

const create = ({ iot }: World, thing: CreatedThing, jobId: string, document: object) =>
  iot.send(new CreateJobCommand({ jobId, targets: [thing.thingArn], document: JSON.stringify(document) }));

async function statusOf({ iot }: World, jobId: string) {
  const { execution } = await iot.send(new DescribeJobExecutionCommand({ jobId, thingName }));
  return [execution?.status, execution?.statusDetails?.detailsMap ?? {}];
}

test("jobs are done one after the other, whatever they are, and what the cloud takes away is stopped", async (context) => {
  const world = await openWorld(context);
  const thing = await world.started.createThing(thingName);
  await using device = await connect(thing);
  let begun: ((job: RunningJob) => void) | undefined;
  const waiting = (): Promise<RunningJob> => new Promise((resolve) => (begun = resolve));
  await using runner = await work(device, {
    echo: async ({ document }) => ({ status: "SUCCEEDED", statusDetails: { said: document["say"] as string } }),
    wait: (job) =>
      new Promise((_, reject) => {
        job.signal.addEventListener("abort", () => reject(job.signal.reason as Error));
        begun?.(job);
      }),
  });
  let ended = next(runner, "jobCompleted");
  await create(world, thing, "first", { operation: "echo", say: "hello" });
  await ended;
  assert.deepEqual(await statusOf(world, "first"), ["SUCCEEDED", { said: "hello" }]);
  const rejected = next(runner, "jobRejected");
  await create(world, thing, "odd", { operation: "fly" });
  await rejected;
  assert.equal((await statusOf(world, "odd"))[0], "REJECTED");

  const ways: [string, (jobId: string) => Promise<unknown>, string | undefined][] = [
    ["cancelled", (jobId) => world.iot.send(new CancelJobCommand({ jobId, force: true })), "CANCELED"],
    [
      "cancelled-here",
      (jobId) => world.iot.send(new CancelJobExecutionCommand({ jobId, thingName, force: true })),
      "CANCELED",
    ],
    ["deleted", (jobId) => world.iot.send(new DeleteJobCommand({ jobId, force: true })), undefined],
  ];
  for (const [jobId, end, status] of ways) {
    const running = waiting();
    await create(world, thing, jobId, { operation: "wait" });
    const job = await running;
    await job.report({ percent: "7" }, { until: "accepted" });
    assert.deepEqual(await statusOf(world, jobId), ["IN_PROGRESS", { percent: "7" }]);
    assert.equal((await runner.pendingJobs()).inProgress[0]?.jobId, jobId);
    assert.deepEqual((await runner.describeJob(jobId))?.document, { operation: "wait" });
    assert.deepEqual(await job.freshDocument(), { operation: "wait" });
    const cancelled = next(runner, "jobCancelled");
    await end(jobId);
    await cancelled;
    const reason = job.signal.reason as ThinglineError;
    assert.deepEqual([reason.code, reason.details["status"]], ["JOB_TAKEN_AWAY", status]);
  }
  ended = next(runner, "jobCompleted");
  await create(world, thing, "last", { operation: "echo", say: "bye" });
  assert.equal((await ended).jobId, "last");
  await assert.rejects(runner.describeJob("last"), { code: "JOB_TAKEN_AWAY" });
  await assert.rejects(runner.describeJob("unheard-of"), { code: "RESOURCE_NOT_FOUND" });
});

test("a job goes on over a restart of the cloud, and over one of the device", async (context) => {
  const folder = await folderOf(context);
  const dataDir = join(folder, "cloud");
  let world = await openWorld(context, { dataDir });
  const thing = await world.started.createThing(thingName);
  const device = await connect(thing);
  const storage = { files: createNodeFiles(), folder: join(folder, "jobs") };
  let finish: (() => void) | undefined;
  const runner = await work(
    device,
    {
      slow: async (job) => {
        await job.report({ step: "1" }, { until: "accepted" });
        await new Promise<void>((resolve) => (finish = resolve));
        return { status: "IN_PROGRESS" };
      },
    },
    storage,
  );
  const progress = next(runner, "jobProgress");
  await create(world, thing, "long", { operation: "slow" });
  await progress;
  const mqttsPort = portOf(world.started.addresses.mqtts);
  const ready = new Promise<void>((resolve) => void device.on("ready", () => resolve()));
  await world.started.close();
  world = await openWorld(context, { dataDir, mqttsPort });
  await ready;
  const parked = next(runner, "jobParked");
  finish?.();
  await parked;
  await runner.close();
  await device.close();

  await using again = await connect(thing);
  const seen: unknown[] = [];
  await using second = await work(
    again,
    { slow: async (job) => void seen.push(job.isResumed, job.statusDetails) },
    storage,
  );
  await next(second, "jobCompleted");
  assert.deepEqual(seen, [true, { step: "1" }]);
  assert.deepEqual(await statusOf(world, "long"), ["SUCCEEDED", { step: "1" }]);
});

test("a device that the application drives works on jobs, and several at a time", async (context) => {
  const world = await openWorld(context);
  const thing = await world.started.createThing(thingName);
  const device = createDevice({ ...thing, driver: "application" });
  await device.connect();
  const stop = new AbortController();
  const loop = (async () => {
    while (!stop.signal.aborted) {
      const result = await device.poll({ timeoutMs: 1_000, signal: stop.signal }).catch(() => undefined);
      if (result === "readable") device.input();
      else if (result === "timeout") device.ping();
    }
  })();
  let together = 0;
  let release: (() => void) | undefined;
  const all = new Promise<void>((resolve) => (release = resolve));
  const runner = await work(
    device,
    {
      meet: async () => {
        if (++together === 3) release?.();
        await all;
      },
    },
    { parallelMax: 3 },
  );
  let done = 0;
  const ended = new Promise<void>((resolve) => runner.on("jobCompleted", () => void (++done === 3 && resolve())));
  for (const jobId of ["a", "b", "c"]) await create(world, thing, jobId, { operation: "meet" });
  await ended;
  await runner.close();
  await device.close();
  stop.abort();
  await loop;
});

test("a device whose policy forbids jobs is told what is missing", async (context) => {
  const world = await openWorld(context);
  const policyDocument = {
    Version: "2012-10-17",
    Statement: [{ Effect: "Allow", Action: "iot:Connect", Resource: "*" }],
  };
  const thing = await world.started.createThing(thingName, { policyDocument });
  await using device = await connect(thing);
  await using runner = await work(device, {});
  const { error } = await next(runner, "error");
  assert.ok(isThinglineError(error, "MQTT_SUBSCRIPTION_REFUSED"));
  assert.match(error.message, /iot:Subscribe on topicfilter\/\$aws\/things\/gateway\/jobs\/\*/);
});
