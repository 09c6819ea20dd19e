import assert from "node:assert/strict";
import { appendFile, mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { test } from "node:test";
import { nameOfIotLog } from "@thingline/cloud/node";
import { IotLogReader } from "./iot-log-reader.js";

test("entries are told once each, as soon as their line is whole, over all files in their order", async (t) => {
  const folder = await mkdtemp(join(tmpdir(), "thingline-test-"));
  t.after(() => rm(folder, { recursive: true, force: true }));
  const reader = new IotLogReader(folder);
  const read = async () => {
    const found: unknown[] = [];
    for await (const { n } of reader.read()) found.push(n);
    return found;
  };
  const missing = new IotLogReader(join(folder, "none"));
  assert.equal((await missing.read().next()).done, true);
  const path = (number: number) => join(folder, nameOfIotLog(number));
  await writeFile(path(2), '{"n":3}\n{"n":4');
  await writeFile(path(1), '{"n":1}\nhalf a li\n{"n":2}\n');
  await writeFile(join(folder, "other.txt"), '{"n":9}\n');
  assert.deepEqual(await read(), [1, 2, 3]);
  assert.deepEqual(await read(), []);
  await appendFile(path(2), ',"clientId":"\u00e9"}\n');
  assert.deepEqual(await read(), [4]);
  // The oldest is taken away, and there is a new one.
  await rm(path(1));
  await writeFile(path(3), '{"n":5}\n');
  assert.deepEqual(await read(), [5]);
  await appendFile(path(3), '{"n":6}\n');
  assert.deepEqual(await read(), [6]);
  // Somebody empties a file, or takes all of them away: the log begins again.
  await writeFile(path(3), '{"n":7}\n');
  assert.deepEqual(await read(), [7]);
  for (const number of [2, 3]) await rm(path(number));
  assert.deepEqual(await read(), []);
  await writeFile(path(1), '{"n":8}\n');
  assert.deepEqual(await read(), [8]);
});
