import assert from "node:assert/strict";
import { test } from "node:test";
import { createLocalBus } from "../bus/local-bus.js";
import {
  closeWorld,
  quickLimits,
  scope,
  startWorld,
  TestIdentity,
  type ConnectFields,
  type TestClient,
  type World,
} from "./harness.test.support.js";

const persistent = { isCleanStart: false } as const;
const persistent5 = { version: 5, isCleanStart: false, properties: { sessionExpirySeconds: 3_600 } } as const;
const share = "$share/g/t/+";
const limits = { ...quickLimits, publishesPerSecond: Infinity };

/** One message at a time. */
const slow: ConnectFields = { ...persistent5, properties: { ...persistent5.properties, receiveMaximum: 1 } };

const numbers = (count: number, from = 0): string[] =>
  Array.from({ length: count }, (_, index) => `t/1=${from + index}`);

/** A group of persistent members that are away. */
async function awayGroup(world: World, members: Record<string, ConnectFields>): Promise<TestClient> {
  for (const [name, fields] of Object.entries(members)) {
    const member = await world.connect(name, fields);
    await member.subscribe(share);
    await member.disconnect();
  }
  return world.connect("publisher");
}

/** A member that comes back and acknowledges nothing. */
async function silentMember(
  world: World,
  clientId: string,
  { version = 4, properties = {} }: ConnectFields,
): Promise<TestClient> {
  const client = world.open(version);
  client.acknowledges = false;
  const own = version === 5 ? { properties } : {};
  client.send({ type: "connect", version, clientId, isCleanStart: false, keepAliveSeconds: 60, ...own });
  await world.clock.settle();
  return client;
}

async function publishNumbers(publisher: TestClient, count: number, from = 0): Promise<void> {
  for (let index = 0; index < count; index++) assert.equal(await publisher.publish("t/1", String(from + index)), 0);
}

/** What the store holds of groups. */
async function storedOfGroups({ store }: World): Promise<number> {
  const lists = ["group", "groupMessage"].map((kind) =>
    store.list([scope.account, scope.region, "broker", kind], { limit: 1_000 }),
  );
  return (await Promise.all(lists)).flat().length;
}

for (const [name, first, second] of [
  ["3.1.1", persistent, persistent],
  ["5", persistent5, persistent5],
  ["both versions", persistent, persistent5],
] as const) {
  test(`MQTT ${name}: whoever of a group comes back gets all that waited, in order`, async () => {
    const world = await startWorld({ limits });
    const publisher = await awayGroup(world, { a: first, b: second });
    await publishNumbers(publisher, 20);
    assert.equal(world.broker.stats().queuedMessages, 20);
    const back = await world.connect("b", second);
    await world.clock.advance(100);
    assert.deepEqual(back.messages, numbers(20));
    assert.deepEqual((await world.connect("a", first)).messages, []);
    assert.deepEqual([world.broker.stats().queuedMessages, world.broker.stats().queuedBytes], [0, 0]);
    assert.equal(await storedOfGroups(world), 1, "the group's own record");
    await closeWorld(world);
  });
}

test("a new member gets what waited, after its SUBACK, also one with a clean session", async () => {
  const world = await startWorld({ limits });
  const publisher = await awayGroup(world, { a: persistent });
  await publishNumbers(publisher, 5);
  const young = await world.connect("new");
  assert.deepEqual(await young.subscribe(share), [1]);
  await world.clock.settle();
  assert.deepEqual(young.messages, numbers(5));
  assert.deepEqual(
    young.packets.slice(1, 3).map(({ type }) => type),
    ["suback", "publish"],
  );
  assert.equal(await storedOfGroups(world), 1);
  await closeWorld(world);
});

test("what waited goes out at 20 a second to each member, what comes now at once", async () => {
  const world = await startWorld({ limits });
  const publisher = await awayGroup(world, { a: persistent, b: persistent, c: persistent });
  await publishNumbers(publisher, 100);
  const a = await world.connect("a", persistent);
  await world.clock.settle();
  assert.equal(a.messages.length, 20);
  await world.clock.advance(1_000);
  assert.equal(a.messages.length, 40);
  const b = await world.connect("b", persistent);
  await world.clock.settle();
  assert.deepEqual([a.messages.length, b.messages.length], [40, 20]);
  await world.clock.advance(1_000);
  assert.deepEqual([a.messages.length, b.messages.length], [60, 40]);
  assert.deepEqual([...a.messages, ...b.messages].sort(), numbers(100).sort());
  await publishNumbers(publisher, 30, 100);
  assert.equal([a, b].flatMap(({ messages }) => messages).length, 130);
  await closeWorld(world);
});

for (const [name, fields] of [
  ["a persistent", persistent],
  ["a clean", {}],
] as const) {
  test(`what ${name} member has not acknowledged goes to another when its connection ends`, async () => {
    const world = await startWorld({ limits });
    const a = await world.connect("a", fields);
    a.acknowledges = false;
    await a.subscribe(share);
    const away = await world.connect("keeper", persistent);
    await away.subscribe(share);
    await away.disconnect();
    const publisher = await world.connect("publisher");
    await publishNumbers(publisher, 10);
    assert.deepEqual(a.messages, numbers(10));
    a.send({ type: "puback", packetId: a.publishes[0]!.packetId!, reasonCode: 0 });
    const b = await world.connect("b", persistent5);
    await b.subscribe(share);
    assert.deepEqual(b.messages, []);
    a.lose();
    await world.clock.settle();
    assert.deepEqual(b.messages, numbers(9, 1));
    assert.deepEqual((await world.connect("a", fields)).messages, []);
    assert.deepEqual([world.broker.stats().queuedMessages, await storedOfGroups(world)], [0, 1]);
    await closeWorld(world);
  });
}

test("without anybody else it waits for the member, which gets it again in order, ahead of what came later", async () => {
  const world = await startWorld({ limits });
  const a = await world.connect("a", persistent);
  a.acknowledges = false;
  await a.subscribe(share);
  const publisher = await world.connect("publisher");
  await publishNumbers(publisher, 3);
  const again = await silentMember(world, "a", persistent);
  assert.deepEqual([a.isClosed, again.messages], [true, numbers(3)], "after a takeover as well");
  again.lose();
  await world.clock.settle();
  await publishNumbers(publisher, 2, 3);
  assert.equal(world.broker.stats().queuedMessages, 5);
  const last = await world.connect("a", persistent);
  await world.clock.settle();
  assert.deepEqual(last.messages, numbers(5));
  await closeWorld(world);
});

test("a member whose window is full is passed over; when all are full the message waits", async () => {
  const world = await startWorld({ limits });
  const a = await world.connect("a", slow);
  const b = await world.connect("b", slow);
  for (const member of [a, b]) {
    member.acknowledges = false;
    await member.subscribe(share);
  }
  const publisher = await world.connect("publisher");
  await publishNumbers(publisher, 4);
  assert.deepEqual([a.messages.length, b.messages.length, world.broker.stats().queuedMessages], [1, 1, 2]);
  b.send({ type: "puback", packetId: b.publishes[0]!.packetId!, reasonCode: 0 });
  await world.clock.settle();
  b.send({ type: "puback", packetId: b.publishes[1]!.packetId!, reasonCode: 0 });
  await world.clock.settle();
  assert.deepEqual([a.messages.length, b.messages.at(-1)], [1, "t/1=3"]);
  await closeWorld(world);
});

test("members of clean sessions alone: one whose window is full is passed over as well", async () => {
  const world = await startWorld({ limits });
  const members = [];
  for (const name of ["a", "b"]) {
    const member = await world.connect(name, { version: 5, properties: { receiveMaximum: 1 } });
    await member.subscribe(share);
    members.push(member);
  }
  members[0]!.acknowledges = false;
  const publisher = await world.connect("publisher");
  await publishNumbers(publisher, 6);
  assert.deepEqual([members[0]!.messages.length, members[1]!.messages.length], [1, 5]);
  assert.equal(await storedOfGroups(world), 0);
  await closeWorld(world);
});

test("the queue survives kill -9, with what was in flight and with its expiries", async () => {
  const world = await startWorld({ limits });
  const publisher = await awayGroup(world, { b: persistent });
  const a = await world.connect("a", persistent);
  a.acknowledges = false;
  await a.subscribe(share);
  await publishNumbers(publisher, 3);
  a.lose();
  const writer = await world.connect("writer", { version: 5 });
  await writer.publish("t/1", "expires", { properties: { messageExpirySeconds: 10 } });
  await writer.publish("t/1", "stays", { properties: { contentType: "text/plain", messageExpirySeconds: 60 } });
  await world.clock.settle();
  const next = await world.restart();
  assert.equal(next.broker.stats().queuedMessages, 5);
  await next.clock.advance(11_000);
  const back = await next.connect("a", persistent5);
  assert.deepEqual(back.messages, [], "a session does not cross versions, so it is no member");
  await back.subscribe(share);
  await next.clock.settle();
  assert.deepEqual(back.messages, [...numbers(3), "t/1=stays"]);
  const { properties } = back.publishes.at(-1)!;
  assert.deepEqual(properties, { contentType: "text/plain", messageExpirySeconds: 49 });
  assert.equal(next.broker.stats().droppedExpired, 1);
  // Numbers go on where they were.
  await back.disconnect();
  await publishNumbers(await next.connect("publisher"), 2, 7);
  const third = await next.restart();
  const last = await third.connect("b", persistent);
  await third.clock.settle();
  assert.deepEqual(last.messages, numbers(2, 7));
  await closeWorld(third);
});

test("the last persistent member takes the queue with it: unsubscribed, expired or started clean", async () => {
  const ends: Record<string, (world: World) => Promise<void>> = {
    unsubscribed: async (world) => {
      const a = await silentMember(world, "a", slow);
      a.send({ type: "unsubscribe", packetId: 9, filters: [share] });
    },
    expired: (world) => world.clock.advance(3_601_000),
    "started clean": async (world) => void (await world.connect("a", { version: 5 })),
    "subscribed with QoS 0": async (world) => {
      const a = await silentMember(world, "a", slow);
      await a.subscribe({ filter: share, qos: 0 });
    },
  };
  for (const [name, end] of Object.entries(ends)) {
    const world = await startWorld({ limits });
    const publisher = await awayGroup(world, { a: persistent5 });
    await publishNumbers(publisher, 5);
    assert.equal(await storedOfGroups(world), 6);
    await end(world);
    await world.clock.settle();
    const { queuedMessages, queuedBytes } = world.broker.stats();
    assert.deepEqual([queuedMessages, queuedBytes, await storedOfGroups(world)], [0, 0, 0], name);
    assert.ok(world.line("groupQueueEnded"), name);
    await closeWorld(world);
  }
});

for (const rounds of [1, 2, 3]) {
  test(`a group that ends and begins again in the same moment, ${rounds} times, has a new queue, which is stored`, async () => {
    const world = await startWorld({ limits });
    const publisher = await awayGroup(world, { a: persistent });
    await publishNumbers(publisher, 2);
    const a = await silentMember(world, "a", persistent);
    for (let round = 0; round < rounds; round++) {
      a.send({ type: "unsubscribe", packetId: 7, filters: [share] });
      a.send({ type: "subscribe", packetId: 8, subscriptions: [{ filter: share, qos: 1 }] });
      if (round === 1) await world.clock.settle();
    }
    await world.clock.settle();
    await a.disconnect();
    await publishNumbers(publisher, 2, 10);
    const next = await world.restart();
    const back = await next.connect("a", persistent);
    await next.clock.settle();
    assert.deepEqual(back.messages, numbers(2, 10));
    assert.deepEqual([world.broker.stats().sessionsConflicted, world.broker.stats().storeFailures], [0, 0]);
    await closeWorld(next);
  });
}

test("a queue that nobody belongs to any more is deleted at the next start", async () => {
  const world = await startWorld({ limits });
  const publisher = await awayGroup(world, { a: persistent });
  await publishNumbers(publisher, 3);
  const prefix = [scope.account, scope.region, "broker", "subscription"];
  const entries = await world.store.list(prefix, { limit: 10 });
  await world.store.commit(entries.map(({ key }) => ({ key, delete: true })));
  const next = await world.restart();
  assert.deepEqual([await storedOfGroups(next), next.broker.stats().queuedMessages], [0, 0]);
  await closeWorld(next);
});

test("the queue has its bounds: the new message is the one to drop, expired ones make room", async () => {
  const world = await startWorld({ limits: { ...limits, queuedMessagesMax: 3, groupQueuedPerSecondMax: 5 } });
  await awayGroup(world, { a: persistent });
  const publisher = await world.connect("p5", { version: 5 });
  await publisher.publish("t/1", "0", { properties: { messageExpirySeconds: 1 } });
  for (const text of ["1", "2", "lost"]) await publisher.publish("t/1", text);
  assert.equal(world.line("limitHit")?.facts["limit"], "queuedMessagesMax");
  await world.clock.advance(2_000);
  await publisher.publish("t/1", "3");
  const a = await world.connect("a", persistent);
  await world.clock.settle();
  assert.deepEqual(a.messages, ["t/1=1", "t/1=2", "t/1=3"]);
  await a.disconnect();
  await world.clock.advance(2_000);
  const wide = await startWorld({ limits: { ...limits, groupQueuedPerSecondMax: 5 } });
  const other = await awayGroup(wide, { a: persistent });
  await publishNumbers(other, 7);
  assert.deepEqual([wide.broker.stats().queuedMessages, wide.broker.stats().droppedQueueFull], [5, 2]);
  assert.equal(wide.line("limitHit")?.facts["limit"], "groupQueuedPerSecondMax");
  await closeWorld(wide);
  await closeWorld(world);
});

test("a member that may not receive the topic is passed over; when no member may, the message is dropped", async () => {
  const world = await startWorld({ limits });
  const denied = new TestIdentity((action) => action !== "iot:Receive");
  const a = await world.connect("a", { ...persistent, identity: denied });
  const b = await world.connect("b", persistent);
  for (const member of [a, b]) await member.subscribe(share);
  const publisher = await world.connect("publisher");
  await publishNumbers(publisher, 10);
  assert.deepEqual([a.messages, b.messages], [[], numbers(10)]);
  b.send({ type: "unsubscribe", packetId: 99, filters: [share] });
  await world.clock.settle();
  await publishNumbers(publisher, 2, 10);
  assert.deepEqual([world.broker.stats().droppedReceiveDenied, world.broker.stats().queuedMessages], [2, 0]);
  assert.equal(await storedOfGroups(world), 1);
  await closeWorld(world);
});

test("what no member that is there may receive waits for the one that is away, and holds up nothing else", async () => {
  const world = await startWorld({ limits });
  const partly = new TestIdentity((action, resource) => action !== "iot:Receive" || resource !== "topic/t/1");
  const a = await world.connect("a", { ...persistent, identity: partly });
  const b = await world.connect("b", persistent);
  for (const member of [a, b]) await member.subscribe(share);
  await b.disconnect();
  const publisher = await world.connect("publisher");
  await publishNumbers(publisher, 2);
  await publisher.publish("t/2", "for a");
  assert.deepEqual(a.messages, ["t/2=for a"]);
  assert.deepEqual([world.broker.stats().droppedReceiveDenied, world.broker.stats().queuedMessages], [0, 2]);
  assert.equal(await storedOfGroups(world), 3);
  const back = await world.connect("b", persistent);
  await world.clock.settle();
  assert.deepEqual(back.messages, numbers(2));
  assert.deepEqual([world.broker.stats().queuedMessages, world.broker.stats().queuedBytes], [0, 0]);
  assert.equal(await storedOfGroups(world), 1);
  await closeWorld(world);
});

test("what waits for a member that is away goes to one that is there once its policy allows it, and is dropped when the other leaves", async () => {
  const world = await startWorld({ limits });
  let mayReceive = false;
  const identity = new TestIdentity((action) => action !== "iot:Receive" || mayReceive, "certificate");
  const a = await world.connect("a", { ...persistent, identity });
  const b = await world.connect("b", persistent);
  for (const member of [a, b]) await member.subscribe(share);
  await b.disconnect();
  const publisher = await world.connect("publisher");
  await publishNumbers(publisher, 2);
  assert.deepEqual(a.messages, []);
  mayReceive = true;
  identity.generation++;
  await world.broker.recheckPrincipal("certificate");
  await world.clock.settle();
  assert.deepEqual(a.messages, numbers(2));
  mayReceive = false;
  identity.generation++;
  await publishNumbers(publisher, 1, 2);
  assert.equal(world.broker.stats().queuedMessages, 1);
  const gone = await world.connect("b");
  await gone.disconnect();
  await publishNumbers(publisher, 1, 3);
  assert.deepEqual([world.broker.stats().droppedReceiveDenied, world.broker.stats().queuedMessages], [2, 0]);
  await closeWorld(world);
});

test("a member whose certificate is deactivated gives back what it has not acknowledged", async () => {
  const world = await startWorld({ limits });
  const identity = new TestIdentity(() => true, "certificate");
  const a = await world.connect("a", { ...persistent, identity });
  a.acknowledges = false;
  await a.subscribe(share);
  const publisher = await world.connect("publisher");
  await publishNumbers(publisher, 3);
  const b = await world.connect("b", persistent);
  await b.subscribe(share);
  identity.mayConnect = false;
  const rechecked = world.broker.recheckPrincipal("certificate");
  await world.clock.settle();
  await rechecked;
  await world.clock.settle();
  assert.deepEqual([a.isClosed, b.messages], [true, numbers(3)]);
  await closeWorld(world);
});

test("a message larger than a member takes goes to another, or is done with", async () => {
  const world = await startWorld({ limits });
  const small = { ...persistent5, properties: { ...persistent5.properties, maximumPacketBytes: 512 } };
  const a = await world.connect("a", small);
  const b = await world.connect("b", persistent);
  for (const member of [a, b]) await member.subscribe(share);
  const publisher = await world.connect("publisher");
  for (let count = 0; count < 6; count++) await publisher.publish("t/1", "x".repeat(600));
  assert.deepEqual([a.messages.length, b.messages.length], [0, 6]);
  await b.disconnect();
  await publisher.publish("t/1", "x".repeat(600));
  assert.deepEqual([world.broker.stats().droppedTooLarge, await storedOfGroups(world)], [0, 2], "it waits for b");
  const back = await world.connect("b", persistent);
  await world.clock.settle();
  assert.deepEqual([back.messages.length, await storedOfGroups(world)], [1, 1]);
  back.send({ type: "unsubscribe", packetId: 99, filters: [share] });
  await world.clock.settle();
  await publisher.publish("t/1", "x".repeat(600));
  assert.deepEqual([world.broker.stats().droppedTooLarge, await storedOfGroups(world)], [1, 1]);
  await closeWorld(world);
});

test("QoS 0 is never queued, and a member that asked for QoS 0 gets it so", async () => {
  const world = await startWorld({ limits });
  const publisher = await awayGroup(world, { a: persistent });
  await publisher.publish("t/1", "lost", { qos: 0 });
  await publishNumbers(publisher, 2);
  const zero = await world.connect("zero");
  await zero.subscribe({ filter: share, qos: 0 });
  await world.clock.settle();
  assert.deepEqual(
    zero.publishes.map(({ qos }) => qos),
    [0, 0],
  );
  assert.deepEqual([world.broker.stats().droppedGroupOffline, await storedOfGroups(world)], [1, 1]);
  await closeWorld(world);
});

test("each group that fits gets a copy, and groups of one name with other filters are others", async () => {
  const world = await startWorld({ limits });
  const member = await world.connect("a", persistent);
  await member.subscribe("$share/g/t/+", "$share/g/t/1", "$share/h/t/+");
  await member.disconnect();
  await publishNumbers(await world.connect("publisher"), 2);
  assert.equal(world.broker.stats().queuedMessages, 6);
  const next = await world.restart();
  const back = await next.connect("a", persistent);
  await next.clock.settle();
  assert.deepEqual(
    back.messages.sort(),
    [...numbers(1), ...numbers(1), ...numbers(1), ...numbers(1, 1), ...numbers(1, 1), ...numbers(1, 1)].sort(),
  );
  await closeWorld(next);
});

test("where brokers share a store, a persistent member keeps what its group has queued", async () => {
  const bus = createLocalBus();
  const world = await startWorld({ limits, bus });
  const other = await startWorld({ limits, bus, store: world.store, clock: world.clock });
  const publisher = await awayGroup(world, { a: persistent });
  await publishNumbers(publisher, 3);
  const back = await world.connect("a", persistent);
  await world.clock.settle();
  assert.deepEqual([back.messages, await storedOfGroups(world)], [numbers(3), 0]);
  const closing = other.broker.close();
  await closeWorld(world);
  await closing;
});
