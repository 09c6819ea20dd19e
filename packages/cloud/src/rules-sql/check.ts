import type { Expression, SqlVersion, Statement } from "./ast.js";
import { sqlInvalid } from "./errors.js";
import { externalFunctions } from "./functions/external.js";
import { requireFunction } from "./functions/table.js";
import { parseStatement, walk } from "./parse.js";
import type { Template } from "./template.js";

/** What a statement may call once, as AWS. */
const onceOnly: ReadonlySet<string> = new Set(["get_dynamodb", "get_registry_data"]);

/**
 * Reads a statement, and checks that its version has what it uses.
 *
 * @throws {ThinglineError} RULE_SQL_INVALID
 */
export function readStatement(sql: string, version: SqlVersion): Statement {
  const statement = parseStatement(sql);
  const expressions = expressionsOf(statement);
  for (const expression of expressions) checkVersion(expression, version);
  const calls = callsOf(expressions);
  for (const name of onceOnly) {
    if (calls.filter((call) => call === name).length > 1) throw sqlInvalid(`${name}() may be called once`);
  }
  return statement;
}

/** What the templates of an action may use. */
export interface TemplateRules {
  version: SqlVersion;
  /** Of the statement. */
  variables: Statement["variables"];
  /** Not in an error action, as AWS. */
  isExternalAllowed: boolean;
}

/** @throws {ThinglineError} RULE_SQL_INVALID */
export function checkTemplate(template: Template, { version, variables, isExternalAllowed }: TemplateRules): void {
  for (const part of template) {
    if (typeof part === "string") continue;
    checkVersion(part.of, version);
    walk(part.of, (each) => {
      if (each.kind === "variable" && !variables.some(({ name }) => name === each.name)) {
        throw sqlInvalid(`the variable ${each.name} is not set`);
      }
      if (each.kind === "call" && !isExternalAllowed && externalNames.has(requireFunction(each.name).name)) {
        throw sqlInvalid(`${each.name}() may not be called in an error action`);
      }
    });
  }
}

const externalNames: ReadonlySet<string> = new Set(externalFunctions.map(({ name }) => name));

/** Whether a regular expression may take any time over a text that a device chooses. */
export function usesPatterns(of: Statement | Template): boolean {
  const expressions = isTemplate(of)
    ? of.flatMap((part) => (typeof part === "string" ? [] : [part.of]))
    : expressionsOf(of);
  return callsOf(expressions).some((name) => name.startsWith("regexp_"));
}

const isTemplate = (of: Statement | Template): of is Template => Array.isArray(of);

function checkVersion(expression: Expression, version: SqlVersion): void {
  if (version === "2015-10-08") walk(expression, requireOld);
}

/** Names of functions, as often as they are called. */
function callsOf(expressions: readonly Expression[]): string[] {
  const names: string[] = [];
  for (const expression of expressions) {
    walk(expression, (each) => {
      if (each.kind === "call") names.push(requireFunction(each.name).name);
    });
  }
  return names;
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
