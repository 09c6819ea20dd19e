// `thingline template` and `thingline claim`, as people and programs run them, against a running local cloud.
import assert from "node:assert/strict";
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, before, test } from "node:test";
import { startCloud, type StartedCloud } from "@thingline/cloud/node";
import { eventsOf, runCommandLine } from "./cli-process.test.support.js";

let cloud: StartedCloud;
let folder: string;
let dataDir: string;

before(async () => {
  folder = await mkdtemp(join(tmpdir(), "thingline-test-"));
  dataDir = join(folder, "cloud");
  cloud = await startCloud({ dataDir, mqttsPort: 0, httpsPort: 0, apiPort: 0, limits: "none", keyPoolSize: 0 });
});

after(async () => {
  await cloud?.close();
  await rm(folder, { recursive: true, force: true });
});

const inCloud = (...words: string[]) => runCommandLine({ words: [...words, "--data-dir", dataDir], cwd: folder });

async function json(...words: string[]) {
  const finished = await inCloud(...words, "--json");
  return { ...finished, events: eventsOf(finished), last: eventsOf(finished).at(-1) };
}

test("claims are listed, and revoked by id, by its beginning or by folder", async () => {
  const made = await json("claim", "create", "line-1");
  const id = String(made.last?.["certificateId"]);
  const listed = async () => (await json("claim", "list")).events.map((one) => [one["certificateId"], one["status"]]);
  assert.deepEqual(await listed(), [[id, "ACTIVE"]]);
  const unknown = await inCloud("claim", "revoke", "f".repeat(64));
  assert.equal(unknown.code, 2);
  assert.equal((await inCloud("claim", "revoke", "no-such-folder")).code, 2);
  const revoked = await inCloud("claim", "revoke", "line-1");
  assert.equal(revoked.code, 0, revoked.stderr);
  assert.deepEqual(await listed(), [[id, "REVOKED"]]);
  assert.equal((await json("claim", "revoke", id.slice(0, 10))).last?.["certificateId"], id);
});
