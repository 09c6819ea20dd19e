// What the worlds of several nodes have in common: a seed is a kind and a number, as `runners/17`, and each kind has a test file.
import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { test, type TestContext } from "node:test";
import { fileURLToPath } from "node:url";
import type { ClusterResult } from "./runner-cluster.test.support.js";

const isLong = process.env["THINGLINE_TEST_LONG"] === "1";
/** One world alone, to be looked at. */
const onlySeed = process.env["THINGLINE_SEED"];

export interface ClusterKind {
  /** `runners` or `brokers`: the first part of its seeds. */
  name: string;
  /** The test file, for the command that replays a world. */
  file: string;
  run: (number: string) => Promise<ClusterResult>;
  /** What its worlds show. */
  promise: string;
  worlds: { inLongRun: number; otherwise: number };
}

/** Tests that the worlds of a kind hold: with the seed of one in the environment, that one alone. @returns whether all are tested */
export function testWorlds(kind: ClusterKind): boolean {
  if (onlySeed !== undefined) {
    test(`the world ${onlySeed}`, async (t) => {
      const { trace } = await holds(kind, onlySeed);
      for (const line of trace) t.diagnostic(line);
    });
    return false;
  }
  test("the same seed makes the same world", async () => {
    const seed = `${kind.name}/1`;
    assert.deepEqual((await holds(kind, seed)).trace, (await holds(kind, seed)).trace);
  });

  test("the worlds of cluster-seeds.txt hold", async () => {
    for (const seed of seedsOnFile(kind)) await holds(kind, seed);
  });

  test(`${kind.name}: ${kind.promise}`, (t) => hold(kind, t));
  return true;
}

async function holds(kind: ClusterKind, seed: string): Promise<ClusterResult> {
  const [name, number = ""] = seed.split("/");
  assert.equal(name, kind.name, `a seed of ${kind.file} is ${kind.name}, a slash and a number`);
  const result = await kind.run(number);
  const replay = `replay: THINGLINE_SEED=${seed} node scripts/test.mjs --integration ${kind.file}`;
  assert.deepEqual(result.violations, [], `${replay}\n${result.trace.join("\n")}`);
  return result;
}

/** What has to happen in some of the worlds did. */
async function hold(kind: ClusterKind, t: TestContext): Promise<void> {
  const worlds = isLong ? kind.worlds.inLongRun : kind.worlds.otherwise;
  const sum: Record<string, number> = {};
  for (let number = 1; number <= worlds; number++) {
    const { facts } = await holds(kind, `${kind.name}/${number}`);
    for (const [name, count] of Object.entries(facts)) sum[name] = (sum[name] ?? 0) + count;
  }
  for (const [name, count] of Object.entries(sum)) assert.ok(count > 0, `${name}: nothing happened`);
  t.diagnostic(`${worlds} worlds: ${JSON.stringify(sum)}`);
}

/** Worlds of a kind that once failed. */
function seedsOnFile({ name }: ClusterKind): string[] {
  const path = fileURLToPath(new URL("../../simulation/cluster-seeds.txt", import.meta.url));
  const lines = readFileSync(path, "utf8").split("\n");
  return lines.map((line) => line.trim()).filter((line) => line.startsWith(`${name}/`));
}
