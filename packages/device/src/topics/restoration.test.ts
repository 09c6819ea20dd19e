import assert from "node:assert/strict";
import { describe, test } from "node:test";
import type { SubscribePacket, UnsubscribePacket } from "@thingline/protocol/mqtt";
import { agree, closesCleanly, failureOf, FakeCloud, readyDevice, watch } from "../client/fake-cloud.test.support.js";
import type { DeviceSubscription } from "./subscription.js";

function filtersOf(cloud: FakeCloud): string[][] {
  return cloud.packets.splice(0).flatMap((packet) => {
    if (packet.type === "subscribe") return [["+", ...packet.subscriptions.map(({ filter }) => filter)]];
    if (packet.type === "unsubscribe") return [["-", ...packet.filters]];
    return [];
  });
}

describe("subscriptions across a reconnect", () => {
  test("application topics and run-time filters are restored before ready, and loops live on", async () => {
    const cloud = new FakeCloud();
    const device = await readyDevice(cloud, { applicationTopics: ["app/a", "app/b"] });
    const subscribing = Promise.all([device.subscribe(["own/1", "own/2"]), device.subscribe("own/2", { qos: 0 })]);
    await cloud.clock.settle();
    const [subscription] = await subscribing;
    const topics: string[] = [];
    const looping = watch(
      (async () => {
        for await (const { topic } of subscription) topics.push(topic);
      })(),
    );
    cloud.packets.length = 0;
    cloud.connection.end();
    await cloud.clock.advance(2000);
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
    await cloud.clock.settle();
    assert.deepEqual(topics, ["own/1"]);
    assert.equal(looping.state, "pending");
    await closesCleanly(cloud, device);
    assert.equal(looping.state, "done");
  });

  test("lists that may have changed since are subscribed on a session of an earlier process, once", async () => {
    const cloud = new FakeCloud();
    const isKept: FakeCloud["answer"] = (packet, self) =>
      packet.type === "connect"
        ? self.send({ type: "connack", isSessionPresent: true, reasonCode: 0 })
        : agree(packet, self);
    cloud.answer = isKept;
    const connect = async (to: FakeCloud, settings: Parameters<FakeCloud["create"]>[0]) => {
      const made = to.create(settings);
      const connecting = made.connect();
      await to.clock.settle();
      await connecting;
      return made;
    };
    const lists = { applicationTopics: ["app/a"], shadowTopics: ["update/delta"] } as const;
    const device = await connect(cloud, { ...lists, trustsSession: false });
    assert.deepEqual(filtersOf(cloud), [
      ["+", "app/a"],
      ["+", `$aws/things/${device.clientId}/shadow/update/delta`],
    ]);
    cloud.connection.end();
    await cloud.clock.advance(2000);
    assert.equal(cloud.events.at(-1), "ready");
    assert.deepEqual(filtersOf(cloud), []);
    await closesCleanly(cloud, device);
    const trusting = new FakeCloud();
    trusting.answer = isKept;
    const other = await connect(trusting, lists);
    assert.deepEqual(filtersOf(trusting), []);
    await closesCleanly(trusting, other);
  });

  test("a session that the server kept is told only the difference", async () => {
    const cloud = new FakeCloud();
    const device = await readyDevice(cloud, { applicationTopics: ["app/a"] });
    const subscribing = Promise.all([device.subscribe("own/1"), device.subscribe("own/2")]);
    await cloud.clock.settle();
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
    await cloud.clock.advance(2000);
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
    await cloud.clock.settle();
    cloud.packets.length = 0;
    cloud.answer = (packet, self) =>
      packet.type === "connect"
        ? self.send({ type: "connack", isSessionPresent: true, reasonCode: 0 })
        : agree(packet, self);
    const connecting = device.connect({ applicationTopics: ["b", "c"] });
    await cloud.clock.settle();
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
    await cloud.clock.settle();
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
    await cloud.clock.advance(2000);
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
    await cloud.clock.advance(5000);
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
    await cloud.clock.advance(60_000);
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
    await cloud.clock.advance(2500);
    assert.ok(cloud.events.includes("disconnected misc TIMEOUT +"), cloud.events.join());
    await closesCleanly(cloud, device);
  });

  test("many filters go in packets of 8, and no more than the session takes at once", async () => {
    const cloud = new FakeCloud();
    const device = await readyDevice(cloud, { quotas: "none" });
    for (let part = 0; part < 2; part++) {
      const filters = Array.from({ length: 400 }, (_, index) => `${part}/${index}`);
      const subscribing = device.subscribe(filters);
      await cloud.clock.settle();
      await subscribing;
    }
    cloud.packets.length = 0;
    cloud.connection.end();
    await cloud.clock.advance(2000);
    assert.equal(device.state, "ready");
    assert.equal(cloud.types().filter((type) => type === "subscribe").length, 100);
    await closesCleanly(cloud, device);
  });

  test("many filters that nobody wants any more go likewise, and one closed meanwhile is not restored", async () => {
    const cloud = new FakeCloud();
    const device = await readyDevice(cloud, { quotas: "none" });
    const own: DeviceSubscription[] = [];
    for (let part = 0; part < 2; part++) {
      const subscribing = device.subscribe(Array.from({ length: 400 }, (_, index) => `${part}/${index}`));
      await cloud.clock.settle();
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
    await cloud.clock.advance(2000);
    await closing;
    assert.equal(device.state, "ready");
    assert.equal(seen.filter((type) => type === "unsubscribe").length, 100);
    cloud.packets.length = 0;
    cloud.answer = agree;
    cloud.connection.end();
    await cloud.clock.advance(5000);
    assert.deepEqual(filtersOf(cloud), []);

    const both = device.subscribe(Array.from({ length: 200 }, (_, index) => `x/${index}`));
    await cloud.clock.settle();
    const last = await both;
    cloud.connection.end();
    cloud.packets.length = 0;
    let isFirst = true;
    cloud.answer = (packet, self) => {
      if (packet.type === "subscribe" && isFirst) void last.close();
      isFirst &&= packet.type !== "subscribe";
      agree(packet, self);
    };
    await cloud.clock.advance(10_000);
    assert.equal(device.state, "ready");
    const filters = filtersOf(cloud);
    // What was on its way is taken back, the rest is not sent.
    assert.equal(filters.filter(([sign]) => sign === "+").length, 16);
    await closesCleanly(cloud, device);
  });

  test("subscribe() between connections waits for one, within a limit, and can be aborted", async () => {
    const cloud = new FakeCloud();
    const device = await readyDevice(cloud, { quotas: "none" });
    cloud.connection.end();
    const controller = new AbortController();
    const calls = Array.from({ length: 64 }, (_, index) => watch(device.subscribe(`s/${index}`)));
    assert.equal((await failureOf(cloud, device.subscribe("over"))).code, "LIMIT_EXCEEDED");
    await cloud.clock.advance(2000);
    assert.ok(calls.every(({ state }) => state === "done"));
    cloud.connection.end();
    const aborted = watch(device.subscribe("x", { signal: controller.signal }));
    await cloud.clock.settle();
    controller.abort();
    await cloud.clock.settle();
    assert.equal(aborted.state, "ABORTED");
    const disconnected = watch(device.subscribe("y"));
    await cloud.clock.settle();
    void device.disconnect();
    await cloud.clock.settle();
    assert.equal(disconnected.state, "CONNECTION_LOST");
    assert.equal((await failureOf(cloud, device.subscribe("z"))).code, "CONNECTION_LOST");
    await closesCleanly(cloud, device);
  });

  test("one that was in flight when the connection ended is not tried again", async () => {
    const cloud = new FakeCloud({ answer: (packet, self) => packet.type === "connect" && agree(packet, self) });
    const device = await readyDevice(cloud);
    const subscribing = watch(device.subscribe("$SYS/#"));
    await cloud.clock.settle();
    cloud.packets.length = 0;
    cloud.connection.end();
    await cloud.clock.advance(2000);
    assert.equal(subscribing.state, "CONNECTION_LOST");
    assert.deepEqual(filtersOf(cloud), []);
    await closesCleanly(cloud, device);
  });

  test("disconnect() pauses a loop, and connect() wakes it again", async () => {
    const cloud = new FakeCloud();
    const device = await readyDevice(cloud);
    const subscribing = device.subscribe("a");
    await cloud.clock.settle();
    const subscription = await subscribing;
    const got: string[] = [];
    const looping = watch(
      (async () => {
        for await (const { topic } of subscription) got.push(topic);
      })(),
    );
    void device.disconnect();
    await cloud.clock.settle();
    assert.deepEqual([device.state, looping.state], ["idle", "pending"]);
    assert.equal(cloud.clock.timerCount, 0);
    const connecting = device.connect();
    await cloud.clock.settle();
    await connecting;
    cloud.send(cloud.message("a"));
    await cloud.clock.settle();
    assert.deepEqual(got, ["a"]);
    await closesCleanly(cloud, device);
  });
});
