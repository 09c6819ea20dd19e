import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join, sep } from "node:path";
import { test } from "node:test";
import { fileURLToPath, pathToFileURL } from "node:url";
import { groupFilesMax, groupModule, planProcesses } from "./test-groups.mjs";

const native = (path) => path.split("/").join(sep);
const unit = Array.from({ length: groupFilesMax + 1 }, (_none, at) => native(`packages/device/dist/a${at}.test.js`));
const own = ["packages/transport/dist/node/network-faults.test.js", "tests/dist/integration/x.test.js"].map(native);

test("every file is in one process, unit tests of a package share theirs, what waits long for sockets has its own", () => {
  const files = [...unit, ...own, native("apps/cli/dist/log.test.js"), native("scripts/y.test.mjs")];
  const processes = planProcesses(files);
  assert.deepEqual(processes.flatMap((one) => one.files).sort(), [...files].sort());
  const shared = processes.filter((one) => one.files.length > 1);
  assert.deepEqual(
    shared.map(({ name }) => name),
    ["device-1", "device-2"],
  );
  for (const file of own) assert.ok(processes.some((one) => one.files.length === 1 && one.files[0] === file));
});

test("tests of a kind that load the same share a process, which is told from one of unit tests by its first file", () => {
  const files = ["integration/cli-cert", "integration/rotation", "simulation/rotation-worlds", "integration/cli-thing"];
  const processes = planProcesses(files.map((file) => native(`tests/dist/${file}.test.js`)));
  assert.deepEqual(
    processes.map(({ name, files: { length } }) => [name, length]),
    [
      ["provisioning-cli-1", 2],
      [native("tests/dist/integration/cli-thing.test.js"), 1],
      [native("tests/dist/simulation/rotation-worlds.test.js"), 1],
    ],
  );
});

test("a process for each file when that is asked for", () => {
  assert.ok(planProcesses([...unit, ...own], { isIsolated: true }).every((one) => one.files.length === 1));
});

test("what takes longest starts first, and in the long run what is longer there, which shares no process", () => {
  const slow = native("tests/dist/integration/cli-cloud.test.js");
  assert.equal(planProcesses([...unit, ...own, slow])[0].name, slow);
  const isLong = (file) => file === unit[3] || file === own[1];
  const long = planProcesses([...unit, ...own, slow], { isLong });
  assert.deepEqual(
    long.slice(0, 3).map(({ name }) => name),
    [unit[3], own[1], slow],
  );
  assert.deepEqual(long.flatMap((one) => one.files).sort(), [...unit, ...own, slow].sort());
});

/** Runs test processes as a run does, with files of these texts. */
function runGroups(t, groups, processMaxMs = 60_000) {
  const folder = mkdtempSync(join(tmpdir(), "thingline-test-run-"));
  t.after(() => rmSync(folder, { recursive: true, force: true }));
  mkdirSync(join(folder, "keys"));
  const processes = Object.entries(groups).map(([name, texts]) => {
    const files = Object.entries(texts).map(([file, text]) => {
      const path = join(folder, `${file}.test.mjs`);
      writeFileSync(path, `import { test } from "node:test";\n${text}\n`);
      return path;
    });
    if (files.length === 1) return { name, files, entry: files[0] };
    const entry = join(folder, `${name}.mjs`);
    writeFileSync(entry, groupModule(files.map((file) => pathToFileURL(file).href)));
    return { name, files, entry };
  });
  const preload = new URL("test-preload.mjs", import.meta.url).href;
  const childEnv = {
    THINGLINE_TEST_RUN: folder,
    THINGLINE_TEST_PROMISES: "untold",
    NODE_OPTIONS: `--import ${preload}`,
  };
  const limits = { concurrency: 2, processMaxMs, aloneMaxMs: processMaxMs, fileBudgetSeconds: 10 };
  const task = join(folder, "task.json");
  writeFileSync(task, JSON.stringify({ processes, folder, childEnv, ...limits }));
  // Without this Node takes it for a test inside this one.
  const env = { ...process.env };
  delete env.NODE_TEST_CONTEXT;
  // What starts here is a run of its own.
  for (const name of ["NODE_OPTIONS", "THINGLINE_TEST_FILE", "THINGLINE_TEST_RUN"]) delete env[name];
  const script = fileURLToPath(new URL("test-run.mjs", import.meta.url));
  const { status, stdout, stderr } = spawnSync(process.execPath, [script, task], {
    encoding: "utf8",
    env,
    timeout: 60_000,
  });
  return { status, text: stdout + stderr };
}

const fine = (name) => `test("${name} is fine", () => undefined);`;

test("a file that cannot be loaded and one that kills its process are named, and the others run", (t) => {
  const { status, text } = runGroups(t, {
    first: { broken: `throw new Error("cannot be loaded");`, good: fine("good") },
    second: { before: fine("before"), killer: `test("kills", () => process.kill(process.pid, "SIGKILL"));` },
  });
  assert.equal(status, 1);
  assert.match(text, /✖ \S+broken\.test\.mjs is loaded/);
  for (const name of ["good", "before"]) assert.match(text, new RegExp(`✔ ${name} is fine`));
  assert.match(text, /The process of second failed as a whole/);
  assert.match(text, /✖ \S+killer\.test\.mjs/);
  assert.match(text, /The slowest files/);
});

test("a file that hangs is ended with what it started, and named with the test that hung", (t) => {
  // Whoever has its output keeps a run from ending.
  const started = `spawn(process.execPath, ["-e", "setInterval(() => undefined, 1_000)"], { stdio: "inherit" });`;
  const hanging = `import { spawn } from "node:child_process";
    ${fine("before")}
    test("hangs", () => {
      ${started}
      return new Promise(() => setInterval(() => undefined, 1_000));
    });`;
  const { status, text } = runGroups(t, { only: { hanging, after: fine("after") } }, 1_500);
  assert.equal(status, 1, text);
  assert.match(text, /The process of only failed as a whole/);
  assert.match(text, /✔ after is fine/);
  assert.match(text, /✖ \S+hanging\.test\.mjs/);
  assert.match(text, /hanging\.test\.mjs was ended after 1500 ms, the most that it may take/);
  assert.match(text, /hanging\.test\.mjs did not end in time and was ended, in "hangs"/);
});

test("an error that nobody catches names the tests that were running, and fails its own where the file runs alone", (t) => {
  const throwing = `import { describe } from "node:test";
    describe("a suite", () => {
      test("throws later", async () => {
        await undefined;
        setTimeout(() => { throw new Error("later"); }, 1);
        return new Promise(() => setTimeout(() => undefined, 300));
      });
    });`;
  const rejecting = `test("rejects", async () => {
      void Promise.reject(new Error("rejected"));
      await new Promise((resolve) => setTimeout(resolve, 10));
    });`;
  const { status, text } = runGroups(t, {
    one: { throwing, good: fine("good") },
    two: { rejecting, well: fine("well") },
  });
  assert.equal(status, 1, text);
  // Other versions of Node tell node:test of every promise.
  if (process.versions.node.startsWith("20.")) {
    assert.match(text, /one\.mjs: nobody caught this, in [^\n]*"throws later"[^\n]*: Error: later/);
    assert.match(text, /two\.mjs: nobody caught this, in "rejects": Error: rejected/);
  }
  for (const name of ["good is fine", "well is fine"]) assert.match(text, new RegExp(`✔ ${name}`));
  for (const name of ["throws later", "rejects"]) assert.match(text, new RegExp(`✖ ${name}`));
});

test("a file in an endless loop is ended and named", (t) => {
  const { status, text } = runGroups(t, { only: { looping: `test("loops", () => { for (;;); });` } }, 700);
  assert.equal(status, 1, text);
  assert.match(text, /looping\.test\.mjs did not end in time and was ended/);
});

test("a run whose tests pass ends with 0", (t) => {
  const { status, text } = runGroups(t, { only: { one: `test("one", () => undefined);` } });
  assert.equal(status, 0, text);
  assert.match(text, /pass 1/);
});
