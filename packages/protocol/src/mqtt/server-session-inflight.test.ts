import assert from "node:assert/strict";
import { test } from "node:test";
import { InboundInflight, OutboundInflight } from "./server-session-inflight.js";

test("identifiers in flight are distinct, never 0, and end with the window", () => {
  const inflight = new OutboundInflight<string>(100);
  const packetIds = Array.from({ length: 100 }, (_, index) => inflight.allocate(`m${index}`, 5));
  assert.equal(new Set(packetIds).size, 100);
  assert.ok(packetIds.every((packetId) => packetId >= 1 && packetId <= 65_535));
  assert.equal(inflight.allocate("one too many", 5), 0);
  assert.equal(inflight.message(packetIds[42]!), "m42");
  assert.equal(inflight.release(packetIds[42]!), true);
  assert.equal(inflight.release(packetIds[42]!), false);
  assert.notEqual(inflight.allocate("again", 5), 0);
});

test("a window of 65535 can be filled, emptied and filled again", () => {
  const inflight = new OutboundInflight<undefined>(65_535);
  for (let round = 0; round < 2; round++) {
    const seen = new Uint8Array(65_536);
    for (let at = 0; at < 65_535; at++) {
      const packetId = inflight.allocate(undefined, 0);
      assert.ok(packetId >= 1 && packetId <= 65_535 && seen[packetId] === 0);
      seen[packetId] = 1;
    }
    assert.equal(inflight.allocate(undefined, 0), 0);
    for (let packetId = 1; packetId <= 65_535; packetId++) assert.equal(inflight.release(packetId), true);
    assert.equal(inflight.count, 0);
  }
});

test("an identifier that was just freed is not the next one", () => {
  const inflight = new OutboundInflight<undefined>(10);
  const first = inflight.allocate(undefined, 0);
  inflight.release(first);
  assert.notEqual(inflight.allocate(undefined, 0), first);
});

test("identifiers that were never given are no acknowledgement", () => {
  const inflight = new OutboundInflight<undefined>(10);
  for (const packetId of [0, 1, 64, 65, 65_535]) assert.equal(inflight.release(packetId), false);
});

test("what was sent long ago is found", () => {
  const inflight = new OutboundInflight<string>(10);
  const old = inflight.allocate("old", 0);
  inflight.allocate("young", 50);
  assert.deepEqual(inflight.sentBefore(49), [old]);
  assert.deepEqual(inflight.clear().sort(), ["old", "young"]);
  assert.deepEqual(inflight.sentBefore(100), []);
});

test("PUBACKs leave in the order of their PUBLISHes", () => {
  const inbound = new InboundInflight(100);
  const acknowledged: number[] = [];
  const finish = (ticket: number): void =>
    inbound.finish(ticket, 0, (packetId) => {
      acknowledged.push(packetId);
    });
  const [first, second, third] = [7, 8, 9].map((packetId) => inbound.begin(packetId));
  finish(third!);
  assert.deepEqual(acknowledged, []);
  finish(first!);
  assert.deepEqual(acknowledged, [7]);
  const fourth = inbound.begin(7);
  finish(second!);
  assert.deepEqual(acknowledged, [7, 8, 9]);
  finish(fourth);
  assert.deepEqual(acknowledged, [7, 8, 9, 7]);
  assert.equal(inbound.count, 0);
});

test("an identifier in use and a full window are refused", () => {
  const inbound = new InboundInflight(2);
  assert.equal(inbound.refusal(1), undefined);
  inbound.begin(1);
  assert.equal(inbound.refusal(1), "packetIdInUse");
  inbound.begin(2);
  assert.equal(inbound.refusal(3), "windowFull");
});
