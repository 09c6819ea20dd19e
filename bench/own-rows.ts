// What `npm run bench -- NAME --against COMMIT` asks of each bench: its rows without the peers, one measurement a start, so that each
// sample comes from fresh processes. `--list` prints which there are, `--measure INDEX` the values of one, both as JSON.
import { fail, say } from "./tools.js";

export interface OwnRow {
  name: string;
  unit: string;
  /** Whether more is better. */
  isMore: boolean;
}

/** Rows that one start measures. */
export interface OwnMeasurement {
  rows: readonly OwnRow[];
  /** One value a row. */
  measure(): Promise<readonly number[]>;
}

export const ownRowsOptions = { list: { type: "boolean", default: false }, measure: { type: "string" } } as const;

/** @returns whether that was all that was asked for */
export async function answerOwnRows(
  { list, measure }: { list?: boolean; measure?: string | undefined },
  measurements: readonly OwnMeasurement[],
): Promise<boolean> {
  if (list === true) say(JSON.stringify(measurements.map(({ rows }) => rows)));
  else if (measure === undefined) return false;
  else {
    const chosen = measurements[Number(measure)];
    if (chosen === undefined)
      return fail(`--measure ${measure}: there are 0 to ${measurements.length - 1}, see --list`);
    say(JSON.stringify(await chosen.measure()));
  }
  return true;
}
