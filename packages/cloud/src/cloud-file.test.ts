import assert from "node:assert/strict";
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { test, type TestContext } from "node:test";
import { ThinglineError } from "@thingline/protocol";
import { createNodeFiles } from "@thingline/transport/node";
import { cloudFileBytesMax, cloudFileName, readCloudFile, writeCloudFile, type RunningCloud } from "./cloud-file.js";

const files = createNodeFiles();
const running: RunningCloud = {
  mqtts: "localhost:8883",
  https: "localhost:8443",
  api: "http://localhost:4680",
  mqtt: null,
  ca: "/data/ca.pem",
  account: "123456789012",
  region: "us-east-1",
  processId: 4711,
};

async function makeFolder(context: TestContext): Promise<string> {
  const folder = await mkdtemp(join(tmpdir(), "thingline-cloud-file-"));
  context.after(() => rm(folder, { recursive: true }));
  return folder;
}

function notRunning(pattern: RegExp) {
  return (error: unknown) =>
    error instanceof ThinglineError && error.code === "CLOUD_NOT_RUNNING" && pattern.test(error.message);
}

test("what was written is found while its process lives", async (context) => {
  const folder = await makeFolder(context);
  await writeCloudFile(files, folder, running);
  const asked: number[] = [];
  const isAlive = (processId: number) => asked.push(processId) > 0;
  assert.deepEqual(await readCloudFile(files, folder, isAlive), running);
  assert.deepEqual(asked, [4711]);
});

test("a folder without the file has no cloud, and the error names it", async (context) => {
  const folder = await makeFolder(context);
  await assert.rejects(
    readCloudFile(files, folder, () => true),
    notRunning(/no local cloud runs on ".*"$/),
  );
});

test("the file of a dead process is told from a missing one", async (context) => {
  const folder = await makeFolder(context);
  await writeCloudFile(files, folder, running);
  await assert.rejects(
    readCloudFile(files, folder, () => false),
    notRunning(/\(process 4711\) has died without closing/),
  );
});

for (const text of ["", "{", "null", "[]", '{"mqtts":1}', JSON.stringify({ ...running, processId: "x" })]) {
  test(`a file with the text ${JSON.stringify(text)} is nobody's`, async (context) => {
    const folder = await makeFolder(context);
    await files.replace(join(folder, cloudFileName), new TextEncoder().encode(text));
    await assert.rejects(
      readCloudFile(files, folder, () => true),
      notRunning(/was not written by a local cloud/),
    );
  });
}

test("a file that is larger than any of ours is refused with its name", async (context) => {
  const folder = await makeFolder(context);
  const text = JSON.stringify(running).padEnd(cloudFileBytesMax);
  await files.replace(`${folder}/${cloudFileName}`, new TextEncoder().encode(text));
  assert.deepEqual(await readCloudFile(files, folder, () => true), running);
  await files.replace(`${folder}/${cloudFileName}`, new TextEncoder().encode(`${text} `));
  await assert.rejects(
    readCloudFile(files, folder, () => true),
    (error) =>
      error instanceof ThinglineError && error.code === "FILE_TOO_LARGE" && error.message.includes(cloudFileName),
  );
});
