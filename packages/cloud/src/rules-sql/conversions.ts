import {
  compareNumbers,
  Decimal,
  isInteger,
  numberToText,
  parseNumber,
  simplified,
  type SqlNumber,
} from "./numbers.js";
import { writeJson } from "./json.js";
import { sqlTextCharactersMax } from "./text.js";
import type { Work } from "./work.js";
import { isArray, isNumber, isObject, type SqlValue } from "./values.js";

/** As a Decimal operand: a number, a text that is one, Null. undefined for anything else. */
export function toNumber(value: SqlValue): SqlNumber | undefined {
  if (isNumber(value)) return value;
  if (typeof value !== "string") return undefined;
  const number = parseNumber(value);
  return number === undefined ? undefined : simplified(number);
}

/** Rounded down, as functions take the numbers that they expect to be whole. */
export function toFloor(value: SqlValue): SqlNumber | undefined {
  const number = toNumber(value);
  if (number === undefined || isInteger(number)) return number;
  return simplified(new Decimal(number).floor());
}

/** A JavaScript number for places, lengths and the like, rounded down; undefined for what is none. */
export function toIndex(value: SqlValue): number | undefined {
  const integer = toFloor(value);
  return integer === undefined ? undefined : Number(integer);
}

export function toBoolean(value: SqlValue): boolean | undefined {
  if (typeof value === "boolean") return value;
  if (typeof value !== "string") return undefined;
  const word = value.toLowerCase();
  return word === "true" ? true : word === "false" ? false : undefined;
}

export function toText(value: SqlValue): string | undefined {
  if (typeof value === "string") return value;
  if (typeof value === "boolean") return String(value);
  if (isNumber(value)) return numberToText(value);
  if (isArray(value) || isObject(value)) return writeJson(value, sqlTextCharactersMax);
  return undefined;
}

/** Undefined with anything is Undefined; values of different types are not equal. */
export function isEqual(left: SqlValue, right: SqlValue, work: Work): boolean | undefined {
  if (left === undefined || right === undefined) return undefined;
  return isSame(left, right, work);
}

function isSame(left: SqlValue, right: SqlValue, work: Work): boolean {
  work.spend(1);
  if (left === right) return true;
  if (isNumber(left) && isNumber(right)) return compareNumbers(left, right) === 0;
  if (isArray(left) && isArray(right)) {
    return left.length === right.length && left.every((item, at) => isSame(item, right[at], work));
  }
  if (!isObject(left) || !isObject(right)) return false;
  const names = Object.keys(left);
  if (names.length !== Object.keys(right).length) return false;
  return names.every((name) => Object.hasOwn(right, name) && isSame(left[name], right[name], work));
}
