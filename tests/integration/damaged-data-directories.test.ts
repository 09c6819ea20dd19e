import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import { generateKeyPairSync } from "node:crypto";
import { once } from "node:events";
import { cp, mkdir, mkdtemp, open, readdir, readFile, rm, truncate, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { createInterface } from "node:readline";
import { after, before, test, type TestContext } from "node:test";
import { gunzipSync } from "node:zlib";
import { isThinglineError, type ErrorCode } from "@thingline/protocol";
import { openLmdbStore } from "@thingline/cloud";
import {
  checkDataDir,
  startCloud,
  type CheckResult,
  type StartCloudOptions,
  type StartedCloud,
} from "@thingline/cloud/node";
import { eventsOf, runThingline, thinglineBin, type JsonEvent } from "./cli-process.test.support.js";

const freePorts: StartCloudOptions = { mqttsPort: 0, httpsPort: 0, apiPort: 0, keyPoolSize: 0, sigv4: "any" };
const thingNames = Array.from({ length: 40 }, (_, index) => `pump-${index}`);

/** Tells the REST port which of AWS's endpoints is meant. */
const dataPlane = {
  authorization:
    "AWS4-HMAC-SHA256 Credential=test/20260101/us-east-1/iotdata/aws4_request, SignedHeaders=host, Signature=00",
};

type DirectoryFile = Record<"id" | "root" | "issuing", string>;

let templates: string;
before(async () => {
  templates = await mkdtemp(join(tmpdir(), "thingline-templates-"));
  for (const name of ["own", "other"]) {
    const started = await startCloud({ dataDir: join(templates, name), ...freePorts });
    for (const thingName of thingNames) {
      const answer = await fetch(`${started.addresses.api}/things/${thingName}`, {
        method: "POST",
        body: JSON.stringify({ attributePayload: { attributes: { text: "x".repeat(500) } } }),
      });
      assert.equal(answer.status, 200);
    }
    for (const topic of ["one", "two"]) {
      const body = `{"text":"of ${topic}"}`;
      const published = await fetch(`${started.addresses.api}/topics/${topic}?qos=1&retain=true`, {
        method: "POST",
        headers: dataPlane,
        body,
      });
      assert.equal(published.status, 200);
    }
    await fetch(`${started.addresses.api}/keys-and-certificate?setAsActive=true`, { method: "POST" });
    await started.close();
  }
});
after(() => rm(templates, { recursive: true, force: true }));

async function copyOf(t: TestContext, template: string): Promise<string> {
  const folder = await mkdtemp(join(tmpdir(), "thingline-damaged-"));
  t.after(() => rm(folder, { recursive: true, force: true }));
  await cp(join(templates, template), folder, { recursive: true, preserveTimestamps: true });
  return folder;
}

interface Damage {
  what: string;
  /** The file that the message names. */
  file: string;
  code: ErrorCode;
  /** Besides the file. */
  says?: RegExp;
  make: (folder: string, path: string) => Promise<unknown>;
}

const dataFile = "store/data.mdb";
const pageBytes = 4096;
const empty = (_: string, path: string) => writeFile(path, "");
const remove = (_: string, path: string) => rm(path, { recursive: true });
const garbage = (_: string, path: string) => writeFile(path, Buffer.alloc(3_000, "\x01\xfegarbage"));
const text = (content: string) => (_: string, path: string) => writeFile(path, content);
const folderInstead = async (_: string, path: string) => {
  await rm(path, { recursive: true });
  await mkdir(path);
};
const fromOther =
  (...names: string[]) =>
  async (folder: string) => {
    for (const name of names) {
      await rm(join(folder, name), { recursive: true });
      await cp(join(templates, "other", name), join(folder, name), { recursive: true });
    }
  };
const flip =
  (at: number, bit = 0) =>
  async (_: string, path: string) => {
    const file = await open(path, "r+");
    const byte = Buffer.alloc(1);
    await file.read(byte, 0, 1, at);
    byte[0] = (byte[0] ?? 0) ^ (1 << bit);
    await file.write(byte, 0, 1, at);
    await file.close();
  };
const swapInto = (from: string) => async (folder: string, path: string) => {
  await rm(path);
  await cp(join(folder, from), path);
};
const oldCertificate = `-----BEGIN CERTIFICATE-----\nMIIB\n-----END CERTIFICATE-----\n`;
const publicKey = generateKeyPairSync("ec", { namedCurve: "P-256" })
  .publicKey.export({ type: "spki", format: "pem" })
  .toString();
const foreignKey = generateKeyPairSync("ec", { namedCurve: "P-256" })
  .privateKey.export({ type: "sec1", format: "pem" })
  .toString();

const damages: readonly Damage[] = [
  // The store
  { what: "an emptied store", file: dataFile, code: "STORE_CORRUPT", says: /empty/, make: empty },
  { what: "a missing store file", file: dataFile, code: "STORE_CORRUPT", says: /missing/, make: remove },
  {
    what: "a missing store folder",
    file: dataFile,
    code: "STORE_CORRUPT",
    says: /missing/,
    make: (folder) => remove("", join(folder, "store")),
  },
  {
    what: "a folder instead of the store file",
    file: dataFile,
    code: "STORE_CORRUPT",
    says: /folder/,
    make: folderInstead,
  },
  {
    what: "a folder instead of the lock file of LMDB",
    file: "store/lock.mdb",
    code: "STORE_CORRUPT",
    says: /folder/,
    make: folderInstead,
  },
  {
    what: "a file instead of the store folder",
    file: "store",
    code: "STORE_CORRUPT",
    make: async (folder) => {
      await rm(join(folder, "store"), { recursive: true });
      await writeFile(join(folder, "store"), "");
    },
  },
  { what: "garbage instead of the store", file: dataFile, code: "STORE_CORRUPT", make: garbage },
  {
    what: "a store cut to a part of a page",
    file: dataFile,
    code: "STORE_CORRUPT",
    make: (_, path) => truncate(path, 100),
  },
  {
    what: "a store cut to one page",
    file: dataFile,
    code: "STORE_CORRUPT",
    make: (_, path) => truncate(path, pageBytes),
  },
  {
    what: "a store cut to its two first pages",
    file: dataFile,
    code: "STORE_CORRUPT",
    says: /ends|cut/,
    make: (_, path) => truncate(path, 2 * pageBytes),
  },
  {
    what: "a store without its second half",
    file: dataFile,
    code: "STORE_CORRUPT",
    make: async (_, path) => truncate(path, (await readFile(path)).length >> 1),
  },
  { what: "the magic number of page 0", file: dataFile, code: "STORE_CORRUPT", says: /first page/, make: flip(24) },
  {
    what: "the magic number of page 1",
    file: dataFile,
    code: "STORE_CORRUPT",
    says: /page 1/,
    make: flip(pageBytes + 24),
  },
  { what: "the version of page 0", file: dataFile, code: "STORE_CORRUPT", says: /version/, make: flip(28) },
  { what: "the page size", file: dataFile, code: "STORE_CORRUPT", make: flip(24 + 24) },
  {
    what: "the root of the records",
    file: dataFile,
    code: "STORE_CORRUPT",
    says: /page/,
    make: async (_, path) => {
      for (const page of [0, 1]) await flip(page * pageBytes + 24 + 72 + 40, 4)("", path);
    },
  },
  { what: "the transaction of page 0", file: dataFile, code: "STORE_CORRUPT", make: flip(24 + 128, 1) },
  { what: "the transaction of page 1", file: dataFile, code: "STORE_CORRUPT", make: flip(pageBytes + 24 + 128, 5) },
  {
    what: "the store of another directory",
    file: dataFile,
    code: "STORE_CORRUPT",
    says: /another data directory/,
    make: fromOther("store"),
  },
  // The root CA
  ...(["ca.pem", "issuing-ca.pem", "server.pem"] as const).flatMap((file): Damage[] => [
    { what: `an emptied ${file}`, file, code: "CERTIFICATE_INVALID", says: /empty/, make: empty },
    { what: `garbage in ${file}`, file, code: "CERTIFICATE_INVALID", make: garbage },
    { what: `a key in ${file}`, file, code: "CERTIFICATE_INVALID", says: /PRIVATE KEY/, make: text(foreignKey) },
    { what: `half a certificate in ${file}`, file, code: "CERTIFICATE_INVALID", make: text(oldCertificate) },
    { what: `a folder instead of ${file}`, file, code: "FILE_UNREADABLE", make: folderInstead },
    {
      what: `${file} that is too large`,
      file,
      code: "FILE_TOO_LARGE",
      make: (_, path) => writeFile(path, Buffer.alloc(70_000, "A")),
    },
  ]),
  ...(["ca-key.pem", "issuing-ca-key.pem", "server-key.pem"] as const).flatMap((file): Damage[] => [
    { what: `an emptied ${file}`, file, code: "KEY_INVALID", says: /empty/, make: empty },
    { what: `garbage in ${file}`, file, code: "KEY_INVALID", make: garbage },
    { what: `a public key in ${file}`, file, code: "KEY_INVALID", says: /PUBLIC KEY/, make: text(publicKey) },
    { what: `the key of another in ${file}`, file, code: "KEY_MISMATCH", make: text(foreignKey) },
    { what: `a folder instead of ${file}`, file, code: "FILE_UNREADABLE", make: folderInstead },
  ]),
  { what: "a root CA without its key", file: "ca-key.pem", code: "FILE_NOT_FOUND", make: remove },
  { what: "an issuing CA without its key", file: "issuing-ca-key.pem", code: "FILE_NOT_FOUND", make: remove },
  { what: "a missing root CA", file: "ca.pem", code: "DATA_DIRECTORY_INVALID", says: /missing/, make: remove },
  {
    what: "a missing issuing CA",
    file: "issuing-ca.pem",
    code: "DATA_DIRECTORY_INVALID",
    says: /missing/,
    make: remove,
  },
  {
    what: "the root CA of another directory",
    file: "ca.pem",
    code: "DATA_DIRECTORY_INVALID",
    make: fromOther("ca.pem", "ca-key.pem"),
  },
  {
    what: "root CA and server of another directory",
    file: "ca.pem",
    code: "DATA_DIRECTORY_INVALID",
    make: fromOther("ca.pem", "ca-key.pem", "server.pem", "server-key.pem"),
  },
  {
    what: "the issuing CA of another directory",
    file: "issuing-ca.pem",
    code: "DATA_DIRECTORY_INVALID",
    make: fromOther("issuing-ca.pem", "issuing-ca-key.pem"),
  },
  {
    what: "the server certificate of another directory",
    file: "server.pem",
    code: "CERTIFICATE_INVALID",
    says: /signed by/,
    make: fromOther("server.pem", "server-key.pem"),
  },
  {
    what: "a server certificate as root CA",
    file: "ca.pem",
    code: "CERTIFICATE_INVALID",
    says: /expected that of a CA/,
    make: swapInto("server.pem"),
  },
  {
    what: "a CA as server certificate",
    file: "server.pem",
    code: "CERTIFICATE_INVALID",
    says: /is a CA/,
    make: swapInto("ca.pem"),
  },
  // What says that they belong together
  { what: "an emptied directory.json", file: "directory.json", code: "DATA_DIRECTORY_INVALID", make: empty },
  { what: "garbage in directory.json", file: "directory.json", code: "DATA_DIRECTORY_INVALID", make: garbage },
  { what: "another JSON in directory.json", file: "directory.json", code: "DATA_DIRECTORY_INVALID", make: text("[1]") },
  { what: "a folder instead of directory.json", file: "directory.json", code: "FILE_UNREADABLE", make: folderInstead },
  {
    what: "directory.json that is too large",
    file: "directory.json",
    code: "FILE_TOO_LARGE",
    make: (_, path) => writeFile(path, " ".repeat(5_000)),
  },
  {
    what: "a newer directory.json",
    file: "directory.json",
    code: "DATA_DIRECTORY_INVALID",
    says: /version/,
    make: async (_, path) => writeFile(path, (await readFile(path, "utf8")).replace('"version": 1', '"version": 2')),
  },
  {
    what: "directory.json of another directory",
    file: "ca.pem",
    code: "DATA_DIRECTORY_INVALID",
    make: fromOther("directory.json"),
  },
  {
    what: "all but the store of another directory",
    file: dataFile,
    code: "STORE_CORRUPT",
    make: fromOther(
      "directory.json",
      "ca.pem",
      "ca-key.pem",
      "server.pem",
      "server-key.pem",
      "issuing-ca.pem",
      "issuing-ca-key.pem",
    ),
  },
  // Others
  {
    what: "a folder instead of cloud.json",
    file: "cloud.json",
    code: "FILE_UNREADABLE",
    make: (_, path) => mkdir(path),
  },
  {
    what: "a folder instead of the lock",
    file: ".thingline-lock",
    code: "FILE_UNREADABLE",
    make: (_, path) => mkdir(path),
  },
  { what: "garbage in the lock", file: ".thingline-lock", code: "FILE_UNREADABLE", make: garbage },
];

async function start(t: TestContext, dataDir: string): Promise<StartedCloud> {
  const started = await startCloud({ dataDir, ...freePorts });
  t.after(() => started.close());
  return started;
}

async function failureOf(t: TestContext, dataDir: string): Promise<unknown> {
  try {
    await start(t, dataDir);
  } catch (error) {
    return error;
  }
  return undefined;
}

for (const { what, file, code, says = /./, make } of damages) {
  test(`${what} is told at the start`, async (t) => {
    const folder = await copyOf(t, "own");
    await make(folder, join(folder, file));
    const error = await failureOf(t, folder);
    assert.ok(isThinglineError(error), `started, or failed otherwise: ${String(error)}`);
    assert.equal(error.code, code, error.message);
    assert.ok(error.message.includes(join(folder, file)), `names the file: ${error.message}`);
    assert.match(error.message, says);
    assert.ok(!/MII|garbage|BEGIN [A-Z]/.test(error.message), "quotes nothing of it");
    const found = await checkDataDir(folder).catch((thrown: unknown) => thrown);
    const told = isThinglineError(found) ? found.message : JSON.stringify((found as CheckResult).damages);
    assert.ok(told.includes(join(folder, file)), `cloud check tells it, too: ${told}`);
  });
}

const harmless: readonly Pick<Damage, "what" | "make">[] = [
  { what: "garbage in LMDB's lock file", make: (folder) => garbage("", join(folder, "store/lock.mdb")) },
  { what: "an emptied lock file of LMDB", make: (folder) => empty("", join(folder, "store/lock.mdb")) },
  { what: "no lock file of LMDB", make: (folder) => remove("", join(folder, "store/lock.mdb")) },
  {
    what: "garbage in what tells how the store was closed",
    make: (folder) => garbage("", join(folder, "store/closed.json")),
  },
  { what: "garbage in cloud.json", make: (folder) => garbage("", join(folder, "cloud.json")) },
  { what: "no server certificate", make: (folder) => remove("", join(folder, "server.pem")) },
  { what: "no key of the server certificate", make: (folder) => remove("", join(folder, "server-key.pem")) },
  { what: "no directory.json", make: (folder) => remove("", join(folder, "directory.json")) },
];

for (const { what, make } of harmless) {
  test(`a cloud starts in spite of ${what}, with all that it had`, async (t) => {
    const folder = await copyOf(t, "own");
    await make(folder, folder);
    const started = await start(t, folder);
    assert.equal((await listThings(started)).length, thingNames.length);
  });
}

test("a start that failed leaves nothing behind that keeps the next one from telling", async (t) => {
  const folder = await copyOf(t, "own");
  await empty("", join(folder, dataFile));
  for (const _ of [1, 2]) assert.ok(isThinglineError(await failureOf(t, folder), "STORE_CORRUPT"));
  assert.ok(!(await readdir(folder)).some((name) => /lock|cloud\.json/.test(name)));
});

test("what a cloud makes while it runs is known to the directory afterwards", async (t) => {
  const folder = await mkdtemp(join(tmpdir(), "thingline-new-"));
  t.after(() => rm(folder, { recursive: true, force: true }));
  const read = async () => JSON.parse(await readFile(join(folder, "directory.json"), "utf8")) as DirectoryFile;
  const started = await start(t, folder);
  const before = await read();
  assert.deepEqual(Object.keys(before), ["format", "version", "id", "root"]);
  await cp(join(templates, "own/issuing-ca.pem"), join(folder, "issuing-ca.pem"));
  await cp(join(templates, "own/issuing-ca-key.pem"), join(folder, "issuing-ca-key.pem"));
  await started.close();
  const own = JSON.parse(await readFile(join(templates, "own/directory.json"), "utf8")) as DirectoryFile;
  assert.deepEqual(await read(), { ...before, issuing: own.issuing });
});

async function listThings({ addresses }: StartedCloud): Promise<unknown[]> {
  const answer = await fetch(`${addresses.api}/things?maxResults=250`);
  return ((await answer.json()) as { things: unknown[] }).things;
}

test("a byte changed in a value fails what needs the record, by its key, and nothing else", async (t) => {
  const folder = await copyOf(t, "own");
  const path = join(folder, dataFile);
  const bytes = await readFile(path);
  for (let at = bytes.indexOf('"pump-7"'); at !== -1; at = bytes.indexOf('"pump-7"', at + 1)) bytes[at + 7] = 0x38;
  await writeFile(path, bytes);
  const lines: [string, unknown][] = [];
  const quiet = () => undefined;
  const log = {
    debug: quiet,
    info: quiet,
    warn: quiet,
    error: (event: string, facts?: unknown) => lines.push([event, facts]),
  };
  const started = await startCloud({ dataDir: folder, ...freePorts, log });
  t.after(() => started.close());
  const get = (name: string) => fetch(`${started.addresses.api}/things/${name}`);
  const damaged = await get("pump-7");
  assert.equal(damaged.status, 500);
  assert.match(await damaged.text(), /pump-7.*checksum/);
  assert.equal((await get("pump-8")).status, 200);
  assert.equal((await fetch(`${started.addresses.api}/things/pump-9`, { method: "PATCH", body: "{}" })).status, 200);
  assert.equal(started.cloud.stats().corruptReads, 1);
  assert.match(JSON.stringify(lines), /storeCorrupt.*pump-7/);
  await assert.rejects(started.cloud.snapshot(), (error) => isThinglineError(error, "STORE_CORRUPT"));
  await started.cloud.reset();
  assert.deepEqual(await listThings(started), []);
});

test("a damaged retained message keeps back no other, and is told to whoever asks for it", async (t) => {
  const folder = await copyOf(t, "own");
  const path = join(folder, dataFile);
  const bytes = await readFile(path);
  for (let at = bytes.indexOf('"of one"'); at !== -1; at = bytes.indexOf('"of one"', at + 1)) bytes[at + 4] = 0x4f;
  await writeFile(path, bytes);
  const started = await start(t, folder);
  const get = (topic: string) =>
    fetch(`${started.addresses.api}/retainedMessage/${topic}`, { headers: dataPlane }).then(
      async (answer) => [answer.status, await answer.text()] as const,
    );
  const [status, text] = await get("one");
  assert.equal(status, 500, text);
  assert.match(text, /retained.*one.*checksum/);
  assert.equal((await get("two"))[0], 200);
  assert.ok(started.cloud.stats().corruptReads >= 2);
});

test("a store of the format before is brought up to date, whole", async (t) => {
  const folder = await mkdtemp(join(tmpdir(), "thingline-format-1-"));
  t.after(() => rm(folder, { recursive: true, force: true }));
  await mkdir(join(folder, "store"));
  const fixture = new URL("../../fixtures/store-format-1/data.mdb.gz", import.meta.url);
  await writeFile(join(folder, dataFile), gunzipSync(await readFile(fixture)));
  for (const round of [1, 2]) {
    const started = await start(t, folder);
    assert.equal((await listThings(started)).length, 2, `start ${round}`);
    const shadow = await started.cloud.run(started.cloud.shadows.getThingShadow, { thingName: "pump-1" });
    assert.match(JSON.stringify(shadow), /interval/);
    await started.close();
  }
  const store = await openLmdbStore({ folder: join(folder, "store") });
  for (let index = 0; index < 5; index++) {
    const entry = await store.get<{ data: Uint8Array }>(["123456789012", "us-east-1", "bytes", index]);
    assert.deepEqual(entry?.value.data, new Uint8Array(6_000).fill(index));
  }
  await store.close();
});

test("`cloud check` finds a sound directory sound, and names every damaged record", async (t) => {
  const folder = await copyOf(t, "own");
  assert.deepEqual((await checkDataDir(folder)).damages, []);
  const path = join(folder, dataFile);
  const bytes = await readFile(path);
  for (const name of ["pump-7", "pump-9"]) {
    for (let at = bytes.indexOf(`"${name}"`); at !== -1; at = bytes.indexOf(`"${name}"`, at + 1)) bytes[at + 1] = 0x71;
  }
  await writeFile(path, bytes);
  const { damages, damageCount } = await checkDataDir(folder);
  assert.deepEqual([damageCount, damages.map(({ code }) => code)], [2, ["STORE_CORRUPT", "STORE_CORRUPT"]]);
  assert.match(JSON.stringify(damages), /pump-7.*pump-9/);
  assert.deepEqual(await readFile(path), bytes, "nothing was changed");
  const finished = await runThingline(t, "cloud", "check", "--data-dir", folder, "--json");
  assert.equal(finished.code, 1);
  const events = eventsOf(finished);
  assert.deepEqual([events.length, events[2]?.["event"], events[2]?.["damages"]], [3, "checked", 2]);
  const started = await start(t, folder);
  await assert.rejects(checkDataDir(folder), (error) => isThinglineError(error, "LOCKED"));
  await started.close();
});

test("a file where the data directory should be is told", async (t) => {
  const folder = await copyOf(t, "own");
  for (const dataDir of [join(folder, "ca.pem"), join(folder, "ca.pem/below")]) {
    const error = await failureOf(t, dataDir);
    assert.ok(isThinglineError(error, "FILE_UNREADABLE"));
    assert.equal(error.message, `"${join(folder, "ca.pem")}" is a file, expected a folder`);
  }
});

test("a damaged directory ends `cloud start` with code 1 and what to do", async (t) => {
  const folder = await copyOf(t, "own");
  await truncate(join(folder, dataFile), 3 * pageBytes);
  const finished = await runThingline(
    t,
    "cloud",
    "start",
    "--data-dir",
    folder,
    "--mqtts-port",
    "0",
    "--https-port",
    "0",
    "--api-port",
    "0",
    "--json",
  );
  assert.equal(finished.code, 1, finished.stderr);
  const [error] = eventsOf(finished).filter(({ event }) => event === "error");
  assert.equal(error?.["code"], "STORE_CORRUPT");
  assert.match(finished.stderr, /thingline cloud check/);
});

test("a store that is cut under a running cloud ends it with a message, not in silence", async (t) => {
  const folder = await copyOf(t, "own");
  const ports = ["--mqtts-port", "0", "--https-port", "0", "--api-port", "0"];
  const child = spawn(process.execPath, [thinglineBin, "cloud", "start", "--data-dir", folder, ...ports, "--json"], {
    stdio: ["ignore", "pipe", "pipe"],
  });
  t.after(() => child.kill("SIGKILL"));
  let stderr = "";
  child.stderr.setEncoding("utf8").on("data", (text: string) => (stderr += text));
  // The process and whoever else has its output: then all is read.
  const closed = once(child, "close") as Promise<[code: number | null, signal: NodeJS.Signals | null]>;
  const events: JsonEvent[] = [];
  for await (const line of createInterface({ input: child.stdout })) {
    const event = JSON.parse(line) as JsonEvent;
    events.push(event);
    if (event.event !== "ready") continue;
    await truncate(join(folder, dataFile), 2 * pageBytes);
    // Its answer never comes.
    await fetch(`${String(event["api"])}/things/pump-7`).catch(() => undefined);
  }
  assert.equal((await closed)[1], "SIGBUS");
  assert.deepEqual([events.length, events[1]?.event, events[1]?.["code"]], [2, "error", "STORE_CORRUPT"]);
  assert.match(stderr, /ended by a signal.*cloud check/);
  const again = await failureOf(t, folder);
  assert.ok(isThinglineError(again, "STORE_CORRUPT"));
});
