// Random worlds of updates as tests: a failure tells how to replay it.
import assert from "node:assert/strict";
import { test } from "node:test";
import { quietPlan, randomUpdatePlan, type UpdateImage, type UpdatePlan } from "./update-plan.test.support.js";
import { type PreparedUpdates, runUpdateWorld, type UpdateResult } from "./update-world.test.support.js";

const isLong = process.env["THINGLINE_TEST_LONG"] === "1";
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

/** @returns whether one world is replayed, and nothing else is to be tested */
export function testUpdateWorlds(
  prepared: PreparedUpdates,
  { kind, file, short, long }: { kind: "update" | "cloud" | "files"; file: string; short: number; long: number },
): boolean {
  if (onlySeed !== undefined) {
    test(`the world ${onlySeed}`, async (t) => {
      const plan = onlySeed.includes("/") ? randomUpdatePlan(onlySeed) : quietPlan(onlySeed as UpdateImage);
      for (const line of (await updateHolds(prepared, plan, file)).trace) t.diagnostic(line);
    });
    return true;
  }
  const worlds = isLong ? long : short;
  for (let from = firstNumber; from < firstNumber + worlds; from += worldsPerTest) {
    const end = Math.min(from + worldsPerTest, firstNumber + worlds);
    test(`random worlds ${kind}/${from} to ${kind}/${end - 1}`, async () => {
      for (let number = from; number < end; number++) {
        await updateHolds(prepared, randomUpdatePlan(`${kind}/${number}`), file);
      }
    });
  }
  return false;
}
