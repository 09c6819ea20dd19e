// Thing groups, their policies, thing types, billing groups and the registry's events: the unmodified AWS SDK and MQTT.js against a whole local cloud.
import assert from "node:assert/strict";
import { test } from "node:test";
import {
  AddThingToThingGroupCommand,
  AttachPolicyCommand,
  AttachThingPrincipalCommand,
  CreateBillingGroupCommand,
  CreateDynamicThingGroupCommand,
  CreateFleetMetricCommand,
  CreatePolicyCommand,
  CreateThingCommand,
  CreateThingGroupCommand,
  CreateThingTypeCommand,
  DeleteBillingGroupCommand,
  DeleteDynamicThingGroupCommand,
  DeleteThingCommand,
  DeleteThingGroupCommand,
  DeleteThingTypeCommand,
  DeprecateThingTypeCommand,
  DescribeEventConfigurationsCommand,
  DescribeFleetMetricCommand,
  DescribeIndexCommand,
  DescribeThingCommand,
  DescribeThingGroupCommand,
  DescribeThingTypeCommand,
  DetachPolicyCommand,
  GetBucketsAggregationCommand,
  GetEffectivePoliciesCommand,
  GetStatisticsCommand,
  GetThingConnectivityDataCommand,
  InvalidQueryException,
  InvalidRequestException,
  LimitExceededException,
  ListAttachedPoliciesCommand,
  ListTagsForResourceCommand,
  ListTargetsForPolicyCommand,
  ListThingGroupsForThingCommand,
  ListThingsCommand,
  ListThingsInBillingGroupCommand,
  paginateListThingGroups,
  paginateListThingsInThingGroup,
  RemoveThingFromThingGroupCommand,
  ResourceAlreadyExistsException,
  ResourceNotFoundException,
  SearchIndexCommand,
  UpdateEventConfigurationsCommand,
  UpdateThingCommand,
  UpdateIndexingConfigurationCommand,
  UpdateThingGroupCommand,
  UpdateThingGroupsForThingCommand,
  UpdateThingTypeCommand,
  VersionConflictException,
  type IoTClient,
} from "@aws-sdk/client-iot";
import type mqtt from "mqtt";
import { connectClient, createDevice, nextEvent, openWorld } from "./cloud-world.test.support.js";

const arnOfGroup = (name: string) => `arn:aws:iot:us-east-1:123456789012:thinggroup/${name}`;

async function makeGroups(iot: IoTClient, ...groups: [thingGroupName: string, parentGroupName?: string][]) {
  for (const [thingGroupName, parentGroupName] of groups) {
    await iot.send(new CreateThingGroupCommand({ thingGroupName, parentGroupName }));
  }
}

test("the AWS SDK makes, describes, updates, lists and deletes thing groups", async (context) => {
  const { iot } = await openWorld(context);
  await makeGroups(iot, ["fleet"], ["south", "fleet"]);
  const wanted = {
    thingGroupName: "north",
    parentGroupName: "fleet",
    thingGroupProperties: {
      thingGroupDescription: "where it is cold",
      attributePayload: { attributes: { site: "n" } },
    },
  };
  const created = await iot.send(new CreateThingGroupCommand(wanted));
  assert.equal(created.thingGroupArn, arnOfGroup("north"));
  assert.match(created.thingGroupId ?? "", /^[0-9a-f-]{36}$/);
  const again = await iot.send(new CreateThingGroupCommand(wanted));
  assert.equal(again.thingGroupId, created.thingGroupId);
  await assert.rejects(iot.send(new CreateThingGroupCommand({ thingGroupName: "north" })), (error) => {
    assert.ok(error instanceof ResourceAlreadyExistsException);
    assert.equal(error.resourceArn, arnOfGroup("north"));
    assert.equal(error.resourceId, created.thingGroupId);
    return true;
  });
  const described = await iot.send(new DescribeThingGroupCommand({ thingGroupName: "north" }));
  assert.equal(described.version, 1);
  assert.deepEqual(described.thingGroupProperties, wanted.thingGroupProperties);
  assert.equal(described.thingGroupMetadata?.parentGroupName, "fleet");
  assert.deepEqual(described.thingGroupMetadata.rootToParentThingGroups, [
    { groupName: "fleet", groupArn: arnOfGroup("fleet") },
  ]);
  assert.ok(described.thingGroupMetadata.creationDate instanceof Date);
  const update = new UpdateThingGroupCommand({
    thingGroupName: "north",
    thingGroupProperties: { attributePayload: { attributes: { owner: "me" }, merge: true } },
    expectedVersion: 1,
  });
  assert.equal((await iot.send(update)).version, 2);
  await assert.rejects(iot.send(update), VersionConflictException);
  const names: (string | undefined)[] = [];
  const pages = paginateListThingGroups({ client: iot, pageSize: 1 }, { parentGroup: "fleet", recursive: true });
  for await (const { thingGroups = [] } of pages) names.push(...thingGroups.map(({ groupName }) => groupName));
  assert.deepEqual(names, ["north", "south"]);
  await assert.rejects(
    iot.send(new DeleteThingGroupCommand({ thingGroupName: "fleet" })),
    (error) =>
      error instanceof InvalidRequestException &&
      error.message === "Cannot delete thing group : fleet when there are still child groups attached to it",
  );
  for (const thingGroupName of ["north", "south", "fleet", "unknown"]) {
    await iot.send(new DeleteThingGroupCommand({ thingGroupName }));
  }
  await assert.rejects(iot.send(new DescribeThingGroupCommand({ thingGroupName: "north" })), ResourceNotFoundException);
});

test("the AWS SDK puts things into groups and takes them out", async (context) => {
  const { iot } = await openWorld(context);
  await makeGroups(iot, ["fleet"], ["north", "fleet"], ["south", "fleet"], ["beta"]);
  for (const thingName of ["a", "b", "c"]) {
    await iot.send(new CreateThingCommand({ thingName }));
    await iot.send(new AddThingToThingGroupCommand({ thingName, thingGroupName: "north" }));
  }
  const things = async (thingGroupName: string, recursive: boolean) => {
    const found: string[] = [];
    const pages = paginateListThingsInThingGroup({ client: iot, pageSize: 2 }, { thingGroupName, recursive });
    for await (const page of pages) found.push(...(page.things ?? []));
    return found;
  };
  assert.deepEqual(await things("fleet", true), ["a", "b", "c"]);
  assert.deepEqual(await things("fleet", false), []);
  await assert.rejects(
    iot.send(new AddThingToThingGroupCommand({ thingName: "a", thingGroupArn: arnOfGroup("south") })),
    InvalidRequestException,
  );
  await iot.send(
    new UpdateThingGroupsForThingCommand({
      thingName: "a",
      thingGroupsToAdd: ["south", "beta"],
      thingGroupsToRemove: ["north"],
    }),
  );
  const { thingGroups } = await iot.send(new ListThingGroupsForThingCommand({ thingName: "a" }));
  assert.deepEqual(
    thingGroups?.map(({ groupName }) => groupName),
    ["beta", "fleet", "south"],
  );
  await iot.send(new RemoveThingFromThingGroupCommand({ thingName: "b", thingGroupName: "north" }));
  await iot.send(new DeleteThingCommand({ thingName: "c" }));
  assert.deepEqual(await things("fleet", true), ["a"]);
});

test("a policy of a group reaches connected devices when it comes, and when it goes", async (context) => {
  const { iot, started, log } = await openWorld(context);
  await makeGroups(iot, ["fleet"], ["north", "fleet"]);
  const connect = { Effect: "Allow", Action: "iot:Connect", Resource: "*" };
  const credentials = await createDevice(iot, { statements: [connect], thingName: "pump" });
  const device = await connectClient(context, started, credentials, { clientId: "pump", version: 5 });
  const policyDocument = JSON.stringify({
    Version: "2012-10-17",
    Statement: {
      Effect: "Allow",
      Action: ["iot:Subscribe", "iot:Receive"],
      Resource: "arn:aws:iot:*:*:*/${iot:Connection.Thing.ThingName}/*",
    },
  });
  for (const policyName of ["listen", "other", "third"]) {
    await iot.send(new CreatePolicyCommand({ policyName, policyDocument }));
  }
  const mayListen = async () => {
    const [grant] = await device.subscribeAsync("pump/in", { qos: 1 }).catch(() => []);
    return grant?.qos === 1;
  };
  const target = arnOfGroup("fleet");
  await iot.send(new AttachPolicyCommand({ policyName: "listen", target }));
  assert.equal(await mayListen(), false);
  await iot.send(new AddThingToThingGroupCommand({ thingName: "pump", thingGroupName: "north" }));
  assert.equal(await mayListen(), true);
  await iot.send(new DetachPolicyCommand({ policyName: "listen", target }));
  assert.equal(await mayListen(), false);
  await iot.send(new AttachPolicyCommand({ policyName: "listen", target }));
  assert.equal(await mayListen(), true);
  const attached = new ListAttachedPoliciesCommand({ target: arnOfGroup("north"), recursive: true });
  assert.deepEqual(
    (await iot.send(attached)).policies?.map(({ policyName }) => policyName),
    ["listen"],
  );
  const { targets } = await iot.send(new ListTargetsForPolicyCommand({ policyName: "listen" }));
  assert.deepEqual(targets, [target]);
  await iot.send(new AttachPolicyCommand({ policyName: "other", target }));
  await assert.rejects(iot.send(new AttachPolicyCommand({ policyName: "third", target })), LimitExceededException);
  const effective = new GetEffectivePoliciesCommand({ thingName: "pump", principal: credentials.certificateArn });
  const { effectivePolicies = [] } = await iot.send(effective);
  assert.deepEqual(
    effectivePolicies.map(({ policyName }) => policyName),
    [credentials.policyName, "listen", "other"],
  );

  const deny = JSON.stringify({
    Version: "2012-10-17",
    Statement: { Effect: "Deny", Action: "iot:Connect", Resource: "*" },
  });
  await iot.send(new CreatePolicyCommand({ policyName: "deny", policyDocument: deny }));
  const closed = nextEvent(device, "close");
  await iot.send(new AttachPolicyCommand({ policyName: "deny", target: arnOfGroup("north") }));
  await closed;
  const line = await log.line(({ event }) => event === "connectionRevoked");
  assert.match(
    String(line.facts["explanation"]),
    /^statement 1 of policy deny version 1 of thing group north denies iot:Connect/,
  );
});

test("events of the registry are published when they are switched on", async (context) => {
  const { iot, started } = await openWorld(context);
  const credentials = await createDevice(iot);
  const { eventConfigurations = {} } = await iot.send(new DescribeEventConfigurationsCommand({}));
  assert.equal(Object.keys(eventConfigurations).length, 11);
  assert.ok(Object.values(eventConfigurations).every(({ Enabled }) => Enabled === false));
  const groupTypes = ["THING_GROUP", "THING_GROUP_MEMBERSHIP", "THING_GROUP_HIERARCHY"] as const;
  const types = ["THING", "THING_TYPE", "THING_TYPE_ASSOCIATION", ...groupTypes] as const;
  const enabled = Object.fromEntries(types.map((type) => [type, { Enabled: true }]));
  await iot.send(new UpdateEventConfigurationsCommand({ eventConfigurations: enabled }));
  const topics: string[] = [];
  const prepare = (client: mqtt.MqttClient) => void client.on("message", (topic) => topics.push(topic));
  const device = await connectClient(context, started, credentials, { clientId: "listener", prepare });
  await device.subscribeAsync(
    [
      "thing/+/+",
      "thingType/#",
      "thingTypeAssociation/#",
      "thingGroup/#",
      "thingGroupMembership/#",
      "thingGroupHierarchy/#",
    ].map((tail) => `$aws/events/${tail}`),
    { qos: 1 },
  );
  await makeGroups(iot, ["fleet"], ["north", "fleet"]);
  await iot.send(new CreateThingTypeCommand({ thingTypeName: "pump" }));
  await iot.send(new CreateThingCommand({ thingName: "t", thingTypeName: "pump" }));
  await iot.send(new AddThingToThingGroupCommand({ thingName: "t", thingGroupName: "north" }));
  await iot.send(new UpdateThingGroupCommand({ thingGroupName: "north", thingGroupProperties: {} }));
  const last = new Promise<void>((resolve) => {
    device.on("message", (topic) => topic.endsWith("thing/t/deleted") && resolve());
  });
  await iot.send(new DeleteThingCommand({ thingName: "t" }));
  await last;
  assert.deepEqual(
    topics.map((topic) => topic.slice("$aws/events/".length)),
    [
      "thingGroup/fleet/created",
      "thingGroup/north/created",
      "thingGroupHierarchy/thingGroup/fleet/childThingGroup/north/added",
      "thingType/pump/created",
      "thing/t/created",
      "thingTypeAssociation/thing/t/thingType/pump/added",
      "thingGroupMembership/thingGroup/north/thing/t/added",
      "thingGroup/north/updated",
      "thingGroupMembership/thingGroup/north/thing/t/removed",
      "thingTypeAssociation/thing/t/thingType/pump/removed",
      "thing/t/deleted",
    ],
  );
});

test("the AWS SDK makes thing types and billing groups, and a type's attributes come with messages", async (context) => {
  const { iot, started } = await openWorld(context);
  const propagatingAttributes = [
    { userPropertyKey: "site", thingAttribute: "site" },
    { userPropertyKey: "id", connectionAttribute: "iot:ClientId" },
  ];
  const thingTypeName = "pump";
  const thingTypeProperties = { thingTypeDescription: "a pump", searchableAttributes: ["site"] };
  const tags = [{ Key: "team", Value: "water" }];
  const type = await iot.send(new CreateThingTypeCommand({ thingTypeName, thingTypeProperties, tags }));
  assert.equal(type.thingTypeArn, "arn:aws:iot:us-east-1:123456789012:thingtype/pump");
  const { tags: kept } = await iot.send(new ListTagsForResourceCommand({ resourceArn: type.thingTypeArn }));
  assert.deepEqual(kept, tags);
  await iot.send(
    new UpdateThingTypeCommand({
      ...{ thingTypeName, thingTypeProperties: { mqtt5Configuration: { propagatingAttributes } } },
    }),
  );
  const described = await iot.send(new DescribeThingTypeCommand({ thingTypeName }));
  assert.deepEqual(described.thingTypeProperties, {
    ...{ ...thingTypeProperties, mqtt5Configuration: { propagatingAttributes } },
  });
  assert.equal(described.thingTypeMetadata?.deprecated, false);
  assert.ok(described.thingTypeMetadata.creationDate instanceof Date);

  await iot.send(new CreateBillingGroupCommand({ billingGroupName: "north" }));
  const attributes = Object.fromEntries(["site", "a", "b", "c"].map((name) => [name, `${name}-1`]));
  const pump = { thingName: "pump-7", thingTypeName, attributePayload: { attributes }, billingGroupName: "north" };
  await iot.send(new CreateThingCommand(pump));
  const { things } = await iot.send(new ListThingsCommand({ thingTypeName }));
  assert.deepEqual(
    things?.map((thing) => [thing.thingName, thing.thingTypeName, thing.attributes]),
    [["pump-7", "pump", attributes]],
  );
  const inGroup = new ListThingsInBillingGroupCommand({ billingGroupName: "north" });
  assert.deepEqual((await iot.send(inGroup)).things, ["pump-7"]);
  assert.equal((await iot.send(new DescribeThingCommand({ thingName: "pump-7" }))).billingGroupName, "north");

  // The device speaks MQTT 3.1.1; who listens speaks 5.
  const credentials = await createDevice(iot);
  const attach = { thingName: "pump-7", principal: credentials.certificateArn };
  await iot.send(new AttachThingPrincipalCommand(attach));
  const device = await connectClient(context, started, credentials, { clientId: "pump-7" });
  const listener = await connectClient(context, started, credentials, { clientId: "listener", version: 5 });
  await listener.subscribeAsync("plant/#", { qos: 1 });
  const userProperties = async (text: string) => {
    const message = nextEvent(listener, "message");
    await device.publishAsync("plant/7", text, { qos: 1 });
    const [, , packet] = await message;
    return { ...(packet as mqtt.IPublishPacket).properties?.userProperties };
  };
  assert.deepEqual(await userProperties("1"), { site: "site-1", id: "pump-7" });
  const moved = { attributes: { site: "oslo" }, merge: true };
  await iot.send(new UpdateThingCommand({ thingName: "pump-7", attributePayload: moved }));
  assert.deepEqual(await userProperties("2"), { site: "oslo", id: "pump-7" });
  await iot.send(
    new UpdateThingTypeCommand({
      ...{ thingTypeName, thingTypeProperties: { mqtt5Configuration: { propagatingAttributes: [] } } },
    }),
  );
  assert.deepEqual(await userProperties("3"), {});

  await iot.send(new DeprecateThingTypeCommand({ thingTypeName }));
  await assert.rejects(
    iot.send(new CreateThingCommand({ thingName: "pump-8", thingTypeName })),
    (error) =>
      error instanceof InvalidRequestException &&
      error.message === "Can not create new thing with depreated thing type:pump",
  );
  await assert.rejects(
    iot.send(new DeleteThingTypeCommand({ thingTypeName })),
    (error) =>
      error instanceof InvalidRequestException &&
      error.message === "Cannot delete thing type : pump. Please wait for 5 minutes after deprecation and then retry",
  );
  await iot.send(new DeleteBillingGroupCommand({ billingGroupName: "north" }));
  assert.equal((await iot.send(new DescribeThingCommand({ thingName: "pump-7" }))).billingGroupName, undefined);
});

test("the AWS SDK indexes, searches and aggregates things, and makes dynamic groups and fleet metrics", async (context) => {
  const world = await openWorld(context);
  const { iot } = world;
  const search = async (queryString: string) =>
    (await iot.send(new SearchIndexCommand({ queryString }))).things?.map(({ thingName }) => thingName);
  await assert.rejects(search("*"), ResourceNotFoundException);
  await iot.send(
    new UpdateIndexingConfigurationCommand({
      thingIndexingConfiguration: {
        ...{ thingIndexingMode: "REGISTRY_AND_SHADOW", thingConnectivityIndexingMode: "STATUS" },
        customFields: [{ name: "attributes.floor", type: "Number" }],
      },
    }),
  );
  const { indexStatus, schema } = await iot.send(new DescribeIndexCommand({ indexName: "AWS_Things" }));
  assert.deepEqual([indexStatus, schema], ["ACTIVE", "REGISTRY_AND_SHADOW_AND_CONNECTIVITY_STATUS"]);
  await iot.send(new CreateDynamicThingGroupCommand({ thingGroupName: "high", queryString: "attributes.floor>=2" }));
  for (const floor of ["1", "2", "3"]) {
    const attributePayload = { attributes: { floor } };
    await iot.send(new CreateThingCommand({ thingName: `lamp-${floor}`, attributePayload }));
  }
  assert.deepEqual(await search("attributes.floor:[2 TO *]"), ["lamp-2", "lamp-3"]);
  assert.deepEqual(await search("thingGroupNames:high"), ["lamp-2", "lamp-3"]);
  await assert.rejects(search("floor>"), InvalidQueryException);
  const { status, queryString } = await iot.send(new DescribeThingGroupCommand({ thingGroupName: "high" }));
  assert.deepEqual([status, queryString], ["ACTIVE", "attributes.floor>=2"]);
  const aggregated = { queryString: "*", aggregationField: "attributes.floor" };
  const { statistics } = await iot.send(new GetStatisticsCommand(aggregated));
  assert.deepEqual([statistics?.count, statistics?.sum], [3, 6]);
  const bucketsAggregationType = { termsAggregation: { maxBuckets: 2 } };
  const { buckets } = await iot.send(new GetBucketsAggregationCommand({ ...aggregated, bucketsAggregationType }));
  assert.equal(buckets?.length, 2);
  const { connected } = await iot.send(new GetThingConnectivityDataCommand({ thingName: "lamp-1" }));
  assert.equal(connected, false);
  const aggregationType = { name: "Statistics" as const, values: ["count"] };
  await iot.send(new CreateFleetMetricCommand({ metricName: "lamps", ...aggregated, aggregationType, period: 60 }));
  const metric = await iot.send(new DescribeFleetMetricCommand({ metricName: "lamps" }));
  assert.deepEqual([metric.version, metric.creationDate instanceof Date], [1, true]);
  await iot.send(new DeleteDynamicThingGroupCommand({ thingGroupName: "high" }));
  assert.deepEqual(await search("thingGroupNames:high"), []);
});
