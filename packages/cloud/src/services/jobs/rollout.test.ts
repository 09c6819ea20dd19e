import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { isThinglineError } from "@thingline/protocol";
import {
  allowRollout,
  awsRolloutPerMinuteMax,
  checkRolloutConfig,
  noteQueued,
  ratePerMinute,
  type RolloutConfig,
  type RolloutMinute,
} from "./rollout.js";

const exponential = (criteria: object, more: RolloutConfig = {}, incrementFactor = 2): RolloutConfig => ({
  exponentialRate: { baseRatePerMinute: 50, incrementFactor, rateIncreaseCriteria: criteria },
  ...more,
});
const byNotified = exponential({ numberOfNotifiedThings: 1_000 });

describe("the rate of a rollout", () => {
  test("is what the job says, and AWS's maximum when it says nothing", () => {
    const counts = { notified: 0, succeeded: 0 };
    assert.equal(ratePerMinute({}, counts), awsRolloutPerMinuteMax);
    assert.equal(ratePerMinute({}, counts, Infinity), Infinity);
    assert.equal(ratePerMinute({ maximumPerMinute: 7 }, counts), 7);
    assert.equal(ratePerMinute({ maximumPerMinute: 7 }, counts, Infinity), 7);
  });

  test("grows with every thousand that were notified: 50, 100, 200, up to the maximum", () => {
    const rates = [0, 999, 1_000, 1_999, 2_000, 3_000, 4_000, 5_000, 1_000_000].map((notified) =>
      ratePerMinute(byNotified, { notified, succeeded: 0 }),
    );
    assert.deepEqual(rates, [50, 50, 100, 100, 200, 400, 800, 1_000, 1_000]);
    assert.equal(ratePerMinute({ ...byNotified, maximumPerMinute: 150 }, { notified: 5_000, succeeded: 0 }), 150);
    assert.equal(ratePerMinute(byNotified, { notified: 1e9, succeeded: 0 }, Infinity), Infinity);
  });

  test("or with those that succeeded, by whole executions", () => {
    const config = exponential({ numberOfSucceededThings: 10 }, {}, 1.1);
    const rates = [9, 10, 20].map((succeeded) => ratePerMinute(config, { notified: 500, succeeded }));
    assert.deepEqual(rates, [50, 55, 60]);
  });

  test("that contradicts itself is refused", () => {
    const wrong: [RolloutConfig, RegExp][] = [
      [{ maximumPerMinute: awsRolloutPerMinuteMax + 1 }, /must be 1 to 1000, got 1001/],
      [exponential({}), /exactly one of/],
      [exponential({ numberOfNotifiedThings: 1, numberOfSucceededThings: 1 }), /exactly one of/],
      [exponential({ numberOfNotifiedThings: 1 }, {}, 1.25), /at most one decimal, got 1\.25/],
      [exponential({ numberOfNotifiedThings: 1 }, { maximumPerMinute: 49 }), /not be less than baseRatePerMinute, 50/],
    ];
    for (const [config, why] of wrong) {
      assert.throws(
        () => checkRolloutConfig(config),
        (error) => isThinglineError(error, "REQUEST_INVALID") && why.test(error.message),
      );
    }
    for (const factor of [1.1, 1.3, 2.3, 4.9, 5])
      checkRolloutConfig(exponential({ numberOfNotifiedThings: 1 }, {}, factor));
    checkRolloutConfig({ maximumPerMinute: 1 });
    checkRolloutConfig({});
  });
});

test("a rollout that queues what it may at each of its turns keeps its rate in any sixty seconds", () => {
  const rate = 20;
  const queuedAt: number[] = [];
  let minute: RolloutMinute | undefined;
  let nowMs = 5_000;
  for (let turn = 0; turn < 200; turn++) {
    // Batches of eight, one right after the other.
    for (let allowed = Infinity; allowed > 0;) {
      const allowance = allowRollout(minute, rate, nowMs);
      allowed = Math.min(8, allowance.executions);
      for (let one = 0; one < allowed; one++) queuedAt.push(nowMs);
      minute = noteQueued(allowance.minute, allowed);
      if (allowed === 0) nowMs = allowance.nextMinuteAtMs + ((turn * 7_919) % 23_000);
    }
  }
  assert.equal(queuedAt.length, 200 * rate);
  for (let first = 0; first + rate < queuedAt.length; first++) {
    const spanMs = (queuedAt[first + rate] ?? 0) - (queuedAt[first] ?? 0);
    assert.ok(spanMs >= 60_000, `${rate + 1} executions within ${spanMs} ms`);
  }
});

test("a clock that was set back begins a minute of its own", () => {
  const allowance = allowRollout({ startedAtMs: 1_000_000, queued: 20 }, 20, 10_000);
  assert.deepEqual(allowance, { executions: 20, minute: { startedAtMs: 10_000, queued: 0 }, nextMinuteAtMs: 70_000 });
});
