import assert from "node:assert/strict";
import { test } from "node:test";
import { createVirtualClock, createVirtualRandom } from "@thingline/transport/virtual";
import { createVirtualBus } from "../contract/virtual-bus.js";
import { nodeRenewMs, openClusterNode } from "../nodes/cluster-node.js";
import { silentLog } from "../log.js";
import { createMemoryStore } from "../store/memory.js";
import type { Store } from "../store/store.js";
import { closeWorld, quickLimits, scope, startWorld, TestIdentity, World } from "./harness.test.support.js";
import { clientIdOfName, nameBeside, ownerOf } from "./session-owner.js";
import { storeKeys, type SessionRecord } from "./session-store.js";

const keys = storeKeys(scope);

/** Certificates are told apart by one letter; a thing's name makes it that thing's. */
function holder(letter: string, thingName?: string): TestIdentity {
  const identity = new TestIdentity(undefined, letter.repeat(64));
  identity.thingName = thingName;
  return identity;
}
const persistent = (identity: TestIdentity) => ({ identity, isCleanStart: false }) as const;
const clean = (identity: TestIdentity) => ({ identity, isCleanStart: true }) as const;

/** `pump` subscribes to `t`, goes, and misses `count` messages. */
async function leaveQueue(world: World, identity: TestIdentity, count = 2): Promise<void> {
  const device = await world.connect("pump", persistent(identity));
  await device.subscribe("t");
  await device.disconnect();
  const publisher = await world.connect("publisher");
  for (let number = 1; number <= count; number++) await publisher.publish("t", String(number));
  await publisher.disconnect();
}

test("an owner is the thing of that name, else the certificate, else nobody that can be told", () => {
  assert.equal(ownerOf("pump", { thingName: "pump" }, { certificateId: "c" }), "thing");
  assert.equal(
    ownerOf("pump-tool", { thingName: "pump" }, { certificateId: "c" }),
    "c",
    "another name than its thing's",
  );
  assert.equal(ownerOf("pump", { thingName: undefined }, { certificateId: "c" }), "c");
  assert.equal(ownerOf("pump", { thingName: undefined }, { certificateId: undefined }), "anonymous");
  assert.equal(clientIdOfName("pump"), "pump");
  assert.equal(clientIdOfName(nameBeside("pump", "c")), "pump");
});

test("a rotated certificate of the same thing keeps the session, and what was queued before comes after", async () => {
  const world = await startWorld();
  await leaveQueue(world, holder("a", "pump"));
  const rotated = await world.connect("pump", persistent(holder("b", "pump")));
  assert.equal(rotated.connack?.isSessionPresent, true);
  assert.deepEqual(rotated.messages, ["t=1", "t=2"]);
  await closeWorld(world);
});

for (const [name, stranger] of [
  ["a claim", holder("x")],
  ["another thing's certificate", holder("x", "other")],
  ["an anonymous client", new TestIdentity()],
] as const) {
  for (const [manner, fields] of [
    ["resuming", persistent(stranger)],
    ["with a clean start", clean(stranger)],
  ] as const) {
    test(`${name} gets a session of its own, ${manner}, and the device finds its own as it left it`, async () => {
      const world = await startWorld();
      await leaveQueue(world, holder("a", "pump"));
      const taking = await world.connect("pump", fields);
      assert.deepEqual([taking.connack?.isSessionPresent, taking.messages], [false, []]);
      const publisher = await world.connect("publisher");
      await publisher.publish("t", "3");
      assert.deepEqual(taking.messages, [], "the device's subscription is the device's");
      assert.ok(world.line("sessionOfAnother"));
      await taking.disconnect();
      const device = await world.connect("pump", persistent(holder("a", "pump")));
      assert.deepEqual([device.connack?.isSessionPresent, device.messages], [true, ["t=1", "t=2", "t=3"]]);
      await closeWorld(world);
    });
  }
}

test("a stranger that is connected throws the device off and nothing more: what it has not acknowledged stays its own", async () => {
  const world = await startWorld();
  const will = { topic: "last", payload: new TextEncoder().encode("will"), qos: 1, isRetained: false } as const;
  const device = await world.connect("pump", { ...persistent(holder("a", "pump")), will });
  device.acknowledges = false;
  await device.subscribe("t");
  const watcher = await world.connect("watcher");
  await watcher.subscribe("last");
  await watcher.publish("t", "unacknowledged");
  assert.deepEqual(device.messages, ["t=unacknowledged"]);
  const stranger = await world.connect("pump", persistent(holder("x")));
  assert.deepEqual([device.isClosed, stranger.isClosed, watcher.messages], [true, false, ["last=will"]]);
  await stranger.subscribe("mine");
  await watcher.publish("t", "later");
  assert.deepEqual(stranger.messages, []);
  const back = await world.connect("pump", persistent(holder("b", "pump")));
  assert.deepEqual([stranger.isClosed, back.messages], [true, ["t=unacknowledged", "t=later"]]);
  // The stranger's own session waits for it as any other would.
  await watcher.publish("mine", "hers");
  const again = await world.connect("pump", persistent(holder("x")));
  assert.deepEqual([again.connack?.isSessionPresent, again.messages], [true, ["mine=hers"]]);
  await closeWorld(world);
});

test("both sessions of a client id are there after a restart, and each is found by its owner", async () => {
  let world = await startWorld();
  await leaveQueue(world, holder("a", "pump"));
  const stranger = await world.connect("pump", persistent(holder("x")));
  await stranger.subscribe("mine");
  await stranger.disconnect();
  world = await world.restart();
  assert.equal(world.broker.stats().persistentSessions, 2);
  const publisher = await world.connect("publisher");
  await publisher.publish("mine", "hers");
  const device = await world.connect("pump", persistent(holder("a", "pump")));
  assert.deepEqual(device.messages, ["t=1", "t=2"]);
  const again = await world.connect("pump", persistent(holder("x")));
  assert.deepEqual(again.messages, ["mine=hers"]);
  await closeWorld(world);
});

/** As a record of an earlier release. */
async function forgetOwner(store: Store): Promise<void> {
  const entry = await store.get<SessionRecord>(keys.session("pump"));
  const { principal: _principal, ...value } = entry!.value;
  await store.commit([{ key: keys.session("pump"), value }]);
}

test("a session of an earlier release is the thing's of that name, else that of whoever comes first", async () => {
  for (const isThing of [true, false]) {
    let world = await startWorld();
    await leaveQueue(world, holder("a"));
    world.process.kill();
    await forgetOwner(world.store);
    const options = { limits: quickLimits, isThing: async (name: string) => isThing && name === "pump" };
    world = await new World({ ...options, clock: world.clock, store: world.store }).start();
    const first = await world.connect("pump", persistent(holder("x")));
    assert.deepEqual(first.messages, isThing ? [] : ["t=1", "t=2"]);
    await first.disconnect();
    const thing = await world.connect("pump", persistent(holder("b", "pump")));
    assert.deepEqual(thing.messages, isThing ? ["t=1", "t=2"] : []);
    await thing.disconnect();
    assert.equal(
      (await world.store.get<SessionRecord>(keys.session("pump")))?.value.principal,
      isThing ? "thing" : "x".repeat(64),
    );
    await closeWorld(world);
  }
});

test("a stranger is no member of the device's shared groups, and their queue is not its own", async () => {
  const world = await startWorld();
  const device = await world.connect("pump", persistent(holder("a", "pump")));
  await device.subscribe("$share/g/t");
  await device.disconnect();
  const publisher = await world.connect("publisher");
  await publisher.publish("t", "1");
  const stranger = await world.connect("pump", persistent(holder("x")));
  await publisher.publish("t", "2");
  assert.deepEqual(stranger.messages, []);
  const back = await world.connect("pump", persistent(holder("a", "pump")));
  assert.deepEqual(back.messages, ["t=1", "t=2"]);
  await closeWorld(world);
});

test("a stranger needs room for a session of its own, and the device none for the one that it has", async () => {
  const world = await startWorld({ limits: { ...quickLimits, sessionsMax: 1 } });
  const device = await world.connect("pump", persistent(holder("a", "pump")));
  const refused = await world.connect("pump", persistent(holder("x")));
  assert.equal(refused.connack?.reasonCode, 3);
  assert.equal(device.isClosed, false, "who is refused throws nobody off");
  const rotated = await world.connect("pump", persistent(holder("b", "pump")));
  assert.equal(rotated.connack?.isSessionPresent, true);
  await closeWorld(world);
});

test("who becomes another thing while it connects has to connect again", async () => {
  const world = await startWorld();
  const identity = holder("a", "pump");
  const client = world.open(5, identity);
  const { lifecycle } = world.parts;
  const open = lifecycle.open.bind(lifecycle);
  lifecycle.open = async (...args: Parameters<typeof open>) => {
    const opened = await open(...args);
    identity.thingName = undefined;
    await Promise.resolve();
    void world.broker.recheckPrincipal("a".repeat(64));
    return opened;
  };
  client.send({ type: "connect", version: 5, clientId: "pump", isCleanStart: true, keepAliveSeconds: 60 });
  await world.clock.settle();
  assert.deepEqual([client.connack?.reasonCode, client.isClosed], [0x89, true]);
  await closeWorld(world);
});

test("AWS's way, as it is believed to be: a session is of whoever has the client id", async () => {
  const world = await startWorld({ sessionOwner: "clientId" });
  await leaveQueue(world, holder("a", "pump"));
  const stranger = await world.connect("pump", persistent(holder("x")));
  assert.deepEqual([stranger.connack?.isSessionPresent, stranger.messages], [true, ["t=1", "t=2"]]);
  await closeWorld(world);
});

test("with several brokers a stranger at one throws the device off another, and the device's session comes back to it", async () => {
  const clock = createVirtualClock();
  const store = createMemoryStore();
  const random = createVirtualRandom(7);
  const bus = createVirtualBus({ clock, random });
  const join = async () => {
    const node = await openClusterNode({ store, clock, random, log: silentLog });
    return new World({ clock, store, random, bus, node, limits: quickLimits }).start(nodeRenewMs);
  };
  const [one, two] = [await join(), await join()];
  await clock.advance(2 * nodeRenewMs);
  for (const [at, fields] of [persistent(holder("x")), clean(holder("y"))].entries()) {
    const device = await one.connect("pump", persistent(holder("a", "pump")));
    void device.subscribe("t");
    await clock.advance(10);
    const stranger = await two.connect("pump", fields);
    await clock.advance(10);
    assert.deepEqual([device.isClosed, stranger.connack?.isSessionPresent], [true, false]);
    const publisher = await two.connect("publisher");
    void publisher.publish("t", `message ${at}`);
    await clock.advance(10);
    assert.deepEqual(stranger.messages, []);
    const back = await two.connect("pump", persistent(holder("b", "pump")));
    await clock.advance(10);
    assert.deepEqual([stranger.isClosed, back.messages], [true, [`t=message ${at}`]]);
    void back.disconnect();
    await clock.advance(10);
  }
  // What the device asked for at one broker does not go to the stranger at another.
  const other = await two.connect("pump", clean(holder("y")));
  await clock.advance(10);
  const answer = { topic: "answer", payload: new Uint8Array(), qos: 1, onlyToClientId: "pump" } as const;
  for (const letter of ["a", "y"])
    void one.broker.publish(
      { ...answer, onlyToCertificateId: letter.repeat(64) },
      { node: "one", sequence: letter.charCodeAt(0) },
    );
  await clock.advance(10);
  assert.deepEqual(other.messages, ["answer="]);
  // The other way round: the device comes where the stranger is not.
  const stranger = await two.connect("pump", clean(holder("y")));
  const device = await one.connect("pump", persistent(holder("a", "pump")));
  await clock.advance(10);
  assert.deepEqual([stranger.isClosed, device.connack?.isSessionPresent], [true, true]);
  for (const world of [one, two]) await clock.until(world.broker.close());
});

test("the answer of a service goes to who asked, and to nobody who came under the client id since", async () => {
  const world = await startWorld();
  const [asker, stranger] = [holder("a"), holder("x")];
  const answer = (letter: string) => {
    const only = { onlyToClientId: "pump", onlyToCertificateId: letter.repeat(64) };
    const payload = new TextEncoder().encode(letter);
    void world.broker.publish({ topic: "answer", payload, qos: 1, ...only });
    return world.clock.settle();
  };
  const device = await world.connect("pump", clean(asker));
  await answer("a");
  await device.subscribe("later");
  assert.deepEqual(device.messages, ["answer=a"]);
  for (const fields of [clean(stranger), persistent(stranger), clean(holder("x", "pump")), clean(new TestIdentity())]) {
    const other = await world.connect("pump", fields);
    await other.subscribe("answer");
    await answer("a");
    await other.subscribe("later");
    assert.deepEqual(other.messages, []);
  }
  // One that is away gets it when it is back, a thing with whichever certificate it has then.
  for (const [thingName, back] of [
    [undefined, asker],
    ["pump", holder("b", "pump")],
  ] as const) {
    const away = await world.connect("pump", persistent(holder("a", thingName)));
    await away.disconnect();
    await answer("x");
    await answer("a");
    assert.deepEqual((await world.connect("pump", persistent(back))).messages.at(-1), "answer=a");
  }
  await closeWorld(world);
});
