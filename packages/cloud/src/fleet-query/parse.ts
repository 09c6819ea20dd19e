import { isThinglineError, ThinglineError } from "@thingline/protocol";
import { parseNear } from "./geo.js";
import {
  leadingWildcardQueryCharactersMax,
  queryCharactersMax,
  queryTermsMax,
  queryWildcardsMax,
  type Query,
  type RangeBound,
  type ValueTest,
} from "./query.js";

export interface ParseOptions {
  /** Throws for a field that cannot be searched. */
  checkField: (field: string) => void;
}

/**
 * Takes a query apart. NOT binds closest, then AND, then OR; what stands side by side is an AND that binds last of all, so
 * `a OR b c` is `(a OR b) AND c`. As on AWS a fault of syntax is told before too many terms, and those before what is wrong with fields and
 * values, of which the first one is told.
 *
 * @throws {ThinglineError} QUERY_INVALID; REQUEST_INVALID for a query that is too long, and whatever `checkField` throws.
 * @see AWS IoT developer guide, "Query syntax"
 */
export function parseQuery(text: string, options: ParseOptions): Query {
  // Code points: counted without making a list of them, as a body may be large.
  if (text.length > queryCharactersMax && text.length - surrogatePairs(text) > queryCharactersMax) {
    const message = `1 validation error detected: Value '${text.slice(0, queryCharactersMax)}...' at 'queryString' failed to satisfy constraint: Member must have length less than or equal to ${queryCharactersMax}`;
    throw new ThinglineError("REQUEST_INVALID", message, { details: { queryCharactersMax } });
  }
  return new QueryParser(text, options).parse();
}

function surrogatePairs(text: string): number {
  return text.match(/[\ud800-\udbff][\udc00-\udfff]/g)?.length ?? 0;
}

/** Java's `Character.isWhitespace`, by codes. */
const spaceCharacters = String.fromCharCode(
  ...[9, 10, 11, 12, 13, 28, 29, 30, 31, 32, 0x1680, 0x2028, 0x2029, 0x205f, 0x3000],
  ...[0x2000, 0x2001, 0x2002, 0x2003, 0x2004, 0x2005, 0x2006, 0x2008, 0x2009, 0x200a],
);
const space = new RegExp(`[${spaceCharacters}]`);
const spaces = new RegExp(`[${spaceCharacters}]+`);
/** What a word ends before. */
const isWordEnd = (char: string | undefined) => char === undefined || char === "(" || char === ")" || space.test(char);
/** Of AWS's list of what a query cannot have. The comma is for places alone. */
const specialCharacters = new Set("`@#%;',/");

interface Part {
  /** The character itself, after an escape as well. */
  readonly char: string;
  readonly isEscaped: boolean;
}

class QueryParser {
  readonly #text: string;
  readonly #options: ParseOptions;
  #at = 0;
  #terms = 0;
  #leadingWildcards = 0;
  /** The first fault that is not of syntax. */
  #fault: ThinglineError | undefined;

  constructor(text: string, options: ParseOptions) {
    this.#text = text;
    this.#options = options;
  }

  parse(): Query {
    const query = this.#sideBySide(undefined);
    if (this.#at < this.#text.length) throw this.#syntaxFault();
    if (this.#terms > queryTermsMax) {
      throw this.#invalid(`number of terms cannot exceed ${queryTermsMax}, terms found: ${this.#terms}`);
    }
    this.#checkLeadingWildcards();
    if (this.#fault !== undefined) throw this.#fault;
    return query;
  }

  #sideBySide(field: string | undefined): Query {
    const all = [this.#either(field)];
    while (this.#peek() !== undefined && this.#peek() !== ")") all.push(this.#either(field));
    return joined("and", all);
  }

  #either(field: string | undefined): Query {
    const all = [this.#both(field)];
    while (this.#accept("OR", "||")) all.push(this.#both(field));
    return joined("or", all);
  }

  #both(field: string | undefined): Query {
    const all = [this.#perhapsNot(field)];
    while (this.#accept("AND", "&&")) all.push(this.#perhapsNot(field));
    return joined("and", all);
  }

  #perhapsNot(field: string | undefined): Query {
    return this.#acceptNot() ? { type: "not", of: this.#one(field) } : this.#one(field);
  }

  /** A group, or a term. What follows is undefined at the end of the query. */
  #one(field: string | undefined): Query {
    if (this.#peek() === "(") return this.#group(field);
    if (this.#peek() === ")" || this.#acceptNot() || this.#accept("AND", "&&") || this.#accept("OR", "||")) {
      throw this.#syntaxFault();
    }
    return this.#clause(field);
  }

  #group(field: string | undefined): Query {
    this.#at++;
    const query = this.#sideBySide(field);
    if (this.#peek() !== ")") throw this.#syntaxFault();
    this.#at++;
    return query;
  }

  /** `value`, `field:value`, `field:(values)`, `field>value`. @param groupField of the group of values that it is in */
  #clause(groupField: string | undefined): Query {
    if (this.#peek() === "+") {
      this.#refuse('unsupported operator - "+"');
      this.#at++;
    }
    const start = this.#at;
    const name = this.#name();
    const sign = this.#peek();
    if (name !== "" && (sign === ":" || sign === "<" || sign === ">")) {
      if (sign !== ":") return this.#comparison(name);
      this.#at++;
      this.#suspect(() => this.#options.checkField(name));
      if (this.#peek() === "(") return this.#group(name);
      return this.#term(name);
    }
    this.#at = start;
    return this.#term(groupField);
  }

  /** What may be the name of a field, unescaped; a word's beginning where it is none. */
  #name(): string {
    let name = "";
    for (let char = this.#text[this.#at]; char !== undefined && !isWordEnd(char); char = this.#text[this.#at]) {
      if (':<>"[]{}'.includes(char)) break;
      name += this.#next().char;
    }
    return name;
  }

  #comparison(field: string): Query {
    const sign = this.#text[this.#at++];
    const isIncluded = this.#text[this.#at] === "=";
    if (isIncluded) this.#at++;
    this.#suspect(() => this.#options.checkField(field));
    const char = this.#peek();
    const text = char === '"' ? this.#quoted() : textOf(this.#word());
    const bound = { text: text.toLowerCase(), isIncluded };
    const test = {
      type: "range",
      low: sign === ">" ? bound : undefined,
      high: sign === "<" ? bound : undefined,
    } as const;
    this.#terms++;
    return { type: "term", field, test };
  }

  #term(field: string | undefined): Query {
    this.#terms++;
    const char = this.#peek();
    if (char === "[" || char === "{") return { type: "term", field, test: this.#range() };
    if (char === '"') {
      const test = wordsTest(this.#quoted());
      // Nothing may stand right after it.
      if (!isWordEnd(this.#text[this.#at])) throw this.#syntaxFault();
      return { type: "term", field, test };
    }
    const start = this.#at;
    const parts = this.#word();
    const written = this.#text.slice(start, this.#at);
    if (written === "*")
      return field === undefined ? { type: "all" } : { type: "term", field, test: { type: "exists" } };
    return { type: "term", field, test: this.#valueTest(field, parts, written) };
  }

  #valueTest(field: string | undefined, parts: readonly Part[], written: string): ValueTest {
    const where = `field name: ${field ?? ""}, value: ${written}`;
    const near = this.#suspect(() => parseNear(written));
    if (near !== undefined) return near;
    const signs = parts.filter(({ isEscaped }) => !isEscaped).map(({ char }) => char);
    const [first] = parts;
    const begins = (char: string) => first?.char === char && !first.isEscaped;
    const wildcards = signs.filter((char) => char === "*").length;
    if (begins("/")) this.#refuse("unsupported query type - regular expression");
    if (signs.includes("~")) this.#refuse("unsupported query type - fuzzy");
    if (signs.includes("^")) this.#refuse("unsupported query type - boost");
    if (begins("?")) {
      this.#refuse(`invalid value - wildcard character (?) is not allowed at the start of the value, ${where}`);
    }
    if (wildcards > queryWildcardsMax) {
      const most = `The maximum allowed per term is ${queryWildcardsMax}`;
      this.#refuse(`invalid value - too many wildcards (*). ${most}, ${where}`);
    }
    const special = signs.find((char) => specialCharacters.has(char));
    if (special !== undefined)
      this.#refuse(`invalid value - special character (${special}) is not supported, ${where}`);
    if (begins("*")) this.#leadingWildcards++;
    if (wildcards === 0 && !signs.includes("?")) return wordsTest(textOf(parts));
    return { type: "pattern", parts: patternOf(parts) };
  }

  #checkLeadingWildcards(): void {
    if (this.#leadingWildcards > 1) this.#refuse("leading wildcard is limited to 1 term per query");
    if (this.#leadingWildcards === 1 && [...this.#text].length > leadingWildcardQueryCharactersMax) {
      this.#refuse(
        `query with a leading wildcard cannot be longer than ${leadingWildcardQueryCharactersMax} characters`,
      );
    }
  }

  /** `[low TO high]`; the word in between may be missing, and the brackets need not be of one kind, as AWS reads it. */
  #range(): ValueTest {
    const opening = this.#text[this.#at++];
    const bounds: string[] = [];
    for (;;) {
      while (this.#text[this.#at] === " ") this.#at++;
      const char = this.#text[this.#at];
      if (char === "]" || char === "}") break;
      bounds.push(this.#bound());
    }
    const closing = this.#text[this.#at++];
    const hasTo = bounds.length === 3 && bounds[1] === "TO";
    const [low, high] = hasTo ? [bounds[0], bounds[2]] : bounds;
    const isPair = hasTo || bounds.length === 2;
    if (!isPair || low === undefined || high === undefined || low === "TO" || high === "TO") throw this.#syntaxFault();
    return {
      type: "range",
      low: boundOf(low, opening === "["),
      high: boundOf(high, closing === "]"),
    };
  }

  #bound(): string {
    if (this.#text[this.#at] === '"') return this.#quoted();
    let text = "";
    for (let char = this.#text[this.#at]; char !== " " && char !== "]" && char !== "}"; char = this.#text[this.#at]) {
      if (char === undefined || char === ")" || char === "(" || space.test(char)) throw this.#syntaxFault();
      text += this.#next().char;
    }
    return text;
  }

  /** @throws when the quotation does not end */
  #quoted(): string {
    let text = "";
    for (this.#at++; this.#text[this.#at] !== '"';) {
      if (this.#at >= this.#text.length) throw this.#syntaxFault();
      text += this.#next().char;
    }
    this.#at++;
    return text;
  }

  /** At least one character. */
  #word(): Part[] {
    const parts: Part[] = [];
    for (let char = this.#peekHere(); !isWordEnd(char); char = this.#peekHere()) {
      if (':<>"[]{}'.includes(char ?? "")) throw this.#syntaxFault();
      parts.push(this.#next());
    }
    if (parts.length === 0) throw this.#syntaxFault();
    return parts;
  }

  #peekHere(): string | undefined {
    return this.#text[this.#at];
  }

  /** The next character, which a backslash makes one like any other. */
  #next(): Part {
    const char = this.#text[this.#at++] ?? "";
    if (char !== "\\" || this.#at >= this.#text.length) return { char, isEscaped: false };
    return { char: this.#text[this.#at++] ?? "", isEscaped: true };
  }

  /** What comes after white space; undefined at the end. */
  #peek(): string | undefined {
    while (this.#at < this.#text.length && space.test(this.#text[this.#at]!)) this.#at++;
    return this.#text[this.#at];
  }

  #accept(...operators: readonly string[]): boolean {
    this.#peek();
    const operator = operators.find(
      (one) => this.#text.startsWith(one, this.#at) && isWordEnd(this.#text[this.#at + one.length]),
    );
    this.#at += operator?.length ?? 0;
    return operator !== undefined;
  }

  #acceptNot(): boolean {
    if (this.#accept("NOT")) return true;
    const char = this.#peek();
    if (char !== "-" && char !== "!") return false;
    this.#at++;
    return true;
  }

  /** A fault that does not keep the rest from being read. */
  #suspect<Result>(check: () => Result): Result | undefined {
    try {
      return check();
    } catch (error) {
      if (!isThinglineError(error)) throw error;
      this.#fault ??= isThinglineError(error, "QUERY_INVALID") ? this.#invalid(error.message) : error;
      return undefined;
    }
  }

  #refuse(what: string): void {
    this.#fault ??= this.#invalid(what);
  }

  #syntaxFault(): ThinglineError {
    return this.#invalid("invalid syntax");
  }

  #invalid(what: string): ThinglineError {
    return new ThinglineError("QUERY_INVALID", `Unable to parse query, ${what}, query string: ${this.#text}`);
  }
}

function joined(type: "and" | "or", of: readonly Query[]): Query {
  return of.length === 1 ? of[0]! : { type, of };
}

const textOf = (parts: readonly Part[]) => parts.map(({ char }) => char).join("");

function wordsTest(text: string): ValueTest {
  return { type: "words", words: wordsOf(text) };
}

/** As values are taken apart as well. */
export function wordsOf(text: string): string[] {
  return text
    .toLowerCase()
    .split(spaces)
    .filter((word) => word !== "");
}

function patternOf(parts: readonly Part[]): (string | undefined | null)[] {
  const pattern: (string | undefined | null)[] = [];
  let literal = "";
  const end = () => {
    if (literal !== "") pattern.push(literal.toLowerCase());
    literal = "";
  };
  for (const { char, isEscaped } of parts) {
    if (isEscaped || (char !== "*" && char !== "?")) {
      literal += char;
      continue;
    }
    end();
    pattern.push(char === "*" ? undefined : null);
  }
  end();
  return pattern;
}

function boundOf(text: string, isIncluded: boolean): RangeBound | undefined {
  return text === "*" ? undefined : { text: text.toLowerCase(), isIncluded };
}
