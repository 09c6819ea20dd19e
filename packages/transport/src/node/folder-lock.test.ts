import assert from "node:assert/strict";
import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { mkdtemp, readdir, readFile, rm, symlink, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { createInterface } from "node:readline";
import { test } from "node:test";
import { fileURLToPath } from "node:url";
import { isThinglineError } from "@thingline/protocol";
import { createNodeFiles } from "./files.js";

const files = createNodeFiles();
const modulePath = fileURLToPath(new URL("./files.js", import.meta.url));

async function inFolder(body: (folder: string) => Promise<void>): Promise<void> {
  const folder = await mkdtemp(join(tmpdir(), "thingline-lock-"));
  try {
    await body(folder);
  } finally {
    await rm(folder, { recursive: true, force: true });
  }
}

/** Another process that waits for a line, takes the lock, tells the outcome, and lives until it is killed. */
function spawnLocker(folder: string): { child: ChildProcess; outcome: Promise<string> } {
  const script = `
    import { createInterface } from "node:readline";
    const { createNodeFiles } = await import(${JSON.stringify(modulePath)});
    const files = createNodeFiles();
    console.log("ready");
    for await (const line of createInterface({ input: process.stdin })) {
      files.lock(${JSON.stringify(folder)}).then(() => console.log("held"), (error) => console.log(error.code));
    }
  `;
  const child = spawn(process.execPath, ["--input-type=module", "-e", script], { stdio: ["pipe", "pipe", "inherit"] });
  const lines = createInterface({ input: child.stdout });
  const outcome = new Promise<string>((resolve) => {
    lines.on("line", (line) => {
      if (line === "ready") child.stdin?.write("go\n");
      else resolve(line);
    });
  });
  return { child, outcome };
}

async function kill(child: ChildProcess): Promise<void> {
  const exited = once(child, "exit");
  child.kill("SIGKILL");
  await exited;
}

test("another process holds the lock until kill -9, and is named", () =>
  inFolder(async (folder) => {
    const { child, outcome } = spawnLocker(folder);
    assert.equal(await outcome, "held");
    await assert.rejects(
      files.lock(folder),
      (error) => isThinglineError(error, "LOCKED") && error.details["pid"] === child.pid,
    );
    await kill(child);
    const lock = await files.lock(folder);
    await lock.release();
    assert.deepEqual(await readdir(folder), []);
  }));

test("of many processes that find a dead one's lock, one takes it over", () =>
  inFolder(async (folder) => {
    const dead = spawnLocker(folder);
    assert.equal(await dead.outcome, "held");
    await kill(dead.child);
    const rivals = Array.from({ length: 4 }, () => spawnLocker(folder));
    const outcomes = await Promise.all(rivals.map(({ outcome }) => outcome));
    assert.deepEqual(outcomes.sort(), ["LOCKED", "LOCKED", "LOCKED", "held"]);
    await Promise.all(rivals.map(({ child }) => kill(child)));
  }));

test("of many calls in one process that find a dead one's lock, one takes it over", () =>
  inFolder(async (folder) => {
    for (let round = 0; round < 10; round++) {
      const token = round.toString(16).padStart(32, "0");
      const holder = { pid: process.pid, started: "1", boot: "another boot", namespace: "", token };
      await writeFile(join(folder, ".thingline-lock"), JSON.stringify(holder));
      const tries = await Promise.allSettled(Array.from({ length: 8 }, () => files.lock(folder)));
      const held = tries.filter(({ status }) => status === "fulfilled");
      assert.equal(held.length, 1);
      for (const { value } of held as PromiseFulfilledResult<{ release(): Promise<void> }>[]) await value.release();
      assert.deepEqual(await readdir(folder), []);
    }
  }));

test("a process id that was given to somebody else holds no lock", { skip: process.platform !== "linux" }, () =>
  inFolder(async (folder) => {
    const first = await files.lock(folder);
    const path = join(folder, ".thingline-lock");
    const record = JSON.parse(await readFile(path, "utf8")) as Record<string, unknown>;
    await first.release();
    await writeFile(path, JSON.stringify({ ...record, started: "1", token: "0".repeat(32) }));
    const second = await files.lock(folder);
    await second.release();
  }),
);

test("replacing a file that is a symbolic link leaves the link's target alone", () =>
  inFolder(async (folder) => {
    const [target, path] = [join(folder, "target"), join(folder, "link")];
    await writeFile(target, "old");
    await symlink(target, path);
    await files.replace(path, new TextEncoder().encode("new"));
    assert.equal(await readFile(target, "utf8"), "old");
    assert.equal(await readFile(path, "utf8"), "new");
  }));
