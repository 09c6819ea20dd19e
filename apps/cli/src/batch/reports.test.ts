import assert from "node:assert/strict";
import { test } from "node:test";
import { renderReport, reportKind } from "./reports.js";
import type { DeviceResult } from "./result.js";

const head = {
  ...{ method: "csr", endpoint: "localhost:8883" },
  ...{ startedAt: new Date("2026-01-01T00:00:00Z"), endedAt: new Date("2026-01-01T00:00:12Z") },
};
const steps = [{ name: "request", durationMs: 12.4, result: "done" }] as const;
const results: DeviceResult[] = [
  { name: "a", result: "provisioned", durationMs: 12.4, certificateId: "abc", thingName: "thing-a", steps },
  {
    ...{ name: "b", result: "failed", durationMs: 3, steps: [] },
    failure: {
      code: "PROVISIONING_REJECTED",
      reason: '=HYPERLINK("x"), <script>alert(1)</script>',
      step: "registerThing",
    },
  },
];

test("the end of its name says what a report is", () => {
  assert.deepEqual(["r.csv", "r.JSON", "a.b.html", "r.txt", "csv"].map(reportKind), [
    ...["csv", "json", "html", undefined, undefined],
  ]);
});

test("a CSV report has a row for each device, and no formula", () => {
  assert.equal(
    renderReport("csv", head, results),
    [
      "device,result,durationMs,thingName,certificateId,failedStep,code,reason,next",
      "a,provisioned,12,thing-a,abc,,,,",
      `b,failed,3,,,registerThing,PROVISIONING_REJECTED,"'=HYPERLINK(""x""), <script>alert(1)</script>",`,
      "",
    ].join("\r\n"),
  );
});

test("a JSON report has everything", () => {
  const report = JSON.parse(renderReport("json", head, results)) as Record<string, unknown>;
  assert.deepEqual(report["devices"], results);
  assert.equal((report["summary"] as { failed: number }).failed, 1);
});

test("an HTML report shows what failed first, and runs nothing", () => {
  const text = renderReport("html", head, results);
  assert.doesNotMatch(text, /<script/);
  assert.ok(text.indexOf("<tr><td>b</td>") < text.indexOf("<tr><td>a<br>thing thing-a</td>"));
  assert.match(text, /1 provisioned, <span class="failed">1 failed/);
});
