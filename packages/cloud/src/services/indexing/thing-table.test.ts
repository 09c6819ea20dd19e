import assert from "node:assert/strict";
import { test } from "node:test";
import type { IndexedThing } from "../../fleet-query/documents.js";
import { indexedCharactersMax, indexedThingsMax, ThingTable } from "./thing-table.js";

const groups: IndexedThing["groups"] = [];
const attributes = {};
const thing = (thingName: string, text = ""): IndexedThing => ({
  ...{ thingName, thingId: text, groups, attributes, version: 1 },
});

function openTable() {
  const hits: unknown[] = [];
  const note = (_event: string, facts: Readonly<Record<string, unknown>> = {}) => void hits.push(facts["limit"]);
  return { hits, table: new ThingTable({ debug: note, info: note, warn: note, error: note }) };
}

test("an index holds so many things, and says so once when there are more", () => {
  const { table, hits } = openTable();
  for (let at = 0; at < indexedThingsMax; at++) table.set(thing(`t${at}`));
  assert.deepEqual([table.size, table.isFull, hits], [indexedThingsMax, false, []]);
  table.set(thing("t5", "changed"));
  assert.equal(table.isFull, false);
  for (const name of ["one", "more"]) table.set(thing(name));
  assert.deepEqual([table.size, table.isFull, hits], [indexedThingsMax, true, ["indexedThingsMax"]]);
  // There is room for what had none: all has to be read again.
  assert.equal(table.delete("t5"), true);
  assert.equal(table.delete("t5"), false);
  table.clear();
  assert.deepEqual([table.size, table.isFull, table.names()], [0, false, []]);
});

test("an index holds so many characters", () => {
  const { table, hits } = openTable();
  const text = "x".repeat(1_000_000);
  let count = 0;
  for (; !table.isFull; count++) table.set(thing(`t${count}`, text));
  assert.ok(count > indexedCharactersMax / 1_001_000 && count <= indexedCharactersMax / 1_000_000 + 1, String(count));
  assert.deepEqual(hits, ["indexedCharactersMax"]);
});

test("names come in order, whatever came and went", () => {
  const { table } = openTable();
  for (const name of ["b", "a", "c"]) table.set(thing(name));
  assert.deepEqual(table.names(), ["a", "b", "c"]);
  table.delete("b");
  table.set(thing("B"));
  assert.deepEqual(table.names(), ["B", "a", "c"]);
});
