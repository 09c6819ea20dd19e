import { sqlInvalid } from "./errors.js";

export type Token =
  | { readonly type: "word"; readonly text: string; readonly at: number }
  | { readonly type: "variable"; readonly text: string; readonly at: number }
  | { readonly type: "number"; readonly text: string; readonly at: number }
  /** `text` is its contents. */
  | { readonly type: "string"; readonly text: string; readonly at: number }
  | { readonly type: "symbol"; readonly text: string; readonly at: number }
  | { readonly type: "end"; readonly text: ""; readonly at: number };

/** Words, strings, numbers and symbols of one statement. */
export const sqlTokensMax = 4_096;

const patterns = {
  space: /\s+/y,
  word: /[\p{L}_][\p{L}\p{N}_]*/uy,
  variable: /@[A-Za-z0-9_]+/y,
  number: /(?:\d+(?:\.\d*)?|\.\d+)(?:[eE][+-]?\d+)?/y,
  quoted: /`([^`]*)`/y,
  /** Also what has no meaning here: a topic filter without quotes has it, and anywhere else the parser says what it expected. */
  symbol: /<>|!=|<=|>=|[^]/uy,
} as const;

/** Cuts a statement into tokens. `at` counts characters from 0. @throws {ThinglineError} RULE_SQL_INVALID */
export function tokensOf(sql: string): Token[] {
  const tokens: Token[] = [];
  let at = 0;
  const match = (pattern: RegExp): RegExpExecArray | null => {
    pattern.lastIndex = at;
    return pattern.exec(sql);
  };
  while (at < sql.length) {
    const space = match(patterns.space);
    if (space !== null) {
      at += space[0].length;
      continue;
    }
    const { token, length } = stringAt(sql, at) ?? tokenAt(match, at);
    tokens.push(token);
    at += length;
    if (tokens.length > sqlTokensMax) throw sqlInvalid(`a statement has at most ${sqlTokensMax} words and symbols`);
  }
  tokens.push({ type: "end", text: "", at: sql.length });
  return tokens;
}

interface Found {
  token: Token;
  length: number;
}

function tokenAt(match: (pattern: RegExp) => RegExpExecArray | null, at: number): Found {
  const quoted = match(patterns.quoted);
  if (quoted !== null) return { token: { type: "word", text: quoted[1] ?? "", at }, length: quoted[0].length };
  for (const type of ["word", "variable", "number", "symbol"] as const) {
    const found = match(patterns[type]);
    if (found !== null) return { token: { type, text: found[0], at }, length: found[0].length };
  }
  throw new Error("every character is a symbol at least");
}

const escapes: Readonly<Record<string, string>> = { n: "\n", r: "\r", t: "\t", b: "\b", f: "\f" };

/**
 * In single or double quotes. A doubled quote stands for itself, as in SQL; a backslash takes JSON's meaning before the letters that have one
 * there, and itself before any other, so that regular expressions are written as they are.
 */
function stringAt(sql: string, at: number): Found | undefined {
  const quote = sql[at];
  if (quote !== "'" && quote !== '"') return undefined;
  let text = "";
  for (let next = at + 1; next < sql.length; next++) {
    const character = sql[next]!;
    if (character === quote) {
      if (sql[next + 1] !== quote) return { token: { type: "string", text, at }, length: next + 1 - at };
      text += quote;
      next++;
    } else if (character === "\\" && next + 1 < sql.length) {
      next++;
      text += unescaped(sql[next]!, quote);
    } else text += character;
  }
  throw sqlInvalid("a string has no end", at);
}

function unescaped(character: string, quote: string): string {
  if (character === quote || character === "\\") return character;
  return escapes[character] ?? `\\${character}`;
}
