import assert from "node:assert/strict";
import { test } from "node:test";
import type { UserProperties } from "@thingline/protocol/mqtt";
import { closeWorld, startWorld, TestIdentity, type TestClient } from "./harness.test.support.js";
import { awsLimits } from "./limits.js";

const certificateId = "ab".repeat(32);
const enrichment: UserProperties = [
  ["site", "north"],
  ["id", "pump-7"],
];

async function openWorld(wanted: UserProperties | null = enrichment, version: 4 | 5 = 4) {
  const world = await startWorld();
  const identity = new TestIdentity(() => true, certificateId);
  identity.enrichment = wanted ?? undefined;
  const publisher = await world.connect("pump-7", { version, identity });
  const [subscriber, old] = [await world.connect("s", { version: 5 }), await world.connect("o", { version: 4 })];
  for (const client of [subscriber, old]) await client.subscribe("t/#");
  const got = (client: TestClient = subscriber) => client.last("publish")?.properties;
  return { world, identity, publisher, subscriber, old, got };
}

for (const version of [4, 5] as const) {
  test(`messages of an MQTT ${version === 5 ? 5 : "3.1.1"} client get what the type of its thing adds`, async () => {
    const { world, publisher, subscriber, old, got } = await openWorld(enrichment, version);
    for (const qos of [0, 1] as const) {
      await publisher.publish(`t/${qos}`, "a", { qos });
      assert.deepEqual(got(), { userProperties: enrichment }, `QoS ${qos}`);
      assert.equal(got(old), undefined);
    }
    // To the same topic once more: what is remembered of it is the same.
    await publisher.publish("t/1", "b");
    assert.deepEqual(got(), { userProperties: enrichment });
    assert.deepEqual(subscriber.messages, ["t/0=a", "t/1=a", "t/1=b"]);
    assert.deepEqual(old.messages, subscriber.messages);
    assert.equal(publisher.isClosed, false);
    await closeWorld(world);
  });
}

test("a message keeps its own properties, before those that are added", async () => {
  const { world, publisher, got } = await openWorld(enrichment, 5);
  const own: UserProperties = [
    ["site", "south"],
    ["n", "1"],
  ];
  await publisher.publish("t/a", "a", { properties: { contentType: "text", userProperties: own } });
  assert.deepEqual(got(), { contentType: "text", userProperties: [...own, ...enrichment] });
  await publisher.publish("t/a", "a", { properties: { contentType: "text" } });
  assert.deepEqual(got(), { contentType: "text", userProperties: enrichment });
  await closeWorld(world);
});

test("what is added stays with a retained message, and goes not with a will", async () => {
  const { world, publisher, subscriber, identity, got } = await openWorld();
  await publisher.publish("t/r", "a", { isRetained: true });
  const late = await world.connect("late", { version: 5 });
  await late.subscribe("t/r");
  assert.deepEqual(got(late), { userProperties: enrichment });
  const will = { topic: "t/will", payload: new Uint8Array(1), qos: 1, isRetained: false } as const;
  const dying = await world.connect("dying", { version: 5, identity, will });
  dying.lose();
  await world.clock.settle();
  assert.equal(subscriber.last("publish")?.topic, "t/will");
  assert.equal(got(), undefined);
  await closeWorld(world);
});

test("a change of the thing or its type counts from the next message on", async () => {
  const { world, identity, publisher, got } = await openWorld(null);
  await publisher.publish("t/a", "a");
  assert.equal(got(), undefined);
  const change = async (wanted: UserProperties | undefined) => {
    identity.enrichment = wanted;
    await world.broker.recheckPrincipal(certificateId);
    await publisher.publish("t/a", "a");
    return got()?.userProperties;
  };
  assert.deepEqual(await change(enrichment), enrichment);
  assert.deepEqual(await change(enrichment.slice(1)), enrichment.slice(1));
  assert.equal(await change(undefined), undefined);
  assert.equal(publisher.isClosed, false);
  await closeWorld(world);
});

test("a client whose messages are enriched may still not publish what its policy denies", async () => {
  const { world, identity, publisher } = await openWorld(enrichment, 5);
  identity.rule = (_action, resource) => !resource.endsWith("secret");
  for (let time = 0; time < 2; time++) assert.equal(await publisher.publish("t/secret", "a"), 0x87);
  assert.equal(await publisher.publish("t/a", "a"), 0);
  await closeWorld(world);
});

test("what is added takes at most userPropertiesBytesMax bytes, whatever the message has", async () => {
  const { userPropertiesBytesMax } = awsLimits;
  const most: UserProperties = [["k", "v".repeat(userPropertiesBytesMax - 1)]];
  const { world, publisher, subscriber, got } = await openWorld(most, 5);
  await publisher.publish("t/a", "a", { properties: { userProperties: most } });
  assert.deepEqual(got()?.userProperties, [...most, ...most]);
  assert.equal(subscriber.isClosed, false);
  await closeWorld(world);

  const cut = await openWorld([...most, ["last", ""]], 5);
  await cut.publisher.publish("t/a", "a");
  assert.deepEqual(cut.got()?.userProperties, most);
  const facts = cut.world.line("limitHit")?.facts;
  assert.deepEqual(
    [facts?.["limit"], facts?.["clientId"], facts?.["enrichment"]],
    ["userPropertiesBytesMax", "pump-7", "left out: last"],
  );
  await closeWorld(cut.world);

  const none = await openWorld([["k", "v".repeat(userPropertiesBytesMax)]], 5);
  await none.publisher.publish("t/a", "a");
  assert.equal(none.got(), undefined);
  await closeWorld(none.world);
});
