import assert from "node:assert/strict";
import { test } from "node:test";
import { ThinglineError } from "@thingline/protocol";
import type { PublishPacket } from "@thingline/protocol/mqtt";
import { createVirtualFiles, type VirtualFiles } from "@thingline/transport/virtual";
import type { Device, PublishOptions } from "../device.js";
import type { OfflineQueueEvent, OfflineQueueOptions } from "../offline-queue/types.js";
import { agree, type Answer, FakeCloud, type FakeSettings, watch } from "./fake-cloud.test.support.js";

const folder = "/queue";
const fast = { messagesPerSecondMax: Infinity };
const deaf: Answer = (packet, self) => packet.type !== "publish" && agree(packet, self);

/** Topics of the PUBLISH packets so far, and forgets them. */
const published = (cloud: FakeCloud): string[] =>
  cloud.packets.splice(0).flatMap((packet) => (packet.type === "publish" ? [packet.topic] : []));

async function connected(cloud: FakeCloud, device: Device): Promise<void> {
  const connecting = device.connect();
  await cloud.clock.settle();
  await connecting;
}

async function closed(cloud: FakeCloud, device: Device): Promise<void> {
  const closing = device.close();
  await cloud.clock.advance(10_000);
  await closing;
  assert.equal(cloud.clock.timerCount, 0, "a timer is left");
}

function onDisk(files: VirtualFiles, more: OfflineQueueOptions = {}): FakeSettings {
  return { offlineQueue: { ...fast, storage: { files, folder, durability: "disk" }, ...more } };
}

test("QoS 1 waits before connect() and between connections, and arrives in order; QoS 0 does not wait", async () => {
  const cloud = new FakeCloud();
  const device = cloud.create({ offlineQueue: fast });
  const first = watch(device.publish("a", "1"));
  await assert.rejects(device.publish("q0", "", { qos: 0 }), /nobody told it to connect/);
  assert.equal(device.offlineQueue?.messageCount, 1);
  await connected(cloud, device);
  await cloud.clock.settle();
  assert.deepEqual([first.state, published(cloud)], ["done", ["a"]]);
  cloud.connection.end();
  const waiting = ["b", "c", "d"].map((topic) => watch(device.publish(topic, "x")));
  await cloud.clock.advance(5_000);
  assert.deepEqual(published(cloud), ["b", "c", "d"]);
  assert.deepEqual(
    waiting.map(({ state }) => state),
    ["done", "done", "done"],
  );
  await closed(cloud, device);
});

test("over a live connection and past an empty queue a message is sent directly, and not counted", async () => {
  const cloud = new FakeCloud();
  const device = cloud.create({ offlineQueue: fast });
  await connected(cloud, device);
  const sent = watch(device.publish("a", "1"));
  await cloud.clock.settle();
  assert.deepEqual([sent.state, device.offlineQueue?.queuedCount], ["done", 0]);
  await closed(cloud, device);
});

test("what is published while a backlog is sent goes behind it, at the pace of the backlog", async () => {
  const cloud = new FakeCloud();
  const device = cloud.create({ offlineQueue: { messagesPerSecondMax: 10 } });
  for (let count = 0; count < 5; count++) void device.publish(`old/${count}`, "x");
  await connected(cloud, device);
  const last = watch(device.publish("new", "x"));
  await cloud.clock.advance(300);
  assert.equal(last.state, "pending");
  await cloud.clock.advance(300);
  assert.deepEqual(published(cloud), ["old/0", "old/1", "old/2", "old/3", "old/4", "new"]);
  assert.equal(last.state, "done");
  await closed(cloud, device);
});

test("the queue keeps to the window of the session and goes on with every PUBACK", async () => {
  const cloud = new FakeCloud({ answer: deaf });
  const device = cloud.create({ offlineQueue: fast, inflightMax: 3 });
  for (let count = 0; count < 8; count++) watch(device.publish(`t/${count}`, "x"));
  await connected(cloud, device);
  await cloud.clock.settle();
  const first = cloud.packets.filter((packet): packet is PublishPacket => packet.type === "publish");
  assert.equal(first.length, 3);
  cloud.answer = agree;
  for (const packet of first) agree(packet, cloud);
  await cloud.clock.settle();
  assert.deepEqual(published(cloud).length, 8);
  assert.equal(device.offlineQueue?.acknowledgedCount, 8);
  await closed(cloud, device);
});

test("a connection that takes no more is not fed, and fed again when it does", async () => {
  const cloud = new FakeCloud();
  const device = cloud.create({ offlineQueue: fast });
  for (let count = 0; count < 20; count++) watch(device.publish(`t/${count}`, new Uint8Array(100_000)));
  device.on("ready", () => void (cloud.connection.isStuck = true));
  await connected(cloud, device);
  await cloud.clock.settle();
  assert.equal(device.offlineQueue?.messageCount, 20);
  assert.ok(cloud.connection.bufferedBytes < 1_300_000, String(cloud.connection.bufferedBytes));
  cloud.connection.unstick();
  await cloud.clock.settle();
  assert.equal(published(cloud).length, 20);
  await closed(cloud, device);
});

test("a full session queue overflows into the offline queue, in order", async () => {
  const cloud = new FakeCloud({ answer: deaf });
  const device = cloud.create({ offlineQueue: fast, inflightMax: 1, queueMax: 2 });
  await connected(cloud, device);
  const all = ["a", "b", "c", "d", "e"].map((topic) => watch(device.publish(topic, "x")));
  assert.equal(device.offlineQueue?.queuedCount, 2);
  await cloud.clock.settle();
  cloud.answer = agree;
  agree(
    cloud.packets.find(({ type }) => type === "publish")!,
    cloud,
  );
  await cloud.clock.settle();
  assert.deepEqual(published(cloud), ["a", "b", "c", "d", "e"]);
  assert.ok(all.every(({ state }) => state === "done"));
  await closed(cloud, device);
});

test("until stored goes through the disk even when connected; close() keeps what was not acknowledged", async () => {
  const files = createVirtualFiles();
  const cloud = new FakeCloud({ answer: deaf });
  const device = cloud.create({ ...onDisk(files), closeTimeoutMs: 100 });
  await connected(cloud, device);
  const stored = watch(device.publish("a", "x", { until: "stored" }));
  const waiting = watch(device.publish("b", "x"));
  await cloud.clock.settle();
  assert.deepEqual([stored.state, waiting.state, published(cloud)], ["done", "pending", ["a", "b"]]);
  await closed(cloud, device);
  assert.equal(device.offlineQueue?.messageCount, 2);
  const events: OfflineQueueEvent[] = [];
  const next = new FakeCloud();
  const again = next.create({ ...onDisk(files), on: { offlineQueue: (event) => void events.push(event) } });
  await connected(next, again);
  await next.clock.settle();
  assert.deepEqual(published(next), ["a", "b"]);
  assert.deepEqual(
    events.map((event) => (event.type === "acknowledged" ? `${event.topic} ${event.isRestored}` : event.type)),
    ["restored", "a true", "b true"],
  );
  await closed(next, again);
  assert.deepEqual(await files.list(folder), []);
});

test("killed at any moment, what was stored is sent by the next process", async () => {
  for (let cut = 1; cut < 12; cut++) {
    const files = createVirtualFiles();
    files.powerLossBeforeWrite(cut);
    const cloud = new FakeCloud({ answer: deaf });
    const device = cloud.create(onDisk(files));
    const stored: string[] = [];
    for (const topic of ["a", "b", "c", "d"]) {
      device.publish(topic, "x", { until: "stored" }).then(
        () => stored.push(topic),
        () => undefined,
      );
      await cloud.clock.settle();
    }
    device.connect().catch(() => undefined);
    await cloud.clock.settle();
    const next = new FakeCloud();
    const again = next.create(onDisk(files.restart()));
    await connected(next, again);
    await next.clock.settle();
    const arrived = published(next);
    assert.deepEqual(
      stored.filter((topic) => !arrived.includes(topic)),
      [],
      `lost when cut before write ${cut}`,
    );
    assert.deepEqual(arrived, [...arrived].sort(), `out of order when cut before write ${cut}`);
    await closed(next, again);
  }
});

test("disconnect() leaves the queue; the next connect() sends it", async () => {
  const cloud = new FakeCloud({ answer: deaf });
  const device = cloud.create({ offlineQueue: fast, closeTimeoutMs: 100 });
  await connected(cloud, device);
  cloud.connection.end();
  const waiting = watch(device.publish("a", "x"));
  await cloud.clock.advance(2_000);
  assert.deepEqual(published(cloud), ["a"]);
  const leaving = device.disconnect();
  await cloud.clock.advance(200);
  await leaving;
  assert.deepEqual([waiting.state, device.state], ["pending", "idle"]);
  const meanwhile = watch(device.publish("b", "x"));
  cloud.answer = agree;
  await connected(cloud, device);
  await cloud.clock.settle();
  assert.deepEqual([waiting.state, meanwhile.state, published(cloud)], ["done", "done", ["a", "b"]]);
  await closed(cloud, device);
});

test("a device that gives up keeps its messages", async () => {
  const cloud = new FakeCloud();
  const device = cloud.create({ offlineQueue: fast, reconnect: { attemptsMax: 1 } });
  await connected(cloud, device);
  cloud.dialError = new ThinglineError("HOST_NOT_FOUND", "gone");
  cloud.connection.end();
  const waiting = watch(device.publish("a", "x"));
  await cloud.clock.advance(60_000);
  assert.deepEqual([device.state, waiting.state], ["idle", "pending"]);
  cloud.dialError = undefined;
  await connected(cloud, device);
  await cloud.clock.settle();
  assert.equal(waiting.state, "done");
  await closed(cloud, device);
});

test("MQTT 5: properties go along, a refusal is told, and what is throttled waits a second", async () => {
  const refusals = new Map([
    ["denied", 0x87],
    ["busy", 0x97],
  ]);
  const cloud = new FakeCloud({
    version: 5,
    answer: (packet, self) => {
      if (packet.type !== "publish" || !refusals.has(packet.topic)) return agree(packet, self);
      const reasonCode = refusals.get(packet.topic) ?? 0;
      self.send({ type: "puback", packetId: packet.packetId ?? 0, reasonCode });
    },
  });
  const device = cloud.create({ offlineQueue: fast, version: 5 });
  const denied = watch(device.publish("denied", "x"));
  const busy = watch(device.publish("busy", "x"));
  const fine = watch(device.publish("fine", "x", { properties: { contentType: "text/plain" } }));
  await connected(cloud, device);
  await cloud.clock.settle();
  assert.deepEqual([denied.state, busy.state], ["MQTT_PUBLISH_REFUSED", "pending"]);
  refusals.clear();
  await cloud.clock.advance(1_100);
  assert.deepEqual([busy.state, fine.state], ["done", "done"]);
  const last = cloud.packets.findLast((packet): packet is PublishPacket => packet.type === "publish");
  assert.ok(
    cloud.packets.some((packet) => packet.type === "publish" && packet.properties?.contentType === "text/plain"),
  );
  assert.equal(last?.topic, "busy");
  await closed(cloud, device);
});

test("3.1.1: a message that the cloud closes the connection for is dropped in the end, and only that one", async () => {
  const cloud = new FakeCloud({
    answer: (packet, self) => {
      // At once: acknowledgements on their way are lost.
      if (packet.type === "publish" && packet.topic === "denied") self.connection.end();
      else if (!self.connection.isEnded) agree(packet, self);
    },
  });
  const dropped: string[] = [];
  const device = cloud.create({
    offlineQueue: fast,
    on: {
      offlineQueue: (event) =>
        void (event.type === "dropped" && dropped.push(`${event.reason} ${event.message.topic}`)),
    },
  });
  const [before, denied, after] = ["before", "denied", "after"].map((topic) => watch(device.publish(topic, "x")));
  device.connect().catch(() => undefined);
  await cloud.clock.advance(3_600_000);
  assert.deepEqual([before?.state, denied?.state, after?.state], ["done", "CONNECTION_LOST", "done"]);
  assert.deepEqual(dropped, ["refused denied"]);
  assert.deepEqual([device.state, device.offlineQueue?.messageCount], ["ready", 0]);
  const topics = published(cloud);
  assert.equal(topics.filter((topic) => topic === "denied").length, 12);
  assert.ok(topics.lastIndexOf("before") < topics.indexOf("denied", 2), "one that was taken is not dragged along");
  await closed(cloud, device);
});

test("connect() fails when another process owns the folder, and goes well later", async () => {
  const files = createVirtualFiles();
  const lock = await files.lock(folder);
  const cloud = new FakeCloud();
  const device = cloud.create(onDisk(files));
  await assert.rejects(device.connect(), (error) => error instanceof ThinglineError && error.code === "LOCKED");
  assert.equal(cloud.dialCount, 0);
  await lock.release();
  await connected(cloud, device);
  await closed(cloud, device);
  await (await files.lock(folder)).release();
});

test("close() while the folder is being read leaves nothing", async () => {
  const files = createVirtualFiles();
  const cloud = new FakeCloud();
  const device = cloud.create(onDisk(files));
  const connecting = watch(device.connect());
  await closed(cloud, device);
  assert.deepEqual([connecting.state, cloud.dialCount], ["CLOSED", 0]);
  await (await files.lock(folder)).release();
  await assert.rejects(device.publish("a", "x"), (error) => error instanceof ThinglineError && error.code === "CLOSED");
});

const wrong: [option: string, hasQueue: boolean, options: PublishOptions][] = [
  ["until", false, { until: "stored" }],
  ["until", true, { until: "stored", qos: 0 }],
  ["until", true, { until: "sent" as "stored" }],
  ["expiresAfterMs", false, { expiresAfterMs: 1000 }],
  ["expiresAfterMs", true, { expiresAfterMs: 0.5 }],
];
for (const [option, hasQueue, options] of wrong) {
  test(`${JSON.stringify(options)} ${hasQueue ? "with" : "without"} a queue is refused`, async () => {
    const cloud = new FakeCloud();
    const device = cloud.create(hasQueue ? { offlineQueue: fast } : {});
    await connected(cloud, device);
    await assert.rejects(
      device.publish("a", "x", options),
      (error) => error instanceof ThinglineError && error.details["option"] === option,
    );
    await closed(cloud, device);
  });
}

test("disconnect() and close() while the queue is read from disk end the connect() that waits for it", async () => {
  for (const [action, code] of [
    ["disconnect", "ABORTED"],
    ["close", "CLOSED"],
  ] as const) {
    const cloud = new FakeCloud();
    const device = cloud.create(onDisk(createVirtualFiles()));
    const connecting = watch(device.connect());
    const second = watch(device.connect());
    const ending = watch(device[action]());
    await cloud.clock.settle();
    assert.deepEqual([connecting.state, ending.state, cloud.dialCount], [code, "done", 0]);
    assert.equal(second.state, "ALREADY_CONNECTED");
    if (action === "disconnect") {
      await connected(cloud, device);
      assert.equal(device.state, "ready");
    }
    await closed(cloud, device);
  }
});
