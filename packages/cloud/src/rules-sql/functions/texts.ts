import { encodeUtf8, joined } from "../text.js";
import { toIndex, toText } from "../conversions.js";
import { sqlFailed } from "../errors.js";
import { isArray, type SqlValue } from "../values.js";
import { functionsOf, type SqlFunction } from "./function.js";
import { javaPattern, javaReplacement } from "./java-pattern.js";

type Run = SqlFunction["run"];

/** Items of a list that `concat` makes. */
export const sqlItemsMax = 100_000;
/** Spaces that `lpad` and `rpad` add at most, as AWS. */
const padMax = 1_000;

/** Null and Undefined as any argument give Undefined. */
const texts =
  (compute: (...values: string[]) => SqlValue): Run =>
  (args) => {
    const values = args.map(toText);
    return values.every((value) => value !== undefined) ? compute(...values) : undefined;
  };

function concat(args: readonly SqlValue[]): SqlValue {
  if (args.length === 0) return undefined;
  if (args.length === 1) return args[0];
  if (args.some(isArray)) {
    const count = args.reduce<number>((sum, value) => sum + (isArray(value) ? value.length : 1), 0);
    if (count > sqlItemsMax) throw sqlFailed(`concat() makes a list of more than ${sqlItemsMax} items`);
    return args.flatMap((value) => (isArray(value) ? value : [value]));
  }
  if (!args.some((value) => typeof value === "string")) return undefined;
  const values = args.map(toText);
  return values.every((value) => value !== undefined) ? joined(...values) : undefined;
}

const pad =
  (join: (text: string, spaces: string) => string): Run =>
  ([value, count]) => {
    const [text, spaces] = [toText(value), toIndex(count)];
    if (text === undefined || spaces === undefined) return undefined;
    return join(text, " ".repeat(Math.min(padMax, Math.max(0, spaces))));
  };

function substring([value, from, to]: readonly SqlValue[], length: number): SqlValue {
  const [text, begin, end] = [toText(value), toIndex(from), length > 2 ? toIndex(to) : Number.MAX_SAFE_INTEGER];
  if (text === undefined || begin === undefined || end === undefined) return undefined;
  const characters = Array.from(text);
  return characters.slice(Math.max(0, begin), Math.max(0, end)).join("");
}

function replaceAll(text = "", found = "", by = ""): string {
  if (found === "") return text;
  let result = "";
  let end = 0;
  for (let at = text.indexOf(found); at >= 0; at = text.indexOf(found, end)) {
    result = joined(result, text.slice(end, at), by);
    end = at + found.length;
  }
  return joined(result, text.slice(end));
}

function replacePattern(text = "", pattern = "", by = ""): SqlValue {
  const expression = javaPattern(pattern, "g");
  if (expression === undefined) return undefined;
  let result = "";
  let end = 0;
  for (const match of text.matchAll(expression)) {
    result = joined(result, text.slice(end, match.index), javaReplacement(by, match));
    end = match.index + match[0].length;
  }
  return joined(result, text.slice(end));
}

export const textFunctions = functionsOf({
  concat: [0, 255, concat],
  endswith: [2, 2, texts((text = "", end = "") => text.endsWith(end))],
  indexof: [2, 2, texts((text = "", part = "") => text.indexOf(part)), { isNewer: true }],
  length: [1, 1, texts((text = "") => Array.from(text).length), { isNewer: true }],
  lower: [1, 1, texts((text = "") => text.toLowerCase())],
  lpad: [2, 2, pad((text, spaces) => spaces + text)],
  ltrim: [1, 1, texts((text = "") => text.replace(/^[ \t]+/, ""))],
  numbytes: [1, 1, texts((text = "") => encodeUtf8(text).length), { isNewer: true }],
  regexp_matches: [2, 2, texts((text = "", pattern = "") => javaPattern(pattern)?.test(text))],
  regexp_replace: [3, 3, texts(replacePattern)],
  regexp_substr: [2, 2, texts((text = "", pattern = "") => javaPattern(pattern)?.exec(text)?.[0])],
  replace: [3, 3, texts(replaceAll)],
  rpad: [2, 2, pad((text, spaces) => text + spaces)],
  rtrim: [1, 1, texts((text = "") => text.replace(/[ \t]+$/, ""))],
  startswith: [2, 2, texts((text = "", begin = "") => text.startsWith(begin))],
  substring: [2, 3, (args) => substring(args, args.length)],
  trim: [1, 1, texts((text = "") => text.replace(/^[ \t]+|[ \t]+$/g, ""))],
  upper: [1, 1, texts((text = "") => text.toUpperCase())],
});
