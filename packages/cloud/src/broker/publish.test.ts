import assert from "node:assert/strict";
import { test } from "node:test";
import type { PublishPacket } from "@thingline/protocol/mqtt";
import type { OperationRunner, ServiceMessage, ServiceTopics } from "../services/operation.js";
import { closeWorld, noLimits, quickLimits, startWorld, TestIdentity } from "./harness.test.support.js";
import { awsLimits } from "./limits.js";

const runner = {} as OperationRunner;

test("a message goes to each subscriber at the lower of both QoS", async () => {
  const world = await startWorld();
  const low = await world.connect("low");
  await low.subscribe({ filter: "t", qos: 0 });
  const high = await world.connect("high");
  await high.subscribe({ filter: "t", qos: 1 });
  const publisher = await world.connect("p");
  await publisher.publish("t", "zero", { qos: 0 });
  await publisher.publish("t", "one", { qos: 1 });
  assert.deepEqual(
    low.publishes.map(({ qos }) => qos),
    [0, 0],
  );
  assert.deepEqual(
    high.publishes.map(({ qos }) => qos),
    [0, 1],
  );
  await closeWorld(world);
});

test("3.1.1 and 5 understand each other; properties reach 5 alone", async () => {
  const world = await startWorld();
  const old = await world.connect("old");
  const young = await world.connect("young", { version: 5 });
  for (const client of [old, young]) await client.subscribe("t");
  const properties: PublishPacket["properties"] = {
    payloadFormatIndicator: 1,
    contentType: "text/plain",
    responseTopic: "r",
    correlationData: Uint8Array.of(1, 2),
    userProperties: [
      ["k", "1"],
      ["k", "2"],
    ],
  };
  await young.publish("t", "from 5", { properties });
  await old.publish("t", "from 3.1.1");
  assert.deepEqual(old.messages, ["t=from 5", "t=from 3.1.1"]);
  assert.deepEqual(young.publishes[0]?.properties, properties);
  assert.equal(young.publishes[1]?.properties, undefined);
  await closeWorld(world);
});

test("a topic alias stands for its topic and is not forwarded", async () => {
  const world = await startWorld();
  const subscriber = await world.connect("s", { version: 5 });
  await subscriber.subscribe("t");
  const publisher = await world.connect("p", { version: 5 });
  await publisher.publish("t", "1", { properties: { topicAlias: 8 } });
  await publisher.publish("", "2", { properties: { topicAlias: 8 } });
  assert.deepEqual(subscriber.messages, ["t=1", "t=2"]);
  assert.equal(subscriber.publishes[1]?.properties, undefined);
  await publisher.publish("t", "3", { properties: { topicAlias: 9 } });
  assert.deepEqual([publisher.isClosed, publisher.last("disconnect")?.reasonCode], [true, 0x94]);
  await closeWorld(world);
});

test("what is left of the message expiry is told, and an expired message is not delivered", async () => {
  const world = await startWorld();
  const session = { version: 5, isCleanStart: false, properties: { sessionExpirySeconds: 3_000 } } as const;
  const subscriber = await world.connect("s", session);
  await subscriber.subscribe("t");
  await subscriber.disconnect();
  const publisher = await world.connect("p", { version: 5 });
  await publisher.publish("t", "short", { properties: { messageExpirySeconds: 10 } });
  await publisher.publish("t", "long", { properties: { messageExpirySeconds: 100 } });
  await publisher.publish("t", "zero is raised to 1", { properties: { messageExpirySeconds: 0 } });
  await world.clock.advance(40_500);
  const again = await world.connect("s", session);
  assert.deepEqual(again.messages, ["t=long"]);
  assert.equal(again.publishes[0]?.properties?.messageExpirySeconds, 59);
  assert.equal(world.broker.stats().droppedExpired, 2);
  await closeWorld(world);
});

test("a QoS 2 PUBLISH closes 3.1.1 and gives 0x9B in 5", async () => {
  const world = await startWorld();
  for (const version of [4, 5] as const) {
    const client = await world.connect("c", { version });
    await client.publish("t", "x", { qos: 2 });
    assert.equal(client.isClosed, true);
    assert.equal(client.last("disconnect")?.reasonCode, version === 5 ? 0x9b : undefined);
  }
  await closeWorld(world);
});

for (const qos of [0, 1] as const) {
  test(`a denied PUBLISH at QoS ${qos}: 3.1.1 is closed; 5 is told; the log names the reason`, async () => {
    const world = await startWorld();
    const identity = new TestIdentity((action) => action !== "iot:Publish");
    const subscriber = await world.connect("s");
    await subscriber.subscribe("t");
    const old = await world.connect("old", { identity });
    assert.equal(await old.publish("t", "x", { qos }), undefined);
    assert.equal(old.isClosed, true);
    const young = await world.connect("young", { version: 5, identity });
    const code = await young.publish("t", "x", { qos });
    if (qos === 1) assert.deepEqual([code, young.isClosed], [0x87, false]);
    else assert.deepEqual([young.last("disconnect")?.reasonCode, young.isClosed], [0x87, true]);
    assert.deepEqual(subscriber.messages, []);
    const line = world.line("denied");
    assert.equal(line?.facts["explanation"], "no statement allows iot:Publish on topic/t");
    assert.equal(line?.facts["clientId"], "old");
    assert.equal(world.broker.stats().publishesDenied, 2);
    await closeWorld(world);
  });
}

test("a decision is asked once per topic and again when the policy changed", async () => {
  const world = await startWorld();
  const identity = new TestIdentity();
  const client = await world.connect("c", { version: 5, identity });
  for (let round = 0; round < 5; round++) assert.equal(await client.publish("t", "x"), 0);
  assert.equal(identity.asked, 1);
  identity.rule = () => false;
  identity.generation++;
  assert.equal(await client.publish("t", "x"), 0x87);
  assert.equal(identity.asked, 2);
  await closeWorld(world);
});

test("what a client may not receive is dropped without a word, also after a change of policy", async () => {
  const world = await startWorld();
  const identity = new TestIdentity();
  const subscriber = await world.connect("s", { identity });
  await subscriber.subscribe("t");
  const publisher = await world.connect("p");
  await publisher.publish("t", "1");
  identity.rule = (action) => action !== "iot:Receive";
  identity.generation++;
  assert.equal(await publisher.publish("t", "2"), 0);
  assert.deepEqual(subscriber.messages, ["t=1"]);
  assert.equal(subscriber.isClosed, false);
  assert.equal(world.broker.stats().droppedReceiveDenied, 1);
  await closeWorld(world);
});

for (const topic of [
  "$SYS/x",
  "$invented",
  "$aws/events/presence/connected/c",
  "$aws/things/t/shadow/update/accepted",
]) {
  test(`a client may not publish to ${topic}, whatever its policy says`, async () => {
    const world = await startWorld();
    const old = await world.connect("old");
    await old.publish(topic, "x");
    assert.equal(old.isClosed, true);
    const young = await world.connect("young", { version: 5 });
    assert.equal(await young.publish(topic, "x"), 0x87);
    await closeWorld(world);
  });
}

for (const topic of ["$aws/things/t/shadow/update", "$aws/things/t/jobs/$next/get", "$aws/rules/r/some/topic"]) {
  test(`a client may publish to ${topic}`, async () => {
    const world = await startWorld();
    const client = await world.connect("c");
    assert.equal(await client.publish(topic, "x"), 0);
    await closeWorld(world);
  });
}

test("topics of 256 bytes and 7 slashes pass, longer ones end the connection with 0x90", async () => {
  const world = await startWorld();
  const client = await world.connect("c", { version: 5 });
  assert.equal(await client.publish("x".repeat(256), "x"), 0);
  assert.equal(await client.publish("a/b/c/d/e/f/g/h", "x"), 0);
  assert.equal(await client.publish(`$aws/rules/r/${"x".repeat(256)}`, "x"), 0);
  for (const topic of ["x".repeat(257), "a/b/c/d/e/f/g/h/i"]) {
    const bad = await world.connect("bad", { version: 5 });
    await bad.publish(topic, "x");
    assert.deepEqual([bad.isClosed, bad.last("disconnect")?.reasonCode], [true, 0x90], topic);
  }
  await closeWorld(world);
});

test("a payload of 128 KB passes, one byte more ends the connection", async () => {
  const world = await startWorld({ limits: { ...quickLimits, inboundBytesPerSecond: Infinity } });
  const client = await world.connect("c");
  await client.subscribe("t");
  assert.equal(await client.publish("t", "x".repeat(131_072)), 0);
  assert.equal(client.publishes[0]?.payload.length, 131_072);
  await client.publish("t", "x".repeat(131_073));
  assert.equal(client.isClosed, true);
  await closeWorld(world);
});

test("a packet over 146 KB is refused at its header", async () => {
  const world = await startWorld();
  const client = await world.connect("c", { version: 5 });
  client.sendBytes(Uint8Array.of(0x30, 0x80, 0x80, 0x0a));
  await world.clock.settle();
  assert.deepEqual([client.isClosed, client.last("disconnect")?.reasonCode], [true, 0x95]);
  await closeWorld(world);
});

test("properties over AWS's sizes are refused", async () => {
  const world = await startWorld();
  const client = await world.connect("c", { version: 5 });
  const long: [string, string][] = Array.from({ length: 9 }, () => ["k".repeat(500), "v".repeat(500)]);
  assert.equal(await client.publish("t", "x", { properties: { contentType: "x".repeat(256) } }), 0);
  assert.equal(await client.publish("t", "x", { properties: { contentType: "x".repeat(257) } }), 0x97);
  assert.equal(await client.publish("t", "x", { properties: { correlationData: new Uint8Array(8_193) } }), 0x97);
  assert.equal(await client.publish("t", "x", { properties: { userProperties: long } }), 0x97);
  await closeWorld(world);
});

test("more than 100 publishes a second are discarded, and the second after are not", async () => {
  const world = await startWorld();
  const client = await world.connect("c", { version: 5 });
  for (let count = 0; count < 100; count++) assert.equal(await client.publish("t", "x"), 0);
  assert.equal(await client.publish("t", "x"), 0x97);
  assert.equal(world.broker.stats().droppedThrottled, 1);
  assert.equal(world.line("limitHit")?.facts["limit"], "publishesPerSecond");
  await world.clock.advance(1_000);
  assert.equal(await client.publish("t", "x"), 0);
  await closeWorld(world);
});

test("QoS 1 over the rate of its receiver waits, QoS 0 is discarded", async () => {
  const world = await startWorld();
  const subscriber = await world.connect("s");
  await subscriber.subscribe("t");
  const publishers = [await world.connect("p1"), await world.connect("p2")];
  for (const publisher of publishers) for (let count = 0; count < 75; count++) await publisher.publish("t", "x");
  assert.equal(subscriber.messages.length, 100);
  await publishers[0]!.publish("t", "x", { qos: 0 });
  assert.equal(world.broker.stats().droppedThrottled, 1);
  await world.clock.advance(1_000);
  assert.equal(subscriber.messages.length, 150);
  await closeWorld(world);
});

test("input over 512 KB a second is delayed, not lost", async () => {
  const world = await startWorld();
  const client = await world.connect("c");
  for (let count = 0; count < 5; count++) await client.publish("t", "x".repeat(131_000));
  assert.equal(client.connection.isPaused, true);
  await world.clock.advance(2_000);
  assert.equal(client.connection.isPaused, false);
  assert.equal(world.line("limitHit")?.facts["limit"], "inboundBytesPerSecond");
  await closeWorld(world);
});

test("with --no-limits nothing of that is refused", async () => {
  const world = await startWorld({ limits: noLimits });
  const client = await world.connect("c", { version: 5 });
  for (let count = 0; count < 300; count++) assert.equal(await client.publish("a/b/c/d/e/f/g/h/i/j", "x"), 0);
  assert.equal(await client.publish("t", "x".repeat(300_000)), 0);
  await closeWorld(world);
});

test("No Local keeps a client's own messages from it", async () => {
  const world = await startWorld();
  const client = await world.connect("c", { version: 5 });
  await client.subscribe({ filter: "t", qos: 1, isNoLocal: true });
  const other = await world.connect("o", { version: 5 });
  await client.publish("t", "mine");
  await other.publish("t", "yours");
  assert.deepEqual(client.messages, ["t=yours"]);
  await closeWorld(world);
});

test("a message larger than its receiver takes is dropped for that receiver alone", async () => {
  const world = await startWorld();
  const small = await world.connect("small", { version: 5, properties: { maximumPacketBytes: 512 } });
  const large = await world.connect("large", { version: 5 });
  for (const client of [small, large]) await client.subscribe("t");
  await large.publish("t", "x".repeat(600));
  await large.publish("t", "short");
  assert.deepEqual(small.messages, ["t=short"]);
  assert.equal(large.messages.length, 2);
  assert.equal(world.broker.stats().droppedTooLarge, 1);
  await closeWorld(world);
});

test("at most 100 messages are in flight to a client; the rest follows its PUBACKs", async () => {
  const world = await startWorld({ limits: { ...quickLimits, publishesPerSecond: Infinity } });
  const subscriber = await world.connect("s");
  await subscriber.subscribe("t");
  subscriber.acknowledges = false;
  const publisher = await world.connect("p");
  for (let count = 0; count < 150; count++) await publisher.publish("t", String(count));
  assert.equal(subscriber.publishes.length, 100);
  assert.equal(world.broker.stats().queuedMessages, 50);
  for (const { packetId } of subscriber.publishes.slice(0, 30)) {
    subscriber.send({ type: "puback", packetId: packetId!, reasonCode: 0 });
  }
  await world.clock.settle();
  assert.equal(subscriber.publishes.length, 130);
  assert.deepEqual(
    subscriber.messages,
    Array.from({ length: 130 }, (_, count) => `t=${count}`),
  );
  await closeWorld(world);
});

test("the client's Receive Maximum is the window", async () => {
  const world = await startWorld();
  const subscriber = await world.connect("s", { version: 5, properties: { receiveMaximum: 2 } });
  await subscriber.subscribe("t");
  subscriber.acknowledges = false;
  const publisher = await world.connect("p");
  for (let count = 0; count < 5; count++) await publisher.publish("t", String(count));
  assert.equal(subscriber.publishes.length, 2);
  await closeWorld(world);
});

test("a message that is never acknowledged is dropped after an hour in 3.1.1 and 960 s in 5", async () => {
  for (const [version, seconds] of [
    [4, 3_600],
    [5, 960],
  ] as const) {
    const world = await startWorld();
    const subscriber = await world.connect("s", { version, keepAliveSeconds: 60 });
    await subscriber.subscribe("t");
    subscriber.acknowledges = false;
    await (await world.connect("p")).publish("t", "x");
    const ping = async (untilSeconds: number): Promise<void> => {
      for (let at = 0; at < untilSeconds; at += 50) {
        subscriber.send({ type: "pingreq" });
        await world.clock.advance(50_000);
      }
    };
    await ping(seconds - 100);
    assert.equal(world.broker.stats().droppedUnacknowledged, 0);
    await ping(300);
    assert.equal(world.broker.stats().droppedUnacknowledged, 1);
    assert.equal(subscriber.isClosed, false);
    await closeWorld(world);
  }
});

test("a PUBACK that nobody waits for is counted and harmless", async () => {
  const world = await startWorld();
  const client = await world.connect("c");
  client.send({ type: "puback", packetId: 77, reasonCode: 0 });
  await world.clock.settle();
  assert.deepEqual([client.isClosed, world.broker.stats().unexpectedAcks], [false, 1]);
  await closeWorld(world);
});

test("a client that does not read loses QoS 0, keeps QoS 1 in its queue, and is not read from", async () => {
  const limits = { ...noLimits, outputBytesMax: 10_000, queuedMessagesMax: 10 };
  const world = await startWorld({ limits });
  const slow = await world.connect("slow");
  await slow.subscribe("t");
  const publisher = await world.connect("p");
  slow.connection.isStalled = true;
  for (let count = 0; count < 5; count++) await publisher.publish("t", "x".repeat(4_000), { qos: 0 });
  assert.equal(world.broker.stats().droppedSlowConsumer, 2);
  for (let count = 0; count < 12; count++) await publisher.publish("t", `q${count}`);
  assert.equal(world.broker.stats().droppedQueueFull, 2);
  assert.equal(slow.connection.isPaused, true);
  slow.connection.unstall();
  // So little never was over the connection's own mark, so it is looked for every five seconds.
  await world.clock.advance(5_000);
  assert.equal(slow.connection.isPaused, false);
  assert.deepEqual(
    slow.messages.slice(3),
    Array.from({ length: 10 }, (_, count) => `t=q${count}`),
  );
  assert.ok(world.line("outputFull"));
  await closeWorld(world);
});

test("a connection remembers decisions on cachedTopicsPerConnectionMax topics, and asks again after one more", async () => {
  const world = await startWorld({ limits: { ...noLimits, cachedTopicsPerConnectionMax: 2 } });
  const [sender, receiver] = [new TestIdentity(), new TestIdentity()];
  const publisher = await world.connect("p", { identity: sender });
  const subscriber = await world.connect("s", { identity: receiver });
  await subscriber.subscribe("#");
  const askedFor = async (topic: string) => {
    const before = [sender.asked, receiver.asked] as const;
    await publisher.publish(topic, "x");
    return [sender.asked - before[0], receiver.asked - before[1]];
  };
  for (const topic of ["a", "b"]) assert.deepEqual(await askedFor(topic), [1, 1]);
  for (const topic of ["a", "b"]) assert.deepEqual(await askedFor(topic), [0, 0]);
  assert.deepEqual(await askedFor("c"), [1, 1]);
  assert.deepEqual(await askedFor("b"), [0, 0], "one gave way, and the other stays");
  assert.equal((await askedFor("a"))[0], 1);
  assert.deepEqual(await askedFor("b"), [0, 0]);
  await closeWorld(world);
});

for (const name of ["outputBytesMax", "outputBytesTotalMax"] as const)
  test(`a client that does not read is sent QoS 0 up to ${name}, and nothing over it`, () => fillOutput(name));

async function fillOutput(name: "outputBytesMax" | "outputBytesTotalMax") {
  const outputOf = async (bytesMax: number, messages: number) => {
    const world = await startWorld({ limits: { ...noLimits, [name]: bytesMax } });
    const slow = await world.connect("slow");
    await slow.subscribe("t");
    const publisher = await world.connect("p");
    slow.connection.isStalled = true;
    for (let count = 0; count < messages; count++) await publisher.publish("t", "x".repeat(30_000), { qos: 0 });
    const { bufferedBytes } = slow.connection;
    const { droppedSlowConsumer } = world.broker.stats();
    await closeWorld(world);
    return { bufferedBytes, droppedSlowConsumer };
  };
  const { bufferedBytes } = await outputOf(awsLimits[name], 3);
  // Full is not over: one more goes out then.
  assert.equal((await outputOf(bufferedBytes, 4)).droppedSlowConsumer, 0);
  assert.equal((await outputOf(bufferedBytes, 5)).droppedSlowConsumer, 1);
  assert.equal((await outputOf(bufferedBytes - 1, 4)).droppedSlowConsumer, 1);
}

test("clients that do not read share a bound on what waits for them all; the others are not concerned", async () => {
  const limits = { ...noLimits, outputBytesMax: 1_000_000, outputBytesTotalMax: 300_000 };
  const world = await startWorld({ limits });
  const publisher = await world.connect("p", { keepAliveSeconds: 1_200 });
  const slow = await Promise.all(["a", "b", "c"].map((id) => world.connect(id, { keepAliveSeconds: 1_200 })));
  const quick = await world.connect("quick", { keepAliveSeconds: 1_200 });
  for (const client of [...slow, quick]) await client.subscribe("t");
  for (const client of slow) client.connection.isStalled = true;
  for (let count = 0; count < 60; count++) await publisher.publish("t", "x".repeat(4_000), { qos: 0 });
  const waiting = () => slow.reduce((sum, { connection }) => sum + connection.bufferedBytes, 0);
  assert.ok(waiting() > 250_000 && waiting() < 320_000, String(waiting()));
  assert.equal(quick.messages.length, 60);
  assert.ok(world.broker.stats().droppedSlowConsumer > 60);
  // One of them reads: there is room for the others again.
  slow[0]!.connection.unstall();
  await world.clock.advance(10);
  const before = slow[1]!.connection.bufferedBytes;
  await publisher.publish("t", "y", { qos: 0 });
  assert.ok(slow[1]!.connection.bufferedBytes > before);
  slow[2]!.lose();
  await world.clock.advance(80_000);
  assert.equal(slow[1]!.isClosed, false, "it has more than its share, and all together have not too much");
  await closeWorld(world);
});

test("a client that does not read for a minute is closed", async () => {
  const { slowConsumerSecondsMax } = awsLimits;
  const world = await startWorld({ limits: { ...noLimits, outputBytesMax: 1_000, slowConsumerSecondsMax } });
  const slow = await world.connect("slow", { keepAliveSeconds: 1_200 });
  await slow.subscribe("t");
  const publisher = await world.connect("p", { keepAliveSeconds: 1_200 });
  slow.connection.isStalled = true;
  for (let count = 0; count < 3; count++) await publisher.publish("t", "x".repeat(600), { qos: 0 });
  await world.clock.advance(slowConsumerSecondsMax * 1_000 - 1);
  assert.equal(slow.isClosed, false);
  // It is looked for every five seconds.
  await world.clock.advance(5_001);
  assert.equal(slow.isClosed, true);
  assert.equal(world.line("disconnected")?.facts["reason"], "SLOW_CONSUMER");
  await closeWorld(world);
});

test("a service gets its topics, subscribers get them too, and the PUBACK follows the service", async () => {
  const messages: ServiceMessage[] = [];
  let finish: (() => void) | undefined;
  const service = {
    filters: ["certificate/+/create"],
    handle: (message: ServiceMessage, _runner: OperationRunner, done: () => void): void => {
      messages.push(message);
      finish = done;
    },
  };
  const world = await startWorld({ services: [service], runner });
  const watcher = await world.connect("w");
  await watcher.subscribe("certificate/#");
  const client = await world.connect("c", { identity: new TestIdentity(() => true, "cert-1") });
  assert.equal(await client.publish("certificate/1/create", "please"), undefined);
  assert.deepEqual(watcher.messages, ["certificate/1/create=please"]);
  const { payload, ...rest } = messages[0]!;
  assert.deepEqual(rest, {
    scope: { account: "123456789012", region: "us-east-1" },
    topic: "certificate/1/create",
    clientId: "c",
    certificateId: "cert-1",
    source: "client",
    ...{ properties: undefined, sourceIp: "127.0.0.1", ruleDepth: undefined },
  });
  assert.equal(new TextDecoder().decode(payload), "please");
  // Later requests of the connection are not acknowledged before this one.
  assert.equal(await client.publish("other", "x"), undefined);
  finish!();
  await world.clock.settle();
  assert.deepEqual(
    client.pubacks.map(({ packetId }) => packetId),
    [1, 2],
  );
  await closeWorld(world);
});

test("while a PUBLISH waits its identifier is in use, and 100 are the most", async () => {
  const service = { filters: ["wait"], handle: () => undefined };
  const world = await startWorld({ services: [service], runner, limits: { ...quickLimits, inboundInflightMax: 3 } });
  const client = await world.connect("c", { version: 5 });
  for (let count = 0; count < 3; count++) await client.publish("wait", "x");
  await client.publish("wait", "x", { packetId: 2, isDuplicate: true });
  assert.equal(world.broker.stats().droppedDuplicate, 1);
  assert.equal(client.isClosed, false);
  await client.publish("wait", "x");
  assert.deepEqual([client.isClosed, client.last("disconnect")?.reasonCode], [true, 0x93]);
  await closeWorld(world);
});

test("a service that fails is logged; 5 is told by PUBACK 0x80, 3.1.1 has to publish again", async () => {
  const service: ServiceTopics = {
    filters: ["f"],
    handle: (_message, _runner, done) => void Promise.resolve().then(() => done(new Error("defect"))),
  };
  const idle: ServiceTopics = { filters: ["two"], handle: (_message, _runner, done) => void setImmediate(done) };
  const world = await startWorld({ services: [service, idle, { ...service, filters: ["two"] }], runner });
  const young = await world.connect("young", { version: 5 });
  assert.equal(await young.publish("f", "x"), 0x80);
  assert.equal(await young.publish("two", "x"), 0x80, "one of several that answer");
  const old = await world.connect("old");
  await old.publish("f", "x");
  assert.equal(old.isClosed, true);
  assert.equal(world.broker.stats().serviceFailures, 3);
  assert.match(String(world.line("publishFailed")?.facts["error"]), /defect/);
  await closeWorld(world);
});

test("a service that throws or answers twice concerns its message alone", async () => {
  const thrower: ServiceTopics = {
    filters: ["throw"],
    handle: () => {
      throw new Error("defect");
    },
  };
  const answers: ((error?: Error) => void)[] = [];
  const twice: ServiceTopics = { filters: ["twice"], handle: (_message, _runner, done) => void answers.push(done) };
  const world = await startWorld({ services: [thrower, twice], runner });
  const client = await world.connect("c", { version: 5 });
  assert.equal(await client.publish("throw", "x"), 0x80);
  await client.publish("twice", "1", { packetId: 7 });
  await client.publish("twice", "2", { packetId: 8 });
  answers[0]?.();
  answers[0]?.(new Error("late"));
  await world.clock.settle();
  assert.equal(world.broker.stats().serviceFailures, 1, "the one that threw");
  assert.deepEqual(
    client.pubacks.slice(1).map(({ packetId }) => packetId),
    [7],
  );
  answers[1]?.();
  await world.clock.settle();
  assert.deepEqual(
    client.pubacks.slice(1).map(({ packetId }) => packetId),
    [7, 8],
  );
  assert.equal(client.isClosed, false);
  await closeWorld(world);
});

test("a topic is wanted by whoever subscribed, connected, in a shared group, or away with its session kept", async () => {
  const world = await startWorld();
  assert.equal(world.broker.isWanted("t/a"), false);
  const online = await world.connect("online");
  await online.subscribe("t/+");
  assert.deepEqual([world.broker.isWanted("t/a"), world.broker.isWanted("t/a/b")], [true, false]);
  const shared = await world.connect("shared", { version: 5 });
  await shared.subscribe("$share/g/s/#");
  assert.equal(world.broker.isWanted("s/a"), true);
  const away = await world.connect("away", { isCleanStart: false });
  await away.subscribe("p");
  await away.disconnect();
  await world.clock.settle();
  assert.equal(away.isClosed, true);
  assert.equal(world.broker.isWanted("p"), true);
  await online.disconnect();
  await world.clock.settle();
  assert.equal(world.broker.isWanted("t/a"), false);
  await closeWorld(world);
});

test("an effect reaches subscribers, a client by its id, or nobody, and resolves", async () => {
  const world = await startWorld();
  const payload = new TextEncoder().encode("x");
  const subscriber = await world.connect("s");
  await subscriber.subscribe("t");
  const other = await world.connect("o");
  await world.broker.publish({ topic: "t", payload, qos: 1 });
  await world.broker.publish({ topic: "$aws/things/o/jobs/get/accepted", payload, qos: 1, onlyToClientId: "o" });
  await world.broker.publish({ topic: "t", payload, qos: 1, onlyToClientId: "nobody" });
  await world.broker.publish({ topic: "unwanted", payload, qos: 0 });
  await assert.rejects(world.broker.publish({ topic: "a/+", payload, qos: 0 }), { code: "TOPIC_NAME_INVALID" });
  await world.clock.settle();
  assert.deepEqual(subscriber.messages, ["t=x"]);
  assert.deepEqual(other.messages, ["$aws/things/o/jobs/get/accepted=x"]);
  assert.equal(world.broker.stats().droppedClientAbsent, 1);
  assert.equal(world.broker.stats().publishesWithoutReceiver, 1);
  await closeWorld(world);
});

test("a payload that says it is UTF-8 and is not is forwarded as it came: MQTT leaves the check to whoever wants it", async () => {
  const world = await startWorld();
  const receiver = await world.connect("r", { version: 5 });
  await receiver.subscribe("t");
  const publisher = await world.connect("p", { version: 5 });
  const payload = Uint8Array.of(0xff, 0xfe);
  assert.equal(await publisher.publish("t", "", { payload, properties: { payloadFormatIndicator: 1 } }), 0);
  assert.deepEqual(receiver.publishes[0]?.payload, payload);
  assert.deepEqual(receiver.publishes[0]?.properties, { payloadFormatIndicator: 1 });
  await closeWorld(world);
});
