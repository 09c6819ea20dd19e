import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { ThinglineError } from "@thingline/protocol";
import type { PublishPacket } from "@thingline/protocol/mqtt";
import {
  agree,
  type Answer,
  closesCleanly,
  failureOf,
  FakeCloud,
  readyDevice,
  watch,
} from "../client/fake-cloud.test.support.js";
import { connectResultOf } from "./result.js";

const silent: Answer = (packet, self) => packet.type !== "publish" && agree(packet, self);

describe("a device that stays connected", () => {
  test("comes back after a cut, not before a second, and says when", async () => {
    const cloud = new FakeCloud();
    const device = cloud.create();
    assert.equal(device.state, "idle");
    assert.equal(device.connection, undefined);
    const connecting = device.connect();
    assert.equal(device.state, "connecting");
    await cloud.clock.settle();
    await connecting;
    assert.equal(device.state, "ready");
    let retryInMs = 0;
    device.on("disconnected", (event) => void (retryInMs = event.retryInMs ?? -1));
    cloud.connection.end();
    assert.equal(device.state, "waiting");
    assert.equal(device.connection, undefined);
    assert.ok(retryInMs >= 1000, `${retryInMs}`);
    await cloud.clock.advance(retryInMs - 1);
    assert.equal(cloud.dialCount, 1);
    await cloud.clock.advance(1);
    assert.equal(cloud.dialCount, 2);
    assert.equal(device.state, "ready");
    assert.deepEqual(cloud.events, [
      "connecting",
      "connected",
      "ready",
      "disconnected closedByRemote CONNECTION_LOST +",
      "connecting",
      "connected",
      "ready",
    ]);
    await closesCleanly(cloud, device);
  });

  test("goes on for ever with growing waits while nobody answers, then is as new", async () => {
    const cloud = new FakeCloud();
    const device = await readyDevice(cloud);
    await cloud.clock.advance(60_000);
    cloud.dialError = new ThinglineError("HOST_NOT_FOUND", "no such name");
    cloud.connection.end();
    await cloud.clock.advance(3_600_000);
    const waits = cloud.dialedAtMs.slice(1).map((atMs, index) => atMs - (cloud.dialedAtMs[index] ?? 0));
    assert.ok(cloud.dialCount > 60 && cloud.dialCount < 260, `${cloud.dialCount} attempts in an hour`);
    assert.ok(Math.max(...waits.slice(1)) <= 60_000);
    assert.equal(device.state, "waiting");
    assert.equal(cloud.events.at(-1), "connecting network +");
    cloud.dialError = undefined;
    await cloud.clock.advance(60_000);
    assert.equal(device.state, "ready");
    await closesCleanly(cloud, device);
  });

  test("the 24-hour cut is taken in stride", async () => {
    const cloud = new FakeCloud();
    const device = await readyDevice(cloud, { keepAliveSeconds: 1200 });
    for (let day = 0; day < 3; day++) {
      await cloud.clock.advance(86_400_000);
      const cutAtMs = cloud.clock.monotonicMs();
      cloud.connection.end();
      await cloud.clock.advance(1000);
      assert.equal(device.state, "ready");
      assert.equal(cloud.dialedAtMs.at(-1), cutAtMs + 1000);
    }
    await closesCleanly(cloud, device);
  });

  test("an error that no attempt can mend ends it, and is told as an error event", async () => {
    const cloud = new FakeCloud();
    const device = await readyDevice(cloud);
    const waiting = watch(device.publish("t", "x"));
    await cloud.clock.settle();
    cloud.events.length = 0;
    cloud.dialError = new ThinglineError("KEY_MISMATCH", "the key was exchanged");
    cloud.connection.end();
    const late = watch(device.publish("t", "x"));
    await cloud.clock.advance(5000);
    assert.deepEqual(cloud.events.slice(1), ["connecting", "connecting privateKey", "error KEY_MISMATCH"]);
    assert.equal(device.state, "idle");
    assert.deepEqual([waiting.state, late.state], ["done", "KEY_MISMATCH"]);
    cloud.dialError = undefined;
    const again = device.connect();
    await cloud.clock.settle();
    await again;
    await closesCleanly(cloud, device);
  });

  test("attemptsMax ends it as well", async () => {
    const cloud = new FakeCloud();
    const device = await readyDevice(cloud, { reconnect: { attemptsMax: 3 } });
    cloud.dialError = new ThinglineError("HOST_NOT_FOUND", "no");
    cloud.connection.end();
    await cloud.clock.advance(60_000);
    assert.deepEqual(cloud.events.slice(1), [
      "connecting",
      "connecting network +",
      "connecting",
      "connecting network +",
      "connecting",
      "connecting network",
      "error HOST_NOT_FOUND",
    ]);
    assert.equal(device.state, "idle");
    await closesCleanly(cloud, device);
  });

  test("a denial is tried again, with the advice in every event", async () => {
    const cloud = new FakeCloud();
    const device = await readyDevice(cloud);
    const messages: string[] = [];
    device.on("disconnected", ({ error }) => void messages.push(error?.message ?? ""));
    cloud.answer = (packet, self) => packet.type === "connect" && self.connection.end();
    cloud.connection.end();
    await cloud.clock.advance(30_000);
    assert.ok(messages.length >= 4);
    for (const message of messages.slice(1)) assert.match(message, /closed the connection without answering CONNECT/);
    await closesCleanly(cloud, device);
  });
});

describe("the first attempt", () => {
  test("fails the call by default, and the device can connect again", async () => {
    const cloud = new FakeCloud();
    cloud.dialError = new ThinglineError("HOST_NOT_FOUND", "no");
    const device = cloud.create();
    const error = await failureOf(cloud, device.connect());
    assert.equal(connectResultOf(error), "network");
    assert.deepEqual(cloud.events, ["connecting", "connecting network"]);
    assert.equal(device.state, "idle");
    assert.equal(cloud.clock.timerCount, 0);
    cloud.dialError = undefined;
    const connecting = device.connect();
    await cloud.clock.settle();
    await connecting;
    await closesCleanly(cloud, device);
  });

  test("is one of many with firstAttempt: retry", async () => {
    const cloud = new FakeCloud();
    cloud.dialError = new ThinglineError("HOST_NOT_FOUND", "no");
    const device = cloud.create({ reconnect: { firstAttempt: "retry" } });
    const connecting = watch(device.connect());
    await cloud.clock.advance(10_000);
    assert.deepEqual([connecting.state, device.state], ["pending", "waiting"]);
    cloud.dialError = undefined;
    await cloud.clock.advance(60_000);
    assert.deepEqual([connecting.state, device.state], ["done", "ready"]);
    await closesCleanly(cloud, device);
  });

  test("with retry still fails when it is final, or when attempts run out", async () => {
    for (const [code, attemptsMax] of [
      ["CREDENTIAL_MISSING", undefined],
      ["HOST_NOT_FOUND", 2],
    ] as const) {
      const cloud = new FakeCloud();
      cloud.dialError = new ThinglineError(code, "no");
      const device = cloud.create({
        reconnect: { firstAttempt: "retry", ...(attemptsMax === undefined ? {} : { attemptsMax }) },
      });
      const error = await failureOf(cloud, device.connect(), 5000);
      assert.equal(error.code, code);
      assert.equal(cloud.dialCount, attemptsMax ?? 1);
      assert.equal(
        cloud.events.some((event) => event.startsWith("error")),
        false,
        "the caller has it",
      );
      await closesCleanly(cloud, device);
    }
  });

  test("a second connect() is refused in every state but idle", async () => {
    const cloud = new FakeCloud();
    const device = cloud.create({ reconnect: { firstAttempt: "retry" } });
    const refused = async (): Promise<void> => {
      const error = await failureOf(cloud, device.connect());
      assert.deepEqual([error.code, connectResultOf(error)], ["ALREADY_CONNECTED", "alreadyConnected"]);
    };
    const connecting = device.connect();
    await refused();
    await connecting;
    await refused();
    cloud.connection.end();
    assert.equal(device.state, "waiting");
    await refused();
    const disconnecting = device.disconnect();
    await disconnecting;
    assert.equal(device.state, "idle");
    await closesCleanly(cloud, device);
  });
});

test("a CONNACK that refuses for good is told once", async () => {
  const cloud = new FakeCloud();
  const device = await readyDevice(cloud);
  cloud.answer = (_packet, self) => self.send({ type: "connack", isSessionPresent: false, reasonCode: 2 });
  cloud.connection.end();
  await cloud.clock.advance(10_000);
  assert.deepEqual(cloud.events.slice(1), [
    "connecting",
    "error MQTT_CONNECT_REFUSED",
    "disconnected misc MQTT_CONNECT_REFUSED",
  ]);
  assert.equal(device.state, "idle");
  await closesCleanly(cloud, device);
});

test("what connectDevice holds for its caller is not delivered twice when the first connection breaks before ready", async () => {
  let cuts = 2;
  const cloud = new FakeCloud({
    answer: (packet, self) => {
      if (packet.type === "connect") {
        const connack = { type: "connack", isSessionPresent: cuts < 2, reasonCode: 0 } as const;
        self.send(connack, self.message("kept", { qos: 1, packetId: 5 }), self.message("lost", { qos: 0 }));
      } else if (packet.type === "subscribe" && cuts > 0) {
        cuts -= 1;
        self.connection.end();
      } else agree(packet, self);
    },
  });
  const connecting = cloud.connect({ applicationTopics: ["a"], reconnect: { firstAttempt: "retry" } });
  const topics: string[] = [];
  const listening = connecting.then((device) => {
    device.on("data", ({ topic }) => void topics.push(topic));
    return device;
  });
  await cloud.clock.advance(10_000);
  const device = await listening;
  assert.equal(cuts, 0);
  assert.deepEqual(topics.sort(), ["kept", "lost", "lost", "lost"]);
  await closesCleanly(cloud, device);
});

describe("messages across a reconnect", () => {
  for (const isSessionPresent of [true, false]) {
    test(`QoS 1 in flight and waiting resolves with PUBACK, session present: ${isSessionPresent}`, async () => {
      const cloud = new FakeCloud({ answer: silent });
      const device = await readyDevice(cloud, { inflightMax: 2, ackTimeoutMs: 5000 });
      const before = [1, 2, 3].map((n) => watch(device.publish(`t/${n}`, String(n))));
      await cloud.clock.advance(4000);
      cloud.dialError = new ThinglineError("HOST_NOT_FOUND", "no");
      cloud.connection.end();
      const between = watch(device.publish("t/4", "4"));
      const zero = watch(device.publish("t/0", "0", { qos: 0 }));
      await cloud.clock.advance(100_000);
      assert.deepEqual(
        [...before, between].map(({ state }) => state),
        Array(4).fill("pending"),
      );
      assert.equal(zero.state, "CONNECTION_LOST");
      cloud.types();
      cloud.dialError = undefined;
      cloud.answer = (packet, self) =>
        packet.type === "connect"
          ? self.send({ type: "connack", isSessionPresent, reasonCode: 0 })
          : agree(packet, self);
      await cloud.clock.advance(60_000);
      assert.deepEqual(
        [...before, between].map(({ state }) => state),
        Array(4).fill("done"),
      );
      const sent = cloud.packets.filter((packet): packet is PublishPacket => packet.type === "publish");
      assert.deepEqual(
        sent.map(({ topic, isDuplicate }) => [topic, isDuplicate]),
        [
          ["t/1", isSessionPresent],
          ["t/2", isSessionPresent],
          ["t/3", false],
          ["t/4", false],
        ],
      );
      await closesCleanly(cloud, device);
    });
  }

  test("the queue between connections is bounded", async () => {
    const cloud = new FakeCloud();
    const device = await readyDevice(cloud, { queueMax: 2 });
    cloud.connection.end();
    const states = [1, 2, 3].map((n) => watch(device.publish("t", String(n))));
    await cloud.clock.settle();
    assert.deepEqual(
      states.map(({ state }) => state),
      ["pending", "pending", "LIMIT_EXCEEDED"],
    );
    await closesCleanly(cloud, device);
    assert.deepEqual(
      states.map(({ state }) => state),
      ["CLOSED", "CLOSED", "LIMIT_EXCEEDED"],
    );
  });

  test("a message handled late is not acknowledged on a newer connection", async () => {
    const cloud = new FakeCloud();
    const device = await readyDevice(cloud);
    let finish = (): void => undefined;
    device.on("data", () => new Promise((resolve) => (finish = resolve)));
    cloud.send(cloud.message("a", { qos: 1, packetId: 9 }));
    await cloud.clock.settle();
    cloud.connection.end();
    await cloud.clock.advance(2000);
    finish();
    await cloud.clock.settle();
    assert.deepEqual(cloud.types(), ["connect"]);
    await closesCleanly(cloud, device);
  });
});
