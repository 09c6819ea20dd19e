import assert from "node:assert/strict";
import { mkdtemp, readFile, readlink, rm, symlink, writeFile } from "node:fs/promises";
import { platform, tmpdir } from "node:os";
import { join } from "node:path";
import { test, type TestContext } from "node:test";
import { isThinglineError } from "@thingline/protocol";
import { createNodeFiles } from "@thingline/transport/node";
import { makePortLink } from "./port-link.js";

const files = createNodeFiles();
const target = "/dev/pts/987654";
const otherTarget = "/dev/pts/987655";

async function makeFolder(t: TestContext) {
  const folder = await mkdtemp(join(tmpdir(), "thingline-link-"));
  t.after(() => rm(folder, { recursive: true, force: true }));
  const path = join(folder, "ttyACM90");
  const recordFile = join(folder, "link.json");
  return { path, recordFile, make: (to = target) => makePortLink({ path, target: to, files, recordFile }) };
}

const codeOf = (promise: Promise<unknown>) =>
  promise.then(
    () => undefined,
    (error: unknown) => (isThinglineError(error) ? error.code : String(error)),
  );

test("a link leads to the terminal, and is gone with its record afterwards", async (t) => {
  const { path, recordFile, make } = await makeFolder(t);
  const link = await make();
  assert.equal(await readlink(path), target);
  await link.remove();
  await link.remove();
  assert.equal(await codeOf(readlink(path)), (await codeOf(readlink(recordFile)))?.replace(recordFile, path));
});

for (const [left, prepare] of [
  ["to a terminal that is gone", (path: string) => symlink(otherTarget, path)],
  ["to the very terminal of this run", (path: string) => symlink(target, path)],
  [
    "to a terminal that is another's by now, by the folder's last run",
    async (path: string, recordFile: string) => {
      await symlink("/dev/null", path);
      await writeFile(recordFile, JSON.stringify({ link: path, target: "/dev/null" }));
    },
  ],
] as const) {
  test(`a link that a crash left, ${left}, is replaced`, async (t) => {
    const { path, recordFile, make } = await makeFolder(t);
    await prepare(path, recordFile);
    await make();
    assert.equal(await readlink(path), target);
  });
}

test("what was not made by it is never replaced: a file, and links to somewhere else", async (t) => {
  const { path, recordFile, make } = await makeFolder(t);
  await writeFile(path, "mine");
  assert.equal(await codeOf(make()), "FILE_EXISTS");
  assert.equal(await readFile(path, "utf8"), "mine");
  for (const elsewhere of ["/dev/null", "/dev/ttyNOWHERE", "nowhere"]) {
    await rm(path);
    await symlink(elsewhere, path);
    await writeFile(recordFile, JSON.stringify({ link: `${path}0`, target: elsewhere }));
    assert.equal(await codeOf(make()), "FILE_EXISTS", elsewhere);
    assert.equal(await readlink(path), elsewhere);
  }
});

test("a link to a terminal that is there is told to be in use", { skip: platform() !== "linux" }, async (t) => {
  const { path, make } = await makeFolder(t);
  // Of all pseudo-terminals this one is always there, whoever has which others.
  await symlink("/dev/pts/ptmx", path);
  await assert.rejects(make(), { code: "FILE_EXISTS", message: /leads to \/dev\/pts\/ptmx, which is in use/ });
});

test("a link that somebody has put another one in place of stays when this one is removed", async (t) => {
  const { path, make } = await makeFolder(t);
  const link = await make();
  await rm(path);
  await symlink("/dev/null", path);
  await link.remove();
  assert.equal(await readlink(path), "/dev/null");
});

test("a record that cannot be read does not stop a run", async (t) => {
  const { path, recordFile, make } = await makeFolder(t);
  for (const content of ["{", "[]", '{"link":1}']) {
    await writeFile(recordFile, content);
    await (await make()).remove();
  }
  await writeFile(recordFile, "x".repeat(20_000));
  await make();
  assert.equal(await readlink(path), target);
});

test("a folder where no link can be made is told with the system's reason", async (t) => {
  const { path, recordFile } = await makeFolder(t);
  await writeFile(path, "");
  const inFile = makePortLink({ path: join(path, "ttyACM90"), target, files, recordFile });
  assert.equal(await codeOf(inFile), "FILE_EXISTS");
  const inNowhere = makePortLink({ path: `${path}.d/ttyACM90`, target, files, recordFile });
  assert.equal(await codeOf(inNowhere), "FILE_NOT_FOUND");
  const inProc = makePortLink({ path: "/proc/self/ttyACM90", target, files, recordFile });
  assert.match((await codeOf(inProc)) ?? "", /^FILE_(UNREADABLE|NOT_FOUND)$/);
});
