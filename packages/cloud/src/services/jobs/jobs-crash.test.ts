// The process is killed before each commit of what a job does in steps; another one goes on with what is stored.
import assert from "node:assert/strict";
import { test } from "node:test";
import {
  createVirtualClock,
  createVirtualKeys,
  createVirtualRandom,
  type VirtualClock,
} from "@thingline/transport/virtual";
import { createMemoryStore } from "../../store/memory.js";
import type { Store } from "../../store/store.js";
import { answer, type Operation } from "../operation.js";
import { createThing } from "../registry/things.js";
import { openOperationRunner } from "../runner.js";
import { scope } from "../world.test.support.js";
import { executionsPerStepMax } from "./advance.js";
import { thingArn } from "./jobs-world.test.support.js";
import { jobKeys, jobsServiceName, type ExecutionRecord, type JobProgress } from "./model.js";
import { createJobs } from "./service.js";
import type { JobContent } from "./settings.js";
import { registryTargets } from "./targets.js";
import { createJobsWake } from "./wake.js";

const noTemplate: Operation<unknown, JobContent> = async () => answer({});
const deps = {
  targets: registryTargets,
  documents: { read: () => Promise.resolve("{}"), presign: () => "" },
  findJobTemplate: noTemplate,
  isLimited: false,
};
const jobs = createJobs(deps);
const quiet = () => undefined;
const log = { debug: quiet, info: quiet, warn: quiet, error: quiet };
const random = createVirtualRandom(3);
const keys = createVirtualKeys({ random });

/** A store whose process is dead after so many commits: nothing that it is asked then is ever answered. */
function mortal(store: Store, commitsMax: number) {
  const counter = { commits: 0 };
  const commit: Store["commit"] = (operations) =>
    ++counter.commits > commitsMax ? new Promise(() => undefined) : store.commit(operations);
  return { store: Object.assign(Object.create(store) as Store, { commit }), counter };
}

async function open(store: Store, clock: VirtualClock) {
  const runner = await openOperationRunner({ store, clock, random, keys, log });
  const told: string[] = [];
  await runner.start({
    wakeHandlers: new Map([[jobsServiceName, createJobsWake(deps)]]),
    performer: {
      publish: async (_scope, { topic }) => void told.push(topic),
      disconnect: async () => undefined,
      recheckPrincipal: async () => undefined,
    },
  });
  return { runner, told };
}

const thingCount = 4 * executionsPerStepMax + 6;
const thingNames = Array.from({ length: thingCount }, (_, at) => `t${at}`);
const jobId = "job";

async function makeJob(store: Store, clock: VirtualClock): Promise<void> {
  const { runner } = await open(store, clock);
  for (const thingName of thingNames) await runner.run(scope, createThing, { thingName });
  await runner.close();
}

const create = {
  jobId,
  targets: thingNames.map(thingArn),
  document: '{"operation":"test"}',
  timeoutConfig: { inProgressTimeoutInMinutes: 1 },
};

interface Scenario {
  /** Before the process that is killed. */
  before: readonly [operation: keyof typeof operations, input: object][];
  killed: [operation: keyof typeof operations, input: object];
  /** Time that passes in the process that is killed, and then in the other one. */
  passMs: number;
  expected: Readonly<Record<string, number>> | undefined;
}

const { createJob, cancelJob, deleteJob, startNextPendingJobExecution } = jobs;
const operations = { createJob, cancelJob, deleteJob, startNextPendingJobExecution };
const scenarios: Readonly<Record<string, Scenario>> = {
  rollout: { before: [], killed: ["createJob", create], passMs: 0, expected: { QUEUED: thingCount } },
  cancellation: {
    before: [["createJob", create]],
    killed: ["cancelJob", { jobId, force: true }],
    passMs: 0,
    expected: { CANCELED: thingCount },
  },
  deletion: {
    before: [["createJob", create]],
    killed: ["deleteJob", { jobId, force: true }],
    passMs: 0,
    expected: undefined,
  },
  "time-out": {
    before: [["createJob", create]],
    killed: ["startNextPendingJobExecution", { thingName: "t7" }],
    passMs: 60_000,
    expected: { QUEUED: thingCount - 1, TIMED_OUT: 1 },
  },
};

/** @returns how many commits the process made */
async function runScenario({ before, killed, passMs, expected }: Scenario, commitsMax: number): Promise<number> {
  const store = createMemoryStore();
  const clock = createVirtualClock();
  await makeJob(store, clock);
  const first = await open(store, clock);
  for (const [name, input] of before)
    await first.runner.run(scope, operations[name] as Operation<object, object>, input);
  await clock.advance(0);
  await first.runner.close();
  const { store: dying, counter } = mortal(store, commitsMax);
  const second = await open(dying, clock);
  let isAnswered = false;
  const run = second.runner.run(scope, operations[killed[0]] as Operation<object, object>, killed[1]);
  void run.then(() => (isAnswered = true));
  await clock.advance(passMs);
  const third = await open(store, clock);
  // What was not answered is asked again, as a client does.
  if (!isAnswered) {
    const again = third.runner.run(scope, operations[killed[0]] as Operation<object, object>, killed[1]);
    await again.catch(() => undefined);
  }
  await clock.advance(passMs);
  await third.runner.idle();
  const progress = (await store.get<JobProgress>(jobKeys.progress(scope, jobId)))?.value;
  const counts = progress && Object.fromEntries(Object.entries(progress.counts).filter(([, count]) => count > 0));
  assert.deepEqual(counts, expected, `killed before commit ${commitsMax + 1}`);
  const executions = await store.list<ExecutionRecord>(jobKeys.executions(scope, jobId), { limit: 1_000 });
  assert.equal(executions.length, expected === undefined ? 0 : thingCount);
  assert.ok(executions.every(({ value }) => value.executionNumber === 1));
  await third.runner.close();
  return counter.commits;
}

for (const [name, scenario] of Object.entries(scenarios)) {
  test(`a ${name} that is cut anywhere is finished by the next process, once`, async (t) => {
    const commits = await runScenario(scenario, Infinity);
    assert.ok(commits >= (scenario.passMs > 0 ? 2 : thingCount / executionsPerStepMax), String(commits));
    for (let cut = 0; cut < commits; cut++) await runScenario(scenario, cut);
    t.diagnostic(`${commits} cut points`);
  });
}
