import assert from "node:assert/strict";
import { test } from "node:test";
import { isThinglineError } from "@thingline/protocol";
import {
  jobIdCharactersMax,
  jobsClientTokenCharactersMax,
  statusDetailKeyCharactersMax,
  statusDetailsMax,
  statusDetailValueCharactersMax,
} from "@thingline/protocol/jobs";
import { openJobsWorld } from "./jobs-world.test.support.js";
import { filledDocumentBytesMax, jobMessageBytesMax } from "./message-size.js";

const thingName = "pump";
const jobId = "j".repeat(jobIdCharactersMax);
const document = JSON.stringify({ urls: Array.from({ length: 2 }, () => "${aws:iot:s3-presigned-url:s3://b/k}") });
const urlBytesMax = (filledDocumentBytesMax - '{"urls":["",""]}'.length) / 2;

async function openPump(urlBytes: number) {
  const url = { bytes: urlBytes };
  const world = await openJobsWorld({ presign: () => "u".repeat(url.bytes) });
  await world.createThings(thingName);
  return { world, url, create: () => world.create(jobId, [thingName], { document }) };
}

test("a document has to fit into a message with its placeholders filled", async () => {
  const wide = await openPump(Math.floor(urlBytesMax) + 1);
  await assert.rejects(
    wide.create(),
    (error) =>
      isThinglineError(error, "REQUEST_INVALID") && /^document: .* placeholders are filled/.test(error.message),
  );
  const { world, create } = await openPump(Math.floor(urlBytesMax));
  await create();
  const next = (await world.take()).find(({ topic }) => topic.endsWith("notify-next"));
  assert.ok((next?.message["execution"] as { jobDocument?: object }).jobDocument);
});

test("the largest document, and all that can stand around it, go into one message", async () => {
  const { world, create } = await openPump(Math.floor(urlBytesMax));
  await create();
  await world.take();
  const pairs = Array.from({ length: statusDetailsMax }, (_none, at): [string, string] => [
    String(at).padEnd(statusDetailKeyCharactersMax, "k"),
    "漢".repeat(statusDetailValueCharactersMax),
  ]);
  const clientToken = "漢".repeat(jobsClientTokenCharactersMax);
  const request = { status: "IN_PROGRESS", statusDetails: Object.fromEntries(pairs), clientToken };
  const asked = { ...request, stepTimeoutInMinutes: 10_080, includeJobExecutionState: true, includeJobDocument: true };
  for (const told of [
    await world.exchange({ thingName, type: "update", jobId }, asked),
    await world.exchange({ thingName, type: "describe", jobId }, { clientToken }),
  ]) {
    const answer = told.find(({ topic }) => topic.endsWith("/accepted"));
    assert.ok(answer);
    const bytes = new TextEncoder().encode(JSON.stringify(answer.message)).length;
    assert.ok(bytes <= jobMessageBytesMax && bytes > jobMessageBytesMax - 1_024, String(bytes));
  }
});

test("a document that has become too large is never sent, and whoever asks is told so", async () => {
  const { world, url, create } = await openPump(10);
  url.bytes = 10;
  await create();
  await world.take();
  url.bytes = jobMessageBytesMax / 2;
  const [answer] = await world.exchange({ thingName, type: "start-next" });
  assert.match(answer?.topic ?? "", /start-next\/rejected$/);
  assert.equal(answer?.message["code"], "InvalidRequest");
  assert.match(String(answer?.message["message"]), /The answer would have \d+ bytes, at most 131072/);
  assert.deepEqual(await world.counts(jobId), { Queued: 1 });
  const [brief] = await world.exchange({ thingName, type: "describe", jobId }, { includeJobDocument: false });
  assert.match(brief?.topic ?? "", /accepted$/);
  // Another job that is first for a while, so that this one is told of again.
  await world.create("later", [thingName], { document: "{}" });
  await world.exchange({ thingName, type: "update", jobId: "later" }, { status: "IN_PROGRESS" });
  const told = await world.exchange({ thingName, type: "update", jobId: "later" }, { status: "FAILED" });
  const next = told.find(({ topic }) => topic.endsWith("notify-next"));
  const execution = next?.message["execution"] as { jobId?: string; jobDocument?: object } | undefined;
  assert.deepEqual([execution?.jobId, execution?.jobDocument], [jobId, undefined]);
});
