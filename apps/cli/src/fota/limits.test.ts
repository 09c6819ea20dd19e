import assert from "node:assert/strict";
import { test } from "node:test";
import { jobsExaminedMax } from "../commands/fota-doctor.js";
import { jobTargetsMax, newJobId } from "../commands/fota-deploy.js";
import { detailsPerLookMax, failedLooksMax } from "../commands/fota-status.js";
import { firmwareBytesMax } from "./firmware.js";
import { FirmwareHistory, historyMax } from "./history.js";
import { jobsSearchedMax, newestJobIds } from "./jobs.js";
import type { FotaPlane } from "./plane.js";

/** A plane whose lists never end. */
function endless(list: "paginateListJobs" | "paginateListJobExecutionsForThing") {
  let pages = 0;
  async function* paginate() {
    for (;;) {
      pages++;
      await Promise.resolve();
      const names = Array.from({ length: 250 }, (_, at) => ({ jobId: `j-${pages}-${at}` }));
      yield { jobs: names, executionSummaries: names };
    }
  }
  class Command {}
  const plane = {
    sdk: { [list]: paginate, GetJobDocumentCommand: Command },
    client: { send: async () => ({ document: "{}" }) },
    send: {},
  } as unknown as FotaPlane;
  return { plane, pageCount: () => pages };
}

test("no more than jobsSearchedMax jobs are looked through", async () => {
  const { plane, pageCount } = endless("paginateListJobs");
  assert.equal((await newestJobIds(plane)).length, jobsSearchedMax);
  assert.equal(pageCount(), 1);
});

test("no more than historyMax executions of a thing are looked through", async () => {
  const { plane, pageCount } = endless("paginateListJobExecutionsForThing");
  const known = { jobId: "j", job: {}, documentText: "", document: {} } as never;
  const taken = await new FirmwareHistory(plane, known).of("t", "j");
  assert.deepEqual(taken, { current: undefined, before: undefined });
  assert.equal(pageCount() * 250, historyMax);
});

test("AWS's limits and ours are what the commands say", () => {
  assert.deepEqual([jobTargetsMax, jobsExaminedMax, detailsPerLookMax, failedLooksMax], [100, 25, 250, 10]);
  assert.equal(firmwareBytesMax, 256 * 1024 * 1024);
});

test("ids of jobs fit into AWS's 64 characters, and no two are the same", () => {
  const firmware = { version: "255.255.65535+4294967295", sha256: "ab".repeat(32) };
  const ids = Array.from({ length: 3 }, () => newJobId(firmware, new Date(0), "rollback"));
  assert.equal(new Set(ids).size, ids.length);
  for (const id of ids) assert.match(`${id}-99`, /^[A-Za-z0-9_-]{1,64}$/);
});
