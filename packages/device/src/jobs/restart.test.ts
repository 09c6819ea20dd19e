import assert from "node:assert/strict";
import { test } from "node:test";
import { ThinglineError } from "@thingline/protocol";
import { createProcessClock, createVirtualFiles, type VirtualFiles } from "@thingline/transport/virtual";
import {
  defaultJobAttemptsMax,
  defaultJobsCloseTimeoutMs,
  type ExhaustedOutcome,
  jobCallsMax,
  type JobHandler,
  type RunJobsOptions,
  type RunningJob,
} from "./index.js";
import { FakeJobsDevice, JobsWorld, thingName } from "./jobs-world.test.support.js";
import { jobsRecordBytesMax } from "./record.js";

const path = "/var/jobs/jobs.json";

/** One process after the other on one disk. */
class Processes {
  readonly world = new JobsWorld();
  files: VirtualFiles = createVirtualFiles();
  #clock = createProcessClock(this.world.clock);

  async start(handlers: RunJobsOptions["handlers"], more: Partial<RunJobsOptions> = {}) {
    this.world.device = new FakeJobsDevice(this.world);
    return this.world.run(handlers, { clock: this.#clock, files: this.files, folder: "/var/jobs", ...more });
  }

  kill(): void {
    this.#clock.kill();
    this.world.device.die();
    this.files = this.files.restart();
    this.#clock = createProcessClock(this.world.clock);
  }

  stored(): { phase: string; begunCount: number }[] {
    const bytes = this.files.snapshot()[path];
    if (bytes === undefined) return [];
    return (JSON.parse(new TextDecoder().decode(bytes)) as { executions: { phase: string; begunCount: number }[] })
      .executions;
  }
}

const never = (): Promise<never> => new Promise(() => undefined);

test("a job whose process ended in it is done again, and the handler is told", async () => {
  const processes = new Processes();
  await processes.start({ do: never });
  processes.world.cloud.queue("job", { operation: "do" });
  await processes.world.settle(1_000);
  assert.deepEqual(
    processes.stored().map(({ phase, begunCount }) => [phase, begunCount]),
    [["running", 1]],
  );
  processes.kill();
  const seen: boolean[] = [];
  const { runner, events } = await processes.start({ do: async (job) => void seen.push(job.isResumed) });
  await processes.world.settle(1_000);
  assert.deepEqual(seen, [true]);
  assert.deepEqual(events, ["jobStarted job/1 do true", "jobCompleted job/1 {}"]);
  assert.deepEqual(processes.stored(), []);
  await runner.close();
});

test("what a job came to is told by the next process when the cloud did not hear it, and the job is not done again", async () => {
  const processes = new Processes();
  const { world } = processes;
  let calls = 0;
  const handler = async () => {
    calls += 1;
    world.device.disconnect();
    return { status: "FAILED", statusDetails: { why: "so" } } as const;
  };
  await processes.start({ do: handler });
  world.cloud.queue("job", { operation: "do" });
  await world.settle(1_000);
  assert.equal(world.cloud.find("job")?.status, "IN_PROGRESS");
  processes.kill();
  const { runner, events } = await processes.start({ do: handler });
  await world.settle(1_000);
  assert.deepEqual(
    [world.cloud.find("job")?.status, world.cloud.find("job")?.statusDetails],
    ["FAILED", { why: "so" }],
  );
  assert.equal(calls, 1);
  assert.deepEqual(events, ['jobFailed job/1 {"why":"so"}']);
  await runner.close();
});

test("a handler that goes on after a restart is called again in the next process, as often as it says so", async () => {
  const processes = new Processes();
  const { world } = processes;
  const seen: [boolean, string | undefined][] = [];
  const handler = async (job: RunningJob) => {
    seen.push([job.isResumed, job.statusDetails["boot"]]);
    if (seen.length > 6) return { status: "SUCCEEDED" } as const;
    await job.report({ boot: String(seen.length) }, { until: "accepted" });
    return { status: "IN_PROGRESS" } as const;
  };
  const { events } = await processes.start({ do: handler });
  world.cloud.queue("job", { operation: "do" });
  world.cloud.queue("next", { operation: "other" });
  await world.settle(20_000);
  assert.equal(events.at(-1), "jobParked job/1");
  for (let boot = 2; boot <= 7; boot += 1) {
    processes.kill();
    await processes.start({ do: handler, other: async () => undefined });
    await world.settle(20_000);
  }
  assert.deepEqual(
    seen.map(([isResumed]) => isResumed),
    [false, true, true, true, true, true, true],
  );
  assert.equal(seen[6]?.[1], "6");
  assert.deepEqual(
    world.cloud.executions.map(({ status }) => status),
    ["SUCCEEDED", "SUCCEEDED"],
  );
});

test("a parked job that the cloud takes away makes room for the next", async () => {
  const processes = new Processes();
  const { world } = processes;
  const { runner, events } = await processes.start({
    do: async () => ({ status: "IN_PROGRESS" }),
    other: async () => undefined,
  });
  world.cloud.queue("job", { operation: "do" });
  world.cloud.queue("next", { operation: "other" });
  await world.settle(1_000);
  world.cloud.end("job", "CANCELED");
  await world.settle(10_000);
  assert.ok(events.includes("jobCancelled job/1 CANCELED"));
  assert.equal(world.cloud.find("next")?.status, "SUCCEEDED");
  assert.deepEqual(processes.stored(), []);
  await runner.close();
});

test("a job that ends its process each time is FAILED in the end", async () => {
  const processes = new Processes();
  const { world } = processes;
  let calls = 0;
  for (let life = 0; life <= defaultJobAttemptsMax; life += 1) {
    await processes.start({
      do: () => {
        calls += 1;
        return never();
      },
    });
    if (life === 0) world.cloud.queue("job", { operation: "do" });
    await world.settle(1_000);
    processes.kill();
  }
  assert.equal(calls, defaultJobAttemptsMax);
  assert.deepEqual(
    [world.cloud.find("job")?.status, world.cloud.find("job")?.statusDetails],
    [
      "FAILED",
      {
        reason: "JOB_ATTEMPTS_EXHAUSTED",
        message: "the process ended 3 times while it worked on the job, and it came no further",
      },
    ],
  );
});

test("a handler that has a word for it is asked what a job came to whose process ended too often, jobCallsMax times", async () => {
  for (const isSettled of [true, false]) {
    const processes = new Processes();
    const { world } = processes;
    const asked: string[] = [];
    const handler: JobHandler = Object.assign(() => never(), {
      exhausted: (_job: RunningJob, { statusDetails }: ExhaustedOutcome) => {
        asked.push(statusDetails.reason);
        return isSettled ? Promise.resolve({ status: "SUCCEEDED" } as const) : never();
      },
    });
    for (let life = 0; life <= jobCallsMax; life += 1) {
      await processes.start({ do: handler });
      if (life === 0) world.cloud.queue("job", { operation: "do" });
      await world.settle(1_000);
      processes.kill();
    }
    assert.equal(asked.length, isSettled ? 1 : jobCallsMax - defaultJobAttemptsMax);
    assert.deepEqual(new Set(asked), new Set(["JOB_ATTEMPTS_EXHAUSTED"]));
    assert.equal(world.cloud.find("job")?.status, isSettled ? "SUCCEEDED" : "FAILED");
  }
});

test("a job that comes further each time may end its process more often, up to jobCallsMax times", async () => {
  const processes = new Processes();
  const { world } = processes;
  let calls = 0;
  const handler = async (job: RunningJob) => {
    calls += 1;
    await job.report({ percent: String(calls) }, { until: "accepted" });
    return never();
  };
  for (let life = 0; life <= jobCallsMax; life += 1) {
    await processes.start({ do: handler });
    if (life === 0) world.cloud.queue("job", { operation: "do" });
    await world.settle(1_000);
    processes.kill();
  }
  assert.equal(calls, jobCallsMax);
  assert.equal(world.cloud.find("job")?.statusDetails?.["reason"], "JOB_ATTEMPTS_EXHAUSTED");
});

test("close() tells the handler, waits for it, and holds nothing against the job", async () => {
  const processes = new Processes();
  const { world } = processes;
  for (let life = 0; life <= defaultJobAttemptsMax + 1; life += 1) {
    let signal: AbortSignal | undefined;
    const { runner } = await processes.start({
      do: async (job) => {
        signal = job.signal;
        await new Promise((_, reject) =>
          job.signal.addEventListener("abort", () => reject(job.signal.reason as Error)),
        );
      },
    });
    if (life === 0) world.cloud.queue("job", { operation: "do" });
    await world.settle(1_000);
    await runner.close();
    assert.equal((signal?.reason as ThinglineError).code, "CLOSED");
    assert.deepEqual(
      processes.stored().map(({ phase, begunCount }) => [phase, begunCount]),
      [["interrupted", 0]],
    );
    assert.equal(world.cloud.find("job")?.status, "IN_PROGRESS");
    processes.kill();
  }
  assert.equal(world.clock.timerCount, 0);
  const { runner } = await processes.start({ do: async () => undefined });
  await world.settle(1_000);
  assert.equal(world.cloud.find("job")?.status, "SUCCEEDED");
  await runner.close();
});

test("close() lets a job end that can, and tells the cloud", async () => {
  const processes = new Processes();
  const { world } = processes;
  const { runner } = await processes.start({
    do: async (job) => {
      await new Promise<void>((resolve) => job.signal.addEventListener("abort", () => resolve()));
      return { status: "SUCCEEDED" };
    },
  });
  world.cloud.queue("job", { operation: "do" });
  await world.settle(1_000);
  const closing = runner.close();
  await world.settle(1_000);
  await closing;
  assert.equal(world.cloud.find("job")?.status, "SUCCEEDED");
});

test("close() does not wait for ever, neither for a handler nor for the cloud", async () => {
  const processes = new Processes();
  const { world } = processes;
  const { runner } = await processes.start({ do: never });
  world.cloud.queue("job", { operation: "do" });
  await world.settle(1_000);
  let isClosed = false;
  const closing = runner.close().then(() => (isClosed = true));
  await world.settle(defaultJobsCloseTimeoutMs - 1_000);
  assert.equal(isClosed, false);
  await world.settle(2_000);
  await closing;
  assert.equal(world.clock.timerCount, 0);
});

test("a job that was deleted and made anew under the same name is another one", async () => {
  const processes = new Processes();
  const { world } = processes;
  const { events } = await processes.start({ do: never });
  world.cloud.queue("job", { operation: "do" });
  await world.settle(2_000);
  processes.kill();
  world.cloud.delete("job");
  world.cloud.queue("job", { operation: "do" });
  const again = await processes.start({ do: async () => undefined });
  await world.settle(30_000);
  assert.deepEqual(events, ["jobStarted job/1 do false"]);
  assert.deepEqual(again.events, ["jobCancelled job/1 -", "jobStarted job/1 do false", "jobCompleted job/1 {}"]);
});

test("a disk that cannot be written is told, and the work goes on", async () => {
  const processes = new Processes();
  const { world } = processes;
  const full = () => Promise.reject(new ThinglineError("FILE_UNREADABLE", "the disk is full"));
  const files = new Proxy(processes.files, {
    get: (disk, name: keyof VirtualFiles) => {
      const member = name === "replace" ? full : (Reflect.get(disk, name) as unknown);
      return typeof member === "function" ? (member.bind(disk) as unknown) : member;
    },
  });
  const { runner, errors } = await processes.start({ do: async () => undefined }, { files });
  world.cloud.queue("job", { operation: "do" });
  await world.settle(1_000);
  assert.equal(world.cloud.find("job")?.status, "SUCCEEDED");
  assert.deepEqual(new Set(errors.map(({ code }) => code)), new Set(["FILE_UNREADABLE"]));
  await runner.close();
});

const contents: [string, string | Uint8Array, string][] = [
  ["is not JSON", "{", "STORE_CORRUPT"],
  ["is of a later version", '{"version":2}', "STORE_VERSION_UNKNOWN"],
  ["is too large", new Uint8Array(jobsRecordBytesMax + 1), "FILE_TOO_LARGE"],
  ["has a job that is none", '{"version":1,"thingName":"pump-7","executions":[{"jobId":"../x"}]}', "STORE_CORRUPT"],
];

for (const [what, content, code] of contents) {
  test(`a record that ${what}: nothing of it is lost, and it is told`, async () => {
    const processes = new Processes();
    processes.files = createVirtualFiles({ content: { [path]: content } });
    const errors: ThinglineError[] = [];
    const on = { error: ({ error }: { error: ThinglineError }) => void errors.push(error) };
    const starting = processes.start({}, { on });
    if (code !== "STORE_CORRUPT") return assert.rejects(starting, { code });
    const { runner } = await starting;
    assert.equal(errors[0]?.code, code);
    assert.deepEqual(processes.files.snapshot()[`${path}.unreadable`], processes.files.snapshot()[path]);
    await runner.close();
  });
}

test("the record of another thing is worth nothing, and a folder has one client", async () => {
  const processes = new Processes();
  const record = { jobId: "job", executionNumber: 1, queuedAt: 1, begunCount: 1, callCount: 1, phase: "running" };
  const text = JSON.stringify({ version: 1, thingName: "another", executions: [record] });
  processes.files = createVirtualFiles({ content: { [path]: text } });
  const { runner } = await processes.start({});
  assert.equal(runner.executionCount, 0);
  assert.equal(runner.thingName, thingName);
  await assert.rejects(processes.start({}), { code: "LOCKED" });
  await runner.close();
  await (await processes.start({})).runner.close();
});
