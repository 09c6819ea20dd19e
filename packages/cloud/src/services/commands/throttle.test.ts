import assert from "node:assert/strict";
import { test } from "node:test";
import { createVirtualClock } from "@thingline/transport/virtual";
import { CommandsThrottle, commandUpdatesPerSecondMax, throttledScopesMax } from "./throttle.js";

const scopeOf = (number: number) => ({ account: String(number), region: "us-east-1" });
const refused = { rejection: "RequestThrottled" };

test("an account makes commandUpdatesPerSecondMax updates a second, and others as many", () => {
  const clock = createVirtualClock();
  const throttle = new CommandsThrottle({ isLimited: true });
  for (let second = 0; second < 2; second++) {
    for (const account of [1, 2]) {
      for (let count = 0; count < commandUpdatesPerSecondMax; count++) throttle.count(scopeOf(account), clock);
      assert.throws(() => throttle.count(scopeOf(account), clock), refused);
    }
    clock.advanceNow(1_000);
  }
});

test("of more than throttledScopesMax accounts the one heard of longest ago is forgotten", () => {
  const clock = createVirtualClock();
  const throttle = new CommandsThrottle({ isLimited: true });
  for (const account of [1, 2]) {
    for (let count = 0; count < commandUpdatesPerSecondMax; count++) throttle.count(scopeOf(account), clock);
  }
  for (let other = 0; other < throttledScopesMax - 1; other++) throttle.count(scopeOf(100 + other), clock);
  throttle.count(scopeOf(1), clock);
  // It is remembered while there is room.
  assert.throws(() => {
    for (let count = 0; count < commandUpdatesPerSecondMax; count++) throttle.count(scopeOf(1), clock);
  }, refused);
});

test("without quotas nothing is counted", () => {
  const clock = createVirtualClock();
  const throttle = new CommandsThrottle({ isLimited: false });
  for (let count = 0; count <= commandUpdatesPerSecondMax; count++) throttle.count(scopeOf(1), clock);
});
