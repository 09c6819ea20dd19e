import assert from "node:assert/strict";
import { test } from "node:test";
import { forEachAtOnce, workersDefault } from "./each.js";

async function* numbers(count: number, taken: number[]) {
  for (let at = 0; at < count; at++) {
    taken.push(at);
    yield at;
  }
}

test("everything is worked on once, some at once, and nothing is read ahead", async () => {
  const taken: number[] = [];
  const done: number[] = [];
  let running = 0;
  let runningMost = 0;
  await forEachAtOnce(numbers(50, taken), async (item) => {
    runningMost = Math.max(runningMost, ++running);
    assert.ok(taken.length - done.length <= workersDefault);
    for (let turn = 0; turn < 50; turn++) await Promise.resolve();
    running--;
    done.push(item);
  });
  assert.deepEqual(
    done.sort((a, b) => a - b),
    taken,
  );
  assert.equal(runningMost, workersDefault);
});

test("a failure ends it, when those under way are done", async () => {
  const taken: number[] = [];
  let running = 0;
  const work = forEachAtOnce(numbers(1_000, taken), async (item) => {
    running++;
    await Promise.resolve();
    running--;
    if (item === 20) throw new Error("enough");
  });
  await assert.rejects(work, /enough/);
  assert.equal(running, 0);
  assert.ok(taken.length < 20 + 3 * workersDefault, String(taken.length));
});

test("a failure of the source reaches the caller", async () => {
  async function* failing() {
    yield 1;
    throw new Error("unreadable");
  }
  await assert.rejects(
    forEachAtOnce(failing(), async () => {}),
    /unreadable/,
  );
});
