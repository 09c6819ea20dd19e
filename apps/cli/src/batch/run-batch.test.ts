import assert from "node:assert/strict";
import { test } from "node:test";
import { ThinglineError } from "@thingline/protocol";
import { batchNames, type DeviceResult } from "./result.js";
import { runBatch, type BatchOptions } from "./run-batch.js";

function batch(provision: BatchOptions["provision"], options: Partial<BatchOptions> = {}) {
  const results: DeviceResult[] = [];
  let nowMs = 0;
  const run = runBatch({
    names: batchNames("pump", 20),
    atOnce: 4,
    provision,
    now: () => (nowMs += 5),
    sleep: async () => undefined,
    signal: new AbortController().signal,
    onResult: async (result) => void results.push(result),
    ...options,
  });
  return { run, results };
}

test("no more devices than were allowed are under way, and all of them end", async () => {
  let running = 0;
  let most = 0;
  const { run, results } = batch(async () => {
    most = Math.max(most, ++running);
    await new Promise((done) => setImmediate(done));
    running--;
    return { certificateId: "c" };
  });
  await run;
  assert.equal(most, 4);
  assert.deepEqual(results.map(({ name }) => name).sort(), batchNames("pump", 20));
});

test("a device that fails says in which step, why and what to try; the others go on", async () => {
  const { run, results } = batch(async (name, watch) => {
    watch.stepStarted("connectLte");
    watch.stepEnded({ name: "connectLte", durationMs: 3, result: "done" });
    watch.stepStarted("request");
    if (name !== "pump-0003") return { certificateId: `c-${name}`, thingName: name };
    watch.stepEnded({ name: "request", durationMs: 7, result: "failed" });
    watch.advice("look at the hook");
    throw new ThinglineError("PROVISIONING_REJECTED", "the hook said no");
  });
  await run;
  const failed = results.find(({ name }) => name === "pump-0003");
  assert.deepEqual(failed?.failure, {
    ...{ code: "PROVISIONING_REJECTED", reason: "the hook said no", step: "request", next: "look at the hook" },
  });
  assert.equal(failed?.steps.length, 2);
  assert.equal(results.filter(({ result }) => result === "provisioned").length, 19);
});

test("a failure without the end of its step names the step that was under way", async () => {
  const { run, results } = batch(
    (_, watch) => {
      watch.stepStarted("connectClaim");
      return Promise.reject(new ThinglineError("CONNECTION_REFUSED", "nobody listens"));
    },
    { names: ["pump"] },
  );
  await run;
  assert.equal(results[0]?.failure?.step, "connectClaim");
});

test("the user's stop ends the batch, and what was under way has no result", async () => {
  const controller = new AbortController();
  const { run, results } = batch(
    async (name) => {
      if (name === "pump-0006") controller.abort(new ThinglineError("ABORTED", "stopped"));
      if (controller.signal.aborted) throw new ThinglineError("CONNECTION_LOST", "gone");
      return {};
    },
    { signal: controller.signal, atOnce: 1 },
  );
  await assert.rejects(run, { code: "ABORTED" });
  assert.equal(results.length, 5);
});

test("a defect of ours ends the batch", async () => {
  const { run } = batch(() => Promise.reject(new TypeError("no such member")));
  await assert.rejects(run, TypeError);
});

test("no more begin in a second than was said, however fast they are", async () => {
  let nowMs = 0;
  const begun: number[] = [];
  const { run } = batch(
    async () => {
      begun.push(nowMs);
      // The fifth holds up those after it.
      if (begun.length === 5) nowMs += 1_000;
      return {};
    },
    {
      ...{ atOnce: 1, perSecond: 4, now: () => nowMs, names: batchNames("p", 8) },
      sleep: async (delayMs) => void (nowMs += delayMs),
    },
  );
  await run;
  assert.deepEqual(begun, [0, 250, 500, 750, 1_000, 2_000, 2_250, 2_500]);
});
