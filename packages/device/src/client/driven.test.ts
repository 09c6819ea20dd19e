import assert from "node:assert/strict";
import { describe, test } from "node:test";
import type { ThinglineError } from "@thingline/protocol";
import { inputBytesMax, type PollOptions, type PollResult } from "../connection/held-input.js";
import type { Device } from "../device.js";
import { agree, closesCleanly, failureOf, FakeCloud, watch } from "./fake-cloud.test.support.js";
import type { DeviceSettings } from "./options.js";

const driven = { driver: "application", reconnect: false } as const;

async function polled(cloud: FakeCloud, device: Device, options: PollOptions = { timeoutMs: 0 }): Promise<PollResult> {
  const result = device.poll(options);
  await cloud.clock.settle();
  return result;
}

/** CONNECT is sent, and the CONNACK waits. */
async function open(cloud: FakeCloud, settings: Partial<DeviceSettings> = {}): Promise<Device> {
  const device = cloud.create({ ...driven, ...settings });
  const connecting = device.connect();
  await cloud.clock.settle();
  await connecting;
  return device;
}

async function ready(cloud: FakeCloud, settings: Partial<DeviceSettings> = {}): Promise<Device> {
  const device = await open(cloud, settings);
  for (; device.state !== "ready"; await cloud.clock.settle()) {
    assert.equal(await polled(cloud, device), "readable");
    device.input();
  }
  cloud.events.length = 0;
  cloud.types();
  return device;
}

describe("a device that the application drives", () => {
  test("connect() resolves when CONNECT is sent; each answer waits for input()", async () => {
    const cloud = new FakeCloud();
    const device = await open(cloud, { applicationTopics: ["a/b"] });
    assert.equal(device.state, "connecting");
    assert.deepEqual(cloud.events, ["connecting"]);
    assert.equal(await polled(cloud, device), "readable");
    device.input();
    assert.deepEqual(cloud.events, ["connecting", "connected"]);
    await cloud.clock.settle();
    assert.equal(await polled(cloud, device), "readable");
    device.input();
    assert.deepEqual(cloud.events, ["connecting", "connected", "ready"]);
    assert.deepEqual(cloud.types(), ["connect", "subscribe"]);
    assert.equal(await polled(cloud, device), "timeout");
    // Nothing to do is no error.
    device.input();
    await closesCleanly(cloud, device);
  });

  test("poll() waits for input, for its time, or for its signal", async () => {
    const cloud = new FakeCloud();
    const device = await ready(cloud);
    const waiting = device.poll({ timeoutMs: 5_000 });
    const seen = watch(waiting);
    await cloud.clock.advance(4_999);
    assert.equal(seen.state, "pending");
    await cloud.clock.advance(1);
    assert.equal(await waiting, "timeout");

    const next = device.poll();
    cloud.send(cloud.message("a"));
    await cloud.clock.settle();
    assert.equal(await next, "readable");
    device.input();

    const controller = new AbortController();
    const abandoned = device.poll({ signal: controller.signal });
    controller.abort();
    assert.equal((await failureOf(cloud, abandoned)).code, "ABORTED");
    assert.equal((await failureOf(cloud, device.poll({ signal: controller.signal }))).code, "ABORTED");

    const first = device.poll({ timeoutMs: 10 });
    assert.equal((await failureOf(cloud, device.poll())).code, "OPTION_INVALID");
    await cloud.clock.advance(10);
    assert.equal(await first, "timeout");
    for (const timeoutMs of [-1, Number.NaN, "1" as unknown as number]) {
      const error = await failureOf(cloud, device.poll({ timeoutMs }));
      assert.deepEqual([error.code, error.details["option"]], ["OPTION_INVALID", "timeoutMs"]);
    }
    await closesCleanly(cloud, device);
  });

  test("what was received is readable before the end of the connection is seen", async () => {
    const cloud = new FakeCloud();
    const topics: string[] = [];
    const device = await ready(cloud, { on: { data: ({ topic }) => void topics.push(topic) } });
    cloud.send(cloud.message("first"), cloud.message("second"));
    await cloud.clock.settle();
    cloud.connection.end();
    assert.equal(await polled(cloud, device), "readable");
    assert.deepEqual([topics, cloud.events], [[], []]);
    device.input();
    assert.deepEqual(topics, ["first", "second"]);
    assert.equal(await polled(cloud, device), "hungUp");
    // Looking at it changes nothing.
    assert.equal(await polled(cloud, device), "hungUp");
    assert.deepEqual([device.state, cloud.events], ["ready", []]);
    device.input();
    assert.deepEqual([device.state, cloud.events], ["idle", ["disconnected closedByRemote CONNECTION_LOST"]]);
    assert.equal(await polled(cloud, device), "invalid");
    assert.throws(() => device.input(), { code: "CONNECTION_LOST" });
    // Without reconnecting by itself.
    await cloud.clock.advance(600_000);
    assert.equal(cloud.dialCount, 1);
    const again = device.connect();
    await cloud.clock.settle();
    await again;
    assert.equal(await polled(cloud, device), "readable");
    await closesCleanly(cloud, device);
  });

  test("a connection that fails is an error, and disconnect() tells it as it was", async () => {
    const cloud = new FakeCloud();
    const device = await ready(cloud);
    const waiting = device.poll();
    cloud.connection.destroy({ code: "CONNECTION_LOST" } as ThinglineError);
    await cloud.clock.settle();
    assert.equal(await waiting, "error");
    const ending = device.disconnect();
    await cloud.clock.settle();
    await ending;
    assert.deepEqual(cloud.events, ["disconnected closedByRemote CONNECTION_LOST"]);
    await closesCleanly(cloud, device);
  });

  test("a hung up connection is ended by close() and by the session's own time-outs as well", async () => {
    const cloud = new FakeCloud({ answer: () => undefined });
    const device = await open(cloud);
    cloud.connection.end();
    assert.equal(await polled(cloud, device), "hungUp");
    await cloud.clock.advance(30_000);
    assert.equal(device.state, "idle");
    assert.deepEqual(cloud.events, ["connecting", "disconnected misc TIMEOUT"]);

    const again = device.connect();
    await cloud.clock.settle();
    await again;
    cloud.connection.end();
    await closesCleanly(cloud, device);
    assert.equal((await failureOf(cloud, device.poll())).code, "CLOSED");
    assert.throws(() => device.input(), { code: "CLOSED" });
  });

  test("a refused CONNACK ends the connection when the application reads it", async () => {
    const cloud = new FakeCloud({
      answer: (_, self) => self.send({ type: "connack", isSessionPresent: false, reasonCode: 5 }),
    });
    const device = await open(cloud);
    await polled(cloud, device);
    device.input();
    assert.equal(await polled(cloud, device), "invalid");
    assert.deepEqual(cloud.events, [
      "connecting",
      "error MQTT_CONNECT_REFUSED",
      "disconnected misc MQTT_CONNECT_REFUSED",
    ]);
    await closesCleanly(cloud, device);
  });

  test("sends no PINGREQ by itself, and tells when one is due", async () => {
    const cloud = new FakeCloud();
    const device = await ready(cloud, { keepAliveSeconds: 10 });
    await cloud.clock.advance(120_000);
    assert.deepEqual(cloud.types(), []);
    assert.equal(device.keepAliveTimeLeftMs(), 0);
    device.ping();
    await cloud.clock.settle();
    assert.deepEqual(cloud.types(), ["pingreq"]);
    assert.ok(device.keepAliveTimeLeftMs() > 0);
    assert.equal(await polled(cloud, device), "readable");
    device.input();
    assert.deepEqual(cloud.events, ["pingresp"]);
    cloud.answer = () => undefined;
    device.ping();
    assert.throws(() => device.ping(), { code: "CONNECTION_LOST" });
    await closesCleanly(cloud, device);
  });

  test("holds a bounded amount of input, and reads on after input()", async () => {
    const cloud = new FakeCloud();
    let count = 0;
    const device = await ready(cloud, { on: { data: () => void (count += 1) } });
    const message = cloud.message("a", { payload: new Uint8Array(inputBytesMax / 4) });
    for (let at = 0; at < 4; at++) {
      assert.equal(cloud.connection.isReading, true);
      cloud.send(message);
      await cloud.clock.settle();
    }
    assert.equal(cloud.connection.isReading, false);
    device.input();
    assert.deepEqual([count, cloud.connection.isReading], [4, true]);
    await closesCleanly(cloud, device);
  });

  test("stays paused while the session takes nothing, whatever is held", async () => {
    const cloud = new FakeCloud();
    let finish = (): void => undefined;
    const handled = new Promise<void>((resolve) => (finish = resolve));
    const device = await ready(cloud, { receiveMaximum: 1, on: { data: () => handled } });
    cloud.send(cloud.message("a", { qos: 1, packetId: 1 }), cloud.message("b", { qos: 1, packetId: 2 }));
    await polled(cloud, device);
    device.input();
    assert.equal(cloud.connection.isReading, false);
    device.input();
    assert.equal(cloud.connection.isReading, false);
    finish();
    await cloud.clock.settle();
    assert.equal(cloud.connection.isReading, true);
    await closesCleanly(cloud, device);
  });

  test("handles its input itself once disconnect() waits for acknowledgements", async () => {
    const cloud = new FakeCloud();
    const device = await ready(cloud);
    const published = watch(device.publish("a", "b"));
    await cloud.clock.settle();
    assert.equal(published.state, "pending");
    const waiting = device.poll();
    const ending = device.disconnect();
    await cloud.clock.settle();
    await ending;
    assert.equal(published.state, "done");
    await waiting;
    assert.deepEqual(cloud.types(), ["publish", "disconnect"]);
    await closesCleanly(cloud, device);
  });

  test("acknowledgements that were received count, although the server hung up before disconnect()", async () => {
    const cloud = new FakeCloud();
    const device = await ready(cloud);
    const published = watch(device.publish("a", "b"));
    await cloud.clock.settle();
    cloud.connection.end();
    assert.equal(await polled(cloud, device), "readable");
    const ending = device.disconnect();
    await cloud.clock.settle();
    await ending;
    assert.equal(published.state, "done");
    assert.deepEqual(cloud.events, ["puback 1", "disconnected closedByRemote CONNECTION_LOST"]);
    await closesCleanly(cloud, device);
  });

  test("listeners may end the device from inside input()", async () => {
    const cloud = new FakeCloud();
    const device = await ready(cloud, { on: { data: () => void device.close() } });
    cloud.send(cloud.message("a"), cloud.message("b"));
    await polled(cloud, device);
    device.input();
    await cloud.clock.settle();
    assert.equal(device.state, "closed");
    await closesCleanly(cloud, device);
  });

  test("a loop of three lines is a whole client", async () => {
    const cloud = new FakeCloud({ answer: agree });
    const device = await open(cloud, { keepAliveSeconds: 10 });
    let result: PollResult = "readable";
    const loop = (async () => {
      while (result === "readable" || result === "timeout") {
        result = await device.poll({ timeoutMs: device.keepAliveTimeLeftMs() });
        if (result === "readable") device.input();
        else if (result === "timeout") device.ping();
      }
    })();
    await cloud.clock.advance(60_000);
    assert.equal(device.state, "ready");
    const published = watch(device.publish("a", "b"));
    await cloud.clock.settle();
    assert.equal(published.state, "done");
    assert.ok(cloud.types().filter((type) => type === "pingreq").length >= 5);
    cloud.connection.end();
    await cloud.clock.settle();
    await loop;
    assert.equal(result, "hungUp");
    await closesCleanly(cloud, device);
  });
});

describe("options of the driver", () => {
  test("a device that drives itself refuses poll() and input()", async () => {
    const cloud = new FakeCloud();
    const device = cloud.create();
    assert.equal((await failureOf(cloud, device.poll())).code, "DRIVER_MISMATCH");
    assert.throws(() => device.input(), { code: "DRIVER_MISMATCH" });
    await closesCleanly(cloud, device);
  });

  test("an application that drives reconnects itself, and has to be there before CONNACK", async () => {
    const cloud = new FakeCloud();
    const invalid = { code: "OPTION_INVALID" };
    assert.throws(() => cloud.create({ driver: "application", reconnect: {} }), invalid);
    assert.throws(() => cloud.create({ driver: "nobody" as "library" }), invalid);
    assert.equal((await failureOf(cloud, cloud.connect({ driver: "application" }))).details["option"], "driver");
  });
});
