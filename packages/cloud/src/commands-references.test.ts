import assert from "node:assert/strict";
import { test } from "node:test";
import { openCommandsWorld } from "./services/commands/commands-world.test.support.js";
import { createReferenceCheck } from "./store-references.js";
import { iterate } from "./store/iterate.js";
import type { StoreEntry } from "./store/store.js";

function dangling(entries: readonly StoreEntry[]): string[] {
  const check = createReferenceCheck(() => "");
  for (const entry of entries) check.see(entry);
  return [...check.dangling()];
}

test("what the lists of commands and executions name is there, and its loss is told", async () => {
  const { create, start, publish, store } = await openCommandsWorld();
  await create("c");
  await start("c", { clientToken: "t" });
  await publish(await start("c"), { status: "SUCCEEDED" });
  const entries: StoreEntry[] = [];
  for await (const entry of iterate(store, [])) entries.push(entry);
  assert.deepEqual(dangling(entries), []);
  for (const [kind, lists] of [
    ["command", ["commandByTime"]],
    ["commandExecution", ["commandExecutionByEnd", "commandExecutionByStart", "commandExecutionOpen", "commandToken"]],
  ] as const) {
    const told = dangling(entries.filter(({ key }) => key[2] !== kind));
    const found = new Set(told.map((line) => lists.find((list) => line.includes(list))));
    assert.deepEqual([...found].sort(), lists, told.join("\n"));
  }
});
