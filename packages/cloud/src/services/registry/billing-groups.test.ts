import assert from "node:assert/strict";
import { test } from "node:test";
import { isThinglineError, type ErrorCode } from "@thingline/protocol";
import { openServiceWorld, scope, type ServiceWorld } from "../world.test.support.js";
import { clearedBillingThingsMax } from "./billing-group-sweep.js";
import { registryKeys, type ThingRecord } from "./model.js";

const fails = (code: ErrorCode, message: RegExp) => (error: unknown) =>
  isThinglineError(error, code) && message.test(error.message);
const arnOfGroup = (name: string) => `arn:aws:iot:us-east-1:123456789012:billinggroup/${name}`;

async function makeGroups({ run, registry }: ServiceWorld, ...names: string[]) {
  for (const billingGroupName of names) await run(registry.createBillingGroup, { billingGroupName });
}

const groupOf = async ({ run, registry }: ServiceWorld, thingName: string) =>
  (await run(registry.describeThing, { thingName })).billingGroupName;

async function thingsIn({ run, registry }: ServiceWorld, billingGroupName: string, maxResults = 250) {
  const names: string[] = [];
  let nextToken: string | undefined;
  do {
    const answer: { things: string[]; nextToken?: string } = await run(registry.listThingsInBillingGroup, {
      ...{ billingGroupName, maxResults },
      ...(nextToken !== undefined && { nextToken }),
    });
    names.push(...answer.things);
    nextToken = answer.nextToken;
  } while (nextToken !== undefined);
  return names;
}

test("a billing group is created once, described, updated by its version and listed by name", async () => {
  const { run, registry, clock } = await openServiceWorld();
  const billingGroupProperties = { billingGroupDescription: "the north" };
  const wanted = { billingGroupName: "north", billingGroupProperties };
  const first = await run(registry.createBillingGroup, wanted);
  assert.equal(first.billingGroupArn, arnOfGroup("north"));
  assert.match(first.billingGroupId, /^[0-9a-f-]{36}$/);
  assert.deepEqual(await run(registry.createBillingGroup, wanted), first);
  await assert.rejects(run(registry.createBillingGroup, { billingGroupName: "north" }), (error) => {
    assert.ok(isThinglineError(error, "RESOURCE_EXISTS"));
    assert.deepEqual(error.details, { resourceId: first.billingGroupId, resourceArn: first.billingGroupArn });
    return true;
  });
  const described = () => run(registry.describeBillingGroup, { billingGroupName: "north" });
  const billingGroupMetadata = { creationDate: clock.unixMs() / 1000 };
  assert.deepEqual(await described(), { ...first, version: 1, billingGroupProperties, billingGroupMetadata });
  const update = (billingGroupDescription: string | undefined, expectedVersion?: number) =>
    run(registry.updateBillingGroup, {
      billingGroupName: "north",
      billingGroupProperties: { ...(billingGroupDescription !== undefined && { billingGroupDescription }) },
      ...(expectedVersion !== undefined && { expectedVersion }),
    });
  assert.deepEqual(await update("beyond 60 degrees", 1), { version: 2 });
  assert.deepEqual(await update(undefined), { version: 3 });
  assert.equal((await described()).billingGroupProperties.billingGroupDescription, "beyond 60 degrees");
  const conflict = /^The version for billing group north does not match the expected version\.$/;
  await assert.rejects(update("x", 1), fails("VERSION_CONFLICT", conflict));
  for (const billingGroupName of ["south", "nord"]) await run(registry.createBillingGroup, { billingGroupName });
  const groups = async (input: object) => {
    const page = await run(registry.listBillingGroups, input);
    return page.billingGroups.map(({ groupName }) => groupName);
  };
  assert.deepEqual(await groups({}), ["nord", "north", "south"]);
  assert.deepEqual(await groups({ namePrefixFilter: "nor" }), ["nord", "north"]);
  const page = await run(registry.listBillingGroups, { maxResults: 1 });
  assert.deepEqual(page.billingGroups, [{ groupName: "nord", groupArn: arnOfGroup("nord") }]);
  assert.deepEqual(await groups({ maxResults: 1, nextToken: page.nextToken }), ["north"]);
  const none = { billingGroupName: "none" };
  const missing = fails("RESOURCE_NOT_FOUND", /^Billing group none not found\.$/);
  await assert.rejects(run(registry.describeBillingGroup, none), missing);
  await assert.rejects(run(registry.updateBillingGroup, { ...none, billingGroupProperties: {} }), missing);
  await assert.rejects(run(registry.listThingsInBillingGroup, none), missing);
  await run(registry.deleteBillingGroup, none);
});

test("a thing is in one billing group at most, by name or by ARN", async () => {
  const world = await openServiceWorld();
  const { run, registry } = world;
  await makeGroups(world, "north", "south");
  await run(registry.createThing, { thingName: "a", billingGroupName: "north" });
  await run(registry.createThing, { thingName: "a", billingGroupName: "north" });
  for (const billingGroupName of ["south", undefined]) {
    await assert.rejects(
      run(registry.createThing, { thingName: "a", billingGroupName }),
      fails("RESOURCE_EXISTS", /a/),
    );
  }
  const { thingArn } = await run(registry.createThing, { thingName: "b" });
  await run(registry.addThingToBillingGroup, { thingArn, billingGroupArn: arnOfGroup("north") });
  await run(registry.addThingToBillingGroup, { thingName: "b", billingGroupName: "north" });
  assert.deepEqual(await thingsIn(world, "north", 1), ["a", "b"]);
  await assert.rejects(
    run(registry.addThingToBillingGroup, { thingName: "b", billingGroupName: "south" }),
    fails("REQUEST_INVALID", /belongs to north/),
  );
  // It is not in this one, and stays where it is.
  await run(registry.removeThingFromBillingGroup, { thingName: "b", billingGroupName: "south" });
  assert.equal(await groupOf(world, "b"), "north");
  await run(registry.removeThingFromBillingGroup, { thingName: "b", billingGroupName: "north" });
  assert.equal(await groupOf(world, "b"), undefined);
  await run(registry.addThingToBillingGroup, { thingName: "b", billingGroupName: "south" });
  await run(registry.deleteThing, { thingName: "a" });
  assert.deepEqual(await thingsIn(world, "north"), []);
  assert.deepEqual(await thingsIn(world, "south"), ["b"]);
  // What an update does not name stays.
  await run(registry.updateThing, { thingName: "b", attributePayload: { attributes: { x: "1" } } });
  assert.equal(await groupOf(world, "b"), "south");
  const refused: [input: object, code: ErrorCode, why: RegExp][] = [
    [{ billingGroupName: "north" }, "REQUEST_INVALID", /thingName or thingArn is missing/],
    [{ thingName: "b" }, "REQUEST_INVALID", /billingGroupName or billingGroupArn is missing/],
    [{ thingName: "none", billingGroupName: "north" }, "RESOURCE_NOT_FOUND", /Thing none not found/],
    [{ thingName: "b", billingGroupName: "none" }, "RESOURCE_NOT_FOUND", /Billing group none not found/],
    [{ thingName: "b", billingGroupArn: "arn:aws:iot:x:y:billinggroup/north" }, "REQUEST_INVALID", /billingGroupArn/],
    [
      { thingName: "b", billingGroupName: "north", billingGroupArn: arnOfGroup("south") },
      "REQUEST_INVALID",
      /different things/,
    ],
  ];
  for (const [input, code, why] of refused) {
    await assert.rejects(run(registry.addThingToBillingGroup, input), fails(code, why));
    await assert.rejects(run(registry.removeThingFromBillingGroup, input), fails(code, why));
  }
  await assert.rejects(
    run(registry.createThing, { thingName: "c", billingGroupName: "none" }),
    fails("RESOURCE_NOT_FOUND", /Billing group none not found/),
  );
});

test("the things of a deleted billing group leave it part by part, also after a restart", async () => {
  const world = await openServiceWorld({ isStarted: false });
  const { run, registry, store } = world;
  await makeGroups(world, "north", "south");
  const count = clearedBillingThingsMax * 2 + 1;
  const names = Array.from({ length: count }, (_, at) => `t${String(at).padStart(4, "0")}`);
  for (const thingName of names) await run(registry.createThing, { thingName, billingGroupName: "north" });
  const [first = "", last = names.at(-1) ?? "", second = names[1] ?? ""] = [names[0], names.at(-1), names.at(-2)];
  await assert.rejects(
    run(registry.deleteBillingGroup, { billingGroupName: "north", expectedVersion: 2 }),
    fails("VERSION_CONFLICT", /north/),
  );
  await run(registry.deleteBillingGroup, { billingGroupName: "north", expectedVersion: 1 });
  const recordOf = async (thingName: string) =>
    (await store.get<ThingRecord>(registryKeys.thing(scope, thingName)))?.value;
  assert.equal((await recordOf(first))?.billingGroupName, undefined);
  // Its record still names the group, which counts for nothing, nor for one that is made under its name.
  assert.equal((await recordOf(last))?.billingGroupName, "north");
  assert.equal(await groupOf(world, last), undefined);
  await makeGroups(world, "north");
  assert.equal(await groupOf(world, last), undefined);
  assert.deepEqual(await thingsIn(world, "north"), []);
  await run(registry.addThingToBillingGroup, { thingName: last, billingGroupName: "south" });
  await run(registry.addThingToBillingGroup, { thingName: second, billingGroupName: "north" });
  await world.restart();
  await world.clock.advance(1);
  const left: string[] = [];
  for (const thingName of names) if ((await recordOf(thingName))?.billingGroupName !== undefined) left.push(thingName);
  assert.deepEqual(left.sort(), [last, second].sort());
  assert.deepEqual(await thingsIn(world, "south"), [last]);
  assert.deepEqual(await thingsIn(world, "north"), [second]);
  const kept = await store.list([scope.account, scope.region, "thingOfBillingGroup"], { limit: 10 });
  assert.equal(kept.length, 2);
  assert.deepEqual(await store.list([scope.account, scope.region, "deletedBillingGroup"], { limit: 1 }), []);
});

test("a thing that joins a billing group while that is deleted is in none, or the deletion takes it out", async () => {
  const world = await openServiceWorld();
  const { run, registry, store } = world;
  const join = () => run(registry.addThingToBillingGroup, { thingName: "t", billingGroupName: "g" });
  const remove = () => run(registry.deleteBillingGroup, { billingGroupName: "g" });
  await run(registry.createThing, { thingName: "t" });
  for (const isJoinedFirst of [true, false]) {
    await makeGroups(world, "g");
    const [first, second] = isJoinedFirst ? [join, remove] : [remove, join];
    // The one that comes first does so between what the other has read and its commit.
    const commit = store.commit.bind(store);
    store.commit = async (...args) => {
      store.commit = commit;
      await first();
      return commit(...args);
    };
    const outcome = second();
    if (isJoinedFirst) await outcome;
    else await assert.rejects(outcome, fails("RESOURCE_NOT_FOUND", /Billing group g not found/));
    assert.equal(await groupOf(world, "t"), undefined);
    assert.deepEqual(await store.list([scope.account, scope.region, "thingOfBillingGroup"], { limit: 1 }), []);
    assert.equal((await store.get<ThingRecord>(registryKeys.thing(scope, "t")))?.value.billingGroupId, undefined);
  }
});
