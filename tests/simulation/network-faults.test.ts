// Faults at every step from CONNECT to PUBACK, in memory: the device comes back by itself, loses nothing that was
// acknowledged, and leaves nothing behind. More than one fault in a world: random-worlds.test.ts.
import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { test } from "node:test";
import { fileURLToPath } from "node:url";
import { faultKinds, queues, seedOf, versions } from "./fault-plan.test.support.js";
import { prepare, type WorldResult, worldHolds } from "./fault-world.test.support.js";

const isLong = process.env["THINGLINE_TEST_LONG"] === "1";
const onlySeed = process.env["THINGLINE_SEED"];
const prepared = await prepare();

const holds = (seed: string): Promise<WorldResult> => worldHolds(prepared, seed);

function seedsOnFile(): string[] {
  const path = fileURLToPath(new URL("../../simulation/seeds.txt", import.meta.url));
  return readFileSync(path, "utf8")
    .split("\n")
    .map((line) => line.trim())
    .filter((line) => line !== "" && !line.startsWith("#"));
}

if (onlySeed !== undefined) {
  test(`the world ${onlySeed}`, async (t) => {
    const { trace } = await holds(onlySeed);
    for (const line of trace) t.diagnostic(line);
  });
} else {
  test("without faults everything is acknowledged on the first connection", async () => {
    for (const version of versions) {
      const { dialCount, bytes } = await holds(`v${version}/none/none`);
      assert.equal(dialCount, 1);
      assert.ok(bytes.client > 80 && bytes.server > 20, JSON.stringify(bytes));
    }
  });

  test("the same seed makes the same world", async () => {
    for (const seed of ["v4/disk/reset/client/60", "random/4"]) {
      assert.deepEqual((await holds(seed)).trace, (await holds(seed)).trace);
    }
  });

  test("the worlds of seeds.txt hold", async () => {
    for (const seed of seedsOnFile()) await holds(seed);
  });

  test("a fault happens where the plan says, and the device dials again", async () => {
    const { dialCount, bytes } = await holds("v4/none/reset/client/40");
    assert.equal(dialCount, 2);
    assert.equal(bytes.client, 40);
  });

  for (const version of versions) {
    for (const kind of faultKinds) {
      test(`MQTT ${version === 4 ? "3.1.1" : "5"}, ${kind} after any byte, in either direction`, async () => {
        const whole = await holds(`v${version}/none/none`);
        let index = 0;
        for (const side of ["client", "server"] as const) {
          // A sample takes other bytes in each test, all of them at the ends of the long run.
          const step = isLong ? 1 : 41;
          const start = isLong ? 0 : (faultKinds.indexOf(kind) * 7 + version * 3) % step;
          for (let bytes = start; bytes <= whole.bytes[side]; bytes += step) {
            for (const queue of isLong ? queues : [queues[index++ % queues.length] ?? "none"]) {
              await holds(seedOf(version, queue, kind, side, bytes));
            }
          }
        }
      });
    }
  }
}
