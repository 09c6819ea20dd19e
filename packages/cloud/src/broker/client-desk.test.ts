import assert from "node:assert/strict";
import { test } from "node:test";
import { closeWorld, quickLimits, startWorld, TestIdentity, type World } from "./harness.test.support.js";
import { endKeptMs, rememberedEndsMax } from "./recent-ends.js";

const kept = { isCleanStart: false } as const;
const keep = { endsSession: false, preventsWill: false };
const message = (topic: string, text = "x", properties?: object) => ({
  topic,
  payload: new TextEncoder().encode(text),
  properties,
});

/** The clients of a world, in its time. */
const clientsOf = (world: World) => {
  /** Without time that passes. */
  const now = async <T>(work: Promise<T>) => {
    await world.clock.settle();
    return work;
  };
  const { clients } = world.broker;
  return {
    describe: (clientId: string) => now(clients.describe(clientId)),
    subscriptions: (clientId: string) => now(clients.subscriptions(clientId)),
    list: (after: string, limit: number) => now(clients.list({ after, limit })),
    disconnect: (clientId: string, terms = keep) => now(clients.disconnect(clientId, terms)),
    send: (clientId: string, topic: string, waitMs?: number, text?: string) => {
      const sent = clients.send(clientId, message(topic, text), waitMs);
      return waitMs === undefined ? now(sent) : world.clock.until(sent);
    },
  };
};

test("a client is described while it is connected, for half an hour after its end, and as long as it has a session", async () => {
  const world = await startWorld();
  const clients = clientsOf(world);
  const identity = new TestIdentity(() => true, "cert");
  identity.thingName = "pump";
  const beganMs = world.clock.unixMs();
  const clean = await world.connect("pump", { identity, keepAliveSeconds: 10 });
  const facts = {
    ...{ clientId: "pump", isConnected: true, thingName: "pump", isCleanSession: true, keepAliveSeconds: 30 },
    ...{ sessionExpirySeconds: 0, sinceMs: beganMs, disconnectReason: undefined },
    socket: { sourceIp: "127.0.0.1", sourcePort: 50_000, targetIp: "127.0.0.1", targetPort: 1883 },
  };
  assert.deepEqual(await clients.describe("pump"), facts);
  await world.clock.advance(5_000);
  await clean.disconnect();
  const ended = { isConnected: false, sinceMs: beganMs + 5_000, disconnectReason: "CLIENT_INITIATED_DISCONNECT" };
  assert.deepEqual(await clients.describe("pump"), { ...facts, ...ended });
  assert.equal(await clients.subscriptions("pump"), undefined);
  await world.clock.advance(endKeptMs - 1);
  assert.equal((await clients.describe("pump"))?.isConnected, false);
  await world.clock.advance(1);
  assert.equal(await clients.describe("pump"), undefined);
  assert.equal(await clients.describe("nobody"), undefined);
  await closeWorld(world);
});

test("a restart leaves of an offline client what its session's record says", async () => {
  const world = await startWorld();
  const client = await world.connect("c", kept);
  await client.subscribe("t/1", { filter: "$share/g/t/#", qos: 0 });
  const endedMs = world.clock.unixMs();
  client.lose();
  await world.clock.settle();
  const other = await world.connect("killed", kept);
  assert.equal(other.connack?.reasonCode, 0);
  const again = await world.restart();
  const clients = clientsOf(again);
  const record = { keepAliveSeconds: undefined, socket: undefined, thingName: undefined, isCleanSession: false };
  const facts = { ...record, clientId: "c", isConnected: false, sessionExpirySeconds: 3_600 };
  const reason = { sinceMs: endedMs, disconnectReason: "CONNECTION_LOST" };
  assert.deepEqual(await clients.describe("c"), { ...facts, ...reason });
  assert.deepEqual(await clients.subscriptions("c"), [
    { topicFilter: "$share/g/t/#", qos: 0 },
    { topicFilter: "t/1", qos: 1 },
  ]);
  assert.equal((await clients.describe("killed"))?.disconnectReason, "SERVER_ERROR");
  await closeWorld(again);
});

test("clients are listed page by page in the order of their ids, offline sessions too", async () => {
  const world = await startWorld();
  const clients = clientsOf(world);
  for (const id of ["d", "a", "c", "b"]) await world.connect(id);
  const offline = await world.connect("bb", kept);
  offline.lose();
  const gone = await world.connect("aa");
  await gone.disconnect();
  const ids = async (after: string, limit: number) =>
    (await clients.list(after, limit)).map(({ clientId, isConnected }) => `${clientId}${isConnected ? "" : "?"}`);
  assert.deepEqual(await ids("", 3), ["a", "b", "bb?"]);
  assert.deepEqual(await ids("bb", 3), ["c", "d"]);
  await closeWorld(world);
});

test("a connection is ended with DISCONNECT 0x98 and its will, which can be held back; a session only if that is asked for", async () => {
  const world = await startWorld();
  const clients = clientsOf(world);
  const watcher = await world.connect("w");
  await watcher.subscribe("will", "$aws/events/presence/disconnected/+");
  const will = { topic: "will", payload: new TextEncoder().encode("bye"), qos: 0 as const, isRetained: false };
  const first = await world.connect("c", { ...kept, will, version: 5, properties: { sessionExpirySeconds: 600 } });
  await first.subscribe("t");
  assert.equal(await clients.disconnect("c"), true);
  assert.deepEqual([first.isClosed, first.last("disconnect")?.reasonCode], [true, 0x98]);
  assert.equal(watcher.messages.filter((line) => line === "will=bye").length, 1);
  const event = watcher.messages.find((line) => line.startsWith("$aws/"))!;
  assert.match(event, /"clientInitiatedDisconnect":false,"disconnectReason":"API_INITIATED_DISCONNECT"/);
  assert.deepEqual(await clients.subscriptions("c"), [{ topicFilter: "t", qos: 1 }]);
  assert.equal(await clients.disconnect("c"), true, "its session is there");
  const second = await world.connect("c", { ...kept, will, version: 5, properties: { sessionExpirySeconds: 600 } });
  assert.equal(second.connack?.isSessionPresent, true);
  assert.equal(await clients.disconnect("c", { endsSession: true, preventsWill: true }), true);
  assert.equal(second.isClosed, true);
  assert.equal(watcher.messages.filter((line) => line === "will=bye").length, 1);
  assert.equal(await clients.subscriptions("c"), undefined);
  assert.equal(await clients.disconnect("c", { endsSession: true, preventsWill: true }), false);
  assert.equal(await clients.disconnect("never"), false);
  const third = await world.connect("c", { ...kept, version: 5, properties: { sessionExpirySeconds: 600 } });
  assert.equal(third.connack?.isSessionPresent, false);
  await closeWorld(world);
});

test("the sessions of all owners of a client id end, and none of an id that only begins with it", async () => {
  const world = await startWorld();
  const clients = clientsOf(world);
  for (const certificate of ["one", "two"]) {
    const client = await world.connect("c", { ...kept, identity: new TestIdentity(() => true, certificate) });
    client.lose();
    await world.clock.settle();
  }
  await world.connect("c1", kept);
  assert.equal(world.broker.stats().persistentSessions, 3);
  assert.equal(await clients.disconnect("c", { endsSession: true, preventsWill: false }), true);
  assert.equal(world.broker.stats().persistentSessions, 1);
  const again = await world.restart();
  assert.equal(again.broker.stats().persistentSessions, 1);
  await closeWorld(again);
});

test("a direct message needs no subscription; with a confirmation it is QoS 1 and its outcome is that of the PUBACK", async () => {
  const world = await startWorld();
  const { clients } = world.broker;
  const until = clientsOf(world);
  const old = await world.connect("old");
  const news = await world.connect("new", { version: 5 });
  const properties = { contentType: "text/plain", userProperties: [["a", "b"]] as const };
  const sent = clients.send("new", message("t", "hi", properties), 5_000);
  await world.clock.settle();
  assert.equal(await sent, "acknowledged");
  const [got] = news.publishes;
  assert.deepEqual([got?.topic, got?.qos, got?.properties], ["t", 1, properties]);
  assert.equal(await until.send("old", "t", undefined, "zero"), "sent");
  await world.clock.settle();
  assert.deepEqual([old.messages, old.publishes[0]?.qos], [["t=zero"], 0]);
  assert.equal(await until.send("nobody", "t"), "notConnected");
  const away = await world.connect("away", kept);
  away.lose();
  await world.clock.settle();
  assert.equal(await until.send("away", "t"), "sessionOffline");
  assert.equal(world.broker.stats().queuedMessages, 0);
  await closeWorld(world);
});

test("a direct message without a PUBACK is unanswered when its time is over, or the connection", async () => {
  const world = await startWorld();
  const { clients } = world.broker;
  const client = await world.connect("c", kept);
  client.acknowledges = false;
  const { clock } = world;
  const startMs = clock.monotonicMs();
  assert.equal(await clientsOf(world).send("c", "t", 2_000), "unanswered");
  assert.equal(clock.monotonicMs() - startMs, 2_000);
  const packetId = client.publishes[0]!.packetId!;
  const second = clients.send("c", message("t"), 15_000);
  await clock.settle();
  client.send({ type: "puback", packetId, reasonCode: 0 });
  client.lose();
  await clock.settle();
  assert.equal(await second, "unanswered");
  const again = await world.connect("c", kept);
  assert.deepEqual([again.connack?.isSessionPresent, again.publishes.length], [true, 0], "nothing was queued");
  await closeWorld(world);
});

test("a direct message is refused that the receiver may not get, cannot take, or has no room for", async () => {
  const world = await startWorld({ limits: { ...quickLimits, outboundInflightMax: 2, publishesPerSecond: 4 } });
  const clients = clientsOf(world);
  const identity = new TestIdentity((action, resource) => action !== "iot:Receive" || resource !== "topic/no", "cert");
  const client = await world.connect("c", { version: 5, identity, properties: { maximumPacketBytes: 512 } });
  client.acknowledges = false;
  assert.equal(await clients.send("c", "no"), "denied");
  assert.equal(await clients.send("c", "t", undefined, "x".repeat(600)), "tooLarge");
  const { clients: raw } = world.broker;
  const waiting = [1, 2].map(() => raw.send("c", message("t"), 15_000));
  const third = raw.send("c", message("t"), 15_000);
  await world.clock.settle();
  assert.equal(await third, "throttled", "two are not acknowledged");
  assert.equal(await clients.send("c", "t"), "sent");
  assert.equal(await clients.send("c", "t"), "sent");
  assert.equal(await clients.send("c", "t"), "throttled", "four in a second");
  await world.clock.advance(1_000);
  assert.equal(await clients.send("c", "t"), "sent");
  client.lose();
  await world.clock.settle();
  assert.deepEqual(await Promise.all(waiting), ["unanswered", "unanswered"]);
  await closeWorld(world);
});

test("ends of more than rememberedEndsMax client ids are not remembered", async () => {
  const world = await startWorld();
  const { ends } = world.parts.clients;
  const facts = (await clientsOf(world).describe("c")) ?? {
    ...{ clientId: "", isConnected: true, thingName: undefined, isCleanSession: true, keepAliveSeconds: 30 },
    ...{ sessionExpirySeconds: 0, sinceMs: 0, disconnectReason: undefined, socket: undefined },
  };
  for (let count = 0; count <= rememberedEndsMax; count++) ends.add({ ...facts, clientId: `c${count}` }, "X");
  assert.equal(ends.get("c0"), undefined);
  assert.equal(ends.get(`c${rememberedEndsMax}`)?.disconnectReason, "X");
  await closeWorld(world);
});
