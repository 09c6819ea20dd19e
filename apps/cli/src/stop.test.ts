import assert from "node:assert/strict";
import { test } from "node:test";
import { watchForStop } from "./stop.js";

const streams = { onFailure() {} };

test("a signal aborts what runs", () => {
  using stop = watchForStop(streams);
  process.emit("SIGINT", "SIGINT");
  assert.deepEqual([stop.signal.aborted, stop.reason], [true, "SIGINT"]);
});

test("while it is held a signal is told, and followed when the hold is over", () => {
  using stop = watchForStop(streams);
  const told: string[] = [];
  const hold = stop.hold((why) => told.push(why));
  process.emit("SIGTERM", "SIGTERM");
  assert.deepEqual([told, stop.signal.aborted, stop.reason], [["SIGTERM"], false, undefined]);
  hold[Symbol.dispose]();
  assert.deepEqual([stop.signal.aborted, stop.reason], [true, "SIGTERM"]);
});

test("a hold that nobody disturbed leaves nothing behind", () => {
  using stop = watchForStop(streams);
  stop.hold(() => assert.fail("nobody wanted it to stop"))[Symbol.dispose]();
  assert.equal(stop.signal.aborted, false);
  process.emit("SIGINT", "SIGINT");
  assert.equal(stop.signal.aborted, true);
});
