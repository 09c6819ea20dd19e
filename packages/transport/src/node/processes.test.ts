import assert from "node:assert/strict";
import { once } from "node:events";
import { mkdtemp, readFile, realpath, rm, writeFile } from "node:fs/promises";
import { watch } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { test, type TestContext } from "node:test";
import { createNodeProcesses } from "./processes.js";

const processes = createNodeProcesses();
const program = process.execPath;

async function folderOf(context: TestContext): Promise<string> {
  const folder = await realpath(await mkdtemp(join(tmpdir(), "thingline-processes-")));
  context.after(() => rm(folder, { recursive: true, force: true }));
  return folder;
}

test("a program runs in its folder, with its environment beside ours, and its exit code is told", async (context) => {
  const folder = await folderOf(context);
  const script =
    'require("fs").writeFileSync("out", process.cwd() + process.env.MINE + (process.env.PATH ? 1 : 0)); process.exit(7)';
  const child = processes.start({ program, arguments: ["-e", script], folder, environment: { MINE: " ours " } });
  assert.deepEqual(await child.ended, { exitCode: 7, endedBy: undefined });
  assert.equal(await readFile(join(folder, "out"), "utf8"), `${folder} ours 1`);
});

test("it is stopped, or killed when it does not listen", async (context) => {
  const folder = await folderOf(context);
  const deaf =
    'process.on("SIGTERM", () => undefined); require("fs").writeFileSync("up", ""); setInterval(() => undefined, 1000)';
  await writeFile(join(folder, "first"), "");
  const changes = watch(folder);
  const child = processes.start({ program, arguments: ["-e", deaf], folder });
  await once(changes, "change");
  changes.close();
  child.stop();
  child.kill();
  assert.deepEqual(await child.ended, { exitCode: undefined, endedBy: "SIGKILL" });
  const other = processes.start({ program, arguments: ["-e", "setInterval(() => undefined, 1000)"] });
  other.stop();
  assert.deepEqual(await other.ended, { exitCode: undefined, endedBy: "SIGTERM" });
});

test("a program that is not there ends at once, and says why", async () => {
  const { exitCode, endedBy } = await processes.start({ program: "/no/such/program" }).ended;
  assert.equal(exitCode, undefined);
  assert.match(endedBy ?? "", /ENOENT/);
});
