// Random lives of jobs, things, groups and devices, on the virtual clock, against a reference model.
import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { JobsCheck } from "./jobs-check.test.support.js";
import { command } from "./jobs-commands.test.support.js";

const isLong = process.env["THINGLINE_TEST_LONG"] === "1";
const operationsMin = isLong ? 100_000 : 1_000;
const runs = isLong ? 1_350 : 26;
const commandsMax = 160;

test("jobs are what the reference model says, whatever happens to them in whatever order", async (context) => {
  let operations = 0;
  let messages = 0;
  const statuses = new Set<string>();
  const property = fc.asyncProperty(
    fc.constantFrom(2, 3, 5, 40),
    fc.array(command, { minLength: 1, maxLength: commandsMax, size: "max" }),
    async (thingCount, commands) => {
      const check = await JobsCheck.open(thingCount);
      for (const one of commands) await check.perform(one);
      await check.finish();
      operations += check.operations;
      messages += check.messages;
      for (const status of check.statuses) statuses.add(status);
    },
  );
  await fc.assert(property, { numRuns: runs, includeErrorInReport: true });
  context.diagnostic(`${operations} operations, ${messages} notifications`);
  assert.ok(operations >= operationsMin, `only ${operations} operations`);
  assert.equal(statuses.size, 8, `executions ended as ${[...statuses].join()}`);
});
