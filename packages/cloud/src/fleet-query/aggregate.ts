import { numberIn, type FieldValue } from "./values.js";

export type FieldType = "Number" | "String" | "Boolean";

export interface Statistics {
  count: number;
  average?: number;
  sum?: number;
  minimum?: number;
  maximum?: number;
  sumOfSquares?: number;
  variance?: number;
  stdDeviation?: number;
}

/** Of GetPercentiles, where none are asked for. */
export const defaultPercents: readonly number[] = [1, 5, 25, 50, 75, 95, 99];
export const defaultBuckets = 10;

/** What fits the type of the field; the rest is left out, as AWS leaves it out. A list counts with each of its elements. */
export function typedValues(values: Iterable<FieldValue>, type: FieldType): (string | number | boolean)[] {
  const found: (string | number | boolean)[] = [];
  const take = (value: FieldValue): void => {
    if (Array.isArray(value)) return value.forEach(take);
    const typed = typedValue(value, type);
    if (typed !== undefined) found.push(typed);
  };
  for (const value of values) take(value);
  return found;
}

/** Attributes are texts, whatever is in them. */
function typedValue(value: FieldValue, type: FieldType): string | number | boolean | undefined {
  if (type === "Number") {
    const number = typeof value === "string" ? numberIn(value) : value;
    return typeof number === "number" && Number.isFinite(number) ? number : undefined;
  }
  if (type === "Boolean") {
    if (typeof value === "boolean") return value;
    const text = typeof value === "string" ? value.toLowerCase() : "";
    return text === "true" ? true : text === "false" ? false : undefined;
  }
  return typeof value === "string" ? value : undefined;
}

/** Of texts there is nothing but their count; true counts as 1, false as 0. */
export function statisticsOf(values: readonly (string | number | boolean)[], type: FieldType): Statistics {
  const count = values.length;
  if (type === "String" || count === 0) return { count };
  const numbers = values.map(Number);
  let [sum, sumOfSquares] = [0, 0];
  let [minimum, maximum] = [Infinity, -Infinity];
  for (const number of numbers) {
    sum += number;
    sumOfSquares += number * number;
    minimum = Math.min(minimum, number);
    maximum = Math.max(maximum, number);
  }
  const average = sum / count;
  const variance = numbers.reduce((total, number) => total + (number - average) ** 2, 0) / count;
  return { count, average, sum, minimum, maximum, sumOfSquares, variance, stdDeviation: Math.sqrt(variance) };
}

export function cardinalityOf(values: readonly (string | number | boolean)[]): number {
  return new Set(values).size;
}

/** Between two values the line is straight. Nothing where there is no value. */
export function percentilesOf(
  values: readonly (string | number | boolean)[],
  percents: readonly number[],
): { percent: number; value: number }[] {
  const sorted = values.map(Number).toSorted((left, right) => left - right);
  if (sorted.length === 0) return [];
  return percents.map((percent) => {
    const place = (percent / 100) * (sorted.length - 1);
    const below = sorted[Math.floor(place)]!;
    const above = sorted[Math.ceil(place)]!;
    return { percent, value: below + (above - below) * (place - Math.floor(place)) };
  });
}

/** The most frequent values first. */
export function bucketsOf(
  values: readonly (string | number | boolean)[],
  maxBuckets: number,
): { keyValue: string; count: number }[] {
  const counts = new Map<string, number>();
  for (const value of values) counts.set(String(value), (counts.get(String(value)) ?? 0) + 1);
  const buckets = Array.from(counts, ([keyValue, count]) => ({ keyValue, count }));
  buckets.sort((left, right) => right.count - left.count || (left.keyValue < right.keyValue ? -1 : 1));
  return buckets.slice(0, maxBuckets);
}
