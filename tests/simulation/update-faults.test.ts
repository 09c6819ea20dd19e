// Updates over a network that fails: drops, delays, resets, half-open links, messages twice and out of order, a cloud that is killed, and a
// server of files that answers otherwise. Every job ends, and says what runs.
import assert from "node:assert/strict";
import { test } from "node:test";
import { quietPlan, randomUpdatePlan, updateImages, type UpdatePlan } from "./update-plan.test.support.js";
import { prepareUpdates, runUpdateWorld, type UpdateResult } from "./update-world.test.support.js";

const isLong = process.env["THINGLINE_TEST_LONG"] === "1";
const firstNumber = 100;
const worlds = isLong ? 1_000 : Number(process.env["WORLDS"] ?? 12);
const worldsPerTest = 100;
const onlySeed = process.env["THINGLINE_SEED"];
const prepared = await prepareUpdates();

async function holds(plan: UpdatePlan): Promise<UpdateResult> {
  const result = await runUpdateWorld(prepared, plan);
  const replay = `replay: THINGLINE_SEED=${plan.seed} node scripts/test.mjs --integration simulation/update-faults`;
  assert.deepEqual(result.violations, [], `${replay}\n${result.trace.join("\n")}`);
  return result;
}

if (onlySeed !== undefined) {
  test(`the world ${onlySeed}`, async (t) => {
    const { trace } = await holds(
      onlySeed.startsWith("update/") ? randomUpdatePlan(onlySeed) : quietPlan(onlySeed as "good"),
    );
    for (const line of trace) t.diagnostic(line);
  });
} else {
  test("without faults each image comes to its end", async () => {
    const ends: Record<string, string> = {};
    for (const image of updateImages) {
      const { status, statusDetails, versionRunning } = await holds(quietPlan(image));
      ends[image] = `${status} ${statusDetails["reason"] ?? ""} ${versionRunning}`;
    }
    assert.deepEqual(ends, {
      good: "SUCCEEDED  2.0.0+0",
      ill: "FAILED healthCheckFailed 1.0.0+0",
      crash: "FAILED reverted 1.0.0+0",
      deaf: "FAILED healthCheckTimeout 1.0.0+0",
      damaged: "FAILED hashMismatch 1.0.0+0",
      truncated: "FAILED imageTruncated 1.0.0+0",
      unsigned: "FAILED keyUnknown 1.0.0+0",
      wrongVersion: "FAILED versionMismatch 1.0.0+0",
    });
  });

  test("the same plan makes the same world", async () => {
    for (const seed of ["update/1", "update/2"]) {
      assert.deepEqual((await holds(randomUpdatePlan(seed))).trace, (await holds(randomUpdatePlan(seed))).trace);
    }
  });

  for (let from = 0; from < worlds; from += worldsPerTest) {
    const end = Math.min(from + worldsPerTest, worlds);
    test(`random worlds ${from} to ${end - 1}`, async () => {
      for (let number = from; number < end; number++) await holds(randomUpdatePlan(`update/${firstNumber + number}`));
    });
  }
}
