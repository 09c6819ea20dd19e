import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { isThinglineError } from "@thingline/protocol";
import type { Clock } from "@thingline/transport";
import { createVirtualRandom, type VirtualClock } from "@thingline/transport/virtual";
import { connectDevice } from "./create-device.js";
import {
  closesCleanly,
  failureOf,
  FakeCloud,
  type FakeSettings,
  readyDevice,
  watch,
} from "./fake-cloud.test.support.js";

describe("a dialer of the application's that is at fault", () => {
  const faulty: [name: string, dial: () => unknown, code: string, message: RegExp][] = [
    [
      "throws a TypeError",
      () => (undefined as unknown as { x: 1 }).x,
      "ADAPTER_FAILED",
      /not the network: it threw TypeError: /,
    ],
    ["rejects with a RangeError", () => Promise.reject(new RangeError("no")), "ADAPTER_FAILED", /RangeError: no/],
    [
      "throws no error",
      () => new Promise((_, reject) => (reject as () => void)()),
      "ADAPTER_FAILED",
      /it threw nothing/,
    ],
    ["gives nothing", () => undefined, "ADAPTER_FAILED", /dial\(\) gave nothing instead of a Connection/],
    [
      "gives a socket",
      () => ({ write: () => true, close: () => 1 }),
      "ADAPTER_FAILED",
      /an object without start, reserve/,
    ],
    [
      "tells of the network",
      () => Promise.reject(Object.assign(new Error("x"), { code: "ECONNRESET" })),
      "CONNECTION_LOST",
      /: x$/,
    ],
    [
      "asks by fetch()",
      () => Promise.reject(new TypeError("fetch failed", { cause: new Error("ECONNREFUSED") })),
      "CONNECTION_LOST",
      /fetch failed/,
    ],
  ];
  for (const [name, dial, code, message] of faulty) {
    test(`one that ${name} is told as ${code}, and tried again only when it was the network`, async () => {
      const cloud = new FakeCloud();
      const isFinal = code === "ADAPTER_FAILED";
      const connecting = connectDevice({
        ...cloud.options({ reconnect: { firstAttempt: "retry", attemptsMax: isFinal ? 9 : 1 } }),
        dialer: { dial: async () => (await dial()) as never },
      });
      await assert.rejects(Promise.all([connecting, cloud.clock.settle()]), (error) => {
        assert.ok(isThinglineError(error), String(error));
        assert.equal(error.code, code);
        assert.match(error.message, message);
        return true;
      });
    });
  }
});

describe("an adapter of the application's that throws later ends no process, and leaves no promise behind", () => {
  const boom = (): never => {
    throw new TypeError("boom");
  };
  const without = (clock: VirtualClock, name: keyof Clock): Clock => ({
    monotonicMs: () => clock.monotonicMs(),
    unixMs: () => clock.unixMs(),
    setTimer: (delayMs, callback) => clock.setTimer(delayMs, callback),
    afterTurn: (callback) => clock.afterTurn(callback),
    sleep: (delayMs, options) => clock.sleep(delayMs, options),
    [name]: boom,
  });
  /** The clock cannot be read any more. @returns what lets it go on */
  const stop = (clock: VirtualClock): (() => void) => {
    const monotonicMs = clock.monotonicMs.bind(clock);
    clock.monotonicMs = boom;
    return () => void (clock.monotonicMs = monotonicMs);
  };
  /** Each breaks one thing before connect(). */
  const faulty: Readonly<Record<string, (cloud: FakeCloud) => FakeSettings | void>> = {
    "a clock that cannot be read": ({ clock }) => ({ clock: without(clock, "monotonicMs") }),
    "a clock that sets no timer": ({ clock }) => ({ clock: without(clock, "setTimer") }),
    "a connection that does not start": ({ connection }) => void (connection.start = boom),
    "a connection that takes nothing": ({ connection }) => void (connection.reserve = boom),
    "a connection without room": ({ connection }) => void (connection.reserve = () => undefined as never),
  };
  for (const [name, breakIt] of Object.entries(faulty)) {
    for (const reconnect of [false, { firstAttempt: "retry" }] as const) {
      test(`${name}: connect() ${reconnect === false ? "once" : "with attempts"} fails with ADAPTER_FAILED`, async () => {
        const cloud = new FakeCloud();
        const device = cloud.create({ reconnect, ...breakIt(cloud) });
        const error = await failureOf(cloud, device.connect());
        assert.equal(error.code, "ADAPTER_FAILED");
        assert.match(error.message, /it threw (?:TypeError: boom|ThinglineError: the packet ends)/);
        assert.equal(device.state, "idle");
        assert.ok(cloud.connection.isDestroyed, "the connection is left");
        await Promise.all([device.close(), cloud.clock.settle()]);
      });
    }
  }

  test("randomness that is no number when a connection was lost: no attempt without a pause follows", async () => {
    for (const value of [NaN, undefined, -1, 2, Infinity]) {
      const cloud = new FakeCloud();
      const device = await readyDevice(cloud, {
        random: { ...createVirtualRandom(7), fraction: () => value as never },
      });
      cloud.connection.end();
      await cloud.clock.settle();
      assert.equal(device.state, "idle");
      assert.deepEqual(cloud.events.slice(-1), ["error ADAPTER_FAILED"]);
      await closesCleanly(cloud, device);
    }
  });

  test("randomness that throws when a connection was lost: an error event, and what waits fails", async () => {
    const cloud = new FakeCloud();
    const device = await readyDevice(cloud, { random: { ...createVirtualRandom(7), fraction: boom } });
    cloud.answer = () => undefined;
    const publishing = device.publish("a", "x");
    await cloud.clock.settle();
    cloud.connection.end();
    const error = await failureOf(cloud, publishing);
    assert.equal(error.code, "ADAPTER_FAILED");
    assert.deepEqual(cloud.events, ["disconnected closedByRemote ADAPTER_FAILED", "error ADAPTER_FAILED"]);
    assert.equal(device.state, "idle");
    await Promise.all([device.close(), cloud.clock.settle()]);
  });

  for (const name of ["uuid", "fraction"] as const) {
    test(`randomness whose ${name}() throws ends a loop over deltas, and no process`, async () => {
      const cloud = new FakeCloud();
      const device = await readyDevice(cloud, { random: { ...createVirtualRandom(7), [name]: boom } });
      const next = device.shadow().deltas().next();
      const error = await failureOf(cloud, next, 60_000);
      assert.equal(error.code, "ADAPTER_FAILED");
      await closesCleanly(cloud, device);
    });
  }

  test("a clock that stops in the middle: the device is idle, and connects again when it goes", async () => {
    const cloud = new FakeCloud();
    const device = await readyDevice(cloud);
    const { clock } = cloud;
    clock.monotonicMs = boom;
    cloud.send({ type: "pingresp" });
    await clock.settle();
    assert.equal(device.state, "idle");
    assert.deepEqual(cloud.events, ["disconnected misc ADAPTER_FAILED", "error ADAPTER_FAILED"]);
    clock.monotonicMs = () => 0;
    await Promise.all([device.connect(), clock.settle()]);
    await Promise.all([device.close(), clock.settle()]);
  });

  test("a clock that stops while messages wait in the offline queue: an error event", async () => {
    const cloud = new FakeCloud();
    const device = cloud.create({ offlineQueue: { expiresAfterMs: 1_000 } });
    const publishing = watch(device.publish("a", "x"));
    await cloud.clock.settle();
    const mend = stop(cloud.clock);
    await cloud.clock.advance(2_000);
    assert.deepEqual(cloud.events, ["error ADAPTER_FAILED"]);
    assert.equal(publishing.state, "pending");
    mend();
    await closesCleanly(cloud, device);
    assert.equal(publishing.state, "CLOSED");
  });

  test("a clock that stops when the caller of a queued message gives up: an error event", async () => {
    const cloud = new FakeCloud();
    const device = cloud.create({ offlineQueue: {} });
    const controller = new AbortController();
    const publishing = watch(device.publish("a", "x", { signal: controller.signal }));
    await cloud.clock.settle();
    const mend = stop(cloud.clock);
    controller.abort();
    await cloud.clock.settle();
    assert.deepEqual(cloud.events, ["error ADAPTER_FAILED"]);
    mend();
    await closesCleanly(cloud, device);
    assert.equal(publishing.state, "CLOSED");
  });

  test("timers that cannot be cancelled: poll() says what it saw, and the device is idle", async () => {
    for (const end of ["its time", "input", "a signal"] as const) {
      const cloud = new FakeCloud();
      const { clock } = cloud;
      const device = cloud.create({ driver: "application", reconnect: false });
      await Promise.all([device.connect(), clock.settle()]);
      const take = async (): Promise<void> => {
        await clock.settle();
        device.input();
      };
      await take();
      assert.equal(device.state, "ready");
      cloud.events.length = 0;
      const setTimer = clock.setTimer.bind(clock);
      clock.setTimer = (delayMs, callback) => {
        const timer = setTimer(delayMs, callback);
        return {
          cancel: () => {
            timer.cancel();
            boom();
          },
        };
      };
      const controller = new AbortController();
      const polling = watch(device.poll({ timeoutMs: 1_000, signal: controller.signal }));
      clock.setTimer = setTimer;
      if (end === "input") cloud.send({ type: "pingresp" });
      if (end === "a signal") controller.abort();
      await clock.advance(1_500);
      assert.equal(polling.state, end === "a signal" ? "ABORTED" : "done", end);
      assert.equal(device.state, "idle", end);
      assert.deepEqual(cloud.events, ["disconnected misc ADAPTER_FAILED", "error ADAPTER_FAILED"], end);
      await closesCleanly(cloud, device);
    }
  });

  test("a clock that stops before a listener has done with a message: the device is idle", async () => {
    const cloud = new FakeCloud();
    let finish = (): void => undefined;
    const data = (): Promise<void> => new Promise((resolve) => (finish = resolve));
    const device = await readyDevice(cloud, { on: { data } });
    cloud.send(cloud.message("a", { qos: 1 }));
    await cloud.clock.settle();
    const mend = stop(cloud.clock);
    finish();
    await cloud.clock.settle();
    assert.equal(device.state, "idle");
    assert.deepEqual(cloud.events, ["disconnected misc ADAPTER_FAILED", "error ADAPTER_FAILED"]);
    mend();
    await closesCleanly(cloud, device);
  });

  test("a clock that stops before disconnect(): the device is idle all the same", async () => {
    const cloud = new FakeCloud();
    const device = await readyDevice(cloud);
    const mend = stop(cloud.clock);
    await Promise.all([device.disconnect(), cloud.clock.settle()]);
    assert.equal(device.state, "idle");
    mend();
    await Promise.all([device.connect(), cloud.clock.settle()]);
    await closesCleanly(cloud, device);
  });

  test("a clock that stops while a dial runs: what the dial gives is not kept", async () => {
    const cloud = new FakeCloud();
    let arrive = (): void => undefined;
    const device = cloud.create({ offlineQueue: { expiresAfterMs: 1_000 } });
    const publishing = watch(device.publish("a", "x"));
    cloud.dialing = new Promise((resolve) => (arrive = resolve));
    // It does not listen to its signal.
    cloud.dial = (target) => FakeCloud.prototype.dial.call(cloud, target);
    const connecting = watch(device.connect());
    await cloud.clock.settle();
    const mend = stop(cloud.clock);
    await cloud.clock.advance(2_000);
    assert.equal(connecting.state, "ADAPTER_FAILED");
    assert.equal(device.state, "idle");
    mend();
    arrive();
    await cloud.clock.settle();
    assert.ok(cloud.connection.isDestroyed, "the connection is left");
    await closesCleanly(cloud, device);
    assert.equal(publishing.state, "CLOSED");
  });
});

test("a listener that throws what has no text is an error event, and the device goes on", async () => {
  const cloud = new FakeCloud();
  const throws = (): never => {
    throw Object.create(null);
  };
  const device = cloud.create({ on: { ready: throws, puback: async () => throws() } });
  const connecting = watch(device.connect());
  await cloud.clock.settle();
  const published = watch(device.publish("t", "x"));
  await cloud.clock.settle();
  assert.deepEqual([connecting.state, published.state, device.state], ["done", "done", "ready"]);
  assert.deepEqual(
    cloud.errors.map(({ message }) => message),
    ["an object", "an object"],
  );
  await closesCleanly(cloud, device);
});

test("bytes that are given away after the call are sent as they were: correlation data, password and last will", async () => {
  const cloud = new FakeCloud({ version: 5 });
  const give = (bytes: Uint8Array): void => void structuredClone(bytes, { transfer: [bytes.buffer as ArrayBuffer] });
  const [password, payload, correlationData] = [Uint8Array.of(1), Uint8Array.of(2), Uint8Array.of(3)];
  const device = cloud.create({ username: "u", password, lastWill: { topic: "w", payload } });
  [password, payload].forEach(give);
  const connecting = watch(device.connect());
  await cloud.clock.settle();
  cloud.connection.end();
  await cloud.clock.settle();
  const published = watch(device.publish("t", "x", { properties: { correlationData } }));
  give(correlationData);
  await cloud.clock.advance(5_000);
  assert.deepEqual([connecting.state, published.state, device.state], ["done", "done", "ready"]);
  const connect = cloud.packets.find(({ type }) => type === "connect");
  const publish = cloud.packets.find(({ type }) => type === "publish");
  assert.ok(connect?.type === "connect" && publish?.type === "publish");
  assert.deepEqual([connect.password, connect.will?.payload], [Uint8Array.of(1), Uint8Array.of(2)]);
  assert.deepEqual(publish.properties?.correlationData, Uint8Array.of(3));
  await closesCleanly(cloud, device);
});
