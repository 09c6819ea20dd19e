// By seed: a network that loses, repeats, delays and reorders, a process that is killed, a cloud that refuses and cancels.
import assert from "node:assert/strict";
import { test } from "node:test";
import { isPendingJobStatus } from "@thingline/protocol/jobs";
import type { Random } from "@thingline/transport";
import {
  createProcessClock,
  createVirtualFiles,
  createVirtualRandom,
  type ProcessClock,
  type VirtualFiles,
} from "@thingline/transport/virtual";
import type { JobOutcome, RunJobsOptions, RunningJob } from "./index.js";
import type { CloudExecution } from "./jobs-cloud.test.support.js";
import { FakeJobsDevice, JobsWorld } from "./jobs-world.test.support.js";

const isLong = process.env["THINGLINE_TEST_LONG"] === "1";
const worldCount = isLong ? 4_000 : 30;
const firstSeed = Number(process.env["THINGLINE_JOBS_SEED"] ?? 1);

const troubleMs = 20 * 60_000;
const calmMs = 3 * 3_600_000;
const operations = ["succeed", "fail", "throw", "slow", "progress", "park", "unknown"] as const;

const keyOf = ({ jobId, executionNumber }: { jobId: string; executionNumber: number }): string =>
  `${jobId}/${executionNumber}`;

/** What was done for an execution, by whichever process. */
interface Deeds {
  calls: number;
  /** Handlers that returned, and with which status. */
  said: string[];
  /** Calls that were under way when their process was killed, or that said that they go on after a restart. */
  deaths: number;
  /** It said that it goes on after a restart. */
  parks: number;
}

class RandomWorld {
  readonly world: JobsWorld;
  readonly violations: string[] = [];
  readonly #random: Random;
  readonly #options: Partial<RunJobsOptions>;
  readonly #deeds = new Map<string, Deeds>();
  readonly #cancelled = new Set<string>();
  /** Under way in this process. */
  #open = new Set<string>();
  #files: VirtualFiles;
  #clock: ProcessClock | undefined;
  #jobCount = 0;
  #lostUntilMs = 0;

  constructor(seed: number) {
    this.#random = createVirtualRandom(`jobs-${seed}`);
    this.world = new JobsWorld(`device-${seed}`);
    this.#files = createVirtualFiles({ random: createVirtualRandom(`files-${seed}`) });
    this.#options = {
      parallelMax: this.#one(3) ? 3 : 1,
      attemptsMax: 1_000,
      pollIntervalMs: 600_000,
      progressIntervalMs: 1_000,
    };
  }

  #one(in_: number): boolean {
    return this.#random.integer(in_) === 0;
  }

  #deedsOf(job: { jobId: string; executionNumber: number }): Deeds {
    const deeds = this.#deeds.get(keyOf(job)) ?? { calls: 0, said: [], deaths: 0, parks: 0 };
    this.#deeds.set(keyOf(job), deeds);
    return deeds;
  }

  async run(): Promise<void> {
    const { world } = this;
    await this.#start();
    this.#trouble();
    while (world.clock.monotonicMs() < troubleMs) {
      this.#disturb();
      await world.settle(1 + this.#random.integer(20_000));
      world.cloud.tick();
      this.#look();
    }
    this.#calm();
    if (this.#clock === undefined) await this.#start();
    const end = world.clock.monotonicMs() + calmMs;
    for (let minute = 1; world.clock.monotonicMs() < end && world.cloud.pending.length > 0; minute += 1) {
      await world.settle(60_000);
      world.cloud.tick();
      // A job that waits for a restart gets one.
      if (minute % 15 === 0) await this.#restart();
      this.#look();
    }
    for (const { jobId, status } of world.cloud.pending) this.violations.push(`${jobId} never ended: ${status}`);
  }

  #trouble(): void {
    const { world } = this;
    world.fate = ({ isToDevice }) => {
      if (this.#one(isToDevice ? 7 : 20)) return [];
      const delayMs = (): number => (this.#one(4) ? this.#random.integer(30_000) : this.#random.integer(100));
      return this.#one(7) ? [delayMs(), delayMs()] : [delayMs()];
    };
  }

  #calm(): void {
    this.world.fate = () => [0];
    this.world.cloud.refusals = [];
    this.world.device.losesPuback = () => false;
    this.world.device.connect();
  }

  #disturb(): void {
    const { world } = this;
    const { cloud, device } = world;
    if (this.#one(4) && this.#jobCount < 6) {
      const operation = operations[this.#random.integer(operations.length)];
      cloud.queue(`job-${++this.#jobCount}`, { operation });
    }
    if (this.#one(4)) {
      if (device.state === "ready") device.disconnect();
      else device.connect();
    }
    if (this.#one(6)) this.#refuse();
    if (this.#one(15)) {
      const execution = cloud.executions[this.#random.integer(Math.max(1, cloud.executions.length))];
      if (execution !== undefined && isPendingJobStatus(execution.status)) {
        const status = this.#one(2) ? "CANCELED" : "TIMED_OUT";
        cloud.end(execution.jobId, status);
        this.#cancelled.add(keyOf(execution));
        // As a job with retries does it.
        if (this.#one(2)) cloud.queue(execution.jobId, execution.document);
      }
    }
    if (this.#one(8)) void this.#restart();
  }

  /** What was just made may not be found at once; a cloud that loses what it has for longer is believed, and what it finds again is done again. */
  #refuse(): void {
    const { cloud, clock } = this.world;
    const code = ["RequestThrottled", "InternalError", "ResourceNotFound"][this.#random.integer(3)] as string;
    if (code === "ResourceNotFound") {
      if (clock.monotonicMs() < this.#lostUntilMs) return;
      this.#lostUntilMs = clock.monotonicMs() + 5 * 60_000;
    }
    cloud.refusals.push({ code });
  }

  async #restart(): Promise<void> {
    if (this.#clock === undefined) return;
    this.#clock.kill();
    this.#clock = undefined;
    this.world.device.die();
    for (const key of this.#open) (this.#deeds.get(key) as Deeds).deaths += 1;
    this.#open = new Set();
    this.#files = this.#one(2) ? this.#files.restart() : this.#files.restartProcess();
    await this.#start();
  }

  async #start(): Promise<void> {
    const { world } = this;
    const clock = createProcessClock(world.clock);
    this.#clock = clock;
    world.device = new FakeJobsDevice(world);
    world.device.losesPuback = () => this.#one(10);
    const handlers = Object.fromEntries(
      operations
        .filter((each) => each !== "unknown")
        .map((each) => [each, (job: RunningJob) => this.#work(each, job, clock)]),
    );
    await world.run(handlers, { clock, files: this.#files, folder: "/jobs", ...this.#options });
  }

  async #work(operation: string, job: RunningJob, clock: ProcessClock): Promise<JobOutcome> {
    const deeds = this.#deedsOf(job);
    deeds.calls += 1;
    this.#open.add(keyOf(job));
    if (!job.isResumed && deeds.calls > 1) this.violations.push(`${keyOf(job)} is begun again and told to be new`);
    let outcome: JobOutcome = { status: "SUCCEEDED" };
    try {
      outcome = await this.#do(operation, job, clock, deeds);
      deeds.said.push(outcome.status);
    } catch (error) {
      deeds.said.push("FAILED");
      throw error;
    } finally {
      // It is on disk before time goes on.
      if (!clock.isKilled) this.#open.delete(keyOf(job));
      if (outcome.status === "IN_PROGRESS") deeds.deaths += 1;
    }
    return outcome;
  }

  async #do(operation: string, job: RunningJob, clock: ProcessClock, deeds: Deeds): Promise<JobOutcome> {
    switch (operation) {
      case "fail":
        return { status: "FAILED", statusDetails: { why: "so" } };
      case "throw":
        throw new Error("broken");
      case "slow":
        await clock.sleep(this.#random.integer(120_000));
        break;
      case "progress":
        for (let step = 0; step < 10 && !job.signal.aborted; step += 1) {
          await job.report({ step: String(step) });
          await clock.sleep(500 + this.#random.integer(5_000));
        }
        break;
      case "park":
        deeds.parks += 1;
        if (deeds.parks < 3) return { status: "IN_PROGRESS" };
        break;
    }
    return { status: "SUCCEEDED", statusDetails: { calls: String(deeds.calls) } };
  }

  #look(): void {
    for (const execution of this.world.cloud.executions) this.#judge(execution);
  }

  #judge(execution: CloudExecution): void {
    const key = keyOf(execution);
    const { status } = execution;
    const deeds = this.#deeds.get(key) ?? { calls: 0, said: [], deaths: 0, parks: 0 };
    if (deeds.calls > 1 + deeds.deaths)
      this.violations.push(`${key} was done ${deeds.calls} times, ${deeds.deaths} deaths`);
    const isSaid = deeds.said.includes(status);
    if ((status === "SUCCEEDED" || status === "FAILED") && !isSaid)
      this.violations.push(`${key} is ${status}, and no handler said so`);
    const { operation } = execution.document as { operation: string };
    if (status === "REJECTED" && operation !== "unknown") this.violations.push(`${key} is REJECTED`);
    if (status === "SUCCEEDED" && operation === "unknown") this.violations.push(`${key} is SUCCEEDED`);
    const isCancelled = this.#cancelled.has(key);
    if ((status === "CANCELED" || status === "TIMED_OUT") && !isCancelled) this.violations.push(`${key} is ${status}`);
  }
}

test(`${worldCount} worlds: each execution is done once unless its process died in it, every job ends, and no status is untrue`, async () => {
  let done = 0;
  const seeds = Array.from({ length: worldCount }, (_, at) => firstSeed + at);
  for (const seed of seeds) {
    const random = new RandomWorld(seed);
    await random.run();
    done += random.world.cloud.executions.length;
    assert.deepEqual(random.violations, [], `THINGLINE_JOBS_SEED=${seed}`);
  }
  assert.ok(done > worldCount, `${done} executions`);
});
