import assert from "node:assert/strict";
import { test } from "node:test";
import { isThinglineError } from "@thingline/protocol";
import { createVirtualRandom } from "@thingline/transport/virtual";
import { bucketsOf, cardinalityOf, percentilesOf, statisticsOf, typedValues } from "./aggregate.js";
import { compileQuery } from "./compile.js";
import type { IndexedThing } from "./documents.js";
import { groupFields, thingFields } from "./fields.js";
import { referenceCases } from "./reference-query.test.support.js";
import { leadingWildcardQueryCharactersMax, queryCharactersMax, queryTermsMax, queryWildcardsMax } from "./query.js";
import { fitsPattern } from "./values.js";

const fields = thingFields({ hasShadow: true, namedShadows: ["gps"], hasConnectivity: true });
const bare = thingFields({ hasShadow: false, namedShadows: [], hasConnectivity: false });

const thing = (thingName: string, more: Partial<IndexedThing> = {}): IndexedThing => ({
  ...{ thingName, thingId: `id-of-${thingName}`, groups: [], attributes: {}, version: 1 },
  ...more,
});
const group = (thingGroupName: string) => ({ thingGroupName, thingGroupId: `id-of-${thingGroupName}` });
const shadow = (reported: object, desired: object = {}) => ({
  ...{ reported, desired, metadata: { reported: { battery: { timestamp: 7 } } }, version: 3 },
  hasDelta: Object.keys(desired).length > 0,
});

const fleet: readonly IndexedThing[] = [
  thing("alpha-1", {
    ...{
      thingTypeName: "sensor",
      groups: [group("north")],
      attributes: { site: "North", provider: "acme", count: "75" },
    },
    shadow: shadow({ battery: 80, tags: ["v2", "Red apple"], place: { lat: 52.52, lon: 13.405 }, on: true }),
    connectivity: { connected: true, timestamp: 1_700_000_000_000, clientId: "alpha-1" },
  }),
  thing("alpha-2", {
    ...{ groups: [group("north"), group("south")], attributes: { site: "south", provider: "ACME", count: "80" } },
    shadow: shadow({ battery: 20.5, stats: [{ load: 3 }, { load: 9 }] }, { battery: 30 }),
    namedShadows: { gps: shadow({ coordinates: "48.85,2.35", "Battery level": 5 }) },
    connectivity: { connected: false, timestamp: 1_600_000_000_000, disconnectReason: "CONNECTION_LOST" },
  }),
  thing("beta-1", { thingTypeName: "sensor", attributes: { provider: "other", count: "x9", path: "a:b (c)" } }),
  thing("gamma"),
];

const found = (query: string, of = fields) =>
  fleet
    .filter(compileQuery(query, of))
    .map(({ thingName }) => thingName.replace("alpha-", "a").replace("beta-1", "b").replace("gamma", "g"))
    .join(" ");

const finds: readonly (readonly [query: string, things: string])[] = [
  // Words: of whatever case, and whole.
  ["thingName:ALPHA-1", "a1"],
  ["thingName:alpha", ""],
  ["attributes.provider:Acme", "a1 a2"],
  ["attributes.missing:x", ""],
  ["attributes.Site:north", ""],
  ['thingName:"Alpha-1"', "a1"],
  ["shadow.reported.tags:apple", "a1"],
  ['shadow.reported.tags:"red APPLE"', "a1"],
  ['shadow.reported.tags:"apple red"', ""],
  ["thingId:id-of-gamma", "g"],
  ["attributes.path:a\\:b", "b"],
  ['attributes.path:"a:b (c)"', "b"],
  ["attributes.path:\\(c\\)", "b"],
  // Numbers and truth.
  ["shadow.reported.battery:80", "a1"],
  ["shadow.reported.battery:80.0", "a1"],
  ["shadow.reported.on:TRUE", "a1"],
  ["attributes.count:75", "a1"],
  ["shadow.reported.stats.load:9", "a2"],
  ["shadow.hasDelta:true", "a2"],
  ["shadow.desired.battery:30", "a2"],
  ["shadow.metadata.reported.battery.timestamp:7", "a1 a2"],
  ["shadow.name.gps.reported.Battery\\ level:5", "a2"],
  ["connectivity.connected:false", "a2"],
  ["connectivity.disconnectReason:connection_lost", "a2"],
  // Wildcards.
  ["thingName:alpha*", "a1 a2"],
  ["thingName:ALPHA-?", "a1 a2"],
  ["thingName:b?ta-1", "b"],
  ["thingName:*a", "g"],
  ["thingName:*a*", "a1 a2 b g"],
  ["attributes.provider:a*e", "a1 a2"],
  ["thingName:alpha?", ""],
  ['thingName:"alpha*"', ""],
  ["thingName:alpha\\*", ""],
  ["*", "a1 a2 b g"],
  ["attributes.site:*", "a1 a2"],
  ["NOT attributes.site:*", "b g"],
  ["shadow.reported.place:*", "a1"],
  // Ranges: of numbers where all are numbers.
  ["attributes.count:[75 TO 80]", "a1 a2"],
  ["attributes.count:{75 TO 80]", "a2"],
  ["attributes.count:[75 TO 80}", "a1"],
  ["attributes.count:[9 TO 100]", "a1 a2"],
  ["attributes.count>=80", "a2"],
  ["attributes.count<76", "a1"],
  ["shadow.reported.battery > 20.5", "a1"],
  ["shadow.reported.battery<=20.5", "a2"],
  ["connectivity.timestamp : [1650000000000 TO 1750000000000]", "a1"],
  ['attributes.site:["m" TO "o"]', "a1"],
  ["attributes.site:[* TO north]", "a1"],
  ["attributes.site:[north *]", "a1 a2"],
  ["thingName>beta", "b g"],
  ["attributes.site:[ north TO p}", "a1"],
  // AND before OR before what stands side by side.
  ["thingName:gamma OR attributes.provider:acme AND attributes.site:south", "a2 g"],
  ["attributes.provider:acme AND attributes.site:south OR thingName:gamma", "a2 g"],
  ["thingName:gamma OR attributes.provider:acme attributes.site:south", "a2"],
  ["(thingName:gamma OR attributes.provider:acme) AND NOT thingTypeName:sensor", "a2 g"],
  ["NOT attributes.provider:acme AND thingTypeName:sensor", "b"],
  ["-thingTypeName:sensor", "a2 g"],
  ["thingName:alpha* - thingTypeName:sensor", "a2"],
  ["!(thingTypeName:sensor && attributes.provider:other)", "a1 a2 g"],
  ["thingName:gamma || attributes.provider:other", "b g"],
  ["attributes.provider:acme AND attributes.count<80 NOT attributes.site:south", "a1"],
  // Values of one field.
  ["thingName:(alpha* AND -alpha-1)", "a2"],
  ["thingName:(gamma OR beta-1) -thingTypeName:sensor", "g"],
  ["thingGroupNames:(north AND south)", "a2"],
  ["attributes.count:([70 TO 76] OR [79 TO 81])", "a1 a2"],
  // Any field.
  ["acme", "a1 a2"],
  ["sensor v2", "a1"],
  ["north*", "a1 a2"],
  ["[76 TO 81]", "a1 a2"],
  // Places.
  ["shadow.reported.place:geo_distance,52.5,13.4,5km", "a1"],
  ["shadow.reported.place:geo_distance,52.5,13.4,100", ""],
  ["shadow.name.gps.reported.coordinates:geo_distance,48.8,2.3,10mi", "a2"],
];

test("a query finds what AWS's would", () => {
  for (const [query, things] of finds) assert.equal(found(query), things, query);
});

const cannot = (what: string) => `Unable to parse query, ${what}`;
const badSyntax = [
  ...["thingName:", "thingName:(a", "thingName:a AND", "AND thingName:a", "thingName:a OR", "thingName:a NOT", "NOT"],
  ...["!", "()", "thingName:a)", "thingName:a -", "NOT NOT thingName:a", "NOT -thingName:a", "-NOT thingName:a"],
  ...[
    "thingName:a AND OR thingName:b",
    'thingName:"a',
    'thingName:a"',
    " ",
    "attributes.count:>5",
    "thingName:[a TO b",
  ],
  ...[
    "thingName:[a to b]",
    "thingName:[a TO b TO c]",
    "thingName:{",
    "thingName:]",
    "thingName:[]",
    "thingName:[aTOb]",
  ],
  ...["thingName:[a TO b]]", "thingName:a]b", "attributes.a[0]:x", "thingName:[TO b]", "thingName:[a TO]", "[a TO]"],
  ...[
    "thingName:[a TO b)",
    "thingName:[a\tTO\tb]",
    "bogus:1 OR thingName:",
    "thingName:a~ OR thingName:",
    "attributes.a>",
  ],
  ...["thingName:(a OR)", "thingName:()", "thingName:a:b", ":a", 'thingName:"a"b'],
];
const twelve = Array.from({ length: queryTermsMax }, () => "thingName:x").join(" OR ");

test("what is wrong with a query is told in AWS's words and order", () => {
  const refused = (
    query: string,
    message: string,
    code: "QUERY_INVALID" | "REQUEST_INVALID" = "QUERY_INVALID",
    of = fields,
  ) =>
    assert.throws(
      () => found(query, of),
      (error) => isThinglineError(error, code) && error.message.startsWith(message),
      query,
    );
  for (const query of badSyntax) refused(query, cannot(`invalid syntax, query string: ${query}`));
  const tooMany = cannot("number of terms cannot exceed 12, terms found: 13");
  assert.equal(found(twelve), "");
  refused(`${twelve} OR thingName:y`, tooMany);
  refused(`bogus:1 OR ${twelve}`, tooMany);
  refused(`thingName:(${Array.from({ length: queryTermsMax + 1 }, () => "a").join(" OR ")})`, tooMany);
  refused(`thingName:[a TO b] OR ${twelve}`, tooMany);
  for (const field of [
    "bogus",
    "registry.version",
    "attributes",
    "attributes.",
    "shadow.version",
    "shadow.reported",
    "shadow.name.other.reported.a",
    "connectivity.version",
    "ThingName",
    "constructor",
  ]) {
    refused(`${field}:1`, cannot(`invalid field name, field name: ${field}, query string: ${field}:1`));
    refused(`${field}:(1 OR 2)`, cannot(`invalid field name, field name: ${field}`));
  }
  refused("+thingName:a", cannot('unsupported operator - "+"'));
  refused("+a", cannot('unsupported operator - "+"'));
  refused("thingName:a~2", cannot("unsupported query type - fuzzy"));
  refused("thingName:/a/", cannot("unsupported query type - regular expression"));
  refused("thingName:a^2", cannot("unsupported query type - boost"));
  refused(
    "thingName:?a",
    cannot(
      "invalid value - wildcard character (?) is not allowed at the start of the value, field name: thingName, value: ?a",
    ),
  );
  refused(
    "thingName:*a*b*",
    cannot(
      "invalid value - too many wildcards (*). The maximum allowed per term is 2, field name: thingName, value: *a*b*",
    ),
  );
  refused("attributes.x:a@b", cannot("invalid value - special character (@) is not supported"));
  assert.equal(found(`thingName:${"*a".repeat(queryWildcardsMax)}`), "g");
  assert.equal(found(`thingName:*z ${"x".repeat(leadingWildcardQueryCharactersMax - 13)}`), "");
  refused("thingName:*a thingGroupNames:*b", cannot("leading wildcard is limited to 1 term per query"));
  refused(
    `thingName:*a ${"x".repeat(leadingWildcardQueryCharactersMax - 12)}`,
    cannot("query with a leading wildcard cannot be longer than 100 characters"),
  );
  refused("shadow.reported.a:geo_distance,91,0,1km", cannot("invalid value - expected geo_distance"));
  refused("shadow.reported.a:geo_distance,1,0,1parsec", cannot("invalid value - expected geo_distance"));
  const off = (what: string) =>
    `Query includes one or more constraints for ${what} attribute, but ${what} indexing is not enabled`;
  refused("shadow.reported.x:1", off("Shadow"), "REQUEST_INVALID", bare);
  refused("thingName:a OR connectivity.connected:true", off("Connectivity"), "REQUEST_INVALID", bare);
  refused("deviceDefender.violationCount:1", off("Devicedefender"), "REQUEST_INVALID");
  refused(
    "shadow.reported.x:1",
    off("Shadow"),
    "REQUEST_INVALID",
    thingFields({ ...{ hasShadow: false, hasConnectivity: false }, namedShadows: ["gps"] }),
  );
});

test("a query is at most 1,000 code points long, however deep", () => {
  assert.equal(found(`${"(".repeat(490)}thingName:gamma${")".repeat(490)}`), "g");
  assert.equal(found(`thingName:${"😀".repeat(queryCharactersMax - 10)}`), "");
  assert.throws(
    () => found(`thingName:${"😀".repeat(queryCharactersMax - 9)}`),
    (error) => isThinglineError(error, "REQUEST_INVALID") && error.message.includes("less than or equal to 1000"),
  );
});

test("groups are found by their own fields", () => {
  const attributes = { floor: "2" };
  const one = {
    ...group("cellar"),
    description: "Wine and cheese",
    attributes,
    parentGroupNames: ["house"],
    version: 1,
  };
  const matches = (query: string) => compileQuery(query, groupFields)(one);
  for (const query of [
    "thingGroupName:cel*",
    "description:wine",
    "parentGroupNames:House",
    "attributes.floor>1",
    "cheese",
  ]) {
    assert.ok(matches(query), query);
  }
  assert.ok(!matches("attributes.floor:3"));
  assert.throws(
    () => matches("thingName:x"),
    (error) => isThinglineError(error, "QUERY_INVALID"),
  );
});

test("a pattern with stars takes no more than the product of the lengths", () => {
  assert.ok(fitsPattern("abcabc", ["a", undefined, "bc"]));
  assert.ok(!fitsPattern(`${"a".repeat(50_000)}b`, [undefined, "aa", null, undefined, "c"]));
  assert.ok(fitsPattern("", [undefined]));
  assert.ok(!fitsPattern("", [null]));
});

test("generated queries find what a reference that reads them another way finds", () => {
  const count = process.env["THINGLINE_TEST_LONG"] === "1" ? 10_000 : 300;
  const counted = { some: 0, none: 0 };
  for (const { query, document, expected } of referenceCases(createVirtualRandom(11), count)) {
    assert.equal(compileQuery(query, fields)(document), expected, `${query}\n${JSON.stringify(document)}`);
    counted[expected ? "some" : "none"]++;
  }
  // Neither answer is the rule.
  assert.ok(counted.some > count / 5 && counted.none > count / 5, JSON.stringify(counted));
});

test("aggregates are computed of what fits the type", () => {
  const values = typedValues(["3", 1, "x", [5, "7"], true, undefined, {}], "Number");
  assert.deepEqual(values, [3, 1, 5, 7]);
  const statistics = statisticsOf(values, "Number");
  assert.deepEqual(statistics, {
    ...{ count: 4, average: 4, sum: 16, minimum: 1, maximum: 7, sumOfSquares: 84, variance: 5 },
    stdDeviation: Math.sqrt(5),
  });
  assert.deepEqual(statisticsOf(typedValues(["a", "b", 3], "String"), "String"), { count: 2 });
  assert.equal(statisticsOf(typedValues(["TRUE", false, "no"], "Boolean"), "Boolean").average, 0.5);
  assert.deepEqual(statisticsOf([], "Number"), { count: 0 });
  assert.equal(cardinalityOf(["a", "b", "a"]), 2);
  assert.deepEqual(percentilesOf([4, 1, 3, 2, 5], [0, 50, 90, 100]), [
    { percent: 0, value: 1 },
    { percent: 50, value: 3 },
    { percent: 90, value: 4.6 },
    { percent: 100, value: 5 },
  ]);
  assert.deepEqual(percentilesOf([], [50]), []);
  assert.deepEqual(bucketsOf(["b", "a", "b", "c"], 2), [
    { keyValue: "b", count: 2 },
    { keyValue: "a", count: 1 },
  ]);
});
