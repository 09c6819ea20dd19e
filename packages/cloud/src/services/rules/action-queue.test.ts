import assert from "node:assert/strict";
import { setImmediate } from "node:timers/promises";
import { test } from "node:test";
import { isThinglineError } from "@thingline/protocol";
import { silentLog } from "../../log.js";
import {
  ActionQueue,
  ruleActionsInFlightMax,
  ruleActionsQueuedBytesMax,
  ruleActionsQueuedMax,
} from "./action-queue.js";

/** A queue whose actions end when they are told to. */
function openQueue() {
  const ends: (() => void)[] = [];
  const queue = new ActionQueue("http", silentLog);
  const add = (bytes = 1) =>
    queue.run(bytes, (signal) => {
      return new Promise<void>((resolve, reject) => {
        ends.push(resolve);
        signal.addEventListener("abort", () => reject(new Error("heard")));
      });
    });
  return { queue, ends, add };
}

const isFull = (error: unknown) => isThinglineError(error, "LIMIT_EXCEEDED");

test("so many actions are under way, so many wait, and one more fails", async () => {
  const { queue, ends, add } = openQueue();
  const room = ruleActionsInFlightMax + ruleActionsQueuedMax;
  const runs = Array.from({ length: room }, () => add());
  const settled = Promise.allSettled(runs);
  await setImmediate();
  assert.equal(ends.length, ruleActionsInFlightMax);
  await assert.rejects(add(), isFull);
  ends[0]?.();
  await setImmediate();
  assert.equal(ends.length, ruleActionsInFlightMax + 1);
  const another = add();
  for (let at = 0; at < ends.length; at++) {
    ends[at]?.();
    await setImmediate();
  }
  await another;
  assert.ok((await settled).every(({ status }) => status === "fulfilled"));
  await queue.close();
});

test("what waits has so many bytes, and what is under way is aborted when the cloud closes", async () => {
  const { queue, add } = openQueue();
  const runs = Array.from({ length: ruleActionsInFlightMax }, () => add());
  const waiting = add(ruleActionsQueuedBytesMax);
  await assert.rejects(add(1), isFull);
  const settled = Promise.allSettled([...runs, waiting]);
  await queue.close();
  const results = await settled;
  assert.ok(results.every(({ status }) => status === "rejected"));
  await assert.rejects(add(), (error) => isThinglineError(error, "CLOSED"));
});
