import assert from "node:assert/strict";
import { createHash } from "node:crypto";
import { chmod, mkdir, mkdtemp, readdir, readFile, rm, stat, symlink, truncate, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { test } from "node:test";
import { isThinglineError } from "@thingline/protocol";
import { blobContract } from "../contract/blob-contract.js";
import { decodeBlobName, encodeBlobName } from "./blob-file-format.js";
import { inspectBlobFiles, openBlobFiles } from "./blob-files.js";
import { createMemoryBlobStore } from "./blob-memory.js";
import { putBlobs, readBlobs, takeBlobs } from "./blob-snapshot.js";
import { etagOf, type BlobKey } from "./blobs.js";
import type { Durability } from "./store.js";

const sha256 = (content: Uint8Array) => new Uint8Array(createHash("sha256").update(content).digest());
const key = (name: string): BlobKey => ["123456789012", "us-east-1", "service", name];
const bytes = (text: string) => new TextEncoder().encode(text);
const bytesMax = 1_000;
const isCorrupt = (error: unknown) => isThinglineError(error, "STORE_CORRUPT");

blobContract({ test, assert }, "memory", async (limits) => {
  const store = createMemoryBlobStore({ sha256, ...limits });
  return { store, close: () => store.close() };
});

for (const durability of ["process", "disk"] satisfies Durability[]) {
  blobContract({ test, assert }, `files with ${durability} durability`, async (limits = {}) => {
    const folder = await mkdtemp(join(tmpdir(), "thingline-blobs-"));
    const options = { folder: join(folder, "not", "there"), durability, ...limits };
    let store = openBlobFiles(options);
    const first = store;
    return {
      store,
      reopen: async () => {
        await first.close();
        store = openBlobFiles(options);
        return store;
      },
      close: async () => {
        await store.close();
        await rm(folder, { recursive: true, force: true });
      },
    };
  });
}

async function inFolder(body: (folder: string) => Promise<void>): Promise<void> {
  const folder = await mkdtemp(join(tmpdir(), "thingline-blobs-"));
  try {
    await body(folder);
  } finally {
    await rm(folder, { recursive: true, force: true });
  }
}

const pathOf = (folder: string, name: string) =>
  join(folder, "b-123456789012", "b-us-east-1", "b-service", encodeBlobName(name));

async function faultsIn(folder: string): Promise<(string | undefined)[]> {
  const faults: (string | undefined)[] = [];
  for await (const { fault } of inspectBlobFiles(folder)) faults.push(fault);
  return faults;
}

test("names of files tell every name from every other, and back", () => {
  const names = ["a", "A", "ä", "..", "con", "b-x", "_41", "a b", "/", "\u0000x", "\ufeff", "x".repeat(80)];
  const encoded = names.map(encodeBlobName);
  assert.equal(new Set(encoded.map((name) => name.toLowerCase())).size, names.length);
  for (const [at, name] of encoded.entries()) {
    assert.match(name, /^b-[a-z0-9_-]{1,240}$/);
    assert.equal(decodeBlobName(name), names[at]);
  }
  for (const foreign of [
    "",
    "b-",
    "x",
    ".put",
    "b-A",
    "b-_4",
    "b-_4G",
    "b-_61",
    "b-_ff",
    "b-../x",
    `b-${"x".repeat(81)}`,
  ]) {
    assert.equal(decodeBlobName(foreign), undefined, foreign);
  }
});

test("files are private, and what a killed process left of a put is swept", async () => {
  await inFolder(async (folder) => {
    const store = openBlobFiles({ folder });
    await store.put(key("hello"), [bytes("hello")], { bytesMax });
    const { mode } = await stat(pathOf(folder, "hello"));
    assert.equal(mode & 0o777, 0o600);
    assert.equal((await stat(join(folder, "b-123456789012"))).mode & 0o777, 0o700);
    await store.close();
    await writeFile(join(folder, ".put", "7"), "half a blob");
    const foreign: string[] = [];
    const next = openBlobFiles({ folder, onForeign: (path) => void foreign.push(path) });
    assert.deepEqual(await readdir(folder), ["b-123456789012"]);
    assert.deepEqual(foreign, []);
    assert.equal((await next.list([], { limit: 9 })).length, 1);
    await next.close();
  });
});

test("every damage of a file is found when it is read, and told by a check; none is read through", async () => {
  await inFolder(async (folder) => {
    const content = Uint8Array.from({ length: 500 }, (_, at) => at & 255);
    const make = async (name: string, damage: (path: string, whole: Uint8Array) => Promise<void>) => {
      const store = openBlobFiles({ folder });
      await store.put(key(name), [content], { bytesMax });
      await store.close();
      const path = pathOf(folder, name);
      await damage(path, await readFile(path));
    };
    const flip = (at: number) => async (path: string, whole: Uint8Array) => {
      whole[at]! ^= 1;
      await writeFile(path, whole);
    };
    // Each byte of the head that says something, and one of the content.
    const heads = [0, 7, 8, 15, 16, 47, 48, 51];
    for (const at of heads) await make(`head ${at}`, flip(at));
    await make("content", flip(64 + 250));
    await make("cut", (path) => truncate(path, 64 + 499));
    await make("cut in the head", (path) => truncate(path, 10));
    await make("emptied", (path) => truncate(path, 0));
    await make("too long", (path, whole) => writeFile(path, [...whole, 0].join("")));
    await make("sound", async () => undefined);
    const store = openBlobFiles({ folder });
    const entries = await store.list([], { limit: 99 });
    assert.equal(entries.length, heads.length + 6);
    for (const { key: of } of entries) {
      const read = async () => {
        for await (const _ of (await store.read(of))?.chunks ?? []);
      };
      if (of[3] === "sound") await read();
      else await assert.rejects(read(), isCorrupt, of[3]);
    }
    // A part does not tell whether the whole is what was put.
    assert.equal((await store.read(key("content"), { start: 0, end: 10 }))?.end, 10);
    await assert.rejects(takeBlobs(store), isCorrupt);
    const faults = await faultsIn(folder);
    assert.equal(faults.filter((fault) => fault === undefined).length, 1);
    assert.equal(faults.length, heads.length + 6);
    for (const { key: of } of entries) await store.delete(of);
    assert.equal(store.bytesTotal, 0);
    await store.close();
  });
});

test("what is no blob is neither read nor followed", async () => {
  await inFolder(async (folder) => {
    const service = join(folder, "b-123456789012", "b-us-east-1", "b-service");
    await mkdir(join(service, "b-folder"), { recursive: true });
    await writeFile(join(folder, "README"), "x");
    await writeFile(join(service, "x"), "x");
    await writeFile(join(folder, "secret"), "secret");
    await symlink(join(folder, "secret"), join(service, "b-link"));
    const foreign: string[] = [];
    const store = openBlobFiles({ folder, onForeign: (path) => void foreign.push(path.slice(folder.length + 1)) });
    assert.equal(foreign.length, 5);
    assert.deepEqual(await store.list([], { limit: 9 }), []);
    await store.close();
    assert.equal((await faultsIn(folder)).filter((fault) => fault !== undefined).length, 5);
    // Put there while the cloud runs.
    const running = openBlobFiles({ folder: join(folder, "other") });
    await running.put(key("hello"), [bytes("hello")], { bytesMax });
    await rm(pathOf(join(folder, "other"), "hello"));
    await assert.rejects(running.stat(key("hello")), isCorrupt);
    await symlink(join(folder, "secret"), pathOf(join(folder, "other"), "hello"));
    await assert.rejects(running.stat(key("hello")), (error) => isThinglineError(error, "FILE_UNREADABLE"));
    await running.close();
  });
});

test("a folder that cannot be written is told with what the system says", async () => {
  await inFolder(async (folder) => {
    await writeFile(join(folder, "file"), "");
    assert.deepEqual(await faultsIn(join(folder, "file")), ["blobs cannot be looked through (ENOTDIR)"]);
    assert.throws(
      () => openBlobFiles({ folder: join(folder, "file") }),
      (error) => isThinglineError(error, "STORE_UNWRITABLE"),
    );
    const store = openBlobFiles({ folder: join(folder, "blobs") });
    await writeFile(join(folder, "blobs"), "");
    await assert.rejects(store.put(key("x"), [bytes("x")], { bytesMax }), (error) => {
      assert.ok(isThinglineError(error, "STORE_UNWRITABLE"), String(error));
      assert.equal(error.details["systemCode"], "ENOTDIR");
      return true;
    });
    assert.equal(store.bytesTotal, 0);
    await store.close();
    await chmod(folder, 0o700);
  });
});

test("a snapshot carries blobs as far as they fit, names the others, and gives them back", async () => {
  const from = createMemoryBlobStore({ sha256 });
  for (const [name, length] of [
    ["a", 3],
    ["b", 6],
    ["c", 2],
    ["d", 0],
  ] as const) {
    await from.put(key(name), [new Uint8Array(length).fill(7)], { bytesMax });
  }
  const snapshot = await takeBlobs(from, 5);
  assert.deepEqual(
    snapshot.blobs?.map(([of]) => of[3]),
    ["a", "c", "d"],
  );
  assert.deepEqual(snapshot.blobsLeftOut, [key("b")]);
  const to = createMemoryBlobStore({ sha256 });
  await to.put(key("kept"), [bytes("kept")], { bytesMax });
  const carried = readBlobs(JSON.parse(JSON.stringify(snapshot)) as typeof snapshot);
  await putBlobs(to, carried);
  await putBlobs(to, carried);
  assert.deepEqual(await to.stat(key("a")), await from.stat(key("a")));
  assert.equal((await to.list([], { limit: 9 })).length, 4);
  assert.deepEqual(await takeBlobs(createMemoryBlobStore({ sha256 })), {});
  const invalid = (error: unknown) => isThinglineError(error, "REQUEST_INVALID");
  await assert.rejects(putBlobs(to, [{ key: key("kept"), content: bytes("other"), sha256: "00" }]), invalid);
  await assert.rejects(putBlobs(to, [{ key: key("new"), content: bytes("other"), sha256: "00" }]), invalid);
  assert.equal(await to.stat(key("new")), undefined);
  for (const blobs of [7, [7], [[key("a"), "no base64", "00"]], [[["a"], "", "00"]], [[key("a"), "", 7]]]) {
    assert.throws(() => readBlobs({ blobs } as never), invalid, JSON.stringify(blobs));
  }
  assert.equal(etagOf({ bytes: 0, sha256: "ab" }), '"ab"');
});
