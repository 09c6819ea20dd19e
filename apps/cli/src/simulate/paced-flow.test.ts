import assert from "node:assert/strict";
import { test } from "node:test";
import { createVirtualClock } from "@thingline/transport/virtual";
import { PacedFlow } from "./paced-flow.js";

const bytes = (length: number) => new Uint8Array(length).fill(7);

test("bytes arrive when the line has carried them, a message of any size as fast as its bytes", async () => {
  const clock = createVirtualClock();
  const arrived: [ms: number, total: number][] = [];
  let total = 0;
  const startMs = clock.monotonicMs();
  const flow = new PacedFlow({
    clock,
    bytesPerSecond: 10_000,
    deliver: ({ length }) => arrived.push([clock.monotonicMs() - startMs, (total += length)]),
  });
  flow.push(bytes(600));
  flow.push(bytes(400));
  assert.equal(flow.waitingBytes, 1_000);
  await clock.advance(50);
  assert.equal(total, 500);
  await clock.advance(50);
  assert.equal(total, 1_000);
  for (const [ms, sum] of arrived) assert.ok(sum <= ms * 10, `${sum} bytes within ${ms} ms`);
  // A pause of the line is no credit for later.
  await clock.advance(1_000);
  flow.push(bytes(100));
  await clock.advance(5);
  assert.equal(total, 1_050);
});

test("a slow line carries less than a byte in a millisecond", async () => {
  const clock = createVirtualClock();
  let total = 0;
  const flow = new PacedFlow({ clock, bytesPerSecond: 5, deliver: ({ length }) => (total += length) });
  flow.push(bytes(10));
  await clock.advance(1_000);
  assert.equal(total, 5);
  flow.clear();
  await clock.advance(5_000);
  assert.deepEqual([total, flow.waitingBytes], [5, 0]);
});
