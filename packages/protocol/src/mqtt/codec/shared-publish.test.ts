import assert from "node:assert/strict";
import { test } from "node:test";
import type { MqttVersion, PublishPacket, PublishProperties, QoS } from "../packets.js";
import { decodePackets } from "./decoder.js";
import { EncodedTopics } from "./encoded-topics.js";
import { encodePacket, encodeToBytes, packetLength } from "./encoder.js";
import { SharedPublish, type PublishPatch, type PublishTemplate } from "./shared-publish.js";

const properties: PublishProperties = {
  payloadFormatIndicator: 1,
  messageExpirySeconds: 3600,
  contentType: "text/plain",
  correlationData: Uint8Array.of(1, 2, 3),
  subscriptionIdentifiers: [5, 300],
  userProperties: [["k", "v"]],
};

/** What the first and each later receiver get: they are written in different ways. */
function written(template: PublishTemplate, packetId: number, patch?: PublishPatch): Uint8Array {
  const copies = [0, 1, 2].map(() => {
    const target = new Uint8Array(template.lengthBytes + 4);
    assert.equal(template.writeTo(target, 2, packetId, patch), template.lengthBytes + 2);
    assert.deepEqual([target[0], target[1], target.at(-1), target.at(-2)], [0, 0, 0, 0]);
    return target.slice(2, -2);
  });
  assert.deepEqual(copies[1], copies[0]);
  assert.deepEqual(copies[2], copies[0]);
  return copies[0]!;
}

function joined(template: PublishTemplate, payload: Uint8Array, packetId: number, patch?: PublishPatch): Uint8Array {
  const head = template.head(packetId, patch);
  assert.equal(head.length, template.headBytes);
  return Uint8Array.from([...head, ...payload]);
}

test("every variant has the bytes that the encoder writes, by copy and by reference", () => {
  for (const payload of [new Uint8Array(0), new Uint8Array(100).fill(7), new Uint8Array(20_000).fill(8)]) {
    for (const given of [undefined, {}, { contentType: "c" }, properties]) {
      const shared = new SharedPublish({
        topic: "a/b",
        payload,
        ...(given === undefined ? {} : { properties: given }),
      });
      for (const version of [4, 5] as MqttVersion[]) {
        for (const flags of [0, 1, 2, 3, 4, 5, 10, 11, 12, 13]) {
          const qos = ((flags >> 1) & 3) as QoS;
          const variant = { version, qos, isRetained: (flags & 1) !== 0, isDuplicate: (flags & 8) !== 0 };
          const packetId = qos === 0 ? 0 : 0xabcd;
          const packet: PublishPacket = { type: "publish", topic: "a/b", payload, ...variant };
          if (qos !== 0) packet.packetId = packetId;
          if (given !== undefined) packet.properties = given;
          const expected = encodeToBytes(packet, version);
          const template = shared.template(variant);
          assert.equal(shared.template({ ...variant }), template);
          assert.deepEqual(written(template, packetId), expected);
          assert.deepEqual(joined(template, payload, packetId), expected);
        }
      }
    }
  }
});

test("the packet identifier of each receiver is its own", () => {
  const shared = new SharedPublish({ topic: "t", payload: Uint8Array.of(9) });
  const template = shared.template({ version: 4, qos: 1, isRetained: false });
  const ids = [1, 2, 256, 65_535];
  const heads = ids.map((packetId) => template.head(packetId));
  for (const [index, packetId] of ids.entries()) {
    for (const bytes of [written(template, packetId), Uint8Array.from([...heads[index]!, 9])]) {
      const [packet] = decodePackets(bytes, { receiver: "client", version: 4 });
      assert.ok(packet?.type === "publish");
      assert.equal(packet.packetId, packetId);
    }
  }
});

test("the remaining expiry is patched in MQTT 5, and ignored where there is none", () => {
  for (const payloadFormatIndicator of [undefined, 1] as const) {
    const given: PublishProperties = { messageExpirySeconds: 100, responseTopic: "r", userProperties: [["a", "b"]] };
    if (payloadFormatIndicator !== undefined) given.payloadFormatIndicator = payloadFormatIndicator;
    const shared = new SharedPublish({ topic: "t/1", payload: Uint8Array.of(1), properties: given });
    for (const qos of [0, 1] as const) {
      const template = shared.template({ version: 5, qos, isRetained: false });
      assert.ok(template.hasExpiry);
      const patch = { messageExpirySeconds: 0x01020304 };
      for (const bytes of [written(template, qos, patch), joined(template, shared.payload, qos, patch)]) {
        const [packet] = decodePackets(bytes, { receiver: "client", version: 5 });
        assert.ok(packet?.type === "publish");
        assert.deepEqual(packet.properties, { ...given, messageExpirySeconds: 0x01020304 });
      }
      assert.deepEqual(written(template, qos), written(template, qos, { messageExpirySeconds: 100 }));
    }
    const old = shared.template({ version: 4, qos: 0, isRetained: false });
    assert.equal(old.hasExpiry, false);
    assert.deepEqual(written(old, 0, { messageExpirySeconds: 5 }), written(old, 0));
  }
});

test("a topic alias is defined with the topic and used without it", () => {
  for (const given of [undefined, properties, { topicAlias: 77 }]) {
    const shared = new SharedPublish({
      topic: "t/1",
      payload: Uint8Array.of(1),
      ...(given === undefined ? {} : { properties: given }),
    });
    for (const topicAlias of ["define", "use"] as const) {
      const template = shared.template({ version: 5, qos: 1, isRetained: true, topicAlias });
      const [packet] = decodePackets(written(template, 3, { topicAlias: 0x0102 }), { receiver: "client", version: 5 });
      assert.ok(packet?.type === "publish");
      assert.equal(packet.topic, topicAlias === "define" ? "t/1" : "");
      assert.deepEqual(packet.properties, { ...given, topicAlias: 0x0102 });
    }
  }
});

test("a publisher's own topic alias reaches nobody", () => {
  const shared = new SharedPublish({ topic: "t", payload: new Uint8Array(0), properties: { topicAlias: 4 } });
  const [packet] = decodePackets(written(shared.template({ version: 5, qos: 0, isRetained: false }), 0), {
    receiver: "client",
    version: 5,
  });
  assert.ok(packet?.type === "publish");
  assert.equal(packet.properties, undefined);
});

test("the head of a QoS 0 message is made once for all receivers", () => {
  const shared = new SharedPublish({ topic: "t", payload: new Uint8Array(20_000) });
  const template = shared.template({ version: 4, qos: 0, isRetained: false });
  assert.equal(template.head().buffer, template.head().buffer);
});

test("bad variants, identifiers and patches are refused", () => {
  const shared = new SharedPublish({ topic: "t", payload: new Uint8Array(0), properties: { messageExpirySeconds: 1 } });
  const target = new Uint8Array(100);
  const code = "MQTT_PACKET_INVALID";
  const first = { version: 5, qos: 1, isRetained: false } as const;
  assert.throws(() => shared.template({ ...first, qos: 3 as 2 }), { code });
  assert.throws(() => shared.template({ ...first, qos: 0, isDuplicate: true }), { code });
  assert.throws(() => shared.template({ ...first, version: 4, topicAlias: "use" }), { code });
  const template = shared.template(first);
  for (const packetId of [0, -1, 65_536, NaN]) assert.throws(() => template.writeTo(target, 0, packetId), { code });
  assert.throws(() => shared.template({ ...first, qos: 0 }).writeTo(target, 0, 1), { code });
  assert.throws(() => template.writeTo(target, 0, 1, { messageExpirySeconds: -1 }), { code });
  assert.throws(() => shared.template({ ...first, topicAlias: "use" }).writeTo(target, 0, 1), { code });
  assert.throws(() => new SharedPublish({ topic: "a/#", payload: new Uint8Array(0) }).template(first), {
    code: "TOPIC_NAME_INVALID",
  });
  assert.throws(() => template.writeTo(target, 90, 1), { code: "OPTION_INVALID" });
  assert.ok(target.every((byte) => byte === 0));
});

test("known topics give the same bytes and the same refusals", () => {
  const topics = new EncodedTopics();
  const payload = Uint8Array.of(1, 2);
  for (const topic of ["a", "é/日本", "x".repeat(64), "x".repeat(65), "x".repeat(300), "a"]) {
    for (const version of [4, 5] as const) {
      const packet: PublishPacket = {
        type: "publish",
        topic,
        payload,
        qos: 1,
        isRetained: false,
        isDuplicate: false,
        packetId: 0xabcd,
      };
      const expected = encodeToBytes(packet, version);
      const target = new Uint8Array(packetLength(packet, version, topics));
      assert.equal(encodePacket(packet, version, target, 0, topics), expected.length);
      assert.deepEqual(target, expected);
      const shared = new SharedPublish({ topic, payload }, topics);
      assert.deepEqual(written(shared.template({ version, qos: 1, isRetained: false }), 0xabcd), expected);
    }
  }
  assert.equal(topics.topicCount, 5);
  for (const topic of ["", "a/#"]) {
    const variant = { version: 4, qos: 0, isRetained: false } as const;
    assert.throws(() => new SharedPublish({ topic, payload }, topics).template(variant), {
      code: "TOPIC_NAME_INVALID",
    });
  }
  assert.throws(() => topics.bytesOf("\ud800"), { code: "MQTT_PACKET_INVALID" });
  assert.equal(topics.topicCount, 5);
});

test("known topics are bounded", () => {
  const topics = new EncodedTopics({ topicsMax: 10 });
  for (let index = 0; index < 100; index++) {
    assert.equal(topics.bytesOf(`t/${index}`).length, `t/${index}`.length + 2);
    assert.ok(topics.topicCount <= 10);
  }
  assert.throws(() => new EncodedTopics({ topicsMax: 0 }), { code: "OPTION_INVALID" });
});

test("an object that is made another message writes that one, in every variant, also after one that cannot be encoded", () => {
  const shared = new SharedPublish({ topic: "first/topic", payload: new Uint8Array(300).fill(1) });
  const variants = [
    { version: 4, qos: 0, isRetained: false },
    { version: 5, qos: 1, isRetained: true },
  ] as const;
  const written = (of: SharedPublish): Uint8Array[] =>
    variants.flatMap((variant) =>
      // The first receiver is written otherwise than the next.
      [1, 2].map((packetId) => {
        const template = of.template(variant);
        const target = new Uint8Array(template.lengthBytes);
        template.writeTo(target, 0, variant.qos === 0 ? 0 : packetId);
        return target;
      }),
    );
  written(shared);
  for (const [topic, payload, properties] of [
    ["b", Uint8Array.of(7), { contentType: "c", messageExpirySeconds: 9 }],
    ["a/longer/topic", new Uint8Array(20_000).fill(3), undefined],
    ["c", new Uint8Array(0), undefined],
  ] as const) {
    shared.reset("a/+", payload, undefined);
    assert.throws(() => shared.template(variants[0]), { code: "TOPIC_NAME_INVALID" });
    shared.reset(topic, payload, properties);
    const message = properties === undefined ? { topic, payload } : { topic, payload, properties };
    assert.deepEqual(written(shared), written(new SharedPublish(message)));
  }
});
