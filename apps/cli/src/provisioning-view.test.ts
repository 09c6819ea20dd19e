import assert from "node:assert/strict";
import { test } from "node:test";
import { ThinglineError } from "@thingline/protocol";
import type { ProvisioningEvent } from "@thingline/device/provisioning";
import { createOutput } from "./output.js";
import { createProvisioningView } from "./provisioning-view.js";

const error = new ThinglineError("PROVISIONING_REJECTED", "the hook said no");
const events: ProvisioningEvent[] = [
  { type: "stepStarted", step: 5, of: 14, name: "request" },
  { type: "stepFinished", step: 5, of: 14, name: "request", durationMs: 12.34, result: "done" },
  { type: "stepFinished", step: 14, of: 14, name: "connectDevice", durationMs: 900, result: "done" },
  { type: "stepFinished", step: 12, of: 14, name: "clearSubscriptions", durationMs: 0, result: "skipped" },
  { type: "thingRegistered", thingName: "pump-7", deviceConfiguration: { every: "60" } },
  {
    ...{ type: "stepFinished", step: 8, of: 14, name: "registerThing", durationMs: 3, result: "failed" },
    ...{ error, reason: error.message, next: "look at the hook" },
  },
];

function shown(isJson: boolean, facts: { hasOwnKey: boolean; hasOneClientId: boolean }): string[] {
  let text = "";
  const output = createOutput({ isJson, out: { write: (chunk) => (text += chunk) }, err: { write() {} }, env: {} });
  const view = createProvisioningView(output, { claimTag: 43, deviceTag: 50 }, facts);
  for (const event of events) view.show(event);
  view.end();
  return text.trimEnd().split("\n");
}

test("people see each step with its number, its time and its result", () => {
  assert.deepEqual(shown(false, { hasOwnKey: true, hasOneClientId: false }), [
    "✓  5/14  request a certificate                                   12 ms",
    "✓ 14/14  connect with security tag 50                           900 ms",
    "– 12/14  clear the subscriptions                             skipped",
    "         registered: thing pump-7; 1 member of device configuration",
    "✗  8/14  register the thing                                       3 ms  failed",
  ]);
  const [first, second] = shown(false, { hasOwnKey: false, hasOneClientId: true });
  assert.match(first ?? "", /request key and certificate/);
  assert.match(second ?? "", /AWS: 1 CONNECT\/s/);
});

test("device configuration is spoken of when there is any", () => {
  let text = "";
  const out = { write: (chunk: string) => (text += chunk) };
  const output = createOutput({ isJson: false, out, err: { write() {} }, env: {} });
  const facts = { hasOwnKey: true, hasOneClientId: false };
  const view = createProvisioningView(output, { claimTag: 43, deviceTag: 50 }, facts);
  view.show({ type: "thingRegistered", thingName: "pump-7", deviceConfiguration: {} });
  assert.equal(text.trim(), "registered: thing pump-7");
});

test("programs see the same, and what to try after a failure", () => {
  const facts = shown(true, { hasOwnKey: true, hasOneClientId: false }).map((line) => JSON.parse(line) as object);
  assert.deepEqual(facts[0], { event: "stepStarted", step: 5, of: 14, name: "request" });
  assert.deepEqual(facts[1], {
    event: "stepFinished",
    step: 5,
    of: 14,
    name: "request",
    result: "done",
    durationMs: 12.3,
  });
  assert.deepEqual(facts.at(-1), {
    ...{ event: "stepFinished", step: 8, of: 14, name: "registerThing", result: "failed", durationMs: 3 },
    ...{ code: "PROVISIONING_REJECTED", message: "the hook said no", next: "look at the hook" },
  });
});
