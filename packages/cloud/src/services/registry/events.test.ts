import assert from "node:assert/strict";
import { test } from "node:test";
import { openServiceWorld, type NotedEffect, type ServiceWorld } from "../world.test.support.js";
import { eventTypes, isEventTypeEnabled, type EventType } from "./event-configurations.js";
import { deprecationMs } from "./thing-type-model.js";

const accountId = "123456789012";

async function switchOn({ run, registry }: ServiceWorld, ...types: EventType[]) {
  const eventConfigurations = Object.fromEntries(types.map((type) => [type, { Enabled: true }]));
  await run(registry.updateEventConfigurations, { eventConfigurations });
}

interface Published {
  topic: string;
  event: Record<string, unknown>;
}

function publishedBy(effects: readonly NotedEffect[]): Published[] {
  return effects.flatMap((effect) => {
    if (effect.type !== "publish") return [];
    const event = JSON.parse(new TextDecoder().decode(effect.payload)) as Record<string, unknown>;
    return [{ topic: effect.topic, event }];
  });
}

/** Those of the last operations, without what is another each time. */
async function published({ takeEffects, clock }: ServiceWorld): Promise<Published[]> {
  return publishedBy(await takeEffects()).map(({ topic, event: { eventId, timestamp, ...event } }) => {
    assert.match(String(eventId), /^[0-9a-f-]{36}$/);
    assert.equal(timestamp, clock.unixMs());
    return { topic, event };
  });
}

test("all events are off in a new account, and each is switched by itself", async () => {
  const world = await openServiceWorld();
  const { run, registry, clock } = world;
  const states = async () => {
    const { eventConfigurations } = await run(registry.describeEventConfigurations, {});
    assert.deepEqual(Object.keys(eventConfigurations), [...eventTypes]);
    return eventTypes.filter((type) => eventConfigurations[type].Enabled);
  };
  assert.deepEqual(await states(), []);
  const before = await run(registry.describeEventConfigurations, {});
  assert.equal("creationDate" in before, false);
  const createdAtMs = clock.unixMs();
  await switchOn(world, "JOB", "THING");
  await clock.advance(5_000);
  await run(registry.updateEventConfigurations, {
    eventConfigurations: { THING: { Enabled: false }, POLICY: { Enabled: true } },
  });
  assert.deepEqual(await states(), ["JOB", "POLICY"]);
  const { creationDate, lastModifiedDate } = await run(registry.describeEventConfigurations, {});
  assert.deepEqual([creationDate, lastModifiedDate], [createdAtMs / 1000, createdAtMs / 1000 + 5]);
  assert.equal(await run(isEventTypeEnabled, { eventType: "JOB" }), true);
  assert.equal(await run(isEventTypeEnabled, { eventType: "JOB_EXECUTION" }), false);
  await assert.rejects(
    run(registry.updateEventConfigurations, { eventConfigurations: { UNKNOWN: { Enabled: true } } as never }),
    /eventConfigurations/,
  );
});

test("nothing is published of what is off", async () => {
  const world = await openServiceWorld();
  const { run, registry } = world;
  await switchOn(world, "POLICY", "CERTIFICATE", "JOB");
  await run(registry.createThingType, { thingTypeName: "lamp" });
  await run(registry.createThing, { thingName: "t", thingTypeName: "lamp" });
  await run(registry.createThingGroup, { thingGroupName: "g" });
  await run(registry.addThingToThingGroup, { thingName: "t", thingGroupName: "g" });
  await run(registry.deleteThing, { thingName: "t" });
  assert.deepEqual(await published(world), []);
});

test("a thing that is created, updated and deleted is told with what it is", async () => {
  const world = await openServiceWorld();
  const { run, registry } = world;
  await switchOn(world, "THING");
  const thingName = "t";
  const { thingId } = await run(registry.createThing, { thingName });
  await run(registry.createThing, { thingName });
  await run(registry.updateThing, { thingName, attributePayload: { attributes: { site: "north" } } });
  await run(registry.deleteThing, { thingName });
  await run(registry.deleteThing, { thingName });
  const event = { eventType: "THING_EVENT", accountId, thingId, thingName, thingTypeName: null };
  const after = { versionNumber: 2, attributes: { site: "north" } };
  assert.deepEqual(await published(world), [
    {
      topic: "$aws/events/thing/t/created",
      event: { ...event, operation: "CREATED", versionNumber: 1, attributes: {} },
    },
    { topic: "$aws/events/thing/t/updated", event: { ...event, operation: "UPDATED", ...after } },
    { topic: "$aws/events/thing/t/deleted", event: { ...event, operation: "DELETED", ...after } },
  ]);
});

test("a group and its place in the hierarchy are told", async () => {
  const world = await openServiceWorld();
  const { run, registry } = world;
  const { thingGroupId: parentGroupId } = await run(registry.createThingGroup, { thingGroupName: "fleet" });
  await switchOn(world, "THING_GROUP", "THING_GROUP_HIERARCHY");
  const thingGroupName = "north";
  const created = await run(registry.createThingGroup, {
    thingGroupName,
    parentGroupName: "fleet",
    thingGroupProperties: { thingGroupDescription: "cold" },
  });
  await run(registry.updateThingGroup, {
    thingGroupName,
    thingGroupProperties: { attributePayload: { attributes: { a: "1" } } },
  });
  await run(registry.deleteThingGroup, { thingGroupName });
  const { thingGroupId } = created;
  const group = {
    eventType: "THING_GROUP_EVENT",
    accountId,
    thingGroupId,
    thingGroupName,
    parentGroupName: "fleet",
    parentGroupId,
    description: "cold",
    rootToParentThingGroups: [
      { groupArn: `arn:aws:iot:us-east-1:${accountId}:thinggroup/fleet`, groupId: parentGroupId },
    ],
    dynamicGroupMappingId: null,
  };
  const hierarchy = {
    eventType: "THING_GROUP_HIERARCHY_EVENT",
    accountId,
    thingGroupId: parentGroupId,
    thingGroupName: "fleet",
    childGroupId: thingGroupId,
    childGroupName: "north",
  };
  const topic = "$aws/events/thingGroup/north";
  const hierarchyTopic = "$aws/events/thingGroupHierarchy/thingGroup/fleet/childThingGroup/north";
  const after = { versionNumber: 2, attributes: { a: "1" } };
  assert.deepEqual(await published(world), [
    { topic: `${topic}/created`, event: { ...group, operation: "CREATED", versionNumber: 1, attributes: {} } },
    { topic: `${hierarchyTopic}/added`, event: { ...hierarchy, operation: "ADDED" } },
    { topic: `${topic}/updated`, event: { ...group, operation: "UPDATED", ...after } },
    { topic: `${hierarchyTopic}/removed`, event: { ...hierarchy, operation: "REMOVED" } },
    { topic: `${topic}/deleted`, event: { ...group, operation: "DELETED", ...after } },
  ]);
});

test("a thing that joins and leaves is told, also when it or the group is deleted", async () => {
  const world = await openServiceWorld();
  const { run, registry } = world;
  await switchOn(world, "THING_GROUP_MEMBERSHIP");
  const [thingName, thingGroupName] = ["t", "g"];
  const { thingId, thingArn } = await run(registry.createThing, { thingName });
  const { thingGroupId: groupId, thingGroupArn: groupArn } = await run(registry.createThingGroup, { thingGroupName });
  const membership = { thingName, thingGroupName };
  const topic = "$aws/events/thingGroupMembership/thingGroup/g/thing/t";
  const leave: (() => Promise<unknown>)[] = [
    () => run(registry.removeThingFromThingGroup, membership),
    () => run(registry.deleteThing, { thingName }),
    () => run(registry.deleteThingGroup, { thingGroupName }),
  ];
  for (const [at, how] of leave.entries()) {
    if (at === 2) await run(registry.createThing, { thingName });
    await run(registry.addThingToThingGroup, membership);
    await run(registry.addThingToThingGroup, membership);
    await how();
    const [added, removed, ...others] = await published(world);
    assert.deepEqual(others, []);
    const { membershipId } = added?.event ?? {};
    assert.match(String(membershipId), /^[0-9a-f-]{36}$/);
    const event = { eventType: "THING_GROUP_MEMBERSHIP_EVENT", accountId, groupArn, groupId, thingArn, membershipId };
    const id = at === 2 ? added?.event["thingId"] : thingId;
    assert.deepEqual(added, { topic: `${topic}/added`, event: { ...event, operation: "ADDED", thingId: id } });
    assert.deepEqual(removed, { topic: `${topic}/removed`, event: { ...event, operation: "REMOVED", thingId: id } });
  }
});

test("a thing type is told with what it is, and so is a thing that gets, changes and loses its type", async () => {
  const world = await openServiceWorld();
  const { run, registry, clock } = world;
  await switchOn(world, "THING_TYPE", "THING_TYPE_ASSOCIATION");
  const thingTypeName = "lamp";
  const propagatingAttributes = [{ userPropertyKey: "k", thingAttribute: "a" }];
  const properties = { thingTypeDescription: "a lamp", searchableAttributes: ["watts"] };
  const made = await run(registry.createThingType, { thingTypeName, thingTypeProperties: properties });
  await run(registry.createThingType, { thingTypeName, thingTypeProperties: properties });
  await run(registry.updateThingType, {
    thingTypeName,
    thingTypeProperties: { mqtt5Configuration: { propagatingAttributes } },
  });
  await run(registry.deprecateThingType, { thingTypeName });
  await run(registry.deprecateThingType, { thingTypeName, undoDeprecate: true });
  const deprecationDate = clock.unixMs();
  const type = {
    ...{ eventType: "THING_TYPE_EVENT", accountId, thingTypeId: made.thingTypeId, thingTypeName },
    ...{ isDeprecated: false, deprecationDate: null, searchableAttributes: ["watts"], description: "a lamp" },
  };
  const updated = { ...type, operation: "UPDATED", propagatingAttributes };
  const topic = "$aws/events/thingType/lamp";
  assert.deepEqual(await published(world), [
    { topic: `${topic}/created`, event: { ...type, operation: "CREATED", propagatingAttributes: [] } },
    { topic: `${topic}/updated`, event: updated },
    { topic: `${topic}/updated`, event: { ...updated, isDeprecated: true, deprecationDate } },
    { topic: `${topic}/updated`, event: updated },
  ]);

  const thingName = "t";
  await run(registry.createThingType, { thingTypeName: "pump" });
  await published(world);
  const { thingId } = await run(registry.createThing, { thingName, thingTypeName });
  await run(registry.updateThing, { thingName, thingTypeName: "pump" });
  await run(registry.updateThing, { thingName, thingTypeName: "pump" });
  await run(registry.updateThing, { thingName, removeThingType: true });
  await run(registry.updateThing, { thingName, thingTypeName });
  await run(registry.deleteThing, { thingName });
  const association = { eventType: "THING_TYPE_ASSOCIATION_EVENT", thingId, thingName };
  const told = (operation: "ADDED" | "REMOVED", name: string) => ({
    topic: `$aws/events/thingTypeAssociation/thing/t/thingType/${name}/${operation.toLowerCase()}`,
    event: { ...association, operation, thingTypeName: name },
  });
  assert.deepEqual(await published(world), [
    told("ADDED", "lamp"),
    ...[told("REMOVED", "lamp"), told("ADDED", "pump")],
    told("REMOVED", "pump"),
    ...[told("ADDED", "lamp"), told("REMOVED", "lamp")],
  ]);

  await run(registry.deprecateThingType, { thingTypeName });
  await clock.advance(deprecationMs);
  await run(registry.deleteThingType, { thingTypeName });
  const [, deleted] = publishedBy(await world.takeEffects());
  assert.equal(deleted?.topic, `${topic}/deleted`);
  assert.deepEqual([deleted?.event["operation"], deleted?.event["isDeprecated"]], ["DELETED", true]);
});
