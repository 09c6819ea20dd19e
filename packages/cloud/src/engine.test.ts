import assert from "node:assert/strict";
import { test } from "node:test";
import { createVirtualClock, createVirtualKeys, createVirtualRandom } from "@thingline/transport/virtual";
import { noLimits } from "./broker/limits.js";
import { openEngine } from "./engine.js";
import { keepBlob } from "./services/blob-records.js";
import type { CloudService } from "./services/service.js";
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
