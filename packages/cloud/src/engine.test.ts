import assert from "node:assert/strict";
import { test } from "node:test";
import { createVirtualClock, createVirtualKeys, createVirtualRandom } from "@thingline/transport/virtual";
import { noLimits } from "./broker/limits.js";
import { createVirtualBus } from "./contract/virtual-bus.js";
import { openEngine } from "./engine.js";
import { openClusterNode } from "./nodes/cluster-node.js";
import { keepBlob } from "./services/blob-records.js";
import type { Effect } from "./services/operation.js";
import type { CloudService } from "./services/service.js";
import { wakePollMs } from "./services/wake-ups.js";
import { createMemoryBlobStore } from "./store/blob-memory.js";
import type { BlobKey } from "./store/blobs.js";
import { createMemoryStore } from "./store/memory.js";

const scope = { account: "123456789012", region: "us-east-1" };
const keyOf = (name: string): BlobKey => [scope.account, scope.region, "service", name];

function createWorld() {
  const random = createVirtualRandom(1);
  const keys = createVirtualKeys({ random });
  const lines: [string, unknown][] = [];
  const write = (event: string, facts?: unknown) => void lines.push([event, facts]);
  const log = { debug: write, info: write, warn: write, error: write };
  const store = createMemoryStore();
  const blobs = createMemoryBlobStore({ sha256: (content) => keys.sha256(content) });
  return { clock: createVirtualClock(), random, keys, log, store, blobs, lines };
}

test("an engine that does not open takes no blob away and leaves nothing running; the next one sweeps", async () => {
  const world = createWorld();
  const { store, blobs, clock, lines } = world;
  for (const name of ["wanted", "orphan"]) await blobs.put(keyOf(name), [Uint8Array.of(1)], { bytesMax: 1 });
  await store.commit([keepBlob(scope, "service", "wanted", (await blobs.stat(keyOf("wanted")))!)]);
  const namesOf = async () => (await blobs.list([], { limit: 9 })).map(({ key }) => key[3]);
  const options = { scope, limits: noLimits, services: [] };
  // What is read last of all, when the engine starts.
  const list = store.list.bind(store);
  let isBroken = true;
  store.list = (prefix, listOptions) =>
    isBroken && prefix[2] === "wake" ? Promise.reject(new Error("unreadable")) : list(prefix, listOptions);
  await assert.rejects(openEngine(world, options), /unreadable/);
  assert.deepEqual(await namesOf(), ["orphan", "wanted"]);
  assert.equal(clock.timerCount, 0);
  isBroken = false;
  const engine = await openEngine(world, options);
  assert.deepEqual(await namesOf(), ["wanted"]);
  assert.deepEqual(
    lines.filter(([event]) => event.startsWith("blob")),
    [["blobsSwept", { count: 1 }]],
  );
  await engine.close();
  assert.equal(clock.timerCount, 0);
});

test("a blob that is released is deleted once, and one that a record asks for and is not there is told", async () => {
  const world = createWorld();
  const { store, blobs, lines } = world;
  await store.commit([keepBlob(scope, "service", "gone", { bytes: 1, sha256: "" })]);
  const engine = await openEngine(world, { scope, limits: noLimits, services: [] });
  assert.deepEqual(
    lines.filter(([event]) => event.startsWith("blob")),
    [["blobMissing", { blob: keyOf("gone") }]],
  );
  await blobs.put(keyOf("released"), [Uint8Array.of(1)], { bytesMax: 1 });
  await engine.run(
    scope,
    async () => {
      const effects = [{ type: "deleteBlob", service: "service", name: "released" } as const];
      return { result: undefined, operations: [], effects };
    },
    undefined,
  );
  assert.equal(await blobs.stat(keyOf("released")), undefined);
  await engine.close();
});

test("two services cannot have one name", async () => {
  const service = (): CloudService => ({ name: "twice", operations: {} });
  const services = [service(), service()];
  await assert.rejects(openEngine(createWorld(), { scope, limits: noLimits, services }), /the name "twice"/);
});

test("engines of several nodes share wake-ups and hints, and leave blobs of each other alone", async () => {
  const world = createWorld();
  const { clock, blobs, store } = world;
  const bus = createVirtualBus({ clock, random: world.random });
  const woken: string[] = [];
  const open = async (name: string) => {
    const node = await openClusterNode(world);
    const wake = async () => void woken.push(name);
    const services: CloudService[] = [{ name: "s", operations: {}, wake }];
    const opening = openEngine({ ...world, node, bus }, { scope, limits: noLimits, services });
    return { engine: await clock.until(opening), node };
  };
  await blobs.put(keyOf("under way"), [Uint8Array.of(1)], { bytesMax: 1 });
  const members = [await open("one"), await open("two")];
  await clock.advance(wakePollMs + 1);
  assert.ok(await blobs.stat(keyOf("under way")), "another node may be about to ask for it");
  const wakeUp: Effect = { type: "wakeAt", service: "s", name: "w", atUnixMs: clock.unixMs() + 500 };
  await members[0]!.engine.run(scope, async () => ({ result: 0, operations: [], effects: [wakeUp] }), undefined);
  await clock.advance(501);
  assert.equal(woken.length, 1);
  await clock.advance(2 * wakePollMs);
  assert.equal(woken.length, 1);
  assert.deepEqual(await store.list(["", "", "wake"], { limit: 9 }), []);
  for (const { engine, node } of members) {
    await clock.until(engine.close());
    await clock.until(node.close());
  }
  assert.equal(clock.timerCount, 0);
});

test("a refresh reaches the services of every node, and a node that opens reads once it can be told", async () => {
  const world = createWorld();
  const { clock, store } = world;
  const bus = createVirtualBus({ clock, random: world.random });
  const key = [scope.account, scope.region, "thing"];
  const seen = new Map<string, unknown>();
  const open = async (name: string) => {
    const node = await openClusterNode(world);
    const read = async (when: string) => {
      seen.set(name, (await store.get(key))?.value);
      // Somebody else writes while this node opens, and nobody tells it.
      if (when === "open") await store.commit([{ key, value: `before ${name}` }]);
    };
    const services: CloudService[] = [
      { name: "s", operations: {}, onOpen: () => read("open"), onRefresh: () => read("refresh") },
    ];
    return {
      engine: await clock.until(openEngine({ ...world, node, bus }, { scope, limits: noLimits, services })),
      node,
    };
  };
  const members = [await open("one"), await open("two")];
  assert.equal(seen.get("two"), "before two");
  const refresh: Effect = { type: "refresh", service: "s" };
  const change = { key, value: "changed" };
  await members[0]!.engine.run(scope, async () => ({ result: 0, operations: [change], effects: [refresh] }), undefined);
  await clock.advance(1_000);
  assert.deepEqual([...seen.values()], ["changed", "changed"]);
  for (const { engine, node } of members) {
    await clock.until(engine.close());
    await clock.until(node.close());
  }
});
