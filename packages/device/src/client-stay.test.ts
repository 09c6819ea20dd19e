import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { ThinglineError } from "@thingline/protocol";
import type { PublishPacket, SubscribePacket, UnsubscribePacket } from "@thingline/protocol/mqtt";
import type { Device } from "./client.js";
import type { DeviceSubscription } from "./client-subscription.js";
import { connectResultOf } from "./client-result.js";
import { agree, type Answer, FakeCloud, type FakeSettings, failureOf, watch } from "./client.test.harness.js";

const silent: Answer = (packet, self) => packet.type !== "publish" && agree(packet, self);

async function readyDevice(cloud: FakeCloud, settings: FakeSettings = {}): Promise<Device> {
  const device = cloud.create(settings);
  const connecting = device.connect();
  await cloud.clock.flush();
  await connecting;
  cloud.events.length = 0;
  cloud.types();
  return device;
}

async function closesCleanly(cloud: FakeCloud, device: Device): Promise<void> {
  const closing = device.close();
  await cloud.clock.flush();
  await closing;
  assert.equal(device.state, "closed");
  assert.equal(cloud.clock.timerCount, 0, "a timer is left");
  if (cloud.connection.isStarted) assert.equal(cloud.connection.isEnded, true, "a connection is left");
  await cloud.clock.pass(600_000);
  assert.equal(cloud.clock.timerCount, 0);
}

function filtersOf(cloud: FakeCloud): string[][] {
  return cloud.packets.splice(0).flatMap((packet) => {
    if (packet.type === "subscribe") return [["+", ...packet.subscriptions.map(({ filter }) => filter)]];
    if (packet.type === "unsubscribe") return [["-", ...packet.filters]];
    return [];
  });
}

describe("a device that stays connected", () => {
  test("comes back after a cut, not before a second, and says when", async () => {
    const cloud = new FakeCloud();
    const device = cloud.create();
    assert.equal(device.state, "idle");
    assert.equal(device.connection, undefined);
    const connecting = device.connect();
    assert.equal(device.state, "connecting");
    await cloud.clock.flush();
    await connecting;
    assert.equal(device.state, "ready");
    let retryInMs = 0;
    device.on("disconnected", (event) => void (retryInMs = event.retryInMs ?? -1));
    cloud.connection.end();
    assert.equal(device.state, "waiting");
    assert.equal(device.connection, undefined);
    assert.ok(retryInMs >= 1000, `${retryInMs}`);
    await cloud.clock.pass(retryInMs - 1);
    assert.equal(cloud.dialCount, 1);
    await cloud.clock.pass(1);
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
    await cloud.clock.pass(60_000);
    cloud.dialError = new ThinglineError("HOST_NOT_FOUND", "no such name");
    cloud.connection.end();
    await cloud.clock.pass(3_600_000);
    const waits = cloud.dialedAtMs.slice(1).map((atMs, index) => atMs - (cloud.dialedAtMs[index] ?? 0));
    assert.ok(cloud.dialCount > 60 && cloud.dialCount < 260, `${cloud.dialCount} attempts in an hour`);
    assert.ok(Math.max(...waits.slice(1)) <= 60_000);
    assert.equal(device.state, "waiting");
    assert.equal(cloud.events.at(-1), "connecting network +");
    cloud.dialError = undefined;
    await cloud.clock.pass(60_000);
    assert.equal(device.state, "ready");
    await closesCleanly(cloud, device);
  });

  test("the 24-hour cut is taken in stride", async () => {
    const cloud = new FakeCloud();
    const device = await readyDevice(cloud, { keepAliveSeconds: 1200 });
    for (let day = 0; day < 3; day++) {
      await cloud.clock.pass(86_400_000);
      const cutAtMs = cloud.clock.monotonicMs();
      cloud.connection.end();
      await cloud.clock.pass(1000);
      assert.equal(device.state, "ready");
      assert.equal(cloud.dialedAtMs.at(-1), cutAtMs + 1000);
    }
    await closesCleanly(cloud, device);
  });

  test("an error that no attempt can mend ends it, and is told as an error event", async () => {
    const cloud = new FakeCloud();
    const device = await readyDevice(cloud);
    const waiting = watch(device.publish("t", "x"));
    await cloud.clock.flush();
    cloud.events.length = 0;
    cloud.dialError = new ThinglineError("KEY_MISMATCH", "the key was exchanged");
    cloud.connection.end();
    const late = watch(device.publish("t", "x"));
    await cloud.clock.pass(5000);
    assert.deepEqual(cloud.events.slice(1), ["connecting", "connecting privateKey", "error KEY_MISMATCH"]);
    assert.equal(device.state, "idle");
    assert.deepEqual([waiting.state, late.state], ["done", "KEY_MISMATCH"]);
    cloud.dialError = undefined;
    const again = device.connect();
    await cloud.clock.flush();
    await again;
    await closesCleanly(cloud, device);
  });

  test("attemptsMax ends it as well", async () => {
    const cloud = new FakeCloud();
    const device = await readyDevice(cloud, { reconnect: { attemptsMax: 3 } });
    cloud.dialError = new ThinglineError("HOST_NOT_FOUND", "no");
    cloud.connection.end();
    await cloud.clock.pass(60_000);
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
    await cloud.clock.pass(30_000);
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
    await cloud.clock.flush();
    await connecting;
    await closesCleanly(cloud, device);
  });

  test("is one of many with firstAttempt: retry", async () => {
    const cloud = new FakeCloud();
    cloud.dialError = new ThinglineError("HOST_NOT_FOUND", "no");
    const device = cloud.create({ reconnect: { firstAttempt: "retry" } });
    const connecting = watch(device.connect());
    await cloud.clock.pass(10_000);
    assert.deepEqual([connecting.state, device.state], ["pending", "waiting"]);
    cloud.dialError = undefined;
    await cloud.clock.pass(60_000);
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

describe("messages across a reconnect", () => {
  for (const isSessionPresent of [true, false]) {
    test(`QoS 1 in flight and waiting resolves with PUBACK, session present: ${isSessionPresent}`, async () => {
      const cloud = new FakeCloud({ answer: silent });
      const device = await readyDevice(cloud, { inflightMax: 2, ackTimeoutMs: 5000 });
      const before = [1, 2, 3].map((n) => watch(device.publish(`t/${n}`, String(n))));
      await cloud.clock.pass(4000);
      cloud.dialError = new ThinglineError("HOST_NOT_FOUND", "no");
      cloud.connection.end();
      const between = watch(device.publish("t/4", "4"));
      const zero = watch(device.publish("t/0", "0", { qos: 0 }));
      await cloud.clock.pass(100_000);
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
      await cloud.clock.pass(60_000);
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
    await cloud.clock.flush();
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
    await cloud.clock.flush();
    cloud.connection.end();
    await cloud.clock.pass(2000);
    finish();
    await cloud.clock.flush();
    assert.deepEqual(cloud.types(), ["connect"]);
    await closesCleanly(cloud, device);
  });
});

describe("subscriptions across a reconnect", () => {
  test("application topics and run-time filters are restored before ready, and loops live on", async () => {
    const cloud = new FakeCloud();
    const device = await readyDevice(cloud, { applicationTopics: ["app/a", "app/b"] });
    const subscribing = Promise.all([device.subscribe(["own/1", "own/2"]), device.subscribe("own/2", { qos: 0 })]);
    await cloud.clock.flush();
    const [subscription] = await subscribing;
    const topics: string[] = [];
    const looping = watch(
      (async () => {
        for await (const { topic } of subscription) topics.push(topic);
      })(),
    );
    cloud.packets.length = 0;
    cloud.connection.end();
    await cloud.clock.pass(2000);
    const subscribes = cloud.packets.filter((packet): packet is SubscribePacket => packet.type === "subscribe");
    assert.deepEqual(
      subscribes.map(({ subscriptions }) => subscriptions.map(({ filter, qos }) => `${filter} ${qos}`)),
      [
        ["app/a 1", "app/b 1"],
        ["own/1 1", "own/2 1"],
      ],
    );
    assert.equal(cloud.events.at(-1), "ready");
    cloud.send(cloud.message("own/1"));
    await cloud.clock.flush();
    assert.deepEqual(topics, ["own/1"]);
    assert.equal(looping.state, "pending");
    await closesCleanly(cloud, device);
    assert.equal(looping.state, "done");
  });

  test("a session that the server kept is told only the difference", async () => {
    const cloud = new FakeCloud();
    const device = await readyDevice(cloud, { applicationTopics: ["app/a"] });
    const subscribing = Promise.all([device.subscribe("own/1"), device.subscribe("own/2")]);
    await cloud.clock.flush();
    const [first] = await subscribing;
    cloud.packets.length = 0;
    cloud.connection.end();
    await first.close();
    await device.unsubscribe("app/a");
    const late = watch(device.subscribe("own/3"));
    cloud.answer = (packet, self) =>
      packet.type === "connect"
        ? self.send({ type: "connack", isSessionPresent: true, reasonCode: 0 })
        : agree(packet, self);
    await cloud.clock.pass(2000);
    assert.equal(late.state, "done");
    assert.deepEqual(filtersOf(cloud), [
      ["-", "app/a", "own/1"],
      ["+", "own/3"],
    ]);
    await closesCleanly(cloud, device);
  });

  test("new application topics of a later connect() are the difference, too", async () => {
    const cloud = new FakeCloud();
    const device = await readyDevice(cloud, { applicationTopics: ["a", "b"] });
    void device.disconnect();
    await cloud.clock.flush();
    cloud.packets.length = 0;
    cloud.answer = (packet, self) =>
      packet.type === "connect"
        ? self.send({ type: "connack", isSessionPresent: true, reasonCode: 0 })
        : agree(packet, self);
    const connecting = device.connect({ applicationTopics: ["b", "c"] });
    await cloud.clock.flush();
    await connecting;
    assert.deepEqual(filtersOf(cloud), [
      ["-", "a"],
      ["+", "c"],
    ]);
    assert.equal((await failureOf(cloud, device.connect({ applicationTopics: ["#/"] }))).code, "OPTION_INVALID");
    await closesCleanly(cloud, device);
  });

  test("a filter refused at restoration ends its subscription with an error, and gives the others back", async () => {
    const cloud = new FakeCloud();
    const device = await readyDevice(cloud);
    const subscribing = Promise.all([device.subscribe(["own/1", "own/2"]), device.subscribe("own/3")]);
    await cloud.clock.flush();
    const [subscription, other] = await subscribing;
    const looping = watch(
      (async () => {
        for await (const message of subscription) assert.fail(message.topic);
      })(),
    );
    cloud.events.length = cloud.packets.length = 0;
    cloud.answer = (packet, self) =>
      packet.type === "subscribe"
        ? self.send({
            type: "suback",
            packetId: packet.packetId,
            reasonCodes: packet.subscriptions.map(({ filter }) => (filter === "own/2" ? 0x80 : 1)),
          })
        : agree(packet, self);
    cloud.connection.end();
    await cloud.clock.pass(2000);
    assert.deepEqual(cloud.events.slice(1), [
      "connecting",
      "connected",
      "error MQTT_SUBSCRIPTION_REFUSED",
      "ready own/2",
    ]);
    assert.equal(looping.state, "MQTT_SUBSCRIPTION_REFUSED");
    assert.deepEqual([subscription.isClosed, other.isClosed], [true, false]);
    const gaveBack = cloud.packets.filter((packet): packet is UnsubscribePacket => packet.type === "unsubscribe");
    assert.deepEqual(
      gaveBack.map(({ filters }) => filters),
      [["own/1", "own/2"]],
    );
    cloud.packets.length = 0;
    cloud.connection.end();
    await cloud.clock.pass(5000);
    assert.deepEqual(filtersOf(cloud), [["+", "own/3"]]);
    await closesCleanly(cloud, device);
  });

  test("a cut in the middle of the restoration begins it again", async () => {
    const cloud = new FakeCloud();
    const applicationTopics = Array.from({ length: 20 }, (_, index) => `t/${index}`);
    const device = await readyDevice(cloud, { applicationTopics });
    let cuts = 3;
    cloud.answer = (packet, self) => {
      if (packet.type === "subscribe" && cuts > 0) {
        cuts -= 1;
        self.connection.end();
      } else agree(packet, self);
    };
    cloud.connection.end();
    await cloud.clock.pass(60_000);
    assert.equal(cuts, 0);
    assert.equal(device.state, "ready");
    assert.equal(cloud.events.filter((event) => event === "ready").length, 1);
    await closesCleanly(cloud, device);
  });

  test("no SUBACK at restoration is a time-out, and another attempt", async () => {
    const cloud = new FakeCloud();
    const device = await readyDevice(cloud, { applicationTopics: ["a"], ackTimeoutMs: 1000 });
    cloud.answer = (packet, self) => packet.type === "connect" && agree(packet, self);
    cloud.connection.end();
    await cloud.clock.pass(2500);
    assert.ok(cloud.events.includes("disconnected misc TIMEOUT +"), cloud.events.join());
    await closesCleanly(cloud, device);
  });

  test("many filters go in packets of 8, and no more than the session takes at once", async () => {
    const cloud = new FakeCloud();
    const device = await readyDevice(cloud);
    for (let part = 0; part < 2; part++) {
      const filters = Array.from({ length: 400 }, (_, index) => `${part}/${index}`);
      const subscribing = device.subscribe(filters);
      await cloud.clock.flush();
      await subscribing;
    }
    cloud.packets.length = 0;
    cloud.connection.end();
    await cloud.clock.pass(2000);
    assert.equal(device.state, "ready");
    assert.equal(cloud.types().filter((type) => type === "subscribe").length, 100);
    await closesCleanly(cloud, device);
  });

  test("many filters that nobody wants any more go likewise, and one closed meanwhile is not restored", async () => {
    const cloud = new FakeCloud();
    const device = await readyDevice(cloud);
    const own: DeviceSubscription[] = [];
    for (let part = 0; part < 2; part++) {
      const subscribing = device.subscribe(Array.from({ length: 400 }, (_, index) => `${part}/${index}`));
      await cloud.clock.flush();
      own.push(await subscribing);
    }
    const [first, second] = own;
    cloud.connection.end();
    await first?.close();
    let closing: Promise<void> | undefined;
    const seen: string[] = [];
    cloud.answer = (packet, self) => {
      if (packet.type === "connect") self.send({ type: "connack", isSessionPresent: true, reasonCode: 0 });
      else agree(packet, self);
      seen.push(packet.type);
      if (seen.length === 3) closing = second?.close();
    };
    await cloud.clock.pass(2000);
    await closing;
    assert.equal(device.state, "ready");
    assert.equal(seen.filter((type) => type === "unsubscribe").length, 100);
    cloud.packets.length = 0;
    cloud.answer = agree;
    cloud.connection.end();
    await cloud.clock.pass(5000);
    assert.deepEqual(filtersOf(cloud), []);

    const both = device.subscribe(Array.from({ length: 200 }, (_, index) => `x/${index}`));
    await cloud.clock.flush();
    const last = await both;
    cloud.connection.end();
    cloud.packets.length = 0;
    let isFirst = true;
    cloud.answer = (packet, self) => {
      if (packet.type === "subscribe" && isFirst) void last.close();
      isFirst &&= packet.type !== "subscribe";
      agree(packet, self);
    };
    await cloud.clock.pass(10_000);
    assert.equal(device.state, "ready");
    const filters = filtersOf(cloud);
    // What was on its way is taken back, the rest is not sent.
    assert.equal(filters.filter(([sign]) => sign === "+").length, 16);
    await closesCleanly(cloud, device);
  });

  test("subscribe() between connections waits for one, within a limit, and can be aborted", async () => {
    const cloud = new FakeCloud();
    const device = await readyDevice(cloud);
    cloud.connection.end();
    const controller = new AbortController();
    const calls = Array.from({ length: 64 }, (_, index) => watch(device.subscribe(`s/${index}`)));
    assert.equal((await failureOf(cloud, device.subscribe("over"))).code, "LIMIT_EXCEEDED");
    await cloud.clock.pass(2000);
    assert.ok(calls.every(({ state }) => state === "done"));
    cloud.connection.end();
    const aborted = watch(device.subscribe("x", { signal: controller.signal }));
    await cloud.clock.flush();
    controller.abort();
    await cloud.clock.flush();
    assert.equal(aborted.state, "ABORTED");
    const disconnected = watch(device.subscribe("y"));
    await cloud.clock.flush();
    void device.disconnect();
    await cloud.clock.flush();
    assert.equal(disconnected.state, "CONNECTION_LOST");
    assert.equal((await failureOf(cloud, device.subscribe("z"))).code, "CONNECTION_LOST");
    await closesCleanly(cloud, device);
  });

  test("one that was in flight when the connection ended is not tried again", async () => {
    const cloud = new FakeCloud({ answer: (packet, self) => packet.type === "connect" && agree(packet, self) });
    const device = await readyDevice(cloud);
    const subscribing = watch(device.subscribe("$SYS/#"));
    await cloud.clock.flush();
    cloud.packets.length = 0;
    cloud.connection.end();
    await cloud.clock.pass(2000);
    assert.equal(subscribing.state, "CONNECTION_LOST");
    assert.deepEqual(filtersOf(cloud), []);
    await closesCleanly(cloud, device);
  });

  test("disconnect() pauses a loop, and connect() wakes it again", async () => {
    const cloud = new FakeCloud();
    const device = await readyDevice(cloud);
    const subscribing = device.subscribe("a");
    await cloud.clock.flush();
    const subscription = await subscribing;
    const got: string[] = [];
    const looping = watch(
      (async () => {
        for await (const { topic } of subscription) got.push(topic);
      })(),
    );
    void device.disconnect();
    await cloud.clock.flush();
    assert.deepEqual([device.state, looping.state], ["idle", "pending"]);
    assert.equal(cloud.clock.timerCount, 0);
    const connecting = device.connect();
    await cloud.clock.flush();
    await connecting;
    cloud.send(cloud.message("a"));
    await cloud.clock.flush();
    assert.deepEqual(got, ["a"]);
    await closesCleanly(cloud, device);
  });
});
