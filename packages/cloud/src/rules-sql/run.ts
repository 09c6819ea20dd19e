import type { Statement } from "./ast.js";
import { Evaluator, type Scope } from "./evaluate.js";
import type { MessageHost } from "./host.js";
import { readJson, writeJson } from "./json.js";
import { encodeUtf8 } from "./text.js";
import { Work } from "./work.js";
import { isArray, isBytes, isObject, newObject, type SqlValue } from "./values.js";

/**
 * What the payload of a message that is not JSON is called beside other items, as base64: AWS attaches it, under a name that its guide does
 * not tell (unconfirmed).
 */
export const rawPayloadName = "payload";

/** What a statement makes of a message that it selects. */
export interface Selected {
  /** What its actions get. */
  readonly payload: Uint8Array;
  /** The same as a value; bytes for what is not JSON. */
  readonly value: SqlValue;
  /** For substitution templates. */
  readonly scope: Scope;
}

/**
 * Runs a statement over a message: SET, then WHERE, then SELECT.
 *
 * @returns undefined for a message that WHERE does not select
 * @throws {ThinglineError} RULE_SQL_FAILED; {@link ExternalNeeded}
 */
export function runStatement({ variables, select, where }: Statement, host: MessageHost): Selected | undefined {
  const evaluator = new Evaluator();
  const root = rootOf(host.message.payload);
  const values = new Map<string, SqlValue>();
  const scope: Scope = { root, variables: values, host, work: new Work() };
  for (const { name, value } of variables) values.set(name, evaluator.evaluate(value, scope));
  if (where !== undefined && evaluator.evaluate(where, scope) !== true) return undefined;
  const isWhole = select.items.length === 1 && select.items[0]?.kind === "all";
  const value = isWhole ? root : (evaluator.select(select, scope) ?? newObject());
  if (
    !isWhole &&
    isBytes(root) &&
    root.length > 0 &&
    isObject(value) &&
    select.items.some(({ kind }) => kind === "all")
  ) {
    const attached = Object.assign(newObject(), { [rawPayloadName]: root }, value);
    return { value: attached, payload: encodeUtf8(writeJson(attached)), scope };
  }
  return { value, payload: isBytes(value) ? value : encodeUtf8(writeJson(value)), scope };
}

/** Objects and lists are JSON to a rule; a number or a text alone is bytes like any others. */
function rootOf(payload: Uint8Array): SqlValue {
  const value = readJson(payload)?.value;
  return isObject(value) || isArray(value) ? value : payload;
}
