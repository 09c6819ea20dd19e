import assert from "node:assert/strict";
import { test } from "node:test";
import { ThinglineError } from "@thingline/protocol";
import { encodeBase64 } from "@thingline/protocol/x509";
import { awsLimits } from "../../broker/limits.js";
import { openServiceWorld, scope } from "../world.test.support.js";
import { retainedKeys, type RetainedRecord } from "../message-records.js";
import { createMessages } from "./service.js";

const messages = createMessages(awsLimits);
const encode = (text: string) => new TextEncoder().encode(text);
const base64 = (value: unknown) => encodeBase64(encode(typeof value === "string" ? value : JSON.stringify(value)));

test("a publish over HTTP becomes one message with its properties, QoS 0 unless asked otherwise", async () => {
  const world = await openServiceWorld();
  const result = await world.run(messages.publish, {
    topic: "pump/pressure",
    payload: encode("2.5"),
    contentType: "text/plain",
    responseTopic: "pump/answers",
    messageExpiry: 60,
    payloadFormatIndicator: "UTF8_DATA",
    correlationData: base64("c1"),
    userProperties: base64([{ site: "a" }, { site: "b" }]),
  });
  assert.deepEqual(result, { message: "OK" });
  await world.run(messages.publish, { topic: "pump/state", qos: 1, retain: true });
  assert.deepEqual(await world.takeEffects(), [
    {
      type: "publish",
      topic: "pump/pressure",
      payload: encode("2.5"),
      qos: 0,
      isRetained: false,
      source: "http",
      properties: {
        contentType: "text/plain",
        responseTopic: "pump/answers",
        messageExpirySeconds: 60,
        payloadFormatIndicator: 1,
        correlationData: encode("c1"),
        userProperties: [
          ["site", "a"],
          ["site", "b"],
        ],
      },
    },
    { type: "publish", topic: "pump/state", payload: new Uint8Array(), qos: 1, isRetained: true, source: "http" },
  ]);
});

test("what cannot be published is refused, and nothing is published", async () => {
  const world = await openServiceWorld();
  const cases: [input: object, code: string, message: RegExp][] = [
    [{}, "REQUEST_INVALID", /'topic'/],
    [{ topic: "a/+" }, "REQUEST_INVALID", /wildcard/],
    [{ topic: "a".repeat(257) }, "REQUEST_INVALID", /256/],
    [{ topic: "1/2/3/4/5/6/7/8/9" }, "REQUEST_INVALID", /8/],
    [{ topic: "a", qos: 2 }, "REQUEST_INVALID", /'qos'/],
    [{ topic: "a", qos: "one" }, "REQUEST_INVALID", /'qos'/],
    [{ topic: "a", retain: "maybe" }, "REQUEST_INVALID", /'retain'/],
    [{ topic: "a", responseTopic: "b/#" }, "REQUEST_INVALID", /wildcard/],
    [{ topic: "a", contentType: "x".repeat(257) }, "REQUEST_INVALID", /content type/],
    [{ topic: "a", contentType: "a\0b" }, "REQUEST_INVALID", /U\+0000/],
    [{ topic: "a", responseTopic: "a\0b" }, "REQUEST_INVALID", /U\+0000/],
    [{ topic: "a", responseTopic: "" }, "REQUEST_INVALID", /responseTopic/],
    [{ topic: "a", payloadFormatIndicator: "TEXT" }, "REQUEST_INVALID", /'payloadFormatIndicator'/],
    [{ topic: "a", correlationData: "%" }, "REQUEST_INVALID", /base64/],
    [{ topic: "a", userProperties: base64({ a: "b" }) }, "REQUEST_INVALID", /array/],
    [{ topic: "a", userProperties: base64([{ a: 1 }]) }, "REQUEST_INVALID", /array/],
    [{ topic: "a", userProperties: base64([{ a: "1", b: "2" }]) }, "REQUEST_INVALID", /array/],
    [{ topic: "a", userProperties: base64('[{"a":"\\u0000"}]') }, "REQUEST_INVALID", /carry/],
    [{ topic: "a", userProperties: base64([{ a: "x".repeat(8192) }]) }, "REQUEST_INVALID", /user properties/],
    [{ topic: "a", payload: new Uint8Array(131_073) }, "REQUEST_TOO_LARGE", /131072/],
    [{ topic: "$aws/events/presence/connected/pump" }, "REQUEST_FORBIDDEN", /reserved/],
    [{ topic: "$aws/things/pump/shadow/update/accepted" }, "REQUEST_FORBIDDEN", /reserved/],
    [{ topic: "$own" }, "REQUEST_FORBIDDEN", /reserved/],
    [{ topic: "$aws/things/pump/shadow/update", retain: true }, "REQUEST_INVALID", /retain/],
  ];
  for (const [input, code, message] of cases) {
    await assert.rejects(world.run(messages.publish, input as never), (error) => {
      assert.ok(error instanceof ThinglineError);
      assert.equal(error.code, code, JSON.stringify(input).slice(0, 100));
      assert.match(error.message, message);
      return true;
    });
  }
  assert.deepEqual(await world.takeEffects(), []);
});

test("requests to shadows and messages for rules enter by the same door as all others", async () => {
  const world = await openServiceWorld();
  const topics = ["$aws/things/pump/shadow/name/settings/update", "$aws/rules/none/pump"];
  for (const topic of topics)
    assert.deepEqual(await world.run(messages.publish, { topic, payload: encode("{}") }), { message: "OK" });
  assert.deepEqual(
    await world.takeEffects(),
    topics.map((topic) => ({
      ...{ type: "publish", topic, payload: encode("{}"), qos: 0 },
      ...{ isRetained: false, source: "http" },
    })),
  );
});

test("retained messages are read and listed page by page, expired ones are not there", async () => {
  const world = await openServiceWorld();
  const nowMs = world.clock.unixMs();
  const record = (topic: string, rest: Partial<RetainedRecord> = {}): RetainedRecord => ({
    ...{ topic, payload: encode(topic), isRetained: true, qos: 1, expiresAtMs: undefined, properties: undefined },
    retainedAtMs: nowMs,
    ...rest,
  });
  const userProperties = [["site", "a"]] as const;
  const none = { payloadFormatIndicator: undefined, contentType: undefined, responseTopic: undefined };
  const properties = { ...none, correlationData: undefined, userProperties };
  const records = [
    record("a", { properties }),
    record("b/c"),
    record("gone", { expiresAtMs: nowMs }),
    record("old", { retainedAtMs: undefined as never }),
  ];
  await world.store.commit(records.map((value) => ({ key: retainedKeys.of(scope, value.topic), value })));
  assert.deepEqual(await world.run(messages.getRetainedMessage, { topic: "a" }), {
    topic: "a",
    payload: encode("a"),
    qos: 1,
    lastModifiedTime: nowMs,
    userProperties: encode(JSON.stringify([{ site: "a" }])),
  });
  for (const topic of ["gone", "nothing", "b"]) {
    const code = (error: unknown) => error instanceof ThinglineError && error.code === "RESOURCE_NOT_FOUND";
    await assert.rejects(world.run(messages.getRetainedMessage, { topic }), code);
  }
  const first = await world.run(messages.listRetainedMessages, { maxResults: 2 });
  assert.deepEqual(first.retainedTopics, [
    { topic: "a", payloadSize: 1, qos: 1, lastModifiedTime: nowMs },
    { topic: "b/c", payloadSize: 3, qos: 1, lastModifiedTime: nowMs },
  ]);
  const second = await world.run(messages.listRetainedMessages, { maxResults: 2, nextToken: first.nextToken });
  assert.deepEqual(second, { retainedTopics: [{ topic: "old", payloadSize: 3, qos: 1, lastModifiedTime: 0 }] });
  await assert.rejects(world.run(messages.listRetainedMessages, { maxResults: 201 }), /'maxResults'/);
});
