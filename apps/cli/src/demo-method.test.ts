import assert from "node:assert/strict";
import { test } from "node:test";
import { demoMethods, demoWay } from "./demo-method.js";
import { UsageError } from "./failure.js";

test("each way of the demonstration has a claim that fits it", () => {
  for (const method of demoMethods) {
    const isNative = method === "fleet";
    const { claimPolicies, templateName } = demoWay(method, { deviceId: "nrf-1", isNative });
    assert.equal(claimPolicies === "narrow", method === "split");
    assert.equal(templateName === undefined, method === "split");
  }
  const { method } = demoWay("csr", { deviceId: "nrf-1", isNative: false });
  assert.deepEqual(method.kind === "fleet" && method.parameters, { SerialNumber: "nrf-1" });
});

test("a way that does not go through this TLS is said before anything is begun", () => {
  assert.throws(() => demoWay("fleet", { deviceId: "nrf-1", isNative: false }), UsageError);
  assert.throws(() => demoWay("modem-key", { deviceId: "nrf-1", isNative: true }), UsageError);
});
