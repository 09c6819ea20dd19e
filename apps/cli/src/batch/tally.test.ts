import assert from "node:assert/strict";
import { test } from "node:test";
import { batchNames, type DeviceResult } from "./result.js";
import { Pace, summarize } from "./tally.js";

const device = (name: string, ...durations: number[]): DeviceResult => ({
  name,
  result: "provisioned",
  durationMs: durations.reduce((sum, one) => sum + one, 0),
  steps: durations.map((durationMs, at) => ({ name: `step${at}`, durationMs, result: "done" })),
});

test("names are of one length, and sort as they count", () => {
  assert.deepEqual(batchNames("pump", 2), ["pump-0001", "pump-0002"]);
  const names = batchNames("pump", 10_000);
  assert.deepEqual(names.slice(0, 1), ["pump-00001"]);
  assert.deepEqual([...names].sort(), names);
});

test("a summary says where the time goes, and what failed how often", () => {
  const failed: DeviceResult = {
    ...device("d", 10),
    result: "failed",
    steps: [
      { name: "step0", durationMs: 10, result: "failed" },
      { name: "step1", durationMs: 0, result: "skipped" },
    ],
    failure: { step: "step0", code: "PROVISIONING_TIMEOUT", reason: "no answer" },
  };
  const summary = summarize([device("a", 10, 30), device("b", 20, 70), device("c", 20, 40), failed]);
  assert.deepEqual([summary.devices, summary.provisioned, summary.failed], [4, 3, 1]);
  assert.deepEqual([summary.medianMs, summary.p95Ms, summary.maxMs], [40, 90, 90]);
  const [first, second] = summary.steps;
  assert.deepEqual(first, {
    ...{ name: "step0", devices: 4, failed: 1, meanMs: 15, medianMs: 10, p95Ms: 20, maxMs: 20, share: 0.3 },
  });
  assert.equal(second?.devices, 3, "a step that was skipped took no time and counts for nobody");
  assert.equal(second?.share, 0.7);
  assert.deepEqual(summary.failures, [
    { step: "step0", code: "PROVISIONING_TIMEOUT", devices: 1, example: "d", next: undefined },
  ]);
  assert.deepEqual(summarize([]).steps, []);
});

test("the pace is told from all ends first, and from the newest when there are many", () => {
  const pace = new Pace(0);
  assert.equal(pace.rate(1_000), undefined);
  assert.equal(pace.secondsLeft(10, 1_000), undefined);
  pace.ended(500);
  pace.ended(1_000);
  assert.equal(pace.rate(1_000), 2);
  assert.equal(pace.secondsLeft(10, 1_000), 5);
  // Ten times as fast from now on.
  for (let at = 1; at <= 100; at++) pace.ended(1_000 + at * 50);
  assert.equal(pace.rate(6_000), 20);
});
