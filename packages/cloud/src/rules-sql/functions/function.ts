import type { SqlValue } from "../values.js";
import type { MessageHost } from "../host.js";

/** A function of AWS IoT SQL. */
export interface SqlFunction {
  /** As it is written, and as an item is called that has no alias. */
  readonly name: string;
  readonly argsMin: number;
  readonly argsMax: number;
  /** Which argument may be `*`, the whole message. */
  readonly starAt?: number;
  /** Needs version 2016-03-23. */
  readonly isNewer?: boolean;
  /**
   * Arguments of a wrong type give Undefined.
   *
   * @throws {ThinglineError} RULE_SQL_FAILED
   */
  readonly run: (args: readonly SqlValue[], host: MessageHost) => SqlValue;
}

export type FunctionRows = Readonly<
  Record<
    string,
    readonly [argsMin: number, argsMax: number, run: SqlFunction["run"], options?: { isNewer?: true; starAt?: number }]
  >
>;

export const functionsOf = (rows: FunctionRows): SqlFunction[] =>
  Object.entries(rows).map(([name, [argsMin, argsMax, run, options]]) => ({ name, argsMin, argsMax, run, ...options }));
