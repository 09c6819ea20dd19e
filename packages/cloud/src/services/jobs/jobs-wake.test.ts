// What wake-ups find that is not as it was when they were set.
import assert from "node:assert/strict";
import { test } from "node:test";
import { answer } from "../operation.js";
import { scope } from "../world.test.support.js";
import { executionsPerStepMax, expandedPerStepMax } from "./advance.js";
import { groupArn, jobDocument, openJobsWorld, thingArn, type JobsWorld } from "./jobs-world.test.support.js";
import { jobsLane } from "./model.js";

const minuteMs = 60_000;

const executionsOf = async (world: JobsWorld, jobId: string): Promise<string[]> => {
  const { executionSummaries = [] } = await world.run(world.jobs.listJobExecutionsForJob, { jobId, maxResults: 250 });
  return executionSummaries.map(
    ({ thingArn: arn, jobExecutionSummary: one }) => `${arn?.split("/")[1]} ${one?.executionNumber} ${one?.status}`,
  );
};
const chunksOf = (world: JobsWorld) =>
  world.store.list([scope.account, scope.region, "jobChunk"], { limit: 1_000 }).then((chunks) => chunks.length);

/** What is due after this time waits behind a decision, and Unix time steps back meanwhile. */
async function stepBackWhenDue(world: JobsWorld, afterMs: number): Promise<void> {
  let release: () => void = () => undefined;
  const held = new Promise<void>((resolve) => (release = resolve));
  const hold = Object.assign(async () => (await held, answer(undefined)), { lane: () => jobsLane });
  const holding = world.runner.run(scope, hold, undefined);
  await world.clock.advance(afterMs);
  world.clock.setUnixMs(world.clock.unixMs() - minuteMs / 2);
  release();
  await holding;
  await world.runner.idle();
}

test("an execution times out also when Unix time steps back just when it should", async () => {
  const world = await openJobsWorld();
  await world.createThings("a");
  await world.create("job", ["a"], { timeoutConfig: { inProgressTimeoutInMinutes: 1 } });
  await world.ask({ thingName: "a", type: "start-next" });
  await stepBackWhenDue(world, minuteMs);
  assert.deepEqual(await world.counts("job"), { InProgress: 1 });
  await world.pass(2 * minuteMs);
  assert.deepEqual(await world.counts("job"), { TimedOut: 1 });
});

test("a job that waits for its time begins also when Unix time steps back just when it should", async () => {
  const world = await openJobsWorld();
  await world.createThings("a");
  const startTime = new Date(world.clock.unixMs() + 60 * minuteMs).toISOString().slice(0, 16);
  await world.create("job", ["a"], { schedulingConfig: { startTime } });
  await stepBackWhenDue(world, Date.parse(`${startTime}Z`) - world.clock.unixMs());
  assert.equal(await world.status("job"), "SCHEDULED");
  await world.pass(2 * minuteMs);
  assert.equal(await world.status("job"), "IN_PROGRESS");
  assert.deepEqual(await world.counts("job"), { Queued: 1 });
});

test("a thing that is made again at once has nothing to do with the executions of the one before it", async () => {
  const world = await openJobsWorld();
  const jobs = Array.from({ length: executionsPerStepMax + 2 }, (_, at) => `job${at}`);
  await world.createThings("a", "b");
  for (const jobId of jobs) await world.create(jobId, ["a", "b"]);
  await world.ask({ thingName: "a", type: "start-next" });
  await world.run(world.registry.deleteThing, { thingName: "a" });
  await world.createThings("a");
  await world.create("later", ["a"]);
  await world.pass(0);
  for (const jobId of jobs) assert.deepEqual(await executionsOf(world, jobId), ["b 1 QUEUED"]);
  assert.deepEqual(await world.counts("job0"), { Queued: 1 });
  assert.deepEqual(await executionsOf(world, "later"), ["a 1 QUEUED"]);
});

test("a thing that is made again in a group of a continuous job gets the job as a new one", async () => {
  const world = await openJobsWorld();
  await world.createThings("a");
  await world.run(world.registry.createThingGroup, { thingGroupName: "fleet" });
  const membership = { thingName: "a", thingGroupName: "fleet" };
  await world.run(world.registry.addThingToThingGroup, membership);
  const continuous = { targets: [groupArn("fleet")], document: jobDocument, targetSelection: "CONTINUOUS" as const };
  await world.run(world.jobs.createJob, { jobId: "job", ...continuous });
  await world.pass(0);
  await world.ask({ thingName: "a", type: "update", jobId: "job" }, { status: "SUCCEEDED" });
  await world.run(world.registry.deleteThing, { thingName: "a" });
  await world.createThings("a");
  await world.run(world.registry.addThingToThingGroup, membership);
  await world.pass(0);
  assert.deepEqual(await executionsOf(world, "job"), ["a 1 QUEUED"]);
  assert.deepEqual(await world.counts("job"), { Queued: 1 });
});

test("things that come and go again and again while nothing is rolled out wait once", async () => {
  const world = await openJobsWorld();
  await world.createThings("a", "b", "c");
  await world.run(world.registry.createThingGroup, { thingGroupName: "fleet" });
  await world.run(world.jobs.createJob, {
    ...{ jobId: "job", targets: [groupArn("fleet"), thingArn("c")], document: jobDocument },
    ...{ targetSelection: "CONTINUOUS", jobExecutionsRolloutConfig: { maximumPerMinute: 1 } },
  });
  for (let round = 0; round < 20; round++) {
    for (const thingName of ["a", "b"]) {
      await world.run(world.registry.addThingToThingGroup, { thingName, thingGroupName: "fleet" });
      await world.pass(0);
      if (round === 19) continue;
      await world.run(world.registry.removeThingFromThingGroup, { thingName, thingGroupName: "fleet" });
      await world.pass(0);
    }
    await world.run(world.jobs.associateTargetsWithJob, { jobId: "job", targets: [thingArn("c"), thingArn("b")] });
  }
  assert.equal(await chunksOf(world), 1);
  await world.pass(5 * minuteMs);
  assert.equal(await chunksOf(world), 0);
  assert.deepEqual(await executionsOf(world, "job"), ["a 1 QUEUED", "b 1 QUEUED", "c 1 QUEUED"]);
});

test("things that wait fill one chunk after another", async () => {
  const world = await openJobsWorld();
  const things = Array.from({ length: expandedPerStepMax + 20 }, (_, at) => `t${at}`);
  await world.createThings(...things);
  const targets = things.map(thingArn);
  await world.run(world.jobs.createJob, {
    ...{ jobId: "job", targets: targets.slice(0, 90), document: jobDocument, targetSelection: "CONTINUOUS" },
    jobExecutionsRolloutConfig: { maximumPerMinute: 100 },
  });
  await world.run(world.registry.createThingGroup, { thingGroupName: "fleet" });
  for (const thingName of things.slice(90)) {
    await world.run(world.registry.addThingToThingGroup, { thingName, thingGroupName: "fleet" });
  }
  await world.run(world.jobs.associateTargetsWithJob, { jobId: "job", targets: [groupArn("fleet")] });
  await world.pass(10 * minuteMs);
  assert.deepEqual(await world.counts("job"), { Queued: things.length });
});
