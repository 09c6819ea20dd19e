import assert from "node:assert/strict";
import { test } from "node:test";
import { EncodedTopics } from "@thingline/protocol/mqtt";
import { createVirtualClock } from "@thingline/transport/virtual";
import { createMemoryStore } from "../store/memory.js";
import { createCounters } from "./counters.js";
import { scope } from "./harness.test.support.js";
import { noLimits } from "./limits.js";
import { Publication } from "./publication.js";
import { ratedTopicsMax, RetainedMessages } from "./retained.js";
import { storeKeys } from "./session-store.js";
import { silentLog } from "../log.js";

test("the rates of ratedTopicsMax topics are remembered, and the oldest is forgotten for one more", () => {
  const clock = createVirtualClock();
  const topics = new EncodedTopics();
  const counters = createCounters();
  // Nothing is kept: whether a message gets past its rate is all that is asked for.
  const limits = { ...noLimits, retainedPublishesPerSecondPerTopic: 1, retainedMessagesMax: 0 };
  const store = createMemoryStore();
  const retained = new RetainedMessages({
    clock,
    log: silentLog,
    store,
    keys: storeKeys(scope),
    topics,
    limits,
    counters,
  });
  const publication = new Publication(new Uint8Array(1), topics);
  const isThrottled = (topic: string) => {
    const before = counters.droppedThrottled;
    publication.reset(topic, publication.payload, 1, true, undefined);
    retained.retain(publication);
    return counters.droppedThrottled > before;
  };
  assert.deepEqual([isThrottled("first"), isThrottled("first")], [false, true]);
  for (let topic = 1; topic < ratedTopicsMax; topic++) assert.ok(!isThrottled(String(topic)));
  assert.ok(isThrottled("first"));
  assert.ok(!isThrottled("one more"));
  assert.ok(!isThrottled("first"), "nobody remembers it");
});
