import { isThinglineError, ThinglineError } from "@thingline/protocol";
import { queryVersion as onlyVersion } from "../../fleet-query/query.js";
import type { Log } from "../../log.js";
import type { StoreEntry } from "../../store/store.js";
import { awsOperation, awsSaga, type OutputOf } from "../aws-operation.js";
import { answer, type Effect, type Operation, type OperationContext, type Scope } from "../operation.js";
import { lastName, readPage } from "../page.js";
import { hasTags, tagsGone, tagsOfNew, type GivenTags } from "../tags/index.js";
import type { WakeHandler } from "../wake-ups.js";
import { aggregate } from "./aggregations.js";
import type { FleetIndexes } from "./indexes.js";
import {
  checkAggregationType,
  fleetMetricPointsMax,
  fleetMetricsMax,
  measure,
  nextPeriodMs,
  type FleetMetricPoints,
  type FleetMetricRecord,
} from "./metric-model.js";
import { indexingKeys, indexingServiceName, thingsIndex } from "./model.js";

const arnOf = ({ region, account }: Scope, metricName: string) =>
  `arn:aws:iot:${region}:${account}:fleetmetric/${metricName}`;

type Definition = Omit<FleetMetricRecord, "metricId" | "version" | "createdAtMs" | "modifiedAtMs">;

/** Of one request: each failed one means that another request has changed the metric. */
const changeAttemptsMax = 10;

const defined = [
  ...(["queryString", "aggregationType.name", "aggregationType.values", "period", "aggregationField"] as const),
  ...(["description", "queryVersion", "indexName", "unit"] as const),
] as const;

/** Fleet metrics: a query that is asked again and again, and what comes of it. */
export function fleetMetricControl(indexes: FleetIndexes) {
  /** @throws {ThinglineError} for what could not be measured now */
  const check = async (scope: Scope, metric: Definition) => {
    checkAggregationType(metric.aggregationType);
    measure(metric.aggregationType, await aggregate(indexes, scope, metric));
  };
  return {
    createFleetMetric: awsSaga(
      indexingServiceName,
      ["iot", "CreateFleetMetric"],
      ["metricName", ...defined, "tags.Key", "tags.Value"],
      async ({ scope, run }, { tags, aggregationType: { name, values = [] }, ...input }) => {
        const { indexName = thingsIndex, queryVersion = onlyVersion } = input;
        const metric: Definition = { ...input, indexName, queryVersion, aggregationType: { name, values } };
        await check(scope, metric);
        await run(addMetric, { metric, tags });
        return { metricName: metric.metricName, metricArn: arnOf(scope, metric.metricName) };
      },
    ),
    describeFleetMetric: awsOperation("iot", "DescribeFleetMetric", ["metricName"], async (context, { metricName }) => {
      const {
        metricId: _id,
        createdAtMs,
        modifiedAtMs,
        aggregationType,
        ...metric
      } = (await requireMetric(context, metricName)).value;
      return answer({
        ...metric,
        aggregationType: { ...aggregationType, values: [...aggregationType.values] },
        ...{ creationDate: createdAtMs / 1000, lastModifiedDate: modifiedAtMs / 1000 },
        metricArn: arnOf(context.scope, metricName),
      } as OutputOf<"iot", "DescribeFleetMetric">);
    }),
    updateFleetMetric: awsSaga(
      indexingServiceName,
      ["iot", "UpdateFleetMetric"],
      ["metricName", ...defined, "expectedVersion"],
      async ({ scope, run }, { metricName, expectedVersion, aggregationType, ...change }) => {
        const type = aggregationType && { name: aggregationType.name, values: aggregationType.values ?? [] };
        for (let attempt = 0; attempt < changeAttemptsMax; attempt++) {
          const before = await run(findMetric, { metricName });
          requireVersion(before, expectedVersion);
          const metric = { ...before, ...given(change), ...(type !== undefined && { aggregationType: type }) };
          await check(scope, metric);
          if (await run(changeMetric, { metric, expectedVersion })) return {};
        }
        const message = `The fleet metric ${metricName} is being changed by others`;
        throw new ThinglineError("VERSION_CONFLICT", message);
      },
    ),
    deleteFleetMetric: awsOperation(
      "iot",
      "DeleteFleetMetric",
      ["metricName", "expectedVersion"],
      async ({ store, scope }, { metricName, expectedVersion }) => {
        const key = indexingKeys.fleetMetric(scope, metricName);
        const entry = await store.get<FleetMetricRecord>(key);
        if (entry === undefined) return answer({});
        requireVersion(entry.value, expectedVersion);
        const points = { key: indexingKeys.fleetMetricPointsOf(scope, metricName), delete: true as const };
        const gone = { key, expectedRevision: entry.revision, delete: true as const };
        return { result: {}, operations: [gone, tagsGone(key), points], effects: [] };
      },
    ),
    listFleetMetrics: awsOperation("iot", "ListFleetMetrics", ["nextToken", "maxResults"], async (context, input) => {
      const { store, scope } = context;
      const prefix = indexingKeys.fleetMetrics(scope);
      const { entries, nextToken } = await readPage(store, { prefix, token: input.nextToken, size: input.maxResults });
      const fleetMetrics = entries.map(({ key }) => {
        const metricName = lastName(key);
        return { metricName, metricArn: arnOf(scope, metricName) };
      });
      return answer({ fleetMetrics, ...(nextToken !== undefined && { nextToken }) });
    }),
  };
}

/** Members that have a value. */
function given<T extends object>(members: T): { [K in keyof T]?: NonNullable<T[K]> } {
  const found = Object.entries(members).filter(([, value]) => value !== undefined);
  return Object.fromEntries(found) as { [K in keyof T]?: NonNullable<T[K]> };
}

async function requireMetric({ store, scope }: OperationContext, name: string): Promise<StoreEntry<FleetMetricRecord>> {
  const entry = await store.get<FleetMetricRecord>(indexingKeys.fleetMetric(scope, name));
  if (entry !== undefined) return entry;
  throw new ThinglineError("RESOURCE_NOT_FOUND", `Fleet metric ${name} not found.`);
}

function requireVersion({ metricName, version }: FleetMetricRecord, expected: number | undefined): void {
  if (expected === undefined || expected === version) return;
  const message = `The version for fleet metric ${metricName} does not match the expected version.`;
  throw new ThinglineError("VERSION_CONFLICT", message, { details: { version, expected } });
}

const findMetric: Operation<{ metricName: string }, FleetMetricRecord> = async (context, { metricName }) =>
  answer((await requireMetric(context, metricName)).value);

const wakePrefix = "metric/";
const wakeAt = ({ metricName, metricId, period }: FleetMetricRecord, nowMs: number): Effect => ({
  ...{ type: "wakeAt", service: indexingServiceName, name: `${wakePrefix}${metricName}/${metricId}` },
  atUnixMs: nextPeriodMs(nowMs, period),
});

/** The same again is as good as the first time. */
const addMetric: Operation<{ metric: Definition; tags: GivenTags | undefined }, void> = async (context, input) => {
  const { store, scope, nowMs, random } = context;
  const { metric, tags } = input;
  const key = indexingKeys.fleetMetric(scope, metric.metricName);
  const existing = await store.get<FleetMetricRecord>(key);
  if (existing !== undefined) {
    const { metricId: _id, version: _version, createdAtMs: _at, modifiedAtMs: _then, ...before } = existing.value;
    const sorted = (of: Definition) =>
      JSON.stringify(Object.entries(of).toSorted(([left], [right]) => (left < right ? -1 : 1)));
    if (sorted(before) === sorted(metric) && (await hasTags(context, key, tags))) return answer(undefined);
    const details = { resourceId: metric.metricName, resourceArn: arnOf(scope, metric.metricName) };
    throw new ThinglineError("RESOURCE_EXISTS", `Fleet metric ${metric.metricName} already exists`, { details });
  }
  const guardKey = indexingKeys.fleetMetricGuard(scope);
  const guardRevision = (await store.get(guardKey))?.revision ?? 0;
  const prefix = indexingKeys.fleetMetrics(scope);
  if ((await store.list(prefix, { limit: fleetMetricsMax })).length >= fleetMetricsMax) {
    const message = `There are ${fleetMetricsMax} fleet metrics, which is the maximum`;
    throw new ThinglineError("QUOTA_EXCEEDED", message, { details: { fleetMetricsMax } });
  }
  const value: FleetMetricRecord = {
    ...metric,
    ...{ metricId: random.uuid(), version: 1, createdAtMs: nowMs, modifiedAtMs: nowMs },
  };
  const operations = [
    { key, expectedRevision: 0, value },
    { key: guardKey, expectedRevision: guardRevision, value: null },
    ...tagsOfNew(key, tags),
  ];
  return { result: undefined, operations, effects: [wakeAt(value, nowMs)] };
};

/** @returns false when it is not any more what the change was made of */
const changeMetric: Operation<{ metric: FleetMetricRecord; expectedVersion: number | undefined }, boolean> = async (
  context,
  { metric, expectedVersion },
) => {
  const { key, value: before, revision } = await requireMetric(context, metric.metricName);
  requireVersion(before, expectedVersion);
  if (before.metricId !== metric.metricId) return answer(false);
  const { nowMs, random } = context;
  const value = { ...metric, metricId: random.uuid(), version: before.version + 1, modifiedAtMs: nowMs };
  return {
    result: true,
    operations: [{ key, expectedRevision: revision, value }],
    effects: [wakeAt(value, nowMs)],
  };
};

/** Writes a point, and wakes for the next; nothing for a metric that has changed since. */
const emit: Operation<{ metric: FleetMetricRecord; values: Record<string, number> | undefined }, boolean> = async (
  { store, scope, nowMs },
  { metric, values },
) => {
  const entry = await store.get<FleetMetricRecord>(indexingKeys.fleetMetric(scope, metric.metricName));
  if (entry?.value.metricId !== metric.metricId) return answer(false);
  const key = indexingKeys.fleetMetricPointsOf(scope, metric.metricName);
  const points = await store.get<FleetMetricPoints>(key);
  const value = [...(points?.value ?? []), ...(values === undefined ? [] : [{ atMs: nowMs, values }])];
  const check = { key: entry.key, expectedRevision: entry.revision, check: true as const };
  const write = { key, expectedRevision: points?.revision ?? 0, value: value.slice(-fleetMetricPointsMax) };
  return {
    result: true,
    operations: values === undefined ? [check] : [check, write],
    effects: [wakeAt(metric, nowMs)],
  };
};

/** What metrics came to, by name. Not AWS's: there is no CloudWatch here. */
export const listFleetMetricPoints: Operation<void, { fleetMetrics: readonly object[] }> = async ({ store, scope }) => {
  const entries = await store.list<FleetMetricPoints>(indexingKeys.fleetMetricPoints(scope), {
    limit: fleetMetricsMax,
  });
  const fleetMetrics = entries.map(({ key, value }) => ({
    metricName: lastName(key),
    points: value.map(({ atMs, values }) => ({ time: new Date(atMs).toISOString(), values })),
  }));
  return answer({ fleetMetrics });
};

/** Measures what is due. A metric that cannot be measured is told of, and tried again with its next period. */
export function wakeFleetMetrics(indexes: FleetIndexes, log: Log): WakeHandler {
  return async (scope, name, runner) => {
    const [metricName = "", metricId] = name.startsWith(wakePrefix) ? name.slice(wakePrefix.length).split("/") : [];
    const metric = await runner.run(scope, findMetric, { metricName }).catch((error: unknown) => {
      if (isThinglineError(error, "RESOURCE_NOT_FOUND")) return undefined;
      throw error;
    });
    if (metric?.metricId !== metricId || metric === undefined) return;
    let values: Record<string, number> | undefined;
    try {
      values = measure(metric.aggregationType, await aggregate(indexes, scope, metric));
    } catch (error) {
      log.warn("fleetMetricFailed", { metricName, error: String(error) });
    }
    const isCurrent = await runner.run(scope, emit, { metric, values });
    if (isCurrent && values !== undefined) {
      const { unit } = metric;
      log.info("fleetMetric", { metricName, values, ...(unit !== undefined && { unit }) });
    }
  };
}
