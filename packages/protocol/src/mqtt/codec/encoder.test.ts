import assert from "node:assert/strict";
import { test } from "node:test";
import type { ErrorCode } from "../../errors.js";
import type { ConnectPacket, MqttPacket, MqttVersion, PublishPacket } from "../packets.js";
import { encodePuback, pubackBytes } from "./acknowledge.js";
import { decodePackets } from "./decoder.js";
import { encodePacket, encodeToBytes, packetLength } from "./encoder.js";
import { varintMax } from "./write.js";

const payload = new Uint8Array(0);
const connect: ConnectPacket = {
  type: "connect",
  version: 4,
  clientId: "a",
  isCleanStart: true,
  keepAliveSeconds: 60,
};
const publish: PublishPacket = {
  type: "publish",
  topic: "a",
  payload,
  qos: 0,
  isRetained: false,
  isDuplicate: false,
};
const will = { topic: "w", payload, qos: 0, isRetained: false } as const;
const long = "x".repeat(65_536);
const subscribe = (filter: string, more: object = {}) =>
  ({ type: "subscribe", packetId: 1, subscriptions: [{ filter, qos: 1, ...more }] }) as MqttPacket;

const bad: readonly [name: string, version: MqttVersion, packet: MqttPacket, code: ErrorCode][] = [
  ["a client ID of 64 KB", 4, { ...connect, clientId: long }, "MQTT_PACKET_INVALID"],
  ["U+0000 in the client ID", 4, { ...connect, clientId: "a\u0000" }, "MQTT_PACKET_INVALID"],
  ["a lone surrogate in the user name", 4, { ...connect, username: "\ud800x" }, "MQTT_PACKET_INVALID"],
  ["a lone surrogate at the end of a text", 4, { ...connect, username: "x\udbff" }, "MQTT_PACKET_INVALID"],
  ["a password of 64 KB", 5, { ...connect, version: 5, password: new Uint8Array(65_536) }, "MQTT_PACKET_INVALID"],
  ["a password without user name in 3.1.1", 4, { ...connect, password: payload }, "MQTT_PACKET_INVALID"],
  ["a keep alive over 65,535", 4, { ...connect, keepAliveSeconds: 65_536 }, "MQTT_PACKET_INVALID"],
  ["CONNECT of another version", 5, connect, "MQTT_PACKET_INVALID"],
  ["a will on an empty topic", 4, { ...connect, will: { ...will, topic: "" } }, "TOPIC_NAME_INVALID"],
  ["a will on a wildcard", 4, { ...connect, will: { ...will, topic: "a/#" } }, "TOPIC_NAME_INVALID"],
  ["a will of 64 KB", 4, { ...connect, will: { ...will, payload: new Uint8Array(65_536) } }, "MQTT_PACKET_INVALID"],
  [
    "CONNACK that refuses and resumes",
    4,
    { type: "connack", isSessionPresent: true, reasonCode: 5 },
    "MQTT_PACKET_INVALID",
  ],
  [
    "CONNACK with a code of MQTT 5 in 3.1.1",
    4,
    { type: "connack", isSessionPresent: false, reasonCode: 0x87 },
    "MQTT_PACKET_INVALID",
  ],
  [
    "CONNACK with a code of 3.1.1 in MQTT 5",
    5,
    { type: "connack", isSessionPresent: false, reasonCode: 5 },
    "MQTT_PACKET_INVALID",
  ],
  ["PUBLISH with an empty topic", 4, { ...publish, topic: "" }, "TOPIC_NAME_INVALID"],
  ["PUBLISH with an empty topic and no alias", 5, { ...publish, topic: "" }, "TOPIC_NAME_INVALID"],
  ["PUBLISH on a wildcard", 5, { ...publish, topic: "a/+" }, "TOPIC_NAME_INVALID"],
  ["PUBLISH with a topic of 64 KB", 4, { ...publish, topic: long }, "MQTT_PACKET_INVALID"],
  ["PUBLISH with QoS 1 and no packet identifier", 4, { ...publish, qos: 1 }, "MQTT_PACKET_INVALID"],
  ["PUBLISH with packet identifier 0", 4, { ...publish, qos: 1, packetId: 0 }, "MQTT_PACKET_INVALID"],
  ["PUBLISH with packet identifier 65,536", 4, { ...publish, qos: 1, packetId: 65_536 }, "MQTT_PACKET_INVALID"],
  ["PUBLISH with QoS 0 and a packet identifier", 4, { ...publish, packetId: 1 }, "MQTT_PACKET_INVALID"],
  ["PUBLISH with QoS 0 and DUP", 4, { ...publish, isDuplicate: true }, "MQTT_PACKET_INVALID"],
  ["PUBLISH with QoS 3", 4, { ...publish, qos: 3 as 2, packetId: 1 }, "MQTT_PACKET_INVALID"],
  [
    "PUBLISH with a payload that is text",
    4,
    { ...publish, payload: "hi" as unknown as Uint8Array },
    "MQTT_PACKET_INVALID",
  ],
  ["a topic alias of 0", 5, { ...publish, properties: { topicAlias: 0 } }, "MQTT_PACKET_INVALID"],
  ["a negative expiry", 5, { ...publish, properties: { messageExpirySeconds: -1 } }, "MQTT_PACKET_INVALID"],
  ["an expiry with a fraction", 5, { ...publish, properties: { messageExpirySeconds: 1.5 } }, "MQTT_PACKET_INVALID"],
  ["a response topic with a wildcard", 5, { ...publish, properties: { responseTopic: "a/#" } }, "MQTT_PACKET_INVALID"],
  ["a content type of 64 KB", 5, { ...publish, properties: { contentType: long } }, "MQTT_PACKET_INVALID"],
  [
    "a user property with a lone surrogate",
    5,
    { ...publish, properties: { userProperties: [["k", "\udfff"]] } },
    "MQTT_PACKET_INVALID",
  ],
  [
    "a subscription identifier beyond four bytes",
    5,
    { ...publish, properties: { subscriptionIdentifiers: [varintMax + 1] } },
    "MQTT_PACKET_INVALID",
  ],
  ["a PUBACK that refuses in 3.1.1", 4, { type: "puback", packetId: 1, reasonCode: 0x87 }, "MQTT_PACKET_INVALID"],
  ["a PUBREL with a code of PUBACK", 5, { type: "pubrel", packetId: 1, reasonCode: 0x10 }, "MQTT_PACKET_INVALID"],
  ["a PUBACK with packet identifier 0", 4, { type: "puback", packetId: 0, reasonCode: 0 }, "MQTT_PACKET_INVALID"],
  ["SUBSCRIBE without filters", 4, { type: "subscribe", packetId: 1, subscriptions: [] }, "MQTT_PACKET_INVALID"],
  ["SUBSCRIBE with a bad filter", 4, subscribe("a/#/b"), "TOPIC_FILTER_INVALID"],
  ["SUBSCRIBE with options in 3.1.1", 4, subscribe("a", { isNoLocal: true }), "MQTT_PACKET_INVALID"],
  ["SUBSCRIBE with retain handling 3", 5, subscribe("a", { retainHandling: 3 }), "MQTT_PACKET_INVALID"],
  [
    "SUBSCRIBE with no local on a shared filter",
    5,
    subscribe("$share/g/a", { isNoLocal: true }),
    "MQTT_PACKET_INVALID",
  ],
  ["SUBACK without codes", 4, { type: "suback", packetId: 1, reasonCodes: [] }, "MQTT_PACKET_INVALID"],
  ["SUBACK with an undefined code", 5, { type: "suback", packetId: 1, reasonCodes: [3] }, "MQTT_PACKET_INVALID"],
  ["UNSUBSCRIBE without filters", 4, { type: "unsubscribe", packetId: 1, filters: [] }, "MQTT_PACKET_INVALID"],
  ["UNSUBSCRIBE with an empty filter", 4, { type: "unsubscribe", packetId: 1, filters: [""] }, "TOPIC_FILTER_INVALID"],
  ["UNSUBACK without codes", 5, { type: "unsuback", packetId: 1, reasonCodes: [] }, "MQTT_PACKET_INVALID"],
  ["DISCONNECT with a reason in 3.1.1", 4, { type: "disconnect", reasonCode: 0x8e }, "MQTT_PACKET_INVALID"],
  ["DISCONNECT with an undefined code", 5, { type: "disconnect", reasonCode: 1 }, "MQTT_PACKET_INVALID"],
  ["AUTH in 3.1.1", 4, { type: "auth", reasonCode: 0 }, "MQTT_PACKET_INVALID"],
  ["AUTH without a method", 5, { type: "auth", reasonCode: 0x18 }, "MQTT_PACKET_INVALID"],
];

for (const [name, version, packet, code] of bad) {
  test(`MQTT ${version}: ${name} is refused before a byte is written`, () => {
    const target = new Uint8Array(200_000);
    assert.throws(() => encodePacket(packet, version, target, 0), { code });
    assert.throws(() => packetLength(packet, version), { code });
    assert.ok(target.every((byte) => byte === 0));
  });
}

test("3.1.1 drops properties, turns each refusal of a SUBACK into 0x80 and writes no code in UNSUBACK", () => {
  const again = (packet: MqttPacket, receiver: "client" | "server") =>
    decodePackets(encodeToBytes(packet, 4), { receiver, version: 4 })[0];
  const properties = { userProperties: [["k", "v"]], contentType: "c" } as const;
  assert.deepEqual(again({ ...publish, properties }, "client"), publish);
  assert.deepEqual(again({ type: "suback", packetId: 1, reasonCodes: [1, 0x87, 0x80] }, "client"), {
    type: "suback",
    packetId: 1,
    reasonCodes: [1, 0x80, 0x80],
  });
  assert.deepEqual(again({ type: "unsuback", packetId: 1, reasonCodes: [0x11] }, "client"), {
    type: "unsuback",
    packetId: 1,
    reasonCodes: [],
  });
  assert.deepEqual(
    again({ type: "puback", packetId: 1, reasonCode: 0x10, properties: { reasonString: "x" } }, "client"),
    {
      type: "puback",
      packetId: 1,
      reasonCode: 0,
    },
  );
});

test("a target without enough room is refused untouched", () => {
  const target = new Uint8Array(6);
  assert.throws(() => encodePacket({ ...publish, topic: "ab", payload: Uint8Array.of(1) }, 4, target, 0), {
    code: "OPTION_INVALID",
  });
  assert.ok(target.every((byte) => byte === 0));
});

test("texts beyond ASCII and beyond the short loop are written whole", () => {
  for (const topic of [
    "é",
    "日本/語",
    "\u{1f600}",
    "x".repeat(64),
    "x".repeat(65),
    "é".repeat(300),
    "x".repeat(65_535),
  ]) {
    const bytes = encodeToBytes({ ...publish, topic }, 4);
    assert.deepEqual(decodePackets(bytes, { receiver: "client", version: 4 }), [{ ...publish, topic }]);
  }
});

test("a PUBACK written without a packet is the one that the packet makes, in both versions", () => {
  for (const packetId of [1, 255, 256, 65_535]) {
    const target = new Uint8Array(pubackBytes + 2);
    encodePuback(packetId, target, 1);
    const packet = { type: "puback", packetId, reasonCode: 0 } as const;
    for (const version of [4, 5] as const) {
      assert.deepEqual(target.subarray(1, 1 + pubackBytes), encodeToBytes(packet, version));
    }
    assert.deepEqual([target[0], target[pubackBytes + 1]], [0, 0]);
  }
});
