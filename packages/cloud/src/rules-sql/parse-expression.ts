import type { BinaryOperator, CastType, Expression, Selection, SelectItem } from "./ast.js";
import type { Cursor } from "./cursor.js";
import { sqlInvalid } from "./errors.js";
import { requireFunction } from "./functions/table.js";

/** From what binds last to what binds first. All of a level go from left to right. */
const levels: readonly (readonly BinaryOperator[])[] = [
  ["OR"],
  ["AND"],
  ["=", "<>", "<", "<=", ">", ">=", "IN"],
  ["+", "-"],
  ["*", "/", "%"],
];
/** `NOT` binds less than a comparison. */
const notLevel = 2;

const castTypes: Readonly<Record<string, CastType>> = {
  STRING: "String",
  NVARCHAR: "String",
  TEXT: "String",
  NTEXT: "String",
  VARCHAR: "String",
  INT: "Int",
  INTEGER: "Int",
  DOUBLE: "Decimal",
  DECIMAL: "Decimal",
  BOOL: "Boolean",
  BOOLEAN: "Boolean",
};

/** Operators that bind alike, one behind the other. */
export const sqlChainMax = 500;

/** Words that end an expression, so that they are no names where an expression begins. */
const reserved: ReadonlySet<string> = new Set(["FROM", "WHERE", "AS", "WHEN", "THEN", "ELSE", "END"]);

/** @throws {ThinglineError} RULE_SQL_INVALID */
export function parseExpression(cursor: Cursor): Expression {
  return cursor.deeper(() => parseLevel(cursor, 0));
}

function parseLevel(cursor: Cursor, level: number): Expression {
  if (level === levels.length) return parseUnary(cursor);
  if (level === notLevel && cursor.isWord("NOT")) {
    cursor.take();
    return cursor.deeper(() => ({ kind: "not", of: parseLevel(cursor, notLevel) }));
  }
  let left = parseLevel(cursor, level + 1);
  for (let count = 1; ; count++) {
    const operator = operatorOf(cursor, levels[level]!);
    if (operator === undefined) return left;
    const { at } = cursor.take();
    if (count > sqlChainMax) throw sqlInvalid(`more than ${sqlChainMax} operators of a kind in a row`, at);
    left = { kind: "binary", operator, left, right: parseLevel(cursor, level + 1) };
  }
}

function operatorOf(cursor: Cursor, operators: readonly BinaryOperator[]): BinaryOperator | undefined {
  const { type, text, at } = cursor.peek();
  if (type === "symbol" && text === "!=") throw sqlInvalid('"!=" is no operator of AWS IoT SQL: it is "<>"', at);
  const name = type === "word" ? text.toUpperCase() : type === "symbol" ? text : undefined;
  return operators.find((operator) => operator === name);
}

function parseUnary(cursor: Cursor): Expression {
  if (cursor.skipSymbol("-")) return cursor.deeper(() => negative(parseUnary(cursor)));
  if (cursor.skipSymbol("+")) return cursor.deeper(() => parseUnary(cursor));
  return parseMembers(cursor);
}

function negative(of: Expression): Expression {
  if (of.kind === "literal" && typeof of.value === "number") return { kind: "literal", value: -of.value };
  if (of.kind === "decimal") return { kind: "decimal", text: `-${of.text}` };
  return { kind: "negative", of };
}

/** `a.b.c`, also behind a call or parentheses. */
function parseMembers(cursor: Cursor): Expression {
  let of = parsePrimary(cursor);
  while (cursor.skipSymbol(".")) {
    const token = cursor.take();
    if (token.type !== "word") throw sqlInvalid('expected the name of a member behind "."', token.at);
    of = { kind: "member", of, name: token.text };
  }
  return of;
}

function parsePrimary(cursor: Cursor): Expression {
  const token = cursor.peek();
  switch (token.type) {
    case "string":
      cursor.take();
      return { kind: "literal", value: token.text };
    case "number":
      cursor.take();
      return numberOf(token.text);
    case "variable":
      cursor.take();
      return { kind: "variable", name: token.text };
    case "word":
      return parseWord(cursor, token.text);
    case "symbol":
      return parseSymbol(cursor, token.text);
    case "end":
      throw cursor.unexpected("an expression");
  }
}

/** Digits that a JavaScript number holds. */
const exactDigitsMax = 15;

export function numberOf(text: string): Expression {
  const digits = text
    .replace(/[eE].*$/, "")
    .replace(/\D/g, "")
    .replace(/^0+/, "").length;
  const value = Number(text);
  if (digits <= exactDigitsMax && Number.isFinite(value)) return { kind: "literal", value };
  return { kind: "decimal", text };
}

function parseSymbol(cursor: Cursor, symbol: string): Expression {
  if (symbol === "(") return parseParentheses(cursor);
  if (symbol === "{") return parseObject(cursor);
  if (symbol === "[") return parseArray(cursor);
  throw cursor.unexpected("an expression");
}

function parseParentheses(cursor: Cursor): Expression {
  cursor.expectSymbol("(");
  const of = cursor.isWord("SELECT") && !cursor.isSymbol(")", 1) ? parseQuery(cursor) : parseExpression(cursor);
  cursor.expectSymbol(")");
  return of;
}

/** `(SELECT … FROM path WHERE …)`, without its parentheses. */
function parseQuery(cursor: Cursor): Expression {
  return cursor.deeper(() => {
    const select = parseSelection(cursor);
    cursor.expectWord("FROM");
    const from = parseMembers(cursor);
    const where = cursor.skipWord("WHERE") ? parseExpression(cursor) : undefined;
    return { kind: "query", select, from, where };
  });
}

function parseObject(cursor: Cursor): Expression {
  cursor.expectSymbol("{");
  const members: { name: string; value: Expression }[] = [];
  while (!cursor.skipSymbol("}")) {
    if (members.length > 0) cursor.expectSymbol(",");
    const name = cursor.take();
    if (name.type !== "string") throw sqlInvalid("the name of an object's member is a string", name.at);
    cursor.expectSymbol(":");
    members.push({ name: name.text, value: parseExpression(cursor) });
  }
  return { kind: "object", members };
}

function parseArray(cursor: Cursor): Expression {
  cursor.expectSymbol("[");
  return { kind: "array", items: parseList(cursor, "]") };
}

/** @param starAt which item may be `*` */
function parseList(cursor: Cursor, end: string, starAt?: number): Expression[] {
  const items: Expression[] = [];
  while (!cursor.skipSymbol(end)) {
    if (items.length > 0) cursor.expectSymbol(",");
    if (items.length === starAt && cursor.skipSymbol("*")) items.push({ kind: "star" });
    else items.push(parseExpression(cursor));
  }
  return items;
}

function parseWord(cursor: Cursor, word: string): Expression {
  const isCall = cursor.isSymbol("(", 1);
  const keyword = word.toUpperCase();
  if (keyword === "CASE" && !isNameHere(cursor)) return parseCase(cursor);
  if (isCall) return parseCall(cursor, word, keyword);
  if (reserved.has(keyword)) throw cursor.unexpected("an expression");
  cursor.take();
  if (keyword === "NULL") return { kind: "literal", value: null };
  if (keyword === "TRUE" || keyword === "FALSE") return { kind: "literal", value: keyword === "TRUE" };
  if (keyword === "UNDEFINED") return { kind: "literal", value: undefined };
  return { kind: "name", name: word };
}

/** `case` may be a member of a message: `case.id`, `case = 1`. */
function isNameHere(cursor: Cursor): boolean {
  const next = cursor.peek(1);
  return next.type === "end" || (next.type === "symbol" && !["(", "{", "[", "-"].includes(next.text));
}

function parseCall(cursor: Cursor, word: string, keyword: string): Expression {
  const { at } = cursor.take();
  if (keyword === "CAST") return parseCast(cursor);
  if (keyword === "EXISTS") return { kind: "exists", of: parseParentheses(cursor) };
  cursor.expectSymbol("(");
  const { name, argsMin, argsMax, starAt } = requireFunction(word, at);
  const args = parseList(cursor, ")", starAt);
  if (args.length < argsMin || args.length > argsMax) {
    const range = argsMin === argsMax ? String(argsMin) : `${argsMin} to ${argsMax}`;
    throw sqlInvalid(`${name}() takes ${range} arguments, not ${args.length}`, at);
  }
  return { kind: "call", name, args };
}

function parseCast(cursor: Cursor): Expression {
  cursor.expectSymbol("(");
  const of = parseExpression(cursor);
  cursor.expectWord("AS");
  const token = cursor.take();
  const word = token.text.toUpperCase();
  const type = token.type === "word" ? castTypes[word] : undefined;
  if (type === undefined) throw sqlInvalid(`cast() knows no type ${JSON.stringify(token.text)}`, token.at);
  cursor.expectSymbol(")");
  return { kind: "cast", of, type, word };
}

function parseCase(cursor: Cursor): Expression {
  return cursor.deeper(() => {
    cursor.expectWord("CASE");
    const of = cursor.isWord("WHEN") ? undefined : parseExpression(cursor);
    const branches: { when: Expression; then: Expression }[] = [];
    while (cursor.skipWord("WHEN")) {
      const when = parseExpression(cursor);
      cursor.expectWord("THEN");
      branches.push({ when, then: parseExpression(cursor) });
    }
    if (branches.length === 0) throw cursor.unexpected("WHEN");
    const otherwise = cursor.skipWord("ELSE") ? parseExpression(cursor) : undefined;
    cursor.expectWord("END");
    return { kind: "case", of, branches, otherwise };
  });
}

/** `SELECT [VALUE] item, …` */
export function parseSelection(cursor: Cursor): Selection {
  cursor.expectWord("SELECT");
  const { at } = cursor.peek();
  const isValue = isValueKeyword(cursor);
  if (isValue) cursor.take();
  const items: SelectItem[] = [];
  do items.push(parseItem(cursor, isValue));
  while (cursor.skipSymbol(","));
  if (isValue && items.length > 1) throw sqlInvalid("SELECT VALUE takes one item", at);
  return { isValue, items };
}

/** `value` may also be a member of the message: it is the keyword where an expression follows. */
function isValueKeyword(cursor: Cursor): boolean {
  if (!cursor.isWord("VALUE")) return false;
  const next = cursor.peek(1);
  if (next.type === "word") return !["FROM", "WHERE", "AS", "AND", "OR", "IN"].includes(next.text.toUpperCase());
  if (next.type !== "symbol") return next.type !== "end";
  if (next.text === "*") {
    const after = cursor.peek(2);
    return after.type === "end" || cursor.isWord("FROM", 2) || cursor.isWord("WHERE", 2) || cursor.isSymbol(")", 2);
  }
  return ["(", "{", "["].includes(next.text);
}

function parseItem(cursor: Cursor, isValue: boolean): SelectItem {
  if (cursor.skipSymbol("*")) return { kind: "all" };
  const { at } = cursor.peek();
  const of = parseExpression(cursor);
  if (isValue) return { kind: "value", of, path: [] };
  if (cursor.skipWord("AS")) return { kind: "value", of, path: parseAlias(cursor) };
  return { kind: "value", of, path: [nameOf(of, at)] };
}

function parseAlias(cursor: Cursor): string[] {
  const path: string[] = [];
  do {
    const token = cursor.take();
    if (token.type !== "word" && token.type !== "string") throw sqlInvalid("expected a name behind AS", token.at);
    path.push(token.text);
  } while (cursor.skipSymbol("."));
  return path;
}

/**
 * What an item without an alias is called: the last name of a path, the name of a function. For anything else AWS's name is not known, and it
 * is refused.
 */
function nameOf(of: Expression, at: number): string {
  if (of.kind === "name" || of.kind === "member" || of.kind === "call") return of.name;
  if (of.kind === "variable") return of.name.slice(1);
  if (of.kind === "cast") return nameOf(of.of, at);
  throw sqlInvalid("an item that is neither a path nor a function needs a name: AS name", at);
}
