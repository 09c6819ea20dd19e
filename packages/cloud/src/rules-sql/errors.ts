import { ThinglineError } from "@thingline/protocol";

/** @param at characters from the beginning of the statement */
export function sqlInvalid(why: string, at?: number): ThinglineError {
  const where = at === undefined ? "" : ` at character ${at + 1}`;
  return new ThinglineError("RULE_SQL_INVALID", `${why}${where}`, { details: at === undefined ? {} : { at } });
}

/** What a function of a statement could not do, which ends the statement. `get_or_default` catches it. */
export function sqlFailed(why: string, cause?: unknown): ThinglineError {
  return new ThinglineError("RULE_SQL_FAILED", why, cause === undefined ? {} : { cause });
}
