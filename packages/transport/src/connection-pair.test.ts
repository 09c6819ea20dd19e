import assert from "node:assert/strict";
import { test } from "node:test";
import { createConnectionPair, pairWindowBytes } from "./connection-pair.js";
import { observe } from "./contract/harness.js";
import { streamContract } from "./contract/stream-contract.js";
import { createVirtualClock } from "./virtual/clock.js";

for (const windowBytes of [0, 1, pairWindowBytes]) {
  streamContract({ test, assert }, `a pair with a window of ${windowBytes} bytes`, async () => {
    const clock = createVirtualClock({ settlesBy: "microtasks" });
    const { near, far } = createConnectionPair({ clock, windowBytes });
    return {
      client: near,
      server: far,
      wait: (promise) => clock.until(promise),
      arrive: () => clock.settle(),
      close: async () => {
        await clock.until(Promise.all([near.close(), far.close()]));
        assert.equal(clock.timerCount, 0);
      },
    };
  });
}

test("with a window of 0 bytes whatever the other end has not read counts as buffered", async () => {
  const clock = createVirtualClock({ settlesBy: "microtasks" });
  const { near, far } = createConnectionPair({ clock, windowBytes: 0 });
  const [here, there] = [observe(near), observe(far)];
  far.pause();
  near.write(new Uint8Array(100));
  near.flush();
  near.write(new Uint8Array(20));
  await clock.settle();
  assert.deepEqual([near.bufferedBytes, there.receivedBytes], [120, 0]);
  far.resume();
  await clock.settle();
  assert.deepEqual([near.bufferedBytes, there.receivedBytes], [0, 120]);
  assert.equal(clock.monotonicMs(), 0, "no time passes in between");
  near.destroy();
  await clock.settle();
  assert.deepEqual([here.closedCount, there.closedCount], [1, 1]);
});

test("pairWindowBytes that nobody has read yet count as taken, and one more does not", async () => {
  const clock = createVirtualClock({ settlesBy: "microtasks" });
  const { near, far } = createConnectionPair({ clock });
  observe(near);
  const there = observe(far);
  far.pause();
  near.write(new Uint8Array(pairWindowBytes));
  await clock.settle();
  assert.equal(near.bufferedBytes, 0);
  near.write(new Uint8Array(1));
  await clock.settle();
  assert.equal(near.bufferedBytes, 1);
  far.resume();
  await clock.settle();
  assert.deepEqual([near.bufferedBytes, there.receivedBytes], [0, pairWindowBytes + 1]);
});
