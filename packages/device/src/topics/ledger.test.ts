import assert from "node:assert/strict";
import { test } from "node:test";
import { SubscriptionLedger } from "./ledger.js";

const wanted = [{ filter: "a", qos: 1 }] as const;

test("a session that is there on the first CONNECT is taken to hold the application topics", () => {
  const ledger = new SubscriptionLedger();
  ledger.connecting();
  ledger.connected(true, ["a"]);
  assert.deepEqual(ledger.missing(wanted), []);
});

test("after a CONNECT whose CONNACK was lost the session may be that one's, without subscriptions", () => {
  const ledger = new SubscriptionLedger();
  ledger.connecting();
  ledger.connecting();
  ledger.connected(true, ["a"]);
  assert.deepEqual(ledger.missing(wanted), wanted);
});
