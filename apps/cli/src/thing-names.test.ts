import assert from "node:assert/strict";
import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { test, type TestContext } from "node:test";
import { isThinglineError } from "@thingline/protocol";
import { UsageError } from "./failure.js";
import { namesFileBytesMax, readThingNames } from "./thing-names.js";

async function fileOf(t: TestContext, text: string): Promise<string> {
  const folder = await mkdtemp(join(tmpdir(), "thingline-test-"));
  t.after(() => rm(folder, { recursive: true, force: true }));
  await writeFile(join(folder, "names"), text);
  return join(folder, "names");
}

async function read(words: string[], from?: string): Promise<string[]> {
  const names: string[] = [];
  for await (const name of readThingNames(words, { from, signal: new AbortController().signal })) names.push(name);
  return names;
}

test("names are words, and lines of a file without what is none", async (t) => {
  const from = await fileOf(t, "# pumps\r\npump-7\r\n\n  pump-8  \n#pump-9\npump:10");
  assert.deepEqual(await read(["a", "b"], from), ["a", "b", "pump-7", "pump-8", "pump:10"]);
});

test("what is no name is said with its line", async (t) => {
  const from = await fileOf(t, "pump-7\npump 8\n");
  await assert.rejects(read([], from), (error) => {
    assert.ok(error instanceof UsageError);
    assert.ok(error.message.includes(`line 2 of ${from} ("pump 8") is not the name of a thing`));
    return true;
  });
});

test("a file of more than namesFileBytesMax is not read", async (t) => {
  const from = await fileOf(t, "x".repeat(namesFileBytesMax + 1));
  await assert.rejects(read([], from), (error) => isThinglineError(error, "FILE_TOO_LARGE"));
});
