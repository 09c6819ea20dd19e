import assert from "node:assert/strict";
import { test } from "node:test";
import { laneBatchJobsMax, Lanes } from "./lanes.js";

const settle = () => new Promise((resolve) => setImmediate(resolve));

test("jobs of one lane are done in order, what waits as one batch, and other lanes do not wait", async () => {
  const batches: string[] = [];
  const releases: (() => void)[] = [];
  const lanes = new Lanes<string>(async (batch) => {
    batches.push(batch.join("+"));
    if (batch[0]?.startsWith("a")) await new Promise<void>((resolve) => releases.push(resolve));
  });
  lanes.add("a", "a1");
  lanes.add("a", "a2");
  lanes.add("b", "b1");
  await settle();
  assert.deepEqual(batches, ["a1+a2", "b1"]);
  assert.equal(lanes.count, 1);
  for (const job of ["a3", "a4", "a5"]) lanes.add("a", job);
  await settle();
  assert.equal(batches.length, 2, "a lane does one batch at a time");
  releases.shift()?.();
  await settle();
  assert.deepEqual(batches.slice(2), ["a3+a4+a5"]);
  releases.shift()?.();
  await settle();
  assert.equal(lanes.count, 0, "nothing of an idle lane is kept");
  lanes.add("a", "a6");
  await settle();
  assert.equal(batches.at(-1), "a6");
  releases.shift()?.();
});

test("a batch has a limit", async () => {
  const sizes: number[] = [];
  const lanes = new Lanes<number>(async (batch) => void sizes.push(batch.length));
  for (let job = 0; job < laneBatchJobsMax + 1; job++) lanes.add("a", job);
  await settle();
  assert.deepEqual(sizes, [laneBatchJobsMax, 1]);
});
