import { Decimal as DecimalJs } from "decimal.js";

/** Numbers of AWS IoT SQL have 34 digits, as IEEE 754's decimal128, and exponents to 999. */
export const Decimal = DecimalJs.clone({
  precision: 34,
  rounding: DecimalJs.ROUND_HALF_EVEN,
  // As Java's BigDecimal is written, about; what is beyond is written with an exponent.
  toExpPos: 40,
  toExpNeg: -20,
  // As AWS's: what is beyond is no number, and nobody divides a million digits.
  maxE: 999,
  minE: -999,
});
export type Decimal = DecimalJs;

export const isDecimal = (value: unknown): value is Decimal => value instanceof DecimalJs;

/** A number of a message: a JavaScript number where that holds it. */
export type SqlNumber = number | Decimal;

/** Digits that a JavaScript number holds, whatever they are. */
const exactDigitsMax = 15;

/** The simplest form. undefined: no number, as of a division by zero. */
export function simplified(value: Decimal): SqlNumber | undefined {
  if (!value.isFinite()) return undefined;
  if (value.precision() > exactDigitsMax || Math.abs(value.e) > 300) return value;
  const number = value.toNumber();
  return number === 0 ? 0 : number;
}

const numberText = /^-?\d+(?:\.\d+)?(?:E-?\d+)?$/i;
/** Characters of a text that is read as a number. */
export const numberCharactersMax = 400;

export const isInteger = (value: SqlNumber): boolean =>
  isDecimal(value) ? value.isInteger() : Number.isInteger(value);

export function parseNumber(text: string): Decimal | undefined {
  if (text.length > numberCharactersMax || !numberText.test(text)) return undefined;
  const value = new Decimal(text);
  return value.isFinite() ? value.toSignificantDigits(34) : undefined;
}

/** Adds, subtracts, multiplies: whole numbers that stay exact need no decimals. */
export function combine(
  operator: "+" | "-" | "*" | "/" | "%",
  left: SqlNumber,
  right: SqlNumber,
): SqlNumber | undefined {
  if (typeof left === "number" && typeof right === "number" && Number.isInteger(left) && Number.isInteger(right)) {
    const exact = combineIntegers(operator, left, right);
    if (exact !== undefined && Number.isSafeInteger(exact)) return exact === 0 ? 0 : exact;
  }
  const [first, second] = [new Decimal(left), new Decimal(right)];
  switch (operator) {
    case "+":
      return simplified(first.plus(second));
    case "-":
      return simplified(first.minus(second));
    case "*":
      return simplified(first.times(second));
    case "/":
      return simplified(first.dividedBy(second));
    case "%":
      return simplified(first.modulo(second));
  }
}

function combineIntegers(operator: string, left: number, right: number): number | undefined {
  if (operator === "+") return left + right;
  if (operator === "-") return left - right;
  if (operator === "*") return left * right;
  if (operator === "%" && right !== 0) return left % right;
  return undefined;
}

export function compareNumbers(left: SqlNumber, right: SqlNumber): number {
  if (typeof left === "number" && typeof right === "number") return left < right ? -1 : left > right ? 1 : 0;
  return new Decimal(left).comparedTo(right);
}

export const negated = (value: SqlNumber): SqlNumber => (isDecimal(value) ? value.negated() : value === 0 ? 0 : -value);

export function numberToText(value: SqlNumber): string {
  if (typeof value === "number" && Number.isSafeInteger(value)) return String(value);
  return new Decimal(value).toString().replace("e+", "E+").replace("e-", "E-");
}
