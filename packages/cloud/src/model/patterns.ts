/** Values longer than this are not tried against a pattern that could take more than linear time. No value that fits is as long. */
export const patternCharactersMax = 4_096;

/** What AWS means by a pattern: Java's regular expression, for the whole value. */
export interface Pattern {
  /** As AWS wrote it, for messages. */
  source: string;
  test(value: string): boolean;
}

/** POSIX classes of Java, which are of ASCII, as content of a class of characters. */
const posixClasses: Readonly<Record<string, string>> = {
  Alnum: "0-9A-Za-z",
  Alpha: "A-Za-z",
  ASCII: "\\x00-\\x7F",
  Blank: "\\x20\\t",
  Cntrl: "\\x00-\\x1F\\x7F",
  Digit: "0-9",
  Graph: "\\x21-\\x7E",
  Lower: "a-z",
  Print: "\\x20-\\x7E",
  Punct: "\\x21-\\x2F\\x3A-\\x40\\x5B-\\x60\\x7B-\\x7E",
  Space: "\\x20\\t\\n\\v\\f\\r",
  Upper: "A-Z",
  XDigit: "0-9A-Fa-f",
};

/** Java's white space is of ASCII, that of JavaScript is not. */
const javaSpace = "\\x20\\t\\n\\v\\f\\r";
const notJavaSpace = "\\x00-\\x08\\x0E-\\x1F\\x21-\\u{10FFFF}";

/**
 * Java's regular expression in the words of JavaScript with the flag `u`: POSIX classes and white space are of ASCII, and a dot leaves
 * out what ends a line in Java.
 *
 * @throws {SyntaxError} when it is none in JavaScript after all.
 */
export function translatePattern(java: string): RegExp {
  let text = "";
  let isInClass = false;
  for (let at = 0; at < java.length;) {
    const token = /^(?:\\[pP]\{\w+\}|\\[\s\S]|[\s\S])/.exec(java.slice(at))?.[0] ?? "";
    at += token.length;
    if (token === "[" && !isInClass) isInClass = true;
    else if (token === "]") isInClass = false;
    text += token === "." && !isInClass ? "[^\\n\\r\\u0085\\u2028\\u2029]" : translateEscape(token, isInClass);
  }
  return new RegExp(`^(?:${text})$`, "u");
}

function translateEscape(token: string, isInClass: boolean): string {
  if (token === "\\s") return isInClass ? javaSpace : `[${javaSpace}]`;
  if (token === "\\S") return isInClass ? notJavaSpace : `[^${javaSpace}]`;
  const [, sign = "", name = ""] = /^\\([pP])\{(\w+)\}$/.exec(token) ?? [];
  const content = sign === "" ? undefined : posixClasses[name];
  // A negated POSIX class inside of a class stays what it is, and does not compile: AWS has none.
  if (content === undefined || (sign === "P" && isInClass)) return token;
  return isInClass ? content : sign === "P" ? `[^${content}]` : `[${content}]`;
}

/** One class of characters, some times: no character can be taken in two ways, whatever the value. */
const isLinear = (java: string): boolean =>
  /^\^?\(?(?:\[(?:\\[\s\S]|[^\\\]])+\]|\\[a-zA-Z])(?:[*+]|\{\d+(?:,\d*)?\})?\)?\$?$/.test(java);

/** A pattern that is compiled when it is tried first. */
export function compilePattern(source: string): Pattern {
  let expression: RegExp | undefined;
  const charactersMax = isLinear(source) ? Infinity : patternCharactersMax;
  return {
    source,
    test(value) {
      if (value.length > charactersMax) return false;
      return (expression ??= translatePattern(source)).test(value);
    },
  };
}
