import assert from "node:assert/strict";
import { test } from "node:test";
import picocolors from "picocolors";
import type { DetailedExecution } from "./jobs.js";
import { age, changeLine, countsText, endLine, inOrder, renderTable, stateOf, type DeviceState } from "./table.js";

const paint = picocolors.createColors(false);
const nowMs = Date.UTC(2026, 10, 29, 12);

function execution(fields: Partial<DetailedExecution>): DetailedExecution {
  return {
    ...{ thingName: "pump-7", status: "IN_PROGRESS", executionNumber: 1, versionNumber: 3 },
    ...{ queuedAtMs: nowMs - 60_000, startedAtMs: nowMs - 50_000, lastUpdatedAtMs: nowMs - 10_000, details: {} },
    ...fields,
  };
}

test("what a device says becomes its row, and what it says wrongly does not", () => {
  const since = String((nowMs - 90_000) / 1_000);
  const half = stateOf(
    execution({ details: { phase: "downloading", progress: "52", versionRunning: "1.2.2+0", since } }),
  );
  assert.deepEqual([half.progress, half.sinceMs, half.phase], [52, nowMs - 90_000, "downloading"]);
  for (const progress of ["", "-1", "101", "half", "NaN"]) {
    const state = stateOf(execution({ details: { phase: "downloading", progress, since: "yesterday" } }));
    assert.equal(state.progress, progress === "" ? 0 : undefined, progress);
    assert.equal(state.sinceMs, nowMs - 10_000, "the cloud's own time");
  }
  const whole = stateOf(execution({ details: { phase: "verified" } }));
  assert.equal(whole.progress, 100, "the file is there");
  const ended = stateOf(execution({ status: "FAILED", details: { phase: "booted", since } }));
  assert.equal(ended.sinceMs, nowMs - 10_000, "since it ended");
  assert.equal(stateOf(execution({ status: "QUEUED" })).versionRunning, undefined);
});

const rows: DeviceState[] = [
  stateOf(execution({ thingName: "b", details: { phase: "downloading", progress: "50", versionRunning: "1.2.2+0" } })),
  stateOf(
    execution({ thingName: "a", status: "SUCCEEDED", details: { phase: "confirmed", versionRunning: "1.2.3+0" } }),
  ),
  stateOf(execution({ thingName: "c", status: "QUEUED", lastUpdatedAtMs: nowMs - 4 * 3_600_000 })),
  stateOf(execution({ thingName: "d", status: "FAILED", details: { phase: "booted", reason: "reverted" } })),
  stateOf(execution({ thingName: "e", status: "TIMED_OUT" })),
];

const job = {
  jobId: "fota-1",
  job: { status: "IN_PROGRESS" as const, jobProcessDetails: { numberOfQueuedThings: 1, numberOfFailedThings: 2 } },
  document: { version: "1.2.3+0", sizeBytes: 1, sha256: undefined, object: undefined },
};

test("the table shows who runs what, how far it is and since when; those that move come first", () => {
  const lines = renderTable(job, inOrder(rows), { nowMs, paint, columns: 100, more: 7 });
  assert.deepEqual(lines, [
    "fota-1 to version 1.2.3, in progress",
    "  1 waiting, 2 failed",
    "device  running  phase             since",
    "b       1.2.2    downloading         10 s  ████████░░░░░░░░  50 %",
    "d       ?        failed: reverted    10 s",
    "e       ?        timed out           10 s",
    "c       ?        waiting              4 h",
    "a       1.2.3    confirmed           10 s  ████████████████ 100 %",
    "and 7 more",
  ]);
});

test("no line is wider than the terminal, whatever devices call themselves and say", () => {
  const wild = stateOf(
    execution({
      thingName: "x".repeat(128),
      details: { phase: "\u001b[2Jdownloading" as never, progress: "10", versionRunning: "9".repeat(60) },
    }),
  );
  for (const columns of [50, 60, 80, 100, 200]) {
    const lines = renderTable({ ...job, jobId: "j".repeat(64) }, [...rows, wild], { nowMs, paint, columns, more: 0 });
    for (const line of lines) {
      assert.ok(!line.includes("\u001b"), "no control character comes through");
      assert.ok(line.length <= columns, `${line.length} in ${columns}: ${line}`);
    }
  }
});

test("what a device said when it failed stands below it, and a version of before in brackets", () => {
  const failed = stateOf(execution({ status: "FAILED", details: { reason: "reverted", message: "no\nanswer" } }));
  const waits = { ...stateOf(execution({ thingName: "w", status: "QUEUED" })), versionBefore: "1.2.2+0" };
  const lines = renderTable(job, [failed, waits], { nowMs, paint, columns: undefined, more: 0, hasMessages: true });
  assert.deepEqual(lines.slice(3), [
    "pump-7  ?        failed: reverted    10 s",
    "  no\\u000aanswer",
    "w       (1.2.2)  waiting             10 s",
  ]);
});

test("counts leave out what is zero, ages are short, and a change is a line", () => {
  assert.equal(countsText({}), "no devices yet");
  assert.equal(countsText({}, true), "no devices");
  const ended = { status: "COMPLETED" as const, jobProcessDetails: { numberOfFailedThings: 2 } };
  assert.equal(endLine({ jobId: "j", job: ended }), "j  completed: 2 failed");
  assert.equal(countsText({ numberOfSucceededThings: 2, numberOfTimedOutThings: 1 }), "2 succeeded, 1 timed out");
  const ages = [0, 119, 120, 7_199, 7_200, 172_800].map((seconds) => age(nowMs - seconds * 1_000, nowMs));
  assert.deepEqual(ages, ["0 s", "119 s", "2 min", "2 h", "2 h", "2 d"]);
  assert.equal(age(undefined, nowMs), "");
  assert.equal(changeLine(rows[0]!), "b  downloading 50 %, running 1.2.2");
  assert.equal(changeLine(rows[3]!), "d  failed: reverted");
});
