import { ThinglineError } from "@thingline/protocol";
import { awsOperation, awsSaga } from "../aws-operation.js";
import { answer } from "../operation.js";
import { lastName, pageOf } from "../page.js";
import type { DynamicGroupOperations } from "../registry/index.js";
import { aggregationOperations } from "./aggregations.js";
import { changeConfiguration, describeConfiguration, readConfiguration, schemaOf } from "./configuration.js";
import { getThingConnectivityData } from "./connectivity.js";
import { dynamicGroupControl } from "./dynamic-groups.js";
import { fleetMetricControl } from "./fleet-metrics.js";
import type { FleetIndexes } from "./indexes.js";
import { groupsIndex, indexingKeys, indexingServiceName, thingsIndex } from "./model.js";
import { kindOfIndex, searchOperation } from "./search.js";

export type Indexing = ReturnType<typeof createIndexing>;

/** Fleet indexing: by AWS's names. */
export function createIndexing(indexes: FleetIndexes, dynamicGroups: DynamicGroupOperations) {
  return {
    getIndexingConfiguration: awsOperation("iot", "GetIndexingConfiguration", [], async (context) =>
      answer(describeConfiguration(await readConfiguration(context))),
    ),
    updateIndexingConfiguration: awsOperation(
      "iot",
      "UpdateIndexingConfiguration",
      [
        "thingIndexingConfiguration.thingIndexingMode",
        "thingIndexingConfiguration.thingConnectivityIndexingMode",
        "thingIndexingConfiguration.deviceDefenderIndexingMode",
        "thingIndexingConfiguration.namedShadowIndexingMode",
        "thingIndexingConfiguration.managedFields.name",
        "thingIndexingConfiguration.managedFields.type",
        "thingIndexingConfiguration.customFields.name",
        "thingIndexingConfiguration.customFields.type",
        "thingIndexingConfiguration.filter.namedShadowNames",
        "thingIndexingConfiguration.filter.geoLocations.name",
        "thingIndexingConfiguration.filter.geoLocations.order",
        "thingIndexingConfiguration.filter.connectivity.includeSocketInformation",
        "thingGroupIndexingConfiguration.thingGroupIndexingMode",
        "thingGroupIndexingConfiguration.managedFields.name",
        "thingGroupIndexingConfiguration.managedFields.type",
        "thingGroupIndexingConfiguration.customFields.name",
        "thingGroupIndexingConfiguration.customFields.type",
      ],
      async (context, input) => changeConfiguration(context, input),
    ),
    describeIndex: awsSaga(
      indexingServiceName,
      ["iot", "DescribeIndex"],
      ["indexName"],
      async ({ scope }, { indexName }) => {
        const kind = kindOfIndex(indexName);
        const index = await indexes.of(scope);
        const schema = index && schemaOf(index.configuration, kind);
        if (index === undefined || schema === undefined) {
          throw new ThinglineError("RESOURCE_NOT_FOUND", `Index ${indexName} does not exist`);
        }
        return { indexName, indexStatus: index.status, schema };
      },
    ),
    listIndices: awsOperation("iot", "ListIndices", ["nextToken", "maxResults"], async (context, input) => {
      const configuration = await readConfiguration(context);
      const names = [
        ...(schemaOf(configuration, "groups") === undefined ? [] : [groupsIndex]),
        ...(schemaOf(configuration, "things") === undefined ? [] : [thingsIndex]),
      ];
      const prefix = indexingKeys.configuration(context.scope);
      const page = pageOf(
        names.map((name) => [...prefix, name]),
        { prefix, token: input.nextToken, size: input.maxResults },
      );
      const indexNames = page.keys.map(lastName);
      return answer({ indexNames, ...(page.nextToken !== undefined && { nextToken: page.nextToken }) });
    }),
    searchIndex: searchOperation(indexes),
    ...aggregationOperations(indexes),
    ...dynamicGroupControl(indexes, dynamicGroups),
    ...fleetMetricControl(indexes),
    getThingConnectivityData,
  };
}
