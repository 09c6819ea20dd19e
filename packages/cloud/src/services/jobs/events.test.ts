import assert from "node:assert/strict";
import { test } from "node:test";
import { openJobsWorld, thingArn, type JobsWorld, type Told } from "./jobs-world.test.support.js";

async function openWorld(enabled: readonly ("JOB" | "JOB_EXECUTION")[]): Promise<JobsWorld> {
  const world = await openJobsWorld();
  await world.createThings("a", "b");
  const eventConfigurations = Object.fromEntries(enabled.map((type) => [type, { Enabled: true }]));
  await world.run(world.registry.updateEventConfigurations, { eventConfigurations });
  await world.take();
  return world;
}

const eventsOf = (told: readonly Told[]) => told.filter(({ topic }) => /^job(Execution)?\//.test(topic));
const update = (world: JobsWorld, thingName: string, payload: object) =>
  world.ask({ thingName, type: "update", jobId: "job" }, payload);

test("nothing is told that was not switched on", async () => {
  const world = await openWorld([]);
  await world.create("job", ["a"]);
  await update(world, "a", { status: "SUCCEEDED" });
  assert.deepEqual(eventsOf(await world.take()), []);
});

test("a completed job tells its counts, with its own times in milliseconds", async () => {
  const world = await openWorld(["JOB", "JOB_EXECUTION"]);
  await world.create("job", ["a", "b"], { description: "first" });
  await update(world, "a", { status: "SUCCEEDED", statusDetails: { k: "v" } });
  await update(world, "b", { status: "REJECTED" });
  const events = eventsOf(await world.take());
  const nowMs = world.clock.unixMs();
  assert.deepEqual(
    events.map(({ topic }) => topic),
    ["jobExecution/job/succeeded", "jobExecution/job/rejected", "job/job/completed"],
  );
  const { eventId, ...first } = events[0]?.message ?? {};
  assert.match(String(eventId), /^[0-9a-f-]{36}$/);
  assert.deepEqual(first, {
    ...{ eventType: "JOB_EXECUTION", timestamp: Math.floor(nowMs / 1_000), operation: "succeeded", jobId: "job" },
    ...{ thingArn: thingArn("a"), status: "SUCCEEDED", statusDetails: { k: "v" } },
  });
  const { eventId: _id, ...completed } = events[2]?.message ?? {};
  assert.deepEqual(completed, {
    ...{ eventType: "JOB", timestamp: Math.floor(nowMs / 1_000), operation: "completed", jobId: "job" },
    ...{ status: "COMPLETED", targetSelection: "SNAPSHOT", targets: [thingArn("a"), thingArn("b")] },
    ...{ description: "first", completedAt: nowMs, createdAt: nowMs, lastUpdatedAt: nowMs },
    jobProcessDetails: {
      ...{ numberOfCanceledThings: 0, numberOfRejectedThings: 1, numberOfFailedThings: 0 },
      ...{ numberOfRemovedThings: 0, numberOfSucceededThings: 1 },
    },
  });
});

test("cancellation and deletion are told at their begin and at their end", async () => {
  const world = await openWorld(["JOB", "JOB_EXECUTION"]);
  await world.create("job", ["a"]);
  await world.run(world.jobs.cancelJob, { jobId: "job", comment: "no" });
  await world.run(world.jobs.deleteJob, { jobId: "job" });
  const events = eventsOf(await world.take());
  assert.deepEqual(
    events.map(({ topic, message }) => [topic, message["status"], message["comment"]]),
    [
      ["job/job/cancellation_in_progress", "CANCELLATION_IN_PROGRESS", "no"],
      ["jobExecution/job/canceled", "CANCELED", undefined],
      ["job/job/canceled", "CANCELED", "no"],
      ["job/job/deletion_in_progress", "DELETION_IN_PROGRESS", "no"],
      ["jobExecution/job/deleted", "DELETED", undefined],
      ["job/job/deleted", "DELETED", "no"],
    ],
  );
});
