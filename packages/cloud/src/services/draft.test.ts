import assert from "node:assert/strict";
import { test } from "node:test";
import { isThinglineError } from "@thingline/protocol";
import { createMemoryStore } from "../store/memory.js";
import type { Store, StoreKey, StoreOperation } from "../store/store.js";
import { draftOver } from "./draft.js";

const key = ["a", "r", "k"];
const other = ["a", "r", "other"];

async function openDraft() {
  const store = createMemoryStore();
  const [revision = NaN] = await store.commit([{ key, value: "old" }]);
  return { store, revision, draft: draftOver(store) };
}

test("later operations read what earlier ones decided, and one write of each key remains", async () => {
  const { store, revision, draft } = await openDraft();
  draft.write([{ key, expectedRevision: revision, value: "new" }]);
  const written = await draft.get(key);
  assert.equal(written?.value, "new");
  assert.deepEqual((draft as Pick<Store, "peek">).peek?.(key), written);
  draft.write([{ key, expectedRevision: written.revision, value: { kept: 1, left: undefined } }]);
  assert.equal((await draft.get(key))?.revision, written.revision - 1);
  draft.write([{ key: other, expectedRevision: 0, value: 1 }]);
  draft.write([{ key: other, delete: true }]);
  assert.equal(await draft.get(other), undefined);
  assert.deepEqual(draft.operations(), [
    { key, expectedRevision: revision, value: { kept: 1, left: undefined } },
    { key: other, expectedRevision: 0, delete: true },
  ]);
  await store.commit(draft.operations());
  assert.deepEqual((await store.get(key))?.value, { kept: 1 });
});

test("a store that cannot answer at once makes a draft that cannot", async () => {
  const slow = { ...createMemoryStore() };
  delete slow.peek;
  assert.ok(!("peek" in draftOver(slow)));
});

test("a deleted record can be made anew, and what was only checked can be written", async () => {
  const { store, revision, draft } = await openDraft();
  draft.write([{ key, expectedRevision: revision, delete: true }]);
  draft.write([{ key, expectedRevision: 0, value: "again" }]);
  assert.deepEqual(draft.operations(), [{ key, expectedRevision: revision, value: "again" }]);

  const checked = draftOver(store);
  checked.write([{ key, expectedRevision: revision, check: true }]);
  assert.equal((await checked.get(key))?.value, "old");
  checked.write([{ key, expectedRevision: revision, check: true }]);
  assert.deepEqual(checked.operations(), [{ key, expectedRevision: revision, check: true }]);
  checked.write([{ key, expectedRevision: revision, value: "new" }]);
  const { revision: provisional = NaN } = (await checked.get(key)) ?? {};
  checked.write([{ key, expectedRevision: provisional, check: true }]);
  assert.deepEqual(checked.operations(), [{ key, expectedRevision: revision, value: "new" }]);

  // Whoever overwrites without looking still leaves the expectation of the one who looked.
  const overwritten = draftOver(store);
  overwritten.write([{ key, expectedRevision: revision, check: true }]);
  overwritten.write([{ key, value: "whatever was there" }]);
  assert.deepEqual(overwritten.operations(), [{ key, expectedRevision: revision, value: "whatever was there" }]);
});

test("an expectation that does not hold within the draft is refused, and leaves nothing behind", async () => {
  const { store, revision, draft } = await openDraft();
  draft.write([{ key, value: "new" }]);
  const stale: StoreOperation[][] = [
    [
      { key: other, value: 1 },
      { key, expectedRevision: revision, value: "stale" },
    ],
    [{ key, expectedRevision: 0, check: true }],
  ];
  for (const operations of stale) {
    assert.throws(
      () => draft.write(operations),
      (error) => isThinglineError(error, "STORE_CONFLICT"),
    );
    assert.ok(draft.isDisputed);
  }
  const fresh = draftOver(store);
  const twice = [
    { key: other, value: 1 },
    { key: other, value: 2 },
  ];
  assert.throws(
    () => fresh.write(twice),
    (error) => isThinglineError(error, "OPTION_INVALID"),
  );
  assert.throws(() => fresh.write([{ key: [NaN], value: 1 }]), /finite/);
  assert.ok(!fresh.isDisputed);
  assert.deepEqual(fresh.operations(), []);
  assert.deepEqual(draft.operations(), [{ key, value: "new" }]);
  const checked = draftOver(createMemoryStore());
  checked.write([{ key, expectedRevision: 1, check: true }]);
  assert.throws(() => checked.write([{ key, expectedRevision: 2, value: 1 }]), /expected 2/);
});

test("what was drafted since a mark can be forgotten, whatever it was", async () => {
  const { revision, draft } = await openDraft();
  draft.write([{ key, expectedRevision: revision, check: true }]);
  draft.write([{ key: other, value: "first" }]);
  const before = draft.operations();
  const outer = draft.mark();
  draft.write([{ key, expectedRevision: revision, value: "new" }]);
  const inner = draft.mark();
  draft.write([
    { key: other, delete: true },
    { key: ["a", "r", "third"], value: 3 },
    { key, value: "newer" },
  ]);
  draft.goBack(inner);
  assert.equal((await draft.get(key))?.value, "new");
  assert.equal((await draft.get(other))?.value, "first");
  assert.equal(await draft.get(["a", "r", "third"]), undefined);
  draft.goBack(outer);
  assert.deepEqual(draft.operations(), before);
  assert.equal((await draft.get(key))?.value, "old");
});

test("a list shows what is drafted in its place, page by page, in both orders", async () => {
  const store = createMemoryStore();
  const at = (...rest: StoreKey) => ["a", "r", "list", ...rest];
  await store.commit(["b", "d", "f", "h"].map((name) => ({ key: at(name), value: `${name} stored` })));
  await store.commit([
    { key: ["a", "r", "list"], value: "not below itself" },
    { key: ["a", "r", "list2", "x"], value: "not below" },
  ]);
  const draft = draftOver(store);
  draft.write([
    { key: at("a"), value: "a drafted" },
    { key: at("d"), delete: true },
    { key: at("f"), value: "f drafted" },
    { key: at("f", "below"), value: "below f" },
    { key: at("z"), value: "z drafted" },
    { key: at("never there"), delete: true },
    { key: at(7), value: "numbers first" },
    { key: ["a", "r", "lis"], value: "not below" },
    { key: ["a", "r", "list\u0000"], value: "not below" },
  ]);
  // Each is what the store gives when the draft is committed.
  const committed = createMemoryStore();
  for (const { key: from, value } of await store.list([], { limit: 99 }))
    await committed.commit([{ key: from, value }]);
  await committed.commit(draft.operations());
  for (const prefix of [at(), at("f"), ["a", "r"], ["a"], []]) {
    for (const order of ["ascending", "descending"] as const) {
      for (const limit of [0, 1, 2, 3, 99]) {
        let after: StoreKey | undefined;
        for (let page = 0; page < 12; page++) {
          const options = { order, limit, ...(after && { after }) };
          const found = await draft.list(prefix, options);
          const expected = await committed.list(prefix, options);
          const shown = (entries: typeof found) => entries.map(({ key: of, value }) => [of, value]);
          assert.deepEqual(shown(found), shown(expected), JSON.stringify({ prefix, ...options }));
          after = found.at(-1)?.key;
          if (after === undefined) break;
        }
      }
    }
  }
});
