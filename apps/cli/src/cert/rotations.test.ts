import assert from "node:assert/strict";
import { test } from "node:test";
import { defaultRotationOverlapMs } from "@thingline/device/rotation";
import { overlapEndMs } from "./rotations.js";

const toldAtMs = Date.UTC(2026, 10, 30);
const hourMs = 3_600_000;

test("an overlap ends when the device says, also when it told of it late", () => {
  for (const saidMs of [toldAtMs + hourMs, toldAtMs, toldAtMs - 2 * hourMs])
    assert.equal(overlapEndMs(saidMs, toldAtMs), saidMs);
  assert.equal(overlapEndMs(hourMs, undefined), hourMs);
});

test("a device that takes today for 1970 keeps its way back for the usual overlap", () => {
  assert.equal(overlapEndMs(hourMs, toldAtMs), toldAtMs + defaultRotationOverlapMs);
});
