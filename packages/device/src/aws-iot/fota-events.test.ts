import assert from "node:assert/strict";
import { test } from "node:test";
import type { FotaEvent } from "../fota/types.js";
import { awsIotEventTypes } from "./events.js";
import { awsIotFotaEvent } from "./fota-events.js";

test("events of an update are the original's, with its numbers, and no more", () => {
  const events: FotaEvent[] = [
    { type: "started", jobId: "j", target: undefined, offset: 0, isResumed: false },
    { type: "erasePending" },
    { type: "eraseDone" },
    { type: "progress", percent: 40, offset: 4, sizeBytes: 10 },
    { type: "downloaded", sizeBytes: 10 },
    { type: "verified", version: "2" },
    { type: "installed", version: "2" },
    { type: "done" },
    { type: "rebooting", why: "install" },
    { type: "booted", version: "2" },
    { type: "healthy", version: "2" },
    { type: "confirmed", version: "2" },
    { type: "cancelled", jobId: "j", phase: undefined },
    { type: "note", message: "n" },
  ];
  const told = events.map(awsIotFotaEvent).filter((event) => event !== undefined);
  assert.deepEqual(
    told.map(({ type }) => awsIotEventTypes[type]),
    [8, 10, 11, 12, 9],
  );
  assert.deepEqual(told[3], { type: "fotaDownloadProgress", percent: 40 });
  for (const [cause, number] of [
    ["downloadFailed", 1],
    ["invalidUpdate", 2],
    ["typeMismatch", 3],
  ] as const) {
    const event = awsIotFotaEvent({ type: "error", cause, reason: "r", message: "why", versionRunning: "1" });
    assert.ok(event?.type === "fotaError");
    assert.deepEqual(
      [event.error.code, event.error.message, event.error.details],
      ["FIRMWARE_UPDATE_FAILED", "why", { reason: "r", cause: number }],
    );
  }
});
