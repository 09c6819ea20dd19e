import { isThinglineError } from "@thingline/protocol";
import type { ContractAssert, ContractHarness } from "@thingline/transport/contract";
import { iterate } from "../store/iterate.js";
import { createMemoryStore } from "../store/memory.js";
import { clearStore, restoreSnapshot, takeSnapshot } from "../store/snapshot.js";
import type { StoreSnapshot } from "../store/snapshot.js";
import type { Store, StoreKey, StoreValue } from "../store/store.js";

/** What the contract of a store needs of `node:assert/strict` besides. */
export interface StoreContractHarness extends ContractHarness {
  assert: ContractAssert & {
    rejects: (promise: Promise<unknown>, isExpected: RegExp | ((error: unknown) => boolean)) => Promise<void>;
  };
}

/** An empty store for one test. */
export interface StoreWorld {
  store: Store;
  /** Closes and opens again what is durable; undefined where nothing is. */
  reopen?: () => Promise<Store>;
  clean(): Promise<void>;
}

const conflict = (error: unknown) => isThinglineError(error, "STORE_CONFLICT");
const keysOf = (entries: readonly { key: StoreKey }[]) => entries.map(({ key }) => key);

/** What every {@link Store} keeps. */
export function storeContract(
  { test, assert }: StoreContractHarness,
  name: string,
  open: () => Promise<StoreWorld>,
): void {
  const contract = (sentence: string, body: (opened: StoreWorld) => Promise<void>) => {
    test(`${name}: ${sentence}`, async () => {
      const opened = await open();
      try {
        await body(opened);
      } finally {
        await opened.clean();
      }
    });
  };
  const put = (store: Store, key: StoreKey, value: StoreValue = null) => store.commit([{ key, value }]);

  contract("what was committed is read back, bytes and odd strings included", async ({ store }) => {
    const value = {
      text: "grün \u{1F600} \u0000 end",
      marked: "\u0000b0:1",
      bytes: Uint8Array.of(0, 1, 255),
      nested: [null, true, 1.5, { bytes: new Uint8Array(0) }, "\u0000\u0000"],
      ["__proto__"]: "a member like any other",
    };
    await put(store, ["a", "r", "k"], value);
    const entry = await store.get(["a", "r", "k"]);
    assert.deepEqual(entry?.value, value);
    assert.ok(Object.hasOwn(Object(entry?.value) as object, "__proto__"));
    assert.deepEqual(entry?.key, ["a", "r", "k"]);
    for (const bare of [null, false, 0, "", "text", Uint8Array.of(7), []]) {
      await put(store, ["bare"], bare);
      assert.deepEqual((await store.get(["bare"]))?.value, bare);
    }
  });

  contract("members that are undefined are left out", async ({ store }) => {
    await put(store, ["k"], { a: 1, b: undefined });
    assert.deepEqual(Object.keys((await store.get(["k"]))?.value as object), ["a"]);
  });

  contract("a written view does not keep or follow the buffer behind it", async ({ store }) => {
    const buffer = new Uint8Array(1000).fill(1);
    await put(store, ["k"], buffer.subarray(10, 12));
    buffer.fill(9);
    const value = (await store.get<Uint8Array>(["k"]))?.value;
    assert.deepEqual(value, Uint8Array.of(1, 1));
    assert.equal(value?.buffer.byteLength, 2);
  });

  contract("keys are ordered: numbers first and by value, strings by their bytes", async ({ store }) => {
    const ordered: StoreKey[] = [
      ["p", -1e9],
      ["p", -2.5],
      ["p", -1],
      ["p", 0],
      ["p", 1e-9],
      ["p", 2],
      ["p", 10],
      ["p", 1e15],
      ["p", ""],
      ["p", "", "x"],
      ["p", "\u0000"],
      ["p", "a"],
      ["p", "a", 5],
      ["p", "a", "b"],
      ["p", "a\u0000"],
      ["p", "a\u0000b"],
      ["p", "a!"],
      ["p", "ab"],
      ["p", "z"],
      ["p", "\u00e9"],
      ["p", "\ufffd"],
      ["p", "\u{10000}"],
    ];
    const shuffled = ordered.map((key, index) => ({ key, rank: (index * 7) % ordered.length }));
    for (const { key } of shuffled.sort((a, b) => a.rank - b.rank)) await put(store, key);
    assert.deepEqual(keysOf(await store.list(["p"], { limit: 100 })), ordered);
    const reversed = await store.list(["p"], { limit: 100, order: "descending" });
    assert.deepEqual(keysOf(reversed), [...ordered].reverse());
  });

  contract("a prefix lists longer keys only, and no neighbours", async ({ store }) => {
    for (const key of [["a"], ["a", "b"], ["a", "b", "c"], ["a", "bc"], ["ab", "c"], ["a", 1]]) await put(store, key);
    assert.deepEqual(keysOf(await store.list(["a"], { limit: 9 })), [
      ["a", 1],
      ["a", "b"],
      ["a", "b", "c"],
      ["a", "bc"],
    ]);
    assert.deepEqual(keysOf(await store.list(["a", "b"], { limit: 9 })), [["a", "b", "c"]]);
    assert.equal((await store.list([], { limit: 9 })).length, 6);
  });

  contract("pages go on after a key, deleted or not, in both orders", async ({ store }) => {
    for (let index = 0; index < 10; index++) await put(store, ["n", index]);
    const first = await store.list(["n"], { limit: 4 });
    const after = first.at(-1)?.key ?? [];
    await store.commit([{ key: after, delete: true }]);
    assert.deepEqual(keysOf(await store.list(["n"], { after, limit: 3 })), [
      ["n", 4],
      ["n", 5],
      ["n", 6],
    ]);
    assert.deepEqual(keysOf(await store.list(["n"], { after: ["n", 2], limit: 9, order: "descending" })), [
      ["n", 1],
      ["n", 0],
    ]);
    assert.deepEqual(await store.list(["n"], { after: ["z"], limit: 3 }), []);
    assert.equal((await store.list(["n"], { after: ["a"], limit: 99 })).length, 9);
    assert.deepEqual(await store.list(["n"], { limit: 0 }), []);
  });

  contract("a thousand keys come back in order through pages", async ({ store }) => {
    const writes = Array.from({ length: 1_200 }, (_, index) => put(store, ["m", (index * 7919) % 1_200], index));
    await Promise.all(writes);
    const seen: StoreKey[] = [];
    for await (const { key } of iterate(store, ["m"])) seen.push(key);
    assert.deepEqual(
      seen,
      Array.from({ length: 1_200 }, (_, index) => ["m", index]),
    );
    await store.commit(seen.slice(0, 700).map((key) => ({ key, delete: true })));
    assert.deepEqual(keysOf(await store.list(["m"], { limit: 1 })), [["m", 700]]);
    assert.deepEqual(keysOf(await store.list(["m"], { limit: 1, order: "descending" })), [["m", 1_199]]);
  });

  contract("a revision is expected, and a wrong one writes nothing at all", async ({ store }) => {
    const [created = 0] = await store.commit([{ key: ["k"], expectedRevision: 0, value: 1 }]);
    assert.ok(created > 0);
    await assert.rejects(store.commit([{ key: ["k"], expectedRevision: 0, value: 2 }]), conflict);
    await assert.rejects(
      store.commit([
        { key: ["other"], value: 1 },
        { key: ["k"], expectedRevision: created + 1, value: 2 },
      ]),
      conflict,
    );
    assert.equal(await store.get(["other"]), undefined);
    const [updated = 0] = await store.commit([{ key: ["k"], expectedRevision: created, value: 2 }]);
    assert.ok(updated > created);
    assert.equal((await store.get(["k"]))?.revision, updated);
    await assert.rejects(store.commit([{ key: ["k"], expectedRevision: created, delete: true }]), conflict);
    assert.deepEqual(await store.commit([{ key: ["k"], expectedRevision: updated, delete: true }]), [0]);
    assert.equal(await store.get(["k"]), undefined);
  });

  contract("a revision never comes back after a delete", async ({ store }) => {
    const seen = new Set<number>();
    for (let round = 0; round < 5; round++) {
      const [revision = 0] = await put(store, ["k"], round);
      assert.ok(!seen.has(revision) && revision > Math.max(0, ...seen));
      seen.add(revision);
      await store.commit([{ key: ["k"], delete: true }]);
    }
  });

  contract("a check writes nothing, holds the commit to a revision, and lets other checks pass", async ({ store }) => {
    const [revision = 0] = await put(store, ["parent"]);
    const attach = (child: string) =>
      store.commit([
        { key: ["parent"], expectedRevision: revision, check: true },
        { key: ["child", child], value: null },
      ]);
    const results = await Promise.all([attach("a"), attach("b")]);
    assert.deepEqual(
      results.map(([checked]) => checked),
      [revision, revision],
    );
    assert.equal((await store.get(["parent"]))?.revision, revision);
    await store.commit([{ key: ["parent"], delete: true }]);
    await assert.rejects(attach("c"), conflict);
    assert.equal((await store.list(["child"], { limit: 9 })).length, 2);
    assert.deepEqual(await store.commit([{ key: ["parent"], expectedRevision: 0, check: true }]), [0]);
  });

  contract("of commits in one turn each stands or falls by itself, in the order asked for", async ({ store }) => {
    const claims = Array.from({ length: 5 }, (_, index) =>
      store.commit([
        { key: ["owner"], expectedRevision: 0, value: index },
        { key: ["claim", index], value: true },
      ]),
    );
    const unrelated = put(store, ["unrelated"], "kept");
    const outcomes = await Promise.allSettled(claims);
    assert.deepEqual(
      outcomes.map(({ status }) => status),
      ["fulfilled", "rejected", "rejected", "rejected", "rejected"],
    );
    await unrelated;
    assert.equal((await store.get(["owner"]))?.value, 0);
    assert.deepEqual(keysOf(await store.list(["claim"], { limit: 9 })), [["claim", 0]]);
    assert.equal((await store.get(["unrelated"]))?.value, "kept");
  });

  contract("a counter that many increment at once loses nothing", async ({ store }) => {
    await put(store, ["counter"], 0);
    const increment = async (): Promise<void> => {
      for (;;) {
        const entry = await store.get<number>(["counter"]);
        if (entry === undefined) throw new Error("the counter is gone");
        try {
          await store.commit([{ key: ["counter"], expectedRevision: entry.revision, value: entry.value + 1 }]);
          return;
        } catch (error) {
          if (!conflict(error)) throw error;
        }
      }
    };
    await Promise.all(Array.from({ length: 20 }, increment));
    assert.equal((await store.get(["counter"]))?.value, 20);
  });

  contract("keys and values that cannot be stored are refused before anything is written", async ({ store }) => {
    const invalid = (error: unknown) => isThinglineError(error, "OPTION_INVALID");
    const cycle: Record<string, unknown> = {};
    cycle["self"] = cycle;
    const refused: [StoreKey, unknown][] = [
      [[NaN], 1],
      [[Infinity], 1],
      [["\ud800"], 1],
      [["x".repeat(2_000)], 1],
      [["k"], NaN],
      [["k"], () => 1],
      [["k"], new Map()],
      [["k"], cycle],
    ];
    for (const [key, value] of refused) {
      await assert.rejects(
        store.commit([
          { key: ["first"], value: 1 },
          { key, value: value as StoreValue },
        ]),
        invalid,
      );
    }
    const twice = { key: ["k"], value: 1 };
    await assert.rejects(store.commit([twice, { ...twice }]), invalid);
    await assert.rejects(
      store.commit([
        { key: ["k"], value: 1 },
        { key: [], value: 1 },
      ]),
      invalid,
    );
    assert.deepEqual(await store.list([], { limit: 9 }), []);
  });

  contract("an empty commit is nothing", async ({ store }) => {
    assert.deepEqual(await store.commit([]), []);
  });

  contract("after close everything is refused, and closing waits for what was asked before", async (opened) => {
    const { store } = opened;
    const written = put(store, ["k"], "last");
    await Promise.all([written, store.close()]);
    await store.close();
    const closed = (error: unknown) => isThinglineError(error, "CLOSED");
    await assert.rejects(store.get(["k"]), closed);
    await assert.rejects(store.list([], { limit: 1 }), closed);
    await assert.rejects(put(store, ["k"]), closed);
    if (opened.reopen === undefined) return;
    const again = await opened.reopen();
    assert.equal((await again.get(["k"]))?.value, "last");
    const first = (await again.get(["k"]))?.revision ?? 0;
    const [next = 0] = await put(again, ["other"]);
    assert.ok(next > first, "revisions go on after a restart");
  });

  contract("a snapshot restores what was there, in this or another store", async ({ store }) => {
    await put(store, ["a", 1], { bytes: Uint8Array.of(1, 2, 200), text: "t" });
    await put(store, ["a", "b"], null);
    const snapshot: unknown = JSON.parse(JSON.stringify(await takeSnapshot(store)));
    await put(store, ["a", "b"], "changed");
    await put(store, ["new"]);
    await restoreSnapshot(store, snapshot);
    const other = createMemoryStore();
    await restoreSnapshot(other, snapshot);
    for (const restored of [store, other]) {
      const entries = await restored.list([], { limit: 9 });
      assert.deepEqual(
        entries.map(({ key, value }) => [key, value]),
        [
          [["a", 1], { bytes: Uint8Array.of(1, 2, 200), text: "t" }],
          [["a", "b"], null],
        ],
      );
    }
    const badKeys = ["[]", "[1e999]", '["\\ud800"]', `["${"x".repeat(3_000)}"]`].map((key): unknown =>
      JSON.parse(`{"format":"thingline-snapshot","version":1,"entries":[[["good"],"AW51bGw="],[${key},"AW51bGw="]]}`),
    );
    for (const nonsense of [
      ...badKeys,
      null,
      {},
      { format: "thingline-snapshot", version: 1, entries: [[["a"], "!"]] },
    ]) {
      await assert.rejects(restoreSnapshot(store, nonsense), (error) => isThinglineError(error, "REQUEST_INVALID"));
    }
    assert.equal((await store.list([], { limit: 9 })).length, 2);
    await clearStore(store);
    assert.deepEqual(await store.list([], { limit: 9 }), []);
  });

  contract(
    "a snapshot that was changed is refused, and says why; one of before, without a checksum, is not",
    async ({ store }) => {
      await put(store, ["a", 1], { text: "one" });
      await put(store, ["a", 2], { text: "two" });
      const snapshot = await takeSnapshot(store);
      const [first, second] = snapshot.entries;
      if (first === undefined || second === undefined) throw new Error("the snapshot has no two entries");
      const refused: [entries: StoreSnapshot["entries"], why: RegExp][] = [
        [[[first[0], second[1]], second], /checksum/],
        [[first], /checksum/],
        [[[first[0], (first[1].startsWith("A") ? "B" : "A") + first[1].slice(1)], second], /checksum/],
      ];
      for (const [entries, why] of refused) {
        await assert.rejects(restoreSnapshot(store, { ...snapshot, entries }), why);
      }
      const { checksum: _, ...before } = snapshot;
      await assert.rejects(restoreSnapshot(store, { ...before, entries: [first, first] }), /\["a",1\] twice/);
      await assert.rejects(restoreSnapshot(store, undefined), /not JSON/);
      await restoreSnapshot(store, before);
      assert.deepEqual(await takeSnapshot(store), snapshot);
    },
  );
}
