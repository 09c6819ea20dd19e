// Every operation that is built, held against AWS's own model of its input, and driven with texts that few expect.
import assert from "node:assert/strict";
import { test } from "node:test";
import { encodeToBytes } from "@thingline/protocol/mqtt";
import { encodePercent } from "@thingline/protocol/restjson";
import type { HttpRequest } from "@thingline/transport";
import type { ModelOperation } from "../model/model.js";
import { retainedKeys } from "../services/message-records.js";
import { scope } from "../services/world.test.support.js";
import { claimFor, openRestWorld as openApi } from "./rest-world.test.support.js";

test("what is not acted on is refused by name, and what says nothing is not there", async () => {
  const { send } = await openApi();
  const policyDocument = '{"Version":"2012-10-17","Statement":[]}';
  const body = (value: object) => ({ body: new TextEncoder().encode(JSON.stringify(value)) });
  const job = { targets: ["arn:aws:iot:us-east-1:123456789012:thing/t"], document: "{}", namespaceId: "n" };
  const named = await send("PUT", "/jobs/j", body(job));
  assert.equal(named.status, 400);
  assert.match(String(named.body["message"]), /'namespaceId' failed to satisfy constraint: Member is not supported/);
  assert.equal((await send("POST", "/policies/p", body({ policyDocument, tags: [] }))).status, 200);
  assert.equal((await send("POST", "/policies/q", body({ policyDocument, unknownToAws: 1 }))).status, 200);
  for (const path of ["/principal-policies", "/policy-principals"]) {
    const headers = { "x-amzn-iot-principal": "x", "x-amzn-iot-policy": "p" };
    const ordered = await send("GET", `${path}?isAscendingOrder=true`, { headers });
    assert.equal(ordered.status, 400);
    assert.match(String(ordered.body["message"]), /'ascendingOrder' failed/);
  }
});

test("ListThings refuses the combinations that AWS refuses, and those that would say nothing", async () => {
  const { send } = await openApi();
  const together = "Listing things by the combination of attribute and thing type is not supported";
  const cases: [query: string, status: number, message?: string][] = [
    ["attributeName=a&thingTypeName=t", 400, together],
    ["attributeName=a&attributeValue=v&thingTypeName=t", 400, together],
    ["attributeValue=v&thingTypeName=t", 400, together],
    ["attributeName=a&attributeValue=v&usePrefixAttributeValue=true&thingTypeName=t", 400, together],
    ["attributeValue=v", 400, "attributeValue is given without attributeName"],
    ["attributeName=a&usePrefixAttributeValue=true", 400, "usePrefixAttributeValue is given without attributeValue"],
    ["attributeName=a", 200],
    ["attributeName=a&attributeValue=v&usePrefixAttributeValue=true", 200],
    ["thingTypeName=t", 200],
    ["thingTypeName=t&usePrefixAttributeValue=false", 200],
  ];
  for (const [query, status, message] of cases) {
    const answer = await send("GET", `/things?${query}`);
    assert.deepEqual([answer.status, answer.body["message"]], [status, message], query);
  }
});

const texts = [
  ...["ü", "€", "😀", "a/b", "%", "\u0000", "\u0001".repeat(300), "\ufeff", "\u202e", "$aws/x", "..", " ", "__proto__"],
  ...["€".repeat(1_000), "x".repeat(3_000), "x".repeat(70_000)],
];
/** What a JSON body can hold besides. */
const bodyValues: unknown[] = [...texts, "\ud800", "a\udfffb", { "\udc00": "\ud800" }, ["€"], 1e308, -1, true, null];
/** A header comes as bytes, each of them a character. */
const headerTexts = [
  "ü",
  "\u00ff".repeat(3_000),
  "x".repeat(3_000),
  "=",
  btoa("null"),
  btoa('[{"a":"\\ud800"}]'),
  btoa("[{}]"),
];
/** What comes as it is, neither decoded nor well encoded. */
const rawTexts = ["%ff", "%", "%zz", "%e0%a4", "%c0%af", "%ed%a0%80", "Ã¼", "%00"];

/** One request for each text in each member, the others filled with what is usual. */
function* requestsFor(operation: ModelOperation): Generator<{ target: string; request: Partial<HttpRequest> }> {
  const members = [...operation.input.members.values()].map(({ name, place = "body", wireName }) => ({
    name,
    place,
    wireName,
  }));
  const usual = (name: string) => (/^(policyName|thingName|topic)$/.test(name) ? "known" : undefined);
  for (const changed of members) {
    const values = changed.place === "body" ? bodyValues : changed.place === "header" ? headerTexts : texts;
    const raw = changed.place === "label" || changed.place === "query" ? rawTexts : [];
    for (const value of [...values.map((text) => ({ text })), ...raw.map((encoded) => ({ encoded }))]) {
      const encoded =
        "encoded" in value ? value.encoded : /body|header/.test(changed.place) ? "" : encodePercent(String(value.text));
      const isChanged = (name: string) => name === changed.name;
      const path = operation.path.replace(/\{(\w+)\+?\}/g, (_, name: string) =>
        isChanged(name) ? encoded : (usual(name) ?? "1"),
      );
      const query = changed.place === "query" ? `?${changed.wireName}=${encoded}` : "";
      const headers =
        changed.place === "header"
          ? { [changed.wireName]: String("text" in value && value.text) }
          : claimFor(operation);
      const body = changed.place === "body" && "text" in value ? { [changed.name]: value.text } : {};
      const bytes = new TextEncoder().encode(JSON.stringify(body));
      yield { target: path + query, request: { headers, ...(operation.method !== "GET" && { body: bytes }) } };
    }
  }
}

test("no text in any member of any operation is a failure of the service", async () => {
  const { operations, model, send, logged, takeEffects } = await openApi({ signatures: "any" });
  await send("POST", "/things/known");
  const policyDocument = '{"Version":"2012-10-17","Statement":[]}';
  await send("POST", "/policies/known", { body: new TextEncoder().encode(JSON.stringify({ policyDocument })) });
  let count = 0;
  for (const { aws } of operations) {
    const operation = model.operation(aws.api, aws.name);
    for (const { target, request } of requestsFor(operation)) {
      const { status, body } = await send(operation.method, target, request);
      count++;
      const told = `${operation.method} ${target.slice(0, 200)} answers ${status} ${JSON.stringify(body).slice(0, 200)}`;
      assert.ok(status < 500, told);
      assert.ok(status < 300 || typeof body["message"] === "string", told);
    }
  }
  assert.ok(count > 1_000, String(count));
  assert.ok(!logged.includes("restOperationFailed"));
  // What was taken can be sent to a client.
  const published = (await takeEffects()).filter((effect) => effect.type === "publish");
  assert.ok(published.length > 50, String(published.length));
  for (const { topic, payload, properties } of published) {
    const message = { topic, payload, qos: 0, isRetained: false, isDuplicate: false } as const;
    encodeToBytes({ type: "publish", ...message, ...(properties !== undefined && { properties }) }, 5);
  }
});

test("a body may begin with U+FEFF, and what is no UTF-8 or no object is refused", async () => {
  const { send } = await openApi();
  const bytes = (text: string) => ({ body: new TextEncoder().encode(text) });
  assert.equal(
    (await send("POST", "/things/t", bytes('\ufeff{"attributePayload":{"attributes":{"a":"b"}}}'))).status,
    200,
  );
  for (const text of ["[]", "null", "1", "{", '{"a":}'])
    assert.equal((await send("POST", "/things/u", bytes(text))).status, 400);
  assert.equal((await send("POST", "/things/u", { body: Uint8Array.of(0x7b, 0xff, 0x7d) })).status, 400);
  assert.equal((await send("GET", "/nothing/%ff")).status, 404);
  for (const path of ["/things/%ff", "/things/%", "/topics/a%e0", "/retainedMessage/%c0%af"]) {
    const { status, body } = await send("GET", path);
    assert.deepEqual([status, String(body["message"]).slice(0, 32)], [400, "The path is not well encoded: pe"], path);
  }
});

test("paging gives everything once with every page size, whatever the topics are made of", async () => {
  const { send, store } = await openApi();
  const topics = [
    "a",
    "ä",
    "€",
    "日本/語",
    "😀/x",
    "\u0001\u0002",
    "\ufeff",
    "z".repeat(256),
    "\u{10ffff}",
    '"\\',
    "a/\u0001".repeat(80),
  ];
  await store.commit(
    topics.map((topic) => ({
      key: retainedKeys.of(scope, topic),
      value: { topic, payload: new Uint8Array(1), isRetained: true, qos: 1, retainedAtMs: 1 },
    })),
  );
  for (let size = 1; size <= topics.length + 1; size++) {
    const found: string[] = [];
    let token: string | undefined;
    do {
      const query = token === undefined ? "" : `&nextToken=${encodePercent(token)}`;
      const { status, body } = await send("GET", `/retainedMessage?maxResults=${size}${query}`);
      assert.equal(status, 200, JSON.stringify(body));
      found.push(...(body["retainedTopics"] as { topic: string }[]).map(({ topic }) => topic));
      token = body["nextToken"] as string | undefined;
      assert.match(token ?? "", /^[A-Za-z0-9+/]*={0,2}$/);
    } while (token !== undefined);
    assert.deepEqual([...found].sort(), [...topics].sort(), `pages of ${size}`);
  }
  for (const topic of topics) {
    assert.equal((await send("GET", `/retainedMessage/${encodePercent(topic)}`)).body["topic"], topic);
  }
  for (const token of [
    "x",
    "€",
    "AA==",
    btoa("[]"),
    btoa("\u0020a"),
    "IGEA".repeat(2_000),
    btoa("\u0020\u00ff\u0000"),
  ]) {
    assert.equal(
      (await send("GET", `/retainedMessage?nextToken=${encodePercent(token)}`)).status,
      400,
      token.slice(0, 20),
    );
  }
});
