import { ThinglineError } from "@thingline/protocol";
import { queryVersion as onlyVersion } from "../../fleet-query/query.js";
import { awsSaga } from "../aws-operation.js";
import { createDynamicGroup, updateDynamicGroup, type DynamicGroupOperations } from "../registry/index.js";
import type { FleetIndexes } from "./indexes.js";
import { indexingServiceName, thingsIndex } from "./model.js";
import { askIndex } from "./search.js";

const properties = [
  "thingGroupProperties.thingGroupDescription",
  "thingGroupProperties.attributePayload.attributes",
  "thingGroupProperties.attributePayload.merge",
] as const;

/** The control plane of dynamic thing groups. Their things follow by the index. */
export function dynamicGroupControl(indexes: FleetIndexes, { deleteDynamicGroup }: DynamicGroupOperations) {
  return {
    createDynamicThingGroup: awsSaga(
      indexingServiceName,
      ["iot", "CreateDynamicThingGroup"],
      ["thingGroupName", ...properties, "indexName", "queryString", "queryVersion", "tags.Key", "tags.Value"],
      async ({ scope, run }, input) => {
        const { thingGroupName, thingGroupProperties, tags, queryString } = input;
        const { indexName = thingsIndex, queryVersion = onlyVersion } = input;
        requireThingsIndex(indexName);
        await askIndex(indexes, scope, { indexName, queryString, queryVersion });
        const query = { indexName, queryString, queryVersion };
        const created = await run(createDynamicGroup, { thingGroupName, thingGroupProperties, tags, ...query });
        return { ...created, ...query };
      },
    ),
    updateDynamicThingGroup: awsSaga(
      indexingServiceName,
      ["iot", "UpdateDynamicThingGroup"],
      ["thingGroupName", ...properties, "expectedVersion", "indexName", "queryString", "queryVersion"],
      async ({ scope, run }, input) => {
        const { thingGroupName, thingGroupProperties, expectedVersion, indexName, queryString, queryVersion } = input;
        requireThingsIndex(indexName ?? thingsIndex);
        if (queryString !== undefined) await askIndex(indexes, scope, { indexName, queryString, queryVersion });
        const query = {
          ...(indexName !== undefined && { indexName }),
          ...(queryString !== undefined && { queryString }),
          ...(queryVersion !== undefined && { queryVersion }),
        };
        return run(updateDynamicGroup, { thingGroupName, thingGroupProperties, expectedVersion, query });
      },
    ),
    deleteDynamicThingGroup: awsSaga(
      indexingServiceName,
      ["iot", "DeleteDynamicThingGroup"],
      ["thingGroupName", "expectedVersion"],
      async ({ run }, { thingGroupName, expectedVersion }) =>
        run(deleteDynamicGroup, { thingGroupName, expectedVersion }),
    ),
  };
}

function requireThingsIndex(indexName: string): void {
  if (indexName === thingsIndex) return;
  throw new ThinglineError("REQUEST_INVALID", `A dynamic thing group is of the index ${thingsIndex}, got ${indexName}`);
}
