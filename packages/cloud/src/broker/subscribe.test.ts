import assert from "node:assert/strict";
import { test } from "node:test";
import { closeWorld, quickLimits, startWorld, TestIdentity } from "./harness.test.support.js";
import { awsLimits } from "./limits.js";
import { ratedGroupsMax } from "./subscribe.js";

test("each filter is answered by itself", async () => {
  const world = await startWorld();
  const identity = new TestIdentity((_, resource) => resource !== "topicfilter/denied");
  const young = await world.connect("young", { version: 5, identity });
  const filters = ["a/+", "denied", "$aws/rules/r", "x".repeat(257), { filter: "b", qos: 0 } as const];
  assert.deepEqual(await young.subscribe(...filters), [1, 0x87, 0x87, 0x8f, 0]);
  const old = await world.connect("old", { identity });
  assert.deepEqual(await old.subscribe("a/+", "denied", "x".repeat(257)), [1, 0x80, 0x80]);
  assert.deepEqual([young.isClosed, old.isClosed], [false, false]);
  assert.equal(world.line("denied")?.facts["explanation"], "no statement allows iot:Subscribe on topicfilter/denied");
  await closeWorld(world);
});

test("8 filters pass; 9 close the connection without SUBACK", async () => {
  const world = await startWorld();
  const filters = Array.from({ length: 9 }, (_, index) => `t/${index}`);
  const client = await world.connect("c");
  assert.deepEqual(await client.subscribe(...filters.slice(1)), new Array(8).fill(1));
  assert.equal(await client.subscribe(...filters), undefined);
  assert.equal(client.isClosed, true);
  await closeWorld(world);
});

test("over subscriptionsMax nobody gets one more, one is replaced, and what is given up makes room", async () => {
  const world = await startWorld({ limits: { ...quickLimits, subscriptionsMax: 3 } });
  const client = await world.connect("c", { version: 5 });
  const other = await world.connect("d", { version: 4 });
  assert.deepEqual(await client.subscribe("a", "$share/g/b"), [1, 1]);
  assert.deepEqual(await other.subscribe("a", "c"), [1, 0x80]);
  assert.equal(world.line("limitHit")?.facts["limit"], "subscriptionsMax");
  assert.deepEqual(await client.subscribe("a", "c"), [1, 0x97]);
  await other.disconnect();
  assert.deepEqual(await client.subscribe("c", "d"), [1, 0x97]);
  await closeWorld(world);
});

test("the 51st subscription fails, one that replaces another does not", async () => {
  const world = await startWorld();
  const client = await world.connect("c", { version: 5 });
  assert.equal(awsLimits.subscriptionsPerConnectionMax, 50);
  for (let index = 0; index < 50; index++) assert.deepEqual(await client.subscribe(`t/${index}`), [1]);
  assert.deepEqual(await client.subscribe("t/50", "t/0"), [0x97, 1]);
  const old = await world.connect("old");
  for (let index = 0; index < 50; index++) await old.subscribe(`t/${index}`);
  assert.deepEqual(await old.subscribe("t/50"), [0x80]);
  assert.equal(world.broker.stats().limitsHit, 2);
  await closeWorld(world);
});

test("SUBSCRIBE with QoS 2 closes 3.1.1 and is granted 1 in 5", async () => {
  const world = await startWorld();
  const old = await world.connect("old");
  await old.subscribe({ filter: "t", qos: 2 });
  assert.equal(old.isClosed, true);
  const young = await world.connect("young", { version: 5 });
  assert.deepEqual(await young.subscribe({ filter: "t", qos: 2 }), [1]);
  await closeWorld(world);
});

test("$SYS ends the connection, whatever the policy says", async () => {
  const world = await startWorld();
  for (const filter of ["$SYS", "$SYS/#", "$share/g/$SYS/#"]) {
    const client = await world.connect("c");
    await client.subscribe(filter);
    assert.equal(client.isClosed, true, filter);
  }
  await closeWorld(world);
});

test("a subscription identifier gives 0xA1", async () => {
  const world = await startWorld();
  const client = await world.connect("c", { version: 5 });
  const subscriptions = [{ filter: "t", qos: 1 } as const];
  client.send({ type: "subscribe", packetId: 1, subscriptions, properties: { subscriptionIdentifier: 1 } });
  await world.clock.settle();
  assert.deepEqual([client.isClosed, client.last("disconnect")?.reasonCode], [true, 0xa1]);
  await closeWorld(world);
});

test("a wildcard does not match reserved topics", async () => {
  const world = await startWorld();
  const client = await world.connect("c");
  await client.subscribe("#", "$aws/things/+/shadow/update");
  await client.publish("$aws/things/t/shadow/update", "x");
  assert.deepEqual(client.messages, ["$aws/things/t/shadow/update=x"]);
  await closeWorld(world);
});

test("no subscriber sees Basic Ingest", async () => {
  const world = await startWorld();
  const client = await world.connect("c");
  assert.deepEqual(await client.subscribe("$aws/#", "$aws/rules/r/#"), [1, 0x80]);
  assert.equal(await client.publish("$aws/rules/r/t", "x"), 0);
  assert.deepEqual(
    client.publishes.map(({ topic }) => topic),
    ["$aws/events/subscriptions/subscribed/c"],
    "the event of its own SUBSCRIBE and no more",
  );
  await closeWorld(world);
});

test("no subscriber sees what others ask of fleet provisioning", async () => {
  const world = await startWorld();
  const client = await world.connect("c");
  await client.subscribe("$aws/certificates/#", "$aws/provisioning-templates/#", "$aws/certificates/create/json");
  const requests = [
    "certificates/create/json",
    "certificates/create-from-csr/cbor",
    "provisioning-templates/t/provision/json",
  ];
  for (const request of requests) assert.equal(await client.publish(`$aws/${request}`, "x"), 0);
  await client.publish("t", "x");
  assert.deepEqual(client.messages, []);
  await closeWorld(world);
});

test("after UNSUBSCRIBE nothing comes any more, and an unknown filter is 0x11", async () => {
  const world = await startWorld();
  const client = await world.connect("c", { version: 5 });
  await client.subscribe("t", "u");
  client.send({ type: "unsubscribe", packetId: 9, filters: ["t", "never"] });
  await world.clock.settle();
  assert.deepEqual(client.last("unsuback")?.reasonCodes, [0, 0x11]);
  await client.publish("t", "x");
  await client.publish("u", "x");
  assert.deepEqual(client.messages, ["u=x"]);
  await closeWorld(world);
});

test("9 filters in an UNSUBSCRIBE: no UNSUBACK, and nothing is unsubscribed", async () => {
  const world = await startWorld();
  const client = await world.connect("c");
  await client.subscribe("t");
  const filters = ["t", ...Array.from({ length: 8 }, (_, index) => `u/${index}`)];
  client.send({ type: "unsubscribe", packetId: 9, filters });
  await client.publish("t", "x");
  assert.deepEqual([client.last("unsuback"), client.messages, client.isClosed], [undefined, ["t=x"], false]);
  await closeWorld(world);
});

test("the subscriptions of a clean session end with it", async () => {
  const world = await startWorld();
  const client = await world.connect("c");
  await client.subscribe("t/#");
  client.lose();
  await world.clock.settle();
  assert.equal(world.broker.stats().subscriptions, 0);
  await closeWorld(world);
});

test("a shared subscription gives each message to one member", async () => {
  const world = await startWorld({ limits: { ...quickLimits, publishesPerSecond: Infinity } });
  const members = [await world.connect("m1"), await world.connect("m2"), await world.connect("m3")];
  for (const member of members) assert.deepEqual(await member.subscribe("$share/g/t/+"), [1]);
  const alone = await world.connect("alone");
  await alone.subscribe("$share/other/t/+");
  const publisher = await world.connect("p");
  for (let count = 0; count < 30; count++) await publisher.publish("t/1", String(count));
  const counts = members.map(({ messages }) => messages.length);
  assert.equal(
    counts.reduce((sum, count) => sum + count, 0),
    30,
  );
  assert.ok(counts.every((count) => count > 0));
  assert.equal(alone.messages.length, 30);
  await closeWorld(world);
});

test("a shared group without online members queues QoS 1 for a persistent one, and counts what it drops", async () => {
  const world = await startWorld();
  const member = await world.connect("m", { isCleanStart: false });
  await member.subscribe("$share/g/t");
  await member.disconnect();
  const publisher = await world.connect("p");
  await publisher.publish("t", "kept");
  await publisher.publish("t", "lost", { qos: 0 });
  const again = await world.connect("m", { isCleanStart: false });
  assert.deepEqual(again.messages, ["t=kept"]);
  assert.equal(world.broker.stats().droppedGroupOffline, 1);
  await closeWorld(world);
});

test("shared groups have their limits", async () => {
  const world = await startWorld({ limits: { ...quickLimits, sharedGroupsMax: 1, sharedGroupMembersMax: 2 } });
  const clients = [];
  for (const name of ["a", "b", "c"]) clients.push(await world.connect(name, { version: 5 }));
  const [a, b, c] = clients;
  assert.deepEqual(await a!.subscribe("$share/g/t", "$share/h/t", `$share/${"x".repeat(129)}/t`), [1, 0x97, 0x8f]);
  assert.deepEqual(await b!.subscribe("$share/g/t"), [1]);
  assert.deepEqual(await c!.subscribe("$share/g/t"), [0x97]);
  await closeWorld(world);
});

test("a shared group takes sharedGroupChangesPerSecond subscriptions a second, ends of them counted; others are not concerned", async () => {
  assert.equal(awsLimits.sharedGroupChangesPerSecond, 100);
  const world = await startWorld({ limits: { ...quickLimits, sharedGroupChangesPerSecond: 3 } });
  const client = await world.connect("c", { version: 5 });
  assert.deepEqual(await client.subscribe("$share/g/t"), [1]);
  client.send({ type: "unsubscribe", packetId: 99, filters: ["$share/g/t"] });
  await world.clock.settle();
  assert.deepEqual(await client.subscribe("$share/g/t"), [1]);
  assert.deepEqual(await client.subscribe("$share/g/t", "$share/h/t", "t"), [0x97, 1, 1]);
  client.send({ type: "unsubscribe", packetId: 98, filters: ["$share/g/t"] });
  await world.clock.settle();
  assert.deepEqual(client.last("unsuback")?.reasonCodes, [0], "an end is never refused");
  await world.clock.advance(1_000);
  for (const expected of [1, 1, 1, 0x97]) assert.deepEqual(await client.subscribe("$share/g/t"), [expected]);
  // Only so many groups are counted: one more makes room.
  for (let count = 0; count < ratedGroupsMax; count++) {
    await client.subscribe(`$share/g/t/${count}`);
    client.send({ type: "unsubscribe", packetId: 97, filters: [`$share/g/t/${count}`] });
  }
  assert.deepEqual(await client.subscribe("$share/g/t"), [1]);
  assert.equal(world.line("limitHit")?.facts["limit"], "sharedGroupChangesPerSecond");
  await closeWorld(world);
});

test("reserved topics that AWS itself makes longer can be subscribed to, and their requests published", async () => {
  const world = await startWorld();
  const long = "t".repeat(128);
  for (const version of [4, 5] as const) {
    const client = await world.connect(`v${version}`, { version });
    const filters = [
      "$aws/commands/things/pump-7/executions/e-1/response/accepted/json",
      "$aws/commands/things/pump-7/executions/+/response/+/json",
      "$aws/commands/clients/pump-7/executions/+/request/cbor",
      "$share/g/$aws/commands/things/pump-7/executions/+/response/rejected/json",
      `$aws/events/thingGroupMembership/thingGroup/${long}/thing/${long}/added`,
      `$aws/things/${long}/streams/${long}/description/json`,
      "$aws/commands/things/pump-7/executions/e-1/response/accepted/json/more",
    ];
    const refused = version === 5 ? 0x8f : 0x80;
    assert.deepEqual(await client.subscribe(...filters), [1, 1, 1, 1, 1, 1, refused]);
    assert.equal(await client.publish("$aws/commands/things/pump-7/executions/e-1/response/json", "{}"), 0);
    assert.equal(
      await client.publish(`$aws/commands/clients/${long}/executions/${"e".repeat(36)}/response/cbor`, "{}"),
      0,
    );
    assert.equal(client.isClosed, false);
    // The levels of `$share/<group>/` and of `$aws/rules/<rule>/` are not counted.
    assert.deepEqual(await client.subscribe("$share/group/a/b/c/d/e/f/g/h"), [1]);
    assert.equal(await client.publish("$aws/rules/rule/a/b/c/d/e/f/g/h", "x"), 0);
  }
  await closeWorld(world);
});
