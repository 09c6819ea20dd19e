import { parseExpression } from "./parse-expression.js";
import type { Expression } from "./ast.js";
import { toText } from "./conversions.js";
import { Cursor } from "./cursor.js";
import { sqlFailed, sqlInvalid } from "./errors.js";
import { Evaluator, type Scope } from "./evaluate.js";
import { joined } from "./text.js";

/** A text of an action with `${expression}` in it. */
export type Template = readonly (string | { readonly text: string; readonly of: Expression })[];

/**
 * Reads a text with substitution templates.
 *
 * @throws {ThinglineError} RULE_SQL_INVALID
 * @see AWS IoT developer guide, "Substitution templates"
 */
export function parseTemplate(text: string): Template {
  const parts: (string | { text: string; of: Expression })[] = [];
  let at = 0;
  for (let begin = text.indexOf("${"); begin >= 0; begin = text.indexOf("${", at)) {
    if (begin > at) parts.push(text.slice(at, begin));
    const end = endOf(text, begin + 2);
    const inner = text.slice(begin + 2, end);
    const cursor = new Cursor(inner);
    const of = parseExpression(cursor);
    if (cursor.peek().type !== "end") throw cursor.unexpected('"}"');
    parts.push({ text: inner, of });
    at = end + 1;
  }
  if (at < text.length || parts.length === 0) parts.push(text.slice(at));
  return parts;
}

/** Where the brace is that closes what begins here; those in texts do not count. */
function endOf(text: string, begin: number): number {
  let depth = 0;
  let quote: string | undefined;
  for (let at = begin; at < text.length; at++) {
    const character = text[at]!;
    if (quote !== undefined) {
      if (character === "\\") at++;
      else if (character === quote) quote = undefined;
    } else if (character === "'" || character === '"') quote = character;
    else if (character === "{") depth++;
    else if (character === "}" && depth-- === 0) return at;
  }
  throw sqlInvalid(`a substitution template has no end: ${JSON.stringify(text.slice(begin - 2, begin + 98))}`);
}

/**
 * Fills a text. The scope is the message as it came, not what the statement made of it.
 *
 * @throws {ThinglineError} RULE_SQL_FAILED, also for an expression that is Undefined; {@link ExternalNeeded}
 */
export function fillTemplate(template: Template, scope: Scope): string {
  const [only] = template;
  if (template.length === 1 && typeof only === "string") return only;
  const evaluator = new Evaluator();
  const parts = template.map((part) => {
    if (typeof part === "string") return part;
    const text = toText(evaluator.evaluate(part.of, scope));
    if (text === undefined) throw sqlFailed(`the substitution template \${${part.text}} is Undefined`);
    return text;
  });
  return joined(...parts);
}
