import assert from "node:assert/strict";
import { test } from "node:test";
import { streamContract } from "@thingline/transport/contract";
import type { Clock } from "@thingline/transport";
import { createVirtualClock } from "@thingline/transport/virtual";
import { createSerialWire } from "./serial-wire.js";

for (const bytesPerSecond of [undefined, 100_000_000]) {
  streamContract({ test, assert }, `a serial wire of ${bytesPerSecond ?? "any number of"} bytes a second`, async () => {
    const clock = createVirtualClock({ settlesBy: "microtasks" });
    const { host, modem } = createSerialWire({ clock, bytesPerSecond });
    return {
      client: host,
      server: modem,
      wait: (promise) => clock.until(promise),
      arrive: async () => {
        if (bytesPerSecond === undefined) await clock.settle();
        else await clock.advance(100);
      },
      close: async () => {
        await clock.until(Promise.all([host.close(), modem.close()]));
        assert.equal(clock.timerCount, 0);
      },
    };
  });
}

test("a paced wire takes the time of its bytes, in both directions at once, and loses none between writes", async () => {
  const clock = createVirtualClock({ settlesBy: "microtasks" });
  const { host, modem } = createSerialWire({ clock, bytesPerSecond: 100_000 });
  const received = { host: 0, modem: 0 };
  const doneAtMs = { host: 0, modem: 0 };
  const count = (end: "host" | "modem") => ({
    data: (bytes: Uint8Array) => {
      received[end] += bytes.length;
      doneAtMs[end] = clock.monotonicMs();
    },
    closed: () => undefined,
  });
  host.start(count("host"));
  modem.start(count("modem"));
  for (let index = 0; index < 10; index++) {
    host.write(new Uint8Array(1000));
    host.flush();
    modem.write(new Uint8Array(500));
    modem.flush();
  }
  await clock.advance(49);
  assert.ok(received.modem > 4_500 && received.modem <= 4_900, `${received.modem} bytes in 49 ms`);
  await clock.advance(60);
  assert.deepEqual(received, { host: 5_000, modem: 10_000 });
  assert.ok(doneAtMs.modem >= 100 && doneAtMs.modem <= 103, `10,000 bytes took ${doneAtMs.modem} ms`);
  assert.ok(doneAtMs.host >= 50 && doneAtMs.host <= 53, `5,000 bytes took ${doneAtMs.host} ms`);
});

test("a sender that has the next piece ready loses no time, however late timers fire", async () => {
  const virtual = createVirtualClock({ settlesBy: "microtasks" });
  const clock: Clock = {
    monotonicMs: () => virtual.monotonicMs(),
    unixMs: () => virtual.unixMs(),
    setTimer: (delayMs, callback) => virtual.setTimer(delayMs + 1.3, callback),
    afterTurn: (callback) => virtual.afterTurn(callback),
    sleep: (delayMs, options) => virtual.sleep(delayMs, options),
  };
  const { host, modem } = createSerialWire({ clock, bytesPerSecond: 100_000 });
  let receivedBytes = 0;
  modem.start({ data: (bytes) => (receivedBytes += bytes.length), closed: () => undefined });
  host.start({ data: () => undefined, closed: () => undefined });
  let writtenBytes = 0;
  for (let passedMs = 0; passedMs < 100; passedMs++) {
    // One is under way, and one is ready.
    while (host.bufferedBytes <= 250) {
      host.write(new Uint8Array(250));
      host.flush();
      writtenBytes += 250;
    }
    await virtual.advance(1);
  }
  assert.ok(receivedBytes >= 9_500, `${receivedBytes} of ${writtenBytes} bytes in 100 ms`);
});

test("an end that does not read holds the line up, and what it missed does not come faster later", async () => {
  const clock = createVirtualClock({ settlesBy: "microtasks" });
  let takenCount = 0;
  const { host, modem } = createSerialWire({ clock, bytesPerSecond: 10_000, onTaken: () => takenCount++ });
  let receivedBytes = 0;
  host.start({ data: (bytes) => (receivedBytes += bytes.length), closed: () => undefined });
  modem.start({ data: () => undefined, closed: () => undefined });
  modem.write(new Uint8Array(100));
  await clock.advance(4);
  host.pause();
  const atPause = receivedBytes;
  await clock.advance(1000);
  assert.equal(receivedBytes, atPause);
  assert.equal(modem.bufferedBytes, 100);
  host.resume();
  await clock.advance(3);
  assert.ok(receivedBytes - atPause <= 30, `${receivedBytes - atPause} bytes in 3 ms`);
  await clock.advance(20);
  assert.deepEqual([receivedBytes, takenCount, modem.bufferedBytes], [100, 1, 0]);
});
