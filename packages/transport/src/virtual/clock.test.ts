import assert from "node:assert/strict";
import { test } from "node:test";
import { codeOf } from "../contract/harness.js";
import { createVirtualClock, microtasksPerTurn } from "./clock.js";
import { createProcessClock } from "./process-clock.js";

test("advance fires timers in the order of their time, at their time, up to and including its end", async () => {
  const clock = createVirtualClock();
  const fired: [string, number][] = [];
  const set = (name: string, delayMs: number): unknown =>
    clock.setTimer(delayMs, () => fired.push([name, clock.monotonicMs()]));
  set("c", 30);
  set("a", 10);
  set("b", 10);
  set("d", 31);
  await clock.advance(30);
  assert.deepEqual(fired, [
    ["a", 10],
    ["b", 10],
    ["c", 30],
  ]);
  assert.equal(clock.monotonicMs(), 30);
  assert.equal(clock.timerCount, 1);
});

test("promises settle and afterTurn runs before time goes on", async () => {
  const clock = createVirtualClock();
  const order: string[] = [];
  clock.setTimer(1, () => {
    clock.afterTurn(() => order.push(`turn ended at ${clock.monotonicMs()}`));
    void (async () => {
      for (let depth = 0; depth < 100; depth++) await Promise.resolve();
      order.push(`settled at ${clock.monotonicMs()}`);
      clock.setTimer(0, () => order.push(`timer at ${clock.monotonicMs()}`));
    })();
  });
  clock.setTimer(2, () => order.push("later"));
  await clock.advance(5);
  assert.deepEqual(order, ["settled at 1", "turn ended at 1", "timer at 1", "later"]);
});

test("with microtasks promises settle as well, and nothing of the real event loop comes between", async () => {
  const clock = createVirtualClock({ settlesBy: "microtasks" });
  const order: string[] = [];
  let isElsewhere = false;
  const elsewhere = setImmediate(() => (isElsewhere = true));
  clock.setTimer(1, () => {
    clock.afterTurn(() => order.push(`turn ended at ${clock.monotonicMs()}`));
    void (async () => {
      for (let depth = 0; depth < microtasksPerTurn - 10; depth++) await Promise.resolve();
      order.push(`settled at ${clock.monotonicMs()}`);
      clock.setTimer(0, () => order.push(`timer at ${clock.monotonicMs()}`));
    })();
  });
  clock.setTimer(2, () => order.push("later"));
  await clock.advance(5);
  assert.deepEqual(order, ["settled at 1", "turn ended at 1", "timer at 1", "later"]);
  assert.equal(isElsewhere, false);
  clearImmediate(elsewhere);
});

for (const settlesBy of ["eventLoop", "microtasks"] as const) {
  test(`settle lets promises and turns come to their end, and no timer fire (${settlesBy})`, async () => {
    const clock = createVirtualClock({ settlesBy });
    const order: string[] = [];
    clock.setTimer(0, () => order.push("timer"));
    clock.afterTurn(() => {
      order.push("turn");
      void Promise.resolve().then(() => clock.afterTurn(() => order.push("next turn")));
    });
    await clock.settle();
    assert.deepEqual(order, ["turn", "next turn"]);
    assert.equal(clock.monotonicMs(), 0);
    await clock.advance(0);
    assert.deepEqual(order, ["turn", "next turn", "timer"]);
  });
}

for (const settlesBy of ["eventLoop", "microtasks"] as const) {
  test(`untilSettled waits for the world outside, and lets virtual time pass meanwhile (${settlesBy})`, async () => {
    const clock = createVirtualClock({ settlesBy });
    const outside = new Promise<string>((resolve) => setTimeout(() => resolve("done"), 1));
    assert.equal(await clock.untilSettled(outside), "done");
    assert.equal(clock.monotonicMs(), 0);
    const inside = clock.sleep(10).then(() => clock.monotonicMs());
    assert.equal(await clock.untilSettled(inside, { stepMs: 3 }), 10);
    await assert.rejects(clock.untilSettled(Promise.reject(new Error("mine"))), /mine/);
  });
}

test("timers of one instant share a turn, as sockets that are readable at once do", async () => {
  const clock = createVirtualClock();
  const order: string[] = [];
  for (const name of ["a", "b"]) {
    clock.setTimer(1, () => {
      order.push(name);
      clock.afterTurn(() => order.push(`after ${name}`));
    });
  }
  await clock.advance(1);
  assert.deepEqual(order, ["a", "b", "after a", "after b"]);
});

test("advanceNow does the same for code without promises", () => {
  const clock = createVirtualClock();
  const order: number[] = [];
  clock.setTimer(5, () => {
    order.push(5);
    clock.setTimer(5, () => order.push(10));
    clock.afterTurn(() => order.push(clock.monotonicMs() + 0.5));
  });
  clock.advanceNow(20);
  assert.deepEqual(order, [5, 5.5, 10]);
  assert.equal(clock.monotonicMs(), 20);
});

test("until lets pass what a promise needs, and tells when nothing can happen any more", async () => {
  const clock = createVirtualClock();
  await clock.until(clock.sleep(1_000_000));
  assert.equal(clock.monotonicMs(), 1_000_000);
  assert.equal(await codeOf(clock.until(new Promise(() => undefined))), "TIMEOUT");
  const sleeping = clock.sleep(10_000);
  assert.equal(await codeOf(clock.until(sleeping, { limitMs: 9_999 })), "TIMEOUT");
  await assert.rejects(clock.until(Promise.reject(new Error("mine"))), /mine/);
});

test("people's time can jump without moving a timer", async () => {
  const clock = createVirtualClock({ unixMs: 1_000 });
  await clock.advance(5);
  assert.equal(clock.unixMs(), 1_005);
  clock.setUnixMs(9_000);
  await clock.advance(5);
  assert.equal(clock.unixMs(), 9_005);
  assert.equal(clock.monotonicMs(), 10);
});

test("many timers keep their order", async () => {
  const clock = createVirtualClock();
  const fired: number[] = [];
  const timers = Array.from({ length: 1_000 }, (_, index) => {
    const delayMs = (index * 7_919) % 1_000;
    return clock.setTimer(delayMs, () => fired.push(delayMs));
  });
  timers.forEach((timer, index) => index % 3 === 0 && timer.cancel());
  clock.advanceNow(1_000);
  assert.equal(fired.length, 666);
  assert.deepEqual(
    fired,
    fired.slice().sort((a, b) => a - b),
  );
  assert.equal(clock.timerCount, 0);
});

test("the clock of a process counts its own timers, and dies with it", async () => {
  const clock = createVirtualClock();
  const [first, second] = [createProcessClock(clock), createProcessClock(clock)];
  const fired: string[] = [];
  first.setTimer(10, () => fired.push("first"));
  first.setTimer(20, () => fired.push("first, late")).cancel();
  second.setTimer(10, () => fired.push("second"));
  second.setTimer(30, () => fired.push("second, late"));
  second.afterTurn(() => fired.push("turn of second"));
  assert.deepEqual([first.timerCount, second.timerCount, clock.timerCount], [1, 2, 3]);
  second.kill();
  second.setTimer(1, () => fired.push("from beyond"));
  second.afterTurn(() => fired.push("from beyond"));
  assert.deepEqual([first.timerCount, second.timerCount, clock.timerCount], [1, 0, 1]);
  await clock.advance(100);
  assert.deepEqual(fired, ["first"]);
  assert.deepEqual([first.monotonicMs(), second.unixMs()], [100, clock.unixMs()]);
  await assert.rejects(second.sleep(1, { signal: AbortSignal.abort() }), { code: "ABORTED" });
});

test("who waits for an instant gets there, though the time that is left is lost in rounding", async () => {
  for (const startMs of [0, 0.1, 55_833.27341549781, 1e12]) {
    const clock = createVirtualClock();
    await clock.advance(startMs);
    const setMs = clock.monotonicMs();
    let firedMs = -1;
    clock.setTimer(Number.MIN_VALUE, () => (firedMs = clock.monotonicMs()));
    await clock.advance(1);
    assert.ok(firedMs > setMs && firedMs < setMs + 0.001, `${firedMs} after ${setMs}`);
    // A delay of nothing is due at once.
    clock.setTimer(0, () => (firedMs = clock.monotonicMs()));
    await clock.advance(0);
    assert.equal(firedMs, clock.monotonicMs());
  }
});

test("a process that stands still is called back afterwards, in order, unless it has cancelled or is killed", async () => {
  const clock = createVirtualClock();
  const stopped = createProcessClock(clock);
  const fired: string[] = [];
  const note = (name: string) => () => void fired.push(`${name} at ${clock.monotonicMs()}`);
  stopped.setTimer(5, note("before"));
  stopped.setTimer(20, note("first"));
  const cancelled = stopped.setTimer(25, note("cancelled"));
  stopped.setTimer(30, note("second"));
  stopped.setTimer(200, note("after"));
  await clock.advance(10);
  stopped.stop(90);
  stopped.afterTurn(note("turn"));
  await clock.advance(50);
  assert.deepEqual([fired, stopped.timerCount], [["before at 5"], 4]);
  cancelled.cancel();
  await clock.advance(1_000);
  assert.deepEqual(fired, ["before at 5", "turn at 100", "first at 100", "second at 100", "after at 200"]);
  stopped.setTimer(10, note("never"));
  stopped.stop(50);
  await clock.advance(20);
  assert.equal(stopped.isKilled, false);
  stopped.kill();
  await clock.advance(1_000);
  assert.deepEqual([fired.length, stopped.timerCount, stopped.isKilled], [5, 0, true]);
});
