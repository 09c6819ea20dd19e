// Random worlds of updates as tests: a failure tells how to replay it.
import assert from "node:assert/strict";
import { test } from "node:test";
import { quietPlan, randomUpdatePlan, type UpdateImage, type UpdatePlan } from "./update-plan.test.support.js";
import { type PreparedUpdates, runUpdateWorld, type UpdateResult } from "./update-world.test.support.js";

export const isLong = process.env["THINGLINE_TEST_LONG"] === "1";
const onlySeed = process.env["THINGLINE_SEED"];
const firstNumber = 100;
/** So that a failure is told before all the others have been run. */
const worldsPerTest = 200;

/** Nothing that must not happen has happened. @param file the test that replays it */
export async function updateHolds(prepared: PreparedUpdates, plan: UpdatePlan, file: string): Promise<UpdateResult> {
  const result = await runUpdateWorld(prepared, plan);
  const replay = `replay: THINGLINE_SEED=${plan.seed} node scripts/test.mjs --integration simulation/${file}`;
  assert.deepEqual(result.violations, [], `${replay}\n${result.trace.join("\n")}`);
  return result;
}

export const updateKinds = ["update", "cloud", "files"] as const;
export type UpdateKind = (typeof updateKinds)[number];

/** So many worlds of one kind. */
export function testUpdateWorlds(prepared: PreparedUpdates, kind: UpdateKind, worlds: number, file: string): void {
  for (let from = firstNumber; from < firstNumber + worlds; from += worldsPerTest) {
    const end = Math.min(from + worldsPerTest, firstNumber + worlds);
    test(`random worlds ${kind}/${from} to ${kind}/${end - 1}`, async () => {
      for (let number = from; number < end; number++) {
        await updateHolds(prepared, randomUpdatePlan(`${kind}/${number}`), file);
      }
    });
  }
}

/** @returns whether one world is replayed, and nothing else is to be tested */
export function replaysUpdateWorld(prepared: PreparedUpdates, file: string): boolean {
  if (onlySeed === undefined) return false;
  test(`the world ${onlySeed}`, async (t) => {
    const plan = onlySeed.includes("/") ? randomUpdatePlan(onlySeed) : quietPlan(onlySeed as UpdateImage);
    for (const line of (await updateHolds(prepared, plan, file)).trace) t.diagnostic(line);
  });
  return true;
}
