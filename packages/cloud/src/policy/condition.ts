import { compareValues, parseConditionOperator } from "./condition-operators.js";
import type { ConditionOperator } from "./condition-operators.js";
import type { PolicyCondition } from "./document.js";
import { bindTemplate, parseTemplate } from "./pattern.js";
import type { Pattern, Template, TemplateToken } from "./pattern.js";
import { singleValue, volatileKeys } from "./policy-context.js";
import type { PolicyContext } from "./policy-context.js";

/** One operator with one key, taken apart once. */
export interface CompiledCondition {
  condition: PolicyCondition;
  operator: ConditionOperator;
  /** Each value in its parts: an ARN has six, which are matched one by one; anything else has one. */
  values: readonly (readonly Template[])[];
}

/** `reason` is for people and only there when the condition is not met. */
export type ConditionOutcome = { isMet: true } | { isMet: false; reason: string };

export function compileCondition(condition: PolicyCondition, hasVariables: boolean): CompiledCondition {
  const operator = parseConditionOperator(condition.operator);
  if (operator === undefined) throw new Error(`unreachable: ${condition.operator} was checked by parsePolicyDocument`);
  const hasWildcards = operator.test === "stringLike" || operator.test === "arnLike";
  return {
    condition,
    operator,
    values: condition.values.map((value) => {
      const parts = operator.test === "arnLike" && value !== "*" ? splitArn(value) : [value];
      return parts.map((part) => parseTemplate(part, { hasWildcards, hasVariables }));
    }),
  };
}

/** The five parts before the resource, and the resource with all its colons. Colons of variables do not count. */
function splitArn(text: string): string[] {
  const parts = [""];
  let depth = 0;
  for (const character of text) {
    if (character === "{") depth++;
    else if (character === "}") depth--;
    if (character === ":" && depth === 0 && parts.length < 6) parts.push("");
    else parts[parts.length - 1] += character;
  }
  return parts;
}

/** All conditions of a statement must hold. */
export function bindConditions(
  conditions: readonly CompiledCondition[],
  context: PolicyContext,
): { evaluate: () => ConditionOutcome; isVolatile: boolean } {
  const isVolatile = conditions.some(
    ({ condition, values }) =>
      volatileKeys.has(condition.key.toLowerCase()) ||
      values.flat().some(({ tokens }) => tokens.some(isVolatileVariable)),
  );
  const evaluate = (): ConditionOutcome => {
    for (const condition of conditions) {
      const outcome = evaluateCondition(condition, context);
      if (!outcome.isMet) return outcome;
    }
    return { isMet: true };
  };
  return { evaluate, isVolatile };
}

function isVolatileVariable(token: TemplateToken): boolean {
  return token.type === "variable" && volatileKeys.has(token.name.toLowerCase());
}

function evaluateCondition(compiled: CompiledCondition, context: PolicyContext): ConditionOutcome {
  const { condition, operator } = compiled;
  const given = context.get(condition.key);
  if (operator.test === "null") {
    const isMissing = given === undefined;
    const isMet = condition.values.some((value) => (value.toLowerCase() === "true") === isMissing);
    return isMet ? { isMet } : { isMet, reason: describe(compiled, isMissing ? "nothing" : "a value", context) };
  }
  const wanted: (readonly Pattern[])[] = [];
  for (const parts of compiled.values) {
    const patterns: Pattern[] = [];
    for (const template of parts) {
      const bound = bindTemplate(template, (name) => singleValue(context, name));
      if ("unresolvedVariable" in bound) {
        const why = context.whyMissing(bound.unresolvedVariable);
        return {
          isMet: false,
          reason: `its condition uses \${${bound.unresolvedVariable}}, which has no value: ${why}`,
        };
      }
      patterns.push(bound.pattern);
    }
    wanted.push(patterns);
  }
  const actual = given === undefined ? undefined : typeof given === "string" ? [given] : given;
  if (isConditionMet(operator, actual, wanted)) return { isMet: true };
  return { isMet: false, reason: describe(compiled, actual === undefined ? "nothing" : actual.join(", "), context) };
}

/**
 * A missing key: no match, so a plain operator fails and a negated one holds; `IfExists` holds; `ForAllValues` holds
 * because there is no value that breaks it; `ForAnyValue` fails.
 *
 * @see AWS IAM user guide, "IAM JSON policy elements: Condition operators" and "Multivalued context keys"
 */
function isConditionMet(
  operator: ConditionOperator,
  actual: readonly string[] | undefined,
  wanted: readonly (readonly Pattern[])[],
): boolean {
  if (actual === undefined && operator.isIfExists) return true;
  const fits = (value: string) => wanted.some((patterns) => fitsOne(operator, value, patterns)) !== operator.isNegated;
  if (operator.quantifier === "all") return (actual ?? []).every(fits);
  if (operator.quantifier === "any") return (actual ?? []).some(fits);
  if (actual === undefined) return operator.isNegated;
  // Without a quantifier a list is a single value for a plain operator as soon as one fits; negated, none may fit.
  return operator.isNegated ? actual.every(fits) : actual.some(fits);
}

function fitsOne({ test }: ConditionOperator, actual: string, wanted: readonly Pattern[]): boolean {
  if (test === "null") return false;
  if (test === "arnLike" && wanted.length > 1) {
    const parts = splitArn(actual);
    return parts.length === wanted.length && wanted.every((pattern, index) => pattern.matches(parts[index] ?? ""));
  }
  const only = wanted[0];
  if (only === undefined) return false;
  return test === "stringLike" || test === "arnLike" ? only.matches(actual) : compareValues(test, actual, only.text);
}

function describe({ condition }: CompiledCondition, actual: string, context: PolicyContext): string {
  const isAboutThing = /^iot:Connection\.Thing\.IsAttached$/i.test(condition.key);
  const missingKey = isAboutThing ? "iot:Connection.Thing.ThingName" : condition.key;
  const why = context.get(missingKey) === undefined ? ` (${context.whyMissing(missingKey)})` : "";
  const wanted = condition.values.join(" or ");
  return `its condition ${condition.operator} ${condition.key} ${wanted} was not met: it is ${actual}${why}`;
}
