import assert from "node:assert/strict";
import { test } from "node:test";
import type { MqttPacket, UserProperties } from "@thingline/protocol/mqtt";
import { closeWorld, startWorld } from "./harness.test.support.js";
import { awsLimits } from "./limits.js";

const { userPropertiesBytesMax } = awsLimits;

/** Names and values of so many bytes of UTF-8 in all: 192 besides the first value. */
const most: UserProperties = [
  ["k", "v".repeat(userPropertiesBytesMax - 192)],
  ["ü", `${"😀".repeat(47)}x`],
];
const oneMore: UserProperties = [...most, ["", "x"]];
const subscriptions = [{ filter: "t", qos: 1 } as const, { filter: "u", qos: 0 } as const];
const publish = {
  type: "publish",
  topic: "t",
  payload: new Uint8Array(1),
  isRetained: false,
  isDuplicate: false,
} as const;

interface Case {
  name: string;
  packet: (userProperties: UserProperties) => MqttPacket;
  /** Type and codes of the answer to what is too much. */
  refused: [type: MqttPacket["type"], ...codes: number[]];
}

const cases: Case[] = [
  {
    name: "SUBSCRIBE",
    packet: (userProperties) => ({ type: "subscribe", packetId: 1, subscriptions, properties: { userProperties } }),
    refused: ["suback", 0x97, 0x97],
  },
  {
    name: "UNSUBSCRIBE",
    packet: (userProperties) => ({ type: "unsubscribe", packetId: 1, filters: ["t"], properties: { userProperties } }),
    refused: ["disconnect", 0x97],
  },
  {
    name: "PUBLISH with QoS 1",
    packet: (userProperties) => ({ ...publish, qos: 1, packetId: 1, properties: { userProperties } }),
    refused: ["puback", 0x97],
  },
  {
    name: "PUBLISH with QoS 0",
    packet: (userProperties) => ({ ...publish, qos: 0, properties: { userProperties } }),
    refused: ["disconnect", 0x97],
  },
  {
    name: "PUBACK",
    packet: (userProperties) => ({ type: "puback", packetId: 9, reasonCode: 0, properties: { userProperties } }),
    refused: ["disconnect", 0x97],
  },
  {
    name: "DISCONNECT",
    packet: (userProperties) => ({ type: "disconnect", reasonCode: 0, properties: { userProperties } }),
    refused: ["disconnect", 0x97],
  },
];

for (const { name, packet, refused } of cases) {
  test(`${name}: user properties of 8 KB pass, one byte more is refused`, async () => {
    const world = await startWorld();
    const watcher = await world.connect("watcher");
    await watcher.subscribe("will");
    const will = { topic: "will", payload: new Uint8Array(1), qos: 0, isRetained: false } as const;
    const client = await world.connect("c", { version: 5, will });
    client.send(packet(most));
    await world.clock.settle();
    assert.deepEqual([client.last("disconnect"), watcher.messages], [undefined, []]);
    const other = client.isClosed ? await world.connect("c", { version: 5, will }) : client;
    const subscriptionsBefore = world.broker.stats().subscriptions;
    other.send(packet(oneMore));
    await world.clock.settle();
    const answer = other.packets.at(-1)!;
    const { reasonCode = undefined, reasonCodes = [reasonCode] } = answer as {
      reasonCode?: number;
      reasonCodes?: number[];
    };
    assert.deepEqual([answer.type, ...reasonCodes], refused);
    assert.match(JSON.stringify(answer), /user properties of 8193 bytes, at most 8192/);
    assert.equal(world.broker.stats().subscriptions, subscriptionsBefore);
    const isCut = refused[0] === "disconnect";
    assert.deepEqual([other.isClosed, watcher.messages.length], [isCut, isCut ? 1 : 0], "a refused DISCONNECT is none");
    await closeWorld(world);
  });
}

test("CONNECT and its will: user properties of 8 KB pass, one byte more gets CONNACK 0x97", async () => {
  const world = await startWorld();
  const will = { topic: "will", payload: new Uint8Array(1), qos: 0, isRetained: false } as const;
  const connects = (userProperties: UserProperties) => [
    { version: 5, properties: { userProperties } } as const,
    { version: 5, will: { ...will, properties: { userProperties } } } as const,
  ];
  for (const fields of connects(most)) {
    const client = await world.connect("c", fields);
    assert.equal(client.connack?.reasonCode, 0);
    await client.disconnect();
  }
  for (const fields of connects(oneMore)) {
    const client = await world.connect("c", fields);
    assert.deepEqual([client.connack?.reasonCode, client.isClosed], [0x97, true]);
    assert.match(client.connack?.properties?.reasonString ?? "", /user properties of 8193 bytes/);
  }
  await closeWorld(world);
});

test("a response topic is held to the limits of a topic, in PUBLISH and in a will", async () => {
  const world = await startWorld();
  for (const responseTopic of ["x".repeat(257), "a/b/c/d/e/f/g/h/i"]) {
    const client = await world.connect("c", { version: 5 });
    assert.equal(await client.publish("t", "x", { properties: { responseTopic } }), 0x90, responseTopic);
    const will = {
      topic: "will",
      payload: new Uint8Array(1),
      qos: 0,
      isRetained: false,
      properties: { responseTopic },
    } as const;
    const other = await world.connect("d", { version: 5, will });
    assert.equal(other.connack?.reasonCode, 0x90, responseTopic);
  }
  const client = await world.connect("c", { version: 5 });
  assert.equal(await client.publish("t", "x", { properties: { responseTopic: "x".repeat(256) } }), 0);
  await closeWorld(world);
});
