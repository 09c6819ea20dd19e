import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { isThinglineError } from "@thingline/protocol";
import type { Clock } from "@thingline/transport";
import { createVirtualRandom } from "@thingline/transport/virtual";
import { connectDevice } from "./create-device.js";
import {
  closesCleanly,
  failureOf,
  type FakeClock,
  FakeCloud,
  type FakeSettings,
  readyDevice,
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
      await assert.rejects(Promise.all([connecting, cloud.clock.flush()]), (error) => {
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
  const without = (clock: FakeClock, name: keyof Clock): Clock => ({
    monotonicMs: () => clock.monotonicMs(),
    unixMs: () => clock.unixMs(),
    setTimer: (delayMs, callback) => clock.setTimer(delayMs, callback),
    afterTurn: (callback) => clock.afterTurn(callback),
    sleep: () => clock.sleep(),
    [name]: boom,
  });
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
        await Promise.all([device.close(), cloud.clock.flush()]);
      });
    }
  }

  test("randomness that throws when a connection was lost: an error event, and what waits fails", async () => {
    const cloud = new FakeCloud();
    const device = await readyDevice(cloud, { random: { ...createVirtualRandom(7), fraction: boom } });
    cloud.answer = () => undefined;
    const publishing = device.publish("a", "x");
    await cloud.clock.flush();
    cloud.connection.end();
    const error = await failureOf(cloud, publishing);
    assert.equal(error.code, "ADAPTER_FAILED");
    assert.deepEqual(cloud.events, ["disconnected closedByRemote ADAPTER_FAILED", "error ADAPTER_FAILED"]);
    assert.equal(device.state, "idle");
    await Promise.all([device.close(), cloud.clock.flush()]);
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
    await clock.flush();
    assert.equal(device.state, "idle");
    assert.deepEqual(cloud.events, ["disconnected misc ADAPTER_FAILED", "error ADAPTER_FAILED"]);
    clock.monotonicMs = () => 0;
    await Promise.all([device.connect(), clock.flush()]);
    await Promise.all([device.close(), clock.flush()]);
  });
});
