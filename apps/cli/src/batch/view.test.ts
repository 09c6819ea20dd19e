import assert from "node:assert/strict";
import { test } from "node:test";
import { createOutput } from "../output.js";
import { batchNames, type DeviceResult } from "./result.js";
import { createBatchView, failuresToldMax } from "./view.js";

const good = (name: string): DeviceResult => ({ name, result: "provisioned", durationMs: 1, steps: [] });
const bad = (name: string): DeviceResult => ({
  ...{ name, result: "failed", durationMs: 1, steps: [] },
  failure: { step: "request", code: "PROVISIONING_TIMEOUT", reason: "no answer" },
});

function shown(
  { isJson = false, isTTY = false } = {},
  run: (view: ReturnType<typeof createBatchView>) => void,
): string {
  let text = "";
  const stream = { isTTY, columns: 60, write: (chunk: string) => (text += chunk) };
  const env = { NO_COLOR: "1" };
  const output = createOutput({ isJson, out: stream, err: { write() {} }, env });
  let nowMs = 0;
  const view = createBatchView(output, { all: 20, done: 0, now: () => (nowMs += 100), stream, env });
  run(view);
  view.end();
  return text;
}

test("a pipe gets a line for every tenth part, and one for each of the first failures", () => {
  const text = shown({}, (view) => {
    for (const [at, name] of batchNames("p", 20).entries())
      view.ended(at < failuresToldMax + 2 ? bad(name) : good(name));
  });
  const lines = text.trimEnd().split("\n");
  assert.equal(lines.filter((line) => line.startsWith("failed  p-")).length, failuresToldMax);
  assert.equal(lines.filter((line) => line === "further failures are only counted").length, 1);
  assert.equal(lines.filter((line) => /^\d+\/20 /.test(line)).length, 10);
  assert.match(lines.at(-1) ?? "", /^20\/20 {2}100 % {2}12 failed {2}/);
});

test("programs get every device, without its steps", () => {
  const text = shown({ isJson: true }, (view) => view.ended(bad("p-0001")));
  const { steps: _steps, ...facts } = bad("p-0001");
  assert.deepEqual(JSON.parse(text), { event: "batchDevice", ...facts });
});

test("a terminal gets a block that is drawn over again", () => {
  const text = shown({ isTTY: true }, (view) => {
    view.step("p-0001", "request");
    view.step("p-0002", "request");
    view.step("p-0002", undefined);
    view.ended(bad("p-0002"));
  });
  const last = text.slice(text.lastIndexOf("\r"));
  assert.match(last, /[█░]+ 1\/20 {2}5 % {2}1 failed/);
  assert.match(last, /now: 1 request/);
});

test("what failed stays on a terminal with its whole reason, as far as it can be read", () => {
  const reason = `there is no serial port ttyACM7: ${"plug the board in ".repeat(4)}or not`;
  const text = shown({ isTTY: true }, (view) => {
    for (const name of batchNames("p", failuresToldMax + 2)) {
      view.ended({ ...bad(name), failure: { code: "SERIAL_PORT_NOT_FOUND", reason } });
    }
  });
  const [, told = ""] = text.split(`the last ${failuresToldMax} of ${failuresToldMax + 2} that failed:\n`);
  assert.equal(told.match(/^failed {2}p-/gm)?.length, failuresToldMax);
  assert.ok(told.replaceAll(/\n +/g, " ").includes(`${reason} (SERIAL_PORT_NOT_FOUND)`));
  assert.ok(told.split("\n").every((line) => line.length <= 60));
  assert.match(told, /^(?:(?:failed| {6}) {2}\S.*\n)+$/, "broken once, below the first line's beginning");
});
