import { isBytes } from "./bytes.js";
import { ThinglineError } from "./errors.js";
import { nearestName } from "./kconfig/nearest.js";

/** What an option may be besides a simple type: an object with these methods, or a table of options inside. */
export interface OptionInterface {
  /** For people, with its article: `a Clock`. */
  readonly called: string;
  readonly methods: readonly string[];
  /** Where to get one, for the error. */
  readonly hint?: string;
}

export interface OptionGroup {
  readonly options: OptionTable;
  readonly required?: readonly string[];
}

/** `text` is a string or bytes, `strings` anything that can be iterated and is no string; the elements are the caller's to check. */
export type SimpleOptionType =
  | "any"
  | "array"
  | "boolean"
  | "bytes"
  | "function"
  | "number"
  | "object"
  | "signal"
  | "string"
  | "strings"
  | "text";

export type OptionType = SimpleOptionType | OptionInterface | OptionGroup;
export type OptionTable = Readonly<Record<string, OptionType>>;

/** The names of the options of an interface, or of all members of a union. */
export type OptionNames<Options> = Options extends unknown ? keyof Options & string : never;

/** Every option of an interface, or of all members of a union, by name: for `satisfies`, so that a table cannot lack one or have one too many. */
export type OptionTypes<Options> = Readonly<Record<OptionNames<Options>, OptionType>>;

/** The methods of an interface, as a type that cannot lack one. */
export function methodsOf<Interface>(
  called: string,
  methods: {
    readonly [Name in keyof Interface as Interface[Name] extends (...args: never) => unknown ? Name : never]-?: true;
  },
  hint?: string,
): OptionInterface {
  return { called, methods: Object.keys(methods), ...(hint !== undefined && { hint }) };
}

export interface OptionCheck {
  /** Whose options they are: `connectDevice()`. */
  of: string;
  /** Goes before the names of options: `reconnect.`. Default none. */
  prefix?: string;
  required?: readonly string[];
}

/**
 * Refuses options that are no object, names that nobody knows, and values of another type; a value of `undefined` counts as absent.
 * What it was given is not kept.
 *
 * @throws {ThinglineError} OPTION_INVALID with the option's name in `details.option`, and the nearest name in `details.nearest`.
 */
export function checkOptionTypes(options: unknown, types: OptionTable, check: OptionCheck): void {
  try {
    checkTypes(options, types, check);
  } catch (error) {
    throw ownOrUnreadable(error, check);
  }
}

/** The names alone: for options whose values are checked one by one. @throws {ThinglineError} OPTION_INVALID */
export function checkOptionNames(options: unknown, known: Readonly<Record<string, unknown>>, check: OptionCheck): void {
  try {
    checkNames(options, known, check);
  } catch (error) {
    throw ownOrUnreadable(error, check);
  }
}

function checkTypes(options: unknown, types: OptionTable, check: OptionCheck): void {
  const { prefix = "", required } = check;
  checkNames(options, types, check);
  // By the names of the table: values may come from a prototype.
  for (const name in types) {
    const type = types[name] as OptionType;
    try {
      const value = (options as Readonly<Record<string, unknown>>)[name];
      if (value !== undefined) checkType(`${prefix}${name}`, value, type, check);
      else if (required?.includes(name) === true) throw invalidType(`${prefix}${name}`, type, value);
    } catch (error) {
      throw ownOrUnreadableValue(error, `${prefix}${name}`);
    }
  }
}

function checkNames(options: unknown, known: Readonly<Record<string, unknown>>, check: OptionCheck): void {
  const { of, prefix = "" } = check;
  const notOptions = (): ThinglineError =>
    optionInvalid(nameOf(check), `an object with the options of ${of}`, kindOf(options));
  if (typeof options !== "object" || options === null || Array.isArray(options)) throw notOptions();
  const names = Object.keys(options);
  if (names.length === 0 && isBuiltIn(options)) throw notOptions();
  for (const name of names) {
    if (Object.hasOwn(known, name) || (options as Record<string, unknown>)[name] === undefined) continue;
    throw unknownOption(name, Object.keys(known), { of, prefix });
  }
}

/**
 * As {@link checkOptionTypes}, and what was found: each option is read once, since a getter or a proxy runs code of the application's, which
 * may say something else the next time, or throw. Groups of options are the objects that were given.
 *
 * @throws {ThinglineError} OPTION_INVALID
 */
export function readOptions<Options extends object>(options: Options, types: OptionTable, check: OptionCheck): Options {
  checkOptionNames(options, types, check);
  const read: Record<string, unknown> = {};
  for (const name in types) {
    try {
      const value = (options as Readonly<Record<string, unknown>>)[name];
      if (value !== undefined) read[name] = value;
    } catch (error) {
      throw ownOrUnreadableValue(error, `${check.prefix ?? ""}${name}`);
    }
  }
  checkOptionTypes(read, types, check);
  return read as Options;
}

/**
 * A copy to change, with the values of a prototype that a table knows: `...` leaves them out, while the checks see them. What
 * nobody knows is copied for the check to tell.
 */
export function copyOptions<Options extends object>(options: Options, types: OptionTable): Options {
  const copy = { ...options } as Record<string, unknown>;
  for (const name in types) {
    if (Object.hasOwn(copy, name)) continue;
    const value = (options as Readonly<Record<string, unknown>>)[name];
    if (value !== undefined) copy[name] = value;
  }
  return copy as Options;
}

/**
 * For what is thrown while checked options are read again: the option that does it is found by reading them all once more.
 *
 * @returns OPTION_INVALID with its name; `thrown` when it is none of them
 */
export function unreadableOption(options: unknown, types: OptionTable, thrown: unknown, prefix = ""): unknown {
  if (thrown instanceof ThinglineError) return thrown;
  for (const name in types) {
    const type = types[name] as OptionType;
    try {
      const value = (options as Readonly<Record<string, unknown>>)[name];
      if (Array.isArray(value)) value.forEach(() => undefined);
      if (typeof type === "string" || !("options" in type) || typeof value !== "object" || value === null) continue;
      const inner = unreadableOption(value, type.options, undefined, `${prefix}${name}.`);
      if (inner !== undefined) return inner;
    } catch (error) {
      return ownOrUnreadableValue(error, `${prefix}${name}`);
    }
  }
  return thrown;
}

function ownOrUnreadableValue(error: unknown, option: string): ThinglineError {
  if (error instanceof ThinglineError) return error;
  const message = `${option}: expected a value that can be read, got one that threw when it was read`;
  return new ThinglineError("OPTION_INVALID", message, { details: { option }, cause: error });
}

/** Getters and proxies run code of the application's, which may throw. */
function ownOrUnreadable(error: unknown, check: OptionCheck): ThinglineError {
  if (error instanceof ThinglineError) return error;
  const option = nameOf(check);
  const message = `${option}: expected options of ${check.of} that can be read, got some that threw when they were read`;
  return new ThinglineError("OPTION_INVALID", message, { details: { option }, cause: error });
}

const nameOf = ({ prefix = "" }: OptionCheck): string => (prefix === "" ? "options" : prefix.slice(0, -1));

/**
 * A Map, a promise, a Date, an AbortSignal: without members, they would count as no options at all. An object of a class of the
 * application's may be options, and so may a module.
 */
const isBuiltIn = (options: object): boolean => !["Object", "Module"].includes(tagOf(options));

/** @param known every name that there is */
export function unknownOption(
  name: string,
  known: readonly string[],
  { of, prefix = "" }: OptionCheck,
): ThinglineError {
  const nearest = nearestOption(name, known);
  const shown = name.length > 64 ? `${name.slice(0, 64)}...` : name;
  const advice =
    nearest !== undefined
      ? `; did you mean ${prefix}${nearest}?`
      : known.length > 0 && known.length <= 16
        ? `; there are ${known.map((each) => prefix + each).join(", ")}`
        : "";
  const details = { option: `${prefix}${shown}`, ...(nearest !== undefined && { nearest: `${prefix}${nearest}` }) };
  return new ThinglineError("OPTION_INVALID", `${prefix}${shown}: ${of} has no such option${advice}`, { details });
}

function nearestOption(name: string, known: readonly string[]): string | undefined {
  const lower = name.slice(0, 64).toLowerCase();
  const byLower = new Map(known.map((each) => [each.toLowerCase(), each]));
  const near = nearestName(lower, byLower.keys(), Math.max(1, Math.min(3, Math.floor(lower.length / 3))));
  const part = near ?? (lower.length < 4 ? undefined : [...byLower.keys()].find((each) => each.includes(lower)));
  return part === undefined ? undefined : byLower.get(part);
}

function checkType(option: string, value: unknown, type: OptionType, { of }: OptionCheck): void {
  if (typeof type !== "string" && "options" in type) {
    const { options, required } = type;
    return checkOptionTypes(value, options, { of, prefix: `${option}.`, ...(required !== undefined && { required }) });
  }
  if (!isOfType(value, type)) throw invalidType(option, type, value);
}

function isOfType(value: unknown, type: SimpleOptionType | OptionInterface): boolean {
  switch (type) {
    case "any":
      return true;
    case "array":
      return Array.isArray(value);
    case "bytes":
      return isBytes(value);
    case "text":
      return typeof value === "string" || isBytes(value);
    case "object":
      return typeof value === "object" && value !== null;
    case "strings":
      return typeof value === "object" && value !== null && hasMethod(value, Symbol.iterator);
    case "signal":
      return hasMethod(value, "addEventListener") && typeof (value as AbortSignal).aborted === "boolean";
    case "boolean":
    case "function":
    case "number":
    case "string":
      return typeof value === type;
    default:
      return type.methods.every((method) => hasMethod(value, method));
  }
}

const described: Readonly<Record<SimpleOptionType, string>> = {
  any: "a value",
  array: "an array",
  boolean: "true or false",
  bytes: "a Uint8Array",
  function: "a function",
  number: "a number",
  object: "an object",
  signal: "an AbortSignal",
  string: "a string",
  strings: "a list of strings",
  text: "a string or a Uint8Array",
};

function invalidType(option: string, type: OptionType, value: unknown): ThinglineError {
  if (typeof type === "string") return optionInvalid(option, described[type], kindOf(value));
  if ("options" in type) return optionInvalid(option, "an object", kindOf(value));
  const missing = type.methods.filter((method) => !hasMethod(value, method)).map((method) => `${method}()`);
  const isClose = value !== undefined && missing.length < type.methods.length;
  const got = isClose ? `${kindOf(value)} without ${missing.join(", ")}` : kindOf(value);
  const hint = type.hint === undefined ? "" : `; ${type.hint}`;
  return optionInvalid(option, type.called, `${got}${hint}`);
}

/** An option outside its type or range, named. */
export function optionInvalid(option: string, expected: string, got: string | number): ThinglineError {
  return new ThinglineError("OPTION_INVALID", `${option}: expected ${expected}, got ${got}`, { details: { option } });
}

/** What a value is, for people; never the value, which may be a secret. */
export function kindOf(value: unknown): string {
  if (value === undefined) return "nothing";
  if (value === null) return "null";
  if (typeof value === "number") return Number.isFinite(value) ? "a number" : String(value);
  if (typeof value !== "object") return `a ${typeof value}`;
  if (Array.isArray(value)) return "an array";
  const tag = tagOf(value);
  const constructor: unknown = (value as { constructor?: unknown }).constructor;
  const name = typeof constructor === "function" && constructor.name !== "" ? constructor.name : tag;
  if (name === "Object") return "an object";
  return /^[\w$]{1,64}$/u.test(name) ? `a ${name}` : "an object";
}

function hasMethod(value: unknown, name: string | symbol): boolean {
  if ((typeof value !== "object" && typeof value !== "function") || value === null) return false;
  return typeof (value as Record<string | symbol, unknown>)[name] === "function";
}

const tagOf = (value: unknown): string => Object.prototype.toString.call(value).slice(8, -1);
