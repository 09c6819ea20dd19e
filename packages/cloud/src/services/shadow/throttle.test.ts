import assert from "node:assert/strict";
import { test } from "node:test";
import { createVirtualClock } from "@thingline/transport/virtual";
import { awsShadowLimits, ShadowThrottle, throttledThingsMax } from "./throttle.js";

const scope = { account: "123456789012", region: "us-east-1" };

test("the requests of throttledThingsMax things are counted, and the one asked about longest ago is forgotten for one more", () => {
  const clock = createVirtualClock();
  const throttle = new ShadowThrottle({ ...awsShadowLimits, requestsInFlightMax: Infinity });
  const ask = (thing: string) => throttle.begin("client", scope, thing, clock)?.code;
  for (let count = 0; count < awsShadowLimits.requestsPerSecondPerThingMax; count++)
    assert.equal(ask("first"), undefined);
  assert.equal(ask("first"), "THROTTLED");
  for (let thing = 1; thing < throttledThingsMax; thing++) ask(String(thing));
  assert.equal(ask("first"), "THROTTLED");
  ask("one more");
  assert.equal(ask("first"), undefined);
});
