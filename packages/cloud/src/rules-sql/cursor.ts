import { sqlInvalid } from "./errors.js";
import { tokensOf, type Token } from "./lexer.js";

/** How deep parentheses, calls, lists and queries of a statement may stand in each other. */
export const sqlDepthMax = 64;

/** Goes over the tokens of a statement, from the first to the last. */
export class Cursor {
  readonly #tokens: readonly Token[];
  #at = 0;
  #depth = 0;

  /** @throws {ThinglineError} RULE_SQL_INVALID */
  constructor(sql: string) {
    this.#tokens = tokensOf(sql);
  }

  peek(ahead = 0): Token {
    return this.#tokens[Math.min(this.#at + ahead, this.#tokens.length - 1)]!;
  }

  take(): Token {
    const token = this.peek();
    if (token.type !== "end") this.#at++;
    return token;
  }

  isSymbol(text: string, ahead = 0): boolean {
    const token = this.peek(ahead);
    return token.type === "symbol" && token.text === text;
  }

  /** Keywords are words like any other, in upper or lower case. */
  isWord(text: string, ahead = 0): boolean {
    const token = this.peek(ahead);
    return token.type === "word" && token.text.toUpperCase() === text;
  }

  skipSymbol(text: string): boolean {
    const isThere = this.isSymbol(text);
    if (isThere) this.#at++;
    return isThere;
  }

  skipWord(text: string): boolean {
    const isThere = this.isWord(text);
    if (isThere) this.#at++;
    return isThere;
  }

  expectSymbol(text: string): void {
    if (!this.skipSymbol(text)) throw this.unexpected(`"${text}"`);
  }

  expectWord(text: string): void {
    if (!this.skipWord(text)) throw this.unexpected(text);
  }

  /** @param expected what would have been right */
  unexpected(expected: string): Error {
    const { type, text, at } = this.peek();
    if (type === "end") return sqlInvalid(`expected ${expected} instead of the end of the statement`);
    const found = type === "string" ? `the string ${JSON.stringify(text)}` : JSON.stringify(text);
    return sqlInvalid(`expected ${expected} instead of ${found}`, at);
  }

  /** @throws {ThinglineError} RULE_SQL_INVALID where it goes deeper than {@link sqlDepthMax} */
  deeper<T>(read: () => T): T {
    if (++this.#depth > sqlDepthMax) throw sqlInvalid(`more than ${sqlDepthMax} levels of nesting`, this.peek().at);
    const result = read();
    this.#depth--;
    return result;
  }
}
