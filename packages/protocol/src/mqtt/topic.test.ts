import assert from "node:assert/strict";
import { test } from "node:test";
import { isThinglineError } from "../errors.js";
import { awsTopicLimits, checkTopicName, hasWildcard, parseTopicFilter, topicMatches } from "./topic.js";

type Match = [filter: string, topic: string, mqtt: boolean, aws?: boolean];

/** The examples of MQTT 5 §4.7.1 and §4.7.2, then the corners. `aws` where AWS IoT Core differs. */
const matches: readonly Match[] = [
  ["sport/tennis/player1/#", "sport/tennis/player1", true, false],
  ["sport/tennis/player1/#", "sport/tennis/player1/ranking", true],
  ["sport/tennis/player1/#", "sport/tennis/player1/score/wimbledon", true],
  ["sport/#", "sport", true, false],
  ["sport/#", "sport/", true],
  ["sport/#", "sports", false],
  ["#", "sport", true],
  ["#", "/", true],
  ["sport/tennis/+", "sport/tennis/player1", true],
  ["sport/tennis/+", "sport/tennis/player1/ranking", false],
  ["sport/+", "sport", false],
  ["sport/+", "sport/", true],
  ["+/+", "/finance", true],
  ["/+", "/finance", true],
  ["+", "/finance", false],
  ["+", "finance", true],
  ["+/tennis/#", "sport/tennis", true, false],
  ["+/tennis/#", "sport/tennis/x/y", true],
  ["sport/+/player1", "sport/tennis/player1", true],
  ["sport/+/player1", "sport//player1", true],
  ["sport/+/player1", "sport/tennis/player2", false],
  ["a/+/#", "a/b", true, false],
  ["a/+/#", "a/b/", true],
  ["a/+/#", "a", false],
  ["+/#", "a", true, false],
  ["/#", "", true, false],
  ["/#", "/a", true],
  ["#", "$SYS/monitor", false],
  ["+/monitor/Clients", "$SYS/monitor/Clients", false],
  ["$SYS/#", "$SYS/monitor/Clients", true],
  ["$SYS/#", "$SYS", true, false],
  ["$SYS/monitor/+", "$SYS/monitor/Clients", true],
  ["a/#", "a/$b", true],
  ["a/+", "a/$b", true],
  ["$aws/things/+/shadow/update", "$aws/things/t/shadow/update", true],
  ["a/b", "a/b", true],
  ["a/b", "a/b/", false],
  ["a/b/", "a/b", false],
  ["a/b", "a/bc", false],
  ["a/bc", "a/b", false],
  ["A", "a", false],
  ["é/+", "é/ü", true],
];

for (const [filter, topic, mqtt, aws = mqtt] of matches) {
  test(`filter "${filter}" and topic "${topic}": MQTT ${mqtt ? "matches" : "does not"}, AWS ${aws ? "matches" : "does not"}`, () => {
    assert.equal(topicMatches(filter, topic), mqtt);
    assert.equal(topicMatches(filter, topic, { aws: true }), aws);
  });
}

test("matching agrees with a matcher that compares level by level", () => {
  const levels = ["", "a", "b", "$a"];
  const texts = (words: readonly string[]): string[] => {
    const one = words.map((word) => [word]);
    const two = one.flatMap((list) => words.map((word) => [...list, word]));
    const three = two.flatMap((list) => words.map((word) => [...list, word]));
    return [...one, ...two, ...three].map((list) => list.join("/"));
  };
  const topics = texts(levels).filter((topic) => topic !== "");
  const filters = texts([...levels, "+", "#"]).filter((filter) => filter !== "" && !/#./.test(filter));
  let pairs = 0;
  for (const filter of filters) {
    parseTopicFilter(filter);
    for (const topic of topics) {
      for (const aws of [false, true]) {
        assert.equal(
          topicMatches(filter, topic, { aws }),
          matchesByLevel(filter, topic, aws),
          `${filter} | ${topic} | ${aws}`,
        );
        pairs++;
      }
    }
  }
  assert.ok(pairs > 20_000);
});

function matchesByLevel(filter: string, topic: string, aws: boolean): boolean {
  const wanted = filter.split("/");
  const given = topic.split("/");
  if (topic.startsWith("$") && ["+", "#"].includes(wanted[0]!)) return false;
  for (const [index, level] of wanted.entries()) {
    if (level === "#") return aws ? given.length > index : given.length >= index;
    if (index >= given.length || (level !== "+" && level !== given[index])) return false;
  }
  return wanted.length === given.length;
}

const badFilters: readonly [filter: string, reason: string, level?: number][] = [
  ["", "empty"],
  ["a#", "wildcard", 1],
  ["a/b#", "wildcard", 2],
  ["a/#/b", "wildcard", 2],
  ["#/", "wildcard", 1],
  ["##", "wildcard", 1],
  ["a+", "wildcard", 1],
  ["a/+b/c", "wildcard", 2],
  ["++", "wildcard", 1],
  ["$share/", "share", 2],
  ["$share//a", "share", 2],
  ["$share/g", "share", 3],
  ["$share/g/", "share", 3],
  ["$share/+/a", "share", 2],
  ["$share/g#/a", "share", 2],
  ["$share/g/a+", "wildcard", 3],
  ["$share/g/a/#/b", "wildcard", 4],
  ["a\u0000b", "characters"],
  ["a\ud800", "characters"],
  ["x".repeat(65_536), "bytes"],
];

for (const [filter, reason, level] of badFilters) {
  test(`filter ${JSON.stringify(filter.slice(0, 20))} is refused for ${reason}${level === undefined ? "" : ` in level ${level}`}`, () => {
    assert.throws(
      () => parseTopicFilter(filter),
      ({ code, details }: { code: string; details: Record<string, unknown> }) => {
        assert.equal(code, "TOPIC_FILTER_INVALID");
        assert.equal(details["reason"], reason);
        assert.equal(details["level"], level);
        assert.ok(String(details["filter"]).length <= 303);
        return true;
      },
    );
  });
}

const badNames: readonly [topic: string, reason: string, level?: number][] = [
  ["", "empty"],
  ["a/#", "wildcard", 2],
  ["+", "wildcard", 1],
  ["a/b/c+d", "wildcard", 3],
  ["\u0000", "characters"],
  ["\udc00a", "characters"],
  ["\ud800\ud800", "characters"],
  ["é".repeat(32_768), "bytes"],
];

for (const [topic, reason, level] of badNames) {
  test(`topic ${JSON.stringify(topic.slice(0, 20))} is refused for ${reason}`, () => {
    assert.throws(
      () => checkTopicName(topic),
      ({ code, details }: { code: string; details: Record<string, unknown> }) => {
        assert.deepEqual([code, details["reason"], details["level"]], ["TOPIC_NAME_INVALID", reason, level]);
        return true;
      },
    );
  });
}

test("good names and filters pass, spaces and empty levels included", () => {
  for (const topic of ["/", "a", "a b/c", "//", "$aws/things/t/shadow/get", "\ufeff", "\u{2a6d4}", "$share/x"]) {
    checkTopicName(topic);
  }
  for (const filter of ["#", "+", "/+/", "+/+/#", "/#", "$SYS/#", "$share", "$shared/a"]) {
    assert.deepEqual(parseTopicFilter(filter), { group: undefined, filter });
  }
  assert.deepEqual(parseTopicFilter("$share/g/a/+/#"), { group: "g", filter: "a/+/#" });
  assert.deepEqual(parseTopicFilter("$share/g//"), { group: "g", filter: "/" });
  assert.equal(hasWildcard("a/b"), false);
  assert.equal(hasWildcard("a/+"), true);
});

test("AWS's limits are 256 bytes and 8 levels, Basic Ingest and $share left out", () => {
  const reasonOf = (run: () => void): unknown => {
    try {
      run();
    } catch (error) {
      return (error as { details: Record<string, unknown> }).details["reason"];
    }
    return undefined;
  };
  const name = (topic: string) => reasonOf(() => checkTopicName(topic, awsTopicLimits));
  const filter = (text: string) => reasonOf(() => parseTopicFilter(text, awsTopicLimits));
  assert.equal(name("é".repeat(128)), undefined);
  assert.equal(name("é".repeat(128) + "a"), "bytes");
  assert.equal(name("1/2/3/4/5/6/7/8"), undefined);
  assert.equal(name("1/2/3/4/5/6/7/8/"), "levels");
  assert.equal(name(`$aws/rules/rule/1/2/3/4/5/6/7/8`), undefined);
  assert.equal(name(`$aws/rules/rule/1/2/3/4/5/6/7/8/9`), "levels");
  assert.equal(name(`$aws/rules/rule/${"x".repeat(256)}`), undefined);
  assert.equal(name(`$aws/rules/rule/${"x".repeat(257)}`), "bytes");
  assert.equal(name("$aws/rules/rule"), undefined);
  assert.equal(filter("$share/g/1/2/3/4/5/6/7/8"), undefined);
  assert.equal(filter("$share/g/1/2/3/4/5/6/7/8/#"), "levels");
  assert.equal(filter(`$share/group/${"x".repeat(256)}`), undefined);
  assert.equal(filter(`$share/group/${"x".repeat(257)}`), "bytes");
});

test("a rule name of Basic Ingest is free up to the 128 characters that AWS gives it", () => {
  const free = `$aws/rules/${"r".repeat(128)}/${"t".repeat(256)}`;
  checkTopicName(free, awsTopicLimits);
  const tooLong = (error: unknown) =>
    isThinglineError(error, "TOPIC_NAME_INVALID") && error.details["reason"] === "bytes";
  for (const topic of [`$aws/rules/${"r".repeat(246)}/t`, `$aws/rules/${"r".repeat(60_000)}`]) {
    assert.throws(() => checkTopicName(topic, awsTopicLimits), tooLong);
  }
});

test("reserved topics that AWS itself makes longer are no longer than allowed, and nothing like them is", () => {
  const thing = "t".repeat(128);
  const long = [
    "$aws/commands/things/pump-7/executions/e-1/response/accepted/json",
    "$aws/commands/clients/pump-7/executions/e-1/response/rejected/cbor",
    `$aws/things/${thing}/streams/${thing}/description/json`,
    `$aws/events/thingGroupMembership/thingGroup/${thing}/thing/${thing}/added`,
  ];
  for (const topic of long) checkTopicName(topic, awsTopicLimits);
  for (const filter of [
    ...long,
    "$aws/commands/things/+/executions/+/response/+/json",
    "$aws/commands/+/pump-7/executions/+/response/accepted/+",
    "$share/g/$aws/commands/things/pump-7/executions/+/response/accepted/json",
    `$aws/events/thingGroupMembership/thingGroup/${thing}/thing/${thing}/#`,
  ]) {
    assert.ok(parseTopicFilter(filter, awsTopicLimits).filter.startsWith("$aws/"));
  }
  for (const topic of [
    "$aws/commands/things/pump-7/executions/e-1/response/accepted/json/more",
    "$aws/commands/things/pump-7/executions/e-1/responses/accepted/json",
    "$aws/commands/things//executions/e-1/response/accepted/json",
    `$aws/commands/things/${thing}t/executions/e-1/response/accepted/json`,
    `$aws/things/${thing}/streams/${thing}/describes/json`,
    "aws/commands/things/pump-7/executions/e-1/response/accepted/json",
    "$aws/1/2/3/4/5/6/7/8",
  ]) {
    assert.throws(
      () => checkTopicName(topic, awsTopicLimits),
      (error) => isThinglineError(error, "TOPIC_NAME_INVALID"),
      topic,
    );
  }
  assert.throws(() => parseTopicFilter("$aws/commands/things/+/executions/+/response/accepted/json/#", awsTopicLimits));
  assert.throws(() => checkTopicName(long[0] ?? "", { bytesMax: 256, levelsMax: 8 }), "without the option it counts");
});
