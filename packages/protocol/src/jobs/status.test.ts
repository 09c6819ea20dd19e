import assert from "node:assert/strict";
import { test } from "node:test";
import { jobExecutionStatuses, mayReportJobStatus, mayServeJobStatus, reportableJobStatuses } from "./status.js";

test("a device moves what is pending, and only to what it may report", () => {
  for (const from of jobExecutionStatuses) {
    const reachable = jobExecutionStatuses.filter((to) => mayReportJobStatus(from, to));
    const isPending = from === "QUEUED" || from === "IN_PROGRESS";
    assert.deepEqual(reachable, isPending ? reportableOrder : [], from);
  }
});

const reportableOrder = jobExecutionStatuses.filter((one) =>
  (reportableJobStatuses as readonly string[]).includes(one),
);

test("the service ends what is pending, and times out only what is in progress", () => {
  assert.deepEqual(
    jobExecutionStatuses.map((from) => jobExecutionStatuses.filter((to) => mayServeJobStatus(from, to))),
    [["REMOVED", "CANCELED"], ["TIMED_OUT", "REMOVED", "CANCELED"], [], [], [], [], [], []],
  );
});
