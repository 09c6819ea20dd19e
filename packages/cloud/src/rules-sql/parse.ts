import { topicFilterFault } from "./topic-filter.js";
import type { Expression, Statement } from "./ast.js";
import { Cursor } from "./cursor.js";
import { sqlInvalid } from "./errors.js";
import { parseExpression, parseSelection } from "./parse-expression.js";

/** Variables of one statement, as AWS. */
export const sqlVariablesMax = 10;
/** Characters of a variable's name, as AWS. */
export const sqlVariableCharactersMax = 64;

/**
 * Reads the statement of a rule. Keywords and functions in upper or lower case.
 *
 * @throws {ThinglineError} RULE_SQL_INVALID with the place in its message, and as `details.at`
 * @see AWS IoT developer guide, "AWS IoT SQL reference"
 */
export function parseStatement(sql: string): Statement {
  const cursor = new Cursor(sql);
  const variables = cursor.isWord("SET") ? parseVariables(cursor) : [];
  const select = parseSelection(cursor);
  const from = cursor.skipWord("FROM") ? parseFrom(cursor, sql) : undefined;
  const where = cursor.skipWord("WHERE") ? parseExpression(cursor) : undefined;
  if (cursor.peek().type !== "end") throw cursor.unexpected("the end of the statement");
  const statement = { variables, select, from, where };
  requireVariables(statement);
  return statement;
}

function parseVariables(cursor: Cursor): Statement["variables"] {
  cursor.expectWord("SET");
  const variables: { name: string; value: Expression }[] = [];
  do {
    const token = cursor.take();
    if (token.type !== "variable") throw sqlInvalid("expected a variable, @name, behind SET", token.at);
    if (token.text.length - 1 > sqlVariableCharactersMax) {
      throw sqlInvalid(`the name of a variable has at most ${sqlVariableCharactersMax} characters`, token.at);
    }
    if (variables.some(({ name }) => name === token.text)) throw sqlInvalid(`${token.text} is set twice`, token.at);
    cursor.expectSymbol("=");
    variables.push({ name: token.text, value: parseExpression(cursor) });
    if (variables.length > sqlVariablesMax)
      throw sqlInvalid(`a statement has at most ${sqlVariablesMax} variables`, token.at);
  } while (cursor.skipSymbol(","));
  return variables;
}

/** In quotes; without them up to the next space, as some of AWS's own examples have it. */
function parseFrom(cursor: Cursor, sql: string): string {
  const token = cursor.peek();
  let filter: string;
  if (token.type === "string") {
    cursor.take();
    filter = token.text;
  } else {
    filter = /^\S*/.exec(sql.slice(token.at))![0];
    const end = token.at + filter.length;
    while (cursor.peek().type !== "end" && cursor.peek().at < end) cursor.take();
  }
  const fault = topicFilterFault(filter);
  if (fault !== undefined) throw sqlInvalid(`FROM: ${fault}`, token.at);
  return filter;
}

/** Every variable that is used was set before. */
function requireVariables({ variables, select, where }: Statement): void {
  const known = new Set<string>();
  const check = (expression: Expression): void =>
    walk(expression, (each) => {
      if (each.kind === "variable" && !known.has(each.name)) throw sqlInvalid(`the variable ${each.name} is not set`);
    });
  for (const { name, value } of variables) {
    check(value);
    known.add(name);
  }
  for (const item of select.items) if (item.kind === "value") check(item.of);
  if (where !== undefined) check(where);
}

/** Calls back for the expression and all that it is made of. */
export function walk(expression: Expression, visit: (each: Expression) => void): void {
  visit(expression);
  for (const part of partsOf(expression)) walk(part, visit);
}

function partsOf(expression: Expression): readonly Expression[] {
  switch (expression.kind) {
    case "member":
    case "negative":
    case "not":
    case "cast":
    case "exists":
      return [expression.of];
    case "call":
      return expression.args;
    case "binary":
      return [expression.left, expression.right];
    case "case": {
      const { of, branches, otherwise } = expression;
      const parts = branches.flatMap(({ when, then }) => [when, then]);
      return [...(of === undefined ? [] : [of]), ...parts, ...(otherwise === undefined ? [] : [otherwise])];
    }
    case "object":
      return expression.members.map(({ value }) => value);
    case "array":
      return expression.items;
    case "query": {
      const { select, from, where } = expression;
      const items = select.items.flatMap((item) => (item.kind === "value" ? [item.of] : []));
      return [from, ...items, ...(where === undefined ? [] : [where])];
    }
    default:
      return [];
  }
}
