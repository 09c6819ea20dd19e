import assert from "node:assert/strict";
import { test } from "node:test";
import { asksMax, ShadowAsks } from "./shadow-asks.js";

test("asksMax requests to shadows are remembered, the oldest first, and none of more", () => {
  const asks = new ShadowAsks();
  const topics = Array.from({ length: asksMax + 1 }, (_, index) => `$aws/things/pump/shadow/name/${index}/get`);
  for (const topic of topics) asks.published(topic);
  for (const topic of topics.slice(0, asksMax)) {
    assert.equal(asks.oldestAnswer, `${topic}/accepted`);
    asks.received(`${topic}/accepted`);
  }
  assert.equal(asks.oldestAnswer, undefined);
});
