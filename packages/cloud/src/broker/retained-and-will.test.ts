import assert from "node:assert/strict";
import { test } from "node:test";
import type { Will } from "@thingline/protocol/mqtt";
import { awsLimits } from "./limits.js";
import { retainedSweepMs, sweptMessagesMax } from "./retained.js";
import { retainedKeys } from "../services/message-records.js";
import { closeWorld, noLimits, scope, startWorld, TestIdentity, type World } from "./harness.test.support.js";

const will = (fields: Partial<Will> = {}): Will => ({
  topic: "will",
  payload: new TextEncoder().encode("gone"),
  qos: 1,
  isRetained: false,
  ...fields,
});

test("a retained message is delivered for exactly its topic, with RETAIN", async () => {
  const world = await startWorld({ limits: noLimits });
  const publisher = await world.connect("p");
  await publisher.publish("a/b", "kept", { isRetained: true });
  const client = await world.connect("c");
  await client.subscribe("a/+", "#", "$share/g/a/b");
  assert.deepEqual(client.messages, []);
  await client.subscribe("a/b");
  assert.deepEqual(client.messages, ["a/b=kept"]);
  assert.equal(client.publishes[0]?.isRetained, true);
  await closeWorld(world);
});

test("live delivery clears RETAIN, unless it is asked for as published", async () => {
  const world = await startWorld({ limits: noLimits });
  const [plain, asPublished] = [await world.connect("a", { version: 5 }), await world.connect("b", { version: 5 })];
  await plain.subscribe("t");
  await asPublished.subscribe({ filter: "t", qos: 1, isRetainAsPublished: true });
  await plain.publish("t", "x", { isRetained: true });
  assert.deepEqual([plain.publishes[0]?.isRetained, asPublished.publishes[0]?.isRetained], [false, true]);
  await closeWorld(world);
});

test("an empty retained message deletes, and is delivered as an ordinary one", async () => {
  const world = await startWorld({ limits: noLimits });
  const client = await world.connect("c");
  await client.publish("t", "x", { isRetained: true });
  await client.subscribe("t");
  await client.publish("t", "", { isRetained: true });
  assert.deepEqual(client.messages, ["t=x", "t="]);
  const late = await world.connect("late");
  await late.subscribe("t");
  assert.deepEqual(late.messages, []);
  assert.equal(world.broker.stats().retainedMessages, 0);
  await closeWorld(world);
});

test("retain handling decides what a SUBSCRIBE brings", async () => {
  const world = await startWorld({ limits: noLimits });
  const client = await world.connect("c", { version: 5 });
  await client.publish("t", "x", { isRetained: true });
  const counts: number[] = [];
  for (const retainHandling of [2, 1, 0, 1] as const) {
    await client.subscribe({ filter: "t", qos: 0, retainHandling });
    counts.push(client.publishes.length);
  }
  assert.deepEqual(counts, [0, 0, 1, 1]);
  const fresh = await world.connect("fresh", { version: 5 });
  await fresh.subscribe({ filter: "t", qos: 0, retainHandling: 1 });
  assert.equal(fresh.publishes.length, 1);
  await closeWorld(world);
});

test("a retained message survives a restart and ends with its expiry", async () => {
  const world = await startWorld({ limits: noLimits });
  const publisher = await world.connect("p", { version: 5 });
  const properties = { messageExpirySeconds: 60, contentType: "x" };
  assert.equal(await publisher.publish("t", "kept", { isRetained: true, properties }), 0);
  const next = await world.restart();
  const client = await next.connect("c", { version: 5 });
  await client.subscribe("t");
  assert.deepEqual(client.publishes[0]?.properties, { messageExpirySeconds: 60, contentType: "x" });
  await next.clock.advance(61_000);
  const late = await next.connect("late", { version: 5 });
  await late.subscribe("t");
  assert.deepEqual(late.messages, []);
  await closeWorld(next);
});

test("expired retained messages go by themselves, from the store too, and make room at once", async () => {
  const world = await startWorld({ limits: { ...noLimits, retainedMessagesMax: 2 } });
  const client = await world.connect("c", { version: 5, keepAliveSeconds: 1_200 });
  const expiring = (messageExpirySeconds: number) => ({ isRetained: true, properties: { messageExpirySeconds } });
  const count = () => world.broker.stats().retainedMessages;
  const stored = async () =>
    (await world.store.list(retainedKeys.all({ account: "123456789012", region: "us-east-1" }), { limit: 9 })).length;
  await client.publish("soon", "x", expiring(30));
  await client.publish("later", "x", expiring(100));
  assert.equal(await client.publish("more", "x", { isRetained: true }), 0x97);
  await world.clock.advance(31_000);
  assert.equal(count(), 2, "nobody has looked yet");
  assert.equal(await client.publish("more", "x", { isRetained: true }), 0, "there is room");
  assert.deepEqual([count(), await stored()], [2, 2]);
  await world.clock.advance(retainedSweepMs * 2);
  assert.deepEqual([count(), await stored()], [1, 1]);
  assert.equal(world.broker.stats().droppedExpired, 2);
  await closeWorld(world);
});

test("very many expired retained messages go a part at a time", async () => {
  const world = await startWorld({ limits: noLimits });
  const client = await world.connect("c", { version: 5, keepAliveSeconds: 1_200 });
  const expiring = { isRetained: true, properties: { messageExpirySeconds: 30 } };
  for (let at = 0; at < sweptMessagesMax + 10; at++) await client.publish(`t${at}`, "x", expiring);
  await world.clock.advance(retainedSweepMs);
  assert.equal(world.broker.stats().retainedMessages, 10);
  await world.clock.advance(2_000);
  assert.equal(world.broker.stats().retainedMessages, 0);
  await closeWorld(world);
});

test("RETAIN needs iot:RetainPublish and an ordinary topic", async () => {
  const world = await startWorld({ limits: noLimits });
  const identity = new TestIdentity((action) => action !== "iot:RetainPublish");
  const client = await world.connect("c", { version: 5, identity });
  assert.equal(await client.publish("t", "x", { isRetained: true }), 0x87);
  assert.equal(await client.publish("$aws/things/t/shadow/update", "x", { isRetained: true }), 0x90);
  assert.equal(world.broker.stats().retainedMessages, 0);
  await closeWorld(world);
});

test("one retained publish per topic and second, and only so many retained messages", async () => {
  const world = await startWorld({ limits: { ...awsLimits, retainedMessagesMax: 2 } });
  const client = await world.connect("c", { version: 5 });
  assert.equal(await client.publish("t", "1", { isRetained: true }), 0);
  assert.equal(await client.publish("t", "2", { isRetained: true }), 0x97);
  assert.equal(await client.publish("u", "1", { isRetained: true }), 0);
  assert.equal(await client.publish("v", "1", { isRetained: true }), 0x97);
  const { droppedRetainedFull, limitsHit } = world.broker.stats();
  assert.deepEqual([droppedRetainedFull, limitsHit >= 2], [1, true]);
  await closeWorld(world);
});

const endings: [
  name: string,
  end: (client: Awaited<ReturnType<World["connect"]>>, world: World) => Promise<void>,
  isSent: boolean,
][] = [
  ["DISCONNECT", (client) => client.disconnect(), false],
  [
    "DISCONNECT with will",
    async (client, world) => {
      client.send({ type: "disconnect", reasonCode: 4 });
      await world.clock.settle();
    },
    true,
  ],
  [
    "a lost connection",
    async (client, world) => {
      client.lose();
      await world.clock.settle();
    },
    true,
  ],
  ["keep alive", (_, world) => world.clock.advance(90_000), true],
  ["a takeover", async (_, world) => void (await world.connect("c")), true],
  ["misuse", async (client) => void (await client.publish("t", "x", { qos: 2 })), true],
];
for (const [name, end, isSent] of endings) {
  test(`after ${name} the will is ${isSent ? "sent" : "not sent"}`, async () => {
    const world = await startWorld();
    const watcher = await world.connect("w", { keepAliveSeconds: 1_200 });
    await watcher.subscribe("will");
    const client = await world.connect("c", { version: 5, will: will() });
    await end(client, world);
    assert.deepEqual(watcher.messages, isSent ? ["will=gone"] : []);
    await closeWorld(world);
  });
}

test("a will that fails at a receiver keeps nobody from the client's place, and its transport ends", async () => {
  const world = await startWorld({ limits: noLimits });
  const broken = new TestIdentity((action) => {
    if (action === "iot:Receive") throw new Error("defect");
    return true;
  });
  const receiver = await world.connect("receiver", { identity: broken });
  await receiver.subscribe("will");
  const watcher = await world.connect("watcher");
  await watcher.subscribe("$aws/events/presence/disconnected/c");
  const first = await world.connect("c", { will: will() });
  const second = await world.connect("c", { will: will() });
  assert.deepEqual([first.isClosed, second.connack?.reasonCode, second.isClosed], [true, 0, false]);
  await second.publish("x", "y", { qos: 2 });
  assert.deepEqual([second.isClosed, watcher.publishes.length], [true, 2]);
  assert.match(String(world.line("internalFault")?.facts["error"]), /defect/);
  assert.equal(world.line("internalFault")?.facts["clientId"], "c");
  await closeWorld(world);
});

test("a retained will is retained, and its properties are forwarded", async () => {
  const world = await startWorld({ limits: noLimits });
  const properties = { contentType: "text/plain", userProperties: [["a", "b"]] as const };
  const client = await world.connect("c", { version: 5, will: will({ isRetained: true, properties }) });
  client.lose();
  await world.clock.settle();
  const watcher = await world.connect("w", { version: 5 });
  await watcher.subscribe("will");
  assert.deepEqual(watcher.messages, ["will=gone"]);
  assert.deepEqual(watcher.publishes[0]?.properties, { contentType: "text/plain", userProperties: [["a", "b"]] });
  await closeWorld(world);
});

test("a will on a bad topic, or too large, is refused at CONNECT", async () => {
  const world = await startWorld();
  const bad = [will({ topic: "x".repeat(257) }), will({ topic: "$SYS/x" })];
  for (const one of bad) {
    const young = await world.connect("c", { version: 5, will: one });
    assert.deepEqual([young.connack?.reasonCode, young.isClosed], [0x90, true]);
    const old = await world.connect("c", { will: one });
    assert.deepEqual([old.packets, old.isClosed], [[], true]);
  }
  const large = await world.connect("c", { version: 5, will: will({ properties: { contentType: "x".repeat(257) } }) });
  assert.equal(large.connack?.reasonCode, 0x97);
  await closeWorld(world);
});

test("a stored message of an earlier release that no packet can carry loses the property, not its receivers", async () => {
  const world = await startWorld();
  const properties = {
    responseTopic: "",
    contentType: "a\0b",
    payloadFormatIndicator: undefined,
    correlationData: undefined,
  };
  const record = {
    topic: "t",
    payload: new Uint8Array(1),
    isRetained: true,
    qos: 1,
    properties: { ...properties, userProperties: [["k", "v"]] },
  };
  const key = [scope.account, scope.region, "broker", "retained", "t"];
  await world.store.commit([{ key, value: record }]);
  const next = await world.restart();
  const client = await next.connect("c", { version: 5 });
  assert.deepEqual(await client.subscribe("t"), [1]);
  assert.deepEqual(client.publishes[0]?.properties, { userProperties: [["k", "v"]] });
  await closeWorld(next);
});
