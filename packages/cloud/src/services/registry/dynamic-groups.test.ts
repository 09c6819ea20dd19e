import assert from "node:assert/strict";
import { test } from "node:test";
import { openServiceWorld } from "../world.test.support.js";
import {
  completeDynamicGroup,
  createDynamicGroup,
  dynamicGroupOperations,
  updateDynamicGroup,
} from "./dynamic-groups.js";
import { findGroup } from "./group-directory.js";

const query = { indexName: "AWS_Things", queryString: "*", queryVersion: "2017-09-30" };
const nothing = { thingGroupProperties: undefined, tags: undefined };

test("a thing keeps its place in a dynamic group whose query whoever follows does not know", async () => {
  const { run, registry, store } = await openServiceWorld();
  const { followDynamicGroups } = dynamicGroupOperations([]);
  await run(registry.createThing, { thingName: "t" });
  const queryIdOf = async (name: string) =>
    (await findGroup(store, { account: "123456789012", region: "us-east-1" }, name))?.value.dynamic?.queryId ?? "";
  for (const thingGroupName of ["known", "of-another-node"]) {
    await run(createDynamicGroup, { thingGroupName, ...query, ...nothing });
    const queryId = await queryIdOf(thingGroupName);
    const groups = [{ thingGroupName, queryId }];
    await run(followDynamicGroups, { thingName: "t", groups, queryIds: new Set([queryId]) });
    await run(completeDynamicGroup, { thingGroupName, queryId });
  }
  const groupsOf = async () => {
    const { thingGroups = [] } = await run(registry.listThingGroupsForThing, { thingName: "t" });
    return thingGroups.map(({ groupName }) => groupName).sort();
  };
  assert.deepEqual(await groupsOf(), ["known", "of-another-node"]);
  const before = await queryIdOf("known");
  await run(followDynamicGroups, { thingName: "t", groups: [], queryIds: new Set([before]) });
  assert.deepEqual(await groupsOf(), ["of-another-node"]);
  // Held against the query that the group had before.
  const changed = { ...query, queryString: "thingName:t" };
  const old = await queryIdOf("of-another-node");
  const change = { thingGroupName: "of-another-node", thingGroupProperties: {}, expectedVersion: undefined };
  await run(updateDynamicGroup, { ...change, query: changed });
  await run(followDynamicGroups, { thingName: "t", groups: [], queryIds: new Set([old]) });
  assert.deepEqual(await groupsOf(), ["of-another-node"]);
});
