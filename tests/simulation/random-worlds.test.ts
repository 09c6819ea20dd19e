// Worlds in which a seed draws everything: several faults, one after the other, refused and unanswered dials, killed processes.
import { test } from "node:test";
import { prepare, worldHolds } from "./fault-world.test.support.js";

const isLong = process.env["THINGLINE_TEST_LONG"] === "1";
const firstNumber = 100;
const worlds = isLong ? 2_900 : 10;
/** So that a failure is told before all the others have been run. */
const worldsPerTest = 290;
const prepared = await prepare();

for (let from = firstNumber; from < firstNumber + worlds; from += worldsPerTest) {
  const end = Math.min(from + worldsPerTest, firstNumber + worlds);
  test(`random worlds ${from} to ${end - 1}`, async () => {
    for (let number = from; number < end; number++) await worldHolds(prepared, `random/${number}`);
  });
}
