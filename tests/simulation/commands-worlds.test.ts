// Commands against a device with lost links, repeated messages, killed processes and power cuts: each execution ends, with a status that the
// device or time gave it, and its handler is called once, unless it said that it goes on after a restart.
import assert from "node:assert/strict";
import { test } from "node:test";
import { runCommandsWorld } from "./commands-world.test.support.js";

const isLong = process.env["THINGLINE_TEST_LONG"] === "1";
const worlds = isLong ? 60 : 3;

test(`an execution ends as its device or time says, and is done once: ${worlds} worlds`, async (t) => {
  const counts = new Map<string, number>();
  for (let number = 0; number < worlds; number++) {
    const { violations, ends } = await runCommandsWorld(`commands/${number}`);
    assert.deepEqual(violations, [], `world commands/${number}: ${ends.join(", ")}`);
    for (const end of ends) counts.set(end, (counts.get(end) ?? 0) + 1);
  }
  t.diagnostic([...counts].map(([end, count]) => `${end}: ${count}`).join(", "));
  // Otherwise nothing was looked at.
  assert.ok((counts.get("SUCCEEDED SAID") ?? 0) > 0);
});
