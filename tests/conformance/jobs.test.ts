// A fleet of 20 devices, and rollouts with a rate, an abort criterion and a time-out: the jobs clients of AWS's device SDK for JavaScript (v2),
// the AWS SDK's clients of both planes, and the AWS CLI, unmodified.
import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { createInterface } from "node:readline";
import { test, type TestContext } from "node:test";
import { fileURLToPath } from "node:url";
import {
  AddThingToThingGroupCommand,
  CreateJobCommand,
  CreateThingCommand,
  CreateThingGroupCommand,
  DescribeJobCommand,
  ListJobExecutionsForJobCommand,
  type CreateJobCommandInput,
  type IoTClient,
  type JobStatus,
} from "@aws-sdk/client-iot";
import {
  IoTJobsDataPlaneClient,
  StartNextPendingJobExecutionCommand,
  UpdateJobExecutionCommand,
} from "@aws-sdk/client-iot-jobs-data-plane";
import { createDevice, openWorld, portOf, type World } from "../integration/cloud-world.test.support.js";
import { createJumpingClock, type JumpingClock } from "../integration/jumping-clock.test.support.js";
import type { JobsTask, Outcomes, Reported } from "./jobs-sdk-process.test.support.js";
import { missing, start } from "./local-cloud.test.support.js";

const sdk = await import("./jobs-sdk-process.test.support.js").catch(() => undefined);
const minuteMs = 60_000;
const deviceCount = 20;
const thingNames = Array.from({ length: deviceCount }, (_, at) => `device-${String(at).padStart(2, "0")}`);
const groupArn = "arn:aws:iot:us-east-1:123456789012:thinggroup/fleet";

interface Fleet extends World {
  clock: JumpingClock;
}

async function openFleet(t: TestContext): Promise<Fleet> {
  const clock = createJumpingClock();
  const world = await openWorld(t, { memory: true, clock });
  await world.iot.send(new CreateThingGroupCommand({ thingGroupName: "fleet" }));
  for (const thingName of thingNames) {
    await world.iot.send(new CreateThingCommand({ thingName }));
    await world.iot.send(new AddThingToThingGroupCommand({ thingName, thingGroupName: "fleet" }));
  }
  return { ...world, clock };
}

/** The device SDK's part of the fleet, and a way to wait for what it reports. */
async function startDevices(t: TestContext, { iot, started }: World, names: readonly string[]) {
  const kinds = sdk?.kinds ?? [];
  const folder = await mkdtemp(join(tmpdir(), "thingline-jobs-"));
  t.after(() => rm(folder, { recursive: true, force: true }));
  const { certificatePem, privateKey } = await createDevice(iot);
  const [certificateFile, keyFile] = [join(folder, "certificate.pem"), join(folder, "key.pem")];
  await writeFile(certificateFile, certificatePem);
  await writeFile(keyFile, privateKey);
  const { caFile } = started;
  const port = portOf(started.addresses.mqtts);
  const devices = names.map((thingName, at) => ({ kind: kinds[at % kinds.length]!, thingName }));
  const task: JobsTask = { devices, port, caFile, certificateFile, keyFile };
  const program = fileURLToPath(new URL("jobs-sdk-process.test.support.js", import.meta.url));
  const child = spawn(process.execPath, [program, JSON.stringify(task)], { stdio: ["ignore", "pipe", "inherit"] });
  t.after(() => child.kill("SIGKILL"));
  const reports: Reported[] = [];
  let isReady = false;
  const waiting = new Set<() => void>();
  createInterface({ input: child.stdout }).on("line", (line) => {
    const told = JSON.parse(line) as Reported | { ready: true };
    if ("ready" in told) isReady = true;
    else reports.push(told);
    for (const look of waiting) look();
  });
  const until = (isSo: () => boolean) =>
    new Promise<void>((resolve, reject) => {
      const look = () => {
        if (!isSo()) return;
        waiting.delete(look);
        resolve();
      };
      waiting.add(look);
      child.once("exit", (code) => reject(new Error(`the devices ended with ${code}`)));
      look();
    });
  await until(() => isReady);
  return {
    async reported(jobId: string, count: number): Promise<Reported[]> {
      const ofJob = () => reports.filter((reported) => reported.jobId === jobId);
      await until(() => ofJob().length >= count);
      return ofJob();
    },
  };
}

async function createJob(iot: IoTClient, jobId: string, document: Outcomes, more: Partial<CreateJobCommandInput>) {
  await iot.send(new CreateJobCommand({ jobId, targets: [groupArn], document: JSON.stringify(document), ...more }));
}

/** The state of a job once it is that, and how many things are in each state. */
async function jobIn(iot: IoTClient, jobId: string, status: JobStatus) {
  for (;;) {
    const { job } = await iot.send(new DescribeJobCommand({ jobId }));
    if (job?.status !== status) {
      await new Promise((resolve) => setImmediate(resolve));
      continue;
    }
    const counts = Object.entries(job.jobProcessDetails ?? {}).filter(([, count]) => Number(count) > 0);
    return Object.fromEntries(counts.map(([name, count]) => [name.replace(/^numberOf|Things$/g, ""), count]));
  }
}

test(
  "AWS IoT Device SDK v2 and the AWS SDK: a rollout of 20 devices with rate, abort and time-out",
  { skip: sdk === undefined && "needs the native library of aws-crt for this platform", timeout: 120_000 },
  async (t) => {
    const fleet = await openFleet(t);
    const { iot, clock } = fleet;
    const devices = await startDevices(t, fleet, thingNames);

    await t.test("the rate: so many devices in each minute, and no more", async () => {
      await createJob(iot, "rate", {}, { jobExecutionsRolloutConfig: { maximumPerMinute: 8 } });
      for (const count of [8, 16]) {
        const reported = await devices.reported("rate", count);
        assert.deepEqual(reported.map(({ thingName }) => thingName).sort(), thingNames.slice(0, count));
        const { executionSummaries = [] } = await iot.send(new ListJobExecutionsForJobCommand({ jobId: "rate" }));
        assert.equal(executionSummaries.length, count);
        clock.jump(minuteMs);
      }
      await devices.reported("rate", deviceCount);
      assert.deepEqual(await jobIn(iot, "rate", "COMPLETED"), { Succeeded: deviceCount });
    });

    await t.test("the abort criterion: the job is canceled, and the others never get it", async () => {
      const [first = "", second = "", third = ""] = thingNames;
      await createJob(
        iot,
        "abort",
        { outcomes: { [first]: "FAILED", [second]: "REJECTED", [third]: "FAILED" } },
        {
          jobExecutionsRolloutConfig: { maximumPerMinute: 10 },
          abortConfig: {
            criteriaList: [
              { failureType: "ALL", action: "CANCEL", thresholdPercentage: 30, minNumberOfExecutedThings: 10 },
            ],
          },
        },
      );
      await jobIn(iot, "abort", "CANCELED");
      clock.jump(minuteMs);
      const counts = await jobIn(iot, "abort", "CANCELED");
      assert.deepEqual([counts["Failed"], counts["Rejected"]], [2, 1]);
      const { executionSummaries = [] } = await iot.send(new ListJobExecutionsForJobCommand({ jobId: "abort" }));
      assert.equal(executionSummaries.length, 10);
    });

    await t.test(
      "the time-out: a device that says no more is given up, after as many retries as it may have",
      async () => {
        const last = thingNames.at(-1) ?? "";
        await createJob(
          iot,
          "time-out",
          { outcomes: { [last]: "hang" } },
          {
            timeoutConfig: { inProgressTimeoutInMinutes: 1 },
            jobExecutionsRetryConfig: { criteriaList: [{ failureType: "TIMED_OUT", numberOfRetries: 1 }] },
          },
        );
        await devices.reported("time-out", deviceCount);
        clock.jump(minuteMs);
        // The retry is told as any other job, and hangs as well.
        await devices.reported("time-out", deviceCount + 1);
        clock.jump(minuteMs);
        assert.deepEqual(await jobIn(iot, "time-out", "COMPLETED"), { Succeeded: deviceCount - 1, TimedOut: 1 });
      },
    );
  },
);

test(
  "AWS CLI and the AWS SDK's data plane: a rollout of 20 devices with rate, abort and time-out",
  { skip: missing("aws", "awscli"), timeout: 120_000 },
  async (t) => {
    const fleet = await openFleet(t);
    const { iot, clock, started } = fleet;
    const credentials = { accessKeyId: "test", secretAccessKey: "test" };
    const data = new IoTJobsDataPlaneClient({ endpoint: started.addresses.api, region: "us-east-1", credentials });
    t.after(() => data.destroy());
    const cli = async (words: string, document?: string): Promise<Record<string, unknown>> => {
      const args = ["--endpoint-url", started.addresses.api, "--output", "json", ...words.split(" ")];
      const env = {
        ...{ PATH: process.env["PATH"] ?? "", HOME: tmpdir(), LC_ALL: "C.UTF-8", AWS_DEFAULT_REGION: "us-east-1" },
        ...{ AWS_ACCESS_KEY_ID: "test", AWS_SECRET_ACCESS_KEY: "test", AWS_PAGER: "" },
      };
      const last = document === undefined ? [] : ["--document", document];
      const { code, output } = await start(t, "aws", [...args, ...last], { env }).ended;
      assert.equal(code, 0, `${words}: ${output}`);
      return (output === "" ? {} : JSON.parse(output)) as Record<string, unknown>;
    };
    /** Does what is pending, and tells on how many things. */
    const workAll = async (status: "SUCCEEDED" | "FAILED"): Promise<number> => {
      let count = 0;
      for (const thingName of thingNames) {
        const { execution } = await data.send(new StartNextPendingJobExecutionCommand({ thingName }));
        if (execution?.jobId === undefined) continue;
        await data.send(new UpdateJobExecutionCommand({ thingName, jobId: execution.jobId, status }));
        count++;
      }
      return count;
    };
    const document = JSON.stringify({ operation: "test" });
    const create = (jobId: string, more: string) =>
      cli(`iot create-job --job-id ${jobId} --targets ${groupArn} ${more}`, document);

    const made = await create("rate", "--job-executions-rollout-config maximumPerMinute=10");
    assert.equal(made["jobId"], "rate");
    // What is pending is there when the second page of the group has been looked up, which nobody waits for.
    await jobCount(iot, "rate", 10);
    assert.equal(await workAll("SUCCEEDED"), 10);
    assert.equal(await workAll("SUCCEEDED"), 0);
    clock.jump(minuteMs);
    await jobCount(iot, "rate", deviceCount);
    assert.equal(await workAll("SUCCEEDED"), 10);
    const described = (await cli("iot describe-job --job-id rate"))["job"] as Record<string, unknown>;
    assert.equal(described["status"], "COMPLETED");
    assert.equal((described["jobProcessDetails"] as Record<string, number>)["numberOfSucceededThings"], deviceCount);

    const criterion = "failureType=FAILED,action=CANCEL,thresholdPercentage=50.0,minNumberOfExecutedThings=10";
    await create(
      "abort",
      `--job-executions-rollout-config maximumPerMinute=10 --abort-config criteriaList=[{${criterion}}]`,
    );
    await jobCount(iot, "abort", 10);
    assert.equal(await workAll("FAILED"), 5);
    const failed = await cli("iot list-job-executions-for-job --job-id abort --status FAILED");
    assert.equal((failed["executionSummaries"] as unknown[]).length, 5);
    assert.equal(
      ((await cli("iot describe-job --job-id abort"))["job"] as Record<string, unknown>)["status"],
      "CANCELED",
    );

    await create("time-out", "--timeout-config inProgressTimeoutInMinutes=1");
    await jobCount(iot, "time-out", deviceCount);
    const [thingName = ""] = thingNames;
    const begun = await cli(`iot-jobs-data start-next-pending-job-execution --thing-name ${thingName}`);
    assert.equal((begun["execution"] as Record<string, unknown>)["jobDocument"], document);
    clock.jump(minuteMs);
    assert.equal(await timedOut(iot, "time-out", thingName), "TIMED_OUT");
    assert.equal(await workAll("SUCCEEDED"), deviceCount - 1);
    assert.deepEqual(await jobIn(iot, "time-out", "COMPLETED"), { Succeeded: deviceCount - 1, TimedOut: 1 });
    await cli("iot delete-job --job-id time-out");
  },
);

/** Waits until so many things have the job. */
async function jobCount(iot: IoTClient, jobId: string, count: number): Promise<void> {
  for (;;) {
    const { executionSummaries = [] } = await iot.send(new ListJobExecutionsForJobCommand({ jobId }));
    if (executionSummaries.length >= count) return assert.equal(executionSummaries.length, count);
  }
}

/** The state of an execution once it is another one than IN_PROGRESS. */
async function timedOut(iot: IoTClient, jobId: string, thingName: string): Promise<string | undefined> {
  for (;;) {
    const { executionSummaries = [] } = await iot.send(new ListJobExecutionsForJobCommand({ jobId }));
    const one = executionSummaries.find(({ thingArn }) => thingArn?.endsWith(`/${thingName}`) === true);
    if (one?.jobExecutionSummary?.status !== "IN_PROGRESS") return one?.jobExecutionSummary?.status;
  }
}
