// Three nodes on one store: nothing that was acknowledged is lost, nothing is performed by two owners of one epoch, wake-ups fire once.
import assert from "node:assert/strict";
import { test } from "node:test";
import { sharedOutboxKeys, unclaimedWakeUps } from "./planted-faults.test.support.js";
import { runRunnerCluster, type ClusterResult, type StoreFault } from "./runner-cluster.test.support.js";

const isLong = process.env["THINGLINE_TEST_LONG"] === "1";
const onlySeed = process.env["THINGLINE_SEED"];

async function holds(seed: string): Promise<ClusterResult> {
  const result = await runRunnerCluster(seed);
  const replay = `replay: THINGLINE_SEED=${seed} node scripts/test.mjs --integration simulation/cluster`;
  assert.deepEqual(result.violations, [], `${replay}\n${result.trace.join("\n")}`);
  return result;
}

if (onlySeed !== undefined) {
  test(`the world ${onlySeed}`, async (t) => {
    const { trace } = await holds(onlySeed);
    for (const line of trace) t.diagnostic(line);
  });
} else {
  test("the same seed makes the same world", async () => {
    assert.deepEqual((await holds("1")).trace, (await holds("1")).trace);
  });

  test("runners: effects and wake-ups outlive the nodes that began them", async (t) => {
    const worlds = isLong ? 10_000 : 25;
    const sum = { acknowledged: 0, performed: 0, fired: 0, deaths: 0, adopted: 0 };
    for (let number = 1; number <= worlds; number++) {
      const { facts } = await holds(String(number));
      for (const [name, count] of Object.entries(facts)) sum[name as keyof typeof sum] += count;
    }
    t.diagnostic(`${worlds} worlds: ${JSON.stringify(sum)}`);
    for (const [name, count] of Object.entries(sum)) assert.ok(count > 0, `${name}: nothing happened`);
  });

  const faults: [name: string, plant: StoreFault, sign: RegExp][] = [
    ["outbox keys that nodes share", sharedOutboxKeys, /never performed/],
    ["wake-ups that nobody claims", unclaimedWakeUps, /fired in two nodes/],
  ];
  for (const [name, plant, sign] of faults) {
    test(`a planted fault is found: ${name}`, async (t) => {
      for (let number = 1; number <= 100; number++) {
        const { violations } = await runRunnerCluster(String(number), plant);
        if (!violations.some((violation) => sign.test(violation))) continue;
        t.diagnostic(`found in world ${number}`);
        return;
      }
      assert.fail("100 worlds, and nothing was seen of it");
    });
  }
}
