import assert from "node:assert/strict";
import { test } from "node:test";
import { isThinglineError, type ErrorCode } from "@thingline/protocol";
import { createMemoryStore } from "../../store/memory.js";
import { openIndexingWorld } from "./indexing-world.test.support.js";
import { searchPageDefault, searchPageMax } from "./search.js";
import { customFieldsMax, geoLocationsMax, namedShadowNamesMax } from "./model.js";

const has =
  (code: ErrorCode, says = "") =>
  (error: unknown) =>
    isThinglineError(error, code) && error.message.includes(says);
const off = { thingIndexingMode: "OFF" } as const;
const all = {
  thingIndexingMode: "REGISTRY_AND_SHADOW" as const,
  thingConnectivityIndexingMode: "STATUS" as const,
  namedShadowIndexingMode: "ON" as const,
  filter: { namedShadowNames: ["gps"] },
};

test("what is indexed is configured, described, and refused where it cannot be", async () => {
  const { run, indexing, index, cloud, wait } = await openIndexingWorld();
  const configuration = () => run(indexing.getIndexingConfiguration, {});
  const none = { managedFields: [], customFields: [] };
  assert.deepEqual(await configuration(), {
    thingIndexingConfiguration: {
      ...{ thingIndexingMode: "OFF", thingConnectivityIndexingMode: "OFF", deviceDefenderIndexingMode: "OFF" },
      ...{ namedShadowIndexingMode: "OFF", ...none },
    },
    thingGroupIndexingConfiguration: { thingGroupIndexingMode: "OFF", ...none },
  });
  assert.deepEqual(await run(indexing.listIndices, {}), { indexNames: [] });
  const describe = (indexName: string) => run(indexing.describeIndex, { indexName });
  await assert.rejects(describe("AWS_Things"), has("RESOURCE_NOT_FOUND", "Index AWS_Things does not exist"));
  await assert.rejects(describe("Nope"), has("REQUEST_INVALID", "Unrecognized indexName Nope"));

  const refused = (configured: Parameters<typeof index>[0], says: string) =>
    assert.rejects(index(configured), has("REQUEST_INVALID", says), says);
  const registry = { thingIndexingMode: "REGISTRY" } as const;
  const enabling = (mode: string) => `ThingIndexingMode must be turned ON for enabling ${mode}`;
  await assert.rejects(run(indexing.updateIndexingConfiguration, {}), has("REQUEST_INVALID", "At least one"));
  await refused({ ...off, thingConnectivityIndexingMode: "STATUS" }, enabling("ThingConnectivityIndexingMode"));
  await refused({ ...off, namedShadowIndexingMode: "ON" }, enabling("NamedShadowIndexingMode"));
  await refused({ ...off, deviceDefenderIndexingMode: "VIOLATIONS" }, enabling("DeviceDefenderIndexingMode"));
  await refused({ ...registry, deviceDefenderIndexingMode: "VIOLATIONS" }, "deviceDefenderIndexingMode: VIOLATIONS");
  await refused({ ...registry, namedShadowIndexingMode: "ON" }, "NamedShadowNames Filter must not be empty");
  await refused(
    { ...registry, managedFields: [{ name: "thingName", type: "Number" }] },
    "Invalid field(s): [name:thingName, type:Number]",
  );
  const field = (name?: string, type?: "String") => ({ ...(name && { name }), ...(type && { type }) });
  await refused(
    { ...registry, customFields: [{}] },
    "Custom field name cannot be nullFieldName: null, FieldType: null",
  );
  await refused({ ...registry, customFields: [field("attributes.x")] }, "Invalid field type: null");
  await refused({ ...registry, customFields: [field("thingName", "String")] }, "Defined field is a reserved field");
  await refused({ ...registry, customFields: [field("shadow.reported.x", "String")] }, "Shadow indexing is needed");
  await refused({ ...registry, customFields: [field("x", "String")] }, "Invalid custom field name");
  const many = <T>(count: number, make: (at: number) => T) => Array.from({ length: count }, (_, at) => make(at));
  const named = (count: number) => ({
    ...{ ...registry, namedShadowIndexingMode: "ON" as const },
    filter: { namedShadowNames: many(count, (at) => `s${at}`) },
  });
  const customs = (count: number) => ({
    ...registry,
    customFields: many(count, (at) => field(`attributes.a${at}`, "String")),
  });
  const places = (count: number) => ({
    ...registry,
    filter: { geoLocations: many(count, (at) => ({ name: `attributes.g${at}` })) },
  });
  await index(named(namedShadowNamesMax));
  await refused(named(namedShadowNamesMax + 1), "filter.namedShadowNames has at most 10");
  await index(customs(customFieldsMax));
  await refused(customs(customFieldsMax + 1), "customFields has at most 5");
  await index(places(geoLocationsMax));
  await refused(places(geoLocationsMax + 1), "filter.geoLocations has at most 5");

  await index({ ...all, customFields: [field("attributes.site", "String")] }, "ON");
  const { thingIndexingConfiguration: things } = await configuration();
  assert.deepEqual(things?.filter, { namedShadowNames: ["gps"] });
  assert.deepEqual(things?.customFields, [{ name: "attributes.site", type: "String" }]);
  assert.equal(things?.managedFields?.length, 17);
  assert.deepEqual(await describe("AWS_Things"), {
    ...{ indexName: "AWS_Things", indexStatus: "ACTIVE", schema: "MULTI_INDEXING_MODE" },
  });
  assert.equal((await describe("AWS_ThingGroups")).schema, "REGISTRY");
  assert.deepEqual(await run(indexing.listIndices, { maxResults: 1 }).then(({ indexNames }) => indexNames), [
    "AWS_ThingGroups",
  ]);
  for (const [configured, schema] of [
    [registry, "REGISTRY"],
    [{ ...registry, thingConnectivityIndexingMode: "STATUS" }, "REGISTRY_AND_CONNECTIVITY_STATUS"],
    [{ thingIndexingMode: "REGISTRY_AND_SHADOW" }, "REGISTRY_AND_SHADOW"],
  ] as const) {
    await index(configured);
    assert.equal((await describe("AWS_Things")).schema, schema);
  }
  await wait(cloud.close());
});

test("a search knows what was answered before it: things, shadows, groups, and what is gone", async () => {
  const world = await openIndexingWorld();
  const { run, registry, indexing, shadows, index, thing, update, report, search, cloud, wait } = world;
  await thing("pump-1", { site: "north" });
  await assert.rejects(
    search("*"),
    has("RESOURCE_NOT_FOUND", "Please enable index by calling UpdateIndexingConfiguration"),
  );
  await index(all, "ON");
  assert.deepEqual(await search("attributes.site:north"), ["pump-1"]);
  await thing("pump-2", { site: "south" });
  await update("pump-1", { site: "south" });
  assert.deepEqual(await search("attributes.site:south"), ["pump-1", "pump-2"]);
  await report("pump-2", { battery: 20 });
  await report("pump-2", { coordinates: "52.5,13.4" }, "gps");
  await report("pump-2", { secret: 1 }, "other");
  assert.deepEqual(await search("shadow.reported.battery<30"), ["pump-2"]);
  assert.deepEqual(await search("shadow.name.gps.reported.coordinates:geo_distance,52.5,13.4,1km"), ["pump-2"]);
  await run(registry.createThingGroup, { thingGroupName: "fleet" });
  await run(registry.createThingGroup, { thingGroupName: "north", parentGroupName: "fleet" });
  await run(registry.addThingToThingGroup, { thingName: "pump-2", thingGroupName: "north" });
  await run(registry.createThingType, { thingTypeName: "pump" });
  await run(registry.updateThing, { thingName: "pump-2", thingTypeName: "pump" });
  assert.deepEqual(await search("thingGroupNames:north thingTypeName:pump"), ["pump-2"]);

  const { things = [] } = await run(indexing.searchIndex, { queryString: "thingName:pump-2" });
  const [{ thingId, shadow = "", ...found } = {}] = things;
  assert.match(thingId ?? "", /^[0-9a-f-]{36}$/);
  assert.deepEqual(found, {
    ...{ thingName: "pump-2", thingTypeName: "pump", thingGroupNames: ["north"], attributes: { site: "south" } },
    connectivity: { connected: false, timestamp: 0, clientId: "pump-2" },
  });
  const { metadata, name, ...classic } = JSON.parse(shadow) as Record<string, Record<string, unknown>>;
  assert.deepEqual(classic, { reported: { battery: 20 }, hasDelta: false, version: 1 });
  assert.ok("reported" in metadata!);
  assert.deepEqual(Object.keys(name!), ["gps"]);
  const groups = await run(indexing.searchIndex, {
    indexName: "AWS_ThingGroups",
    queryString: "parentGroupNames:fleet",
  });
  assert.deepEqual(
    groups.thingGroups?.map(({ thingGroupName, parentGroupNames }) => [thingGroupName, parentGroupNames]),
    [["north", ["fleet"]]],
  );

  await run(shadows.deleteThingShadow, { thingName: "pump-2" });
  assert.deepEqual(await search("shadow.reported.battery:*"), []);
  await run(registry.deleteThing, { thingName: "pump-2" });
  assert.deepEqual(await search("*"), ["pump-1"]);
  // What is not indexed any more is neither found nor searched.
  await index({ thingIndexingMode: "REGISTRY" });
  await assert.rejects(search("shadow.reported.x:1"), has("REQUEST_INVALID", "Shadow indexing is not enabled"));
  const bare = await run(indexing.searchIndex, { queryString: "*" });
  assert.ok(!("connectivity" in bare.things![0]!));
  await index(off);
  await assert.rejects(search("*"), has("RESOURCE_NOT_FOUND"));
  await wait(cloud.close());
});

test("pages go on by a token of their own request", async () => {
  const { run, indexing, index, thing, registry, cloud, wait } = await openIndexingWorld();
  await index({ thingIndexingMode: "REGISTRY" });
  for (const name of ["c", "a", "d", "b"]) await thing(name);
  const page = (more: object) => run(indexing.searchIndex, { queryString: "*", ...more });
  const first = await page({ maxResults: 2 });
  assert.deepEqual(
    first.things?.map(({ thingName }) => thingName),
    ["a", "b"],
  );
  await run(registry.deleteThing, { thingName: "b" });
  const { nextToken } = first;
  const second = await page({ nextToken, maxResults: 2_147_483_647 });
  assert.deepEqual(
    second.things?.map(({ thingName }) => thingName),
    ["c", "d"],
  );
  assert.equal(second.nextToken, undefined);
  for (const other of [{ queryString: "thingName:*" }, { indexName: "AWS_Things" }, { queryVersion: "2017-09-30" }]) {
    await assert.rejects(page({ ...other, nextToken }), has("REQUEST_INVALID", "with different parameters"));
  }
  for (const bad of ["bogus", btoa("[1]"), btoa('"x"')]) {
    await assert.rejects(page({ nextToken: bad }), has("REQUEST_INVALID", "Invalid nextToken"));
  }
  await assert.rejects(
    page({ queryVersion: "2030-01-01", indexName: "Nope" }),
    has("REQUEST_INVALID", "Invalid queryVersion. Expected one of: [2017-09-30]"),
  );
  await assert.rejects(page({ indexName: "Nope" }), has("REQUEST_INVALID", "Unrecognized indexName Nope"));
  await assert.rejects(page({ queryString: "x:1", nextToken: "bogus" }), has("QUERY_INVALID", "invalid field name"));
  await wait(cloud.close());
});

test("a page has so many things, asked or unasked", async () => {
  const { cloud, wait, indexing, index, registry } = await openIndexingWorld();
  const names = Array.from({ length: searchPageMax + 1 }, (_, at) => `t${at}`);
  await wait(Promise.all(names.map((thingName) => cloud.run(registry.createThing, { thingName }))));
  await index({ thingIndexingMode: "REGISTRY" });
  for (const [maxResults, count] of [
    [undefined, searchPageDefault],
    [10_000, searchPageMax],
    [7, 7],
  ] as const) {
    const input = { queryString: "t*", ...(maxResults !== undefined && { maxResults }) };
    const { things = [], nextToken } = await wait(cloud.run(indexing.searchIndex, input));
    assert.deepEqual([things.length, nextToken === undefined], [count, false]);
  }
  await wait(cloud.close());
});

test("aggregates are of managed and custom fields alone", async () => {
  const { run, indexing, index, thing, report, cloud, wait } = await openIndexingWorld();
  const customFields = [
    { name: "attributes.floor", type: "Number" as const },
    { name: "shadow.reported.mode", type: "String" as const },
  ];
  await index({ thingIndexingMode: "REGISTRY_AND_SHADOW", customFields });
  for (const [name, floor] of [
    ["a", "1"],
    ["b", "3"],
    ["c", "x"],
  ] as const)
    await thing(name, { floor });
  for (const [name, mode] of [
    ["a", "eco"],
    ["b", "eco"],
    ["c", "max"],
  ] as const)
    await report(name, { mode });
  const asked = (aggregationField?: string, queryString = "*") => ({
    queryString,
    ...(aggregationField && { aggregationField }),
  });
  const { statistics } = await run(indexing.getStatistics, asked("attributes.floor"));
  assert.deepEqual(statistics, {
    count: 2,
    average: 2,
    sum: 4,
    minimum: 1,
    maximum: 3,
    sumOfSquares: 10,
    variance: 1,
    stdDeviation: 1,
  });
  assert.equal((await run(indexing.getStatistics, asked(undefined, "thingName:a"))).statistics?.count, 1);
  assert.deepEqual(await run(indexing.getCardinality, asked("shadow.reported.mode")), { cardinality: 2 });
  const percentiles = await run(indexing.getPercentiles, { ...asked("attributes.floor"), percents: [50] });
  assert.deepEqual(percentiles, { percentiles: [{ percent: 50, value: 2 }] });
  const buckets = await run(indexing.getBucketsAggregation, {
    ...{ queryString: "*", aggregationField: "shadow.reported.mode" },
    bucketsAggregationType: { termsAggregation: { maxBuckets: 1 } },
  });
  assert.deepEqual(buckets, { totalCount: 3, buckets: [{ keyValue: "eco", count: 2 }] });
  await assert.rejects(
    run(indexing.getStatistics, asked("attributes.other")),
    has("QUERY_AGGREGATION_INVALID", "attributes.other"),
  );
  await assert.rejects(
    run(indexing.getPercentiles, asked("shadow.reported.mode")),
    has("QUERY_AGGREGATION_INVALID", "Number"),
  );
  await assert.rejects(run(indexing.getCardinality, asked("registry.version", "(")), has("QUERY_INVALID"));
  await wait(cloud.close());
});

test("a thing is connected as long as the client of its name is", async () => {
  const store = createMemoryStore();
  const world = await openIndexingWorld({ store });
  const { index, thing, search, connect, pass, run, indexing } = world;
  for (const name of ["pump", "early"]) await thing(name);
  // Who is connected already is known when connections begin to be noted.
  const early = await connect("early");
  await assert.rejects(
    run(indexing.getThingConnectivityData, { thingName: "pump" }),
    has("INDEX_NOT_READY", "Connectivity indexing is not enabled"),
  );
  await index({
    ...all,
    filter: { ...all.filter, connectivity: { includeSocketInformation: ["GET_THING_CONNECTIVITY_DATA"] } },
  });
  const data = (includeSocketInformation = false) =>
    run(indexing.getThingConnectivityData, { thingName: "pump", includeSocketInformation });
  assert.deepEqual(await data(), { thingName: "pump", clientId: "pump", connected: false });
  await assert.rejects(run(indexing.getThingConnectivityData, { thingName: "no" }), has("RESOURCE_NOT_FOUND"));

  assert.deepEqual(await search("connectivity.connected:true"), ["early"]);
  early.connection.destroy();
  await pass();
  assert.deepEqual(await search("connectivity.disconnectReason:CONNECTION_LOST"), ["early"]);
  const first = await connect("pump");
  await connect("stranger");
  await pass();
  assert.deepEqual(await search("connectivity.connected:true"), ["pump"]);
  assert.equal((await data(true)).sourceIp !== undefined, true);
  // Another connection takes over: the end of the first one is no end.
  await connect("pump");
  await pass();
  assert.deepEqual(await search("connectivity.connected:true"), ["pump"]);
  first.connection.destroy();
  const third = await connect("pump");
  third.connection.destroy();
  await pass();
  assert.deepEqual(await search("connectivity.disconnectReason:CONNECTION_LOST"), ["early", "pump"]);
  assert.deepEqual(await search("connectivity.connected:true"), []);
  const { connected, disconnectReason, timestamp } = await data();
  assert.deepEqual([connected, disconnectReason], [false, "CONNECTION_LOST"]);
  assert.ok(timestamp! > 0 && timestamp! < 10_000_000_000);

  // A process that is killed tells nobody; the next one knows that its connections are over.
  await connect("pump");
  await pass();
  const next = await openIndexingWorld({ store });
  assert.deepEqual(await next.search("connectivity.disconnectReason:SERVER_ERROR"), ["pump"]);
  await next.wait(next.cloud.close());
});

test("an index is as it was after a restart, a reset and a restore", async () => {
  const store = createMemoryStore();
  const world = await openIndexingWorld({ store });
  await world.index(all);
  await world.thing("kept", { site: "north" });
  const snapshot = await world.wait(world.cloud.snapshot());
  const next = await openIndexingWorld({ store });
  assert.deepEqual(await next.search("attributes.site:north"), ["kept"]);
  await next.wait(next.cloud.reset());
  await assert.rejects(next.search("*"), has("RESOURCE_NOT_FOUND"));
  await next.wait(next.cloud.restore(snapshot));
  assert.deepEqual(await next.search("*"), ["kept"]);
  await next.thing("more");
  assert.deepEqual(await next.search("*"), ["kept", "more"]);
  await next.wait(next.cloud.close());
  assert.equal(next.clock.timerCount, 0);
});

test("another account and region has an index of its own", async () => {
  const { cloud, wait, indexing, registry, index, thing, search } = await openIndexingWorld();
  const other = { account: "222222222222", region: "eu-west-1" };
  await wait(
    cloud.run(
      indexing.updateIndexingConfiguration,
      { thingIndexingConfiguration: { thingIndexingMode: "REGISTRY" } },
      other,
    ),
  );
  await wait(cloud.run(registry.createThing, { thingName: "theirs" }, other));
  await thing("ours");
  await assert.rejects(search("*"), has("RESOURCE_NOT_FOUND"));
  const found = await wait(cloud.run(indexing.searchIndex, { queryString: "*" }, { ...other }));
  assert.deepEqual(
    found.things?.map(({ thingName }) => thingName),
    ["theirs"],
  );
  await index({ thingIndexingMode: "REGISTRY" });
  assert.deepEqual(await search("*"), ["ours"]);
  await wait(cloud.close());
});

test("a store that cannot be read makes a search fail, and the next one reads all of it again", async () => {
  const store = createMemoryStore();
  let isBroken = false;
  const list: typeof store.list = (prefix, options) =>
    isBroken && prefix[2] === "thing" ? Promise.reject(new Error("unreadable")) : store.list(prefix, options);
  const world = await openIndexingWorld({ store: { ...store, list } });
  await world.thing("a");
  isBroken = true;
  await world.index({ thingIndexingMode: "REGISTRY" });
  await assert.rejects(world.search("*"), has("INDEX_NOT_READY"));
  assert.ok(world.logged.some(({ event }) => event === "indexingFailed"));
  isBroken = false;
  assert.deepEqual(await world.search("*"), ["a"]);
  await world.wait(world.cloud.close());
});

test("a thing that is made again under the name of one that was connected is not connected", async () => {
  const { run, index, thing, connect, search, pass, registry, indexing, cloud, wait, store } =
    await openIndexingWorld();
  await index({ thingIndexingMode: "REGISTRY", thingConnectivityIndexingMode: "STATUS" });
  const isConnected = async () =>
    (await run(indexing.getThingConnectivityData, { thingName: "pump" })).connected === true;
  await thing("pump");
  const client = await connect("pump");
  await pass();
  assert.equal(await isConnected(), true);
  await run(registry.deleteThing, { thingName: "pump" });
  assert.deepEqual(await search("*"), []);
  const records = await store.list(["123456789012", "us-east-1", "connectivity"], { limit: 9 });
  assert.deepEqual(records, [], "nothing is kept of things that there are no more");
  client.connection.destroy();
  await pass();
  await thing("pump");
  assert.equal(await isConnected(), false);
  assert.deepEqual(await search("connectivity.connected:true"), []);
  await wait(cloud.close());
});
