import assert from "node:assert/strict";
import { test } from "node:test";
import { isThinglineError, ThinglineError } from "@thingline/protocol";
import { createVirtualClock, createVirtualRandom } from "@thingline/transport/virtual";
import { busTimeoutMs } from "../bus/bus.js";
import { createVirtualBus } from "../contract/virtual-bus.js";
import { nodeLeaseMarginMs, nodeLeaseMs, nodeRenewMs, openClusterNode } from "../nodes/cluster-node.js";
import { nodeKeys, type CloudNode } from "../nodes/node.js";
import { createMemoryStore } from "../store/memory.js";
import type { Store } from "../store/store.js";
import { quickLimits, TestIdentity, World } from "./harness.test.support.js";
import { openQuestionsMax } from "./inquiries.js";
import { retainedGapMs } from "./retained-gaps.js";
import { adoptedAtOnceMax, openAttemptsMax } from "./session-lifecycle.js";
import { silentLog } from "../log.js";

const persistent = { isCleanStart: false } as const;
const deathMs = nodeLeaseMs + nodeLeaseMarginMs + 3 * nodeRenewMs;

interface Member extends World {
  node: CloudNode;
}

/** Brokers of nodes on one store and one bus, all in one virtual time. */
async function openCluster(count: number) {
  const clock = createVirtualClock();
  const store = createMemoryStore();
  const random = createVirtualRandom(21);
  const bus = createVirtualBus({ clock, random });
  const wakeUps: number[] = [];
  const cut = new Set<CloudNode>();
  const join = async (): Promise<Member> => {
    const joined: { node?: CloudNode } = {};
    const own: Store = {
      ...store,
      commit: (operations) =>
        joined.node !== undefined && cut.has(joined.node)
          ? Promise.reject(new ThinglineError("STORE_UNWRITABLE", "cut off"))
          : store.commit(operations),
    };
    const node = await openClusterNode({ store: own, clock, random, log: silentLog });
    joined.node = node;
    const onWakeUpStored = (atUnixMs: number) => void wakeUps.push(atUnixMs);
    const world = new World({ clock, store, random, bus, node, limits: quickLimits, onWakeUpStored });
    const starting = world.start(nodeRenewMs);
    return Object.assign(await starting, { node });
  };
  const members: Member[] = [];
  for (let at = 0; at < count; at++) members.push(await join());
  await clock.advance(2 * nodeRenewMs);
  /** As a process that is killed: it says and writes nothing any more. */
  const kill = async ({ node }: Member) => {
    bus.kill(node.id);
    await store.commit([{ key: nodeKeys.node(node.id), value: { startedAtMs: 0 } }]);
  };
  return { clock, store, bus, members, join, kill, cut, wakeUps };
}

test("a SUBACK waits until every other broker knows; the connection ends when they cannot be told", async () => {
  const { clock, bus, members } = await openCluster(2);
  const [one, two] = members as [Member, Member];
  const client = await one.connect("c");
  bus.part(one.node.id, two.node.id);
  void client.subscribe("t");
  await clock.advance(busTimeoutMs);
  assert.equal(client.last("suback"), undefined);
  bus.heal();
  await clock.advance(busTimeoutMs);
  assert.deepEqual(client.last("suback")?.reasonCodes, [1]);
  const publisher = await two.connect("p");
  void publisher.publish("t", "x");
  await clock.advance(10);
  assert.deepEqual([client.messages, publisher.pubacks.length], [["t=x"], 1]);
  bus.part(one.node.id, two.node.id);
  void client.subscribe("u");
  await clock.advance(retainedGapMs);
  assert.deepEqual([client.packets.filter(({ type }) => type === "suback").length, client.isClosed], [1, true]);
  assert.ok(one.line("interestNotKnown"));
});

test("a PUBACK waits for all that want the message, and does not come when one of them cannot be reached", async () => {
  const { clock, bus, members } = await openCluster(2);
  const [one, two] = members as [Member, Member];
  const client = await one.connect("c");
  void client.subscribe("t");
  await clock.advance(10);
  const publisher = await two.connect("p", { version: 5 });
  bus.part(one.node.id, two.node.id);
  void publisher.publish("t", "late");
  await clock.advance(busTimeoutMs);
  assert.equal(publisher.pubacks.length, 0);
  bus.heal();
  await clock.advance(busTimeoutMs);
  assert.deepEqual([client.messages, publisher.pubacks.at(-1)?.reasonCode], [["t=late"], 0]);
  bus.part(one.node.id, two.node.id);
  void publisher.publish("t", "never");
  await clock.advance(retainedGapMs);
  assert.deepEqual([client.messages, publisher.pubacks.at(-1)?.reasonCode], [["t=late"], 0x80]);
});

test("a recheck is done when all brokers have done it, and fails when one cannot be told", async () => {
  const { clock, bus, members } = await openCluster(2);
  const [one, two] = members as [Member, Member];
  const identity = new TestIdentity(() => true, "cert");
  const client = await one.connect("c", { identity });
  identity.mayConnect = false;
  let isDone = false;
  const recheck = two.broker.recheckPrincipal("cert").then(() => void (isDone = true));
  await clock.settle();
  assert.deepEqual([isDone, client.isClosed], [false, false]);
  await clock.advance(10);
  await recheck;
  assert.deepEqual([isDone, client.isClosed], [true, true]);
  bus.part(one.node.id, two.node.id);
  const failing = two.broker.recheckPrincipal("cert");
  failing.catch(() => undefined);
  await clock.advance(retainedGapMs);
  await assert.rejects(failing, (error) => isThinglineError(error, "TIMEOUT"));
});

test("a session moves with what it has; its old holder lets it go", async () => {
  const { clock, members } = await openCluster(3);
  const [one, two, three] = members as [Member, Member, Member];
  const here = await one.connect("c", persistent);
  void here.subscribe("t");
  await clock.advance(10);
  here.lose();
  const publisher = await three.connect("p");
  void publisher.publish("t", "1");
  await clock.advance(10);
  const there = await two.connect("c", persistent);
  await clock.advance(10);
  void publisher.publish("t", "2");
  await clock.advance(10);
  assert.deepEqual([there.connack?.isSessionPresent, there.messages], [true, ["t=1", "t=2"]]);
  assert.deepEqual(
    members.map(({ broker }) => broker.stats().persistentSessions),
    [0, 1, 0],
  );
});

test("the sessions of a dead node are taken by another, and messages wait for that", async () => {
  const { clock, members, kill } = await openCluster(3);
  const [one, two, three] = members as [Member, Member, Member];
  const away = await one.connect("c", persistent);
  void away.subscribe("t");
  await clock.advance(10);
  await kill(one);
  const publisher = await two.connect("p", { version: 5 });
  void publisher.publish("t", "kept");
  await clock.advance(nodeLeaseMs / 2);
  assert.equal(publisher.pubacks.length, 0, "nobody alive has the session");
  await clock.advance(deathMs);
  assert.equal(publisher.pubacks.at(-1)?.reasonCode, 0);
  assert.equal(two.broker.stats().persistentSessions + three.broker.stats().persistentSessions, 1);
  const back = await three.connect("c", persistent);
  await clock.advance(10);
  assert.deepEqual([back.connack?.isSessionPresent, back.messages], [true, ["t=kept"]]);
});

test("a node whose lease ran out acknowledges nothing and confirms nothing until it is renewed", async () => {
  const { clock, members, cut } = await openCluster(2);
  const [one, two] = members as [Member, Member];
  const publisher = await one.connect("p", { version: 5 });
  const other = await two.connect("q", { version: 5 });
  const client = await one.connect("c");
  void client.subscribe("t");
  await clock.advance(10);
  cut.add(one.node);
  while (one.node.mayAct()) await clock.advance(100);
  // Half a second later, so that the other's attempts last until the next renewal.
  await clock.advance(500);
  assert.equal(one.node.isOver, false);
  void publisher.publish("nobody", "x");
  void other.publish("t", "x");
  await clock.advance(10);
  assert.deepEqual([publisher.pubacks.length, other.pubacks.length, client.messages], [0, 0, []]);
  cut.clear();
  await clock.advance(nodeRenewMs + busTimeoutMs);
  assert.deepEqual([publisher.pubacks[0]?.reasonCode, other.pubacks[0]?.reasonCode], [0, 0]);
  assert.deepEqual(client.messages, ["t=x"]);
});

test("a broker whose node is over disconnects its clients", async () => {
  const { clock, members, store } = await openCluster(2);
  const [one] = members as [Member];
  const client = await one.connect("c");
  await store.commit([{ key: nodeKeys.node(one.node.id), value: { startedAtMs: 0, isOver: true } }]);
  await clock.advance(nodeRenewMs);
  assert.deepEqual([one.node.isOver, client.isClosed], [true, true]);
});

test("a retained copy is repaired when the bus has lost the message for good", async () => {
  const { clock, bus, members } = await openCluster(2);
  const [one, two] = members as [Member, Member];
  const publisher = await one.connect("p", { version: 5 });
  const told = async (world: Member) => {
    const client = await world.connect("look", { version: 5 });
    void client.subscribe("r");
    await clock.advance(10);
    client.lose();
    return client.messages;
  };
  void publisher.publish("r", "1", { isRetained: true });
  await clock.advance(10);
  assert.deepEqual(await told(two), ["r=1"]);
  // One message a topic and second is what AWS takes.
  await clock.advance(1_000);
  bus.part(one.node.id, two.node.id);
  void publisher.publish("r", "2", { isRetained: true });
  await clock.advance(retainedGapMs);
  assert.equal(publisher.pubacks.at(-1)?.reasonCode, 0x80, "the other broker has not got it");
  bus.heal();
  await clock.advance(retainedGapMs);
  assert.deepEqual([await told(one), await told(two)], [["r=2"], ["r=2"]]);
});

test("of two retained messages at once, all brokers have the one that the store has", async () => {
  const { clock, members, store } = await openCluster(3);
  const [one, two, three] = members as [Member, Member, Member];
  const publishers = [await one.connect("p"), await two.connect("q")];
  for (const [at, publisher] of publishers.entries()) void publisher.publish("r", String(at), { isRetained: true });
  await clock.advance(100);
  const [stored] = await store.list<{ payload: Uint8Array }>(["123456789012", "us-east-1", "broker", "retained"], {
    limit: 2,
  });
  for (const world of [one, two, three]) {
    const client = await world.connect("look");
    void client.subscribe("r");
    await clock.advance(10);
    assert.deepEqual(client.messages, [`r=${new TextDecoder().decode(stored?.value.payload)}`]);
    client.lose();
  }
});

test("an effect that another node performs again is dropped where it had arrived", async () => {
  const { clock, members, kill } = await openCluster(2);
  const [one, two] = members as [Member, Member];
  const client = await two.connect("c");
  void client.subscribe("t");
  await clock.advance(10);
  const effect = { topic: "t", payload: new Uint8Array(0), qos: 1 } as const;
  const id = { node: one.node.id, sequence: 1 };
  void one.broker.publish(effect, id);
  await clock.advance(10);
  assert.deepEqual(client.messages, ["t="]);
  await kill(one);
  void two.broker.publish(effect, id);
  void two.broker.publish(effect, { ...id, sequence: 2 });
  await clock.advance(deathMs);
  assert.deepEqual(client.messages, ["t=", "t="]);
});

test("an effect that failed is taken by the others also after a later one", async () => {
  const { clock, members } = await openCluster(2);
  const [one, two] = members as [Member, Member];
  const client = await two.connect("c");
  void client.subscribe("t");
  await clock.advance(10);
  for (const sequence of [2, 1, 2]) {
    const payload = new TextEncoder().encode(String(sequence));
    void one.broker.publish({ topic: "t", payload, qos: 1 }, { node: one.node.id, sequence });
    await clock.advance(10);
  }
  assert.deepEqual(client.messages, ["t=2", "t=1"]);
});

test("a stored wake-up is told to the other nodes", async () => {
  const { clock, members, wakeUps } = await openCluster(3);
  members[0]!.broker.announceWakeUp(7);
  await clock.advance(10);
  assert.deepEqual(wakeUps, [7, 7]);
});

test("a broker that comes later knows what the others want before it is open", async () => {
  const { clock, members, join } = await openCluster(1);
  const client = await members[0]!.connect("c");
  await client.subscribe("t");
  const late = await join();
  const publisher = await late.connect("p");
  void publisher.publish("t", "x");
  await clock.advance(10);
  assert.deepEqual([client.messages, publisher.pubacks.length], [["t=x"], 1]);
});

test("more than adoptedAtOnceMax sessions of a dead node are taken, all of them", async () => {
  const { clock, members, kill } = await openCluster(2);
  const [one, two] = members as [Member, Member];
  for (let count = 0; count <= adoptedAtOnceMax; count++) (await one.connect(`c${count}`, persistent)).lose();
  await clock.advance(10);
  await kill(one);
  await clock.advance(deathMs);
  assert.equal(two.broker.stats().persistentSessions, adoptedAtOnceMax + 1);
});

test("a session that somebody else writes each time it was read is given up after openAttemptsMax", async () => {
  const { clock, members, store } = await openCluster(2);
  const [one, two] = members as [Member, Member];
  const client = await one.connect("c", persistent);
  await clock.advance(10);
  client.lose();
  await clock.advance(10);
  const key = ["123456789012", "us-east-1", "broker", "session", "c"];
  const commit = store.commit.bind(store);
  let attempts = 0;
  store.commit = async (operations) => {
    const isTaken = operations.some((operation) => "value" in operation && operation.key.join() === key.join());
    if (isTaken) {
      attempts++;
      const entry = await store.get(key);
      await commit([{ key, value: entry!.value }]);
    }
    return commit(operations);
  };
  const refused = await two.connect("c", persistent);
  await clock.advance(1_000);
  assert.deepEqual([attempts, refused.connack?.reasonCode], [openAttemptsMax, 3]);
  store.commit = commit;
  const taken = await two.connect("c", persistent);
  await clock.advance(10);
  assert.equal(taken.connack?.isSessionPresent, true);
});

test("clients of other nodes are described, listed, sent to and disconnected; a node that is silent is not passed over", async () => {
  const { clock, bus, members } = await openCluster(3);
  const [one, two, three] = members as [Member, Member, Member];
  const ask = <T>(work: Promise<T>) => clock.until(work);
  const keep = { endsSession: false, preventsWill: false };
  const client = await two.connect("c", { ...persistent, version: 5, properties: { sessionExpirySeconds: 600 } });
  void client.subscribe("t");
  await clock.advance(10);
  await three.connect("d");
  const { clients } = one.broker;
  assert.equal((await ask(clients.describe("c")))?.isConnected, true);
  assert.deepEqual(await ask(clients.subscriptions("c")), [{ topicFilter: "t", qos: 1 }]);
  assert.deepEqual(
    (await ask(clients.list({ after: "", limit: 9 }))).map(({ clientId }) => clientId),
    ["c", "d"],
  );
  const message = { topic: "direct", payload: new Uint8Array([0x78]), properties: { contentType: "x" } };
  assert.equal(await ask(clients.send("c", message, undefined)), "sent");
  assert.equal(await ask(clients.send("c", message, 5_000)), "acknowledged");
  assert.deepEqual(client.messages, ["direct=x", "direct=x"]);
  client.acknowledges = false;
  assert.equal(await ask(clients.send("c", message, 15_000)), "unanswered", "longer than the bus waits");
  assert.equal(client.publishes.length, 3, "and sent once");
  assert.equal(await ask(clients.send("nobody", message, 1_000)), "notConnected");
  assert.equal(one.parts.inquiries.openCount, 0);
  assert.equal(await ask(clients.disconnect("c", keep)), true);
  assert.deepEqual([client.isClosed, client.last("disconnect")?.reasonCode], [true, 0x98]);
  const ended = await ask(clients.describe("c"));
  assert.deepEqual([ended?.isConnected, ended?.disconnectReason], [false, "API_INITIATED_DISCONNECT"]);
  assert.equal(await ask(clients.send("c", message, 1_000)), "sessionOffline");
  bus.part(one.node.id, three.node.id);
  assert.equal((await ask(clients.subscriptions("c")))?.length, 1, "who knows has said enough");
  await assert.rejects(ask(clients.describe("nobody")), (error) => isThinglineError(error, "NODE_SILENT"));
  bus.heal();
  assert.equal(await ask(clients.disconnect("c", { endsSession: true, preventsWill: false })), true);
  assert.equal(await ask(clients.disconnect("c", { endsSession: true, preventsWill: false })), false);
  assert.equal(await ask(clients.subscriptions("c")), undefined);
});

test("more than openQuestionsMax questions to others are refused until some are answered", async () => {
  const { clock, bus, members } = await openCluster(2);
  const [one, two] = members as [Member, Member];
  const { clients } = one.broker;
  bus.part(one.node.id, two.node.id);
  const open = Array.from({ length: openQuestionsMax }, () => clients.describe("nobody"));
  await assert.rejects(clients.describe("nobody"), (error) => isThinglineError(error, "LIMIT_EXCEEDED"));
  bus.heal();
  assert.deepEqual([...new Set(await clock.until(Promise.all(open)))], [undefined]);
  assert.equal(await clock.until(clients.describe("nobody")), undefined);
});

test("a session that a dead node left is found, and ended, before anybody has adopted it", async () => {
  const { clock, members, kill } = await openCluster(2);
  const [one, two] = members as [Member, Member];
  const ask = <T>(work: Promise<T>) => clock.until(work);
  const client = await two.connect("c", persistent);
  void client.subscribe("t");
  await clock.advance(10);
  await kill(two);
  const { clients } = one.broker;
  const isSilent = (error: unknown) => isThinglineError(error, "NODE_SILENT");
  const found = await ask(clients.describe("c")).catch((error: unknown) => {
    assert.ok(isSilent(error));
    return ask(clients.describe("c"));
  });
  assert.equal(found?.isConnected, false);
  await clock.advance(deathMs);
  assert.equal(await ask(clients.disconnect("c", { endsSession: true, preventsWill: false })), true);
  assert.equal(await ask(clients.describe("c")), undefined);
});

test("a client id is connected at one node, with clean sessions too", async () => {
  const { clock, members } = await openCluster(2);
  const [one, two] = members as [Member, Member];
  const first = await one.connect("c", { version: 5 });
  await clock.advance(10);
  const second = await two.connect("c", { version: 5 });
  await clock.advance(10);
  assert.deepEqual([first.isClosed, first.last("disconnect")?.reasonCode, second.isClosed], [true, 0x8e, false]);
});
