import assert from "node:assert/strict";
import { test } from "node:test";
import { ThinglineError } from "@thingline/protocol";
import { createLocalBus } from "../bus/local-bus.js";
import { createMemoryStore } from "../store/memory.js";
import type { Store, StoreOperation } from "../store/store.js";
import { closeWorld, quickLimits, startWorld, TestIdentity, World } from "./harness.test.support.js";

const persistent = { isCleanStart: false } as const;
const persistent5 = { version: 5, isCleanStart: false, properties: { sessionExpirySeconds: 3_600 } } as const;
const limits = quickLimits;

/** A store whose commits a test can watch, hold and break. */
class WatchedStore implements Store {
  readonly inner = createMemoryStore();
  commits: (readonly StoreOperation[])[] = [];
  held: (() => void)[] | undefined;
  failure: Error | undefined;
  get: Store["get"] = (key) => this.inner.get(key);
  list: Store["list"] = (prefix, options) => this.inner.list(prefix, options);
  async commit(operations: readonly StoreOperation[]): Promise<readonly number[]> {
    this.commits.push(operations);
    if (this.held !== undefined) await new Promise<void>((resolve) => this.held!.push(resolve));
    if (this.failure !== undefined) throw this.failure;
    return this.inner.commit(operations);
  }
  release(): void {
    const held = this.held ?? [];
    this.held = undefined;
    for (const resolve of held) resolve();
  }
  close(): Promise<void> {
    return this.inner.close();
  }
}

for (const [name, options] of [
  ["3.1.1", persistent],
  ["5", persistent5],
] as const) {
  test(`a session of ${name} is resumed with its subscriptions and what was published meanwhile`, async () => {
    const world = await startWorld();
    const client = await world.connect("c", options);
    assert.equal(client.connack?.isSessionPresent, false);
    await client.subscribe("t", { filter: "low", qos: 0 });
    await client.disconnect();
    const publisher = await world.connect("p");
    await publisher.publish("t", "1");
    await publisher.publish("t", "QoS 0 by its publisher", { qos: 0 });
    await publisher.publish("low", "QoS 0 by its subscription");
    await publisher.publish("t", "2");
    const again = await world.connect("c", options);
    assert.equal(again.connack?.isSessionPresent, true);
    assert.deepEqual(again.messages, ["t=1", "t=2"]);
    await publisher.publish("t", "3");
    assert.deepEqual(again.messages, ["t=1", "t=2", "t=3"]);
    assert.equal(world.broker.stats().droppedOffline, 2);
    await closeWorld(world);
  });
}

test("everything acknowledged survives kill -9: session, subscriptions, messages, and nothing twice", async () => {
  const world = await startWorld();
  const client = await world.connect("c", persistent5);
  await client.subscribe("t/+");
  await client.disconnect();
  const publisher = await world.connect("p");
  assert.equal(await publisher.publish("t/1", "1"), 0);
  const second = await world.restart();
  assert.deepEqual([second.broker.stats().persistentSessions, second.broker.stats().queuedMessages], [1, 1]);
  const publisher2 = await second.connect("p", { version: 5 });
  const properties = { userProperties: [["k", "v"]] as const };
  assert.equal(await publisher2.publish("t/2", "2", { properties }), 0);
  const again = await second.connect("c", persistent5);
  assert.equal(again.connack?.isSessionPresent, true);
  assert.deepEqual(again.messages, ["t/1=1", "t/2=2"]);
  assert.deepEqual(again.publishes[1]?.properties?.userProperties, [["k", "v"]]);
  const third = await second.restart();
  const last = await third.connect("c", persistent5);
  assert.deepEqual([last.connack?.isSessionPresent, last.messages], [true, []]);
  await closeWorld(third);
});

test("a message that was sent and not acknowledged comes again after a resumption, and after kill -9", async () => {
  const world = await startWorld();
  const client = await world.connect("c", persistent);
  await client.subscribe("t");
  client.acknowledges = false;
  const publisher = await world.connect("p");
  for (const text of ["1", "2"]) await publisher.publish("t", text);
  client.send({ type: "puback", packetId: client.publishes[0]!.packetId!, reasonCode: 0 });
  await world.clock.settle();
  const next = await world.restart();
  const again = await next.connect("c", persistent);
  assert.deepEqual(again.messages, ["t=2"]);
  assert.equal(again.publishes[0]?.isDuplicate, false, "AWS does not set DUP");
  await closeWorld(next);
});

test("PUBACK and SUBACK wait for the store, one commit per turn", async () => {
  const store = new WatchedStore();
  const world = await startWorld({ store });
  const client = await world.connect("c", persistent);
  store.held = [];
  assert.equal(await client.subscribe("t"), undefined);
  store.release();
  await world.clock.settle();
  assert.deepEqual(client.last("suback")?.reasonCodes, [1]);
  await client.disconnect();
  const publisher = await world.connect("p");
  store.held = [];
  store.commits = [];
  for (let packetId = 1; packetId <= 3; packetId++) {
    const payload = new Uint8Array();
    const rest = { payload, qos: 1, isRetained: false, isDuplicate: false } as const;
    publisher.send({ type: "publish", topic: "t", packetId, ...rest });
  }
  await world.clock.settle();
  assert.deepEqual([publisher.pubacks.length, store.commits.length], [0, 1]);
  assert.equal(store.commits[0]?.length, 4, "three messages and the session's record");
  store.release();
  await world.clock.settle();
  assert.deepEqual(
    publisher.pubacks.map(({ packetId }) => packetId),
    [1, 2, 3],
  );
  await closeWorld(world);
});

test("clean sessions never touch the store", async () => {
  const store = new WatchedStore();
  const world = await startWorld({ store });
  let reads = 0;
  store.get = () => {
    reads++;
    return Promise.resolve(undefined);
  };
  const client = await world.connect("c");
  await client.subscribe("t");
  await client.publish("t", "x");
  await client.disconnect();
  assert.deepEqual([store.commits.length, reads], [0, 0]);
  await closeWorld(world);
});

test("a message for a persistent session is delivered at once and deleted from the store when acknowledged", async () => {
  const world = await startWorld();
  const client = await world.connect("c", persistent);
  await client.subscribe("t");
  await client.publish("t", "x");
  assert.deepEqual(client.messages, ["t=x"]);
  const left = await world.store.list(["123456789012", "us-east-1", "broker", "message"], { limit: 10 });
  assert.deepEqual(left, []);
  await closeWorld(world);
});

test("Clean Session 1 ends the old session", async () => {
  const world = await startWorld();
  const client = await world.connect("c", persistent);
  await client.subscribe("t");
  await client.disconnect();
  const publisher = await world.connect("p");
  await publisher.publish("t", "lost with the session");
  const clean = await world.connect("c");
  assert.deepEqual([clean.connack?.isSessionPresent, clean.messages], [false, []]);
  await clean.disconnect();
  const again = await world.connect("c", persistent);
  assert.equal(again.connack?.isSessionPresent, false);
  await publisher.publish("t", "x");
  assert.deepEqual(again.messages, []);
  assert.equal(world.broker.stats().droppedSessionEnded, 1);
  await closeWorld(world);
});

test("a session does not cross protocol versions", async () => {
  const world = await startWorld();
  await (await world.connect("c", persistent)).disconnect();
  const young = await world.connect("c", persistent5);
  assert.equal(young.connack?.isSessionPresent, false);
  await young.disconnect();
  const old = await world.connect("c", persistent);
  assert.equal(old.connack?.isSessionPresent, false);
  await closeWorld(world);
});

test("a session expires, also when the broker was not running when it was due", async () => {
  const world = await startWorld();
  const keep = async (clientId: string, sessionExpirySeconds: number): Promise<void> => {
    const client = await world.connect(clientId, { ...persistent5, properties: { sessionExpirySeconds } });
    await client.subscribe("t");
    await client.disconnect();
  };
  await keep("short", 60);
  await keep("long", 3_600);
  await world.clock.advance(61_000);
  const { persistentSessions, sessionsExpired, subscriptions } = world.broker.stats();
  assert.deepEqual([persistentSessions, sessionsExpired, subscriptions], [1, 1, 1]);
  await closeWorld(world);
  await world.clock.advance(3_600_000);
  const next = await world.restart();
  await next.clock.advance(1);
  assert.equal(next.broker.stats().persistentSessions, 0);
  const left = await world.store.list(["123456789012", "us-east-1", "broker"], { limit: 10 });
  assert.deepEqual(left, [], "nothing of an expired session is left in the store");
  await closeWorld(next);
});

test("a session whose client was connected at kill -9 expires an hour after the restart", async () => {
  const world = await startWorld();
  await world.connect("c", persistent);
  const next = await world.restart();
  await next.clock.advance(3_599_000);
  assert.equal(next.broker.stats().persistentSessions, 1);
  await next.clock.advance(1_000);
  assert.equal(next.broker.stats().persistentSessions, 0);
  await closeWorld(next);
});

test("DISCONNECT may change the expiry, to 0 as well, and may not raise it from 0", async () => {
  const world = await startWorld();
  const client = await world.connect("c", persistent5);
  client.send({ type: "disconnect", reasonCode: 0, properties: { sessionExpirySeconds: 0 } });
  await world.clock.advance(1);
  assert.equal(world.broker.stats().persistentSessions, 0);
  const clean = await world.connect("c", { version: 5 });
  clean.send({ type: "disconnect", reasonCode: 0, properties: { sessionExpirySeconds: 60 } });
  await world.clock.settle();
  assert.equal(clean.last("disconnect")?.reasonCode, 0x82);
  await closeWorld(world);
});

test("a takeover with Clean Session 0 keeps the session and what was in flight", async () => {
  const world = await startWorld();
  const old = await world.connect("c", persistent);
  await old.subscribe("t");
  old.acknowledges = false;
  await (await world.connect("p")).publish("t", "x");
  const young = await world.connect("c", persistent);
  assert.equal(old.isClosed, true);
  assert.deepEqual([young.connack?.isSessionPresent, young.messages], [true, ["t=x"]]);
  await closeWorld(world);
});

test("queued messages are replayed at 10 a second", async () => {
  const world = await startWorld();
  const client = await world.connect("c", persistent);
  await client.subscribe("t");
  await client.disconnect();
  const publisher = await world.connect("p");
  for (let count = 0; count < 25; count++) await publisher.publish("t", String(count));
  const again = await world.connect("c", persistent);
  assert.equal(again.messages.length, 10);
  await world.clock.advance(1_000);
  assert.equal(again.messages.length, 20);
  await world.clock.advance(500);
  assert.equal(again.messages.length, 25);
  await closeWorld(world);
});

test("an offline session takes 100 messages a second, and its queue has a bound", async () => {
  const world = await startWorld({ limits: { ...limits, queuedMessagesMax: 120 } });
  const client = await world.connect("c", persistent);
  await client.subscribe("t");
  await client.disconnect();
  for (let round = 0; round < 2; round++) {
    const publishers = [await world.connect("p1"), await world.connect("p2")];
    for (const publisher of publishers) for (let count = 0; count < 55; count++) await publisher.publish("t", "x");
    await world.clock.advance(1_000);
  }
  assert.equal(world.broker.stats().queuedMessages, 120);
  assert.equal(world.broker.stats().droppedQueueFull, 100);
  await closeWorld(world);
});

test("what the client may not receive any more is dropped when it is back", async () => {
  const world = await startWorld();
  const client = await world.connect("c", persistent);
  await client.subscribe("t");
  await client.disconnect();
  await (await world.connect("p")).publish("t", "x");
  const identity = new TestIdentity((action) => action !== "iot:Receive");
  const again = await world.connect("c", { ...persistent, identity });
  assert.deepEqual(again.messages, []);
  assert.equal(world.broker.stats().droppedReceiveDenied, 1);
  await closeWorld(world);
});

test("a store that fails gives no PUBACK and ends the connections that relied on it", async () => {
  const store = new WatchedStore();
  const world = await startWorld({ store });
  const client = await world.connect("c", persistent);
  await client.subscribe("t");
  const publisher = await world.connect("p");
  store.failure = new Error("disk full");
  assert.equal(await publisher.publish("t", "x"), undefined);
  assert.deepEqual([publisher.isClosed, client.isClosed], [true, true]);
  assert.ok(world.broker.stats().storeFailures > 0);
  assert.match(String(world.line("storeFailed")?.facts["error"]), /disk full/);
  store.failure = undefined;
  await closeWorld(world);
});

test("an epoch that is over cannot write: the holder loses the session and disconnects", async () => {
  const world = await startWorld();
  const client = await world.connect("c", persistent5);
  await client.subscribe("t");
  const key = ["123456789012", "us-east-1", "broker", "session", "c"];
  const entry = await world.store.get<{ epoch: number }>(key);
  await world.store.commit([{ key, value: { ...entry!.value, epoch: entry!.value.epoch + 1, owner: "another" } }]);
  const publisher = await world.connect("p");
  assert.equal(await publisher.publish("t", "x"), undefined, "what was not stored is not acknowledged");
  assert.deepEqual([client.isClosed, client.last("disconnect")?.reasonCode], [true, 0x8e]);
  assert.equal(world.broker.stats().sessionsConflicted, 1);
  await closeWorld(world);
});

test("two brokers on one bus: messages, takeover, retained messages and control cross", async () => {
  const bus = createLocalBus();
  const one = await startWorld({ bus });
  const shared = { bus, limits, clock: one.clock, store: one.store };
  const two = await new World(shared).start();
  const here = await one.connect("c", persistent);
  await here.subscribe("t");
  const far = await two.connect("p", { version: 5 });
  assert.equal(await far.publish("t", "across"), 0);
  assert.deepEqual(here.messages, ["t=across"]);
  await far.publish("r", "kept", { isRetained: true });
  await here.subscribe("r");
  assert.deepEqual(here.messages, ["t=across", "r=kept"]);
  // The client comes to the other broker: its session comes with it.
  const there = await two.connect("c", persistent);
  await one.clock.settle();
  assert.deepEqual([there.connack?.isSessionPresent, here.isClosed], [true, true]);
  assert.equal(one.broker.stats().persistentSessions, 0);
  const old = await one.connect("q");
  await old.publish("t", "the other way");
  assert.deepEqual(there.messages, ["t=the other way"]);
  const effect = one.broker.publish({ topic: "only", payload: new Uint8Array(), qos: 1, onlyToClientId: "c" });
  await one.clock.settle();
  await effect;
  assert.deepEqual(there.messages, ["t=the other way", "only="]);
  await one.broker.disconnectClient("c", "from afar");
  await one.clock.settle();
  assert.equal(there.isClosed, true);
  const closing = [one.broker.close(), two.broker.close()];
  await one.clock.settle();
  await Promise.all(closing);
});

test("a commit conflict is told as STORE_CONFLICT to those who wait after it", async () => {
  const store = new WatchedStore();
  const world = await startWorld({ store });
  const client = await world.connect("c", persistent);
  await client.subscribe("t");
  store.failure = new ThinglineError("STORE_CONFLICT", "another commit changed the key first");
  const publisher = await world.connect("p", { version: 5 });
  assert.equal(await publisher.publish("t", "x"), 0x80);
  store.failure = undefined;
  assert.equal(await publisher.publish("t", "nobody is subscribed any more"), 0);
  await closeWorld(world);
});

test("a message for more sessions than the store takes commits at once reaches them all", async () => {
  const store = new WatchedStore();
  const world = await startWorld({ store });
  for (let count = 0; count < 1_500; count++) {
    const client = await world.connect(`c${count}`, persistent);
    await client.subscribe("t");
    client.lose();
  }
  await world.clock.settle();
  store.held = [];
  const publisher = await world.connect("p");
  assert.equal(await publisher.publish("t", "x"), undefined);
  assert.equal(store.held.length, 1_000);
  store.release();
  await world.clock.settle();
  assert.equal(publisher.pubacks.length, 1);
  assert.equal(world.broker.stats().queuedMessages, 1_500);
  await closeWorld(world);
});
