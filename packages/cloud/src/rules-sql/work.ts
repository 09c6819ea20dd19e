import { sqlFailed } from "./errors.js";

/** Steps of one statement and its templates over one message: an expression is one, and so are 16 characters or one item that a function looks at. */
export const sqlStepsMax = 4_000_000;
/** Characters of a text that count as one step. */
const charactersPerStep = 16;

/** Counts what a statement does for one message: who writes a rule, or what a device sends, must not keep everybody else waiting. */
export class Work {
  #left = sqlStepsMax;

  /** @throws {ThinglineError} RULE_SQL_FAILED */
  spend(steps: number): void {
    if ((this.#left -= steps) < 0)
      throw sqlFailed(`the statement takes more than ${sqlStepsMax} steps for one message`);
  }

  /** For a value that is looked at as a whole. */
  spendOn(value: unknown): void {
    if (typeof value === "string") this.spend(Math.ceil(value.length / charactersPerStep));
    else if (Array.isArray(value)) this.spend(value.length);
  }
}
