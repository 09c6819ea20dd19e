import { toIndex, toNumber } from "../conversions.js";
import { Decimal, simplified } from "../numbers.js";
import type { SqlValue } from "../values.js";
import { functionsOf, type SqlFunction } from "./function.js";

type Run = SqlFunction["run"];

/** Of one number, with all its digits. */
const exact =
  (change: (value: Decimal) => Decimal): Run =>
  ([value]) => {
    const number = toNumber(value);
    return number === undefined ? undefined : simplified(change(new Decimal(number)));
  };

/** Of numbers in double precision. What is imaginary or infinite is Undefined. */
const double =
  (compute: (...values: number[]) => number): Run =>
  (args) => {
    const values = args.map((value) => {
      const number = toNumber(value);
      return number === undefined ? Number.NaN : Number(number);
    });
    return finite(compute(...values));
  };

const finite = (value: number): number | undefined => (Number.isFinite(value) ? (value === 0 ? 0 : value) : undefined);

const bits =
  (combine: (...values: bigint[]) => bigint): Run =>
  (args) => {
    const values: bigint[] = [];
    for (const value of args) {
      const number = toNumber(value);
      if (number === undefined) return undefined;
      values.push(BigInt(new Decimal(number).floor().toFixed()));
    }
    return simplified(new Decimal(combine(...values).toString()));
  };

const remainder: Run = ([left, right]) => {
  const [first, second] = [toNumber(left), toNumber(right)];
  if (first === undefined || second === undefined) return undefined;
  return simplified(new Decimal(first).modulo(second));
};

/** AWS: from 0 to 34. What is beyond is set to the next of them. */
const placesMax = 34;

function trunc([value, wanted]: readonly SqlValue[]): SqlValue {
  const [number, count] = [toNumber(value), toIndex(wanted)];
  if (number === undefined || count === undefined) return undefined;
  const places = Math.min(placesMax, Math.max(0, count));
  return simplified(new Decimal(number).toDecimalPlaces(places, Decimal.ROUND_DOWN));
}

/** Half goes away from zero. */
const round = exact((value) => value.toDecimalPlaces(0, Decimal.ROUND_HALF_UP));

/** The other value where the first is Undefined or Null, as AWS's table has it. What is not a number here is Undefined already. */
const nanvl = ([value, otherwise]: readonly SqlValue[]): SqlValue => value ?? otherwise;

function sign([value]: readonly SqlValue[]): SqlValue {
  const number = toNumber(value);
  return number === undefined ? undefined : Math.sign(Number(number)) || 0;
}

function chr([value]: readonly SqlValue[]): SqlValue {
  const code = toIndex(value);
  return code === undefined || code < 0 || code > 127 ? undefined : String.fromCharCode(code);
}

export const numberFunctions = functionsOf({
  abs: [1, 1, exact((value) => value.abs())],
  acos: [1, 1, double(Math.acos)],
  asin: [1, 1, double(Math.asin)],
  atan: [1, 1, double(Math.atan)],
  atan2: [2, 2, double(Math.atan2)],
  bitand: [2, 2, bits((left = 0n, right = 0n) => left & right)],
  bitor: [2, 2, bits((left = 0n, right = 0n) => left | right)],
  bitxor: [2, 2, bits((left = 0n, right = 0n) => left ^ right)],
  bitnot: [1, 1, bits((value = 0n) => ~value)],
  ceil: [1, 1, exact((value) => value.ceil())],
  chr: [1, 1, chr],
  cos: [1, 1, double(Math.cos)],
  cosh: [1, 1, double(Math.cosh)],
  exp: [1, 1, double(Math.exp)],
  floor: [1, 1, exact((value) => value.floor())],
  ln: [1, 1, double(Math.log)],
  log: [1, 1, double(Math.log10)],
  mod: [2, 2, remainder],
  nanvl: [2, 2, nanvl],
  power: [2, 2, double((base = Number.NaN, exponent = Number.NaN) => base ** exponent)],
  rand: [0, 0, (_, host) => host.random()],
  remainder: [2, 2, remainder],
  round: [1, 1, round],
  sign: [1, 1, sign],
  sin: [1, 1, double(Math.sin)],
  sinh: [1, 1, double(Math.sinh)],
  sqrt: [1, 1, double(Math.sqrt)],
  tan: [1, 1, double(Math.tan)],
  tanh: [1, 1, double(Math.tanh)],
  trunc: [2, 2, trunc],
});
