import { ThinglineError } from "@thingline/protocol";
import {
  bucketsOf,
  cardinalityOf,
  defaultBuckets,
  defaultPercents,
  percentilesOf,
  statisticsOf,
  typedValues,
  type FieldType,
} from "../../fleet-query/aggregate.js";
import type { IndexedGroup, IndexedThing } from "../../fleet-query/documents.js";
import { groupFields, thingFields, type ReadField } from "../../fleet-query/fields.js";
import { awsSaga } from "../aws-operation.js";
import type { Scope } from "../operation.js";
import type { FleetIndexes } from "./indexes.js";
import type { LiveIndex } from "./live-index.js";
import { groupManagedFields, thingManagedFields } from "./managed-fields.js";
import { indexingServiceName, type IndexField } from "./model.js";
import { askIndex, type Asked, type AskedIndex } from "./search.js";

/** What is found by a query, and its values of one field. */
export interface Aggregated {
  readonly found: number;
  readonly type: FieldType;
  readonly values: (string | number | boolean)[];
}

export interface AskedField extends Asked {
  readonly aggregationField?: string | undefined;
}

/** @throws {ThinglineError} QUERY_AGGREGATION_INVALID, and as {@link askIndex} */
export async function aggregate(indexes: FleetIndexes, scope: Scope, asked: AskedField): Promise<Aggregated> {
  const on = await askIndex(indexes, scope, asked);
  return on.kind === "things" ? aggregateThings(on, asked) : aggregateGroups(on, asked);
}

function aggregateThings({ index, matches }: Extract<AskedIndex, { kind: "things" }>, asked: AskedField): Aggregated {
  const { aggregationField: name = "registry.version" } = asked;
  const type = typeOf(name, [
    ...thingManagedFields(index.configuration.things),
    ...index.configuration.things.customFields,
  ]);
  const read = readThingField(name, index);
  const found: IndexedThing[] = [];
  for (const thingName of index.things.names()) {
    const thing = index.things.get(thingName)!;
    if (matches(thing)) found.push(thing);
  }
  return { found: found.length, type, values: typedValues(found.map(read), type) };
}

function aggregateGroups({ index, matches }: Extract<AskedIndex, { kind: "groups" }>, asked: AskedField): Aggregated {
  const { aggregationField: name = "version" } = asked;
  const type = typeOf(name, [...groupManagedFields, ...index.configuration.groups.customFields]);
  const read: ReadField<IndexedGroup> = name === "version" ? ({ version }) => version : groupFields.read(name);
  const found = [...index.groups.values()].filter(matches);
  return { found: found.length, type, values: typedValues(found.map(read), type) };
}

function typeOf(name: string, fields: readonly IndexField[]): FieldType {
  const field = fields.find((one) => one.name === name || (one.name.includes("*") && isNamed(one.name, name)));
  if (field !== undefined) return field.type;
  throw invalidAggregation(`Invalid aggregation field: ${name} is neither a managed nor a custom field`);
}

const isNamed = (pattern: string, name: string) => {
  const [before = "", after = ""] = pattern.split("*");
  const inner = name.slice(before.length, name.length - after.length);
  return name.startsWith(before) && name.endsWith(after) && inner !== "" && !inner.includes(".");
};

const invalidAggregation = (message: string) => new ThinglineError("QUERY_AGGREGATION_INVALID", message);

/** Versions can be computed with, though not searched. */
function readThingField(name: string, { configuration: { things } }: LiveIndex): ReadField<IndexedThing> {
  if (name === "registry.version") return ({ version }) => version;
  if (name === "shadow.version") return ({ shadow }) => shadow?.version;
  if (name === "connectivity.version") return ({ connectivity }) => connectivity?.version;
  const named = /^shadow\.name\.([^.]+)\.version$/.exec(name)?.[1];
  if (named !== undefined)
    return ({ namedShadows = {} }) => (Object.hasOwn(namedShadows, named) ? namedShadows[named]?.version : undefined);
  return thingFields({
    hasShadow: things.mode === "REGISTRY_AND_SHADOW",
    namedShadows: things.namedShadowNames,
    hasConnectivity: things.hasConnectivity,
  }).read(name);
}

const queried = ["indexName", "queryString", "aggregationField", "queryVersion"] as const;

/** GetStatistics and its kind. */
export function aggregationOperations(indexes: FleetIndexes) {
  return {
    getStatistics: awsSaga(indexingServiceName, ["iot", "GetStatistics"], queried, async ({ scope }, input) => {
      const { values, type } = await aggregate(indexes, scope, input);
      return { statistics: statisticsOf(values, type) };
    }),
    getCardinality: awsSaga(indexingServiceName, ["iot", "GetCardinality"], queried, async ({ scope }, input) => {
      const { values } = await aggregate(indexes, scope, input);
      return { cardinality: cardinalityOf(values) };
    }),
    getPercentiles: awsSaga(
      indexingServiceName,
      ["iot", "GetPercentiles"],
      [...queried, "percents"],
      async ({ scope }, { percents = defaultPercents, ...input }) => {
        const { values, type } = await aggregate(indexes, scope, input);
        requireNumbers(type);
        return { percentiles: percentilesOf(values, percents) };
      },
    ),
    getBucketsAggregation: awsSaga(
      indexingServiceName,
      ["iot", "GetBucketsAggregation"],
      [...queried, "bucketsAggregationType.termsAggregation.maxBuckets"],
      async ({ scope }, { bucketsAggregationType, ...input }) => {
        const { found, values } = await aggregate(indexes, scope, input);
        const { maxBuckets = defaultBuckets } = bucketsAggregationType.termsAggregation ?? {};
        return { totalCount: found, buckets: bucketsOf(values, maxBuckets) };
      },
    ),
  };
}

export function requireNumbers(type: FieldType): void {
  if (type !== "Number") throw invalidAggregation(`Percentiles are of fields of the type Number, got ${type}`);
}
