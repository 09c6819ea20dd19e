import assert from "node:assert/strict";
import { test } from "node:test";
import {
  failuresShownMax,
  progressLines,
  progressText,
  summaryLines,
  timeText,
  type BatchProgress,
} from "./progress-lines.js";
import { summarize } from "./tally.js";

const plain = (text: string) => text;
const paint = { green: plain, red: plain, dim: plain, bold: plain };
const progress: BatchProgress = {
  ...{ ended: 512, failed: 3, all: 1_000, rate: 24.13, secondsLeft: 20.2 },
  inSteps: new Map([
    ["connectClaim", 4],
    ["receiveCertificate", 9],
  ]),
  failures: ["a", "b", "c", "d"].map((name) => ({
    ...{ name, result: "failed", durationMs: 1, steps: [] },
    failure: { step: "request", code: "PROVISIONING_TIMEOUT", reason: "no answer within 60 s\nof many lines" },
  })),
};

test("a bar, where devices are, and the newest failures", () => {
  assert.equal(failuresShownMax, 3);
  assert.deepEqual(progressLines(progress, { paint, columns: 80 }), [
    `${"█".repeat(17)}${"░".repeat(18)} 512/1000  51 %  3 failed  24/s  21 s left`,
    "now: 4 connect claim, 9 receive certificate",
    "✗ b  request: no answer within 60 s (PROVISIONING_TIMEOUT)",
    "✗ c  request: no answer within 60 s (PROVISIONING_TIMEOUT)",
    "✗ d  request: no answer within 60 s (PROVISIONING_TIMEOUT)",
  ]);
});

for (const columns of [20, 40, 80, 200]) {
  test(`no line is wider than a terminal of ${columns} columns`, () => {
    for (const line of progressLines(progress, { paint, columns })) assert.ok(line.length <= columns, line);
  });
}

test("the beginning and the end of a batch", () => {
  const begun = { ...progress, ended: 0, failed: 0, rate: undefined, secondsLeft: undefined, failures: [] };
  assert.equal(progressText(begun), "0/1000  0 %");
  assert.equal(progressText({ ...progress, ended: 1_000, failed: 0, rate: 9.96 }), "1000/1000  100 %  10.0/s");
});

test("times as people say them", () => {
  assert.deepEqual([0.2, 59, 60, 200, 3_700].map(timeText), ["1 s", "59 s", "1 min 0 s", "3 min 20 s", "1 h 1 min"]);
});

test("where the time goes", () => {
  const steps = [
    { name: "connectClaim", durationMs: 10, result: "done" },
    { name: "request", durationMs: 30, result: "failed" },
  ] as const;
  const failure = { step: "request", code: "PROVISIONING_TIMEOUT", reason: "no answer", next: "look at the log" };
  const lines = summaryLines(summarize([{ name: "a", result: "failed", durationMs: 40, steps, failure }]), paint);
  assert.deepEqual(lines, [
    "step           devices  median    95 % ms  of the time",
    "connect claim        1      10      10      25 % █████",
    "request              1      30      30      75 % ███████████████",
    "",
    "what failed",
    "     1  PROVISIONING_TIMEOUT in request  as a",
    "        next: look at the log",
  ]);
});

test("the summary fits a narrow terminal: the bar becomes shorter", () => {
  const result = (name: string, durationMs: number) => ({ name, durationMs, result: "done" }) as const;
  const steps = [result("receiveCertificate", 1), result("connectClaim", 999)];
  const summary = summarize([{ name: "a", result: "provisioned", durationMs: 1_000, steps }]);
  for (const columns of [60, 80]) {
    const lines = summaryLines(summary, paint, columns);
    for (const line of lines) assert.ok(line.length <= columns && !line.endsWith(" "), `${columns}: ${line}|`);
    assert.equal(lines[2]?.includes("█"), true);
  }
});
