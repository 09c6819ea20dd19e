/** A condition operator of the IAM grammar, taken apart. */
export interface ConditionOperator {
  /** Lower case, without prefix, `Not` and suffix: `stringequals`, `bool`, `null` ... */
  test: ConditionTest;
  isNegated: boolean;
  /** `ForAnyValue:` or `ForAllValues:`. */
  quantifier: "any" | "all" | undefined;
  /** `IfExists`: holds when the key is not there. */
  isIfExists: boolean;
}

export type ConditionTest =
  | "stringEquals"
  | "stringEqualsIgnoreCase"
  | "stringLike"
  | "numericEquals"
  | "numericLessThan"
  | "numericLessThanEquals"
  | "numericGreaterThan"
  | "numericGreaterThanEquals"
  | "dateEquals"
  | "dateLessThan"
  | "dateLessThanEquals"
  | "dateGreaterThan"
  | "dateGreaterThanEquals"
  | "bool"
  | "binaryEquals"
  | "ipAddress"
  | "arnLike"
  | "null";

const operators: Readonly<Record<string, readonly [test: ConditionTest, isNegated: boolean]>> = {
  stringequals: ["stringEquals", false],
  stringnotequals: ["stringEquals", true],
  stringequalsignorecase: ["stringEqualsIgnoreCase", false],
  stringnotequalsignorecase: ["stringEqualsIgnoreCase", true],
  stringlike: ["stringLike", false],
  stringnotlike: ["stringLike", true],
  numericequals: ["numericEquals", false],
  numericnotequals: ["numericEquals", true],
  numericlessthan: ["numericLessThan", false],
  numericlessthanequals: ["numericLessThanEquals", false],
  numericgreaterthan: ["numericGreaterThan", false],
  numericgreaterthanequals: ["numericGreaterThanEquals", false],
  dateequals: ["dateEquals", false],
  datenotequals: ["dateEquals", true],
  datelessthan: ["dateLessThan", false],
  datelessthanequals: ["dateLessThanEquals", false],
  dategreaterthan: ["dateGreaterThan", false],
  dategreaterthanequals: ["dateGreaterThanEquals", false],
  bool: ["bool", false],
  binaryequals: ["binaryEquals", false],
  ipaddress: ["ipAddress", false],
  notipaddress: ["ipAddress", true],
  // IAM: ArnEquals and ArnLike behave the same.
  arnequals: ["arnLike", false],
  arnnotequals: ["arnLike", true],
  arnlike: ["arnLike", false],
  arnnotlike: ["arnLike", true],
  null: ["null", false],
};

/** Takes `ForAnyValue:StringLikeIfExists` and the like apart; undefined when it is no operator. */
export function parseConditionOperator(text: string): ConditionOperator | undefined {
  let name = text.toLowerCase();
  let quantifier: ConditionOperator["quantifier"];
  if (name.startsWith("foranyvalue:")) quantifier = "any";
  else if (name.startsWith("forallvalues:")) quantifier = "all";
  if (quantifier !== undefined) name = name.slice(name.indexOf(":") + 1);
  const isIfExists = name.endsWith("ifexists");
  if (isIfExists) name = name.slice(0, -"ifexists".length);
  const found = Object.hasOwn(operators, name) ? operators[name] : undefined;
  // IAM has no NullIfExists: Null itself asks whether the key exists.
  if (found === undefined || (found[0] === "null" && (isIfExists || quantifier !== undefined))) return undefined;
  return { test: found[0], isNegated: found[1], quantifier, isIfExists };
}

/** What is wrong with a value that is compared by this operator, or undefined. */
export function checkConditionValue({ test }: ConditionOperator, value: string): string | undefined {
  if (test.startsWith("numeric")) return Number.isFinite(parseNumber(value)) ? undefined : "must be a number";
  if (test.startsWith("date"))
    return Number.isFinite(parseDateMs(value))
      ? undefined
      : "must be a date such as 2026-01-31T00:00:00Z, or Unix seconds";
  if (test === "bool" || test === "null") return /^(true|false)$/i.test(value) ? undefined : "must be true or false";
  if (test === "ipAddress")
    return parseAddressRange(value) ? undefined : "must be an IP address or a range such as 192.0.2.0/24";
  if (test === "binaryEquals") return /^[A-Za-z0-9+/]*={0,2}$/.test(value) ? undefined : "must be base64";
  if (test === "arnLike")
    return value === "*" || value.startsWith("arn:") ? undefined : "must be an ARN such as arn:aws:iot:*:*:topic/a";
  return undefined;
}

/** Compares texts whose form was checked; pattern operators are not compared here. A text of the wrong form never fits. */
export function compareValues(
  test: Exclude<ConditionTest, "stringLike" | "arnLike" | "null">,
  actual: string,
  wanted: string,
): boolean {
  switch (test) {
    case "stringEquals":
    case "binaryEquals":
      return actual === wanted;
    case "stringEqualsIgnoreCase":
    case "bool":
      return actual.toLowerCase() === wanted.toLowerCase();
    case "ipAddress":
      return isInRange(actual, wanted);
    case "numericEquals":
      return parseNumber(actual) === parseNumber(wanted);
    case "numericLessThan":
      return parseNumber(actual) < parseNumber(wanted);
    case "numericLessThanEquals":
      return parseNumber(actual) <= parseNumber(wanted);
    case "numericGreaterThan":
      return parseNumber(actual) > parseNumber(wanted);
    case "numericGreaterThanEquals":
      return parseNumber(actual) >= parseNumber(wanted);
    case "dateEquals":
      return parseDateMs(actual) === parseDateMs(wanted);
    case "dateLessThan":
      return parseDateMs(actual) < parseDateMs(wanted);
    case "dateLessThanEquals":
      return parseDateMs(actual) <= parseDateMs(wanted);
    case "dateGreaterThan":
      return parseDateMs(actual) > parseDateMs(wanted);
    case "dateGreaterThanEquals":
      return parseDateMs(actual) >= parseDateMs(wanted);
  }
}

function parseNumber(text: string): number {
  return /^[+-]?(\d+\.?\d*|\.\d+)(e[+-]?\d+)?$/i.test(text) ? Number(text) : NaN;
}

/** ISO 8601 as the W3C profile has it, or Unix seconds. */
function parseDateMs(text: string): number {
  if (/^\d+$/.test(text)) return Number(text) * 1000;
  return /^\d{4}(-\d{2}(-\d{2}(T\d{2}:\d{2}(:\d{2}(\.\d+)?)?(Z|[+-]\d{2}:\d{2}))?)?)?$/.test(text)
    ? Date.parse(text)
    : NaN;
}

interface AddressRange {
  bytes: readonly number[];
  prefixBits: number;
}

function parseAddressRange(text: string): AddressRange | undefined {
  const slash = text.indexOf("/");
  const bytes = parseAddress(slash < 0 ? text : text.slice(0, slash));
  if (bytes === undefined) return undefined;
  const bits = slash < 0 ? String(bytes.length * 8) : text.slice(slash + 1);
  return /^\d{1,3}$/.test(bits) && Number(bits) <= bytes.length * 8 ? { bytes, prefixBits: Number(bits) } : undefined;
}

function isInRange(address: string, range: string): boolean {
  const bytes = parseAddress(address);
  const wanted = parseAddressRange(range);
  if (bytes === undefined || wanted === undefined || bytes.length !== wanted.bytes.length) return false;
  for (let bit = 0; bit < wanted.prefixBits; bit += 8) {
    const mask = 0xff & (0xff << Math.max(0, bit + 8 - wanted.prefixBits));
    if (((bytes[bit >> 3] ?? 0) & mask) !== ((wanted.bytes[bit >> 3] ?? 0) & mask)) return false;
  }
  return true;
}

/** 4 or 16 bytes; an IPv4 address mapped into IPv6 counts as IPv4. */
function parseAddress(text: string): number[] | undefined {
  const mapped = /^::ffff:(\d+\.\d+\.\d+\.\d+)$/i.exec(text);
  if (mapped?.[1] !== undefined) return parseAddress(mapped[1]);
  if (/^\d{1,3}(\.\d{1,3}){3}$/.test(text)) {
    const bytes = text.split(".").map(Number);
    return bytes.every((byte) => byte <= 255) ? bytes : undefined;
  }
  const halves = text.split("::");
  if (halves.length > 2) return undefined;
  const [head = [], tail = []] = halves.map((half) => (half === "" ? [] : half.split(":")));
  const missing = 8 - head.length - tail.length;
  if (halves.length === 2 ? missing < 1 : missing !== 0) return undefined;
  const groups = halves.length === 2 ? [...head, ...Array<string>(missing).fill("0"), ...tail] : head;
  if (!groups.every((group) => /^[0-9a-f]{1,4}$/i.test(group))) return undefined;
  return groups.flatMap((group) => [parseInt(group, 16) >> 8, parseInt(group, 16) & 0xff]);
}
