import assert from "node:assert/strict";
import { test } from "node:test";
import { isThinglineError, type ErrorCode } from "@thingline/protocol";
import { createMemoryStore } from "../../store/memory.js";
import { dynamicGroupsMax, groupsPerThingMax } from "../registry/model.js";
import { openIndexingWorld, type IndexingWorld } from "./indexing-world.test.support.js";

const has =
  (code: ErrorCode, says = "") =>
  (error: unknown) =>
    isThinglineError(error, code) && error.message.includes(says);
const arn = (resource: string) => `arn:aws:iot:us-east-1:123456789012:${resource}`;

async function openWorld(options: Parameters<typeof openIndexingWorld>[0] = {}) {
  const world = await openIndexingWorld(options);
  const { run, indexing, registry } = world;
  return {
    ...world,
    create: (thingGroupName: string, queryString: string, more: object = {}) =>
      run(indexing.createDynamicThingGroup, { thingGroupName, queryString, ...more }),
    describe: (thingGroupName: string) => run(registry.describeThingGroup, { thingGroupName }),
    groupsOf: async (thingName: string) => {
      const { thingGroups = [] } = await run(registry.listThingGroupsForThing, { thingName, maxResults: 250 });
      return thingGroups.map(({ groupName }) => groupName);
    },
  };
}

const close = ({ wait, cloud }: IndexingWorld) => wait(cloud.close());

test("a dynamic group has the things that meet its query, from its creation to its deletion", async () => {
  const world = await openWorld();
  const { run, indexing, registry, index, thing, update, report, create, describe, thingsIn, groupsOf, search } = world;
  await assert.rejects(create("hot", "shadow.reported.heat>30"), has("RESOURCE_NOT_FOUND", "Please enable index"));
  await index({ thingIndexingMode: "REGISTRY_AND_SHADOW" }, "ON");
  await thing("a", { site: "north" });
  await thing("b", { site: "south" });
  await assert.rejects(create("hot", "heat>"), has("QUERY_INVALID"));
  await assert.rejects(create("hot", "*", { indexName: "AWS_ThingGroups" }), has("REQUEST_INVALID", "AWS_Things"));
  await assert.rejects(create("hot", "*", { queryVersion: "2020-01-01" }), has("REQUEST_INVALID", "queryVersion"));
  const created = await create("north", "attributes.site:north", {
    thingGroupProperties: { thingGroupDescription: "beyond" },
    tags: [{ Key: "k", Value: "v" }],
  });
  const query = { indexName: "AWS_Things", queryString: "attributes.site:north", queryVersion: "2017-09-30" };
  assert.deepEqual(created, {
    ...{
      thingGroupName: "north",
      thingGroupArn: arn("thinggroup/north"),
      thingGroupId: created.thingGroupId,
      ...query,
    },
  });
  const { status, version, ...described } = await describe("north");
  assert.deepEqual([status, version, described.queryString], ["ACTIVE", 1, query.queryString]);
  assert.deepEqual(await thingsIn("north"), ["a"]);
  // By whatever a thing comes in or goes out: a new thing, an attribute, a shadow, its deletion.
  await thing("c", { site: "north" });
  await update("a", { site: "south" });
  assert.deepEqual(await thingsIn("north"), ["c"]);
  await create("hot", "shadow.reported.heat>30");
  await report("b", { heat: 31 });
  assert.deepEqual([await thingsIn("hot"), await groupsOf("b")], [["b"], ["hot"]]);
  await report("b", { heat: 30 });
  assert.deepEqual(await thingsIn("hot"), []);
  await run(registry.deleteThing, { thingName: "c" });
  assert.deepEqual(await thingsIn("north"), []);
  // Its things are searched by its name, and it is found as groups are.
  await report("b", { heat: 99 });
  assert.deepEqual(await search("thingGroupNames:hot"), ["b"]);
  const { groupName } = (await run(registry.listThingGroups, { namePrefixFilter: "h" })).thingGroups[0]!;
  assert.equal(groupName, "hot");

  const change = (more: object) =>
    run(indexing.updateDynamicThingGroup, { thingGroupName: "hot", thingGroupProperties: {}, ...more });
  assert.deepEqual(await change({ queryString: "shadow.reported.heat<50", expectedVersion: 1 }), { version: 2 });
  assert.deepEqual([(await describe("hot")).status, await thingsIn("hot")], ["ACTIVE", []]);
  await assert.rejects(change({ expectedVersion: 1 }), has("VERSION_CONFLICT"));
  await assert.rejects(change({ queryString: "(" }), has("QUERY_INVALID"));
  await change({ queryString: "shadow.reported.heat:*" });
  assert.deepEqual(await thingsIn("hot"), ["b"]);

  await assert.rejects(
    index({ thingIndexingMode: "OFF" }),
    has("REQUEST_INVALID", "while there are dynamic thing groups"),
  );
  for (const thingGroupName of ["hot", "north", "hot"]) await run(indexing.deleteDynamicThingGroup, { thingGroupName });
  assert.deepEqual(await groupsOf("b"), []);
  await assert.rejects(describe("hot"), has("RESOURCE_NOT_FOUND"));
  await index({ thingIndexingMode: "OFF" });
  await close(world);
});

test("what is for static groups is refused for a dynamic one, and the other way round", async () => {
  const world = await openWorld();
  const { run, indexing, registry, index, thing, create } = world;
  await index({ thingIndexingMode: "REGISTRY" });
  await thing("a");
  await create("dynamic", "thingName:a");
  await create("dynamic", "thingName:a");
  await assert.rejects(create("dynamic", "thingName:b"), has("RESOURCE_EXISTS"));
  await run(registry.createThingGroup, { thingGroupName: "static" });
  await assert.rejects(create("static", "thingName:a"), has("RESOURCE_EXISTS"));
  const thingGroupName = "dynamic";
  const policyDocument = '{"Version":"2012-10-17","Statement":{"Effect":"Allow","Action":"iot:*","Resource":"*"}}';
  await run(registry.createPolicy, { policyName: "p", policyDocument });
  const isRefused = async (what: Promise<unknown>, says = "is a dynamic thing group") =>
    assert.rejects(what, has("REQUEST_INVALID", says));
  await isRefused(run(registry.addThingToThingGroup, { thingName: "a", thingGroupName }));
  await isRefused(run(registry.removeThingFromThingGroup, { thingName: "a", thingGroupName }));
  await isRefused(run(registry.updateThingGroupsForThing, { thingName: "a", thingGroupsToAdd: [thingGroupName] }));
  await isRefused(run(registry.updateThingGroup, { thingGroupName, thingGroupProperties: {} }));
  await isRefused(run(registry.deleteThingGroup, { thingGroupName }));
  await isRefused(run(registry.createThingGroup, { thingGroupName: "below", parentGroupName: thingGroupName }));
  await assert.rejects(run(registry.createThingGroup, { thingGroupName }), has("RESOURCE_EXISTS"));
  const target = arn("thinggroup/dynamic");
  await isRefused(
    run(registry.attachPolicy, { policyName: "p", target }),
    "cannot be attached to a dynamic thing group",
  );
  const notDynamic = "is not a dynamic thing group";
  await isRefused(
    run(indexing.updateDynamicThingGroup, { thingGroupName: "static", thingGroupProperties: {} }),
    notDynamic,
  );
  await isRefused(run(indexing.deleteDynamicThingGroup, { thingGroupName: "static" }), notDynamic);
  await assert.rejects(
    run(indexing.updateDynamicThingGroup, { thingGroupName: "none", thingGroupProperties: {} }),
    has("RESOURCE_NOT_FOUND"),
  );
  await close(world);
});

test("a thing in as many groups as it can be is in the oldest dynamic ones; a static group can take the place of the newest", async () => {
  const world = await openWorld();
  const { run, registry, index, thing, update, create, groupsOf, clock, logged } = world;
  await index({ thingIndexingMode: "REGISTRY" });
  await thing("a", { on: "1" });
  await run(registry.createThingGroup, { thingGroupName: "static" });
  // The newest groups have the first names.
  const names = Array.from({ length: groupsPerThingMax + 1 }, (_, at) => `g${String(99 - at)}`);
  for (const name of names) {
    await create(name, "attributes.on:1");
    await clock.advance(1);
  }
  assert.deepEqual(await groupsOf("a"), names.slice(0, groupsPerThingMax).toSorted());
  const full = logged.find(({ event }) => event === "dynamicGroupFull");
  assert.equal(full?.facts["thingGroupName"], names.at(-1));
  const add = (overrideDynamicGroups: boolean) =>
    run(registry.addThingToThingGroup, { thingName: "a", thingGroupName: "static", overrideDynamicGroups });
  await assert.rejects(add(false), has("REQUEST_INVALID", "at most 10"));
  await add(true);
  assert.deepEqual(await groupsOf("a"), [...names.slice(0, groupsPerThingMax - 1).toSorted(), "static"]);
  // The place that an older group gives up goes to a newer one.
  await update("a", {});
  assert.deepEqual(await groupsOf("a"), ["static"]);
  await update("a", { on: "1" });
  assert.equal((await groupsOf("a")).length, groupsPerThingMax);
  await close(world);
});

test("groups that look for each other do not chase each other", async () => {
  const world = await openWorld();
  const { run, registry, index, thing, create, thingsIn } = world;
  await index({ thingIndexingMode: "REGISTRY" });
  await thing("a");
  await create("one", "NOT thingGroupNames:two");
  await create("two", "NOT thingGroupNames:one");
  await create("self", "NOT thingGroupNames:self");
  assert.deepEqual([await thingsIn("one"), await thingsIn("two"), await thingsIn("self")], [["a"], ["a"], ["a"]]);
  // Static groups count.
  await run(registry.createThingGroup, { thingGroupName: "static" });
  await create("in", "thingGroupNames:static");
  await run(registry.addThingToThingGroup, { thingName: "a", thingGroupName: "static" });
  assert.deepEqual(await thingsIn("in"), ["a"]);
  await close(world);
});

test("there are at most so many dynamic groups", async () => {
  const world = await openWorld();
  const { run, indexing, index, create } = world;
  await index({ thingIndexingMode: "REGISTRY" });
  for (let at = 0; at < dynamicGroupsMax; at++) await create(`g${at}`, "thingName:none");
  await assert.rejects(create("more", "thingName:none"), has("QUOTA_EXCEEDED", "100 dynamic thing groups"));
  await run(indexing.deleteDynamicThingGroup, { thingGroupName: "g0" });
  await create("more", "thingName:none");
  await close(world);
});

test("a continuous job goes to things that join the dynamic group, and members are as before after a kill", async () => {
  const store = createMemoryStore();
  const world = await openWorld({ store });
  const { run, cloud, registry, index, thing, update, create, pass, thingsIn } = world;
  await run(registry.updateEventConfigurations, { eventConfigurations: { THING_GROUP_MEMBERSHIP: { Enabled: true } } });
  await index({ thingIndexingMode: "REGISTRY" });
  await thing("a", { v: "1" });
  await thing("b", { v: "2" });
  await create("old", "attributes.v<2");
  const listener = await world.connect("listener");
  const filter = "$aws/events/thingGroupMembership/#";
  listener.send({
    type: "subscribe",
    packetId: 1,
    subscriptions: [{ filter, qos: 0, noLocal: false, retainAsPublished: false, retainHandling: 0 }],
  } as never);
  const { jobs } = cloud;
  const job = {
    jobId: "update",
    targets: [arn("thinggroup/old")],
    document: "{}",
    targetSelection: "CONTINUOUS",
  } as const;
  await run(jobs.createJob, job);
  await pass(200);
  const executions = async () => {
    const { executionSummaries = [] } = await run(jobs.listJobExecutionsForJob, { jobId: "update" });
    return executionSummaries
      .map(({ thingArn, jobExecutionSummary }) => [thingArn?.split("/")[1], jobExecutionSummary?.status])
      .sort();
  };
  assert.deepEqual(await executions(), [["a", "QUEUED"]]);
  await update("b", { v: "1" });
  await pass(200);
  assert.deepEqual(await executions(), [
    ["a", "QUEUED"],
    ["b", "QUEUED"],
  ]);
  const events = listener.packets.flatMap((packet) => (packet.type === "publish" ? [packet.topic] : []));
  assert.deepEqual(events, ["$aws/events/thingGroupMembership/thingGroup/old/thing/b/added"]);
  await update("a", { v: "3" });
  await pass(200);
  assert.deepEqual(await executions(), [
    ["a", "REMOVED"],
    ["b", "QUEUED"],
  ]);

  const next = await openIndexingWorld({ store });
  assert.deepEqual([await thingsIn("old"), await next.thingsIn("old")], [["b"], ["b"]]);
  await next.update("a", { v: "0" });
  assert.deepEqual(await next.thingsIn("old"), ["a", "b"]);
  await close(next);
});
