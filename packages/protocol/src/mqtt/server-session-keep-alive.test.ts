import assert from "node:assert/strict";
import { test } from "node:test";
import { effectiveKeepAliveSeconds, stepServerKeepAlive } from "./server-session-keep-alive.js";

const aws = { minSeconds: 30, maxSeconds: 1_200 };

for (const [requested, effective] of [
  [0, 1_200],
  [1, 30],
  [29, 30],
  [30, 30],
  [60, 60],
  [1_200, 1_200],
  [1_201, 1_200],
  [65_535, 1_200],
] as const) {
  test(`a keep alive of ${requested} becomes ${effective}`, () => {
    assert.equal(effectiveKeepAliveSeconds(requested, aws), effective);
  });
}

test("silence of one and a half keep alives closes, and not a moment less", () => {
  const start = { name: "listening", lastReceivedMs: 1_000 } as const;
  const [waiting, effects] = stepServerKeepAlive(start, { type: "tick" }, 45_999, 30);
  assert.deepEqual(effects, [{ type: "wakeAt", atMs: 46_000 }]);
  const [over, end] = stepServerKeepAlive(waiting, { type: "tick" }, 46_000, 30);
  assert.deepEqual([over, end], [{ name: "expired" }, [{ type: "close" }]]);
});

test("any packet starts the time anew", () => {
  const [heard] = stepServerKeepAlive({ name: "listening", lastReceivedMs: 0 }, { type: "packetReceived" }, 40_000, 30);
  const [, effects] = stepServerKeepAlive(heard, { type: "tick" }, 45_000, 30);
  assert.deepEqual(effects, [{ type: "wakeAt", atMs: 85_000 }]);
});

test("what comes after the end changes nothing", () => {
  const over = { name: "expired" } as const;
  assert.deepEqual(stepServerKeepAlive(over, { type: "packetReceived" }, 1, 30), [over, []]);
  assert.deepEqual(stepServerKeepAlive(over, { type: "tick" }, 1, 30), [over, []]);
});
