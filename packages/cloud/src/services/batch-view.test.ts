import assert from "node:assert/strict";
import { test } from "node:test";
import { createMemoryStore } from "../store/memory.js";
import type { StoreOperation } from "../store/store.js";
import { BatchView, NeedsOwnCommit } from "./batch-view.js";

const key = ["a", "r", "k"];
const other = ["a", "r", "other"];

async function openView() {
  const store = createMemoryStore();
  const [revision = NaN] = await store.commit([{ key, value: "old" }]);
  return { store, revision, view: new BatchView(store) };
}

test("later operations read what earlier ones decided, and one write of each key remains", async () => {
  const { store, revision, view } = await openView();
  view.write([{ key, expectedRevision: revision, value: "new" }]);
  const written = await view.get(key);
  assert.equal(written?.value, "new");
  assert.deepEqual(view.peek?.(key), written);
  view.write([{ key, expectedRevision: written.revision, value: { kept: 1, left: undefined } }]);
  assert.equal((await view.get(key))?.revision, written.revision - 1);
  view.write([{ key: other, expectedRevision: 0, value: 1 }]);
  view.write([{ key: other, delete: true }]);
  assert.equal(await view.get(other), undefined);
  assert.deepEqual(view.operations(), [
    { key, expectedRevision: revision, value: { kept: 1, left: undefined } },
    { key: other, expectedRevision: 0, delete: true },
  ]);
  await store.commit(view.operations());
  assert.deepEqual((await store.get(key))?.value, { kept: 1 });
});

test("a deleted record can be made anew, and what was only checked can be written", async () => {
  const { store, revision, view } = await openView();
  view.write([{ key, expectedRevision: revision, delete: true }]);
  view.write([{ key, expectedRevision: 0, value: "again" }]);
  assert.deepEqual(view.operations(), [{ key, expectedRevision: revision, value: "again" }]);

  const checked = new BatchView(store);
  checked.write([{ key, expectedRevision: revision, check: true }]);
  assert.equal((await checked.get(key))?.value, "old");
  checked.write([{ key, expectedRevision: revision, check: true }]);
  checked.write([{ key, expectedRevision: revision, value: "new" }]);
  const { revision: provisional = NaN } = (await checked.get(key)) ?? {};
  checked.write([{ key, expectedRevision: provisional, check: true }]);
  assert.deepEqual(checked.operations(), [{ key, expectedRevision: revision, value: "new" }]);
});

test("what cannot share the commit needs its own, and leaves nothing behind", async () => {
  const { revision, view } = await openView();
  assert.equal((await view.list(["a"], { limit: 9 })).length, 1, "before anything is written a list is the store's");
  view.write([{ key, value: "new" }]);
  const cases: StoreOperation[][] = [
    [
      { key: other, value: 1 },
      { key, expectedRevision: revision, value: "stale" },
    ],
    [{ key, expectedRevision: 0, check: true }],
    [
      { key: other, value: 1 },
      { key: other, value: 2 },
    ],
  ];
  for (const operations of cases) assert.throws(() => view.write(operations), NeedsOwnCommit);
  await assert.rejects(view.list(["a"], { limit: 9 }), NeedsOwnCommit);
  assert.throws(() => view.write([{ key: [NaN], value: 1 }]), /finite/);
  assert.deepEqual(view.operations(), [{ key, value: "new" }]);
  const checked = new BatchView(createMemoryStore());
  checked.write([{ key, expectedRevision: 1, check: true }]);
  assert.throws(() => checked.write([{ key, expectedRevision: 2, value: 1 }]), NeedsOwnCommit);
});
