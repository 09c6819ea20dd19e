import type { FieldType } from "../../fleet-query/aggregate.js";
import type { PlaceOrder } from "../../fleet-query/geo.js";
import type { StoreKey } from "../../store/store.js";
import type { Scope } from "../operation.js";

export const indexingServiceName = "indexing";

export const thingsIndex = "AWS_Things";
export const groupsIndex = "AWS_ThingGroups";
export type IndexName = typeof thingsIndex | typeof groupsIndex;

export interface IndexField {
  readonly name: string;
  readonly type: FieldType;
}

/** As UpdateIndexingConfiguration left it. */
export type IndexingConfiguration = {
  readonly things: ThingIndexing;
  readonly groups: GroupIndexing;
};

export type ThingIndexing = {
  readonly mode: "OFF" | "REGISTRY" | "REGISTRY_AND_SHADOW";
  readonly hasConnectivity: boolean;
  readonly hasNamedShadows: boolean;
  readonly namedShadowNames: readonly string[];
  readonly customFields: readonly { readonly name: string; readonly type: FieldType }[];
  readonly geoLocations: readonly { readonly name: string; readonly order: PlaceOrder }[];
  readonly socketInformation: readonly "GET_THING_CONNECTIVITY_DATA"[];
};

export type GroupIndexing = {
  readonly isOn: boolean;
  readonly customFields: readonly { readonly name: string; readonly type: FieldType }[];
};

export const thingsOff: ThingIndexing = {
  ...{ mode: "OFF", hasConnectivity: false, hasNamedShadows: false },
  ...{ namedShadowNames: [], customFields: [], geoLocations: [], socketInformation: [] },
};

/** Of a new account. */
export const indexingOff: IndexingConfiguration = { things: thingsOff, groups: { isOn: false, customFields: [] } };

/** What is known of the connection of a thing. */
export type ConnectivityRecord = {
  connected: boolean;
  /** Unix milliseconds. */
  timestamp: number;
  /** Of the connection, so that the end of an earlier one does not count. */
  version: number;
  /** Of the engine that had it. */
  engineId: string;
  disconnectReason?: string;
  ipAddress?: string;
};

/** Of each index. */
export const customFieldsMax = 5;
export const namedShadowNamesMax = 10;
export const geoLocationsMax = 5;

const key = (scope: Scope, ...rest: (string | number)[]): StoreKey => [scope.account, scope.region, ...rest];

export const indexingKeys = {
  configuration: (scope: Scope) => key(scope, "indexing"),
  connectivities: (scope: Scope) => key(scope, "connectivity"),
  connectivity: (scope: Scope, thingName: string) => key(scope, "connectivity", thingName),
  fleetMetrics: (scope: Scope) => key(scope, "fleetMetric"),
  /** Changes with each metric that is made: two at once must not both be the last that there is room for. */
  fleetMetricGuard: (scope: Scope) => key(scope, "fleetMetrics"),
  fleetMetric: (scope: Scope, metricName: string) => key(scope, "fleetMetric", metricName),
  fleetMetricPoints: (scope: Scope) => key(scope, "fleetMetricPoints"),
  fleetMetricPointsOf: (scope: Scope, metricName: string) => key(scope, "fleetMetricPoints", metricName),
};
