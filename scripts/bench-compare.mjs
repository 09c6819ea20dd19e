// The order in which two sides are measured, and what is said about it: no processes and no files, so that tests can run it.
import {
  falseAlarmsExpected,
  isFaster,
  isSlower,
  isUnclear,
  orderOf,
  pairsAgain,
  ratioOf,
  median,
  slowerBelow,
  summarise,
} from "./bench-statistics.mjs";

/**
 * Measures all rows pair by pair. A pair in which a measurement failed is measured once more; then it is an error, except that
 * a row that the old side cannot measure at all, from its first pair on, is left out with the reason.
 *
 * @param measure (side, measurement) → the values of the measurement's rows
 * @param tell called before each pair of measurements with what is done and what is left
 */
async function measurePairs(measurements, pairs, { measure, tell, stage }) {
  const samples = measurements.map(({ rows }) => rows.map(() => ({ old: [], new: [] })));
  const left = new Map();
  for (let pair = 0; pair < pairs; pair++) {
    for (const [at, measurement] of measurements.entries()) {
      if (left.has(measurement)) continue;
      tell({ stage, pair: pair + 1, pairs, done: pair * measurements.length + at, all: pairs * measurements.length });
      const values = await measurePair(pair, measurement, measure);
      if (values.missing !== undefined) {
        left.set(measurement, values.missing);
        continue;
      }
      for (const [index] of measurement.rows.entries()) {
        samples[at][index].old.push(values.old[index]);
        samples[at][index].new.push(values.new[index]);
      }
    }
  }
  return { samples, left };
}

async function measurePair(pair, measurement, measure) {
  const sides = orderOf(pair);
  for (let attempt = 1; ; attempt++) {
    const values = {};
    let failed;
    for (const side of sides) {
      try {
        values[side] = checked(await measure(side, measurement), measurement);
      } catch (error) {
        failed = { side, error };
        break;
      }
    }
    if (failed === undefined) return values;
    if (attempt === 1) continue;
    const names = measurement.rows.map(({ name }) => name).join(", ");
    if (failed.side === "old" && pair === 0) return { missing: failed.error.message };
    throw new Error(`${names}: ${failed.side} side: ${failed.error.message}`, { cause: failed.error });
  }
}

function checked(values, { rows }) {
  if (!Array.isArray(values) || values.length !== rows.length || !values.every((value) => value > 0)) {
    throw new Error(`expected ${rows.length} positive numbers, got ${JSON.stringify(values)}`);
  }
  return values;
}

function toRow({ name, unit, isMore }, samples) {
  const ratios = samples.new.map((value, pair) => ratioOf(samples.old[pair], value, isMore));
  return { name, unit, isMore, old: median(samples.old), new: median(samples.new), ...summarise(ratios) };
}

/**
 * Compares both sides. Rows that look slower are measured again with more pairs and judged by those alone: of many rows one
 * looks slower by chance now and then, twice in a row hardly.
 *
 * @param measurements each `{ rows: [{ name, unit, isMore }] }`: what one start of the bench measures
 * @returns rows with ratio, interval and verdict, those left out, and how many false alarms a run like this one has
 */
export async function compare(measurements, pairs, { measure, tell = () => undefined }) {
  const first = await measurePairs(measurements, pairs, { measure, tell, stage: "pair" });
  const rows = measurements.flatMap((measurement, at) =>
    first.left.has(measurement) ? [] : measurement.rows.map((row, index) => toRow(row, first.samples[at][index])),
  );
  const suspicious = new Set(rows.filter(isSlower).map(({ name }) => name));
  const again = measurements.filter(({ rows: own }) => own.some(({ name }) => suspicious.has(name)));
  const second = await measurePairs(again, pairsAgain(pairs), { measure, tell, stage: "suspicious row, pair" });
  for (const [at, measurement] of again.entries()) {
    for (const [index, row] of measurement.rows.entries()) {
      if (!suspicious.has(row.name)) continue;
      const place = rows.findIndex(({ name }) => name === row.name);
      rows[place] = { ...toRow(row, second.samples[at][index]), first: pick(rows[place]) };
    }
  }
  return {
    rows: rows.map((row) => ({ ...row, verdict: verdictOf(row) })),
    left: [...first.left].flatMap(([{ rows: own }, reason]) => own.map(({ name }) => ({ name, reason }))),
    falseAlarmsExpected: falseAlarmsExpected(rows.length, pairs),
  };
}

const pick = ({ pairs, ratio, low, high }) => ({ pairs, ratio, low, high });

function verdictOf(row) {
  if (isSlower(row)) return "slower";
  if (isUnclear(row)) return "too noisy to tell";
  if (row.first !== undefined) return "not slower when measured again";
  return isFaster(row) ? "faster" : "";
}

export const slowerRows = ({ rows }) => rows.filter(({ verdict }) => verdict === "slower").map(({ name }) => name);

function shownValue(value) {
  if (value >= 1e6) return `${(value / 1e6).toFixed(2)}M`;
  return value >= 1e4 ? `${(value / 1e3).toFixed(1)}k` : value.toPrecision(4);
}

/** The table that people read. */
export function writeReport(result, { labels }) {
  const cells = [["", "unit", labels.old, labels.new, "ratio", "95 % interval", "pairs", ""]];
  for (const { name, unit, old, new: newer, ratio, low, high, pairs, verdict } of result.rows) {
    const interval = `${low.toFixed(3)} .. ${high.toFixed(3)}`;
    cells.push([name, unit, shownValue(old), shownValue(newer), ratio.toFixed(3), interval, String(pairs), verdict]);
  }
  const widths = cells[0].map((_head, column) => Math.max(...cells.map((line) => line[column].length)));
  const line = (texts) =>
    texts.map((text, at) => (at < 2 || at === 7 ? text.padEnd(widths[at]) : text.padStart(widths[at]))).join("  ");
  const slower = slowerRows(result);
  const lines = [...cells.map((texts) => line(texts).trimEnd()), ""];
  for (const { name, reason } of result.left)
    lines.push(`Left out, ${labels.old} cannot measure it: ${name}: ${reason}`);
  if (result.rows.some(({ verdict }) => verdict === "too noisy to tell")) {
    lines.push("Noisy rows could hide 10 %: a quieter machine, more --pairs or longer measurements tell.");
  }
  lines.push(
    "Ratios are new to old of one pair, above 1 is better; their median, and its interval by order statistics.",
    `A row is slower when its interval ends below ${slowerBelow}, twice: in a first run, and in one with more pairs.`,
    `Of a commit against itself ${expectation(result.falseAlarmsExpected)} would cry wolf.`,
    "",
    slower.length === 0 ? "No row is slower." : `Slower: ${slower.join("; ")}.`,
  );
  return `${lines.join("\n")}\n`;
}

const expectation = (count) => (count === 0 ? "no run" : `at most one of ${Math.floor(1 / count)} such runs`);
