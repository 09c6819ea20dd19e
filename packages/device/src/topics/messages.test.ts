import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { ThinglineError } from "@thingline/protocol";
import { encodeToBytes, type PublishPacket } from "@thingline/protocol/mqtt";
import { highWaterBytes } from "@thingline/transport";
import { agree, type Answer, closesCleanly, FakeCloud, watch } from "../client/fake-cloud.test.support.js";
import { shadowsMax } from "../shadow/shadows.js";
import type { DeviceMessage } from "./message.js";
import { MessageRouter, routesMax } from "./router.js";
import { defaultSubscriptionQueueMax } from "./subscription.js";
import { waitingSubscribesMax } from "./topics.js";

/** Connects and subscribes, and leaves everything else to the test. */
const onlyConnects: Answer = (packet, self) => packet.type !== "publish" && agree(packet, self);

async function codeOf(cloud: FakeCloud, promise: Promise<unknown>): Promise<string> {
  const settled = promise.then(
    () => "done",
    (error: unknown) => (error instanceof ThinglineError ? error.code : String(error)),
  );
  await cloud.clock.settle();
  return settled;
}

test("without a connection waitingSubscribesMax calls of subscribe() wait, and one more is refused", async () => {
  const cloud = new FakeCloud();
  cloud.dialing = new Promise(() => undefined);
  const device = cloud.create({ quotas: "none" });
  void device.connect().catch(() => undefined);
  await cloud.clock.settle();
  const waiting = Array.from({ length: waitingSubscribesMax }, (_, index) => watch(device.subscribe(`t/${index}`)));
  assert.equal(await codeOf(cloud, device.subscribe("one/more")), "LIMIT_EXCEEDED");
  assert.ok(waiting.every(({ state }) => state === "pending"));
  await closesCleanly(cloud, device);
  assert.ok(waiting.every(({ state }) => state === "CLOSED"));
});

test("a device works with shadowsMax shadows, and those are the same whenever they are asked for", async () => {
  const cloud = new FakeCloud();
  const device = await cloud.connected();
  const shadows = Array.from({ length: shadowsMax }, (_, index) => device.shadow(`s${index}`));
  assert.throws(() => device.shadow("one-more"), { code: "LIMIT_EXCEEDED" });
  assert.equal(device.shadow("s0"), shadows[0]);
  await closesCleanly(cloud, device);
});

describe("publish", () => {
  test("QoS 1 resolves with PUBACK, QoS 0 when it was handed over", async () => {
    const cloud = new FakeCloud({ answer: onlyConnects });
    const device = await cloud.connected();
    const zero = watch(device.publish("t/0", "zero", { qos: 0, isRetained: true }));
    const one = watch(device.publish("t/1", new Uint8Array([1])));
    await cloud.clock.settle();
    assert.deepEqual([zero.state, one.state], ["done", "pending"]);
    const [first, second] = cloud.packets.slice(1) as PublishPacket[];
    assert.deepEqual([first?.topic, first?.qos, first?.isRetained], ["t/0", 0, true]);
    assert.deepEqual([second?.topic, second?.qos, second?.isRetained], ["t/1", 1, false]);
    cloud.send({ type: "puback", packetId: second?.packetId ?? 0, reasonCode: 0 });
    await cloud.clock.settle();
    assert.equal(one.state, "done");
    assert.equal(cloud.events.at(-1), "puback 1");
  });

  test("beyond the window messages wait, beyond the queue they are refused", async () => {
    const cloud = new FakeCloud({ answer: onlyConnects });
    const device = await cloud.connected({ inflightMax: 2, queueMax: 1 });
    const promises = [1, 2, 3, 4].map((n) => watch(device.publish("t", String(n))));
    await cloud.clock.settle();
    assert.deepEqual(
      promises.map(({ state }) => state),
      ["pending", "pending", "pending", "LIMIT_EXCEEDED"],
    );
    assert.equal(cloud.types().length, 3);
    cloud.send({ type: "puback", packetId: 1, reasonCode: 0 });
    await cloud.clock.settle();
    assert.deepEqual(cloud.types(), ["publish"]);
  });

  test("while the connection is full QoS 0 waits too, in order", async () => {
    const cloud = new FakeCloud();
    const device = await cloud.connected({ quotas: "none" });
    cloud.packets.length = 0;
    cloud.connection.isStuck = true;
    const big = watch(device.publish("big", new Uint8Array(highWaterBytes), { qos: 0 }));
    const small = watch(device.publish("small", "x", { qos: 0 }));
    const last = watch(device.publish("last", "x"));
    await cloud.clock.settle();
    assert.deepEqual([big.state, small.state, last.state], ["done", "pending", "pending"]);
    cloud.connection.unstick();
    await cloud.clock.settle();
    assert.deepEqual([small.state, last.state], ["done", "done"]);
    assert.deepEqual(
      cloud.packets.map((packet) => (packet as PublishPacket).topic),
      ["big", "small", "last"],
    );
  });

  test("no PUBACK in time", async () => {
    const cloud = new FakeCloud({ answer: onlyConnects });
    const device = await cloud.connected({ ackTimeoutMs: 500 });
    const one = watch(device.publish("t", "x"));
    await cloud.clock.advance(499);
    assert.equal(one.state, "pending");
    await cloud.clock.advance(1);
    assert.equal(one.state, "TIMEOUT");
    assert.equal(device.isConnected, true);
  });

  test("refused by an MQTT 5 cloud", async () => {
    const cloud = new FakeCloud({ version: 5, answer: onlyConnects });
    const device = await cloud.connected();
    const one = watch(device.publish("t", "x"));
    cloud.send({ type: "puback", packetId: 1, reasonCode: 0x87 });
    await cloud.clock.settle();
    assert.equal(one.state, "MQTT_PUBLISH_REFUSED");
  });

  test("aborted: before, while it waits and while it is in flight", async () => {
    const cloud = new FakeCloud({ answer: onlyConnects });
    const device = await cloud.connected({ inflightMax: 1 });
    const controller = new AbortController();
    const { signal } = controller;
    const flying = watch(device.publish("flying", "x", { signal }));
    const waiting = watch(device.publish("waiting", "x", { signal }));
    controller.abort();
    await cloud.clock.settle();
    assert.deepEqual([flying.state, waiting.state], ["ABORTED", "ABORTED"]);
    assert.equal(await codeOf(cloud, device.publish("never", "x", { signal })), "ABORTED");
    const next = watch(device.publish("next", "x"));
    cloud.send({ type: "puback", packetId: 1, reasonCode: 0 });
    await cloud.clock.settle();
    assert.deepEqual(
      cloud.packets.slice(1).map((packet) => (packet as PublishPacket).topic),
      ["flying", "next"],
    );
    assert.equal(next.state, "pending");
    assert.deepEqual(cloud.errors, []);
  });

  test("disconnect does not wait for what was aborted", async () => {
    const cloud = new FakeCloud({ answer: onlyConnects });
    const device = await cloud.connected({ closeTimeoutMs: 60_000 });
    const controller = new AbortController();
    const one = watch(device.publish("t", "x", { signal: controller.signal }));
    const closing = watch(device.disconnect());
    controller.abort();
    await cloud.clock.settle();
    assert.deepEqual([one.state, closing.state], ["ABORTED", "done"]);
  });

  for (const [name, topic, options, code] of [
    ["a wildcard in the topic", "a/#", {}, "TOPIC_NAME_INVALID"],
    ["an empty topic", "", {}, "TOPIC_NAME_INVALID"],
    ["U+0000 in the topic", "a\u0000b", {}, "TOPIC_NAME_INVALID"],
    ["a topic over 65,535 bytes", "x".repeat(65_536), {}, "TOPIC_NAME_INVALID"],
    ["QoS 2", "t", { qos: 2 as never }, "OPTION_INVALID"],
    ["properties in MQTT 3.1.1", "t", { properties: { contentType: "x" } }, "OPTION_INVALID"],
  ] as const) {
    test(`${name} is refused and nothing is sent`, async () => {
      const cloud = new FakeCloud();
      const device = await cloud.connected();
      assert.equal(await codeOf(cloud, device.publish(topic, "x", options)), code);
      assert.deepEqual(cloud.types(), ["connect"]);
    });
  }

  test("what an MQTT 5 cloud said it cannot take is refused and nothing is sent", async () => {
    const cloud = new FakeCloud({
      version: 5,
      answer: (packet, self) =>
        packet.type === "connect"
          ? self.send({
              type: "connack",
              isSessionPresent: false,
              reasonCode: 0,
              properties: { maximumPacketBytes: 20, retainAvailable: 0 },
            })
          : agree(packet, self),
    });
    const device = await cloud.connected();
    assert.equal(await codeOf(cloud, device.publish("t", "x".repeat(20))), "MQTT_PACKET_TOO_LARGE");
    assert.equal(await codeOf(cloud, device.publish("t", "x", { isRetained: true })), "MQTT_UNSUPPORTED");
    assert.equal(await codeOf(cloud, device.publish("t", "x")), "done");
    assert.deepEqual(cloud.types(), ["connect", "publish"]);
  });
});

describe("data", () => {
  test("messages that come before the caller can listen are kept for it", async () => {
    const cloud = new FakeCloud({
      answer: (packet, self) => {
        if (packet.type === "connect") {
          self.send(
            { type: "connack", isSessionPresent: true, reasonCode: 0 },
            self.message("queued/1", { qos: 1, packetId: 5 }),
            self.message("queued/2"),
          );
        }
      },
    });
    const topics: string[] = [];
    const connecting = cloud.connect().then((device) => {
      device.on("data", ({ topic }) => void topics.push(topic));
      return device;
    });
    await cloud.clock.settle();
    await connecting;
    assert.deepEqual(topics, ["queued/1", "queued/2"]);
    assert.deepEqual(cloud.types(), ["connect", "puback"]);
  });

  test("a listener in the options misses nothing either, and comes at once", async () => {
    const topics: string[] = [];
    const cloud = new FakeCloud({
      answer: (packet, self) => {
        if (packet.type === "subscribe") self.send(self.message("retained"));
        agree(packet, self);
      },
    });
    await cloud.connected({
      applicationTopics: ["retained"],
      on: { data: ({ topic }) => void topics.push(topic), ready: () => void topics.push("ready") },
    });
    assert.deepEqual(topics, ["retained", "ready"]);
  });

  test("a QoS 1 message is acknowledged when every listener has settled", async () => {
    const cloud = new FakeCloud();
    const device = await cloud.connected();
    const finish: (() => void)[] = [];
    device.on("data", () => new Promise((resolve) => finish.push(resolve)));
    device.on("data", async () => undefined);
    await cloud.clock.settle();
    cloud.send(cloud.message("a", { qos: 1, packetId: 7 }));
    await cloud.clock.settle();
    assert.deepEqual(cloud.types(), ["connect"]);
    finish[0]?.();
    await cloud.clock.settle();
    assert.deepEqual(cloud.types(), ["puback"]);
  });

  test("a listener that throws is an error event, and the message counts as handled", async () => {
    const cloud = new FakeCloud();
    const device = await cloud.connected();
    device.on("data", () => {
      throw new Error("at once");
    });
    device.on("data", async () => {
      throw new Error("later");
    });
    await cloud.clock.settle();
    cloud.send(cloud.message("a", { qos: 1, packetId: 7 }));
    await cloud.clock.settle();
    assert.deepEqual(cloud.types(), ["connect", "puback"]);
    assert.deepEqual(cloud.events.slice(3), ["error at once", "error later"]);
    assert.equal(device.isConnected, true);
  });

  test("beforeHandler acknowledges first, as the original does", async () => {
    const cloud = new FakeCloud();
    const device = await cloud.connected({ acknowledges: "beforeHandler" });
    device.on("data", () => new Promise(() => undefined));
    await cloud.clock.settle();
    cloud.send(cloud.message("a", { qos: 1, packetId: 7 }));
    await cloud.clock.settle();
    assert.deepEqual(cloud.types(), ["connect", "puback"]);
  });

  test("an oversize payload is acknowledged, dropped and reported, and the link lives on", async () => {
    const cloud = new FakeCloud();
    const device = await cloud.connected({ payloadBytesMax: 10 });
    const topics: string[] = [];
    device.on("data", ({ topic }) => void topics.push(topic));
    await cloud.clock.settle();
    cloud.send(
      cloud.message("big", { qos: 1, packetId: 7, payload: new Uint8Array(100_000) }),
      cloud.message("fits", { qos: 1, packetId: 8, payload: new Uint8Array(10) }),
    );
    await cloud.clock.settle();
    assert.deepEqual(topics, ["fits"]);
    assert.deepEqual(cloud.types(), ["connect", "puback", "puback"]);
    assert.match(cloud.errors[0]?.message ?? "", /"big" has 100000 payload bytes, payloadBytesMax is 10/);
    assert.equal(device.isConnected, true);
  });

  test("so is one over the packet limit of AWS IoT, from another broker of MQTT 3.1.1", async () => {
    const cloud = new FakeCloud();
    const device = await cloud.connected();
    const topics: string[] = [];
    device.on("data", ({ topic }) => void topics.push(topic));
    await cloud.clock.settle();
    cloud.send(
      cloud.message("big", { qos: 1, packetId: 7, payload: new Uint8Array(1_000_000) }),
      cloud.message("fits", { qos: 1, packetId: 8, payload: new Uint8Array(10) }),
    );
    await cloud.clock.settle();
    assert.deepEqual(topics, ["fits"]);
    assert.deepEqual(cloud.types(), ["connect", "puback", "puback"]);
    assert.match(cloud.errors[0]?.message ?? "", /"big" has 1000000 payload bytes, payloadBytesMax is 131072/);
    assert.equal(device.isConnected, true);
    await closesCleanly(cloud, device);
  });

  test("so is one that only its topic makes too large: nobody is handed an empty payload", async () => {
    const cloud = new FakeCloud();
    const device = await cloud.connected();
    let count = 0;
    device.on("data", () => void count++);
    await cloud.clock.settle();
    cloud.send(cloud.message("t".repeat(60_000), { qos: 1, packetId: 7, payload: new Uint8Array(100_000) }));
    await cloud.clock.settle();
    assert.equal(count, 0);
    assert.deepEqual(cloud.types(), ["connect", "puback"]);
    assert.match(cloud.errors[0]?.message ?? "", /100000 payload bytes has a topic of 60000 characters/);
    await closesCleanly(cloud, device);
  });

  test("a QoS 2 message that is too large ends the connection as any other does", async () => {
    const cloud = new FakeCloud();
    const device = await cloud.connected({ reconnect: false });
    const message = { type: "publish", topic: "big", isRetained: false, isDuplicate: false } as const;
    cloud.send({ ...message, qos: 2, packetId: 7, payload: new Uint8Array(1_000_000) });
    await cloud.clock.settle();
    assert.equal(device.isConnected, false);
    assert.equal(cloud.events.at(-1), "disconnected misc MQTT_PROTOCOL_ERROR");
    await closesCleanly(cloud, device);
  });

  test("a payload that comes slowly proves the link all the while", async () => {
    const cloud = new FakeCloud({ answer: (packet, self) => packet.type !== "pingreq" && agree(packet, self) });
    const device = await cloud.connected({ keepAliveSeconds: 10 });
    const bytes = encodeToBytes(cloud.message("big", { payload: new Uint8Array(1_000_000) }), 4);
    for (let at = 0; at < bytes.length; at += 100_000) {
      cloud.connection.receive(bytes.subarray(at, at + 100_000));
      await cloud.clock.advance(4_000);
    }
    assert.equal(device.isConnected, true);
    assert.equal(cloud.errors.length, 1);
    await closesCleanly(cloud, device);
  });

  test("a packet over the limit that MQTT 5 announced ends the connection", async () => {
    const cloud = new FakeCloud({ version: 5 });
    const device = await cloud.connected();
    cloud.send(cloud.message("big", { payload: new Uint8Array(1_000_000) }));
    await cloud.clock.settle();
    assert.equal(device.isConnected, false);
    assert.equal(cloud.events.at(-1), "disconnected misc MQTT_PACKET_TOO_LARGE");
    const last = cloud.packets.at(-1);
    assert.deepEqual(last?.type === "disconnect" && last.reasonCode, 0x95);
    await closesCleanly(cloud, device);
  });

  test("a slow listener stops the reading of a 3.1.1 cloud that runs ahead", async () => {
    const cloud = new FakeCloud();
    const device = await cloud.connected({ receiveMaximum: 2 });
    const finish: (() => void)[] = [];
    device.on("data", () => new Promise((resolve) => finish.push(resolve)));
    await cloud.clock.settle();
    for (const packetId of [1, 2, 3]) cloud.send(cloud.message("a", { qos: 1, packetId }));
    await cloud.clock.settle();
    assert.equal(cloud.connection.isReading, false);
    for (const settle of finish) settle();
    await cloud.clock.settle();
    assert.equal(cloud.connection.isReading, true);
    assert.deepEqual(cloud.types(), ["connect", "puback", "puback", "puback"]);
  });

  test("a flood before ready ends the attempt rather than memory", async () => {
    const cloud = new FakeCloud({
      answer: (packet, self) => {
        if (packet.type === "connect") agree(packet, self);
        if (packet.type !== "subscribe") return;
        for (const packetId of [1, 2, 3]) self.send(self.message("a", { qos: 1, packetId }));
      },
    });
    const connecting = cloud.connect({ applicationTopics: ["a"], receiveMaximum: 2 });
    assert.equal(await codeOf(cloud, connecting), "LIMIT_EXCEEDED");
    assert.equal(cloud.clock.timerCount, 0);
  });

  test("a subscription for `data` adds no second copy, and has no consumer of its own", async () => {
    const cloud = new FakeCloud();
    const device = await cloud.connected({ applicationTopics: ["a/#"] });
    const got: string[] = [];
    device.on("data", ({ topic }) => void got.push(topic));
    const subscribing = Promise.all(
      [["a/b"], ["b/+", "b/#"], ["b/c"]].map((filters) => device.subscribe(filters, { toData: true })),
    );
    await cloud.clock.settle();
    const [subscription] = await subscribing;
    const own: string[] = [];
    const listening = device.subscribe("b/c", ({ topic }) => void own.push(topic));
    await cloud.clock.settle();
    await listening;
    cloud.send(cloud.message("a/b"), cloud.message("b/c"), cloud.message("b/d"));
    await cloud.clock.settle();
    assert.deepEqual([got, own], [["a/b", "b/c", "b/d"], ["b/c"]]);
    const loop = subscription?.[Symbol.asyncIterator]();
    assert.equal(await codeOf(cloud, loop?.next() ?? Promise.resolve()), "OPTION_INVALID");
    const both = device.subscribe("x", () => undefined, { toData: true });
    assert.equal(await codeOf(cloud, both), "OPTION_INVALID");
    await closesCleanly(cloud, device);
  });

  test("off takes a listener away, and so does what on returned", async () => {
    const cloud = new FakeCloud();
    const device = await cloud.connected();
    const got: string[] = [];
    const first = (): void => void got.push("first");
    const takeOff = device.on("data", () => void got.push("second"));
    device.on("data", first);
    await cloud.clock.settle();
    cloud.send(cloud.message("a"));
    await cloud.clock.settle();
    device.off("data", first);
    takeOff();
    takeOff();
    cloud.send(cloud.message("a"));
    await cloud.clock.settle();
    assert.deepEqual(got, ["second", "first"]);
    assert.throws(() => device.on("message" as "data", first), /there is no event "message"/);
  });
});

describe("subscribe", () => {
  test("a listener gets what matches; the data event gets the rest and the application topics", async () => {
    const cloud = new FakeCloud();
    const device = await cloud.connected({ applicationTopics: ["app/#"] });
    const got: string[] = [];
    device.on("data", ({ topic }) => void got.push(`data ${topic}`));
    const subscribing = device.subscribe(["own/+", "app/own"], ({ topic }) => void got.push(`own ${topic}`));
    await cloud.clock.settle();
    const subscription = await subscribing;
    assert.deepEqual(subscription.grantedQos, [1, 1]);
    for (const topic of ["own/1", "app/1", "app/own", "other"]) cloud.send(cloud.message(topic));
    await cloud.clock.settle();
    assert.deepEqual(got, ["own own/1", "data app/1", "data app/own", "own app/own", "data other"]);
    const closing = subscription.close();
    assert.equal(subscription.close(), closing);
    await cloud.clock.settle();
    await closing;
    assert.deepEqual(cloud.types(), ["connect", "subscribe", "subscribe", "unsubscribe"]);
  });

  test("a retained message ahead of SUBACK is not lost", async () => {
    const cloud = new FakeCloud({
      answer: (packet, self) => {
        if (packet.type === "subscribe") self.send(self.message("a"));
        agree(packet, self);
      },
    });
    const device = await cloud.connected();
    const got: DeviceMessage[] = [];
    const subscribing = device.subscribe("a", (message) => void got.push(message));
    await cloud.clock.settle();
    await subscribing;
    assert.equal(got.length, 1);
  });

  test("more than 8 filters go in several packets; one refused refuses all and gives back the rest", async () => {
    const cloud = new FakeCloud({
      answer: (packet, self) => {
        if (packet.type !== "subscribe") return agree(packet, self);
        const reasonCodes = packet.subscriptions.map(({ filter }) => (filter === "f/9" ? 0x80 : 1));
        self.send({ type: "suback", packetId: packet.packetId, reasonCodes });
      },
    });
    const device = await cloud.connected();
    const filters = Array.from({ length: 10 }, (_, index) => `f/${index}`);
    assert.equal(await codeOf(cloud, device.subscribe(filters)), "MQTT_SUBSCRIPTION_REFUSED");
    await cloud.clock.settle();
    assert.deepEqual(cloud.types(), ["connect", "subscribe", "subscribe", "unsubscribe", "unsubscribe"]);
  });

  test("a filter that somebody else still needs is not unsubscribed", async () => {
    const cloud = new FakeCloud();
    const device = await cloud.connected({ applicationTopics: ["app"] });
    const subscribing = Promise.all([
      device.subscribe("a", () => undefined),
      device.subscribe("a", () => undefined),
      device.subscribe("app", () => undefined),
    ]);
    await cloud.clock.settle();
    const [first, second, third] = await subscribing;
    cloud.packets.length = 0;
    for (const [subscription, types] of [
      [first, []],
      [third, []],
      [second, ["unsubscribe"]],
    ] as const) {
      const closing = subscription.close();
      await cloud.clock.settle();
      await closing;
      assert.deepEqual(cloud.types(), types);
    }
  });

  test("a loop gets messages in order; a QoS 1 message is acknowledged when the next one is asked for", async () => {
    const cloud = new FakeCloud();
    const device = await cloud.connected();
    const subscribing = device.subscribe("a/+");
    await cloud.clock.settle();
    const loop = (await subscribing)[Symbol.asyncIterator]();
    cloud.packets.length = 0;
    cloud.send(cloud.message("a/1", { qos: 1, packetId: 1 }), cloud.message("a/2", { qos: 1, packetId: 2 }));
    await cloud.clock.settle();
    assert.equal((await loop.next()).value?.topic, "a/1");
    await cloud.clock.settle();
    assert.deepEqual(cloud.types(), []);
    assert.equal((await loop.next()).value?.topic, "a/2");
    await cloud.clock.settle();
    assert.deepEqual(cloud.types(), ["puback"]);
    const leaving = loop.return();
    await cloud.clock.settle();
    await leaving;
    assert.deepEqual(cloud.types().sort(), ["puback", "unsubscribe"]);
  });

  test("a full queue drops and counts QoS 0, never QoS 1", async () => {
    const cloud = new FakeCloud();
    const device = await cloud.connected();
    const subscribing = device.subscribe("a", { queueMax: 2 });
    await cloud.clock.settle();
    const subscription = await subscribing;
    for (const packetId of [1, 2, 3]) cloud.send(cloud.message("a", { qos: 1, packetId }), cloud.message("a"));
    await cloud.clock.settle();
    assert.equal(subscription.droppedCount, 2);
    assert.deepEqual(cloud.events.slice(3), ["error LIMIT_EXCEEDED", "error LIMIT_EXCEEDED"]);
    let count = 0;
    const looping = (async () => {
      for await (const message of subscription) if (++count === 4) assert.equal(message.qos, 1);
    })();
    await cloud.clock.settle();
    assert.equal(count, 4);
    const closing = subscription.close();
    await cloud.clock.settle();
    await Promise.all([looping, closing]);
  });

  test("without an option the queue holds its default, and drops one more", async () => {
    const cloud = new FakeCloud();
    const device = await cloud.connected();
    const subscribing = device.subscribe("a");
    await cloud.clock.settle();
    const subscription = await subscribing;
    for (const dropped of [0, 1]) {
      const count = dropped === 0 ? defaultSubscriptionQueueMax : 1;
      for (let number = 0; number < count; number++) cloud.send(cloud.message("a"));
      await cloud.clock.settle();
      assert.equal(subscription.droppedCount, dropped);
    }
    const closing = subscription.close();
    await cloud.clock.settle();
    await closing;
  });

  test("the receivers of so many topics are remembered, and one more takes the place of one", () => {
    const router = new MessageRouter(["t/#"], []);
    const [first, second] = [router.route("t/0"), router.route("t/1")];
    for (let number = 2; number < routesMax; number++) router.route(`t/${number}`);
    assert.equal(router.route("t/0"), first);
    const last = router.route("t/one-more");
    assert.notEqual(router.route("t/1"), second);
    assert.equal(router.route("t/0"), first, "what is asked for again stays");
    assert.equal(router.route("t/one-more"), last);
  });

  test("a loop ends with the device: quietly by close, with the error of a lost link when nobody reconnects", async () => {
    for (const isLost of [true, false]) {
      const cloud = new FakeCloud();
      const device = await cloud.connected();
      const subscribing = device.subscribe("a");
      await cloud.clock.settle();
      const subscription = await subscribing;
      const looping = watch(
        (async () => {
          for await (const message of subscription) assert.fail(message.topic);
        })(),
      );
      if (isLost) cloud.connection.end();
      else void device.close();
      await cloud.clock.settle();
      assert.equal(looping.state, isLost ? "CONNECTION_LOST" : "done");
    }
  });

  test("a signal ends a subscription, also while it waits for SUBACK", async () => {
    const cloud = new FakeCloud({ answer: onlyConnects });
    const device = await cloud.connected();
    const controller = new AbortController();
    const subscribing = device.subscribe("a", { signal: controller.signal });
    await cloud.clock.settle();
    const subscription = await subscribing;
    const looping = watch(
      (async () => {
        for await (const message of subscription) assert.fail(message.topic);
      })(),
    );
    controller.abort();
    await cloud.clock.settle();
    assert.equal(looping.state, "ABORTED");
    assert.deepEqual(cloud.types(), ["connect", "subscribe", "unsubscribe"]);

    cloud.answer = (packet, self) => packet.type !== "subscribe" && agree(packet, self);
    const late = new AbortController();
    const waiting = watch(device.subscribe("b", { signal: late.signal }));
    await cloud.clock.settle();
    late.abort();
    await cloud.clock.settle();
    assert.equal(waiting.state, "ABORTED");
    assert.deepEqual(cloud.types(), ["subscribe", "unsubscribe"]);
    assert.equal(await codeOf(cloud, device.subscribe("c", { signal: late.signal })), "ABORTED");
  });

  test("messages that nobody looked at are acknowledged when their subscription ends, and no listener stays", async () => {
    const cloud = new FakeCloud();
    const device = await cloud.connected();
    const { signal } = new AbortController();
    let listeners = 0;
    const add = signal.addEventListener.bind(signal);
    const remove = signal.removeEventListener.bind(signal);
    signal.addEventListener = (...args: Parameters<typeof add>) => {
      listeners += 1;
      add(...args);
    };
    signal.removeEventListener = (...args: Parameters<typeof remove>) => {
      listeners -= 1;
      remove(...args);
    };
    const subscribing = device.subscribe("a", { signal });
    await cloud.clock.settle();
    await subscribing;
    cloud.send(cloud.message("a", { qos: 1, packetId: 9 }));
    await device.publish("t", "x", { qos: 0, signal });
    await cloud.clock.settle();
    assert.deepEqual(cloud.types(), ["connect", "subscribe", "publish"]);
    const unsubscribing = device.unsubscribe("a", { signal });
    await cloud.clock.settle();
    await unsubscribing;
    assert.deepEqual(cloud.types(), ["unsubscribe", "puback"]);
    assert.equal(listeners, 0);
  });

  test("one subscription has one consumer", async () => {
    const cloud = new FakeCloud();
    const device = await cloud.connected();
    const subscribing = device.subscribe("a", () => undefined);
    await cloud.clock.settle();
    const subscription = await subscribing;
    await assert.rejects(subscription[Symbol.asyncIterator]().next(), /one consumer/);
  });

  test("unsubscribe ends the subscriptions of these filters and takes application topics off", async () => {
    const cloud = new FakeCloud();
    const device = await cloud.connected({ applicationTopics: ["app"] });
    const subscribing = device.subscribe("a", () => undefined);
    await cloud.clock.settle();
    const subscription = await subscribing;
    const unsubscribing = device.unsubscribe(["app", "a"]);
    await cloud.clock.settle();
    await unsubscribing;
    assert.equal(subscription.isClosed, true);
    assert.deepEqual(cloud.types(), ["connect", "subscribe", "subscribe", "unsubscribe"]);
  });

  for (const [name, filters, options, code] of [
    ["a '#' that is not last", "a/#/b", {}, "TOPIC_FILTER_INVALID"],
    ["no filter", [], {}, "OPTION_INVALID"],
    ["QoS 2", "a", { qos: 2 as never }, "OPTION_INVALID"],
    ["a queue of nothing", "a", { queueMax: 0 }, "OPTION_INVALID"],
  ] as const) {
    test(`${name} is refused and nothing is sent`, async () => {
      const cloud = new FakeCloud();
      const device = await cloud.connected();
      assert.equal(await codeOf(cloud, device.subscribe(filters, options)), code);
      assert.deepEqual(cloud.types(), ["connect"]);
    });
  }
});
