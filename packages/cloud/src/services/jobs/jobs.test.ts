import assert from "node:assert/strict";
import { test } from "node:test";
import { isThinglineError } from "@thingline/protocol";
import { expandedPerStepMax } from "./advance.js";
import { deletingJobsMax } from "./jobs.js";
import { activeJobsMax, targetsMax } from "./create-job.js";
import { groupArn, jobDocument, openJobsWorld, thingArn, type JobsWorld } from "./jobs-world.test.support.js";

const minuteMs = 60_000;
const names = (count: number): string[] => Array.from({ length: count }, (_, at) => `t${String(at).padStart(5, "0")}`);

const update = (world: JobsWorld, jobId: string, thingName: string, payload: object) =>
  world.ask({ thingName, type: "update", jobId }, payload);
const start = (world: JobsWorld, thingName: string, payload: object = {}) =>
  world.ask({ thingName, type: "start-next" }, payload);

async function openGroup(world: JobsWorld, thingGroupName: string, things: readonly string[]): Promise<void> {
  await world.run(world.registry.createThingGroup, { thingGroupName });
  for (const thingName of things) await join(world, thingName, thingGroupName);
  await world.pass(0);
}

const join = (world: JobsWorld, thingName: string, thingGroupName: string) =>
  world.run(world.registry.addThingToThingGroup, { thingName, thingGroupName });
const leave = (world: JobsWorld, thingName: string, thingGroupName: string) =>
  world.run(world.registry.removeThingFromThingGroup, { thingName, thingGroupName });

async function statuses(world: JobsWorld, jobId: string): Promise<Record<string, string[]>> {
  const found: Record<string, string[]> = {};
  let nextToken: string | undefined;
  do {
    const page = await world.run(world.jobs.listJobExecutionsForJob, { jobId, maxResults: 250, nextToken });
    for (const { thingArn: arn = "", jobExecutionSummary: one } of page.executionSummaries ?? []) {
      (found[arn.split("/")[1] ?? ""] ??= []).push(`${one?.executionNumber} ${one?.status}`);
    }
    nextToken = page.nextToken;
  } while (nextToken !== undefined);
  return found;
}

test("a job without targets to come is completed when every thing has ended, however it did", async () => {
  const world = await openJobsWorld();
  await world.createThings("a", "b", "c");
  await world.create("job", ["a", "b", "c"]);
  assert.deepEqual(await world.counts("job"), { Queued: 3 });
  await start(world, "a");
  assert.deepEqual(await world.counts("job"), { Queued: 2, InProgress: 1 });
  await update(world, "job", "a", { status: "SUCCEEDED" });
  await update(world, "job", "b", { status: "REJECTED" });
  assert.equal(await world.status("job"), "IN_PROGRESS");
  await update(world, "job", "c", { status: "FAILED" });
  assert.equal(await world.status("job"), "COMPLETED");
  assert.deepEqual(await world.counts("job"), { Succeeded: 1, Rejected: 1, Failed: 1 });
  const { job } = await world.run(world.jobs.describeJob, { jobId: "job" });
  assert.equal(job?.completedAt, world.clock.unixMs() / 1_000);
  assert.equal(job?.isConcurrent, false);
});

test("a rollout keeps its rate: no more in any minute than it allows", async () => {
  const world = await openJobsWorld();
  const things = names(25);
  await world.createThings(...things);
  await world.create("job", things, { jobExecutionsRolloutConfig: { maximumPerMinute: 10 } });
  const seen: number[] = [];
  for (let minute = 0; minute < 3; minute++) {
    seen.push((await world.counts("job"))["Queued"] ?? 0);
    await world.pass(minuteMs);
  }
  assert.deepEqual(seen, [10, 20, 25]);
});

test("another rate counts from now on, and what was rolled out within the minute counts against it", async () => {
  const world = await openJobsWorld();
  const things = names(40);
  await world.createThings(...things);
  await world.create("job", things, { jobExecutionsRolloutConfig: { maximumPerMinute: 5 } });
  await world.run(world.jobs.updateJob, { jobId: "job", jobExecutionsRolloutConfig: { maximumPerMinute: 20 } });
  assert.deepEqual(await world.counts("job"), { Queued: 20 });
  await world.pass(minuteMs);
  assert.deepEqual(await world.counts("job"), { Queued: 40 });
});

test("an exponential rate grows with the things that were notified", async () => {
  const world = await openJobsWorld();
  const things = names(40);
  await world.createThings(...things);
  await world.create("job", things, {
    jobExecutionsRolloutConfig: {
      exponentialRate: {
        baseRatePerMinute: 5,
        incrementFactor: 2,
        rateIncreaseCriteria: { numberOfNotifiedThings: 10 },
      },
      maximumPerMinute: 1_000,
    },
  });
  const seen: number[] = [];
  for (let minute = 0; minute < 5; minute++) {
    seen.push((await world.counts("job"))["Queued"] ?? 0);
    await world.pass(minuteMs);
  }
  // From 10 notified things on 10 in a minute, from 20 on 20.
  assert.deepEqual(seen, [5, 10, 20, 40, 40]);
});

test("with the quotas of AWS no job is rolled out to more than 1,000 things in a minute", async () => {
  const world = await openJobsWorld({ isLimited: true });
  const things = names(1_100);
  // The group is looked up in several steps as well.
  assert.ok(things.length > 2 * expandedPerStepMax);
  await world.createThings(...things);
  await openGroup(world, "fleet", things);
  await world.run(world.jobs.createJob, { jobId: "job", targets: [groupArn("fleet")], document: jobDocument });
  await world.pass(minuteMs / 2);
  assert.deepEqual(await world.counts("job"), { Queued: 1_000 });
  await world.pass(minuteMs);
  assert.deepEqual(await world.counts("job"), { Queued: 1_100 });
});

test("a job is canceled when enough of the things that got it have failed", async () => {
  const world = await openJobsWorld();
  const things = names(20);
  await world.createThings(...things);
  await world.create("job", things, {
    jobExecutionsRolloutConfig: { maximumPerMinute: 10 },
    abortConfig: {
      criteriaList: [
        { failureType: "FAILED", action: "CANCEL", thresholdPercentage: 20, minNumberOfExecutedThings: 5 },
      ],
    },
  });
  await start(world, "t00009");
  await update(world, "job", "t00000", { status: "FAILED" });
  await update(world, "job", "t00001", { status: "REJECTED" });
  assert.equal(await world.status("job"), "IN_PROGRESS");
  await update(world, "job", "t00002", { status: "FAILED" });
  assert.equal(await world.status("job"), "CANCELED");
  await world.pass(10 * minuteMs);
  // What is in progress runs on, and what was not rolled out never is.
  assert.deepEqual(await world.counts("job"), { Failed: 2, Rejected: 1, InProgress: 1, Canceled: 6 });
  await update(world, "job", "t00009", { status: "SUCCEEDED" });
  assert.deepEqual(await world.counts("job"), { Failed: 2, Rejected: 1, Succeeded: 1, Canceled: 6 });
  assert.equal(await world.status("job"), "CANCELED");
});

test("an execution in progress times out from its start, whatever is reported", async () => {
  const world = await openJobsWorld();
  await world.createThings("a");
  await world.create("job", ["a"], { timeoutConfig: { inProgressTimeoutInMinutes: 10 } });
  await world.pass(60 * minuteMs);
  assert.deepEqual(await world.counts("job"), { Queued: 1 });
  await start(world, "a");
  await world.pass(9 * minuteMs);
  await update(world, "job", "a", { status: "IN_PROGRESS", statusDetails: { step: "2" } });
  await world.take();
  const [described] = await world.exchange({ thingName: "a", type: "describe", jobId: "job" });
  const { approximateSecondsBeforeTimedOut } = described?.message["execution"] as Record<string, unknown>;
  assert.equal(approximateSecondsBeforeTimedOut, 60);
  await world.pass(minuteMs - 1);
  assert.deepEqual(await world.counts("job"), { InProgress: 1 });
  await world.pass(1);
  assert.deepEqual(await world.counts("job"), { TimedOut: 1 });
  assert.equal(await world.status("job"), "COMPLETED");
  assert.deepEqual(
    (await world.take()).map(({ topic }) => topic),
    ["a/jobs/notify", "a/jobs/notify-next"],
  );
});

test("the timer of a step is replaced by each new one, ended by -1, and never outlasts the job's", async () => {
  const world = await openJobsWorld();
  await world.createThings("a");
  await world.create("job", ["a"], { timeoutConfig: { inProgressTimeoutInMinutes: 60 } });
  await start(world, "a", { stepTimeoutInMinutes: 5 });
  await world.pass(4 * minuteMs);
  await update(world, "job", "a", { status: "IN_PROGRESS", stepTimeoutInMinutes: 10 });
  await world.pass(9 * minuteMs);
  assert.deepEqual(await world.counts("job"), { InProgress: 1 });
  // start-next on what is in progress sets the timer as well.
  await start(world, "a", { stepTimeoutInMinutes: 2 });
  await world.pass(minuteMs);
  await update(world, "job", "a", { status: "IN_PROGRESS", stepTimeoutInMinutes: -1 });
  await world.pass(30 * minuteMs);
  assert.deepEqual(await world.counts("job"), { InProgress: 1 });
  await update(world, "job", "a", { status: "IN_PROGRESS", stepTimeoutInMinutes: 10_080 });
  await world.pass(17 * minuteMs);
  assert.deepEqual(await world.counts("job"), { TimedOut: 1 });
});

test("a step's timer that was stopped runs again when it is set again, also after the time at which it would have ended", async () => {
  const world = await openJobsWorld();
  await world.createThings("a");
  await world.create("job", ["a"]);
  await start(world, "a", { stepTimeoutInMinutes: 2 });
  await update(world, "job", "a", { status: "IN_PROGRESS", stepTimeoutInMinutes: -1 });
  await world.pass(3 * minuteMs);
  await update(world, "job", "a", { status: "IN_PROGRESS", stepTimeoutInMinutes: 2 });
  await world.pass(2 * minuteMs);
  assert.deepEqual(await world.counts("job"), { TimedOut: 1 });
});

test("failures are tried again as often as the criteria say, and rejections never", async () => {
  const world = await openJobsWorld();
  await world.createThings("a", "b");
  await world.create("job", ["a", "b"], {
    jobExecutionsRetryConfig: {
      criteriaList: [
        { failureType: "FAILED", numberOfRetries: 1 },
        { failureType: "TIMED_OUT", numberOfRetries: 1 },
      ],
    },
    timeoutConfig: { inProgressTimeoutInMinutes: 1 },
  });
  await update(world, "job", "b", { status: "REJECTED" });
  await update(world, "job", "a", { status: "FAILED" });
  assert.deepEqual(await world.counts("job"), { Queued: 1, Rejected: 1 });
  await start(world, "a");
  await world.pass(minuteMs);
  assert.deepEqual(await world.counts("job"), { Queued: 1, Rejected: 1 });
  await update(world, "job", "a", { status: "FAILED" });
  assert.equal(await world.status("job"), "COMPLETED");
  assert.deepEqual(await statuses(world, "job"), {
    a: ["1 FAILED", "2 TIMED_OUT", "3 FAILED"],
    b: ["1 REJECTED"],
  });
  assert.deepEqual(await world.counts("job"), { Failed: 1, Rejected: 1 });
  const { executionSummaries = [] } = await world.run(world.jobs.listJobExecutionsForThing, { thingName: "a" });
  assert.deepEqual(
    executionSummaries.map(({ jobExecutionSummary: one }) => [one?.executionNumber, one?.retryAttempt]),
    [
      [3, 2],
      [2, 1],
      [1, undefined],
    ],
  );
});

test("canceling a job ends what is queued, and with force what is in progress", async () => {
  for (const force of [false, true]) {
    const world = await openJobsWorld();
    const things = names(100);
    await world.createThings(...things);
    await world.create("job", things);
    await world.pass(0);
    await start(world, "t00050");
    await world.run(world.jobs.cancelJob, { jobId: "job", force });
    // Before the last step is done, nothing of the job can be started any more.
    await start(world, "t00099");
    assert.equal((await world.counts("job"))["InProgress"], 1);
    await world.pass(0);
    assert.deepEqual(await world.counts("job"), force ? { Canceled: 100 } : { Canceled: 99, InProgress: 1 });
    const { job } = await world.run(world.jobs.describeJob, { jobId: "job" });
    assert.deepEqual([job?.status, job?.forceCanceled], ["CANCELED", force ? true : undefined]);
    await update(world, "job", "t00050", { status: "FAILED" });
    assert.equal((await world.counts("job"))["Canceled"], force ? 100 : 99);
  }
});

test("a job that is deleted goes step by step, with everything that was kept of it", async () => {
  const world = await openJobsWorld();
  const things = names(100);
  await world.createThings(...things);
  const keys = async () => (await world.store.list(["123456789012", "us-east-1"], { limit: 10_000 })).length;
  const before = await keys();
  await world.create("job", things, { targetSelection: "CONTINUOUS" });
  await world.pass(0);
  await assert.rejects(world.run(world.jobs.deleteJob, { jobId: "job" }), { code: "JOB_STATE_INVALID" });
  await world.run(world.jobs.deleteJob, { jobId: "job", force: true });
  assert.equal(await world.status("job"), "DELETION_IN_PROGRESS");
  const [refused] = await world.exchange({ thingName: "t00099", type: "describe", jobId: "job" });
  assert.equal(refused?.message["code"] ?? "none", "none");
  await world.pass(0);
  await assert.rejects(world.status("job"), { code: "RESOURCE_NOT_FOUND" });
  // What all jobs share stays.
  assert.equal((await keys()) - before, 1);
});

test("no more than ten jobs are deleted at a time", async () => {
  const world = await openJobsWorld();
  const things = names(40);
  await world.createThings(...things);
  for (let at = 0; at <= deletingJobsMax; at++) {
    await world.create(`job${at}`, things);
    await world.pass(0);
  }
  for (let at = 0; at < deletingJobsMax; at++) {
    await world.run(world.jobs.deleteJob, { jobId: `job${at}`, force: true });
  }
  const last = { jobId: `job${deletingJobsMax}`, force: true };
  await assert.rejects(world.run(world.jobs.deleteJob, last), { code: "QUOTA_EXCEEDED" });
  await world.pass(0);
  await world.run(world.jobs.deleteJob, last);
});

test("things that join a group of a continuous job get it, those that leave lose it, and get it anew when they come back", async () => {
  const world = await openJobsWorld();
  await world.createThings("a", "b", "c");
  await openGroup(world, "fleet", ["a", "b"]);
  await world.run(world.registry.createThingGroup, { thingGroupName: "below", parentGroupName: "fleet" });
  const targets = [groupArn("fleet")];
  await world.run(world.jobs.createJob, {
    jobId: "job",
    targets,
    document: jobDocument,
    targetSelection: "CONTINUOUS",
  });
  await world.run(world.jobs.createJob, { jobId: "snapshot", targets, document: jobDocument });
  await world.pass(0);
  await join(world, "c", "below");
  await world.pass(0);
  assert.deepEqual(await world.counts("job"), { Queued: 3 });
  assert.deepEqual(await world.counts("snapshot"), { Queued: 2 });
  await update(world, "job", "a", { status: "SUCCEEDED" });
  await update(world, "job", "b", { status: "IN_PROGRESS" });
  for (const thingName of ["a", "b"]) await leave(world, thingName, "fleet");
  await leave(world, "c", "below");
  await world.pass(0);
  assert.deepEqual(await world.counts("job"), { Succeeded: 1, Removed: 2 });
  assert.deepEqual(await world.counts("snapshot"), { Queued: 2 });
  for (const thingName of ["a", "b"]) await join(world, thingName, "fleet");
  await world.pass(0);
  assert.deepEqual(await statuses(world, "job"), {
    a: ["1 SUCCEEDED", "2 QUEUED"],
    b: ["1 REMOVED", "2 QUEUED"],
    c: ["1 REMOVED"],
  });
  assert.deepEqual(await world.counts("job"), { Queued: 2, Removed: 1 });
  // Groups that have nothing to do with it change nothing.
  await openGroup(world, "other", ["a"]);
  await leave(world, "a", "other");
  await world.pass(0);
  assert.deepEqual(await world.counts("job"), { Queued: 2, Removed: 1 });
  assert.equal(await world.status("job"), "IN_PROGRESS");
});

test("a snapshot job is completed with the last thing that is deleted, and an empty group's at once", async () => {
  const world = await openJobsWorld();
  await world.createThings("a", "b");
  await openGroup(world, "empty", []);
  await world.create("job", ["a", "b"]);
  await update(world, "job", "a", { status: "SUCCEEDED" });
  await world.run(world.registry.deleteThing, { thingName: "b" });
  await world.pass(0);
  assert.equal(await world.status("job"), "COMPLETED");
  assert.deepEqual(await world.counts("job"), { Succeeded: 1 });
  await world.run(world.jobs.createJob, { jobId: "none", targets: [groupArn("empty")], document: jobDocument });
  await world.pass(0);
  assert.equal(await world.status("none"), "COMPLETED");
});

test("targets are associated with a continuous job that is in progress, and with no other", async () => {
  const world = await openJobsWorld();
  await world.createThings("a", "b", "c");
  await openGroup(world, "fleet", ["b"]);
  await world.create("snapshot", ["a"]);
  await world.create("job", ["a"], { targetSelection: "CONTINUOUS" });
  const { associateTargetsWithJob } = world.jobs;
  const targets = [groupArn("fleet"), thingArn("c"), thingArn("a")];
  await assert.rejects(world.run(associateTargetsWithJob, { jobId: "snapshot", targets }), { code: "REQUEST_INVALID" });
  await world.run(associateTargetsWithJob, { jobId: "job", targets, comment: "more" });
  await world.pass(0);
  assert.deepEqual(await world.counts("job"), { Queued: 3 });
  const many = names(targetsMax);
  await world.createThings(...many);
  const tooMany = { jobId: "job", targets: many.map(thingArn) };
  await assert.rejects(world.run(associateTargetsWithJob, tooMany), { code: "QUOTA_EXCEEDED" });
  await world.run(world.jobs.cancelJob, { jobId: "job" });
  await assert.rejects(world.run(associateTargetsWithJob, { jobId: "job", targets }), { code: "REQUEST_INVALID" });
});

test("a scheduled job begins at its time, rolls out within its windows, and ends as it says", async () => {
  for (const endBehavior of ["STOP_ROLLOUT", "CANCEL", "FORCE_CANCEL"] as const) {
    const world = await openJobsWorld();
    const at = (ms: number) =>
      new Date(Math.floor(world.clock.unixMs() / minuteMs) * minuteMs + ms).toISOString().slice(0, 16);
    const things = names(6);
    await world.createThings(...things);
    await world.create("job", things, {
      schedulingConfig: { startTime: at(60 * minuteMs), endTime: at(120 * minuteMs), endBehavior },
      jobExecutionsRolloutConfig: { maximumPerMinute: 1 },
    });
    assert.equal(await world.status("job"), "SCHEDULED");
    assert.deepEqual(await world.counts("job"), {});
    await world.pass(60 * minuteMs);
    assert.equal(await world.status("job"), "IN_PROGRESS");
    await world.pass(2 * minuteMs);
    const begun = (await world.counts("job"))["Queued"] ?? 0;
    assert.ok(begun >= 1 && begun < 6, String(begun));
    await start(world, "t00000");
    await world.pass(180 * minuteMs);
    const counts = await world.counts("job");
    if (endBehavior === "STOP_ROLLOUT") assert.deepEqual(counts, { Queued: 5, InProgress: 1 });
    if (endBehavior === "CANCEL") assert.deepEqual(counts, { Canceled: 5, InProgress: 1 });
    if (endBehavior === "FORCE_CANCEL") assert.deepEqual(counts, { Canceled: 6 });
    assert.equal(await world.status("job"), endBehavior === "STOP_ROLLOUT" ? "IN_PROGRESS" : "CANCELED");
  }
});

test("outside of its windows a job rolls nothing out", async () => {
  const world = await openJobsWorld();
  const things = names(4);
  await world.createThings(...things);
  const opens = new Date(world.clock.unixMs() + 120 * minuteMs);
  const cron = `cron(${opens.getUTCMinutes()} ${opens.getUTCHours()} * * ? *)`;
  await world.create("job", things, {
    schedulingConfig: { maintenanceWindows: [{ startTime: cron, durationInMinutes: 2 }] },
    jobExecutionsRolloutConfig: { maximumPerMinute: 1 },
  });
  const { job } = await world.run(world.jobs.describeJob, { jobId: "job" });
  assert.equal(job?.scheduledJobRollouts?.[0]?.startTime, opens.toISOString().slice(0, 16));
  await world.pass(110 * minuteMs);
  assert.deepEqual(await world.counts("job"), {});
  await world.pass(60 * minuteMs);
  const first = (await world.counts("job"))["Queued"] ?? 0;
  assert.ok(first >= 1 && first < 4, String(first));
  await world.pass(24 * 60 * minuteMs);
  assert.ok(((await world.counts("job"))["Queued"] ?? 0) > first);
});

test("quotas of AWS: active jobs of each kind, and targets of one request", async () => {
  const world = await openJobsWorld({ isLimited: true });
  await world.createThings("a");
  for (let at = 0; at < activeJobsMax.CONTINUOUS; at++) {
    await world.create(`job${at}`, ["a"], { targetSelection: "CONTINUOUS" });
  }
  const isFull = (error: unknown) => isThinglineError(error, "QUOTA_EXCEEDED");
  await assert.rejects(world.create("more", ["a"], { targetSelection: "CONTINUOUS" }), isFull);
  await world.create("more", ["a"]);
  await world.run(world.jobs.cancelJob, { jobId: "job0" });
  await world.create("again", ["a"], { targetSelection: "CONTINUOUS" });
  const tooMany = Array.from({ length: targetsMax + 1 }, (_, at) => `a${at}`);
  await assert.rejects(world.create("wide", tooMany), { code: "REQUEST_INVALID" });
});
