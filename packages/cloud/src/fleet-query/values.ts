import { metersBetween, readPlace, type PlaceOrder } from "./geo.js";
import { wordsOf } from "./parse.js";
import type { RangeBound, ValueTest } from "./query.js";

/** What a document has in a field: what JSON can hold. */
export type FieldValue = unknown;

/** Whether a value, or any element of a list, is what is asked for. */
export function compileTest(test: ValueTest, order: PlaceOrder): (value: FieldValue) => boolean {
  switch (test.type) {
    case "exists":
      return isThere;
    case "near":
      return (value) => isNear(value, test, order);
    case "words":
      return anyOf(wordsMatcher(test.words));
    case "pattern":
      return anyOf((value) => wordsOf(String(value)).some((word) => fitsPattern(word, test.parts)));
    case "range":
      return anyOf(rangeMatcher(test.low, test.high));
  }
}

type Scalar = string | number | boolean;

function anyOf(matches: (value: Scalar) => boolean): (value: FieldValue) => boolean {
  const any = (value: FieldValue): boolean => {
    if (typeof value === "string" || typeof value === "number" || typeof value === "boolean") return matches(value);
    return Array.isArray(value) && value.some(any);
  };
  return any;
}

function isThere(value: FieldValue): boolean {
  if (value === undefined || value === null) return false;
  if (Array.isArray(value)) return value.some(isThere);
  return typeof value !== "object" || Object.values(value).some(isThere);
}

function isNear(value: FieldValue, near: Extract<ValueTest, { type: "near" }>, order: PlaceOrder): boolean {
  const place = readPlace(value, order);
  if (place !== undefined) return metersBetween(place, near) <= near.meters;
  return Array.isArray(value) && value.some((one) => isNear(one, near, order));
}

/** Nearly every query is one word, and nearly every value. */
function wordsMatcher(words: readonly string[]): (value: Scalar) => boolean {
  const [first = ""] = words;
  const number = words.length === 1 ? numberIn(first) : undefined;
  return (value) => {
    if (typeof value === "number") return value === number;
    const text = String(value).toLowerCase();
    if (words.length === 1 && text === first) return true;
    const of = wordsOf(text);
    for (let at = 0; at + words.length <= of.length; at++) {
      if (words.every((word, index) => of[at + index] === word)) return words.length > 0;
    }
    return false;
  };
}

/** As decimal numbers are written; undefined for anything else. */
export function numberIn(text: string): number | undefined {
  return /^[+-]?(\d+(\.\d*)?|\.\d+)(e[+-]?\d+)?$/i.test(text) ? Number(text) : undefined;
}

/** Numbers are compared where all that is compared is one, else texts are. */
function rangeMatcher(low: RangeBound | undefined, high: RangeBound | undefined): (value: Scalar) => boolean {
  const bounds = [low, high].filter((bound) => bound !== undefined);
  const isNumeric = bounds.every(({ text }) => numberIn(text) !== undefined);
  const isWithin = <T extends string | number>(value: T, read: (text: string) => T): boolean => {
    if (low !== undefined && !(value > read(low.text) || (low.isIncluded && value === read(low.text)))) return false;
    return high === undefined || value < read(high.text) || (high.isIncluded && value === read(high.text));
  };
  return (value) => {
    if (isNumeric && bounds.length > 0) {
      const number = typeof value === "number" ? value : numberIn(String(value));
      return number !== undefined && isWithin(number, Number);
    }
    return typeof value !== "number" && isWithin(String(value).toLowerCase(), String);
  };
}

/** Where a `*` was met last is all that has to be gone back to, so the time is bounded by the product of both lengths. */
export function fitsPattern(text: string, parts: readonly (string | undefined | null)[]): boolean {
  let at = 0;
  let part = 0;
  let star: { part: number; at: number } | undefined;
  for (;;) {
    const wanted = parts[part];
    if (part === parts.length && at === text.length) return true;
    if (part < parts.length && wanted === undefined) {
      star = { part: ++part, at };
      continue;
    }
    if (wanted === null && at < text.length) {
      at += 1;
      part += 1;
    } else if (typeof wanted === "string" && text.startsWith(wanted, at)) {
      at += wanted.length;
      part += 1;
    } else {
      if (star === undefined || star.at >= text.length) return false;
      star.at += 1;
      ({ part, at } = star);
    }
  }
}
