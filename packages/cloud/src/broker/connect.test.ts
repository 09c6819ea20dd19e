import assert from "node:assert/strict";
import { test } from "node:test";
import { awsLimits } from "./limits.js";
import { closeWorld, startWorld, TestIdentity } from "./harness.test.support.js";

test("MQTT 5 CONNACK carries the properties of AWS", async () => {
  const world = await startWorld();
  const properties = { sessionExpirySeconds: 100 };
  const client = await world.connect("c", { version: 5, keepAliveSeconds: 10, properties });
  assert.deepEqual(client.connack, {
    type: "connack",
    isSessionPresent: false,
    reasonCode: 0,
    properties: {
      sessionExpirySeconds: 100,
      receiveMaximum: 100,
      maximumQos: 1,
      retainAvailable: 1,
      maximumPacketBytes: 149_504,
      topicAliasMaximum: 8,
      wildcardSubscriptionAvailable: 1,
      subscriptionIdentifiersAvailable: 0,
      sharedSubscriptionAvailable: 1,
      serverKeepAliveSeconds: 30,
    },
  });
  await closeWorld(world);
});

test("an empty client id gets one from the server", async () => {
  const world = await startWorld();
  const client = await world.connect("", { version: 5 });
  assert.match(client.connack?.properties?.assignedClientId ?? "", /^\$GEN\/[0-9a-f-]{36}$/);
  const old = await world.connect("");
  assert.equal(old.connack?.reasonCode, 0);
  const refused = await world.connect("", { isCleanStart: false });
  assert.deepEqual([refused.connack?.reasonCode, refused.isClosed], [2, true]);
  await closeWorld(world);
});

test("a client id of its own with $ is refused", async () => {
  const world = await startWorld();
  const client = await world.connect("$GEN/1", { version: 5 });
  assert.deepEqual([client.connack?.reasonCode, client.isClosed], [0x85, true]);
  await closeWorld(world);
});

test("a denied CONNECT gets no CONNACK in 3.1.1 and 0x87 with a reason in 5, and the log explains it", async () => {
  const world = await startWorld();
  const identity = new TestIdentity();
  identity.mayConnect = false;
  const old = await world.connect("c", { identity });
  assert.deepEqual([old.packets, old.isClosed], [[], true]);
  const client = await world.connect("c", { version: 5, identity });
  assert.equal(client.connack?.reasonCode, 0x87);
  assert.match(
    client.connack?.properties?.reasonString ?? "",
    /^CONNACK:Client is not authenticated\/authorized to send the message:[0-9a-f-]{36}$/,
  );
  assert.equal(client.isClosed, true);
  const line = world.line("connectDenied");
  assert.deepEqual(line?.facts["clientId"], "c");
  assert.equal(line?.facts["explanation"], "no statement allows iot:Connect on client/c");
  assert.equal(world.broker.stats().connectsDenied, 2);
  await closeWorld(world);
});

test("the identity is told of the will and the persistent session", async () => {
  const world = await startWorld();
  const identity = new TestIdentity();
  const will = { topic: "w", payload: new Uint8Array(), qos: 1, isRetained: true } as const;
  await world.connect("c", { identity, will, isCleanStart: false });
  const [request] = identity.requests;
  assert.deepEqual(request, { clientId: "c", wantsPersistentSession: true, will: { topic: "w", isRetained: true } });
  await closeWorld(world);
});

for (const version of [4, 5] as const) {
  test(`the new connection of a client id is accepted, the old one ends, in version ${version}`, async () => {
    const world = await startWorld();
    const old = await world.connect("c", { version });
    const young = await world.connect("c", { version });
    assert.equal(young.connack?.reasonCode, 0);
    assert.equal(young.isClosed, false);
    assert.equal(old.isClosed, true);
    assert.equal(old.last("disconnect")?.reasonCode, version === 5 ? 0x8e : undefined);
    assert.deepEqual(world.line("disconnected")?.facts["reason"], "DUPLICATE_CLIENTID");
    assert.equal(world.broker.stats().connections, 1);
    await young.subscribe("t");
    await young.publish("t", "still there");
    assert.deepEqual(young.messages, ["t=still there"]);
    await closeWorld(world);
  });
}

test("three connections with one client id at once leave the last one", async () => {
  const world = await startWorld();
  const clients = [world.open(), world.open(), world.open()];
  for (const client of clients) {
    client.send({ type: "connect", version: 4, clientId: "c", isCleanStart: false, keepAliveSeconds: 60 });
  }
  await world.clock.settle();
  assert.deepEqual(
    clients.map(({ isClosed }) => isClosed),
    [true, true, false],
  );
  assert.equal(world.broker.stats().connections, 1);
  await closeWorld(world);
});

test("a second CONNECT within the second waits", async () => {
  const world = await startWorld({ limits: awsLimits });
  const old = await world.connect("c");
  const young = await world.connect("c");
  assert.deepEqual(young.packets, []);
  assert.equal(old.isClosed, false);
  await world.clock.advance(1_000);
  assert.equal(young.connack?.reasonCode, 0);
  assert.equal(world.broker.stats().connectsThrottled, 1);
  assert.equal(world.line("limitHit")?.facts["limit"], "connectsPerSecondPerClientId");
  await closeWorld(world);
});

test("close() does not wait for those who connect too often", async () => {
  const world = await startWorld({ limits: awsLimits });
  for (let count = 0; count < 3; count++) await world.connect("c");
  await closeWorld(world);
});

test("silence of one and a half keep alives ends the connection, and only that", async () => {
  const world = await startWorld();
  const client = await world.connect("c", { version: 5, keepAliveSeconds: 40 });
  await world.clock.advance(59_000);
  client.send({ type: "pingreq" });
  await world.clock.advance(59_999);
  assert.equal(client.isClosed, false);
  assert.equal(client.last("pingresp")?.type, "pingresp");
  await world.clock.advance(1);
  assert.equal(client.isClosed, true);
  assert.equal(client.last("disconnect")?.reasonCode, 0x8d);
  await closeWorld(world);
});

test("a connection that never says CONNECT is closed", async () => {
  const world = await startWorld();
  const client = world.open();
  await world.clock.advance(awsLimits.connectTimeoutSeconds * 1000 - 1);
  assert.equal(client.isClosed, false);
  await world.clock.advance(1);
  assert.equal(client.isClosed, true);
  await closeWorld(world);
});

test("of connections without CONNECT the oldest goes when there are too many, counted; connected ones stay", async () => {
  const world = await startWorld({ limits: { ...awsLimits, unconnectedMax: 2 } });
  const connected = await world.connect("c");
  const waiting = [world.open(), world.open()];
  const also = await world.connect("d");
  await world.clock.settle();
  assert.deepEqual(
    [connected, ...waiting, also].map(({ isClosed }) => isClosed),
    [false, true, false, false],
  );
  world.open();
  await world.clock.settle();
  assert.equal(waiting[1]?.isClosed, false);
  assert.equal(world.broker.stats().limitsHit, 1);
  await closeWorld(world);
});

test("a packet before CONNACK ends the connection", async () => {
  const world = await startWorld();
  const client = world.open();
  client.send({ type: "connect", version: 4, clientId: "c", isCleanStart: true, keepAliveSeconds: 60 });
  client.send({ type: "pingreq" });
  await world.clock.settle();
  assert.deepEqual([client.isClosed, client.packets], [true, []]);
  assert.equal(world.broker.stats().connections, 0);
  await closeWorld(world);
});

test("a second CONNECT on a connection ends it", async () => {
  const world = await startWorld();
  const client = await world.connect("c", { version: 5 });
  client.send({ type: "connect", version: 5, clientId: "c", isCleanStart: true, keepAliveSeconds: 60 });
  await world.clock.settle();
  assert.deepEqual([client.isClosed, client.last("disconnect")?.reasonCode], [true, 0x82]);
  await closeWorld(world);
});

test("garbage ends the connection with 0x81, and before CONNECT without a word", async () => {
  const world = await startWorld();
  const client = await world.connect("c", { version: 5 });
  client.sendBytes(Uint8Array.of(0x00, 0x00));
  await world.clock.settle();
  assert.deepEqual([client.isClosed, client.last("disconnect")?.reasonCode], [true, 0x81]);
  const stranger = world.open();
  stranger.sendBytes(new TextEncoder().encode("GET / HTTP/1.1\r\n\r\n"));
  await world.clock.settle();
  assert.deepEqual([stranger.isClosed, stranger.packets], [true, []]);
  assert.equal(world.broker.stats().protocolErrors, 2);
  await closeWorld(world);
});

test("an unknown protocol level is answered with return code 1", async () => {
  const world = await startWorld();
  const client = world.open();
  client.sendBytes(Uint8Array.of(0x10, 13, 0, 4, 0x4d, 0x51, 0x54, 0x54, 3, 2, 0, 60, 0, 1, 0x63));
  await world.clock.settle();
  assert.deepEqual([client.connack?.reasonCode, client.isClosed], [1, true]);
  await closeWorld(world);
});

test("a connection lost while the policy is asked leaves nothing behind", async () => {
  const world = await startWorld();
  const client = world.open();
  client.send({ type: "connect", version: 4, clientId: "c", isCleanStart: false, keepAliveSeconds: 60 });
  client.lose();
  await world.clock.settle();
  assert.equal(world.broker.stats().connections, 0);
  const next = await world.connect("c", { isCleanStart: false });
  assert.equal(next.connack?.reasonCode, 0);
  await closeWorld(world);
});

test("a failing identity refuses and is logged", async () => {
  const world = await startWorld();
  const identity = new TestIdentity();
  identity.authorizeConnect = () => Promise.reject(new Error("no store"));
  const client = await world.connect("c", { identity });
  assert.deepEqual([client.connack?.reasonCode, client.isClosed], [3, true]);
  assert.equal(world.line("connectFailed")?.level, "error");
  await closeWorld(world);
});

test("disconnectClient ends the connection with 0x98 and says why", async () => {
  const world = await startWorld();
  const client = await world.connect("c", { version: 5 });
  await world.broker.disconnectClient("c", "maintenance");
  await world.clock.settle();
  const { reasonCode, properties } = client.last("disconnect") ?? {};
  assert.deepEqual([client.isClosed, reasonCode, properties?.reasonString], [true, 0x98, "maintenance"]);
  await world.broker.disconnectClient("nobody", "nothing happens");
  await closeWorld(world);
});

test("a reason that the client cannot take is left out", async () => {
  const world = await startWorld();
  const client = await world.connect("c", { version: 5, properties: { maximumPacketBytes: 512 } });
  await world.broker.disconnectClient("c", "x".repeat(600));
  assert.deepEqual(client.last("disconnect"), { type: "disconnect", reasonCode: 0x98 });
  await closeWorld(world);
});

test("recheckPrincipal closes what is no longer allowed and keeps the rest, with the new policy", async () => {
  const world = await startWorld();
  const [bad, good] = [new TestIdentity(() => true, "cert-1"), new TestIdentity(() => true, "cert-1")];
  const other = new TestIdentity(() => true, "cert-2");
  other.mayConnect = true;
  const [revoked, kept, stranger] = [
    await world.connect("revoked", { version: 5, identity: bad }),
    await world.connect("kept", { version: 5, identity: good }),
    await world.connect("stranger", { version: 5, identity: other }),
  ];
  assert.equal(await kept.publish("t", "1"), 0);
  bad.mayConnect = other.mayConnect = false;
  good.rule = () => false;
  await world.broker.recheckPrincipal("cert-1");
  await world.clock.settle();
  assert.deepEqual([revoked.isClosed, revoked.last("disconnect")?.reasonCode], [true, 0x87]);
  assert.deepEqual([kept.isClosed, stranger.isClosed], [false, false]);
  assert.equal(await kept.publish("t", "2"), 0x87);
  assert.match(String(world.line("connectionRevoked")?.facts["explanation"]), /iot:Connect/);
  await closeWorld(world);
});

test("close() says good-bye with 0x8B, takes nobody in and is safe to call twice", async () => {
  const world = await startWorld();
  const client = await world.connect("c", { version: 5 });
  await closeWorld(world);
  assert.deepEqual([client.isClosed, client.last("disconnect")?.reasonCode], [true, 0x8b]);
  const late = world.open();
  assert.equal(late.isClosed, true);
  await world.broker.close();
  await assert.rejects(world.broker.publish({ topic: "t", payload: new Uint8Array(), qos: 0 }), { code: "CLOSED" });
});
