import assert from "node:assert/strict";
import { test } from "node:test";
import { createConnectionPair } from "@thingline/transport";
import { createVirtualClock } from "@thingline/transport/virtual";
import { FotaConnection, fotaReceiveTimeoutMs, fotaUnreadBytesMax } from "./fota-response.js";

function open() {
  const clock = createVirtualClock();
  const { near, far } = createConnectionPair({ clock, windowBytes: 0 });
  far.start({ data: () => undefined, closed: () => undefined });
  const controller = new AbortController();
  return { clock, near, far, controller, connection: new FotaConnection(near, { clock, signal: controller.signal }) };
}

test("a server waits when so much was not read, and goes on when it is", async () => {
  const { clock, far, connection } = open();
  const pieceBytes = 1_024;
  const pieces = (4 * fotaUnreadBytesMax) / pieceBytes;
  for (let count = 0; count < pieces; count++) {
    far.write(new Uint8Array(pieceBytes).fill(count));
    await clock.settle();
  }
  const unread = await connection.peek(0);
  assert.equal(unread.length, fotaUnreadBytesMax);
  assert.equal(far.bufferedBytes, 3 * fotaUnreadBytesMax);
  let readBytes = 0;
  while (readBytes < pieces * pieceBytes) {
    const seen = await connection.peek(0);
    assert.ok(typeof seen !== "string");
    assert.equal(connection.take(100)[0], Math.floor(readBytes / pieceBytes));
    readBytes += 100;
    await clock.settle();
    if (pieces * pieceBytes - readBytes < 100) break;
  }
});

test("waiting ends with the time, the connection or the download", async () => {
  const late = open();
  const waiting = late.connection.peek(0);
  await late.clock.advance(fotaReceiveTimeoutMs);
  assert.equal(await waiting, "timeout");
  const closed = open();
  void closed.far.close();
  await closed.clock.settle();
  assert.equal(await closed.connection.peek(0), "closed");
  const stopped = open();
  const told = stopped.connection.peek(0);
  stopped.controller.abort();
  assert.equal(await told, "cancelled");
  assert.equal(stopped.clock.timerCount, 0);
  const before = open();
  before.controller.abort();
  assert.equal(await before.connection.peek(0), "cancelled");
});
