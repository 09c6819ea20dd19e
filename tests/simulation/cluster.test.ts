// Three nodes on one store and one bus: nothing that was acknowledged is lost, nothing is performed by two owners of one epoch, sessions
// move, wake-ups fire once.
import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { test } from "node:test";
import { fileURLToPath } from "node:url";
import { runBrokerCluster } from "./broker-cluster.test.support.js";
import { sharedOutboxKeys, unclaimedWakeUps } from "./planted-faults.test.support.js";
import { runRunnerCluster, type ClusterResult, type StoreFault } from "./runner-cluster.test.support.js";

const isLong = process.env["THINGLINE_TEST_LONG"] === "1";
const onlySeed = process.env["THINGLINE_SEED"];

/** Kind of world and number, as a seed has them: `runners/17`. */
const kinds = { runners: runRunnerCluster, brokers: runBrokerCluster };
type Kind = keyof typeof kinds;

function run(seed: string, plant?: StoreFault): Promise<ClusterResult> {
  const [kind = "", number = ""] = seed.split("/");
  assert.ok(kind in kinds, `a seed is ${Object.keys(kinds).join(" or ")}, a slash and a number`);
  return kinds[kind as Kind](number, plant);
}

async function holds(seed: string): Promise<ClusterResult> {
  const result = await run(seed);
  const replay = `replay: THINGLINE_SEED=${seed} node scripts/test.mjs --integration simulation/cluster`;
  assert.deepEqual(result.violations, [], `${replay}\n${result.trace.join("\n")}`);
  return result;
}

/** Worlds of one kind; what has to happen in some of them did. */
async function hold(kind: Kind, worlds: number): Promise<string> {
  const sum: Record<string, number> = {};
  for (let number = 1; number <= worlds; number++) {
    const { facts } = await holds(`${kind}/${number}`);
    for (const [name, count] of Object.entries(facts)) sum[name] = (sum[name] ?? 0) + count;
  }
  for (const [name, count] of Object.entries(sum)) assert.ok(count > 0, `${name}: nothing happened`);
  return `${worlds} worlds: ${JSON.stringify(sum)}`;
}

/** Worlds that once failed. */
function seedsOnFile(): string[] {
  const path = fileURLToPath(new URL("../../simulation/cluster-seeds.txt", import.meta.url));
  const lines = readFileSync(path, "utf8").split("\n");
  return lines.map((line) => line.trim()).filter((line) => line !== "" && !line.startsWith("#"));
}

if (onlySeed !== undefined) {
  test(`the world ${onlySeed}`, async (t) => {
    const { trace } = await holds(onlySeed);
    for (const line of trace) t.diagnostic(line);
  });
} else {
  test("the same seed makes the same world", async () => {
    for (const seed of ["runners/1", "brokers/1"])
      assert.deepEqual((await holds(seed)).trace, (await holds(seed)).trace);
  });

  test("the worlds of cluster-seeds.txt hold", async () => {
    for (const seed of seedsOnFile()) await holds(seed);
  });

  test("runners: effects and wake-ups outlive the nodes that began them", async (t) => {
    t.diagnostic(await hold("runners", isLong ? 6_000 : 10));
  });

  test("brokers: messages, sessions and retained copies outlive nodes and what the bus does to them", async (t) => {
    t.diagnostic(await hold("brokers", isLong ? 4_000 : 10));
  });

  const faults: [name: string, plant: StoreFault, sign: RegExp][] = [
    ["outbox keys that nodes share", sharedOutboxKeys, /never performed/],
    ["wake-ups that nobody claims", unclaimedWakeUps, /fired in two nodes/],
  ];
  for (const [name, plant, sign] of faults) {
    test(`a planted fault is found: ${name}`, async (t) => {
      for (let number = 1; number <= 100; number++) {
        const { violations } = await run(`runners/${number}`, plant);
        if (!violations.some((violation) => sign.test(violation))) continue;
        t.diagnostic(`found in world ${number}`);
        return;
      }
      assert.fail("100 worlds, and nothing was seen of it");
    });
  }
}
