import assert from "node:assert/strict";
import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { test } from "node:test";
import { isThinglineError } from "@thingline/protocol";
import { accessKeysFileBytesMax, readAccessKeys } from "./access-keys.js";

test("a file of access keys has at most accessKeysFileBytesMax", async (context) => {
  const folder = await mkdtemp(join(tmpdir(), "thingline-access-keys-"));
  context.after(() => rm(folder, { recursive: true }));
  const file = join(folder, "keys.json");
  const keys = [{ accessKeyId: "AKIDLINE", secretAccessKey: "do not tell it" }];
  const text = JSON.stringify(keys).padEnd(accessKeysFileBytesMax);
  await writeFile(file, text, { mode: 0o600 });
  assert.deepEqual(await readAccessKeys(file, {}), keys);
  await writeFile(file, `${text} `);
  await assert.rejects(readAccessKeys(file, {}), (error) => {
    assert.ok(isThinglineError(error, "FILE_TOO_LARGE"), String(error));
    const { path, bytesMax, sizeBytes } = error.details;
    assert.deepEqual([path, bytesMax, sizeBytes], [file, accessKeysFileBytesMax, accessKeysFileBytesMax + 1]);
    return true;
  });
});
