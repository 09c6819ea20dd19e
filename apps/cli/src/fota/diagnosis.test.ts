import assert from "node:assert/strict";
import { test } from "node:test";
import { diagnose, type Diagnosis, type ExecutionFacts } from "./diagnosis.js";

const nowMs = Date.UTC(2026, 10, 29, 12);
const staleMs = 30 * 60_000;
const fresh = nowMs - staleMs + 1;
const stale = nowMs - staleMs;

function facts(fields: Partial<ExecutionFacts>): ExecutionFacts {
  return {
    ...{ status: "IN_PROGRESS", isJobOver: false, hasThing: true, activeCertificates: 1, lastUpdatedAtMs: fresh },
    ...{ phase: undefined, message: undefined, ahead: undefined },
    ...fields,
  };
}

type Expected = [problem: Diagnosis["problem"], cancel?: "this" | "ahead", canRetry?: boolean];
const cases: [what: string, facts: Partial<ExecutionFacts>, expected: Expected | undefined][] = [
  ["a device that works", {}, undefined],
  ["one that waits", { status: "QUEUED" }, undefined],
  ["one that has ended, however long ago", { status: "FAILED", lastUpdatedAtMs: 0, hasThing: false }, undefined],
  ["one that says nothing", { lastUpdatedAtMs: stale }, ["silent", "this", true]],
  ["the same of a job that is over", { lastUpdatedAtMs: stale, isJobOver: true }, ["leftBehind", "this", false]],
  ["one that never asked", { status: "QUEUED", lastUpdatedAtMs: stale }, ["notFetched"]],
  ["a thing that is gone", { hasThing: false, activeCertificates: 0 }, ["thingGone", "this", false]],
  ["a thing that cannot connect", { activeCertificates: 0, status: "QUEUED" }, ["noCredentials", "this", false]],
  [
    "one behind a job that works",
    { status: "QUEUED", lastUpdatedAtMs: stale, ahead: { jobId: "j", lastUpdatedAtMs: fresh } },
    undefined,
  ],
  [
    "one behind a job that does not",
    { status: "QUEUED", ahead: { jobId: "j", lastUpdatedAtMs: stale } },
    ["behindStuck", "ahead", false],
  ],
];

for (const [what, given, expected] of cases) {
  test(`${what}: ${expected?.[0] ?? "nothing is wrong"}`, () => {
    const found = diagnose(facts(given), { nowMs, staleMs });
    const { problem, repair } = found ?? {};
    assert.deepEqual(found && [problem, ...(repair === undefined ? [] : [repair.cancel, repair.canRetry])], expected);
  });
}

test("why it is so names what the device said last", () => {
  const said = diagnose(facts({ lastUpdatedAtMs: stale, phase: "rebooting", message: "battery low" }), {
    nowMs,
    staleMs,
  });
  assert.equal(said?.why, "nothing for 30 min, while rebooting; it said: battery low");
});
