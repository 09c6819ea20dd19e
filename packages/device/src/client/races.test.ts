import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { ThinglineError } from "@thingline/protocol";
import type { Device, DeviceState } from "../device.js";
import type { DeviceEventName } from "./events.js";
import { agree, type Answer, failureOf, FakeCloud, type FakeSettings, watch } from "./fake-cloud.test.support.js";

/** Everything that a device can be doing when somebody ends it. */
const stages: [name: string, state: DeviceState, arrange: (stage: Stage) => Promise<void>][] = [
  ["idle, never connected", "idle", async () => undefined],
  [
    "dialing",
    "connecting",
    async ({ cloud, connect }) => {
      cloud.dialing = new Promise(() => undefined);
      await connect();
    },
  ],
  [
    "waiting for CONNACK",
    "connecting",
    async ({ cloud, connect }) => {
      cloud.answer = () => undefined;
      await connect();
    },
  ],
  [
    "waiting for SUBACK",
    "connecting",
    async ({ cloud, connect }) => {
      cloud.answer = (packet, self) => packet.type === "connect" && agree(packet, self);
      await connect();
    },
  ],
  ["ready", "ready", ({ connect }) => connect()],
  [
    "ready, with a message in flight",
    "ready",
    async ({ cloud, connect, device }) => {
      cloud.answer = (packet, self) => packet.type !== "publish" && agree(packet, self);
      await connect();
      device.publish("t", "x").catch(() => undefined);
      await cloud.clock.settle();
    },
  ],
  [
    "draining",
    "closing",
    async ({ cloud, connect, device }) => {
      cloud.answer = (packet, self) => packet.type !== "publish" && agree(packet, self);
      await connect();
      device.publish("t", "x").catch(() => undefined);
      void device.disconnect();
      await cloud.clock.settle();
    },
  ],
  [
    "closing a connection that does not end",
    "closing",
    async ({ cloud, connect, device }) => {
      await connect();
      cloud.connection.isDeaf = true;
      void device.disconnect();
      await cloud.clock.settle();
    },
  ],
  [
    "closing after a refused CONNACK",
    "closing",
    async ({ cloud, connect }) => {
      cloud.connection.isDeaf = true;
      cloud.answer = (packet, self) =>
        packet.type === "connect" && self.send({ type: "connack", isSessionPresent: false, reasonCode: 3 });
      await connect();
    },
  ],
  [
    "between attempts",
    "waiting",
    async ({ cloud, connect, device }) => {
      await connect();
      cloud.connection.end();
      device.publish("t", "x").catch(() => undefined);
      device.subscribe("s").catch(() => undefined);
      await cloud.clock.settle();
    },
  ],
  [
    "between attempts, never ready",
    "waiting",
    async ({ cloud, connect }) => {
      cloud.dialError = new ThinglineError("HOST_NOT_FOUND", "no");
      await connect();
    },
  ],
  [
    "dialing again",
    "connecting",
    async ({ cloud, connect }) => {
      await connect();
      cloud.dialing = new Promise(() => undefined);
      cloud.connection.end();
      await cloud.clock.advance(2000);
    },
  ],
  [
    "restoring",
    "connecting",
    async ({ cloud, connect, device }) => {
      await connect();
      const subscribing = device.subscribe("own");
      await cloud.clock.settle();
      await subscribing;
      cloud.answer = (packet, self) => packet.type === "connect" && agree(packet, self);
      cloud.connection.end();
      await cloud.clock.advance(2000);
    },
  ],
  [
    "idle again",
    "idle",
    async ({ cloud, connect, device }) => {
      await connect();
      void device.disconnect();
      await cloud.clock.settle();
    },
  ],
];

interface Stage {
  cloud: FakeCloud;
  device: Device;
  /** Calls connect() and lets everything happen that happens at once. */
  connect: () => Promise<void>;
}

async function stage(
  arrange: (stage: Stage) => Promise<void>,
  settings: FakeSettings = {},
): Promise<Stage & { connecting: () => string }> {
  const cloud = new FakeCloud();
  const device = cloud.create({
    applicationTopics: ["app"],
    reconnect: { firstAttempt: "retry" },
    closeTimeoutMs: 1000,
    ...settings,
  });
  let watched = { state: "never" };
  const connect = async (): Promise<void> => {
    watched = watch(device.connect());
    await cloud.clock.settle();
  };
  const whole = { cloud, device, connect };
  await arrange(whole);
  return { ...whole, connecting: () => watched.state };
}

function assertNothingLeft(cloud: FakeCloud): void {
  assert.equal(cloud.clock.timerCount, 0, "a timer is left");
  if (cloud.connection.isStarted) assert.equal(cloud.connection.isEnded, true, "a connection is left");
}

for (const [name, state, arrange] of stages) {
  test(`close() while ${name} leaves nothing, and ends every promise`, async () => {
    const { cloud, device, connecting } = await stage(arrange);
    assert.equal(device.state, state);
    const closing = watch(device.close());
    assert.equal(device.close(), device.closed);
    await cloud.clock.advance(2000);
    assert.deepEqual([closing.state, device.state], ["done", "closed"]);
    assert.notEqual(connecting(), "pending");
    assertNothingLeft(cloud);
    const { dialCount } = cloud;
    const { length } = cloud.events;
    assert.equal((await failureOf(cloud, device.connect())).code, "CLOSED");
    await cloud.clock.advance(600_000);
    assert.deepEqual([cloud.dialCount, cloud.events.length], [dialCount, length]);
  });

  test(`disconnect() while ${name} makes the device idle, and connect() works again`, async () => {
    const { cloud, device, connecting } = await stage(arrange);
    const all = watch(Promise.all([device.disconnect(), device.disconnect()]));
    await cloud.clock.advance(2000);
    assert.deepEqual([all.state, device.state], ["done", "idle"]);
    assert.notEqual(connecting(), "pending");
    assertNothingLeft(cloud);
    cloud.answer = agree;
    cloud.dialing = cloud.dialError = undefined;
    cloud.connection.isDeaf = false;
    const again = device.connect();
    await cloud.clock.settle();
    await again;
    assert.equal(device.state, "ready");
    void device.close();
    await cloud.clock.advance(2000);
    assertNothingLeft(cloud);
  });
}

describe("a signal that is aborted", () => {
  for (const [name, state, arrange] of stages) {
    if (state !== "connecting" && state !== "waiting") continue;
    test(`while ${name} ends a connect() that is not settled, and nothing else`, async () => {
      const controller = new AbortController();
      let connecting: { state: string } | undefined;
      const { cloud, device } = await stage((whole) =>
        arrange({
          ...whole,
          connect: async () => {
            connecting = watch(whole.device.connect({ signal: controller.signal }));
            await whole.cloud.clock.settle();
          },
        }),
      );
      const wasPending = connecting?.state === "pending";
      controller.abort();
      await cloud.clock.advance(100);
      assert.equal(connecting?.state, wasPending ? "ABORTED" : "done");
      if (wasPending) {
        assert.equal(device.state, "idle");
        assertNothingLeft(cloud);
      } else assert.notEqual(device.state, "idle");
      void device.close();
      await cloud.clock.advance(2000);
      assertNothingLeft(cloud);
    });
  }
});

describe("a listener that calls the device", () => {
  const names: DeviceEventName[] = ["connecting", "connected", "ready", "disconnected", "puback", "error"];
  const refusing: Answer = (packet, self) =>
    packet.type === "subscribe"
      ? self.send({ type: "suback", packetId: packet.packetId, reasonCodes: packet.subscriptions.map(() => 0x80) })
      : agree(packet, self);

  for (const name of names) {
    for (const action of ["close", "disconnect", "connect", "publish", "unsubscribe"] as const) {
      test(`${action}() from inside ${name}, at the first and at the second connection`, async () => {
        for (const round of [1, 2]) {
          const cloud = new FakeCloud({ answer: name === "error" ? refusing : agree });
          const device = cloud.create({ applicationTopics: ["app"], closeTimeoutMs: 1000 });
          const calls: { state: string }[] = [];
          let count = 0;
          device.on(name, () => {
            count += 1;
            if (count !== round) return;
            const call =
              action === "publish"
                ? device.publish("t", "x")
                : action === "unsubscribe"
                  ? device.unsubscribe("app")
                  : device[action]();
            calls.push(watch(call));
          });
          const connecting = watch(device.connect());
          await cloud.clock.settle();
          device.publish("t", "y").catch(() => undefined);
          await cloud.clock.settle();
          cloud.connection.end();
          await cloud.clock.advance(10_000);
          device.publish("t", "z").catch(() => undefined);
          await cloud.clock.settle();
          assert.notEqual(connecting.state, "pending");
          assert.equal(calls.length, count >= round ? 1 : 0);
          for (const { state } of calls) assert.notEqual(state, "pending");
          const expected: DeviceState[] =
            action === "close" ? ["closed"] : action === "disconnect" ? ["idle"] : ["ready"];
          if (calls.length > 0) assert.ok(expected.includes(device.state), `${device.state} after ${action}`);
          void device.close();
          await cloud.clock.advance(2000);
          assert.equal(device.state, "closed");
          assertNothingLeft(cloud);
        }
      });
    }
  }

  test("connect() from inside the last disconnected event of a device that does not reconnect", async () => {
    const cloud = new FakeCloud();
    const device = await cloud.connected({ reconnect: false });
    let again: { state: string } | undefined;
    device.on("disconnected", () => void (again ??= watch(device.connect())));
    cloud.connection.end();
    await cloud.clock.settle();
    assert.deepEqual([again?.state, device.state], ["done", "ready"]);
    assert.deepEqual(cloud.events.slice(3), [
      "disconnected closedByRemote CONNECTION_LOST",
      "connecting",
      "connected",
      "ready",
    ]);
    void device.close();
    await cloud.clock.settle();
    assertNothingLeft(cloud);
  });
});

test("a dialer that comes back after disconnect() has its connection destroyed", async () => {
  const cloud = new FakeCloud();
  const device = cloud.create();
  let arrived = (): void => undefined;
  cloud.dial = () => new Promise((resolve) => (arrived = () => resolve(cloud.connection)));
  const connecting = watch(device.connect());
  const disconnecting = watch(device.disconnect());
  await cloud.clock.settle();
  assert.equal(disconnecting.state, "pending");
  arrived();
  await cloud.clock.settle();
  assert.deepEqual([connecting.state, disconnecting.state, device.state], ["ABORTED", "done", "idle"]);
  assert.equal(cloud.connection.isDestroyed, true);
  assert.equal(cloud.clock.timerCount, 0);
});

test("a session that was lost between two connections: what was in flight is published anew", async () => {
  let isSessionPresent = true;
  const cloud = new FakeCloud({
    answer: (packet, self) => {
      if (packet.type === "connect") self.send({ type: "connack", isSessionPresent, reasonCode: 0 });
      else if (packet.type !== "publish") agree(packet, self);
    },
  });
  const device = cloud.create({ applicationTopics: ["app"] });
  const connecting = device.connect();
  await cloud.clock.settle();
  await connecting;
  const publishing = watch(device.publish("t", "x"));
  await cloud.clock.settle();
  assert.deepEqual(cloud.types(), ["connect", "publish"], "a resumed session has its subscriptions");
  isSessionPresent = false;
  cloud.connection.end();
  await cloud.clock.advance(2000);
  const [, subscribe, publish] = cloud.packets;
  assert.equal(subscribe?.type, "subscribe");
  assert.ok(publish?.type === "publish" && !publish.isDuplicate);
  cloud.send({ type: "puback", packetId: publish.packetId ?? 0, reasonCode: 0 });
  await cloud.clock.settle();
  assert.equal(publishing.state, "done");
  void device.close();
  await cloud.clock.settle();
});
