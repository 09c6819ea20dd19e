import type { CommandParameter, CommandParameterValue, CommandParameterValueCondition } from "../../model/types/iot.js";
import { invalid } from "./model.js";

/** Parameters of one command. Ours: AWS states none. */
export const commandParametersMax = 100;
/** Conditions of one parameter. Ours: AWS states none. */
export const commandConditionsMax = 20;

type ParameterType = NonNullable<CommandParameter["type"]>;
type Operator = CommandParameterValueCondition["comparisonOperator"];

/** What a value is apart from the name of its type. */
export type PlainValue = string | boolean | number | bigint | Uint8Array;

const typesByMember = {
  S: "STRING",
  B: "BOOLEAN",
  I: "INTEGER",
  L: "LONG",
  D: "DOUBLE",
  BIN: "BINARY",
  UL: "UNSIGNEDLONG",
} as const satisfies Record<keyof CommandParameterValue, ParameterType>;

const unsignedLongMax = 2n ** 64n - 1n;

/** @throws {ThinglineError} REQUEST_INVALID for what is not exactly one value of its type */
export function readValue(value: CommandParameterValue, name: string): { type: ParameterType; value: PlainValue } {
  const given = Object.entries(value).filter(([, one]) => one !== undefined);
  const [member, plain] = given[0] ?? [];
  if (given.length !== 1 || member === undefined) {
    throw invalid(`The value of the parameter '${name}' must have exactly one of S, B, I, L, D, BIN and UL`);
  }
  const type = typesByMember[member as keyof CommandParameterValue];
  if (type !== "UNSIGNEDLONG") return { type, value: plain as PlainValue };
  const number = BigInt(String(plain));
  if (number > unsignedLongMax) throw invalid(`The value of the parameter '${name}' is not an integer of 64 bits`);
  return { type, value: number };
}

/**
 * Checks the parameters of a new command: names, types, conditions, and that the values that come with them fit.
 *
 * @throws {ThinglineError} REQUEST_INVALID
 */
export function checkParameters(parameters: readonly CommandParameter[]): void {
  if (parameters.length > commandParametersMax) {
    throw invalid(`A command has at most ${commandParametersMax} mandatoryParameters, got ${parameters.length}`);
  }
  const names = new Set<string>();
  for (const parameter of parameters) {
    const { name, type, value, defaultValue, valueConditions = [] } = parameter;
    if (names.has(name)) throw invalid(`The parameter '${name}' is given twice in mandatoryParameters`);
    names.add(name);
    if (valueConditions.length > commandConditionsMax) {
      throw invalid(
        `The parameter '${name}' has ${valueConditions.length} valueConditions, at most ${commandConditionsMax} are allowed`,
      );
    }
    const values = [value, defaultValue].filter((one) => one !== undefined);
    const known = type ?? (values[0] && readValue(values[0], name).type);
    for (const condition of valueConditions) checkCondition(name, known, condition);
    for (const one of values) checkValue(parameter, one);
  }
}

type OperandMember = keyof CommandParameterValueCondition["operand"];

/** Which operand a comparison takes, of numbers and of texts. */
const operands: Readonly<Record<Operator, readonly [ofNumbers: OperandMember, ofTexts: OperandMember | undefined]>> = {
  EQUALS: ["number", "string"],
  NOT_EQUALS: ["number", "string"],
  LESS_THAN: ["number", undefined],
  LESS_THAN_EQUALS: ["number", undefined],
  GREATER_THAN: ["number", undefined],
  GREATER_THAN_EQUALS: ["number", undefined],
  IN_SET: ["numbers", "strings"],
  NOT_IN_SET: ["numbers", "strings"],
  IN_RANGE: ["numberRange", undefined],
  NOT_IN_RANGE: ["numberRange", undefined],
};

function checkCondition(
  name: string,
  type: ParameterType | undefined,
  { comparisonOperator, operand }: CommandParameterValueCondition,
): void {
  if (type === "BOOLEAN" || type === "BINARY") {
    throw invalid(`The parameter '${name}' is ${type}, which takes no valueConditions`);
  }
  const [ofNumbers, ofTexts] = operands[comparisonOperator];
  const allowed = [
    ...(type === "STRING" ? [] : [ofNumbers]),
    ...(type === undefined || type === "STRING" ? [ofTexts] : []),
  ];
  const given = Object.entries(operand).filter(([, one]) => one !== undefined);
  const member = given[0]?.[0] as OperandMember | undefined;
  if (given.length !== 1 || !allowed.includes(member)) {
    const wanted = allowed.filter((one) => one !== undefined).join(" or ") || "no operand: it cannot be compared so";
    throw invalid(
      `The operand of ${comparisonOperator} in valueConditions of the parameter '${name}' must be exactly one: ${wanted}`,
    );
  }
  const { number, numbers = [], numberRange } = operand;
  for (const text of [number, ...numbers, numberRange?.min, numberRange?.max]) {
    if (text !== undefined) readNumber(text, name);
  }
}

/** Numbers travel as texts, so that those of 64 bits stay what they are. */
function readNumber(text: string, name: string): number | bigint {
  if (/^[+-]?\d{1,40}$/u.test(text)) return BigInt(text.replace(/^\+/u, ""));
  const number = /^[+-]?(?:\d{1,40}\.?\d{0,40}|\.\d{1,40})(?:e[+-]?\d{1,3})?$/iu.test(text) ? Number(text) : Number.NaN;
  if (Number.isFinite(number)) return number;
  throw invalid(`'${text.slice(0, 64)}' in valueConditions of the parameter '${name}' is not a number`);
}

/** @throws {ThinglineError} REQUEST_INVALID for a value of another type, or that a condition does not let through */
function checkValue({ name, type, valueConditions = [] }: CommandParameter, given: CommandParameterValue): PlainValue {
  const { type: found, value } = readValue(given, name);
  if (type !== undefined && type !== found) {
    throw invalid(`The value of the parameter '${name}' is ${found}, and has to be ${type}`);
  }
  for (const condition of valueConditions) {
    if (isMet(condition, value, name)) continue;
    throw invalid(
      `The value of the parameter '${name}' does not satisfy its condition ${condition.comparisonOperator}`,
    );
  }
  return value;
}

function isMet(
  { comparisonOperator, operand }: CommandParameterValueCondition,
  value: PlainValue,
  name: string,
): boolean {
  const { string, strings = [] } = operand;
  const isNegative = comparisonOperator.startsWith("NOT_");
  if (typeof value === "string") {
    const isAmong = string === undefined ? strings.includes(value) : string === value;
    return isAmong !== isNegative;
  }
  // Of a command without a type: what is no number is not compared with one.
  if (typeof value !== "number" && typeof value !== "bigint") return isNegative;
  return isNumberMet({ comparisonOperator, operand }, value, name);
}

function isNumberMet(
  { comparisonOperator, operand }: CommandParameterValueCondition,
  value: number | bigint,
  name: string,
): boolean {
  const { number, numbers = [], numberRange } = operand;
  const against = (text: string | undefined): number => compare(value, readNumber(text ?? "0", name));
  switch (comparisonOperator) {
    case "EQUALS":
      return number !== undefined && against(number) === 0;
    case "NOT_EQUALS":
      return number === undefined || against(number) !== 0;
    case "LESS_THAN":
      return against(number) < 0;
    case "LESS_THAN_EQUALS":
      return against(number) <= 0;
    case "GREATER_THAN":
      return against(number) > 0;
    case "GREATER_THAN_EQUALS":
      return against(number) >= 0;
    case "IN_SET":
      return numbers.some((one) => against(one) === 0);
    case "NOT_IN_SET":
      return numbers.every((one) => against(one) !== 0);
    case "IN_RANGE":
      return against(numberRange?.min) >= 0 && against(numberRange?.max) <= 0;
    case "NOT_IN_RANGE":
      return against(numberRange?.min) < 0 || against(numberRange?.max) > 0;
  }
}

/** Exact, whichever of the two is which. */
const compare = (left: number | bigint, right: number | bigint): number => (left < right ? -1 : left > right ? 1 : 0);

/** What an execution is made with, by names. */
export interface ResolvedParameters {
  plain: ReadonlyMap<string, PlainValue>;
  values: readonly (readonly [name: string, value: CommandParameterValue])[];
}

/**
 * The value of each parameter: the request's, else the one that overrides the default, else the default.
 *
 * @throws {ThinglineError} REQUEST_INVALID for a parameter without a value, a value that does not fit, and one that the command does not have
 */
export function resolveParameters(
  parameters: readonly CommandParameter[],
  given: Readonly<Record<string, CommandParameterValue>>,
): ResolvedParameters {
  const known = new Set(parameters.map(({ name }) => name));
  const stranger = Object.keys(given).find((name) => !known.has(name));
  if (stranger !== undefined) throw invalid(`parameters: the command has no parameter '${stranger}'`);
  const plain = new Map<string, PlainValue>();
  const values: [string, CommandParameterValue][] = [];
  for (const parameter of parameters) {
    const { name } = parameter;
    const value = (Object.hasOwn(given, name) ? given[name] : undefined) ?? parameter.value ?? parameter.defaultValue;
    if (value === undefined) {
      throw invalid(`parameters: '${name}' has no value: the request gives none, and the command has no default`);
    }
    plain.set(name, checkValue(parameter, value));
    values.push([name, value]);
  }
  return { plain, values };
}
