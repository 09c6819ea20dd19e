import assert from "node:assert/strict";
import { test } from "node:test";
import { createVirtualClock } from "@thingline/transport/virtual";
import { seenPublishersMax } from "../bus/seen-messages.js";
import { RetainedGaps, retainedAheadMax, retainedGapMs } from "./retained-gaps.js";

function openGaps() {
  const clock = createVirtualClock();
  const counted = { repairs: 0 };
  const gaps = new RetainedGaps(clock, () => void counted.repairs++);
  return { clock, gaps, counted, came: (count: number, broker = "b") => gaps.came({ broker, count }) };
}

test("messages that come in any order, and twice, need no repair when none is missing in the end", async () => {
  const { clock, counted, came } = openGaps();
  for (const count of [2, 1, 1, 5, 3, 4, 2]) came(count);
  await clock.advance(2 * retainedGapMs);
  assert.deepEqual([counted.repairs, clock.timerCount], [0, 0]);
});

test("a message that is missing when all attempts are over is read from the store", async () => {
  const { clock, counted, came } = openGaps();
  came(1);
  came(3);
  await clock.advance(retainedGapMs - 1);
  assert.equal(counted.repairs, 0);
  await clock.advance(1);
  assert.equal(counted.repairs, 1);
  came(2);
  came(4);
  await clock.advance(2 * retainedGapMs);
  assert.equal(counted.repairs, 1, "what came late was read already");
});

test("one that was given up, one of a broker that is gone, and too many ahead are read at once", () => {
  const { gaps, counted, came } = openGaps();
  came(1);
  gaps.ended({ broker: "b", count: 1 });
  assert.equal(counted.repairs, 0);
  gaps.ended({ broker: "b", count: 2 });
  assert.equal(counted.repairs, 1);
  gaps.forget("b");
  assert.equal(counted.repairs, 2);
  for (let count = 2; count <= retainedAheadMax + 1; count++) came(count, "c");
  assert.equal(counted.repairs, 2);
  came(retainedAheadMax + 2, "c");
  assert.equal(counted.repairs, 3);
  for (let broker = 0; broker < seenPublishersMax; broker++) came(1, `d${broker}`);
  assert.equal(counted.repairs, 4, "the oldest broker is forgotten, and what it may have sent is read");
});

test("the end leaves no timer", () => {
  const { clock, gaps, came } = openGaps();
  came(2);
  assert.equal(clock.timerCount, 1);
  gaps.end();
  assert.equal(clock.timerCount, 0);
});
