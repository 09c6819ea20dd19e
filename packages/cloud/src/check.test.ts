import assert from "node:assert/strict";
import { test } from "node:test";
import { isThinglineError } from "@thingline/protocol";
import {
  createVirtualClock,
  createVirtualFiles,
  createVirtualKeys,
  createVirtualRandom,
} from "@thingline/transport/virtual";
import { damagesMax } from "./check-result.js";
import { checkDirectory } from "./check.js";
import { directoryBytesMax, directoryFileName, readDirectoryFile } from "./data-directory.js";

const folder = "/data";
const keys = createVirtualKeys({ random: createVirtualRandom(1) });

async function* noBlobs() {}

test("a check tells damagesMax damages, and counts those after them", async () => {
  const dependencies = { files: createVirtualFiles(), keys, clock: createVirtualClock(), isSignedBy: () => true };
  for (const more of [0, 1]) {
    const inspect: Parameters<typeof checkDirectory>[0]["inspect"] = (_path, { onFault }) => {
      for (let count = 0; count < damagesMax + more; count++) onFault(`page ${count}`);
      return { records: 0, meta: undefined, transaction: 0 };
    };
    const { damages, damageCount } = await checkDirectory({ folder, dependencies, inspect, blobs: noBlobs() });
    assert.deepEqual([damages.length, damageCount], [damagesMax, damagesMax + more]);
    assert.equal(damages.at(-1)?.what, `page ${damagesMax - 1}`);
  }
});

test("directory.json has directoryBytesMax bytes at most", async () => {
  const files = createVirtualFiles();
  const directory = { format: "thingline-data-directory", version: 1, id: "0".repeat(32) };
  const text = JSON.stringify(directory).padEnd(directoryBytesMax);
  const path = `${folder}/${directoryFileName}`;
  await files.makeFolder(folder);
  await files.replace(path, new TextEncoder().encode(text));
  assert.deepEqual(await readDirectoryFile(files, folder), directory);
  await files.replace(path, new TextEncoder().encode(`${text} `));
  await assert.rejects(
    readDirectoryFile(files, folder),
    (error) => isThinglineError(error, "FILE_TOO_LARGE") && error.message.includes(path),
  );
});
