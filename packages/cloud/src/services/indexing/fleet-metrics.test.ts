import assert from "node:assert/strict";
import { test } from "node:test";
import { isThinglineError, type ErrorCode } from "@thingline/protocol";
import { listFleetMetricPoints } from "./fleet-metrics.js";
import { openIndexingWorld } from "./indexing-world.test.support.js";
import { checkAggregationType, fleetMetricPointsMax, fleetMetricsMax, measure } from "./metric-model.js";

const has =
  (code: ErrorCode, says = "") =>
  (error: unknown) =>
    isThinglineError(error, code) && error.message.includes(says);
const count = { name: "Statistics" as const, values: ["count"] };
const everything = { queryString: "*", aggregationField: "registry.version", period: 60, aggregationType: count };

test("a fleet metric is measured with each period, until it is deleted", async () => {
  const { run, indexing, index, thing, cloud, wait, logged, clock, pass } = await openIndexingWorld();
  const create = (metricName: string, more: object = {}) =>
    run(indexing.createFleetMetric, { metricName, ...everything, ...more });
  await assert.rejects(create("things"), has("RESOURCE_NOT_FOUND", "Please enable index"));
  await index({ thingIndexingMode: "REGISTRY" });
  await thing("a");
  const metricArn = "arn:aws:iot:us-east-1:123456789012:fleetmetric/things";
  const made = await create("things", { unit: "Count", description: "all of them", tags: [{ Key: "k", Value: "v" }] });
  assert.deepEqual(made, { metricName: "things", metricArn });
  assert.deepEqual(await create("things", { unit: "Count", description: "all of them" }), made);
  await assert.rejects(create("things"), has("RESOURCE_EXISTS"));
  await assert.rejects(create("bad", { queryString: "(" }), has("QUERY_INVALID"));
  await assert.rejects(create("bad", { aggregationField: "attributes.none" }), has("QUERY_AGGREGATION_INVALID"));
  await assert.rejects(
    create("bad", { aggregationType: { name: "Statistics", values: ["median"] } }),
    has("REQUEST_INVALID", "median"),
  );
  const { creationDate, lastModifiedDate, ...described } = await run(indexing.describeFleetMetric, {
    metricName: "things",
  });
  assert.deepEqual(described, {
    ...{ metricName: "things", metricArn, ...everything, unit: "Count", description: "all of them", version: 1 },
    ...{ queryVersion: "2017-09-30", indexName: "AWS_Things" },
  });
  assert.equal(creationDate, lastModifiedDate);

  const points = async () =>
    (await run(listFleetMetricPoints, undefined)).fleetMetrics as {
      metricName: string;
      points: { values: object }[];
    }[];
  await clock.advance(60_000);
  await pass(5);
  await thing("b");
  await clock.advance(60_000);
  await pass(5);
  assert.deepEqual(
    (await points())[0]?.points.map(({ values }) => values),
    [{ count: 1 }, { count: 2 }],
  );
  const told = logged.filter(({ event }) => event === "fleetMetric").map(({ facts }) => facts);
  assert.deepEqual(told.at(-1), { metricName: "things", values: { count: 2 }, unit: "Count" });

  const update = (more: object) =>
    run(indexing.updateFleetMetric, { metricName: "things", indexName: "AWS_Things", ...more });
  await update({ queryString: "thingName:b", expectedVersion: 1 });
  await assert.rejects(update({ expectedVersion: 1 }), has("VERSION_CONFLICT"));
  await assert.rejects(
    run(indexing.updateFleetMetric, { metricName: "no", indexName: "AWS_Things" }),
    has("RESOURCE_NOT_FOUND"),
  );
  await clock.advance(60_000);
  await pass(5);
  assert.deepEqual((await points())[0]?.points.at(-1)?.values, { count: 1 });
  // What cannot be measured is told, and tried again.
  await index({ thingIndexingMode: "OFF" });
  await clock.advance(60_000);
  await pass(5);
  assert.ok(logged.some(({ event }) => event === "fleetMetricFailed"));
  await index({ thingIndexingMode: "REGISTRY" });
  await clock.advance(60_000);
  await pass(5);
  assert.equal((await points())[0]?.points.length, 4);
  assert.deepEqual(await run(indexing.listFleetMetrics, {}), { fleetMetrics: [{ metricName: "things", metricArn }] });
  await assert.rejects(
    run(indexing.deleteFleetMetric, { metricName: "things", expectedVersion: 9 }),
    has("VERSION_CONFLICT"),
  );
  for (let twice = 0; twice < 2; twice++) await run(indexing.deleteFleetMetric, { metricName: "things" });
  assert.deepEqual(await points(), []);
  await assert.rejects(run(indexing.describeFleetMetric, { metricName: "things" }), has("RESOURCE_NOT_FOUND"));
  await wait(cloud.close());
});

test("there are so many fleet metrics, each with so many points", async () => {
  const { run, indexing, index, cloud, wait, clock, pass } = await openIndexingWorld();
  await index({ thingIndexingMode: "REGISTRY" });
  for (let at = 0; at < fleetMetricsMax - 1; at++) {
    await run(indexing.createFleetMetric, { metricName: `m${at}`, ...everything, period: at === 0 ? 60 : 86_400 });
  }
  const lastOnes = ["last", "later"].map((metricName) =>
    cloud.run(indexing.createFleetMetric, { metricName, ...everything, period: 86_400 }),
  );
  const made = await wait(Promise.allSettled(lastOnes));
  assert.deepEqual(made.map(({ status }) => status).sort(), ["fulfilled", "rejected"], "two at once");
  await assert.rejects(run(indexing.createFleetMetric, { metricName: "more", ...everything }), has("QUOTA_EXCEEDED"));
  for (let minute = 0; minute < fleetMetricPointsMax + 2; minute++) {
    await clock.advance(60_000);
    await pass(2);
  }
  const { fleetMetrics } = await run(listFleetMetricPoints, undefined);
  assert.equal((fleetMetrics as { points: unknown[] }[])[0]?.points.length, fleetMetricPointsMax);
  await wait(cloud.close());
});

test("what is measured has AWS's names", () => {
  const numbers = { found: 3, type: "Number" as const, values: [1, 2, 6] };
  assert.deepEqual(measure({ name: "Statistics", values: ["sum", "maximum"] }, numbers), { sum: 9, maximum: 6 });
  assert.deepEqual(measure({ name: "Percentiles", values: ["50", "100"] }, numbers), { p50: 2, p100: 6 });
  assert.deepEqual(measure({ name: "Cardinality", values: [] }, numbers), { cardinality: 3 });
  assert.deepEqual(measure({ name: "Statistics", values: ["count", "sum"] }, { ...numbers, type: "String" }), {
    count: 3,
  });
  assert.throws(
    () => measure({ name: "Percentiles", values: ["50"] }, { ...numbers, type: "String" }),
    has("QUERY_AGGREGATION_INVALID"),
  );
  assert.throws(() => checkAggregationType({ name: "Percentiles", values: ["101"] }), has("REQUEST_INVALID"));
  assert.throws(() => checkAggregationType({ name: "Statistics", values: [] }), has("REQUEST_INVALID"));
});

test("two changes of a fleet metric at once are both in it", async () => {
  const { run, indexing, index, cloud, wait } = await openIndexingWorld();
  await index({ thingIndexingMode: "REGISTRY" });
  await run(indexing.createFleetMetric, { metricName: "m", ...everything });
  const update = (more: object) =>
    cloud.run(indexing.updateFleetMetric, { metricName: "m", indexName: "AWS_Things", ...more });
  await wait(Promise.all([update({ description: "of both" }), update({ period: 120 })]));
  const { description, period, version } = await run(indexing.describeFleetMetric, { metricName: "m" });
  assert.deepEqual([description, period, version], ["of both", 120, 3]);
  await wait(cloud.close());
});
