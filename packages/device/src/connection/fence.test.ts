import assert from "node:assert/strict";
import { test } from "node:test";
import { createDeviceClock } from "../client/fake-cloud.test.support.js";
import { Fence, fenceQuietMs } from "./fence.js";

test("a fence goes on a moment after PINGRESP, once, and not when the connection ended before", async () => {
  const clock = createDeviceClock();
  const log: string[] = [];
  const fence = new Fence(clock, (handle) => handle());
  fence.wait(() => void log.push("first"));
  fence.answered();
  fence.answered();
  await clock.advance(fenceQuietMs - 1);
  assert.equal(log.length, 0);
  await clock.advance(1);
  assert.deepEqual(log, ["first"]);
  fence.wait(() => void log.push("second"));
  fence.answered();
  fence.cancel();
  await clock.advance(fenceQuietMs);
  fence.answered();
  await clock.advance(fenceQuietMs);
  assert.deepEqual(log, ["first"]);
  assert.equal(clock.timerCount, 0);
});

test("what is thrown behind a fence goes to the guard, and not to the clock", async () => {
  const clock = createDeviceClock();
  const guarded: unknown[] = [];
  const fence = new Fence(clock, (handle) => {
    try {
      handle();
    } catch (thrown) {
      guarded.push(thrown);
    }
  });
  const boom = new TypeError("boom");
  fence.wait(() => {
    throw boom;
  });
  fence.answered();
  await clock.advance(fenceQuietMs);
  assert.deepEqual(guarded, [boom]);
});
