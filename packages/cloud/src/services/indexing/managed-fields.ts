import { indexingOff, type IndexField, type ThingIndexing } from "./model.js";

// Fields whose types AWS knows. Which of them there are follows from what is indexed.

const registry: readonly IndexField[] = [
  { name: "thingName", type: "String" },
  { name: "thingId", type: "String" },
  { name: "registry.version", type: "Number" },
  { name: "registry.thingTypeName", type: "String" },
  { name: "registry.thingGroupNames", type: "String" },
];
const shadow: readonly IndexField[] = [
  { name: "shadow.version", type: "Number" },
  { name: "shadow.hasDelta", type: "Boolean" },
];
const namedShadows: readonly IndexField[] = [
  { name: "shadow.name.*.hasDelta", type: "Boolean" },
  { name: "shadow.name.*.version", type: "Number" },
];
const connectivity: readonly IndexField[] = [
  { name: "connectivity.connected", type: "Boolean" },
  { name: "connectivity.timestamp", type: "Number" },
  { name: "connectivity.disconnectReason", type: "String" },
  { name: "connectivity.clientId", type: "String" },
  { name: "connectivity.cleanSession", type: "Boolean" },
  { name: "connectivity.keepAliveDuration", type: "Number" },
  { name: "connectivity.sessionExpiry", type: "Number" },
  { name: "connectivity.version", type: "Number" },
];
const deviceDefender: readonly IndexField[] = [
  { name: "deviceDefender.version", type: "Number" },
  { name: "deviceDefender.violationCount", type: "Number" },
  { name: "deviceDefender.*.*.inViolation", type: "Boolean" },
  { name: "deviceDefender.*.*.lastViolationTime", type: "Number" },
  { name: "deviceDefender.*.*.metricName", type: "String" },
];

export const groupManagedFields: readonly IndexField[] = [
  { name: "parentGroupNames", type: "String" },
  { name: "description", type: "String" },
  { name: "version", type: "Number" },
  { name: "thingGroupName", type: "String" },
  { name: "thingGroupId", type: "String" },
];

/** All that there can be: a configuration may name them, and they are ignored. */
export const everyThingManagedField: readonly IndexField[] = [
  ...[...registry, ...shadow, ...namedShadows, ...connectivity, ...deviceDefender],
];

export function thingManagedFields({ mode, hasNamedShadows, hasConnectivity }: ThingIndexing): IndexField[] {
  if (mode === indexingOff.things.mode) return [];
  return [
    ...registry,
    ...(mode === "REGISTRY_AND_SHADOW" ? shadow : []),
    ...(hasNamedShadows ? namedShadows : []),
    ...(hasConnectivity ? connectivity : []),
  ];
}
