import assert from "node:assert/strict";
import { test } from "node:test";
import { encodeToBytes } from "@thingline/protocol/mqtt";
import { agree, closesCleanly, FakeCloud, readyDevice } from "../client/fake-cloud.test.support.js";
import { defaultReceiveTimeoutMs, receiveBytesPerSecondMin, receiveTotalMsMax } from "./receive-watch.js";

/** A PUBLISH whose payload has so many bytes, the bytes of the whole packet. */
function publishOf(payloadBytes: number): Uint8Array {
  const cloud = new FakeCloud();
  return encodeToBytes(cloud.message("a", { payload: new Uint8Array(payloadBytes) }), 4);
}

/** Hands the bytes over piece by piece, as long as the connection takes them. @returns what the device noted */
async function trickle(
  cloud: FakeCloud,
  bytes: Uint8Array,
  { pieceBytes, everyMs }: { pieceBytes: number; everyMs: number },
): Promise<number> {
  let sent = 0;
  while (sent < bytes.length && !cloud.connection.isEnded) {
    cloud.connection.receive(bytes.subarray(sent, sent + pieceBytes));
    sent += pieceBytes;
    await cloud.clock.advance(everyMs);
  }
  return sent;
}

const quiet = { reconnect: false, keepAliveSeconds: 1200 } as const;

test("a slow link may take minutes for a large message", async () => {
  const cloud = new FakeCloud();
  let received = 0;
  const device = await readyDevice(cloud, {
    ...quiet,
    on: { data: ({ payload }) => void (received = payload.length) },
  });
  await trickle(cloud, publishOf(100_000), { pieceBytes: receiveBytesPerSecondMin, everyMs: 1_000 });
  assert.equal(received, 100_000);
  await closesCleanly(cloud, device);
});

for (const [what, bytes] of [
  ["a message within the limit", publishOf(100_000)],
  ["a message that is read over", publishOf(900_000)],
  ["a fixed header", Uint8Array.of(0x30, 0xff, 0xff)],
] as const) {
  test(`${what} that comes a byte a minute ends the connection, and does not keep it alive`, async () => {
    const cloud = new FakeCloud();
    const device = await readyDevice(cloud, quiet);
    const sent = await trickle(cloud, bytes, { pieceBytes: 1, everyMs: 60_000 });
    assert.ok(sent <= 2, `${sent} bytes were taken`);
    assert.deepEqual(cloud.events, ["disconnected misc TIMEOUT"]);
    await closesCleanly(cloud, device);
  });
}

test("256 MB are not read over for ever, however fast they come", async () => {
  const cloud = new FakeCloud();
  const device = await readyDevice(cloud, quiet);
  const startMs = cloud.clock.monotonicMs();
  cloud.connection.receive(Uint8Array.of(0x30, 0xff, 0xff, 0xff, 0x7f, 0, 1, 0x61));
  const piece = new Uint8Array(40_000);
  while (!cloud.connection.isEnded) {
    cloud.connection.receive(piece);
    await cloud.clock.advance(1_000);
  }
  assert.equal(cloud.clock.monotonicMs() - startMs, receiveTotalMsMax);
  assert.deepEqual(cloud.events, ["disconnected misc TIMEOUT"]);
  await closesCleanly(cloud, device);
});

test("many packets that end in the middle of a piece of input are no packet that never ends", async () => {
  const cloud = new FakeCloud();
  const device = await readyDevice(cloud, quiet);
  const [one, two] = [publishOf(10), publishOf(10)];
  cloud.connection.receive(one.subarray(0, 5));
  for (let count = 0; count < 10; count++) {
    await cloud.clock.advance(defaultReceiveTimeoutMs - 1);
    const both = new Uint8Array([...one.subarray(5), ...two.subarray(0, 5)]);
    cloud.connection.receive(both);
  }
  assert.deepEqual(
    cloud.events.filter((event) => event.startsWith("disconnected")),
    [],
  );
  await closesCleanly(cloud, device);
});

test("while the device does not read, or its application does not, the time is not the server's", async () => {
  const held: (() => void)[] = [];
  const cloud = new FakeCloud();
  const device = await readyDevice(cloud, {
    ...quiet,
    receiveMaximum: 1,
    on: { data: () => new Promise<void>((resolve) => held.push(resolve)) },
  });
  const messages = [1, 2, 3].map((packetId) =>
    encodeToBytes(cloud.message("a", { qos: 1, packetId, payload: "x" }), 4),
  );
  cloud.connection.receive(new Uint8Array([...messages.flatMap((bytes) => [...bytes]), 0x30]));
  assert.equal(cloud.connection.isReading, false);
  await cloud.clock.advance(20 * defaultReceiveTimeoutMs);
  assert.deepEqual(cloud.events, []);
  for (let resolve = held.shift(); resolve !== undefined; resolve = held.shift()) {
    resolve();
    await cloud.clock.settle();
  }
  assert.equal(cloud.connection.isReading, true);
  await cloud.clock.advance(defaultReceiveTimeoutMs);
  assert.deepEqual(cloud.events, ["disconnected misc TIMEOUT"], "from now on it is");
  await closesCleanly(cloud, device);

  const driven = new FakeCloud({ answer: agree });
  const driver = driven.create({ reconnect: false, driver: "application" });
  const connecting = driver.connect();
  await driven.clock.settle();
  await connecting;
  driver.input();
  driven.connection.receive(Uint8Array.of(0x30));
  await driven.clock.advance(10 * defaultReceiveTimeoutMs);
  assert.equal(driver.isConnected, true, "nobody has asked for the byte");
  driver.input();
  await driven.clock.advance(defaultReceiveTimeoutMs);
  assert.equal(driver.isConnected, false);
  await closesCleanly(driven, driver);
});
