import { sqlFailed } from "../errors.js";

/** Characters of a regular expression. */
export const patternCharactersMax = 2_048;

/** POSIX classes of Java, as what stands in a class of JavaScript. */
const classes: Readonly<Record<string, string>> = {
  Lower: "a-z",
  Upper: "A-Z",
  ASCII: "\\x00-\\x7F",
  Alpha: "a-zA-Z",
  Digit: "0-9",
  Alnum: "a-zA-Z0-9",
  Punct: "!-\\/:-@\\[-`{-~",
  Blank: " \\t",
  Space: "\\s",
  XDigit: "0-9a-fA-F",
};
const anchors: Readonly<Record<string, string>> = { A: "^", z: "$", Z: "$" };

/**
 * A regular expression of Java as one of JavaScript. undefined for what is none, as AWS has it, and for what Java has alone (possessive
 * quantifiers, atomic groups).
 *
 * @throws {ThinglineError} RULE_SQL_FAILED for one that is too long
 */
export function javaPattern(pattern: string, flags = ""): RegExp | undefined {
  if (pattern.length > patternCharactersMax) {
    throw sqlFailed(`a regular expression has at most ${patternCharactersMax} characters`);
  }
  const leading = /^\(\?([ims]+)\)/.exec(pattern);
  const source = translate(pattern.slice(leading?.[0].length ?? 0));
  try {
    return new RegExp(source, flags + (leading?.[1] ?? ""));
  } catch {
    return undefined;
  }
}

function translate(pattern: string): string {
  let source = "";
  let isClass = false;
  for (let at = 0; at < pattern.length; at++) {
    const character = pattern[at]!;
    if (character !== "\\") {
      if (character === "[") isClass = true;
      else if (character === "]") isClass = false;
      source += character;
      continue;
    }
    const named = /^\\p\{(\w+)\}/.exec(pattern.slice(at, at + 12));
    const set = classes[named?.[1] ?? ""];
    if (named !== null && set !== undefined) {
      source += isClass ? set : `[${set}]`;
      at += named[0].length - 1;
      continue;
    }
    const next = pattern[++at] ?? "";
    source += (isClass ? undefined : anchors[next]) ?? `\\${next}`;
  }
  return source;
}

/** What takes the place of a match: `$1` is a group, and what follows a backslash stands for itself. */
export function javaReplacement(text: string, [whole, ...groups]: readonly (string | undefined)[]): string {
  return text.replace(/\\([\s\S])|\$(\d)/g, (_, escaped: string | undefined, group: string | undefined) => {
    if (escaped !== undefined) return escaped;
    const at = Number(group);
    return (at === 0 ? whole : groups[at - 1]) ?? "";
  });
}
