import { ThinglineError } from "@thingline/protocol";
import type { Field, ThingGroupIndexingConfiguration, ThingIndexingConfiguration } from "../../model/types/iot.js";
import { answer, type Operation, type OperationContext } from "../operation.js";
import { hasDynamicGroups } from "../registry/index.js";
import { everyThingManagedField, groupManagedFields, thingManagedFields } from "./managed-fields.js";
import {
  customFieldsMax,
  geoLocationsMax,
  indexingKeys,
  indexingOff,
  namedShadowNamesMax,
  thingsOff,
  type GroupIndexing,
  type IndexField,
  type IndexingConfiguration,
  type ThingIndexing,
} from "./model.js";

const invalid = (message: string, details = {}) => new ThinglineError("REQUEST_INVALID", message, { details });

export async function readConfiguration({
  store,
  scope,
}: Pick<OperationContext, "store" | "scope">): Promise<IndexingConfiguration> {
  return (await store.get<IndexingConfiguration>(indexingKeys.configuration(scope)))?.value ?? indexingOff;
}

export const findConfiguration: Operation<void, IndexingConfiguration> = async (context) =>
  answer(await readConfiguration(context));

/** @see AWS IoT developer guide, "Managing thing indexing"; the texts of its errors were measured by others. */
export const changeConfiguration: Operation<
  {
    thingIndexingConfiguration?: ThingIndexingConfiguration | undefined;
    thingGroupIndexingConfiguration?: ThingGroupIndexingConfiguration | undefined;
  },
  Readonly<Record<never, never>>
> = async (context, { thingIndexingConfiguration: things, thingGroupIndexingConfiguration: groups }) => {
  if (things === undefined && groups === undefined) {
    throw invalid(
      "At least one configuration to update (thingIndexingConfiguration / thingGroupIndexingConfiguration) is required",
    );
  }
  const key = indexingKeys.configuration(context.scope);
  const entry = await context.store.get<IndexingConfiguration>(key);
  const before = entry?.value ?? indexingOff;
  const value: IndexingConfiguration = {
    things: things === undefined ? before.things : readThings(things),
    groups: groups === undefined ? before.groups : readGroups(groups),
  };
  if (
    value.things.mode === "OFF" &&
    before.things.mode !== "OFF" &&
    (await context.call(hasDynamicGroups, undefined))
  ) {
    throw invalid("Thing indexing cannot be turned off while there are dynamic thing groups");
  }
  return { result: {}, operations: [{ key, expectedRevision: entry?.revision ?? 0, value }], effects: [] };
};

function readThings(given: ThingIndexingConfiguration): ThingIndexing {
  const { thingIndexingMode: mode, thingConnectivityIndexingMode, namedShadowIndexingMode, filter } = given;
  const hasConnectivity = thingConnectivityIndexingMode === "STATUS";
  const hasNamedShadows = namedShadowIndexingMode === "ON";
  if (mode === "OFF") {
    requireOff(hasConnectivity, "ThingConnectivityIndexingMode");
    requireOff(hasNamedShadows, "NamedShadowIndexingMode");
    requireOff(given.deviceDefenderIndexingMode === "VIOLATIONS", "DeviceDefenderIndexingMode");
  }
  if (given.deviceDefenderIndexingMode === "VIOLATIONS") {
    throw invalid(
      "deviceDefenderIndexingMode: VIOLATIONS is not supported by the local cloud, which has no Device Defender",
    );
  }
  const namedShadowNames = [...new Set(filter?.namedShadowNames ?? [])];
  if (hasNamedShadows && namedShadowNames.length === 0) {
    throw invalid("NamedShadowNames Filter must not be empty for enabling NamedShadowIndexingMode");
  }
  requireFew("filter.namedShadowNames", namedShadowNames, namedShadowNamesMax);
  requireKnown("thingIndexingConfiguration", given.managedFields, everyThingManagedField);
  const customFields = readFields(given.customFields, (name) => thingFieldFault(name, mode, hasNamedShadows));
  const geoLocations = (filter?.geoLocations ?? []).map(({ name, order = "LatLon" }) => {
    if (name === undefined) throw invalid("filter.geoLocations: a location has a name");
    return { name, order };
  });
  requireFew("filter.geoLocations", geoLocations, geoLocationsMax);
  // AWS keeps nothing of a configuration that turns indexing off.
  if (mode === "OFF") return thingsOff;
  const socketInformation = filter?.connectivity?.includeSocketInformation ?? [];
  return { mode, hasConnectivity, hasNamedShadows, namedShadowNames, customFields, geoLocations, socketInformation };
}

function readGroups(given: ThingGroupIndexingConfiguration): GroupIndexing {
  requireKnown("thingGroupIndexingConfiguration", given.managedFields, groupManagedFields);
  const isOn = given.thingGroupIndexingMode === "ON";
  const customFields = readFields(given.customFields, (name) =>
    groupManagedFields.some((field) => field.name === name) ? reserved(name) : undefined,
  );
  return { isOn, customFields: isOn ? customFields : [] };
}

function requireOff(isOn: boolean, member: string): void {
  if (isOn) throw invalid(`ThingIndexingMode must be turned ON for enabling ${member}`);
}

function requireFew(member: string, list: readonly unknown[], most: number): void {
  if (list.length > most) throw invalid(`${member} has at most ${most} elements, got ${list.length}`, { most });
}

function requireKnown(member: string, fields: readonly Field[] | undefined, known: readonly IndexField[]): void {
  const unknown = (fields ?? []).filter(
    ({ name, type }) => !known.some((one) => one.name === name && one.type === type),
  );
  if (unknown.length === 0) return;
  const listed = unknown.map(({ name, type }) => `name:${name}, type:${type}`).join(", ");
  throw invalid(
    `Only managed fields with expected types are allowed in ${member}.managedFields. Invalid field(s): [${listed}]`,
  );
}

function readFields(given: readonly Field[] | undefined, faultOf: (name: string) => string | undefined): IndexField[] {
  const fields: IndexField[] = (given ?? []).map(({ name, type }) => {
    if (name === undefined)
      throw invalid(`Custom field name cannot be nullFieldName: null, FieldType: ${type ?? null}`);
    if (type === undefined) {
      throw invalid("Invalid field type: null. Expecting one of [String, Number, Boolean, Geopoint]");
    }
    const fault = faultOf(name);
    if (fault !== undefined) throw invalid(fault);
    return { name, type };
  });
  requireFew("customFields", fields, customFieldsMax);
  return fields;
}

const reserved = (name: string) => `Defined field is a reserved field for MULTI_INDEXING_MODE. Field: ${name}`;

function thingFieldFault(name: string, mode: ThingIndexing["mode"], hasNamedShadows: boolean): string | undefined {
  const isReserved = everyThingManagedField.some((field) => patternOf(field.name).test(name));
  if (isReserved) return reserved(name);
  if (/^attributes\../.test(name)) return undefined;
  if (/^shadow\.name\.[^.]+\.(desired|reported)\../.test(name)) {
    return hasNamedShadows || mode === "OFF"
      ? undefined
      : `Named shadow indexing is needed for the custom field ${name}`;
  }
  if (/^shadow\.(desired|reported)\../.test(name)) {
    return mode === "REGISTRY_AND_SHADOW" || mode === "OFF"
      ? undefined
      : `Shadow indexing is needed for the custom field ${name}`;
  }
  return `Invalid custom field name: ${name}. It begins with attributes., shadow.desired., shadow.reported. or shadow.name.<name>.`;
}

const patternOf = (managed: string) => new RegExp(`^${managed.replaceAll(".", "\\.").replaceAll("*", "[^.]+")}$`);

/** As GetIndexingConfiguration answers. */
export function describeConfiguration({ things, groups }: IndexingConfiguration) {
  const { mode, hasConnectivity, hasNamedShadows, namedShadowNames, geoLocations, socketInformation } = things;
  const filter = {
    ...(namedShadowNames.length > 0 && { namedShadowNames: [...namedShadowNames] }),
    ...(geoLocations.length > 0 && { geoLocations: geoLocations.map((location) => ({ ...location })) }),
    ...(socketInformation.length > 0 && { connectivity: { includeSocketInformation: [...socketInformation] } }),
  };
  return {
    thingIndexingConfiguration: {
      thingIndexingMode: mode,
      thingConnectivityIndexingMode: hasConnectivity ? ("STATUS" as const) : ("OFF" as const),
      deviceDefenderIndexingMode: "OFF" as const,
      namedShadowIndexingMode: hasNamedShadows ? ("ON" as const) : ("OFF" as const),
      managedFields: thingManagedFields(things),
      customFields: things.customFields.map((field) => ({ ...field })),
      ...(Object.keys(filter).length > 0 && { filter }),
    },
    thingGroupIndexingConfiguration: {
      thingGroupIndexingMode: groups.isOn ? ("ON" as const) : ("OFF" as const),
      managedFields: groups.isOn ? [...groupManagedFields] : [],
      customFields: groups.customFields.map((field) => ({ ...field })),
    },
  };
}

/** As DescribeIndex names what is indexed; undefined where nothing is. */
export function schemaOf({ things, groups }: IndexingConfiguration, index: "things" | "groups"): string | undefined {
  if (index === "groups") return groups.isOn ? "REGISTRY" : undefined;
  if (things.mode === "OFF") return undefined;
  if (things.hasNamedShadows) return "MULTI_INDEXING_MODE";
  return things.hasConnectivity ? `${things.mode}_AND_CONNECTIVITY_STATUS` : things.mode;
}
