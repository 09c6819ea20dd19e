import assert from "node:assert/strict";
import { test } from "node:test";
import type { LifecycleEvent } from "../services/lifecycle.js";
import type { OperationRunner } from "../services/operation.js";
import { awsLimits, noLimits } from "./limits.js";
import { closeWorld, scope, startWorld, TestIdentity, type TestClient, type World } from "./harness.test.support.js";

const persistent = { isCleanStart: false } as const;
const certificateId = "ab".repeat(32);
const uuid = /^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$/;

/** What a watcher got, with the topic, as JSON. */
function eventsOf({ publishes }: TestClient): (Record<string, unknown> & { topic: string })[] {
  return publishes.map(({ topic, payload }) => ({
    topic: topic.replace("$aws/events/", ""),
    ...(JSON.parse(new TextDecoder().decode(payload)) as object),
  }));
}

async function watch(world: World, ...filters: string[]): Promise<TestClient> {
  const watcher = await world.connect("watcher");
  assert.deepEqual(
    await watcher.subscribe(...filters.map((filter) => `$aws/events/${filter}`)),
    filters.map(() => 1),
  );
  return watcher;
}

test("connect, subscribe, unsubscribe and disconnect are published with AWS's members", async () => {
  const world = await startWorld();
  const watcher = await watch(world, "presence/+/pump", "subscriptions/+/pump");
  const identity = new TestIdentity(() => true, certificateId);
  const pump = await world.connect("pump", { identity });
  await pump.subscribe("a/+", { filter: "b", qos: 0 });
  pump.send({ type: "unsubscribe", packetId: 9, filters: ["a/+", "never"] });
  await world.clock.settle();
  await pump.disconnect();
  const events = eventsOf(watcher);
  const sessionIdentifier = events[0]?.["sessionIdentifier"];
  assert.match(String(sessionIdentifier), uuid);
  const timestamp = world.clock.unixMs();
  const facts = { clientId: "pump", timestamp, sessionIdentifier, principalIdentifier: certificateId };
  const reason = { clientInitiatedDisconnect: true, disconnectReason: "CLIENT_INITIATED_DISCONNECT", versionNumber: 0 };
  assert.deepEqual(events, [
    {
      ...{ topic: "presence/connected/pump", ...facts, eventType: "connected" },
      ...{ ipAddress: "127.0.0.1", versionNumber: 0 },
    },
    { topic: "subscriptions/subscribed/pump", ...facts, eventType: "subscribed", topics: ["a/+", "b"] },
    { topic: "subscriptions/unsubscribed/pump", ...facts, eventType: "unsubscribed", topics: ["a/+"] },
    { topic: "presence/disconnected/pump", ...facts, eventType: "disconnected", ...reason },
  ]);
  await closeWorld(world);
});

/** How a connection ends, and what AWS calls it. */
const ends: readonly [
  name: string,
  end: (world: World, client: TestClient) => unknown,
  reason: string,
  byClient?: true,
][] = [
  ["DISCONNECT", (_, client) => client.disconnect(), "CLIENT_INITIATED_DISCONNECT", true],
  [
    "DISCONNECT with the will",
    (_, client) => client.send({ type: "disconnect", reasonCode: 4 }),
    "CLIENT_INITIATED_DISCONNECT",
    true,
  ],
  ["a lost connection", (_, client) => client.lose(), "CONNECTION_LOST"],
  ["silence", (world) => world.clock.advance(91_000), "MQTT_KEEP_ALIVE_TIMEOUT"],
  ["a takeover", (world) => world.connect("pump", { version: 5 }), "DUPLICATE_CLIENTID"],
  ["bytes that are no MQTT", (_, client) => client.sendBytes(Uint8Array.of(0xff, 0xff)), "CLIENT_ERROR"],
  ["what the policy denies", (_, client) => client.publish("denied", "x", { qos: 0 }), "AUTH_ERROR"],
  ["DeleteConnection", (world) => world.broker.disconnectClient("pump", "asked for"), "API_INITIATED_DISCONNECT"],
  ["a revoked certificate", (world) => world.broker.recheckPrincipal(certificateId), "FORBIDDEN_ACCESS"],
];

for (const [name, end, disconnectReason, isByClient = false] of ends) {
  test(`${name} is told as ${disconnectReason}`, async () => {
    const world = await startWorld();
    const watcher = await watch(world, "presence/disconnected/+");
    const identity = new TestIdentity((_, resource) => resource !== "topic/denied", certificateId);
    const pump = await world.connect("pump", { version: 5, identity });
    identity.mayConnect = false;
    watcher.send({ type: "pingreq" });
    const keepAlive = world.clock.setTimer(60_000, () => watcher.send({ type: "pingreq" }));
    await end(world, pump);
    await world.clock.settle();
    keepAlive.cancel();
    assert.deepEqual(
      eventsOf(watcher).map((event) => [event["disconnectReason"], event["clientInitiatedDisconnect"]]),
      [[disconnectReason, isByClient]],
    );
    await closeWorld(world);
  });
}

test("the number of a connection rises, is that of its end, and begins at 0 again after an hour away", async () => {
  const world = await startWorld();
  const watcher = await watch(world, "presence/+/pump");
  const pause = async (seconds: number): Promise<void> => {
    for (let left = seconds; left > 0; left -= 60) {
      watcher.send({ type: "pingreq" });
      await world.clock.advance(Math.min(left, 60) * 1_000);
    }
  };
  for (const away of [0, 3_500, 3_601, 0]) {
    const pump = await world.connect("pump");
    await pump.disconnect();
    await pause(away);
  }
  const numbers = eventsOf(watcher).map((event) => event["versionNumber"]);
  assert.deepEqual(numbers, [0, 0, 1, 1, 2, 2, 0, 0]);
  await closeWorld(world);
});

test("a persistent session keeps its identifier and number over a restart; a clean session has a new one each time", async () => {
  const world = await startWorld();
  const first = await watch(world, "presence/connected/+");
  for (const clientId of ["kept", "kept"]) await (await world.connect(clientId, persistent)).disconnect();
  for (const clientId of ["clean", "clean"]) await (await world.connect(clientId)).disconnect();
  const before = eventsOf(first).slice(-4);
  await world.clock.settle();
  const again = await world.restart();
  const second = await watch(again, "presence/connected/+");
  await again.connect("kept", persistent);
  const events = [...before, ...eventsOf(second).slice(-1)];
  assert.deepEqual(
    events.map(({ clientId, versionNumber }) => [clientId, versionNumber]),
    [
      ["kept", 0],
      ["kept", 1],
      ["clean", 0],
      ["clean", 1],
      ["kept", 2],
    ],
  );
  const identifiers = events.map(({ sessionIdentifier }) => sessionIdentifier);
  assert.deepEqual([identifiers[1], identifiers[4]], [identifiers[0], identifiers[0]]);
  assert.equal(new Set(identifiers).size, 3);
  await closeWorld(again);
});

test("services hear each event once, those that listen to the topic hear it as a message", async () => {
  const events: LifecycleEvent[] = [];
  const heard: string[] = [];
  const world = await startWorld({
    runner: {} as OperationRunner,
    services: [
      {
        filters: ["$aws/events/#"],
        sources: ["lifecycle"],
        holdsAck: false,
        handle: ({ topic }, _runner, done) => {
          heard.push(topic);
          void Promise.resolve().then(() => done());
        },
      },
    ],
    onLifecycle: (event) => void events.push(event),
  });
  const identity = new TestIdentity(() => true, certificateId);
  const pump = await world.connect("pump", { identity });
  await pump.subscribe("a");
  pump.lose();
  await world.clock.settle();
  assert.deepEqual(
    events.map(({ eventType, clientId, certificateId: id, scope: where }) => [eventType, clientId, id, where]),
    ["connected", "subscribed", "disconnected"].map((type) => [type, "pump", certificateId, scope]),
  );
  const topics = ["presence/connected", "subscriptions/subscribed", "presence/disconnected"];
  assert.deepEqual(
    heard,
    topics.map((topic) => `$aws/events/${topic}/pump`),
  );
  await closeWorld(world);
});

test("a hook that throws concerns nobody else", async () => {
  const world = await startWorld({
    onLifecycle: () => {
      throw new Error("defect");
    },
  });
  const client = await world.connect("c");
  assert.equal(client.connack?.reasonCode, 0);
  assert.match(String(world.line("lifecycleHookFailed")?.facts["error"]), /defect/);
  await closeWorld(world);
});

test("an event that cannot be handed on concerns neither its client nor the one that takes its place", async () => {
  const world = await startWorld();
  const identity = new TestIdentity((action) => {
    if (action === "iot:Receive") throw new Error("defect");
    return true;
  });
  const watcher = await world.connect("watcher", { identity });
  await watcher.subscribe("$aws/events/presence/#");
  const first = await world.connect("pump", { ...persistent });
  await first.subscribe("a");
  await first.disconnect();
  void world.broker.publish({ topic: "a", payload: new Uint8Array(), qos: 1 });
  await world.clock.settle();
  const second = await world.connect("pump", { ...persistent });
  assert.deepEqual([second.connack?.reasonCode, second.messages], [0, ["a="]], "it gets what waited for it");
  const third = await world.connect("pump", { ...persistent });
  assert.deepEqual([third.connack?.reasonCode, second.isClosed, third.isClosed], [0, true, false]);
  assert.match(String(world.line("lifecycleEventFailed")?.facts["error"]), /defect/);
  assert.equal(world.broker.stats().connections, 2);
  await closeWorld(world);
});

test("there are no events of a client id with + or #, or at the end of the broker", async () => {
  const world = await startWorld();
  const watcher = await watch(world, "#");
  await world.connect("a+b");
  await world.connect("c");
  await closeWorld(world);
  assert.deepEqual(
    eventsOf(watcher).map(({ topic }) => topic),
    // Of itself a watcher hears from its SUBACK on.
    ["subscriptions/subscribed/watcher", "presence/connected/c"],
  );
});

test("nobody publishes events but the broker: a client is refused, by PUBLISH and by will", async () => {
  const world = await startWorld();
  const topic = "$aws/events/presence/connected/pump";
  const client = await world.connect("c", { version: 5 });
  assert.equal(await client.publish(topic, "{}"), 0x87);
  const will = { topic, payload: new Uint8Array(), qos: 0, isRetained: false } as const;
  const other = await world.connect("d", { version: 5, will });
  assert.equal(other.connack?.reasonCode, 0x90);
  await closeWorld(world);
});

test("without a listener an event is not made: no route, no message, nothing without receiver", async () => {
  const world = await startWorld();
  let asked = 0;
  const { index } = world.parts;
  const match = index.match.bind(index);
  index.match = (topic) => (asked++, match(topic));
  const wide = await world.connect("wide");
  await wide.subscribe("#", "+/x", "a/b");
  for (let count = 0; count < 20; count++) await (await world.connect(`c${count}`)).disconnect();
  assert.deepEqual([asked, world.broker.stats().publishesWithoutReceiver, wide.messages], [0, 0, []]);
  assert.equal(index.watchedCount, 0);
  await wide.subscribe("$aws/events/presence/connected/c1");
  assert.equal(index.watchedCount, 1);
  await (await world.connect("c2")).disconnect();
  assert.deepEqual([world.broker.stats().publishesWithoutReceiver, wide.messages], [0, []], "but not for another");
  await world.connect("c1");
  assert.equal(wide.messages.length, 1);
  await closeWorld(world);
});

test("a CONNECT that the policy denies is told as connect_failed, for its last will too, and nothing else of it", async () => {
  const world = await startWorld();
  const watcher = await watch(world, "presence/+/+");
  watcher.packets.length = 0;
  const identity = new TestIdentity(() => true, certificateId);
  identity.mayConnect = false;
  const will = { topic: "no", payload: new Uint8Array(), qos: 0, isRetained: false } as const;
  const denied = await world.connect("pump", { identity, will });
  await world.connect("with#wildcard", { identity });
  await world.connect("c".repeat(129), { identity });
  assert.ok(denied.isClosed);
  const [event, ...others] = eventsOf(watcher);
  assert.deepEqual(others, []);
  assert.match(String(event?.["sessionIdentifier"]), uuid);
  assert.deepEqual(event, {
    ...{ topic: "presence/connect_failed/pump", clientId: "pump", timestamp: world.clock.unixMs() },
    ...{ eventType: "connect_failed", connectFailureReason: "AUTHORIZATION_FAILED" },
    ...{ sessionIdentifier: event?.["sessionIdentifier"], principalIdentifier: certificateId, ipAddress: "127.0.0.1" },
  });
  await closeWorld(world);
});

test("a thing is named when the certificate is attached to it and to no other, at the end as well", async () => {
  for (const isExclusiveThing of [true, false]) {
    const world = await startWorld();
    const watcher = await watch(world, "presence/+/client");
    const identity = new TestIdentity(() => true, certificateId);
    Object.assign(identity, { thingName: "pump", isExclusiveThing });
    await (await world.connect("client", { identity })).disconnect();
    const names = eventsOf(watcher).map(({ thingName }) => thingName);
    assert.deepEqual(names, isExclusiveThing ? ["pump", "pump"] : [undefined, undefined]);
    await closeWorld(world);
  }
});

test("a WebSocket connection ends after webSocketSecondsMax seconds, a day, however alive it is", async () => {
  const limits = { ...awsLimits, webSocketSecondsMax: 100 };
  assert.deepEqual([awsLimits.webSocketSecondsMax, noLimits.webSocketSecondsMax], [86_400, Infinity]);
  const world = await startWorld({ limits });
  const watcher = await watch(world, "presence/disconnected/+");
  const open = async (clientId: string, isWebSocket: boolean) => {
    const client = world.open(5);
    if (isWebSocket) Object.assign(client.connection, { webSocketRequest: { path: "/mqtt", headers: {} } });
    client.send({ type: "connect", version: 5, clientId, isCleanStart: true, keepAliveSeconds: 60 });
    await world.clock.settle();
    return client;
  };
  const [over, plain] = [await open("over", true), await open("plain", false)];
  for (const seconds of [50, 49]) {
    await world.clock.advance(seconds * 1_000);
    for (const client of [over, plain, watcher]) client.send({ type: "pingreq" });
    await world.clock.settle();
  }
  assert.equal(over.isClosed, false);
  await world.clock.advance(1_000);
  assert.deepEqual([over.isClosed, over.last("disconnect")?.reasonCode, plain.isClosed], [true, 0xa0, false]);
  assert.equal(eventsOf(watcher)[0]?.["disconnectReason"], "WEBSOCKET_TTL_EXPIRATION");
  await closeWorld(world);
});
