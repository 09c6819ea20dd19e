import assert from "node:assert/strict";
import { test } from "node:test";
import { isThinglineError } from "@thingline/protocol";
import type { PublishProperties } from "@thingline/protocol/mqtt";
import { createMqttBackend } from "../backends/mqtt.js";
import { agree, closesCleanly, failureOf, FakeCloud, readyDevice } from "./fake-cloud.test.support.js";
import { awsQuotas } from "./quotas.js";

/** Topic, payload bytes, properties, and the code and quota or reason it is refused with; none: it is sent. */
type Row = [topic: string, bytes: number, properties: PublishProperties | undefined, code?: string, why?: string];

const longThing = "t".repeat(128);
const rows: readonly Row[] = [
  ["a", 131_072, undefined],
  ["a", 131_073, undefined, "QUOTA_EXCEEDED", "payloadBytesMax"],
  ["x".repeat(256), 0, undefined],
  ["x".repeat(257), 0, undefined, "TOPIC_NAME_INVALID", "bytes"],
  ["é".repeat(129), 0, undefined, "TOPIC_NAME_INVALID", "bytes"],
  ["1/2/3/4/5/6/7/8", 0, undefined],
  ["1/2/3/4/5/6/7/8/9", 0, undefined, "TOPIC_NAME_INVALID", "levels"],
  ["////////", 0, undefined, "TOPIC_NAME_INVALID", "levels"],
  ["$aws/rules/pump/1/2/3/4/5/6/7/8", 0, undefined],
  ["$aws/rules/pump/1/2/3/4/5/6/7/8/9", 0, undefined, "TOPIC_NAME_INVALID", "levels"],
  ["$aws/commands/things/pump-7/executions/e-1/response/accepted/json", 0, undefined],
  [`$aws/things/${longThing}/streams/${longThing}/describe/json`, 0, undefined],
  ["a", 1, { userProperties: [["a".repeat(4_000), "b".repeat(4_192)]] }],
  ["a", 1, { userProperties: [["a".repeat(4_000), "b".repeat(4_193)]] }, "QUOTA_EXCEEDED", "userPropertiesBytesMax"],
  ["a", 1, { contentType: "c".repeat(256) }],
  ["a", 1, { contentType: "c".repeat(257) }, "QUOTA_EXCEEDED", "contentTypeBytesMax"],
  ["a", 1, { correlationData: new Uint8Array(8_192) }],
  ["a", 1, { correlationData: new Uint8Array(8_193) }, "QUOTA_EXCEEDED", "correlationDataBytesMax"],
  ["a", 1, { topicAlias: 8 }],
  ["a", 1, { topicAlias: 9 }, "QUOTA_EXCEEDED", "topicAliasMax"],
];

for (const qos of [0, 1] as const) {
  test(`a publish with QoS ${qos} over a quota of AWS IoT is refused by name, at the call, and nothing is sent`, async () => {
    const cloud = new FakeCloud({
      version: 5,
      answer: (packet, peer) =>
        packet.type === "connect"
          ? peer.send({ type: "connack", isSessionPresent: false, reasonCode: 0, properties: { topicAliasMaximum: 8 } })
          : agree(packet, peer),
    });
    const device = await readyDevice(cloud);
    for (const [topic, bytes, properties, code, why] of rows) {
      const options = { qos, ...(properties === undefined ? {} : { properties }) };
      const publishing = device.publish(topic, new Uint8Array(bytes), options);
      if (code === undefined) {
        await cloud.clock.settle();
        await publishing;
        assert.equal(cloud.types().includes("publish"), true);
        continue;
      }
      const error = await failureOf(cloud, publishing);
      assert.deepEqual([error.code, error.details["quota"] ?? error.details["reason"]], [code, why], error.message);
      assert.deepEqual(cloud.types(), [], `${topic} was sent`);
    }
    assert.deepEqual(
      cloud.events.filter((event) => event.startsWith("disconnected")),
      [],
    );
    await closesCleanly(cloud, device);
  });
}

test("subscribe() keeps to 256 bytes, 7 slashes and 50 filters in all, and counts each filter once", async () => {
  const cloud = new FakeCloud();
  const device = await readyDevice(cloud, { applicationTopics: ["a/1", "a/2"], shadowTopics: ["update/delta"] });
  const codeOf = async (filters: string | string[]): Promise<string> =>
    (await failureOf(cloud, device.subscribe(filters))).code;
  assert.equal(await codeOf("x".repeat(257)), "TOPIC_FILTER_INVALID");
  assert.equal(await codeOf("1/2/3/4/5/6/7/8/#"), "TOPIC_FILTER_INVALID");
  assert.equal(await codeOf("$share/g/1/2/3/4/5/6/7/8/#"), "TOPIC_FILTER_INVALID");
  assert.deepEqual(cloud.types(), []);
  const many = Array.from({ length: 47 }, (_, index) => `b/${index}`);
  for (const filters of [["$share/g/1/2/3/4/5/6/7/8"], many.slice(1), ["a/1", "b/1"]]) {
    const subscribing = device.subscribe(filters, () => undefined);
    await cloud.clock.settle();
    await subscribing;
  }
  cloud.types();
  const error = await failureOf(cloud, device.subscribe(["a/2", "one more"]));
  assert.deepEqual(
    [error.code, error.details["quota"], error.details["got"]],
    ["QUOTA_EXCEEDED", "subscriptionsMax", 51],
  );
  assert.deepEqual(cloud.types(), []);
  await closesCleanly(cloud, device);
});

test("options over a quota are refused by name", () => {
  const cloud = new FakeCloud({ version: 5 });
  const refuses = (option: string, settings: Parameters<FakeCloud["create"]>[0]): void =>
    assert.throws(
      () => cloud.create(settings),
      (error) => isThinglineError(error, "OPTION_INVALID") && String(error.details["option"]).startsWith(option),
    );
  refuses("clientId", { clientId: "c".repeat(129) });
  refuses("applicationTopics", { applicationTopics: ["1/2/3/4/5/6/7/8/9"] });
  refuses("applicationTopics", { applicationTopics: Array.from({ length: 51 }, (_, index) => `a/${index}`) });
  refuses("lastWill.topic", { lastWill: { topic: "1/2/3/4/5/6/7/8/9", payload: "" } });
  refuses("userProperties", { userProperties: [["a", "b".repeat(8_192)]] });
  refuses("quotas", { quotas: { payloadBytes: 1 } as never });
  refuses("quotas", { quotas: "all" as never });
  refuses("quotas.payloadBytesMax", { quotas: { payloadBytesMax: -1 } });
});

test("another broker may take more or less", async () => {
  const cloud = new FakeCloud();
  const device = await readyDevice(cloud, { quotas: { payloadBytesMax: 10, topicSlashesMax: 20 } });
  const fine = device.publish("1/2/3/4/5/6/7/8/9/10", new Uint8Array(10));
  await cloud.clock.settle();
  await fine;
  const error = await failureOf(cloud, device.publish("a", new Uint8Array(11)));
  assert.equal(error.message, 'the payload for "a": 11 bytes, and the cloud takes 10 (payloadBytesMax of the quotas)');
  assert.equal(
    (await failureOf(cloud, device.publish("x".repeat(257), ""))).code,
    "TOPIC_NAME_INVALID",
    "AWS's for the rest",
  );
  await closesCleanly(cloud, device);

  const { clock } = cloud;
  const backend = createMqttBackend({ ...cloud.options({ clientId: "c".repeat(200) }), on: undefined } as never);
  const connecting = backend.init(() => undefined).then(() => backend.connect());
  await clock.settle();
  await connecting;
  const endpoint = { type: "message", topic: "1/2/3/4/5/6/7/8/9/10" } as const;
  const sent = backend.send({ endpoint, payload: new Uint8Array(awsQuotas.payloadBytesMax + 1), qos: 1 });
  await clock.settle();
  await sent;
  const ended = backend.uninit();
  await clock.settle();
  await ended;
});

test("when the server's DISCONNECT is about a message and there is one, that is given up at once, with the reason", async () => {
  const cloud = new FakeCloud({
    version: 5,
    answer: (packet, peer) => {
      if (packet.type !== "publish" || packet.topic !== "bad") return agree(packet, peer);
      const properties = { reasonString: "the payload\nis too large", serverReference: "other.test" };
      peer.send({ type: "disconnect", reasonCode: 0x95, properties });
    },
  });
  const device = await readyDevice(cloud, { offlineQueue: {} });
  const dialed = cloud.dialCount;
  const error = await failureOf(cloud, device.publish("bad", "x"), 120_000);
  assert.equal(error.code, "MQTT_PUBLISH_REFUSED");
  assert.match(error.message, /packet too large \(0x95\): the payload is too large \(server reference: other\.test\)/);
  assert.doesNotMatch(error.message, /polic/);
  const { reasonCode, reason, reasonString } = error.details;
  assert.deepEqual([reasonCode, reason, reasonString], [0x95, "packet too large", "the payload is too large"]);
  assert.equal(cloud.dialCount - dialed, 1);
  assert.equal(
    (await failureOf(cloud, device.publish("bad", "x", { until: "acknowledged" }), 120_000)).code,
    error.code,
  );
  const subscribing = await failureOf(
    cloud,
    (async () => {
      const bad = device.publish("bad", "x").catch(() => undefined);
      try {
        cloud.answer = (packet, peer) =>
          packet.type === "subscribe" ? peer.send({ type: "disconnect", reasonCode: 0x8f }) : agree(packet, peer);
        await device.subscribe("s");
      } finally {
        await bad;
      }
    })(),
    120_000,
  );
  assert.match(subscribing.message, /topic filter invalid \(0x8f\)/);
  assert.equal(subscribing.details["reasonCode"], 0x8f);
  await closesCleanly(cloud, device);
});

for (const version of [4, 5] as const) {
  test(`MQTT ${version === 4 ? "3.1.1" : "5"}: what a server says with CONNACK is in the error of connect(), and of all that waited`, async () => {
    const properties = { reasonString: "try\u0007 there", serverReference: "other.test:8883" };
    const cloud = new FakeCloud({ version });
    const device = await readyDevice(cloud);
    cloud.answer = (packet, peer) => {
      if (packet.type !== "connect") return;
      const refused = { type: "connack", isSessionPresent: false } as const;
      peer.send(version === 4 ? { ...refused, reasonCode: 2 } : { ...refused, reasonCode: 0x9d, properties });
    };
    cloud.connection.end();
    const waiting = [device.publish("a", "x"), device.subscribe("b")].map((asked) => failureOf(cloud, asked, 60_000));
    const connecting = await Promise.all(waiting);
    connecting.push(await failureOf(cloud, device.connect()));
    for (const { code, message, details } of connecting) {
      assert.equal(code, "MQTT_CONNECT_REFUSED");
      assert.equal(details["reasonCode"], version === 4 ? 2 : 0x9d);
      if (version === 4) assert.match(message, /client identifier rejected/);
      else
        assert.match(message, /server moved \(reason code 0x9d\): try {2}there \(server reference: other\.test:8883\)/);
      assert.doesNotMatch(message, /polic/);
      assert.equal(details["serverReference"], version === 4 ? undefined : "other.test:8883");
    }
    await closesCleanly(cloud, device);
  });
}
