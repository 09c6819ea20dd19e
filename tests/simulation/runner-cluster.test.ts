// Three nodes on one store, runners alone: nothing is performed by two owners of one epoch, nothing that was acknowledged is lost, wake-ups
// fire once.
import assert from "node:assert/strict";
import { test } from "node:test";
import { testWorlds } from "./cluster.test.support.js";
import { sharedOutboxKeys, unclaimedWakeUps } from "./planted-faults.test.support.js";
import { runRunnerCluster, type StoreFault } from "./runner-cluster.test.support.js";

const areAllTested = testWorlds({
  name: "runners",
  file: "simulation/runner-cluster",
  run: (number) => runRunnerCluster(number),
  promise: "effects and wake-ups outlive the nodes that began them",
  worlds: { inLongRun: 3_600, otherwise: 10 },
});

const faults: [name: string, plant: StoreFault, sign: RegExp][] = [
  ["outbox keys that nodes share", sharedOutboxKeys, /never performed/],
  ["wake-ups that nobody claims", unclaimedWakeUps, /fired in two nodes/],
];
for (const [name, plant, sign] of areAllTested ? faults : []) {
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
