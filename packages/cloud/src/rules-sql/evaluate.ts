import { isThinglineError } from "@thingline/protocol";
import type { BinaryOperator, CastType, Expression, Selection } from "./ast.js";
import { isEqual, toBoolean, toFloor, toNumber, toText } from "./conversions.js";
import { sqlFailed } from "./errors.js";
import { joined } from "./text.js";
import { requireFunction } from "./functions/table.js";
import type { MessageHost } from "./host.js";
import { combine, compareNumbers, Decimal, negated } from "./numbers.js";
import type { Work } from "./work.js";
import { isArray, isNumber, isObject, memberOf, newObject, type SqlObject, type SqlValue } from "./values.js";

/** What names and variables mean where an expression stands. */
export interface Scope {
  /** What names are members of: the message, or an element of what a nested query is about. */
  readonly root: SqlValue;
  readonly variables: ReadonlyMap<string, SqlValue>;
  /** For `encode(*)`: the message as it came. */
  readonly host: MessageHost;
  readonly work: Work;
}

/** Elements that nested queries of one message look at, in all. */
export const queriedElementsMax = 100_000;

/** Steps of a call, beside those of what it looks at. The dearest functions make a formatter of times, or compile a pattern. */
const callSteps = 20;

/** Evaluates expressions for one message. */
export class Evaluator {
  #queried = 0;

  /** @throws {ThinglineError} RULE_SQL_FAILED; {@link ExternalNeeded} */
  evaluate(expression: Expression, scope: Scope): SqlValue {
    scope.work.spend(1);
    switch (expression.kind) {
      case "literal":
        return expression.value;
      case "decimal":
        return new Decimal(expression.text);
      case "name":
        return memberOf(scope.root, expression.name);
      case "variable":
        return scope.variables.get(expression.name);
      case "member":
        return memberOf(this.evaluate(expression.of, scope), expression.name);
      case "star":
        return scope.host.message.payload;
      case "call":
        return this.#call(expression, scope);
      case "negative":
        return negative(this.evaluate(expression.of, scope));
      case "not":
        return not(this.evaluate(expression.of, scope));
      case "binary":
        return this.#binary(expression, scope);
      case "cast":
        return cast(this.evaluate(expression.of, scope), expression.type);
      case "case":
        return this.#case(expression, scope);
      case "object": {
        const object = newObject();
        for (const { name, value } of expression.members) {
          const member = this.evaluate(value, scope);
          if (member !== undefined) object[name] = member;
        }
        return object;
      }
      case "array":
        return expression.items.map((item) => this.evaluate(item, scope));
      case "query":
        return this.#query(expression, scope);
      case "exists": {
        const found = this.evaluate(expression.of, scope);
        return isArray(found) ? found.length > 0 : found !== undefined;
      }
    }
  }

  /** What items make together: their object, or the value of the only one. */
  select({ isValue, items }: Selection, scope: Scope): SqlValue {
    const [only] = items;
    if (isValue && only !== undefined) return only.kind === "all" ? scope.root : this.evaluate(only.of, scope);
    if (items.length === 1 && only?.kind === "all") return scope.root;
    const result = newObject();
    for (const item of items) {
      if (item.kind === "all") {
        if (isObject(scope.root)) copyMembers(result, scope.root, scope.work);
      } else {
        const value = this.evaluate(item.of, scope);
        if (value !== undefined) place(result, item.path, value, scope.work);
      }
    }
    return result;
  }

  #call({ name, args }: Expression & { kind: "call" }, scope: Scope): SqlValue {
    const { run, name: canonical } = requireFunction(name);
    if (canonical === "get_or_default") return this.#orDefault(args, scope);
    const { work } = scope;
    work.spend(callSteps);
    const values = args.map((arg) => this.evaluate(arg, scope));
    for (const value of values) work.spendOn(value);
    const result = run(values, scope.host);
    work.spendOn(result);
    return result;
  }

  #orDefault([of, otherwise]: readonly Expression[], scope: Scope): SqlValue {
    let value: SqlValue;
    try {
      value = of && this.evaluate(of, scope);
    } catch (error) {
      if (!isThinglineError(error, "RULE_SQL_FAILED")) throw error;
    }
    return value ?? (otherwise && this.evaluate(otherwise, scope));
  }

  #binary({ operator, left, right }: Expression & { kind: "binary" }, scope: Scope): SqlValue {
    const first = this.evaluate(left, scope);
    const result = operate(operator, first, this.evaluate(right, scope), scope.work);
    scope.work.spendOn(result);
    return result;
  }

  #case({ of, branches, otherwise }: Expression & { kind: "case" }, scope: Scope): SqlValue {
    const value = of === undefined ? true : this.evaluate(of, scope);
    if (value === undefined) return undefined;
    for (const { when, then } of branches) {
      if (isEqual(value, this.evaluate(when, scope), scope.work) === true) return this.evaluate(then, scope);
    }
    return otherwise === undefined ? undefined : this.evaluate(otherwise, scope);
  }

  #query({ select, from, where }: Expression & { kind: "query" }, scope: Scope): SqlValue {
    const of = this.evaluate(from, scope);
    if (of === undefined || of === null) return undefined;
    const one = (root: SqlValue): SqlValue => {
      if (++this.#queried > queriedElementsMax) {
        throw sqlFailed(`nested queries look at more than ${queriedElementsMax} elements of one message`);
      }
      const inner = { ...scope, root };
      if (where !== undefined && this.evaluate(where, inner) !== true) return undefined;
      return this.select(select, inner);
    };
    // Of an object it is what is selected of it, and no list: the guide's third example of transform() counts on that.
    return isArray(of) ? of.map(one).filter((result) => result !== undefined) : one(of);
  }
}

/** Puts a value where an alias says. What stands in its way and is no object gives way. */
function place(result: { [name: string]: SqlValue }, path: readonly string[], value: SqlValue, work: Work): void {
  let at = result;
  for (const name of path.slice(0, -1)) {
    const inner = newObject();
    const before = at[name];
    if (isObject(before)) copyMembers(inner, before, work);
    at[name] = inner;
    at = inner;
  }
  const last = path.at(-1);
  if (last !== undefined) at[last] = value;
}

function copyMembers(to: { [name: string]: SqlValue }, from: SqlObject, work: Work): void {
  const names = Object.keys(from);
  work.spend(names.length);
  for (const name of names) to[name] = from[name];
}

function negative(value: SqlValue): SqlValue {
  const number = toNumber(value);
  return number === undefined ? undefined : negated(number);
}

function not(value: SqlValue): SqlValue {
  const boolean = toBoolean(value);
  return boolean === undefined ? undefined : !boolean;
}

function operate(operator: BinaryOperator, left: SqlValue, right: SqlValue, work: Work): SqlValue {
  switch (operator) {
    case "AND":
    case "OR": {
      const [first, second] = [toBoolean(left), toBoolean(right)];
      if (first === undefined || second === undefined) return undefined;
      return operator === "AND" ? first && second : first || second;
    }
    case "=":
      return isEqual(left, right, work);
    case "<>": {
      const equal = isEqual(left, right, work);
      return equal === undefined ? undefined : !equal;
    }
    case "IN":
      if (!isArray(right) || left === undefined) return undefined;
      return right.some((item) => isEqual(left, item, work) === true);
    case "+":
      return add(left, right);
    case "-":
    case "*":
    case "/":
    case "%": {
      const [first, second] = [toNumber(left), toNumber(right)];
      return first === undefined || second === undefined ? undefined : combine(operator, first, second);
    }
    default:
      return compare(operator, left, right);
  }
}

/** Text where one of them is. */
function add(left: SqlValue, right: SqlValue): SqlValue {
  if (typeof left === "string" || typeof right === "string") {
    const [first, second] = [toText(left), toText(right)];
    return first === undefined || second === undefined ? undefined : joined(first, second);
  }
  return isNumber(left) && isNumber(right) ? combine("+", left, right) : undefined;
}

function compare(operator: BinaryOperator, left: SqlValue, right: SqlValue): SqlValue {
  const [first, second] = [toNumber(left), toNumber(right)];
  if (first === undefined || second === undefined) return undefined;
  const order = compareNumbers(first, second);
  if (operator === "<") return order < 0;
  if (operator === "<=") return order <= 0;
  return operator === ">" ? order > 0 : order >= 0;
}

function cast(value: SqlValue, type: CastType): SqlValue {
  if (value === undefined) return undefined;
  switch (type) {
    case "String":
      return toText(value);
    case "Boolean":
      return isNumber(value) ? compareNumbers(value, 0) !== 0 : toBoolean(value);
    case "Int":
    case "Decimal": {
      if (typeof value === "boolean") return value ? 1 : 0;
      return type === "Int" ? toFloor(value) : toNumber(value);
    }
  }
}
