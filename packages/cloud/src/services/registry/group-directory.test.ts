import assert from "node:assert/strict";
import { test } from "node:test";
import { isThinglineError } from "@thingline/protocol";
import type { Operation } from "../operation.js";
import { openServiceWorld } from "../world.test.support.js";
import {
  findThing,
  findThingGroup,
  groupsOfThing,
  requireExistingThingGroup,
  thingsBelowGroup,
  thingsPerPageMax,
} from "./index.js";

async function fleet() {
  const world = await openServiceWorld();
  const { run, registry } = world;
  for (const [thingGroupName, parentGroupName] of [["fleet"], ["north", "fleet"], ["other"]] as const) {
    await run(registry.createThingGroup, {
      thingGroupName,
      ...(parentGroupName !== undefined && { parentGroupName }),
    });
  }
  for (const thingName of ["a", "b", "c", "d"]) await run(registry.createThing, { thingName });
  for (const thingName of ["c", "a"]) {
    await run(registry.addThingToThingGroup, { thingName, thingGroupName: "north" });
  }
  for (const thingGroupName of ["fleet", "other"]) {
    await run(registry.addThingToThingGroup, { thingName: "b", thingGroupName });
  }
  return world;
}

test("other services find things and groups, and what is not there", async () => {
  const { run, registry } = await fleet();
  const { thingId, thingArn } = await run(registry.describeThing, { thingName: "a" });
  assert.deepEqual(await run(findThing, { thingName: "a" }), { thingName: "a", thingId, thingArn });
  assert.equal(await run(findThing, { thingName: "none" }), undefined);
  const { thingGroupId, thingGroupArn } = await run(registry.describeThingGroup, { thingGroupName: "north" });
  const found = { thingGroupName: "north", thingGroupId, thingGroupArn };
  assert.deepEqual(await run(findThingGroup, { thingGroupName: "north" }), found);
  assert.deepEqual(await run(requireExistingThingGroup, { thingGroupName: "north" }), found);
  assert.equal(await run(findThingGroup, { thingGroupName: "none" }), undefined);
});

test("the things of a group and of those below it come in pages, each once", async () => {
  const { run } = await fleet();
  const first = await run(thingsBelowGroup, { thingGroupName: "fleet", limit: 2 });
  assert.deepEqual(first, { thingNames: ["a", "b"], next: "b" });
  const rest = await run(thingsBelowGroup, { thingGroupName: "fleet", limit: 2, after: "b" });
  assert.deepEqual(rest, { thingNames: ["c"], next: undefined });
  const all = await run(thingsBelowGroup, { thingGroupName: "fleet", limit: thingsPerPageMax });
  assert.deepEqual(all, { thingNames: ["a", "b", "c"], next: undefined });
  assert.deepEqual((await run(thingsBelowGroup, { thingGroupName: "other", limit: 9 })).thingNames, ["b"]);
  await assert.rejects(run(thingsBelowGroup, { thingGroupName: "fleet", limit: thingsPerPageMax + 1 }), (error) =>
    isThinglineError(error, "LIMIT_EXCEEDED"),
  );
  await assert.rejects(run(thingsBelowGroup, { thingGroupName: "none", limit: 1 }), (error) =>
    isThinglineError(error, "RESOURCE_NOT_FOUND"),
  );
});

test("the groups of a thing come with all above them", async () => {
  const { run } = await fleet();
  const names = async (thingName: string) =>
    (await run(groupsOfThing, { thingName })).map(({ thingGroupName, isDirect }) => [thingGroupName, isDirect]);
  assert.deepEqual(await names("a"), [
    ["north", true],
    ["fleet", false],
  ]);
  assert.deepEqual(await names("b"), [
    ["fleet", true],
    ["other", true],
  ]);
  assert.deepEqual(await names("d"), []);
  assert.deepEqual(await names("none"), []);
});

test("a commit that requires a group fails when the group goes meanwhile", async () => {
  const { run, registry, store } = await fleet();
  let attempts = 0;
  const make: Operation<void, void> = async (context) => {
    attempts++;
    await context.call(requireExistingThingGroup, { thingGroupName: "other" });
    if (attempts === 1) await run(registry.deleteThingGroup, { thingGroupName: "other" });
    return { result: undefined, operations: [{ key: ["a", "r", "made"], value: 1 }], effects: [] };
  };
  await assert.rejects(run(make, undefined), (error) => isThinglineError(error, "RESOURCE_NOT_FOUND"));
  assert.equal(attempts, 2);
  assert.equal(await store.get(["a", "r", "made"]), undefined);
});
