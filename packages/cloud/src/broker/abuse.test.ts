import assert from "node:assert/strict";
import { test } from "node:test";
import { encodeToBytes } from "@thingline/protocol/mqtt";
import type { OperationRunner } from "../services/operation.js";
import { createMemoryStore } from "../store/memory.js";
import type { Store, StoreOperation } from "../store/store.js";
import { awsLimits } from "./limits.js";
import { closeWorld, noLimits, quickLimits, startWorld, TestIdentity } from "./harness.test.support.js";

const persistent = { isCleanStart: false } as const;

/** A store whose commits fail, or wait, when a test says so. */
class BreakableStore implements Store {
  readonly inner = createMemoryStore();
  isBroken = false;
  held: Promise<void> | undefined;
  get: Store["get"] = (key) => this.inner.get(key);
  list: Store["list"] = (prefix, options) => this.inner.list(prefix, options);
  async commit(operations: readonly StoreOperation[]): Promise<readonly number[]> {
    await this.held;
    if (this.isBroken) throw new Error("disk full");
    return this.inner.commit(operations);
  }
  close(): Promise<void> {
    return this.inner.close();
  }
}

for (const type of ["pingreq", "subscribe", "unsubscribe"] as const) {
  test(`a client that floods with ${type} and reads no answer is not read from, and closed after a minute`, async () => {
    const world = await startWorld({ limits: { ...noLimits, outputBytesMax: 10_000 } });
    const client = await world.connect("c");
    client.connection.isStalled = true;
    const packet =
      type === "pingreq"
        ? { type }
        : type === "subscribe"
          ? { type, packetId: 1, subscriptions: [{ filter: "t", qos: 0 as const }] }
          : { type, packetId: 1, filters: ["t"] };
    const flood = Buffer.concat(new Array<Uint8Array>(100).fill(encodeToBytes(packet, 4)));
    // A transport that is told to pause delivers nothing more.
    for (let sent = 0; sent < 1_000 && !client.connection.isPaused; sent++) client.sendBytes(flood);
    assert.ok(client.connection.isPaused);
    assert.ok(client.connection.bufferedBytes < 12_000, `${client.connection.bufferedBytes} bytes`);
    await world.clock.advance(65_000);
    assert.ok(client.isClosed);
    await closeWorld(world);
  });
}

test("a topic alias counts though its PUBLISH was over the rate", async () => {
  const world = await startWorld({ limits: { ...quickLimits, publishesPerSecond: 2 } });
  const watcher = await world.connect("w");
  await watcher.subscribe("old", "new");
  const client = await world.connect("c", { version: 5 });
  await client.publish("old", "1", { qos: 0, properties: { topicAlias: 1 } });
  await client.publish("old", "2", { qos: 0, properties: { topicAlias: 1 } });
  await client.publish("new", "discarded", { qos: 0, properties: { topicAlias: 1 } });
  await world.clock.advance(1_000);
  await client.publish("", "3", { qos: 0, properties: { topicAlias: 1 } });
  assert.ok(!client.isClosed);
  assert.equal(watcher.messages.at(-1), "new=3");
  await closeWorld(world);
});

test("what a session gives up while its store is busy and its successor waits is gone", async () => {
  const store = new BreakableStore();
  const world = await startWorld({ store });
  const client = await world.connect("c", persistent);
  client.acknowledges = false;
  await client.subscribe("given-up", "acknowledged");
  const publisher = await world.connect("p");
  await publisher.publish("acknowledged", "1");
  let release: () => void = () => undefined;
  store.held = new Promise((resolve) => (release = resolve));
  await client.subscribe("under way");
  const { packetId } = client.publishes[0]!;
  client.send({ type: "puback", packetId: packetId!, reasonCode: 0 });
  client.send({ type: "unsubscribe", packetId: 9, filters: ["given-up"] });
  const successor = await world.connect("c");
  release();
  store.held = undefined;
  await world.clock.settle();
  assert.equal(successor.connack?.reasonCode, 0);
  await (await world.connect("c", persistent)).disconnect();
  const restarted = await world.restart();
  const again = await restarted.connect("c", persistent);
  const other = await restarted.connect("p");
  await other.publish("given-up", "2");
  assert.deepEqual(again.messages, []);
  await closeWorld(restarted);
});

test("CONNECTs that the policy denies do not make the owner of the client id wait", async () => {
  const world = await startWorld({ limits: awsLimits });
  const identity = new TestIdentity();
  identity.mayConnect = false;
  for (let count = 0; count < 20; count++) await world.connect("c", { identity });
  const owner = await world.connect("c");
  assert.equal(owner.connack?.reasonCode, 0);
  await closeWorld(world);
});

test("a session whose store failed at CONNECT expires all the same", async () => {
  const store = new BreakableStore();
  const world = await startWorld({ store });
  await (await world.connect("old", persistent)).disconnect();
  store.isBroken = true;
  assert.equal((await world.connect("old", persistent)).connack?.reasonCode, 3);
  assert.equal((await world.connect("new", persistent)).connack?.reasonCode, 3);
  store.isBroken = false;
  await world.clock.advance(3_601_000);
  assert.equal(world.broker.stats().persistentSessions, 0);
  await closeWorld(world);
});

test("a session that was to end with its connection is not resumed in the same moment", async () => {
  const world = await startWorld();
  const options = { version: 5, isCleanStart: false, properties: { sessionExpirySeconds: 100 } } as const;
  const client = await world.connect("c", options);
  client.send({ type: "disconnect", reasonCode: 0, properties: { sessionExpirySeconds: 0 } });
  const again = await world.connect("c", options);
  assert.equal(again.connack?.isSessionPresent, false);
  await closeWorld(world);
});

test("a packet that comes a byte at a time does not keep a connection alive for ever", async () => {
  const world = await startWorld();
  const client = await world.connect("c", { keepAliveSeconds: 30 });
  client.sendBytes(Uint8Array.of(0x30, 0xff, 0x07));
  for (let count = 0; count < 6 && !client.isClosed; count++) {
    await world.clock.advance(10_000);
    client.sendBytes(Uint8Array.of(0));
  }
  assert.ok(client.isClosed);
  await closeWorld(world);
});

test("a long packet on a slow link keeps its connection alive while it makes headway", async () => {
  const world = await startWorld();
  const client = await world.connect("c", { keepAliveSeconds: 30 });
  const packet = encodeToBytes(
    { type: "publish", topic: "t", payload: new Uint8Array(100_000), qos: 0, isRetained: false, isDuplicate: false },
    4,
  );
  for (let at = 0; at < packet.length; at += 20_000) {
    client.sendBytes(packet.slice(at, at + 20_000));
    await world.clock.advance(30_000);
  }
  assert.ok(!client.isClosed);
  assert.equal(world.broker.stats().publishesReceived, 1);
  await closeWorld(world);
});

test("no answer is larger than the client takes: the reason string is left out first", async () => {
  const world = await startWorld({ limits: noLimits });
  const client = await world.connect("c", { version: 5, properties: { maximumPacketBytes: 512 } });
  const topic = `$aws/things/${"x".repeat(600)}/shadow/get`;
  assert.equal(await client.publish(topic, "", { isRetained: true }), 0x90);
  assert.equal(client.pubacks[0]?.properties?.reasonString, undefined);
  assert.equal(await client.publish("$aws/things/x/shadow/get", "", { isRetained: true }), 0x90);
  assert.match(client.pubacks[1]?.properties?.reasonString ?? "", /RETAIN may not be used/);
  await closeWorld(world);
});

test("a will and its properties are the client's even when the input's memory is used again", async () => {
  const world = await startWorld();
  const watcher = await world.connect("w", { version: 5 });
  await watcher.subscribe("will");
  const client = world.open(5);
  const payload = new TextEncoder().encode("gone");
  const will = { topic: "will", payload, qos: 0, isRetained: false, properties: { correlationData: payload } } as const;
  const connect = { type: "connect", version: 5, clientId: "c", isCleanStart: true, keepAliveSeconds: 60 } as const;
  const bytes = encodeToBytes({ ...connect, will }, 5);
  client.sendBytes(bytes);
  await world.clock.settle();
  bytes.fill(0);
  client.lose();
  await world.clock.settle();
  assert.deepEqual(watcher.messages, ["will=gone"]);
  assert.deepEqual(watcher.publishes[0]?.properties?.correlationData, payload);
  await closeWorld(world);
});

test("PUBACKs leave in the order of their PUBLISHes, refusals as well", async () => {
  let finish: () => void = () => undefined;
  const slow = {
    filters: ["slow"],
    handle: (_message: unknown, _runner: unknown, done: () => void) => void (finish = done),
  };
  const runner = {} as OperationRunner;
  const world = await startWorld({ services: [slow], runner });
  const identity = new TestIdentity((action, resource) => action !== "iot:Publish" || !resource.endsWith("denied"));
  const client = await world.connect("c", { version: 5, identity });
  await client.publish("slow", "1", { packetId: 1 });
  await client.publish("denied", "2", { packetId: 2 });
  assert.deepEqual(client.pubacks, []);
  finish();
  await world.clock.settle();
  assert.deepEqual(
    client.pubacks.map(({ packetId, reasonCode }) => [packetId, reasonCode]),
    [
      [1, 0],
      [2, 0x87],
    ],
  );
  await closeWorld(world);
});

for (const version of [4, 5] as const) {
  test(`MQTT ${version}: over sessionsMax a CONNECT for one more persistent session is refused with the reason`, async () => {
    const world = await startWorld({ limits: { ...quickLimits, sessionsMax: 2 } });
    const kept = { version, isCleanStart: false, ...(version === 5 && { properties: { sessionExpirySeconds: 100 } }) };
    await (await world.connect("a", kept)).disconnect();
    const second = await world.connect("b", kept);
    const before = world.broker.stats();
    const refused = await world.connect("c", kept);
    assert.deepEqual([refused.connack?.reasonCode, refused.isClosed], [version === 5 ? 0x97 : 3, true]);
    if (version === 5)
      assert.match(refused.connack?.properties?.reasonString ?? "", /^there are 2 persistent sessions/);
    const { limitsHit, persistentSessions, connections, storeFailures } = world.broker.stats();
    assert.deepEqual([limitsHit, persistentSessions, connections], [before.limitsHit + 1, 2, 1]);
    assert.equal(storeFailures, 0);
    const clean = await world.connect("c", { version });
    assert.equal(clean.connack?.reasonCode, 0, "a clean session needs no place");
    assert.equal((await world.connect("c", kept)).connack?.reasonCode, version === 5 ? 0x97 : 3);
    assert.equal(clean.isClosed, false, "a connection is not thrown off for one that is refused");
    assert.equal((await world.connect("a", kept)).connack?.isSessionPresent, true, "one that is there is resumed");
    assert.equal((await world.connect("b", { version })).connack?.reasonCode, 0, "its session ends");
    assert.ok(second.isClosed);
    assert.equal((await world.connect("c", kept)).connack?.reasonCode, 0, "and makes room for another");
    await closeWorld(world);
  });
}

test("a packet of packetBytesMax is waited for, one byte more is refused at its fixed header", async () => {
  const { packetBytesMax } = awsLimits;
  const world = await startWorld();
  for (const [more, isClosed] of [
    [0, false],
    [1, true],
  ] as const) {
    const client = await world.connect("c", { version: 5 });
    const remaining = packetBytesMax - 4 + more;
    client.sendBytes(Uint8Array.of(0x30, 0x80 | (remaining & 127), 0x80 | ((remaining >> 7) & 127), remaining >> 14));
    await world.clock.settle();
    assert.deepEqual([client.isClosed, client.last("disconnect")?.reasonCode], [isClosed, isClosed ? 0x95 : undefined]);
  }
  await closeWorld(world);
});

test("unfinished packets share unfinishedBytesTotalMax, and the one begun first makes room; who finishes stays", async () => {
  // With more than half of it there is room for all of a packet.
  const unfinishedBytesTotalMax = 3 * 16_384;
  const world = await startWorld({ limits: { ...noLimits, unfinishedBytesTotalMax } });
  const clients = await Promise.all(["a", "b", "c", "d"].map((id) => world.connect(id, { version: 5 })));
  const packet = encodeToBytes(
    { type: "publish", topic: "t", payload: new Uint8Array(16_377), qos: 0, isRetained: false, isDuplicate: false },
    5,
  );
  assert.equal(packet.length, 16_384);
  const most = packet.subarray(0, 16_000);
  const begin = async (client: (typeof clients)[number], bytes = most) => {
    client.sendBytes(bytes);
    await world.clock.settle();
  };
  const isOpen = () => clients.map(({ isClosed }) => !isClosed);
  for (const client of clients.slice(0, 3)) await begin(client);
  assert.deepEqual(isOpen(), [true, true, true, true]);
  // The first finishes and begins again, in one piece: the second is the oldest now.
  await begin(clients[0]!, Uint8Array.of(...packet.subarray(16_000), ...most));
  await begin(clients[3]!);
  assert.deepEqual(isOpen(), [true, false, true, true]);
  assert.equal(clients[1]!.last("disconnect")?.reasonCode, 0x97);
  assert.equal(world.line("limitHit")?.facts["limit"], "unfinishedBytesTotalMax");
  clients[2]!.lose();
  await world.clock.settle();
  clients[1] = await world.connect("b", { version: 5 });
  await begin(clients[1]);
  assert.deepEqual(isOpen(), [true, true, false, true]);
  await closeWorld(world);
});

for (const name of ["queuedBytesMax", "queuedBytesTotalMax"] as const)
  test(`a session keeps messages up to ${name}, and no byte more`, () => fillQueue(name));

async function fillQueue(name: "queuedBytesMax" | "queuedBytesTotalMax") {
  const queueOf = async (bytesMax: number) => {
    const world = await startWorld({ limits: { ...noLimits, [name]: bytesMax } });
    const client = await world.connect("c", persistent);
    await client.subscribe("t");
    await client.disconnect();
    const publisher = await world.connect("p");
    for (let count = 0; count < 4; count++) await publisher.publish("t", "x".repeat(1_000));
    const { queuedMessages, queuedBytes, droppedQueueFull } = world.broker.stats();
    await closeWorld(world);
    return { queuedMessages, queuedBytes, droppedQueueFull };
  };
  const { queuedBytes } = await queueOf(awsLimits[name]);
  assert.deepEqual(await queueOf(queuedBytes), { queuedMessages: 4, queuedBytes, droppedQueueFull: 0 });
  const three = (queuedBytes / 4) * 3;
  assert.deepEqual(await queueOf(queuedBytes - 1), { queuedMessages: 3, queuedBytes: three, droppedQueueFull: 1 });
}

test("retained messages have retainedBytesMax, and no byte more", async () => {
  const longestOf = async (retainedBytesMax: number) => {
    const world = await startWorld({ limits: { ...noLimits, retainedBytesMax } });
    const client = await world.connect("c", { version: 5 });
    let lengthBytes = retainedBytesMax - 500;
    const first = lengthBytes;
    // One in the place of another needs no more room than it is longer.
    while ((await client.publish("a", "x".repeat(lengthBytes), { isRetained: true })) === 0) lengthBytes++;
    assert.ok(lengthBytes > first);
    await closeWorld(world);
    return lengthBytes - 1;
  };
  assert.equal(await longestOf(1_001), (await longestOf(1_000)) + 1);
});

test("retained messages have a bound in bytes", async () => {
  const world = await startWorld({ limits: { ...quickLimits, retainedBytesMax: 1_000 } });
  const client = await world.connect("c", { version: 5 });
  const text = "x".repeat(300);
  assert.equal(await client.publish("a", text, { isRetained: true }), 0);
  assert.equal(await client.publish("b", text, { isRetained: true }), 0);
  assert.equal(await client.publish("c", text, { isRetained: true }), 0x97);
  await world.clock.advance(1_100);
  // One in the place of another needs no more room.
  assert.equal(await client.publish("b", text, { isRetained: true }), 0);
  assert.equal(await client.publish("a", "", { isRetained: true }), 0);
  assert.equal(await client.publish("c", text, { isRetained: true }), 0);
  const { droppedRetainedFull, retainedMessages } = world.broker.stats();
  assert.deepEqual({ droppedRetainedFull, retainedMessages }, { droppedRetainedFull: 1, retainedMessages: 2 });
  const restarted = await world.restart();
  const other = await restarted.connect("c", { version: 5 });
  assert.equal(await other.publish("d", text, { isRetained: true }), 0x97);
  await closeWorld(restarted);
});

test("empty messages and properties count against the bound of all queues", async () => {
  const world = await startWorld({ limits: { ...noLimits, queuedBytesTotalMax: 50_000 } });
  const client = await world.connect("c", persistent);
  await client.subscribe("t");
  await client.disconnect();
  const publisher = await world.connect("p", { version: 5 });
  for (let count = 0; count < 1_000; count++) await publisher.publish("t", "", { qos: 1 });
  assert.ok(world.broker.stats().queuedMessages < 500, `${world.broker.stats().queuedMessages} queued`);
  const before = world.broker.stats().queuedMessages;
  assert.ok(before > 50);
  await closeWorld(world);
});

test("what persistent sessions do not acknowledge counts against the bound of all queues", async () => {
  const world = await startWorld({ limits: { ...noLimits, outboundInflightMax: 100, queuedBytesTotalMax: 100_000 } });
  const client = await world.connect("c", persistent);
  client.acknowledges = false;
  await client.subscribe("t");
  const publisher = await world.connect("p");
  for (let count = 0; count < 50; count++) await publisher.publish("t", "x".repeat(10_000));
  assert.ok(client.publishes.length < 10, `${client.publishes.length} in flight`);
  assert.ok(world.broker.stats().droppedQueueFull > 40);
  // Acknowledged, lost and ended: nothing stays in the account.
  for (const { packetId } of client.publishes.slice(0, 2)) {
    client.send({ type: "puback", packetId: packetId!, reasonCode: 0 });
  }
  await world.clock.settle();
  client.lose();
  await world.clock.settle();
  const again = await world.connect("c", persistent);
  await world.clock.settle();
  assert.ok(again.publishes.length > 0);
  await world.connect("c");
  const { queuedBytes, queuedMessages } = world.broker.stats();
  assert.deepEqual({ queuedBytes, queuedMessages }, { queuedBytes: 0, queuedMessages: 0 });
  await closeWorld(world);
});

test("a WebSocket's Close frame is a disconnect by the client, a lost one is not", async () => {
  for (const [isClose, expected] of [
    [true, 0],
    [false, 1],
  ] as const) {
    const world = await startWorld();
    const watcher = await world.connect("w");
    await watcher.subscribe("will");
    const will = { topic: "will", payload: new Uint8Array(), qos: 0, isRetained: false } as const;
    const client = world.open(4);
    Object.assign(client.connection, { webSocketRequest: { path: "/mqtt", headers: {} } });
    client.send({ type: "connect", version: 4, clientId: "c", isCleanStart: true, keepAliveSeconds: 60, will });
    await world.clock.settle();
    if (isClose) client.connection.finish(undefined);
    else client.lose();
    await world.clock.settle();
    assert.equal(watcher.publishes.length, expected);
    await closeWorld(world);
  }
});

test("a fault of the broker ends the connection that met it, not the process", async () => {
  const world = await startWorld();
  const identity = new TestIdentity((action) => {
    if (action === "iot:Publish") throw new TypeError("a bug");
    return true;
  });
  const client = await world.connect("c", { identity });
  await client.publish("t", "1");
  assert.ok(client.isClosed);
  assert.equal(world.broker.stats().internalFaults, 1);
  assert.match(String(world.line("internalFault")?.facts["error"]), /a bug/);
  const other = await world.connect("d");
  assert.equal(await other.publish("t", "1"), 0);
  await closeWorld(world);
});
