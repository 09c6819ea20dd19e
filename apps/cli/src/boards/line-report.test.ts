import assert from "node:assert/strict";
import { test } from "node:test";
import { type BoardResult, isBoardResult } from "./board-result.js";
import { renderLineReport, summarizeLine } from "./line-report.js";

const sha256 = "ab".repeat(32);
const good: BoardResult = {
  ...{ name: "352656100367872", port: "/dev/ttyACM0", imei: "352656100367872", model: "nRF9160-SICA" },
  ...{ firmware: "mfw_nrf9160_1.3.2", secTag: 42, source: "things/352656100367872", result: "written", isProved: true },
  ...{ items: [{ type: "ca", state: "equal", sha256 }], durationMs: 1200 },
};
const bad: BoardResult = {
  ...{ name: "/dev/ttyACM1", port: "/dev/ttyACM1", result: "failed", items: [], durationMs: 300 },
  failure: { step: "write", code: "CREDENTIAL_REFUSED", reason: '=cmd|"<script>alert(1)</script>", full' },
};
const half: BoardResult = {
  ...{ ...good, name: "2", imei: "2", port: "/dev/ttyACM2", result: "failed", isProved: undefined },
  items: [
    { type: "privateKey", state: "equal", sha256 },
    { type: "certificate", state: "missing", sha256 },
  ],
  failure: { code: "CONNECTION_LOST", reason: "gone" },
};
const head = { startedAt: new Date(0), endedAt: new Date(2_000), prove: "localhost:8883" };

test("a summary counts, and finds the middle", () => {
  assert.deepEqual(summarizeLine([good, bad, half]), {
    ...{ boards: 3, written: 1, unchanged: 0, failed: 2, medianMs: 1200, longestMs: 1200 },
  });
  assert.equal(summarizeLine([]).medianMs, 0);
});

test("a CSV has a row for each board, what is in the tag, and no cell that a spreadsheet would run", () => {
  const [heading = "", first = "", second = "", third = ""] = renderLineReport("csv", head, [good, bad, half]).split(
    "\r\n",
  );
  assert.match(heading, /^imei,port,model,firmware,secTag,source,result,proved,caSha256,caState,/);
  assert.ok(
    first.startsWith(
      `352656100367872,/dev/ttyACM0,nRF9160-SICA,mfw_nrf9160_1.3.2,42,things/352656100367872,written,yes,${sha256},equal,`,
    ),
  );
  assert.match(second, /"'=cmd\|""<script>alert\(1\)<\/script>"", full"$/);
  assert.ok(third.includes(`${sha256},missing,${sha256},equal,1200,,CONNECTION_LOST,gone`));
  assert.equal(heading.split(",").length, first.split(",").length);
});

test("of a damaged file of results only what a report can show is taken, and nothing that a page would run", () => {
  const back = (value: object) => JSON.parse(JSON.stringify(value)) as unknown;
  for (const whole of [good, bad, half]) assert.ok(isBoardResult(back(whole)));
  const values = [null, "<script>", 1.5, [], {}, [null], [{}], [{ type: "ca", state: "<b>", sha256 }], { code: "X" }];
  const texts = ["name", "port", "imei", "model", "firmware", "source"];
  for (const name of [...texts, "secTag", "result", "isProved", "items", "durationMs", "failure"]) {
    for (const value of values) {
      const isRight =
        (typeof value === "string" && texts.includes(name)) ||
        (name === "items" && Array.isArray(value) && value.length === 0) ||
        (name === "durationMs" && value === 1.5);
      assert.equal(isBoardResult(back({ ...good, [name]: value })), isRight, `${name} ${JSON.stringify(value)}`);
    }
  }
});

test("a JSON has all of it", () => {
  const report = JSON.parse(renderLineReport("json", head, [good, bad])) as { boards: BoardResult[]; prove: string };
  assert.deepEqual(report.boards, JSON.parse(JSON.stringify([good, bad])));
  assert.equal(report.prove, "localhost:8883");
});

test("a page is whole in itself, escapes what came from elsewhere, and puts first who needs somebody", () => {
  const page = renderLineReport("html", head, [good, bad, half]);
  assert.ok(!page.includes("<script"));
  assert.ok(page.includes("&lt;script&gt;alert(1)&lt;/script&gt;"));
  assert.doesNotMatch(page, /(?:src|href)=/);
  assert.ok(page.indexOf("/dev/ttyACM1") < page.indexOf("/dev/ttyACM0"));
  assert.match(page, /<b class="failed">✗ failed<\/b>/, "not by colour alone");
  assert.match(page, /aria-label="2 failed, 1 written, 0 unchanged"/);
  assert.match(page, /certificate<\/dt><dd>nothing, instead of <code>(?:ab){32}<\/code>/);
  assert.match(page, /prefers-color-scheme: dark/);
});
