import { ThinglineError } from "@thingline/protocol";
import type { Operation, OperationContext, Outcome } from "./operation.js";

/** Faults of one request that are reported together; the rest is only counted. */
const faultsShownMax = 10;
const valueShownCharactersMax = 100;

type Fault = { path: string; value: unknown; constraint: string };

/** Checks one member and says what is wrong in the words of AWS. */
export interface Rule<T> {
  check(value: unknown, path: string, faults: Fault[]): T;
}

export type Shape = { readonly [member: string]: Rule<unknown> };

type OptionalMembers<S extends Shape> = {
  [Member in keyof S]: S[Member] extends Rule<infer T> ? (undefined extends T ? Member : never) : never;
}[keyof S];
type Checked<R> = R extends Rule<infer T> ? T : never;

/** The input that a shape lets through. */
export type InputOf<S extends Shape> = {
  [Member in Exclude<keyof S, OptionalMembers<S>>]: Checked<S[Member]>;
} & { [Member in OptionalMembers<S>]?: Checked<S[Member]> };

export function string(options: { pattern?: RegExp; min?: number; max?: number } = {}): Rule<string> {
  const { pattern, min = 0, max = Infinity } = options;
  const whole = pattern && new RegExp(`^(?:${pattern.source})$`, pattern.flags);
  return {
    check(value, path, faults) {
      const fault = (constraint: string) => faults.push({ path, value, constraint });
      if (typeof value !== "string") {
        fault(value === undefined || value === null ? "Member must not be null" : "Member must be a string");
        return "";
      }
      // JSON can spell half a character, UTF-8 cannot: it would be another text wherever it is stored or sent.
      if (/\p{Surrogate}/u.test(value)) fault("Member must be well-formed Unicode text");
      if (value.length < min) fault(`Member must have length greater than or equal to ${min}`);
      if (value.length > max) fault(`Member must have length less than or equal to ${max}`);
      if (whole !== undefined && !whole.test(value)) {
        fault(`Member must satisfy regular expression pattern: ${pattern?.source}`);
      }
      return value;
    },
  };
}

export function oneOf<const Value extends string>(values: readonly Value[]): Rule<Value> {
  return {
    check(value, path, faults) {
      if (value === undefined || value === null) faults.push({ path, value, constraint: "Member must not be null" });
      else if (!values.includes(value as Value)) {
        faults.push({ path, value, constraint: `Member must satisfy enum value set: [${values.join(", ")}]` });
      }
      return value as Value;
    },
  };
}

export function integer({ min, max }: { min: number; max: number }): Rule<number> {
  return {
    check(value, path, faults) {
      const fault = (constraint: string) => faults.push({ path, value, constraint });
      if (!Number.isSafeInteger(value))
        fault(value === undefined ? "Member must not be null" : "Member must be an integer");
      else if ((value as number) < min) fault(`Member must have value greater than or equal to ${min}`);
      else if ((value as number) > max) fault(`Member must have value less than or equal to ${max}`);
      return value as number;
    },
  };
}

export function boolean(): Rule<boolean> {
  return {
    check(value, path, faults) {
      if (typeof value !== "boolean") faults.push({ path, value, constraint: "Member must be a boolean" });
      return value === true;
    },
  };
}

/** The raw body of a request. */
export function bytes(): Rule<Uint8Array> {
  return {
    check(value, path, faults) {
      if (value instanceof Uint8Array) return value;
      faults.push({ path, value, constraint: "Member must be bytes" });
      return new Uint8Array();
    },
  };
}

/** A map with string keys, given as a plain object. */
export function map<Value>(key: Rule<string>, member: Rule<Value>): Rule<Record<string, Value>> {
  return {
    check(value, path, faults) {
      if (!isObject(value)) {
        faults.push({ path, value, constraint: "Member must be a map" });
        return {};
      }
      return Object.fromEntries(
        Object.entries(value).map(([name, item]) => {
          key.check(name, `${path}.key`, faults);
          return [name, member.check(item, `${path}.${name}.member`, faults)];
        }),
      );
    },
  };
}

export function object<S extends Shape>(shape: S): Rule<InputOf<S>> {
  return {
    check(value, path, faults) {
      if (isObject(value)) return checkMembers(shape, value, `${path}.`, faults);
      faults.push({ path, value, constraint: "Member must be a structure" });
      return {} as InputOf<S>;
    },
  };
}

/** What AWS acts on and this cloud does not: refused by name, unless it says nothing (not there, null, empty). */
export function unsupported(): Rule<undefined> {
  return {
    check(value, path, faults) {
      if (value !== undefined && value !== null && !isEmpty(value)) {
        faults.push({ path, value, constraint: "Member is not supported by the local cloud" });
      }
      return undefined;
    },
  };
}

const isEmpty = (value: unknown): boolean =>
  typeof value === "object" && value !== null && Object.keys(value).length === 0;

/** Not there, or null as some clients send it. */
export function optional<T>(rule: Rule<T>): Rule<T | undefined> {
  return {
    check: (value, path, faults) =>
      value === undefined || value === null ? undefined : rule.check(value, path, faults),
  };
}

/** @throws {ThinglineError} REQUEST_INVALID with all faults, worded as AWS does. Unknown members are ignored. */
export function validate<S extends Shape>(shape: S, input: unknown): InputOf<S> {
  const faults: Fault[] = [];
  if (!isObject(input)) throw new ThinglineError("REQUEST_INVALID", "The request must be a JSON object");
  const checked = checkMembers(shape, input, "", faults);
  if (faults.length === 0) return checked;
  const count = `${faults.length} validation error${faults.length === 1 ? "" : "s"} detected`;
  throw new ThinglineError("REQUEST_INVALID", `${count}: ${faults.slice(0, faultsShownMax).map(tell).join("; ")}`);
}

/** An operation that checks its input first, whoever calls it. */
export function operation<S extends Shape, Result>(
  shape: S,
  decide: (context: OperationContext, input: InputOf<S>) => Promise<Outcome<Result>>,
): Operation<InputOf<S>, Result> {
  const run: Operation<InputOf<S>, Result> = async (context, input) => decide(context, validate(shape, input));
  return Object.assign(run, { members: Object.keys(shape) });
}

/** An outcome of an operation that changes nothing. */
export function answer<Result>(result: Result): Outcome<Result> {
  return { result, operations: [], effects: [] };
}

function checkMembers<S extends Shape>(shape: S, value: object, prefix: string, faults: Fault[]): InputOf<S> {
  const given = value as Record<string, unknown>;
  const checked: Record<string, unknown> = {};
  for (const name in shape) {
    const member = shape[name]!.check(Object.hasOwn(given, name) ? given[name] : undefined, prefix + name, faults);
    if (member !== undefined) checked[name] = member;
  }
  return checked as InputOf<S>;
}

function tell({ path, value, constraint }: Fault): string {
  const shown = typeof value === "string" ? `'${value.slice(0, valueShownCharactersMax)}'` : kind(value);
  return `Value ${shown} at '${path}' failed to satisfy constraint: ${constraint}`;
}

function kind(value: unknown): string {
  if (value === undefined || value === null) return "null";
  return typeof value === "number" || typeof value === "boolean" ? `'${value}'` : `of type ${typeof value}`;
}

const isObject = (value: unknown): value is object =>
  typeof value === "object" && value !== null && !Array.isArray(value) && !(value instanceof Uint8Array);
