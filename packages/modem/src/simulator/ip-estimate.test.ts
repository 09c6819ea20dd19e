import assert from "node:assert/strict";
import { test } from "node:test";
import { IpEstimate, segmentBytesMax } from "./ip-estimate.js";

test("a connection's packets are counted by the rule of docs/bytes.md", () => {
  const estimate = new IpEstimate();
  const counts = () => ({ bytes: { ...estimate.bytes }, packets: { ...estimate.packets } });
  estimate.opening();
  assert.deepEqual(counts(), { bytes: { sent: 44, received: 0 }, packets: { sent: 1, received: 0 } });
  estimate.opened();
  assert.deepEqual(counts(), { bytes: { sent: 84, received: 44 }, packets: { sent: 2, received: 1 } });
  estimate.burst("sent", 100);
  assert.deepEqual(counts(), { bytes: { sent: 224, received: 84 }, packets: { sent: 3, received: 2 } });
  estimate.ended();
  assert.deepEqual(counts(), { bytes: { sent: 304, received: 164 }, packets: { sent: 5, received: 4 } });
});

for (const [bytes, segments, acknowledgements] of [
  [0, 0, 0],
  [1, 1, 1],
  [segmentBytesMax, 1, 1],
  [segmentBytesMax + 1, 2, 1],
  [2 * segmentBytesMax + 1, 3, 2],
] as const) {
  test(`${bytes} bytes that leave together are ${segments} segments and ${acknowledgements} acknowledgements`, () => {
    const estimate = new IpEstimate();
    estimate.burst("received", bytes);
    assert.deepEqual(estimate.packets, { received: segments, sent: acknowledgements });
    assert.deepEqual(estimate.bytes, { received: bytes + 40 * segments, sent: 40 * acknowledgements });
  });
}

test("what one side of a handshake says before the other speaks leaves together", () => {
  const estimate = new IpEstimate();
  estimate.flight("sent", 200);
  estimate.flight("received", 700);
  estimate.flight("received", 700);
  estimate.flight("sent", 10);
  estimate.endOfFlights();
  estimate.endOfFlights();
  assert.deepEqual(estimate.packets, { sent: 3, received: 4 });
});
