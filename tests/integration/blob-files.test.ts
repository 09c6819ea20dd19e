// Blobs beside a real store: what a full disk, a killed process and a damaged file do to them, and who notices.
import assert from "node:assert/strict";
import { readdir, readFile, rm, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { test } from "node:test";
import { keepBlob, openBlobFiles, openLmdbStore, snapshotBlobBytesMax, type BlobKey } from "@thingline/cloud";
import { checkDataDir, startCloud, type StartCloudOptions } from "@thingline/cloud/node";
import { eventsOf, runProgram, runThingline, temporaryFolder } from "./cli-process.test.support.js";

const freePorts: StartCloudOptions = { mqttsPort: 0, httpsPort: 0, apiPort: 0, keyPoolSize: 0 };
const scope = { account: "123456789012", region: "us-east-1" };
const keyOf = (name: string): BlobKey => [scope.account, scope.region, "service", name];
const bytesMax = 1_000_000;

const opening = `
const [folder] = process.argv.slice(1);
const { openBlobFiles } = await import("@thingline/cloud");
const store = openBlobFiles({ folder });
const key = (name) => ["123456789012", "us-east-1", "service", String(name)];
`;

test("a full disk refuses a blob and leaves nothing of it; what was acknowledged is there", async (t) => {
  const folder = await temporaryFolder(t);
  // Two that fit, one that does not.
  const program = `${opening}
  const codes = [];
  for (const [name, length] of [["small", 1_000], ["large", 3_000_000], ["again", 1_000]]) {
    const chunks = Array.from({ length: 10 }, () => new Uint8Array(length / 10).fill(7));
    await store.put(key(name), chunks, { bytesMax: 10_000_000 }).then(() => codes.push("put"), ({ code }) => codes.push(code));
  }
  console.log(JSON.stringify({ codes, bytesTotal: store.bytesTotal }));
  await store.close();`;
  // A limit on the size of files stands for the full disk; exceeding it is a signal unless that is ignored.
  const limited = 'trap "" XFSZ; ulimit -f 2048; exec "$@"';
  const node = [process.execPath, "--input-type=module", "--eval", program, folder];
  const { code, stdout, stderr } = await runProgram(t, "sh", ["-c", limited, "sh", ...node]);
  assert.equal(code, 0, stderr);
  assert.deepEqual(JSON.parse(stdout), { codes: ["put", "STORE_UNWRITABLE", "put"], bytesTotal: 2_000 });
  assert.deepEqual(await readdir(join(folder, ".put")), []);
  const store = openBlobFiles({ folder });
  assert.deepEqual(
    (await store.list([], { limit: 9 })).map(({ key: [, , , name] }) => name),
    ["again", "small"],
  );
  await store.close();
});

test("a process that is killed while it puts leaves what it had acknowledged, whole, and nothing else", async (t) => {
  const folder = await temporaryFolder(t);
  const program = `${opening}
  const content = (name) => Array.from({ length: 20 }, () => new Uint8Array(1_000).fill(name));
  for (let name = 0; name < 5; name++) await store.put(key(name), content(name), { bytesMax: 100_000 });
  async function* endless() {
    for (let count = 0; ; count++) {
      yield new Uint8Array(1_000);
      if (count === 10) process.kill(process.pid, "SIGKILL");
      await new Promise(setImmediate);
    }
  }
  await store.put(key("half"), endless(), { bytesMax: 1_000_000 });`;
  const { code } = await runProgram(t, process.execPath, ["--input-type=module", "--eval", program, folder]);
  assert.equal(code, null);
  assert.equal((await readdir(join(folder, ".put"))).length, 1);
  const store = openBlobFiles({ folder });
  await assert.rejects(readdir(join(folder, ".put")));
  assert.equal((await store.list([], { limit: 99 })).length, 5);
  for (let name = 0; name < 5; name++) {
    let length = 0;
    for await (const chunk of (await store.read(keyOf(String(name))))?.chunks ?? []) {
      assert.ok(chunk.every((byte) => byte === name));
      length += chunk.length;
    }
    assert.equal(length, 20_000);
  }
  await store.close();
});

test("a check reads every blob, and a start sweeps those that no record asks for", async (t) => {
  const dataDir = await temporaryFolder(t);
  await (await startCloud({ dataDir, ...freePorts })).close();
  const blobs = openBlobFiles({ folder: join(dataDir, "blobs") });
  const store = await openLmdbStore({ folder: join(dataDir, "store") });
  for (const name of ["kept", "damaged", "missing"]) {
    const facts = await blobs.put(keyOf(name), [new TextEncoder().encode(name)], { bytesMax });
    await store.commit([keepBlob(scope, "service", name, facts)]);
  }
  await blobs.put(keyOf("orphan"), [], { bytesMax });
  await Promise.all([blobs.close(), store.close()]);
  const sound = await checkDataDir(dataDir);
  assert.deepEqual([sound.damages, sound.blobs, sound.records >= 3], [[], 4, true]);

  const folder = join(dataDir, "blobs", "b-123456789012", "b-us-east-1", "b-service");
  const damaged = await readFile(join(folder, "b-damaged"));
  damaged[damaged.length - 1]! ^= 1;
  await writeFile(join(folder, "b-damaged"), damaged);
  await rm(join(folder, "b-missing"));
  const { damages } = await checkDataDir(dataDir);
  assert.deepEqual(
    damages.map(({ file, code, what }) => [
      file.slice(dataDir.length + 1),
      code,
      /SHA-256|"missing"\], which is not there/.exec(what)?.[0],
    ]),
    [
      [join("blobs", "b-123456789012", "b-us-east-1", "b-service", "b-damaged"), "STORE_CORRUPT", "SHA-256"],
      [join("store", "data.mdb"), "STORE_CORRUPT", '"missing"], which is not there'],
    ],
  );

  const lines: [string, unknown][] = [];
  const write = (event: string, facts?: unknown) => void lines.push([event, facts]);
  const log = { debug: () => undefined, info: write, warn: write, error: write };
  const started = await startCloud({ dataDir, ...freePorts, log });
  assert.deepEqual((await readdir(folder)).sort(), ["b-damaged", "b-kept"]);
  const told = lines.filter(([event]) => event.startsWith("blob"));
  assert.deepEqual(told, [
    ["blobsSwept", { count: 1 }],
    ["blobMissing", { blob: keyOf("missing") }],
  ]);
  await started.cloud.reset();
  assert.deepEqual(await readdir(folder), []);
  await started.close();
});

test("cloud snapshot names the blobs that it does not carry", async (t) => {
  const dataDir = await temporaryFolder(t);
  await (await startCloud({ dataDir, ...freePorts })).close();
  const blobs = openBlobFiles({ folder: join(dataDir, "blobs") });
  const store = await openLmdbStore({ folder: join(dataDir, "store") });
  const megabyte = new Uint8Array(1_048_576);
  for (const [name, count] of [
    ["large", snapshotBlobBytesMax / megabyte.length + 1],
    ["small", 0],
  ] as const) {
    const chunks = Array.from({ length: count }, () => megabyte);
    const facts = await blobs.put(keyOf(name), chunks, { bytesMax: 2 * snapshotBlobBytesMax });
    await store.commit([keepBlob(scope, "service", name, facts)]);
  }
  await Promise.all([blobs.close(), store.close()]);
  const started = await startCloud({ dataDir, ...freePorts });
  t.after(() => started.close());
  const file = join(dataDir, "snapshot.json");
  const finished = await runThingline(t, "cloud", "snapshot", file, "--json", "--data-dir", dataDir);
  assert.equal(finished.code, 0, finished.stderr);
  const warning = eventsOf(finished).find(({ event }) => event === "warning");
  assert.match(String(warning?.["message"]), /^1 blobs .*: 123456789012\/us-east-1\/service\/large$/);
  const snapshot = JSON.parse(await readFile(file, "utf8")) as { blobs: unknown[]; blobsLeftOut: unknown[] };
  assert.deepEqual([snapshot.blobs.length, snapshot.blobsLeftOut], [1, [keyOf("large")]]);
});
