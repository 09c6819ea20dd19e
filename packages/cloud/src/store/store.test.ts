import assert from "node:assert/strict";
import { mkdtemp, rm, stat, truncate, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { test } from "node:test";
import { isThinglineError } from "@thingline/protocol";
import { createNodeClock } from "@thingline/transport/node";
import { createVirtualRandom } from "@thingline/transport/virtual";
import { storeContract, type StoreWorld } from "../contract/store-contract.js";
import { createVirtualStore } from "../contract/virtual-store.js";
import { openLmdbStore, pendingCommitsMax } from "./lmdb.js";
import { createMemoryStore } from "./memory.js";
import type { Store } from "./store.js";

async function openMemory(): Promise<StoreWorld> {
  const store = createMemoryStore();
  return { store, clean: () => store.close() };
}

async function openLmdb(durability: "process" | "disk"): Promise<StoreWorld> {
  const folder = await mkdtemp(join(tmpdir(), "thingline-store-"));
  const opened: Store[] = [];
  const reopen = async () => {
    const store = await openLmdbStore({ folder: join(folder, "store"), durability });
    opened.push(store);
    return store;
  };
  const clean = async () => {
    for (const store of opened) await store.close();
    await rm(folder, { recursive: true });
  };
  return { store: await reopen(), reopen, clean };
}

/** As one node of several has it: what it asks for takes its time. */
async function openVirtual(): Promise<StoreWorld> {
  const random = createVirtualRandom(1);
  const clock = createNodeClock();
  const store = createVirtualStore({ clock, random, delayMsMax: 2 }).open(clock);
  return { store, clean: () => store.close() };
}

const harness = { test, assert };
storeContract(harness, "memory", openMemory);
storeContract(harness, "virtual", openVirtual);
storeContract(harness, "LMDB", () => openLmdb("process"));
storeContract(harness, "LMDB with disk durability", () => openLmdb("disk"));

async function inFolder(body: (folder: string) => Promise<void>): Promise<void> {
  const folder = await mkdtemp(join(tmpdir(), "thingline-store-"));
  try {
    await body(folder);
  } finally {
    await rm(folder, { recursive: true });
  }
}

test("the files of an LMDB store are for their owner alone", () =>
  inFolder(async (folder) => {
    const path = join(folder, "deep/store");
    const store = await openLmdbStore({ folder: path });
    assert.equal((await stat(path)).mode & 0o777, 0o700);
    for (const name of ["data.mdb", "lock.mdb"]) assert.equal((await stat(join(path, name))).mode & 0o777, 0o600, name);
    await store.close();
  }));

test("more commits than pendingCommitsMax at once are refused, and the others are kept", () =>
  inFolder(async (folder) => {
    const store = await openLmdbStore({ folder });
    const commit = (key: number) => store.commit([{ key: ["k", key], value: null }]);
    const commits = Array.from({ length: pendingCommitsMax }, (_none, at) => commit(at));
    await assert.rejects(commit(pendingCommitsMax), (error) => isThinglineError(error, "LIMIT_EXCEEDED"));
    await Promise.all(commits);
    assert.ok(await store.get(["k", pendingCommitsMax - 1]));
    assert.equal(await store.get(["k", pendingCommitsMax]), undefined);
    await commit(pendingCommitsMax);
    await store.close();
  }));

test("a file that is no store is refused and left alone", () =>
  inFolder(async (folder) => {
    for (const content of ["short", "x".repeat(10_000)]) {
      await writeFile(join(folder, "data.mdb"), content);
      await assert.rejects(openLmdbStore({ folder }), (error) => isThinglineError(error, "STORE_CORRUPT"));
      assert.equal((await stat(join(folder, "data.mdb"))).size, content.length);
    }
  }));

test("a store that was cut short is refused instead of ending the process", () =>
  inFolder(async (folder) => {
    const store = await openLmdbStore({ folder });
    for (let index = 0; index < 50; index++) await store.commit([{ key: ["k", index], value: "x".repeat(3_000) }]);
    await store.close();
    const path = join(folder, "data.mdb");
    const { size } = await stat(path);
    for (const cut of [size >> 1, 8_192, 8_191, 4_096, 100]) {
      await truncate(path, cut);
      await assert.rejects(openLmdbStore({ folder }), (error) => isThinglineError(error, "STORE_CORRUPT"));
    }
  }));

test("a store of a newer format is refused", () =>
  inFolder(async (folder) => {
    const { open } = await import("lmdb");
    const raw = open<Uint8Array, Uint8Array>({
      path: folder,
      noSubdir: false,
      encoding: "binary",
      keyEncoding: "binary",
    });
    const record = new DataView(new ArrayBuffer(16));
    record.setFloat64(0, 3);
    await raw.put(Uint8Array.of(0, 0x6d), new Uint8Array(record.buffer));
    await raw.close();
    await assert.rejects(openLmdbStore({ folder }), (error) => isThinglineError(error, "STORE_VERSION_UNKNOWN"));
  }));
