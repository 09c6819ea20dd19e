import assert from "node:assert/strict";
import { test } from "node:test";
import { updatesOf } from "../commands/fota-list.js";
import type { FirmwareJob } from "./jobs.js";
import type { FotaPlane } from "./plane.js";
import { updateFacts, updateLines } from "./update-list.js";

const nowMs = Date.UTC(2026, 10, 29, 12);
const arn = (what: string) => `arn:aws:iot:us-east-1:123456789012:${what}`;

function updateOf(job: FirmwareJob["job"], document: Partial<FirmwareJob["document"]> = {}): FirmwareJob {
  const known = { version: "1.2.3+0", sizeBytes: 9, sha256: "ab", object: { bucket: "b", key: "firmware/ab/app.bin" } };
  return { jobId: "fota-1", job, documentText: "", document: { ...known, ...document } };
}

test("an update is two lines for people, whatever its targets and its image are", () => {
  const createdAt = new Date(nowMs - 60_000);
  const counts = { numberOfSucceededThings: 2, numberOfQueuedThings: 1 };
  const group = updateOf({
    ...{ status: "IN_PROGRESS", createdAt, jobProcessDetails: counts },
    ...{ targets: [arn("thinggroup/north")], targetSelection: "CONTINUOUS" },
  });
  assert.deepEqual(updateLines(group, nowMs), [
    "fota-1 to version 1.2.3, in progress, 60 s ago",
    "app.bin to group north, continuous: 2 succeeded, 1 waiting",
  ]);
  const things = ["a", "b", "c", "d", "e"].map((name) => arn(`thing/${name}`));
  const many = updateOf({ status: "COMPLETED", targets: things }, { version: "\u001b[2J", object: undefined });
  assert.deepEqual(updateLines(many, nowMs), [
    "fota-1 to version \\u001b[2J, completed",
    "an image elsewhere to things a, b, c and 2 more: no devices",
  ]);
  const mixed = updateOf({ status: "CANCELED", targets: [arn("thing/thinggroup"), arn("thinggroup/x")] });
  assert.equal(updateLines(mixed, nowMs)[1], "app.bin to group x, thing thinggroup: no devices");
});

test("programs are told all of it, and null for what the job does not say", () => {
  const targets = [arn("thing/a")];
  const createdAt = new Date(nowMs);
  assert.deepEqual(updateFacts(updateOf({ status: "COMPLETED", targets, createdAt })), {
    ...{ jobId: "fota-1", status: "COMPLETED", isContinuous: false, versionWanted: "1.2.3+0", image: "app.bin" },
    ...{ sizeBytes: 9, sha256: "ab", targets, counts: {} },
    ...{ createdAt: "2026-11-29T12:00:00.000Z", completedAt: null },
  });
  const bare = updateFacts(updateOf({}, { version: undefined, object: undefined }));
  assert.deepEqual([bare.status, bare.versionWanted, bare.image, bare.createdAt], [null, null, null, null]);
});

test("updates come in order, other jobs and deleted ones are left out, and few are read ahead", async () => {
  const asked: string[] = [];
  class Command {
    readonly input: { jobId: string };
    constructor(input: { jobId: string }) {
      this.input = input;
    }
  }
  class Get extends Command {}
  const gone = Object.assign(new Error("gone"), { name: "ResourceNotFoundException" });
  const send = async ({ input: { jobId } }: Command, isDocument: boolean) => {
    if (isDocument) asked.push(jobId);
    // The later ones answer first.
    for (let turn = 100 - Number(jobId); turn > 0; turn--) await Promise.resolve();
    if (jobId === "3") throw gone;
    const document = jobId === "2" ? "{}" : JSON.stringify({ fwversion: jobId, location: {} });
    return isDocument ? { document } : { job: {} };
  };
  const plane = {
    sdk: { GetJobDocumentCommand: Get, DescribeJobCommand: Command },
    client: { send: (command: Command) => send(command, command instanceof Get) },
    send: {},
  } as unknown as FotaPlane;
  const ids = Array.from({ length: 40 }, (_, at) => String(at));
  const taken: string[] = [];
  for await (const { jobId } of updatesOf(plane, ids)) {
    taken.push(jobId);
    if (taken.length === 5) break;
  }
  assert.deepEqual(taken, ["0", "1", "4", "5", "6"]);
  assert.equal(asked.length, 8);
});
