import type { Expression, SqlVersion, Statement } from "./ast.js";
import { sqlInvalid } from "./errors.js";
import { requireFunction } from "./functions/table.js";
import { parseStatement, walk } from "./parse.js";

/** What a statement may call once, as AWS. */
const onceOnly: ReadonlySet<string> = new Set(["get_dynamodb", "get_registry_data"]);

/**
 * Reads a statement, and checks that its version has what it uses.
 *
 * @throws {ThinglineError} RULE_SQL_INVALID
 */
export function readStatement(sql: string, version: SqlVersion): Statement {
  const statement = parseStatement(sql);
  const calls = new Map<string, number>();
  for (const expression of expressionsOf(statement)) {
    walk(expression, (each) => {
      if (version === "2015-10-08") requireOld(each);
      if (each.kind !== "call") return;
      const { name } = requireFunction(each.name);
      calls.set(name, (calls.get(name) ?? 0) + 1);
    });
  }
  for (const name of onceOnly) if ((calls.get(name) ?? 0) > 1) throw sqlInvalid(`${name}() may be called once`);
  return statement;
}

function expressionsOf({ variables, select, where }: Statement): Expression[] {
  const items = select.items.flatMap((item) => (item.kind === "value" ? [item.of] : []));
  return [...variables.map(({ value }) => value), ...items, ...(where === undefined ? [] : [where])];
}

/** Types of `cast` that came with 2016-03-23, in upper case. */
const newCasts: ReadonlySet<string> = new Set(["DECIMAL", "BOOL", "BOOLEAN"]);

function requireOld(expression: Expression): void {
  const needed = (what: string) => sqlInvalid(`${what} needs awsIotSqlVersion 2016-03-23`);
  if (expression.kind === "call" && requireFunction(expression.name).isNewer === true) {
    throw needed(`${expression.name}()`);
  }
  if (expression.kind === "query" || expression.kind === "exists") throw needed("a nested query");
  if (expression.kind === "cast" && newCasts.has(expression.word)) throw needed(`cast() as ${expression.word}`);
  if (expression.kind === "object" || expression.kind === "array") throw needed("an object or a list of a statement");
}
