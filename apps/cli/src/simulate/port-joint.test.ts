import assert from "node:assert/strict";
import { test } from "node:test";
import { createConnectionPair, type Connection } from "@thingline/transport";
import { createVirtualClock } from "@thingline/transport/virtual";
import { deafAfterMs, heldBytesMax, PortJoint } from "./port-joint.js";

const clock = createVirtualClock();

/** What comes at an end of a pair whose other end is given away. */
function makeEnd() {
  const pair = createConnectionPair({ clock, windowBytes: 0 });
  const end = { outer: pair.far, inner: pair.near, receivedBytes: 0, closedCount: 0 };
  pair.near.start({ data: ({ length }) => (end.receivedBytes += length), closed: () => end.closedCount++ });
  return end;
}

function makeJoint(bytesPerSecond?: number) {
  const joint = new PortJoint({ clock, bytesPerSecond });
  const modem = makeEnd();
  const ended: unknown[] = [];
  joint.attachPort(modem.outer, (error) => ended.push(error));
  return { joint, modem, ended };
}

const send = async (end: { inner: Connection }, length: number) => {
  end.inner.write(new Uint8Array(length));
  await clock.advance(1);
};

test("hosts come and go; what the modem says to nobody is counted and not kept for the next one", async () => {
  const { joint, modem, ended } = makeJoint();
  await send(modem, 10);
  assert.equal(joint.unheardBytes, 10);
  for (const length of [3, 4]) {
    const host = makeEnd();
    let left = 0;
    joint.attachHost(host.outer, () => left++);
    assert.throws(() => joint.attachHost(makeEnd().outer, () => undefined), /one host/);
    await send(host, length);
    await send(modem, length);
    assert.equal(host.receivedBytes, length);
    host.inner.destroy();
    await clock.advance(1);
    assert.deepEqual([left, joint.hasHost], [1, false]);
  }
  assert.deepEqual([modem.receivedBytes, joint.unheardBytes, ended.length], [7, 10, 0]);
});

test("a port that ends by itself is told, one that is closed is not; a host loses it at once then", async () => {
  const one = makeJoint();
  one.modem.inner.destroy();
  await clock.advance(1);
  assert.equal(one.ended.length, 1);
  const other = makeJoint();
  const host = makeEnd();
  other.joint.attachHost(host.outer, () => undefined);
  other.joint.close();
  await clock.advance(1);
  assert.deepEqual([other.ended.length, other.modem.closedCount, host.closedCount], [0, 1, 1]);
});

test("a side that does not take its bytes holds the other one back, and nothing is lost", async () => {
  for (const bytesPerSecond of [undefined, 1_000_000]) {
    const { joint, modem } = makeJoint(bytesPerSecond);
    const host = makeEnd();
    joint.attachHost(host.outer, () => undefined);
    for (const [from, to] of [
      [modem, host],
      [host, modem],
    ] as const) {
      to.inner.pause();
      for (let round = 0; round < 100; round++) await send(from, 1_000);
      // What was held back waits at the sender, not in between.
      assert.ok(from.inner.bufferedBytes >= 100_000 - heldBytesMax - 2_000, `${from.inner.bufferedBytes} bytes`);
      to.inner.resume();
      await clock.advance(1_000);
      assert.equal(to.receivedBytes, 100_000);
    }
  }
});

test("a host that takes nothing for long does not hold up the modem, and hears again once it takes", async () => {
  const { joint, modem } = makeJoint();
  const host = makeEnd();
  joint.attachHost(host.outer, () => undefined);
  host.inner.pause();
  await send(modem, heldBytesMax + 1);
  await send(modem, 1_000);
  await clock.advance(deafAfterMs - 1_000);
  assert.deepEqual([modem.inner.bufferedBytes, joint.unheardBytes], [1_000, 0]);
  await clock.advance(1_100);
  await send(modem, 500);
  assert.deepEqual([modem.inner.bufferedBytes, joint.unheardBytes], [0, 1_500]);
  host.inner.resume();
  await clock.advance(100);
  await send(modem, 7);
  assert.deepEqual([host.receivedBytes, joint.unheardBytes], [heldBytesMax + 8, 1_500]);
});
