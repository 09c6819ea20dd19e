import { checkOptionNames, isRecord, isThinglineError, kindOf, optionInvalid } from "@thingline/protocol";

/** What one member of a document may be. */
export type ValueRule =
  | { type: "boolean" }
  | { type: "number"; lowest: number; highest: number; isInteger: boolean }
  | { type: "oneOf"; values: readonly (string | number)[] }
  | { type: "text"; pattern: RegExp; expected: string }
  | { type: "group"; rules: ValueRules }
  /** Every member of each element has to be there. */
  | { type: "list"; rules: ValueRules; lengthMax: number };

export type ValueRules = Readonly<Record<string, ValueRule>>;

/** A rule for every member of an interface, so that none can be forgotten. */
export type RulesOf<Document> = { readonly [Name in keyof Required<Document>]: ValueRule };

export const truth: ValueRule = { type: "boolean" };

export function wholeNumber(lowest: number, highest: number): ValueRule {
  return { type: "number", lowest, highest, isInteger: true };
}

export function decimalNumber(lowest: number, highest: number): ValueRule {
  return { type: "number", lowest, highest, isInteger: false };
}

export function anyOf(...values: readonly (string | number)[]): ValueRule {
  return { type: "oneOf", values };
}

export function matching(pattern: RegExp, expected: string): ValueRule {
  return { type: "text", pattern, expected };
}

/** Where a document comes from: for errors. */
export interface ValuePlace {
  of: string;
  /** Goes before the names of members: `set.cell.`. Default none. */
  prefix?: string;
}

/**
 * Refuses members that nobody knows and values that are not allowed; a value of undefined counts as absent.
 *
 * @throws {ThinglineError} OPTION_INVALID with the member's name in `details.option`.
 */
export function checkValues(document: unknown, rules: ValueRules, { of, prefix = "" }: ValuePlace): void {
  checkOptionNames(document, rules, { of, prefix });
  if (!isRecord(document)) return;
  for (const [name, rule] of Object.entries(rules)) {
    const value = document[name];
    if (value !== undefined) checkValue(`${prefix}${name}`, value, rule, of);
  }
}

/**
 * A copy of a document that passes a check, and the original as well: what a getter says the next time changes nothing.
 *
 * @param name how the document is called in the error.
 * @throws {ThinglineError} OPTION_INVALID, also for one that throws when it is read; what the check throws.
 */
export function checkedCopy<Document>(document: Document, name: string, check: (document: Document) => void): Document {
  try {
    check(document);
    const copy = structuredClone(document);
    check(copy);
    return copy;
  } catch (error) {
    if (isThinglineError(error)) throw error;
    throw optionInvalid(name, "plain values that can be read", kindOf(document));
  }
}

function checkValue(name: string, value: unknown, rule: ValueRule, of: string): void {
  switch (rule.type) {
    case "boolean":
      if (typeof value !== "boolean") throw optionInvalid(name, "true or false", shown(value));
      return;
    case "number": {
      const { lowest, highest, isInteger } = rule;
      const isRight = isInteger ? Number.isSafeInteger(value) : Number.isFinite(value);
      if (isRight && (value as number) >= lowest && (value as number) <= highest) return;
      throw optionInvalid(name, `a ${isInteger ? "whole " : ""}number from ${lowest} to ${highest}`, shown(value));
    }
    case "oneOf":
      if (rule.values.includes(value as string | number)) return;
      throw optionInvalid(name, rule.values.join(", "), shown(value));
    case "text":
      if (typeof value === "string" && rule.pattern.test(value)) return;
      throw optionInvalid(name, rule.expected, shown(value));
    case "group":
      checkValues(value, rule.rules, { of, prefix: `${name}.` });
      return;
    case "list":
      if (!Array.isArray(value)) throw optionInvalid(name, "a list", shown(value));
      if (value.length > rule.lengthMax) throw optionInvalid(name, `at most ${rule.lengthMax} of them`, value.length);
      for (const [index, element] of value.entries()) {
        checkValues(element, rule.rules, { of, prefix: `${name}[${index}].` });
        const missing = Object.keys(rule.rules).find((key) => !isRecord(element) || element[key] === undefined);
        if (missing !== undefined) throw optionInvalid(`${name}[${index}].${missing}`, "a value", "none");
      }
  }
}

function shown(value: unknown): string {
  if (typeof value === "number") return String(value);
  return typeof value === "string" && value.length <= 64 ? JSON.stringify(value) : kindOf(value);
}
