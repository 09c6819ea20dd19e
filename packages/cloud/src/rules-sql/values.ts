import { isDecimal, type SqlNumber } from "./numbers.js";

/** Objects have no prototype: any name may be a member. */
export interface SqlObject {
  readonly [name: string]: SqlValue;
}
export type SqlArray = readonly SqlValue[];
/** What is not JSON. It passes whole, or as an argument of `encode`. */
export type SqlBytes = Uint8Array;

/** A value of AWS IoT SQL; `undefined` is its Undefined. */
export type SqlValue = undefined | null | boolean | string | SqlNumber | SqlArray | SqlObject | SqlBytes;

export const isNumber = (value: SqlValue): value is SqlNumber => typeof value === "number" || isDecimal(value);
export const isArray = (value: SqlValue): value is SqlArray => Array.isArray(value);
export const isBytes = (value: SqlValue): value is SqlBytes => value instanceof Uint8Array;
export const isObject = (value: SqlValue): value is SqlObject =>
  typeof value === "object" && value !== null && !isDecimal(value) && !isArray(value) && !isBytes(value);

export function newObject(): { [name: string]: SqlValue } {
  return Object.create(null) as { [name: string]: SqlValue };
}

export function memberOf(value: SqlValue, name: string): SqlValue {
  return isObject(value) && Object.hasOwn(value, name) ? value[name] : undefined;
}
