// Updates over a network that fails: drops, delays, resets, half-open links, messages twice and out of order, a cloud that is killed, and a
// server of files that answers otherwise. Every job ends, and says what runs. More of one kind: update-cloud-faults.test.ts and
// update-file-faults.test.ts.
import assert from "node:assert/strict";
import { test } from "node:test";
import { quietPlan, randomUpdatePlan, updateImages } from "./update-plan.test.support.js";
import { prepareUpdates } from "./update-world.test.support.js";
import {
  isLong,
  replaysUpdateWorld,
  testUpdateWorlds,
  updateHolds,
  updateKinds,
} from "./update-worlds.test.support.js";

const file = "update-faults";
const prepared = await prepareUpdates();

if (!replaysUpdateWorld(prepared, file)) {
  if (isLong) testUpdateWorlds(prepared, "update", 1_700, file);
  else for (const kind of updateKinds) testUpdateWorlds(prepared, kind, 4, file);

  test("without faults each image comes to its end", async () => {
    const ends: Record<string, string> = {};
    for (const image of updateImages) {
      const { status, statusDetails, versionRunning } = await updateHolds(prepared, quietPlan(image), file);
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
    for (const seed of ["update/1", "cloud/2"]) {
      const worlds = [randomUpdatePlan(seed), randomUpdatePlan(seed)].map((plan) => updateHolds(prepared, plan, file));
      const [one, other] = await Promise.all(worlds);
      assert.deepEqual(one?.trace, other?.trace);
    }
  });
}
