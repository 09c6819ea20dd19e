import assert from "node:assert/strict";
import { test } from "node:test";
import { isThinglineError, type ErrorCode } from "@thingline/protocol";
import { createReferenceCheck } from "../../store-references.js";
import { iterate } from "../../store/iterate.js";
import { interrupt, openServiceWorld, scope, type ServiceWorld } from "../world.test.support.js";
import { clearedThingsMax } from "./group-sweep.js";
import { membershipWakeName, thingOfMembershipWake } from "./index.js";
import {
  attributesPerGroupMax,
  childGroupsMax,
  groupLevelsMax,
  groupsPerThingMax,
  registryKeys,
  type ThingRecord,
} from "./model.js";

const fails = (code: ErrorCode, message: RegExp) => (error: unknown) =>
  isThinglineError(error, code) && message.test(error.message);
const arnOfGroup = (name: string) => `arn:aws:iot:us-east-1:123456789012:thinggroup/${name}`;

/** Groups by name, each with the name of its parent. */
async function makeGroups({ run, registry }: ServiceWorld, groups: Record<string, string | undefined>) {
  for (const [thingGroupName, parentGroupName] of Object.entries(groups)) {
    await run(registry.createThingGroup, {
      thingGroupName,
      ...(parentGroupName !== undefined && { parentGroupName }),
    });
  }
}

async function makeThings({ run, registry }: ServiceWorld, ...names: string[]) {
  for (const thingName of names) await run(registry.createThing, { thingName });
}

const add = ({ run, registry }: ServiceWorld, thingName: string, thingGroupName: string) =>
  run(registry.addThingToThingGroup, { thingName, thingGroupName });

async function namesIn(
  { run, registry }: ServiceWorld,
  thingGroupName: string,
  { recursive = false, maxResults = 250 } = {},
): Promise<string[]> {
  const names: string[] = [];
  let nextToken: string | undefined;
  do {
    const page = { thingGroupName, recursive, maxResults, ...(nextToken !== undefined && { nextToken }) };
    const answer: { things: string[]; nextToken?: string } = await run(registry.listThingsInThingGroup, page);
    names.push(...answer.things);
    nextToken = answer.nextToken;
  } while (nextToken !== undefined);
  return names;
}

async function groupsOf({ run, registry }: ServiceWorld, thingName: string): Promise<string[]> {
  const { thingGroups } = await run(registry.listThingGroupsForThing, { thingName, maxResults: 250 });
  return thingGroups.map(({ groupName }) => groupName);
}

test("a group is created once, again with the same properties, and not with others", async () => {
  const world = await openServiceWorld();
  const { run, registry } = world;
  await makeGroups(world, { fleet: undefined });
  const wanted = {
    thingGroupName: "north",
    parentGroupName: "fleet",
    thingGroupProperties: {
      thingGroupDescription: "beyond 60 degrees",
      attributePayload: { attributes: { site: "n", empty: "" } },
    },
  };
  const first = await run(registry.createThingGroup, wanted);
  assert.equal(first.thingGroupArn, arnOfGroup("north"));
  assert.deepEqual(await run(registry.createThingGroup, wanted), first);
  for (const other of [
    { ...wanted, parentGroupName: undefined },
    { ...wanted, thingGroupProperties: {} },
    { ...wanted, thingGroupProperties: { ...wanted.thingGroupProperties, attributePayload: { attributes: {} } } },
  ]) {
    await assert.rejects(run(registry.createThingGroup, other), (error) => {
      assert.ok(isThinglineError(error, "RESOURCE_EXISTS"));
      assert.deepEqual(error.details, { resourceId: first.thingGroupId, resourceArn: first.thingGroupArn });
      return true;
    });
  }
  const { thingGroupMetadata, ...described } = await run(registry.describeThingGroup, { thingGroupName: "north" });
  assert.deepEqual(described, {
    ...first,
    version: 1,
    thingGroupProperties: {
      thingGroupDescription: "beyond 60 degrees",
      attributePayload: { attributes: { site: "n" } },
    },
  });
  const { creationDate, ...place } = thingGroupMetadata;
  assert.equal(creationDate, world.clock.unixMs() / 1000);
  assert.deepEqual(place, {
    parentGroupName: "fleet",
    rootToParentThingGroups: [{ groupName: "fleet", groupArn: arnOfGroup("fleet") }],
  });
  await assert.rejects(
    run(registry.createThingGroup, { thingGroupName: "x", parentGroupName: "none" }),
    fails("RESOURCE_NOT_FOUND", /^Thing group none not found/),
  );
});

test("an update merges or replaces attributes, counts the version and minds the expected one", async () => {
  const world = await openServiceWorld();
  const { run, registry } = world;
  await makeGroups(world, { g: undefined });
  const update = (attributes: Record<string, string>, merge: boolean, more = {}) =>
    run(registry.updateThingGroup, {
      thingGroupName: "g",
      thingGroupProperties: { attributePayload: { attributes, merge } },
      ...more,
    });
  assert.deepEqual(await update({ a: "1", b: "2" }, false), { version: 2 });
  assert.deepEqual(await update({ a: "", c: "3" }, true, { expectedVersion: 2 }), { version: 3 });
  const { thingGroupProperties: merged } = await run(registry.describeThingGroup, { thingGroupName: "g" });
  assert.deepEqual(merged.attributePayload, { attributes: { b: "2", c: "3" } });
  await assert.rejects(
    update({}, false, { expectedVersion: 2 }),
    fails("VERSION_CONFLICT", /^The version for thing group g does not match the expected version\.$/),
  );
  await update({ d: "4" }, false);
  const described = await run(registry.describeThingGroup, { thingGroupName: "g" });
  assert.deepEqual(described.thingGroupProperties, { attributePayload: { attributes: { d: "4" } } });
  const many = (count: number) => Object.fromEntries(Array.from({ length: count }, (_, at) => [`a${at}`, "x"]));
  await update(many(attributesPerGroupMax), false);
  await assert.rejects(
    update(many(attributesPerGroupMax + 1), false),
    fails("REQUEST_INVALID", /50 attributes, got 51/),
  );
});

test("a hierarchy has seven levels, and a group a hundred children", async () => {
  const world = await openServiceWorld();
  const { run, registry } = world;
  for (let level = 1; level <= groupLevelsMax; level++) {
    await makeGroups(world, { [`level-${level}`]: level === 1 ? undefined : `level-${level - 1}` });
  }
  await assert.rejects(makeGroups(world, { deeper: "level-7" }), fails("REQUEST_INVALID", /at most 7 levels/));
  for (let child = 0; child < childGroupsMax; child++)
    await makeGroups(world, { [`child-${child}`]: "level-6" }).catch((error: unknown) =>
      assert.ok(child === childGroupsMax - 1, String(error)),
    );
  await assert.rejects(makeGroups(world, { "one-more": "level-6" }), fails("REQUEST_INVALID", /maximum of 100 child/));
  const { thingGroups } = await run(registry.listThingGroups, { parentGroup: "level-6", maxResults: 250 });
  assert.equal(thingGroups.length, childGroupsMax);
});

test("groups are listed whole, by parent, by level and by the beginning of their names", async () => {
  const world = await openServiceWorld();
  const { run, registry } = world;
  await makeGroups(world, { a: undefined, "a-1": "a", "a-2": "a", "a-1-x": "a-1", b: undefined, "b-1": "b" });
  const list = async (input: Parameters<typeof registry.listThingGroups>[1]) => {
    const names: string[] = [];
    let nextToken: string | undefined;
    do {
      const page = { ...input, maxResults: 2, ...(nextToken !== undefined && { nextToken }) };
      const answer: { thingGroups: { groupName: string }[]; nextToken?: string } = await run(
        registry.listThingGroups,
        page,
      );
      names.push(...answer.thingGroups.map(({ groupName }) => groupName));
      nextToken = answer.nextToken;
    } while (nextToken !== undefined);
    return names;
  };
  assert.deepEqual(await list({}), ["a", "a-1", "a-1-x", "a-2", "b", "b-1"]);
  assert.deepEqual(await list({ recursive: true }), ["a", "a-1", "a-1-x", "a-2", "b", "b-1"]);
  assert.deepEqual(await list({ recursive: false }), ["a", "b"]);
  assert.deepEqual(await list({ parentGroup: "a" }), ["a-1", "a-2"]);
  assert.deepEqual(await list({ parentGroup: "a", recursive: true }), ["a-1", "a-1-x", "a-2"]);
  assert.deepEqual(await list({ namePrefixFilter: "a-1" }), ["a-1", "a-1-x"]);
  assert.deepEqual(await list({ namePrefixFilter: "b" }), ["b", "b-1"]);
  assert.deepEqual(await list({ namePrefixFilter: "c" }), []);
  assert.deepEqual(await list({ parentGroup: "a", recursive: true, namePrefixFilter: "a-1" }), ["a-1", "a-1-x"]);
  await assert.rejects(list({ parentGroup: "none" }), fails("RESOURCE_NOT_FOUND", /none/));
});

test("a thing joins and leaves by name or by ARN, and a second time changes nothing", async () => {
  const world = await openServiceWorld();
  const { run, registry } = world;
  await makeGroups(world, { fleet: undefined, north: "fleet" });
  await makeThings(world, "t");
  const thingArn = "arn:aws:iot:us-east-1:123456789012:thing/t";
  const thingGroupArn = arnOfGroup("north");
  await run(registry.addThingToThingGroup, { thingArn, thingGroupArn });
  await run(registry.addThingToThingGroup, { thingName: "t", thingArn, thingGroupName: "north", thingGroupArn });
  assert.deepEqual(await namesIn(world, "north"), ["t"]);
  assert.deepEqual(await namesIn(world, "fleet"), []);
  assert.deepEqual(await namesIn(world, "fleet", { recursive: true }), ["t"]);
  assert.deepEqual(await groupsOf(world, "t"), ["fleet", "north"]);
  const described = await run(registry.describeThing, { thingName: "t" });
  assert.equal(described.version, 1);
  await run(registry.removeThingFromThingGroup, { thingName: "t", thingGroupArn });
  await run(registry.removeThingFromThingGroup, { thingArn, thingGroupName: "north" });
  assert.deepEqual(await namesIn(world, "fleet", { recursive: true }), []);
  assert.deepEqual(await groupsOf(world, "t"), []);
});

const refusals: [why: string, input: object, code: ErrorCode, message: RegExp][] = [
  ["no thing", { thingGroupName: "g" }, "REQUEST_INVALID", /thingName or thingArn is missing/],
  ["no group", { thingName: "t" }, "REQUEST_INVALID", /thingGroupName or thingGroupArn is missing/],
  ["an unknown thing", { thingName: "u", thingGroupName: "g" }, "RESOURCE_NOT_FOUND", /Thing u not found/],
  ["an unknown group", { thingName: "t", thingGroupName: "u" }, "RESOURCE_NOT_FOUND", /Thing group u not found/],
  [
    "a name and another's ARN",
    { thingName: "t", thingGroupName: "g", thingGroupArn: arnOfGroup("h") },
    "REQUEST_INVALID",
    /different things: g and h/,
  ],
  [
    "an ARN of another region",
    { thingName: "t", thingGroupArn: "arn:aws:iot:eu-west-1:123456789012:thinggroup/g" },
    "REQUEST_INVALID",
    /Invalid thingGroupArn: expected arn:aws:iot:us-east-1:123456789012:thinggroup\/<thingGroupName>/,
  ],
];

for (const [why, input, code, message] of refusals) {
  test(`a membership with ${why} is refused`, async () => {
    const world = await openServiceWorld();
    await makeGroups(world, { g: undefined });
    await makeThings(world, "t");
    const { run, registry } = world;
    await assert.rejects(run(registry.addThingToThingGroup, input), fails(code, message));
    await assert.rejects(run(registry.removeThingFromThingGroup, input), fails(code, message));
  });
}

test("a thing is in one group of a hierarchy, and in ten groups at most", async () => {
  const world = await openServiceWorld();
  const { run, registry } = world;
  await makeGroups(world, { fleet: undefined, north: "fleet", south: "fleet" });
  await makeThings(world, "t");
  await add(world, "t", "north");
  for (const name of ["south", "fleet"]) {
    await assert.rejects(add(world, "t", name), fails("REQUEST_INVALID", /belongs to north of the same hierarchy/));
  }
  for (let other = 1; other <= groupsPerThingMax; other++) await makeGroups(world, { [`g${other}`]: undefined });
  for (let other = 1; other < groupsPerThingMax; other++) await add(world, "t", `g${other}`);
  await assert.rejects(add(world, "t", "g10"), fails("REQUEST_INVALID", /at most 10 thing groups/));
  // Out of one and into another, in its hierarchy and beyond it.
  const thingName = "t";
  await run(registry.updateThingGroupsForThing, {
    thingName,
    thingGroupsToAdd: ["south", "g10"],
    thingGroupsToRemove: ["north", "g1"],
  });
  assert.deepEqual(await namesIn(world, "north"), []);
  assert.deepEqual(await namesIn(world, "south"), ["t"]);
  assert.deepEqual(await namesIn(world, "fleet", { recursive: true }), ["t"]);
  assert.deepEqual(await namesIn(world, "g10"), ["t"]);
  const groups = await groupsOf(world, "t");
  await assert.rejects(
    run(registry.updateThingGroupsForThing, {
      thingName,
      thingGroupsToAdd: ["north", "g1"],
      thingGroupsToRemove: ["south"],
    }),
    fails("REQUEST_INVALID", /at most 10/),
  );
  assert.deepEqual(await groupsOf(world, "t"), groups, "all of it or nothing");
  await assert.rejects(
    run(registry.updateThingGroupsForThing, { thingName, thingGroupsToAdd: ["g1"], thingGroupsToRemove: ["g1"] }),
    fails("REQUEST_INVALID", /g1 is to be added and to be removed/),
  );
  const two = await run(registry.listThingGroupsForThing, { thingName, maxResults: 2 });
  const rest = await run(registry.listThingGroupsForThing, { thingName, nextToken: two.nextToken ?? "" });
  const names = [...two.thingGroups, ...rest.thingGroups].map(({ groupName }) => groupName);
  assert.deepEqual(names, groups);
  assert.equal(groups.length, 11, "ten, and the one above one of them");
});

test("two that add one thing at once lose nothing, and break no rule together", async () => {
  const world = await openServiceWorld();
  await makeGroups(world, { fleet: undefined, north: "fleet", south: "fleet", other: undefined });
  await makeThings(world, "t");
  const settled = await Promise.allSettled(["north", "south", "other"].map((name) => add(world, "t", name)));
  assert.equal(settled.filter(({ status }) => status === "fulfilled").length, 2);
  const groups = await groupsOf(world, "t");
  assert.deepEqual(groups, ["fleet", groups.includes("north") ? "north" : "south", "other"]);
});

test("many that add things to one group at once lose none", async () => {
  const world = await openServiceWorld();
  await makeGroups(world, { fleet: undefined, north: "fleet" });
  const names = Array.from({ length: 200 }, (_, at) => `t-${at}`).sort();
  await makeThings(world, ...names);
  await Promise.all(names.map((name) => add(world, name, "north")));
  assert.deepEqual(await namesIn(world, "fleet", { recursive: true, maxResults: 7 }), names);
  assert.deepEqual(await namesIn(world, "north"), names);
});

test("a thing that joins a group while that is deleted is in no list of it", async () => {
  const world = await openServiceWorld();
  const { run, registry, store } = world;
  await makeGroups(world, { fleet: undefined, north: "fleet" });
  await makeThings(world, "t");
  interrupt(world.store, registryKeys.thingGroup(scope, "north"), () => add(world, "t", "north"));
  await run(registry.deleteThingGroup, { thingGroupName: "north" });
  assert.deepEqual(await groupsOf(world, "t"), []);
  assert.deepEqual(await namesIn(world, "fleet", { recursive: true }), []);
  const check = createReferenceCheck(() => "");
  for await (const entry of iterate(store, [])) check.see(entry);
  assert.deepEqual([...check.dangling()], []);
});

test("a thing that joins while policies of a group above change has its connections looked at after the change", async () => {
  const world = await openServiceWorld();
  const { run, registry } = world;
  const policyDocument = JSON.stringify({ Version: "2012-10-17", Statement: [] });
  const policy = { policyName: "p" };
  const target = arnOfGroup("fleet");
  await makeGroups(world, { fleet: undefined, north: "fleet", south: "fleet" });
  await makeThings(world, "t");
  await run(registry.createPolicy, { ...policy, policyDocument });
  const { certificateArn: principal, certificateId } = await run(registry.createKeysAndCertificate, {});
  await run(registry.attachThingPrincipal, { thingName: "t", principal });
  const rechecks = async () => {
    const found = (await world.takeEffects()).filter((effect) => effect.type === "recheckPrincipal");
    return found.map((effect) => effect.certificateId);
  };
  const attachment = registryKeys.policyOfTarget(scope, target, "p");
  await rechecks();
  interrupt(world.store, attachment, () => add(world, "t", "north"));
  await run(registry.attachPolicy, { ...policy, target });
  assert.deepEqual(await rechecks(), [certificateId, certificateId], "of the thing that joined, then of the policy");
  await run(registry.removeThingFromThingGroup, { thingName: "t", thingGroupName: "north" });
  await rechecks();
  interrupt(world.store, attachment, () => add(world, "t", "south"));
  await run(registry.detachPolicy, { ...policy, target });
  assert.deepEqual(await rechecks(), [certificateId, certificateId]);
  interrupt(world.store, registryKeys.policy(scope, "p"), () =>
    run(registry.attachPolicy, { ...policy, target: principal }),
  );
  await run(registry.createPolicyVersion, { ...policy, policyDocument, setAsDefault: true });
  assert.deepEqual(await rechecks(), [certificateId, certificateId]);
  await run(registry.detachPolicy, { ...policy, target: principal });
  await rechecks();
  interrupt(world.store, registryKeys.policy(scope, "p"), () =>
    run(registry.attachPolicy, { ...policy, target: principal }),
  );
  await run(registry.setDefaultPolicyVersion, { ...policy, policyVersionId: "1" });
  assert.deepEqual(await rechecks(), [certificateId, certificateId]);
});

test("a certificate that is attached while its thing joins or leaves a group is looked at after that", async () => {
  const world = await openServiceWorld();
  const { run, registry } = world;
  await makeGroups(world, { north: undefined });
  await makeThings(world, "t");
  const { certificateArn: principal } = await run(registry.createKeysAndCertificate, {});
  const attach = () => run(registry.attachThingPrincipal, { thingName: "t", principal });
  const rechecks = async () =>
    (await world.takeEffects()).filter((effect) => effect.type === "recheckPrincipal").length;
  interrupt(world.store, registryKeys.thing(scope, "t"), attach);
  await add(world, "t", "north");
  assert.equal(await rechecks(), 2, "of the certificate, then of the thing");
  await run(registry.detachThingPrincipal, { thingName: "t", principal });
  await rechecks();
  interrupt(world.store, registryKeys.thing(scope, "t"), attach);
  await run(registry.removeThingFromThingGroup, { thingName: "t", thingGroupName: "north" });
  assert.equal(await rechecks(), 2);
});

test("a page of a group of ten thousand reads a page, and no more", async () => {
  const world = await openServiceWorld();
  await makeGroups(world, { fleet: undefined, north: "fleet" });
  await makeThings(world, "first");
  await add(world, "first", "north");
  const { store, run, registry } = world;
  const [place] = await store.list([scope.account, scope.region, "thingOfGroup"], { limit: 1 });
  const below = await store.list([scope.account, scope.region, "thingBelowGroup"], { limit: 2 });
  for (let batch = 0; batch < 10; batch++) {
    const names = Array.from({ length: 1_000 }, (_, at) => `t-${batch}-${at}`);
    const copies = [place!, ...below].flatMap(({ key, value }) =>
      names.map((name) => ({ key: [...key.slice(0, -1), name], value })),
    );
    await store.commit(copies);
  }
  let read = 0;
  const list = store.list.bind(store);
  store.list = async (prefix, options) => {
    const entries = await list<never>(prefix, options);
    read += entries.length;
    return entries;
  };
  for (const [thingGroupName, recursive] of [
    ["north", false],
    ["fleet", true],
  ] as const) {
    read = 0;
    const page = await run(registry.listThingsInThingGroup, { thingGroupName, recursive, maxResults: 100 });
    assert.equal(page.things.length, 100);
    assert.equal(read, 101);
    read = 0;
    const more = { thingGroupName, recursive, maxResults: 100, nextToken: page.nextToken ?? "" };
    assert.equal((await run(registry.listThingsInThingGroup, more)).things.length, 100);
    assert.equal(read, 101);
  }
  read = 0;
  assert.deepEqual((await run(registry.listThingsInThingGroup, { thingGroupName: "fleet" })).things, []);
  assert.equal(read, 0);
});

test("a thing that is deleted is in no group any more, and watchers hear of it", async () => {
  const woken: string[] = [];
  const handler = async (_scope: unknown, name: string) => void woken.push(thingOfMembershipWake(name) ?? "?");
  const world = await openServiceWorld({
    membershipWatchers: ["jobs"],
    wakeHandlers: new Map([["jobs", handler]]),
  });
  const { run, registry, clock } = world;
  await makeGroups(world, { fleet: undefined, north: "fleet", other: undefined });
  await makeThings(world, "t", "u");
  for (const name of ["north", "other"]) await add(world, "t", name);
  await add(world, "u", "fleet");
  await run(registry.deleteThing, { thingName: "t" });
  assert.deepEqual(await namesIn(world, "fleet", { recursive: true }), ["u"]);
  assert.deepEqual(await namesIn(world, "other"), []);
  await makeThings(world, "t");
  assert.deepEqual(await groupsOf(world, "t"), [], "another thing of its name");
  await clock.advance(1);
  assert.deepEqual([...new Set(woken)].sort(), ["t", "u"]);
  woken.length = 0;
  await run(registry.deleteThing, { thingName: "t" });
  await clock.advance(1);
  assert.deepEqual(woken, ["t"], "also for one that was in no group");
  assert.equal(membershipWakeName("t"), "membership/t");
  assert.equal(thingOfMembershipWake("other/t"), undefined);
});

test("a group with children stays, an unknown one is gone already, and the version counts", async () => {
  const world = await openServiceWorld();
  const { run, registry } = world;
  await makeGroups(world, { fleet: undefined, north: "fleet" });
  const remove = (thingGroupName: string, more = {}) => run(registry.deleteThingGroup, { thingGroupName, ...more });
  await assert.rejects(
    remove("fleet"),
    fails("REQUEST_INVALID", /^Cannot delete thing group : fleet when there are still child groups attached to it$/),
  );
  await assert.rejects(remove("north", { expectedVersion: 2 }), fails("VERSION_CONFLICT", /north/));
  await remove("north", { expectedVersion: 1 });
  await remove("north");
  await remove("fleet");
  const { thingGroups } = await run(registry.listThingGroups, {});
  assert.deepEqual(thingGroups, []);
  const left = await world.store.list([scope.account, scope.region], { limit: 10 });
  assert.deepEqual(left, [], "nothing remains of them");
});

test("a child is not made below a group that is deleted at the same time", async () => {
  const world = await openServiceWorld();
  const { run, registry } = world;
  await makeGroups(world, { fleet: undefined });
  const settled = await Promise.allSettled([
    run(registry.deleteThingGroup, { thingGroupName: "fleet" }),
    makeGroups(world, { north: "fleet" }),
  ]);
  assert.equal(settled.filter(({ status }) => status === "fulfilled").length, 1);
});

const manyThings = clearedThingsMax * 2 + 10;

async function deletedGroup() {
  const woken = new Set<string>();
  const handler = async (_scope: unknown, name: string) => void woken.add(thingOfMembershipWake(name) ?? "?");
  const world = await openServiceWorld({ membershipWatchers: ["jobs"], wakeHandlers: new Map([["jobs", handler]]) });
  await makeGroups(world, { fleet: undefined, north: "fleet", south: "fleet" });
  const names = Array.from({ length: manyThings }, (_, at) => `t-${String(at).padStart(3, "0")}`);
  await makeThings(world, ...names);
  for (const name of names) await add(world, name, "north");
  await world.clock.advance(1);
  woken.clear();
  await world.run(world.registry.deleteThingGroup, { thingGroupName: "north" });
  return { ...world, world, names, woken };
}

test("the things of a deleted group leave it part by part, also after a restart, and watchers hear of each", async () => {
  const { world, names, woken, store, clock } = await deletedGroup();
  assert.deepEqual(await namesIn(world, "fleet", { recursive: true }), names.slice(clearedThingsMax));
  await world.restart();
  await clock.advance(1);
  assert.deepEqual(await namesIn(world, "fleet", { recursive: true }), []);
  assert.equal(woken.size, names.length);
  for (const name of names) {
    const thing = await store.get<ThingRecord>(registryKeys.thing(scope, name));
    assert.equal(thing?.value.groups, undefined);
  }
  for (const kind of ["thingOfGroup", "thingBelowGroup", "deletedGroup"]) {
    assert.deepEqual(await store.list([scope.account, scope.region, kind], { limit: 1 }), [], kind);
  }
});

test("what is left of a deleted group counts nowhere, and takes nothing from what comes after", async () => {
  const { world, names, clock } = await deletedGroup();
  const [moved = "", rejoined = "", left = ""] = names.slice(-3);
  assert.deepEqual(await groupsOf(world, moved), []);
  // Another group of the hierarchy, and another of the same name.
  await makeGroups(world, { north: "fleet" });
  assert.deepEqual(await namesIn(world, "north"), []);
  await add(world, moved, "south");
  await add(world, rejoined, "north");
  assert.deepEqual(await groupsOf(world, left), []);
  await clock.advance(1);
  assert.deepEqual(await namesIn(world, "fleet", { recursive: true }), [moved, rejoined]);
  assert.deepEqual(await namesIn(world, "south"), [moved]);
  assert.deepEqual(await namesIn(world, "north"), [rejoined]);
  assert.deepEqual(await groupsOf(world, moved), ["fleet", "south"]);
  assert.deepEqual(await groupsOf(world, rejoined), ["fleet", "north"]);
});
