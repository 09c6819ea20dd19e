import assert from "node:assert/strict";
import { mkdtemp, rm } from "node:fs/promises";
import { appendFile, stat } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { test, type TestContext } from "node:test";
import { createNodeFiles } from "@thingline/transport/node";
import type { DeviceResult } from "./result.js";
import {
  BatchFolder,
  provisioningBatch,
  batchResultsName,
  reasonCharactersMax,
  resultsFileBytesMax,
} from "./results-file.js";

const batchIn = (folder: string) => new BatchFolder(createNodeFiles(), folder, provisioningBatch);

async function open(t: TestContext): Promise<{ folder: string; batch: ReturnType<typeof batchIn> }> {
  const folder = await mkdtemp(join(tmpdir(), "thingline-batch-"));
  t.after(() => rm(folder, { recursive: true, force: true }));
  return { folder, batch: batchIn(folder) };
}

const failed = (reason: string): DeviceResult => ({
  ...{ name: "a", result: "failed", durationMs: 1, steps: [] },
  failure: { code: "PROVISIONING_TIMEOUT", reason },
});

test("the last result of a device counts, and a line that was cut off does not", async (t) => {
  const { folder, batch } = await open(t);
  assert.deepEqual([...(await batch.readResults())], []);
  const provisioned: DeviceResult = { name: "b", result: "provisioned", durationMs: 2, certificateId: "c", steps: [] };
  await batch.append(failed("first"));
  await appendFile(join(folder, batchResultsName), '\n{"name":"b","resu');
  await batch.append(provisioned);
  await batch.append(failed("second"));
  const results = await batch.readResults();
  assert.deepEqual(results.get("b"), provisioned);
  assert.equal(results.get("a")?.failure?.reason, "second");
  assert.equal((await stat(join(folder, batchResultsName))).mode & 0o777, 0o600);
});

test("lines that are no results are left out", async (t) => {
  const { folder, batch } = await open(t);
  await appendFile(join(folder, batchResultsName), '\n[]\nnull\n{"name":1}\n{"name":"x","result":"odd"}\nnot json');
  assert.deepEqual([...(await batch.readResults())], []);
});

test("a result with a member that no report can show is left out", async (t) => {
  const { folder, batch } = await open(t);
  const whole = { name: "x", result: "failed", durationMs: 1, steps: [{ name: "s", durationMs: 1, result: "done" }] };
  const wrong = [
    ...[{ thingName: 5 }, { certificateId: null }, { failure: {} }, { failure: null }, { failure: { code: "X" } }],
    ...[{ steps: [null] }, { steps: [{ name: "s" }] }, { failure: { code: "X", reason: "y", next: [] } }],
  ];
  const lines = wrong.map((member, at) => JSON.stringify({ ...whole, name: `wrong${at}`, ...member }));
  await appendFile(join(folder, batchResultsName), `\n${[...lines, JSON.stringify(whole)].join("\n")}`);
  assert.deepEqual([...(await batch.readResults()).keys()], ["x"]);
});

test("the plan comes back, and what is none is refused by its name", async (t) => {
  const { folder, batch } = await open(t);
  assert.equal(await batch.readPlan(), undefined);
  const plan = { method: "csr", endpoint: "localhost:8883", prefix: "pump", template: "fleet" };
  await batch.writePlan(plan);
  assert.deepEqual(await batch.readPlan(), plan);
  await createNodeFiles().replace(join(folder, "batch.json"), new TextEncoder().encode("{}"));
  await assert.rejects(batch.readPlan(), { code: "FILE_UNREADABLE" });
});

test(`a reason is kept up to ${reasonCharactersMax} characters`, async (t) => {
  const { batch } = await open(t);
  await batch.append(failed("x".repeat(reasonCharactersMax + 1)));
  assert.equal((await batch.readResults()).get("a")?.failure?.reason.length, reasonCharactersMax + 2);
});

test(`a file of results has at most ${resultsFileBytesMax} bytes`, async (t) => {
  const { folder, batch } = await open(t);
  const { open: openFile } = await import("node:fs/promises");
  const handle = await openFile(join(folder, batchResultsName), "w");
  await handle.truncate(resultsFileBytesMax + 1);
  await handle.close();
  await assert.rejects(batch.readResults(), { code: "FILE_TOO_LARGE" });
});
