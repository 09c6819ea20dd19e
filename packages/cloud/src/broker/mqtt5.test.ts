// MQTT 5 as AWS has it, against clients that do what they should not.
import assert from "node:assert/strict";
import { test } from "node:test";
import { concatBytes } from "@thingline/protocol";
import { encodeToBytes, reasonCodes } from "@thingline/protocol/mqtt";
import { closeWorld, quickLimits, startWorld, type TestClient, type World } from "./harness.test.support.js";

const five = { version: 5 } as const;
const text = new TextEncoder();

/** A packet of raw bytes: type and flags, then what follows. */
function raw(head: number, ...parts: (readonly number[] | Uint8Array)[]): Uint8Array {
  const body = concatBytes(parts.map((part) => Uint8Array.from(part)));
  return concatBytes([Uint8Array.of(head, body.length), body]);
}
const utf8 = (value: string) => Uint8Array.of(0, value.length, ...text.encode(value));

/** The DISCONNECT that a client gets. */
const reasonOf = (client: TestClient) => client.last("disconnect")?.reasonCode;

test("AUTH, and a CONNECT with an authentication method, are refused", async () => {
  const world = await startWorld();
  const client = await world.connect("c", five);
  client.send({ type: "auth", reasonCode: 0x18, properties: { authenticationMethod: "m" } });
  await world.clock.settle();
  assert.deepEqual([client.isClosed, reasonOf(client)], [true, reasonCodes.protocolError]);
  const refused = await world.connect("d", { ...five, properties: { authenticationMethod: "m" } });
  assert.deepEqual([refused.isClosed, refused.connack?.reasonCode], [true, reasonCodes.badAuthenticationMethod]);
  await closeWorld(world);
});

test("a client that takes topic aliases gets none", async () => {
  const world = await startWorld();
  const client = await world.connect("c", { ...five, properties: { topicAliasMaximum: 8 } });
  await client.subscribe("a/long/topic");
  for (const message of ["1", "2"]) await client.publish("a/long/topic", message);
  assert.deepEqual(
    client.publishes.map(({ topic, properties }) => [topic, properties?.topicAlias]),
    [
      ["a/long/topic", undefined],
      ["a/long/topic", undefined],
    ],
  );
  await closeWorld(world);
});

/** What a client sends after its CONNACK, and the reason code of the end. */
const malformed: readonly [name: string, bytes: Uint8Array, reason: keyof typeof reasonCodes][] = [
  ["a property twice", raw(0x30, utf8("t"), [4, 0x01, 0, 0x01, 0]), "protocolError"],
  ["an unknown property", raw(0x30, utf8("t"), [2, 0x7f, 0]), "malformedPacket"],
  ["a property of another packet", raw(0x30, utf8("t"), [5, 0x11, 0, 0, 0, 1]), "malformedPacket"],
  ["properties longer than the packet", raw(0x30, utf8("t"), [9, 0x01]), "malformedPacket"],
  ["a property cut off by their length", raw(0x30, utf8("t"), [3, 0x02, 0, 0, 0, 1]), "malformedPacket"],
  ["a length of five bytes", raw(0x30, utf8("t"), [0xff, 0xff, 0xff, 0xff, 0x01]), "malformedPacket"],
  ["a format indicator of 2", raw(0x30, utf8("t"), [2, 0x01, 2]), "protocolError"],
  ["topic alias 0", raw(0x30, utf8("t"), [3, 0x23, 0, 0]), "topicAliasInvalid"],
  ["a topic alias over 8", raw(0x30, utf8("t"), [3, 0x23, 0, 9]), "topicAliasInvalid"],
  ["an alias that stands for nothing", raw(0x30, utf8(""), [3, 0x23, 0, 1]), "protocolError"],
  ["neither topic nor alias", raw(0x30, utf8(""), [0]), "protocolError"],
  ["a subscription identifier of a client", raw(0x30, utf8("t"), [2, 0x0b, 1]), "protocolError"],
  ["text that is not UTF-8", raw(0x30, utf8("t"), [4, 0x03, 0, 1, 0xff]), "malformedPacket"],
  ["U+0000 in a user property", raw(0x30, utf8("t"), [7, 0x26, 0, 1, 0x61, 0, 1, 0]), "malformedPacket"],
  ["a user property without a value", raw(0x30, utf8("t"), [4, 0x26, 0, 1, 0x61]), "malformedPacket"],
  ["packet identifier 0", raw(0x32, utf8("t"), [0, 0], [0]), "protocolError"],
  ["QoS 3", raw(0x36, utf8("t"), [0, 1], [0]), "malformedPacket"],
  ["DUP with QoS 0", raw(0x38, utf8("t"), [0]), "protocolError"],
  ["a SUBSCRIBE without filters", raw(0x82, [0, 1], [0]), "protocolError"],
  ["reserved bits of options", raw(0x82, [0, 1], [0], utf8("t"), [0xc1]), "malformedPacket"],
  ["retain handling 3", raw(0x82, [0, 1], [0], utf8("t"), [0x31]), "protocolError"],
  ["No Local of a shared subscription", raw(0x82, [0, 1], [0], utf8("$share/g/t"), [0x05]), "protocolError"],
  ["an UNSUBSCRIBE without flags", raw(0xa0, [0, 1], [0], utf8("t")), "malformedPacket"],
  ["a PUBREL", raw(0x62, [0, 1]), "qosNotSupported"],
];

for (const [name, bytes, reason] of malformed) {
  test(`${name} ends the connection, in whatever pieces it comes`, async () => {
    const world = await startWorld();
    const watcher = await world.connect("w");
    await watcher.subscribe("#");
    for (const pieces of [[bytes], [...bytes].map((byte) => Uint8Array.of(byte))]) {
      const client = await world.connect("c", five);
      for (const piece of pieces) client.sendBytes(piece);
      await world.clock.settle();
      const known = Object.entries(reasonCodes).find(([, code]) => code === reasonOf(client))?.[0];
      assert.deepEqual([client.isClosed, known], [true, reason]);
    }
    assert.deepEqual(watcher.messages, []);
    await closeWorld(world);
  });
}

async function pair(world: World): Promise<[publisher: TestClient, receiver: TestClient]> {
  const publisher = await world.connect("p", five);
  const receiver = await world.connect("r", five);
  await receiver.subscribe("#");
  return [publisher, receiver];
}

test("an alias can be given another topic, and is gone with its connection", async () => {
  const world = await startWorld();
  const [publisher, receiver] = await pair(world);
  const properties = { topicAlias: 1 };
  for (const [topic, message] of [
    ["a", "1"],
    ["", "2"],
    ["b", "3"],
    ["", "4"],
  ] as const) {
    await publisher.publish(topic, message, { properties });
  }
  assert.deepEqual(receiver.messages, ["a=1", "a=2", "b=3", "b=4"]);
  await publisher.disconnect();
  const again = await world.connect("p", five);
  await again.publish("", "5", { properties });
  assert.deepEqual([again.isClosed, reasonOf(again)], [true, reasonCodes.protocolError]);
  await closeWorld(world);
});

test("a message that the policy denies does not take its alias with it", async () => {
  const world = await startWorld();
  const [publisher, receiver] = await pair(world);
  const properties = { topicAlias: 2 };
  const code = await publisher.publish("$aws/events/x", "no", { properties });
  assert.deepEqual([code, publisher.isClosed], [reasonCodes.notAuthorized, false]);
  await publisher.publish("ok", "yes", { properties });
  assert.deepEqual(receiver.messages, ["ok=yes"]);
  await closeWorld(world);
});

test("a takeover in the middle of a QoS 1 flight sends what was not acknowledged to the new connection, in order, once", async () => {
  const world = await startWorld();
  const publisher = await world.connect("p");
  const kept = { ...five, isCleanStart: false, properties: { sessionExpirySeconds: 600, receiveMaximum: 3 } };
  const first = await world.connect("r", kept);
  await first.subscribe("t");
  first.acknowledges = false;
  for (const message of ["1", "2", "3", "4", "5"]) await publisher.publish("t", message);
  assert.deepEqual(first.messages, ["t=1", "t=2", "t=3"]);
  first.send({ type: "puback", packetId: first.publishes[1]!.packetId!, reasonCode: 0 });
  await world.clock.settle();
  assert.deepEqual(first.messages, ["t=1", "t=2", "t=3", "t=4"]);
  const second = await world.connect("r", { ...kept, properties: { sessionExpirySeconds: 600, receiveMaximum: 2 } });
  assert.deepEqual([first.isClosed, reasonOf(first)], [true, reasonCodes.sessionTakenOver]);
  await world.clock.advance(1_000);
  assert.deepEqual(second.messages, ["t=1", "t=3", "t=4", "t=5"]);
  assert.ok(
    second.publishes.every(({ isDuplicate }) => !isDuplicate),
    "AWS knows no DUP",
  );
  // The PUBACK of the old connection for an identifier that the new one uses as well.
  first.sendBytes(encodeToBytes({ type: "puback", packetId: 1, reasonCode: 0 }, 5));
  await world.clock.settle();
  assert.equal(world.broker.stats().queuedMessages, 0);
  await closeWorld(world);
});

test("a retained message is told what is left of its expiry, and is not delivered after it, also from a will", async () => {
  const world = await startWorld();
  const will = {
    ...{ topic: "will", payload: text.encode("w"), qos: 1 as const, isRetained: true },
    properties: { messageExpirySeconds: 10 },
  };
  const publisher = await world.connect("p", { ...five, will });
  await publisher.publish("t", "x", { isRetained: true, properties: { messageExpirySeconds: 10 } });
  publisher.lose();
  await world.clock.advance(3_500);
  const client = await world.connect("c", five);
  await client.subscribe("t", "will");
  assert.deepEqual(
    client.publishes.map(({ topic, isRetained, properties }) => [topic, isRetained, properties?.messageExpirySeconds]),
    [
      ["t", true, 6],
      ["will", true, 6],
    ],
  );
  await world.clock.advance(6_600);
  const late = await world.connect("d", five);
  await late.subscribe("t", "will");
  assert.deepEqual(late.messages, []);
  await closeWorld(world);
});

test("members of a shared group that come and go: no QoS 1 message is lost, none goes to two of them", async () => {
  const world = await startWorld({ limits: { ...quickLimits, publishesPerSecond: Infinity } });
  const publisher = await world.connect("p");
  const kept = { ...five, isCleanStart: false, properties: { sessionExpirySeconds: 3_600 } };
  const got: string[] = [];
  const silent = new Set<TestClient>();
  const join = async (id: string, fields: object = five) => {
    const member = await world.connect(id, fields);
    await member.subscribe("$share/g/t");
    return member;
  };
  const anchor = await join("anchor", kept);
  anchor.lose();
  let sent = 0;
  for (let round = 0; round < 12; round++) {
    const member = await join(`m${round}`, round % 3 === 0 ? kept : five);
    // Every other one takes what it gets, and never says so.
    if (round % 2 === 1) {
      member.acknowledges = false;
      silent.add(member);
    }
    for (let count = 0; count < 5; count++) await publisher.publish("t", String(++sent));
    await world.clock.advance(1_000);
    if (!silent.has(member)) got.push(...member.messages);
    if (round % 4 === 3) await member.disconnect();
    else member.lose();
    await world.clock.settle();
  }
  const last = await join("last");
  for (let second = 0; second < 20; second++) {
    await world.clock.advance(1_000);
    last.send({ type: "pingreq" });
  }
  got.push(...last.messages);
  const expected = Array.from({ length: sent }, (_none, at) => `t=${at + 1}`);
  assert.deepEqual([...got].sort(), expected.sort());
  await closeWorld(world);
});

test("a will with a delay is published at once, and not again when its client comes back", async () => {
  const world = await startWorld();
  const watcher = await world.connect("w");
  await watcher.subscribe("will");
  const will = {
    ...{ topic: "will", payload: text.encode("bye"), qos: 1 as const, isRetained: false },
    properties: { willDelaySeconds: 30 },
  };
  const kept = { ...five, isCleanStart: false, properties: { sessionExpirySeconds: 600 } };
  const client = await world.connect("c", { ...kept, will });
  client.lose();
  await world.clock.settle();
  assert.deepEqual(watcher.messages, ["will=bye"]);
  await world.connect("c", kept);
  await world.clock.advance(31_000);
  assert.deepEqual(watcher.messages, ["will=bye"]);
  await closeWorld(world);
});
