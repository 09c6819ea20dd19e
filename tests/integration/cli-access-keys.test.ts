// `thingline cloud start` with access keys of one's own, and commands that sign with them.
import assert from "node:assert/strict";
import { chmod, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { test } from "node:test";
import { eventsOf, runThinglineIn, startThinglineIn, temporaryFolder } from "./cli-process.test.support.js";

const secretAccessKey = "do not tell it";

test("keys come from a private file, for the cloud and for commands, and unsigned requests can be refused", async (t) => {
  const cwd = await temporaryFolder(t);
  const file = join(cwd, "keys.json");
  await writeFile(file, JSON.stringify([{ accessKeyId: "AKIDLINE", secretAccessKey }]), { mode: 0o644 });
  const start = [
    "cloud",
    "start",
    "--mqtts-port",
    "0",
    "--https-port",
    "0",
    "--api-port",
    "0",
    "--no-unsigned",
    "--json",
  ];
  await chmod(file, 0o644);
  const open = await runThinglineIn(t, { cwd }, ...start, "--access-keys", file);
  assert.equal(open.code, 1);
  const refusal = eventsOf(open).at(-1);
  assert.equal(refusal?.["code"], "OPTION_INVALID");
  assert.match(String(refusal?.["message"]), /--access-keys: .*chmod 600/);
  await chmod(file, 0o600);
  const cloud = startThinglineIn(t, { cwd }, ...start, "--access-keys", file);
  const { api } = await cloud.event(({ event }) => event === "ready");
  assert.equal((await fetch(`${String(api)}/things`)).status, 403);
  const [without, withKeys] = await Promise.all([
    runThinglineIn(t, { cwd }, "thing", "create", "a", "--json"),
    runThinglineIn(t, { cwd, env: { THINGLINE_ACCESS_KEYS: file } }, "thing", "create", "b", "--json"),
  ]);
  assert.equal(without.code, 1, without.stdout);
  assert.equal(withKeys.code, 0, withKeys.stderr);
  const told = await cloud.end("SIGTERM");
  for (const { stdout, stderr } of [open, without, withKeys, told])
    assert.ok(!`${stdout}${stderr}`.includes(secretAccessKey));
});
