import assert from "node:assert/strict";
import { test } from "node:test";
import type { FotaEvent } from "@thingline/device/fota";
import { createOutput } from "./output.js";
import { createUpdateView, progressBar } from "./update-view.js";

function shown(isJson: boolean, show: (view: ReturnType<typeof createUpdateView>) => void): string[] {
  let text = "";
  const stream = { write: (more: string) => (text += more) };
  const output = createOutput({ isJson, out: stream, err: stream, env: {} });
  let nowMs = 0;
  const view = createUpdateView(output, () => (nowMs += 250));
  show(view);
  view.end();
  output.close();
  return text.split("\n").slice(0, -1);
}

const boot = { isResumed: false, refusals: [], warnings: [] };
const runs = { version: "1.1.0+0", imageId: "", isOnTrial: true, program: {} };

test("an update that goes back tells each phase, and why only once", () => {
  const message = "the health check of the new image failed: no sensor";
  const lines = shown(false, (view) => {
    view.booted({ ...boot, runs: { ...runs, version: "1.0.0+0" }, swapType: "none" });
    view.fota({ type: "started", jobId: "j", target: undefined, offset: 0, isResumed: false });
    view.fota({ type: "progress", percent: 50, offset: 1, sizeBytes: 2 });
    view.fota({ type: "downloaded", sizeBytes: 2 });
    view.fota({ type: "verified", version: "1.1.0+0" });
    view.fota({ type: "rebooting", why: "install" });
    view.booted({ ...boot, runs, swapType: "test" });
    view.fota({ type: "booted", version: "1.1.0+7" });
    view.fota({ type: "note", message });
    view.fota({ type: "rebooting", why: "revert" });
    view.booted({ ...boot, runs, swapType: "revert", isResumed: true });
    view.fota({ type: "error", cause: "invalidUpdate", reason: "healthCheckFailed", message, versionRunning: "1.0.0" });
  });
  assert.deepEqual(lines, [
    "✓ downloaded   2 bytes are on flash                                      250 ms",
    "✓ verified     version 1.1.0: hash and signature of what lies on flash   250 ms",
    "↻ rebooting    to try the new image",
    "↻ bootloader   swapped the slots, for one boot                           250 ms",
    "✓ booted       version 1.1.0+7 runs, on trial                            250 ms",
    `  note         ${message}`,
    "↻ rebooting    to go back to the image before",
    "↻ bootloader   went on after the power cut, and swapped the slots back: the image on trial was not confirmed",
    "✗ error        healthCheckFailed",
  ]);
});

test("an error that no note has told says its message; what a job was taken away for is told", () => {
  const error: FotaEvent = {
    ...{ type: "error", cause: "downloadFailed", reason: "downloadGone", message: "404" },
    versionRunning: undefined,
  };
  const lines = shown(false, (view) => {
    view.fota(error);
    view.fota({ type: "cancelled", jobId: "j", phase: "downloading" });
    const refusals = [{ slot: "secondary" as const, code: "SIGNATURE_MISSING" as const, message: "" }];
    view.booted({ ...boot, runs, swapType: "fail", refusals });
  });
  assert.deepEqual(lines, [
    "✗ error        downloadGone: 404",
    "– cancelled    job j was taken away",
    "↻ bootloader   did not take the image (SIGNATURE_MISSING)                250 ms",
  ]);
});

test("with --json every event is one object", () => {
  const lines = shown(true, (view) => {
    view.fota({ type: "progress", percent: 50, offset: 1, sizeBytes: 2 });
    view.booted({ ...boot, runs, swapType: "none" });
  });
  assert.deepEqual(
    lines.map((line) => JSON.parse(line) as unknown),
    [
      { event: "fota", phase: "progress", percent: 50, offset: 1, sizeBytes: 2 },
      { event: "boot", version: "1.1.0+0", isOnTrial: true, ...boot, swapType: "none" },
    ],
  );
});

test("a bar is as wide at each percentage, and stays within its ends", () => {
  const bars = [-5, 0, 33.3, 50, 100, 120].map(progressBar);
  assert.equal(new Set(bars.map((bar) => bar.length)).size, 1);
  assert.match(bars[0] ?? "", /^░+ +0 %$|^░+ +-5 %$/);
  assert.match(bars[3] ?? "", /^█{12}░{12} +50 %$/);
});
