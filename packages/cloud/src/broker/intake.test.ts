import assert from "node:assert/strict";
import { test } from "node:test";
import type { MessageSource, OperationRunner, ServiceMessage, ServiceTopics } from "../services/operation.js";
import { TopicFilters } from "../services/topic-filters.js";
import { closeWorld, startWorld, TestIdentity, type World } from "./harness.test.support.js";
import {
  listenerInFlightMax,
  listenerQueuedBytesMax,
  listenerQueuedMessagesMax,
  listenerStartsPerTurnMax,
} from "./listener.js";

const runner = {} as OperationRunner;
const encode = (text: string): Uint8Array => new TextEncoder().encode(text);
const decode = (bytes: Uint8Array): string => new TextDecoder().decode(bytes);

/** A service that notes what it hears, and answers when it is told to. */
class Ear implements ServiceTopics {
  readonly filters: ServiceTopics["filters"];
  readonly sources?: readonly MessageSource[];
  readonly holdsAck?: boolean;
  readonly heard: ServiceMessage[] = [];
  readonly answers: ((error?: Error) => void)[] = [];

  constructor(
    filters: ServiceTopics["filters"],
    { sources, holdsAck }: { sources?: readonly MessageSource[]; holdsAck?: boolean } = {},
  ) {
    this.filters = filters;
    if (sources !== undefined) this.sources = sources;
    if (holdsAck !== undefined) this.holdsAck = holdsAck;
  }
  handle(message: ServiceMessage, _runner: OperationRunner, done: (error?: Error) => void): void {
    this.heard.push(message);
    this.answers.push(done);
  }
  answerAll(): void {
    for (const answer of this.answers.splice(0)) answer();
  }
  get texts(): string[] {
    return this.heard.map(({ payload }) => decode(payload));
  }
}

const everySource: readonly MessageSource[] = ["client", "http", "service", "will", "lifecycle"];

/** One message of each source on a topic that all of them can have, or on that of its event. */
const enter: Record<MessageSource, (world: World) => Promise<void>> = {
  client: async (world) => void (await (await world.connect("c")).publish("t", "client")),
  http: async (world) => void (await publish(world, "t", "http", { source: "http" })),
  service: async (world) => void (await publish(world, "t", "service")),
  will: async (world) => {
    const will = { topic: "t", payload: encode("will"), qos: 1, isRetained: false } as const;
    (await world.connect("mortal", { will })).lose();
    await world.clock.settle();
  },
  lifecycle: async (world) => void (await world.connect("newcomer")),
};

function publish(world: World, topic: string, text: string, fields: { source?: "http"; isRetained?: boolean } = {}) {
  return world.broker.publish({ topic, payload: encode(text), qos: 1, ...fields });
}

test("each listener hears the sources that it names, and no other", async () => {
  const filters = ["t", "$aws/events/presence/connected/newcomer"];
  const ears = everySource.map((source) => new Ear(filters, { sources: [source], holdsAck: false }));
  const all = new Ear(filters, { sources: everySource, holdsAck: false });
  const byDefault = new Ear(filters, { holdsAck: false });
  const world = await startWorld({ services: [...ears, all, byDefault], runner });
  for (const source of everySource) await enter[source](world);
  const sourcesOf = (ear: Ear): MessageSource[] => ear.heard.map(({ source }) => source);
  assert.deepEqual(
    ears.map(sourcesOf),
    everySource.map((source) => [source]),
  );
  assert.deepEqual(sourcesOf(all), everySource);
  assert.deepEqual(sourcesOf(byDefault), ["client"]);
  assert.deepEqual(
    all.heard.map(({ clientId }) => clientId),
    ["c", "n/a", "n/a", "mortal", "n/a"],
  );
  await closeWorld(world);
});

test("a listener that holds acknowledgements hears effects, wills and events too, for which nobody waits", async () => {
  const ear = new Ear(["t", "$aws/events/presence/connected/newcomer"], { sources: everySource });
  const world = await startWorld({ services: [ear], runner });
  for (const source of everySource) {
    await enter[source](world);
    if (source === "client" || source === "http") ear.answerAll();
  }
  assert.equal(await publish(world, "t", "service"), undefined);
  assert.deepEqual(
    ear.heard.slice(0, -1).map(({ source }) => source),
    everySource,
  );
  await closeWorld(world);
});

test("what comes over HTTP reaches subscribers, is heard, and its publisher hears when all that hold it have answered", async () => {
  const [first, second] = [new Ear(["t"], { sources: ["http"] }), new Ear(["t"], { sources: ["client", "http"] })];
  const rules = new Ear(["#"], { sources: everySource, holdsAck: false });
  const world = await startWorld({ services: [first, second, rules], runner });
  const subscriber = await world.connect("s");
  await subscriber.subscribe("t");
  let isAnswered = false;
  const handedOver = await publish(world, "t", "hello", { source: "http" });
  await world.clock.settle();
  assert.deepEqual(subscriber.messages, ["t=hello"]);
  void handedOver?.answered.then(() => (isAnswered = true));
  assert.deepEqual([first.texts, second.texts, rules.texts], [["hello"], ["hello"], ["hello"]]);
  first.answerAll();
  await world.clock.settle();
  assert.equal(isAnswered, false);
  second.answerAll();
  await world.clock.settle();
  assert.equal(isAnswered, true, "the rules hold nothing back");
  assert.equal(await publish(world, "other", "x", { source: "http" }), undefined);
  const failed = await publish(world, "t", "again", { source: "http" });
  first.answerAll();
  second.answers[0]?.(new Error("defect"));
  await assert.rejects(async () => failed?.answered, /defect/);
  await closeWorld(world);
});

test("a message is wanted by a listener that hears its source", async () => {
  const ear = new Ear(["t/+"], { sources: ["http", "service"] });
  const client = new Ear(["c"]);
  const world = await startWorld({ services: [ear, client], runner });
  const wanted = (topic: string) => [world.broker.isWanted(topic), world.broker.isWanted(topic, "http")];
  assert.deepEqual(
    [wanted("t/1"), wanted("c"), wanted("x")],
    [
      [true, true],
      [false, false],
      [false, false],
    ],
  );
  await closeWorld(world);
});

test("a message for a rule is hidden from subscribers, however it comes, and heard by who listens", async () => {
  const rules = new Ear(["$aws/rules/#"], { sources: ["client", "http"], holdsAck: false });
  const world = await startWorld({ services: [rules], runner });
  const watcher = await world.connect("w");
  await watcher.subscribe("#", "t");
  const client = await world.connect("c");
  assert.equal(await client.publish("$aws/rules/r/t", "mqtt"), 0);
  await publish(world, "$aws/rules/r/t", "http", { source: "http" });
  assert.deepEqual([rules.texts, watcher.messages], [["mqtt", "http"], []]);
  await closeWorld(world);
});

test("filters that change at run time are heard at once, also by clients that have published before", async () => {
  const filters = new TopicFilters(["a"]);
  const ear = new Ear(filters, { holdsAck: false });
  const world = await startWorld({ services: [ear], runner });
  const client = await world.connect("c");
  for (const topic of ["a", "b"]) await client.publish(topic, `${topic} 1`);
  filters.add("b");
  for (const topic of ["a", "b"]) await client.publish(topic, `${topic} 2`);
  filters.remove("a");
  for (const topic of ["a", "b"]) await client.publish(topic, `${topic} 3`);
  assert.deepEqual(ear.texts, ["a 1", "a 2", "b 2", "b 3"]);
  await closeWorld(world);
  filters.add("c");
});

test("a listener that is slow holds no PUBACK; what it cannot take waits in order, and is counted over the bound", async () => {
  const slow = new Ear(["t"], { holdsAck: false });
  const world = await startWorld({ services: [slow], runner });
  const client = await world.connect("c");
  for (let count = 0; count < listenerInFlightMax + 3; count++)
    assert.equal(await client.publish("t", String(count)), 0);
  assert.equal(slow.heard.length, listenerInFlightMax);
  slow.answerAll();
  await world.clock.settle();
  assert.deepEqual(
    slow.texts.slice(listenerInFlightMax),
    [0, 1, 2].map((at) => String(listenerInFlightMax + at)),
  );
  assert.equal(world.broker.stats().droppedListenerFull, 0);
  await closeWorld(world);
});

for (const [name, payload, room] of [
  ["messages", new Uint8Array(1), listenerQueuedMessagesMax],
  ["bytes", new Uint8Array(1024 * 1024 - 1), listenerQueuedBytesMax / (1024 * 1024)],
] as const) {
  test(`a slow listener keeps as many ${name} as its bound says, and one more is dropped with a line in the log`, async () => {
    const slow = new Ear(["t"], { sources: ["service"], holdsAck: false });
    const world = await startWorld({ services: [slow], runner });
    for (let count = 0; count < listenerInFlightMax + room; count++)
      await world.broker.publish({ topic: "t", payload, qos: 1 });
    assert.equal(world.broker.stats().droppedListenerFull, 0);
    await world.broker.publish({ topic: "t", payload, qos: 1 });
    assert.equal(world.broker.stats().droppedListenerFull, 1);
    assert.equal(world.line("limitHit")?.facts["limit"], "listenerQueue");
    slow.answerAll();
    await world.broker.publish({ topic: "t", payload, qos: 1 });
    assert.equal(world.broker.stats().droppedListenerFull, 1, "there is room again");
    await closeWorld(world);
    // What still waits at the end is given up, and said.
    const left = Math.max(0, room + 1 - listenerInFlightMax);
    assert.equal(world.line("listenerClosed")?.facts["dropped"] ?? 0, left);
  });
}

test("a listener that answers within the call is asked for what waits by a loop, however much that is", async () => {
  const answers: (() => void)[] = [];
  let isReady = false;
  let deepest = 0;
  let depth = 0;
  const service: ServiceTopics = {
    filters: ["t"],
    sources: ["service"],
    holdsAck: false,
    handle: (_message, _runner, done) => {
      if (!isReady) return void answers.push(done);
      deepest = Math.max(deepest, ++depth);
      done();
      depth--;
    },
  };
  const world = await startWorld({ services: [service], runner });
  for (let count = 0; count < listenerInFlightMax + 10; count++) await publish(world, "t", "x");
  isReady = true;
  for (const answer of answers) answer();
  assert.equal(deepest, 1);
  await closeWorld(world);
});

test("a listener whose answer is heard by itself leaves the event loop to others", async () => {
  let heard = 0;
  let hasTurned = false;
  const echo: ServiceTopics = {
    filters: ["t"],
    sources: ["service"],
    handle: (_message, _runner, done) => {
      heard++;
      const answer = async () => {
        // Somebody must end it, also where the event loop never gets its turn.
        if (!hasTurned && heard < 10 * listenerStartsPerTurnMax) await publish(world, "t", "x");
        done();
      };
      void answer();
    },
  };
  const world: World = await startWorld({ services: [echo], runner });
  world.clock.afterTurn(() => (hasTurned = true));
  await publish(world, "t", "x");
  await world.clock.settle();
  assert.equal(hasTurned, true);
  assert.ok(heard <= 2 * listenerStartsPerTurnMax, `heard ${heard} times before that`);
  await closeWorld(world);
});

test("a slow listener that fails or throws is logged, and hears the next message", async () => {
  const service: ServiceTopics = {
    filters: ["t"],
    holdsAck: false,
    handle: ({ payload }, _runner, done) => {
      if (decode(payload) === "throw") throw new Error("defect");
      void Promise.resolve().then(() => done(decode(payload) === "fail" ? new Error("defect") : undefined));
    },
  };
  const world = await startWorld({ services: [service], runner });
  const client = await world.connect("c");
  for (const text of ["throw", "fail", "well"]) assert.equal(await client.publish("t", text), 0);
  assert.equal(world.broker.stats().serviceFailures, 2);
  assert.match(String(world.line("listenerFailed")?.facts["error"]), /defect/);
  await closeWorld(world);
});

test("a retained message over the rate is refused when a client sends it, and only not retained from a service or a will", async () => {
  const ear = new Ear(["t"], { sources: everySource, holdsAck: false });
  const world = await startWorld({ services: [ear], runner });
  const will = { topic: "t", payload: encode("will"), qos: 1, isRetained: true } as const;
  const mortal = await world.connect("mortal", { will });
  const client = await world.connect("c", { version: 5, identity: new TestIdentity() });
  assert.equal(await client.publish("t", "first", { isRetained: true }), 0);
  assert.equal(await client.publish("t", "second", { isRetained: true }), 0x97);
  await publish(world, "t", "service", { isRetained: true });
  mortal.lose();
  await world.clock.settle();
  assert.deepEqual(ear.texts, ["first", "service", "will"]);
  const late = await world.connect("late");
  await late.subscribe("t");
  assert.deepEqual(late.messages, ["t=first"]);
  await closeWorld(world);
});
