import assert from "node:assert/strict";
import { test } from "node:test";
import { isThinglineError } from "@thingline/protocol";
import { createVirtualClock } from "@thingline/transport/virtual";
import { scope } from "../world.test.support.js";
import { openJobsWorld } from "./jobs-world.test.support.js";
import { awsJobsLimits, JobsThrottle, throttledThingsMax } from "./throttle.js";

test("a thing that asks too often is told so, and asks again in the next second", async () => {
  const { requestsPerSecondPerThingMax } = awsJobsLimits;
  const world = await openJobsWorld({ limits: awsJobsLimits });
  await world.createThings("a", "b");
  for (let count = 0; count < requestsPerSecondPerThingMax; count++) await world.ask({ thingName: "a", type: "get" });
  await world.take();
  const [told] = await world.exchange({ thingName: "a", type: "get" }, { clientToken: "t" });
  assert.deepEqual(
    [told?.topic, told?.message["code"], told?.message["clientToken"]],
    ["a/jobs/get/rejected", "RequestThrottled", "t"],
  );
  assert.equal((await world.exchange({ thingName: "b", type: "get" }))[0]?.topic, "b/jobs/get/accepted");
  await world.clock.advance(1_000);
  assert.equal((await world.exchange({ thingName: "a", type: "get" }))[0]?.topic, "a/jobs/get/accepted");
});

test("the requests of so many things are counted", () => {
  const throttle = new JobsThrottle({ requestsPerSecondPerThingMax: 1 });
  const clock = createVirtualClock();
  const isRefused = (thingName: string): boolean => {
    try {
      throttle.count(scope, thingName, clock);
      return false;
    } catch (error) {
      assert.ok(isThinglineError(error, "THROTTLED"));
      return true;
    }
  };
  assert.deepEqual([isRefused("first"), isRefused("first")], [false, true]);
  for (let count = 0; count < throttledThingsMax; count++) isRefused(`t${count}`);
  assert.equal(isRefused("first"), false);
});
