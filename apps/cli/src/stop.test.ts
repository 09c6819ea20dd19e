import assert from "node:assert/strict";
import { test } from "node:test";
import { stopGraceMs, watchForStop } from "./stop.js";

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

test("what tidies up after a signal is not ended in the middle of it; the grace begins behind it", (t) => {
  t.mock.timers.enable({ apis: ["setTimeout"] });
  const exit = t.mock.method(process, "exit", () => undefined as never);
  using stop = watchForStop(streams);
  const told: string[] = [];
  const hold = stop.hold((why) => told.push(why), { aborts: true });
  process.emit("SIGINT", "SIGINT");
  assert.deepEqual([told, stop.signal.aborted, stop.reason], [["SIGINT"], true, "SIGINT"]);
  t.mock.timers.tick(stopGraceMs);
  assert.equal(exit.mock.callCount(), 0);
  hold[Symbol.dispose]();
  t.mock.timers.tick(stopGraceMs);
  assert.deepEqual(exit.mock.calls[0]?.arguments, [130]);
});

test("a second signal ends the process also while it tidies up", (t) => {
  const exit = t.mock.method(process, "exit", () => undefined as never);
  using stop = watchForStop(streams);
  using _hold = stop.hold(() => undefined, { aborts: true });
  process.emit("SIGINT", "SIGINT");
  process.emit("SIGTERM", "SIGTERM");
  assert.deepEqual(exit.mock.calls[0]?.arguments, [143]);
});
