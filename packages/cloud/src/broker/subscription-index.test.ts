import assert from "node:assert/strict";
import { test } from "node:test";
import { topicMatches } from "@thingline/protocol/mqtt";
import { SubscriptionIndex } from "./subscription-index.js";

interface Subscriber {
  name: string;
}
const subscriber = (name: string): Subscriber => ({ name });
const audienceOf = (): undefined => undefined;
const newIndex = (cachedTopicsMax = 100): SubscriptionIndex<Subscriber, undefined> =>
  new SubscriptionIndex({ cachedTopicsMax, audienceOf });

const namesOf = (index: SubscriptionIndex<Subscriber, undefined>, topic: string): string[] =>
  index
    .route(topic)
    .targets.map(({ subscriber: { name } }) => name)
    .sort();

const filters = [
  "a",
  "a/b",
  "a/+",
  "a/#",
  "#",
  "+",
  "+/b",
  "+/+",
  "a/+/c",
  "a//c",
  "/",
  "+/",
  "$aws/#",
  "$aws/+/x",
  "/#",
];
const topics = ["a", "a/", "a/b", "a/b/c", "a//c", "b", "/", "//", "/a", "$aws", "$aws/y/x", "$aws/y", "b/b"];

test("the index finds what matching each filter finds", () => {
  const index = newIndex();
  for (const filter of filters) index.add(filter, subscriber(filter), { qos: 1 });
  for (const topic of topics) {
    const expected = filters.filter((filter) => topicMatches(filter, topic, { aws: true })).sort();
    assert.deepEqual(namesOf(index, topic), expected, topic);
  }
});

test("# does not match the parent level, as at AWS", () => {
  const index = newIndex();
  index.add("sensor/#", subscriber("s"), { qos: 1 });
  assert.deepEqual(
    ["sensor", "sensor/", "sensor/a", "sensor/a/b"].map((topic) => namesOf(index, topic).length),
    [0, 1, 1, 1],
  );
});

test("random subscriptions and removals agree with matching one by one", () => {
  let seed = 7;
  const random = (below: number): number => {
    seed = (Math.imul(seed, 1_103_515_245) + 12_345) & 0x7fffffff;
    return (seed >> 8) % below;
  };
  const index = newIndex(5);
  const live = new Map<string, { filter: string; owner: Subscriber }>();
  const owners = ["x", "y", "z"].map(subscriber);
  for (let round = 0; round < 3_000; round++) {
    const filter = filters[random(filters.length)]!;
    const owner = owners[random(owners.length)]!;
    const key = `${owner.name} ${filter}`;
    if (random(2) === 0) {
      index.add(filter, owner, { qos: 1 });
      live.set(key, { filter, owner });
    } else assert.equal(index.remove(filter, owner), live.delete(key));
    const topic = topics[random(topics.length)]!;
    const matching = [...live.values()].filter((entry) => topicMatches(entry.filter, topic, { aws: true }));
    assert.deepEqual(namesOf(index, topic), [...new Set(matching.map((entry) => entry.owner.name))].sort());
    assert.equal(index.count, live.size);
  }
});

test("overlapping subscriptions give one copy at the highest QoS", () => {
  const index = newIndex();
  const owner = subscriber("s");
  index.add("a/+", owner, { qos: 0, isNoLocal: true });
  index.add("a/b", owner, { qos: 1, isRetainAsPublished: true });
  const { targets } = index.route("a/b");
  assert.equal(targets.length, 1);
  const { qos, isNoLocal, isRetainAsPublished } = targets[0]!;
  assert.deepEqual({ qos, isNoLocal, isRetainAsPublished }, { qos: 1, isNoLocal: false, isRetainAsPublished: true });
});

test("a route is remembered until a subscription that concerns it changes", () => {
  const index = newIndex();
  index.add("a", subscriber("s"), { qos: 1 });
  const route = index.route("a");
  index.add("b", subscriber("s"), { qos: 1 });
  assert.equal(index.route("a"), route);
  assert.equal(index.isCurrent(route), true);
  index.add("a", subscriber("t"), { qos: 1 });
  assert.equal(index.isCurrent(route), false);
  const second = index.route("a");
  index.add("+", subscriber("u"), { qos: 1 });
  assert.equal(index.isCurrent(second), false);
  assert.deepEqual(namesOf(index, "a"), ["s", "t", "u"]);
});

test("only so many topics are remembered, and those used lately stay", () => {
  const index = newIndex(3);
  const [first, second] = ["t1", "t2", "t3"].map((topic) => index.route(topic));
  assert.equal(index.route("t1"), first);
  index.route("t4");
  assert.equal(index.route("t1"), first);
  assert.equal(index.isCurrent(second!), false, "what was thrown out is not used by those who still hold it");
});

test("groups are found beside ordinary subscribers and end with their last member", () => {
  const index = newIndex();
  const [a, b] = [subscriber("a"), subscriber("b")];
  index.add("t/+", a, { qos: 1 }, "g");
  index.add("t/+", b, { qos: 1 }, "g");
  index.add("t/+", a, { qos: 1 });
  const route = index.route("t/1");
  assert.deepEqual([route.targets.length, route.groups.length, route.groups[0]?.members.size], [1, 1, 2]);
  index.remove("t/+", a, "g");
  index.remove("t/+", b, "g");
  assert.deepEqual([index.route("t/1").groups.length, index.groupCount, index.count], [0, 0, 1]);
});

test("a route that is remembered no more holds no subscriber, whoever still holds the route", () => {
  const index = new SubscriptionIndex<object, undefined>({ cachedTopicsMax: 2, audienceOf });
  index.add("#", {}, { qos: 0 });
  const first = index.route("a");
  assert.equal(first.targets.length, 1);
  index.route("b");
  index.route("c");
  assert.ok(!index.isCurrent(first));
  assert.equal(first.targets.length, 0);
});

test("routes of cachedTopicsMax topics and with cachedTargetsMax receivers are remembered, the oldest goes for one more", () => {
  const remembered = (options: { cachedTopicsMax: number; cachedTargetsMax?: number }) => {
    const index = new SubscriptionIndex<Subscriber, undefined>({ ...options, audienceOf });
    for (const name of ["x", "y"]) index.add("#", subscriber(name), { qos: 0 });
    const routes = ["a", "b", "c"].map((topic) => index.route(topic));
    return routes.map((route) => index.isCurrent(route));
  };
  assert.deepEqual(remembered({ cachedTopicsMax: 3 }), [true, true, true]);
  assert.deepEqual(remembered({ cachedTopicsMax: 2 }), [false, true, true]);
  assert.deepEqual(remembered({ cachedTopicsMax: 3, cachedTargetsMax: 6 }), [true, true, true]);
  assert.deepEqual(remembered({ cachedTopicsMax: 3, cachedTargetsMax: 5 }), [false, true, true]);
});
