import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { createVirtualRandom } from "@thingline/transport/virtual";
import {
  agree,
  type Answer,
  closesCleanly,
  createDeviceClock,
  FakeCloud,
  type FakeSettings,
  readyDevice,
  watch,
} from "../client/fake-cloud.test.support.js";
import type { Device } from "../device.js";
import { fruitlessConnectionsMax, publishCutsMax, takeoverCutsMin } from "./reconnect.js";

/** Lets the device come back, and cuts it off again `afterMs` later. */
async function cutAgain(cloud: FakeCloud, device: Device, afterMs: number): Promise<void> {
  for (let waited = 0; device.state === "waiting" && waited < 120; waited++) await cloud.clock.advance(500);
  await cloud.clock.advance(afterMs);
  cloud.connection.end();
  await cloud.clock.settle();
}

describe("another holder of the client id", () => {
  test("MQTT 5 says so: the device stops at once", async () => {
    const cloud = new FakeCloud({ version: 5 });
    const device = await readyDevice(cloud);
    const publishing = watch(device.publish("t", "x"));
    await cloud.clock.settle();
    cloud.send({ type: "disconnect", reasonCode: 0x8e });
    const late = watch(device.publish("t", "x"));
    await cloud.clock.advance(600_000);
    assert.equal(device.state, "idle");
    assert.deepEqual(cloud.events.slice(-2), [
      "disconnected closedByRemote MQTT_SESSION_TAKEN_OVER",
      "error MQTT_SESSION_TAKEN_OVER",
    ]);
    assert.match(cloud.errors.at(-1)?.message ?? "", /another client connected with client id "pump-7"/);
    assert.equal(cloud.dialCount, 1);
    assert.deepEqual([publishing.state, late.state], ["done", "MQTT_SESSION_TAKEN_OVER"]);
    assert.equal(cloud.clock.timerCount, 0);
  });

  for (const [settings, expected] of [
    [{}, takeoverCutsMin],
    // The first two may have been denials of the request.
    [{ requestsShadow: true, applicationTopics: ["a"] }, takeoverCutsMin + 2],
  ] as [FakeSettings, number][]) {
    test(`3.1.1: ${takeoverCutsMin} cuts soon after CONNACK that nothing explains (${JSON.stringify(settings)})`, async () => {
      const cloud = new FakeCloud();
      const device = await readyDevice(cloud, settings);
      await cloud.clock.advance(130_000);
      let cuts = 0;
      cloud.connection.end();
      while (device.state !== "idle" && cuts < 20) {
        await cutAgain(cloud, device, 2000);
        cuts += 1;
      }
      assert.equal(cuts, expected);
      assert.deepEqual(cloud.events.slice(-2), [
        "disconnected closedByRemote MQTT_SESSION_TAKEN_OVER",
        "error MQTT_SESSION_TAKEN_OVER",
      ]);
      assert.equal(cloud.clock.timerCount, 0);
      const again = device.connect();
      await cloud.clock.settle();
      await again;
      assert.equal(device.state, "ready");
      void device.close();
      await cloud.clock.settle();
    });
  }

  for (const [seed, requestsShadow] of [
    [1, false],
    [2, true],
    [3, true],
    [4, false],
  ] as const) {
    test(`3.1.1: two of our devices with one client id: one stops, the other stays (seed ${seed}, shadow request: ${requestsShadow})`, async () => {
      // Each has a cloud of its own, and the two clouds are one: whoever connects cuts the other off.
      const clock = createDeviceClock();
      const clouds = [new FakeCloud({ clock }), new FakeCloud({ clock })] as const;
      const devices = clouds.map((cloud, index) =>
        cloud.create({ requestsShadow, random: createVirtualRandom(seed * 10 + index) }),
      );
      clouds.forEach((cloud, index) => {
        const other = clouds[1 - index];
        cloud.answer = (packet, self) => {
          if (packet.type === "connect" && other?.connection.isStarted) other.connection.end();
          agree(packet, self);
        };
      });
      for (const device of devices) {
        const connecting = device.connect();
        await clock.advance(1000);
        await connecting;
      }
      for (let minutes = 0; minutes < 20 && devices.every(({ state }) => state !== "idle"); minutes++) {
        await clock.advance(60_000);
      }
      assert.deepEqual(devices.map(({ state }) => state).sort(), ["idle", "ready"]);
      for (const device of devices) void device.close();
      await clock.settle();
      assert.equal(clock.timerCount, 0);
    });
  }

  test("a denial that shows as a cut is none: QoS 0, QoS 1 and SUBSCRIBE explain it", async () => {
    const causes: [name: string, act: (device: Device) => unknown, type: string][] = [
      ["QoS 0", (device) => device.publish("secret", "x", { qos: 0 }).catch(() => undefined), "publish"],
      ["QoS 1", (device) => device.publish("secret", "x").catch(() => undefined), "publish"],
      ["SUBSCRIBE", (device) => device.subscribe("secret").catch(() => undefined), "subscribe"],
    ];
    for (const [name, act, type] of causes) {
      const denying: Answer = (packet, self) => (packet.type === type ? self.connection.end() : agree(packet, self));
      const cloud = new FakeCloud({ answer: denying });
      const device = cloud.create();
      device.on("ready", () => void act(device));
      const connecting = device.connect();
      await cloud.clock.advance(200_000);
      await connecting;
      assert.ok(cloud.dialCount > takeoverCutsMin + 2, name);
      assert.equal(
        cloud.events.some((event) => event.includes("TAKEN_OVER")),
        false,
        name,
      );
      assert.notEqual(device.state, "idle");
      void device.close();
      await cloud.clock.settle();
    }
  });
});

test("the PINGREQ of a suspicious device gets into nobody's way: ping() and close() from inside ready", async () => {
  for (const action of ["ping", "close"] as const) {
    const cloud = new FakeCloud();
    const device = await readyDevice(cloud);
    await cutAgain(cloud, device, 100);
    await cutAgain(cloud, device, 100);
    assert.equal(device.state, "waiting");
    cloud.types();
    device.on("ready", () => void device[action]());
    await cloud.clock.advance(10_000);
    assert.deepEqual(cloud.types(), action === "ping" ? ["connect", "pingreq"] : ["connect", "disconnect"]);
    assert.equal(device.state, action === "ping" ? "ready" : "closed");
    assert.equal(cloud.errors.length, 0);
    await closesCleanly(cloud, device);
  }
});

describe("a message that the cloud answers by closing", () => {
  test("is given up after so many cuts in a row, and those behind it get through", async () => {
    const cloud = new FakeCloud();
    const device = await readyDevice(cloud);
    let cuts = 0;
    cloud.answer = (packet, self) => {
      if (packet.type !== "publish" || packet.topic !== "secret") return agree(packet, self);
      cuts += 1;
      self.connection.end();
    };
    const denied = watch(device.publish("secret", "x"));
    const behind = watch(device.publish("open", "x"));
    await cloud.clock.advance(200_000);
    assert.equal(cuts, publishCutsMax);
    assert.deepEqual([denied.state, behind.state, device.state], ["CONNECTION_LOST", "done", "ready"]);
    void device.close();
    await cloud.clock.settle();
  });

  test("costs those behind it nothing, however many there are in a row", async () => {
    const cloud = new FakeCloud();
    const device = await readyDevice(cloud);
    cloud.answer = (packet, self) => {
      if (packet.type !== "publish" || !packet.topic.startsWith("secret")) return agree(packet, self);
      self.connection.end();
    };
    const deniedCount = fruitlessConnectionsMax / publishCutsMax + 2;
    const denied = Array.from({ length: deniedCount }, (_, index) => watch(device.publish(`secret/${index}`, "x")));
    const behind = watch(device.publish("open", "x"));
    await cloud.clock.advance(deniedCount * publishCutsMax * 60_000);
    assert.deepEqual(new Set(denied.map(({ state }) => state)), new Set(["CONNECTION_LOST"]));
    assert.deepEqual([behind.state, device.state], ["done", "ready"]);
    void device.close();
    await cloud.clock.settle();
  });

  for (const isSessionPresent of [true, false]) {
    test(`costs no neighbour anything, although acknowledgements are lost with each cut (session present: ${isSessionPresent})`, async () => {
      const cloud = new FakeCloud();
      const device = await readyDevice(cloud);
      cloud.answer = (packet, self) => {
        if (packet.type === "connect") return self.send({ type: "connack", isSessionPresent, reasonCode: 0 });
        // What was answered in the same turn is on its way, and lost.
        if (packet.type === "publish" && packet.topic.startsWith("secret")) return self.connection.end();
        agree(packet, self);
      };
      const topics = ["a", "b", "secret/1", "c", "d", "secret/2", "e", "f"];
      const calls = topics.map((topic) => watch(device.publish(topic, "x")));
      await cloud.clock.advance(600_000);
      assert.deepEqual(
        calls.map(({ state }) => state),
        topics.map((topic) => (topic.startsWith("secret") ? "CONNECTION_LOST" : "done")),
      );
      assert.equal(device.state, "ready");
      const many = Array.from({ length: 150 }, () => watch(device.publish("a", "x")));
      await cloud.clock.settle();
      assert.ok(many.every(({ state }) => state === "done"));
      await closesCleanly(cloud, device);
    });
  }

  test("not when the cuts came before CONNACK, or an acknowledgement in between", async () => {
    const cloud = new FakeCloud();
    const device = await readyDevice(cloud);
    let cuts = 0;
    cloud.answer = (packet, self) => {
      if (packet.type === "connect" && cuts++ < 3 * publishCutsMax) self.connection.end();
      else agree(packet, self);
    };
    cloud.connection.isStuck = true;
    const publishing = watch(device.publish("open", "x"));
    cloud.connection.end();
    await cloud.clock.advance(1_000_000);
    assert.equal(publishing.state, "done");
    void device.close();
    await cloud.clock.settle();
  });
});
