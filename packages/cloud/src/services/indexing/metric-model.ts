import { ThinglineError } from "@thingline/protocol";
import { percentilesOf, statisticsOf, cardinalityOf, type Statistics } from "../../fleet-query/aggregate.js";
import { requireNumbers, type Aggregated } from "./aggregations.js";

/** A fleet metric as CreateFleetMetric left it. */
export type FleetMetricRecord = {
  metricName: string;
  /** Another with each query and period, so that a wake-up of before counts no more. */
  metricId: string;
  queryString: string;
  aggregationType: { name: "Statistics" | "Percentiles" | "Cardinality"; values: readonly string[] };
  period: number;
  aggregationField: string;
  description?: string;
  queryVersion: string;
  indexName: string;
  unit?: string;
  version: number;
  createdAtMs: number;
  modifiedAtMs: number;
};

/** What a metric came to, the oldest point first. */
export type FleetMetricPoints = readonly {
  readonly atMs: number;
  readonly values: { readonly [name: string]: number };
}[];

export const fleetMetricsMax = 100;
/** Points that are kept of one metric. */
export const fleetMetricPointsMax = 60;

const statistics: readonly (keyof Statistics)[] = [
  ...(["count", "average", "sum", "minimum", "maximum", "sumOfSquares", "variance", "stdDeviation"] as const),
];

/** @throws {ThinglineError} REQUEST_INVALID */
export function checkAggregationType({ name, values }: FleetMetricRecord["aggregationType"]): void {
  const fits = (value: string): boolean =>
    name === "Statistics"
      ? statistics.includes(value as keyof Statistics)
      : name === "Percentiles" && /^\d+(\.\d+)?$/.test(value) && Number(value) <= 100;
  const wrong = name === "Cardinality" ? undefined : values.find((value) => !fits(value));
  if (wrong === undefined && (values.length > 0 || name === "Cardinality")) return;
  const message = `aggregationType: ${name} has no value ${wrong ?? "at all"}`;
  throw new ThinglineError("REQUEST_INVALID", message);
}

/** What is emitted, by the names of AWS. @throws {ThinglineError} QUERY_AGGREGATION_INVALID */
export function measure(
  { name, values: asked }: FleetMetricRecord["aggregationType"],
  { values, type }: Aggregated,
): Record<string, number> {
  if (name === "Cardinality") return { cardinality: cardinalityOf(values) };
  if (name === "Percentiles") {
    requireNumbers(type);
    const pairs = percentilesOf(values, asked.map(Number));
    return Object.fromEntries(pairs.map(({ percent, value }) => [`p${percent}`, value]));
  }
  const computed = statisticsOf(values, type);
  const known = asked.flatMap((one) => {
    const value = computed[one as keyof Statistics];
    return value === undefined ? [] : [[one, value] as const];
  });
  return Object.fromEntries(known);
}

/** The next full period of Unix time. */
export function nextPeriodMs(nowMs: number, period: number): number {
  return (Math.floor(nowMs / (period * 1_000)) + 1) * period * 1_000;
}
