import { encodeBase64 } from "@thingline/protocol/x509";
import { Decimal, isDecimal, numberToText, simplified } from "./numbers.js";
import { sqlFailed } from "./errors.js";
import {
  isArray,
  isBytes,
  isNumber,
  isObject,
  newObject,
  type SqlArray,
  type SqlObject,
  type SqlValue,
} from "./values.js";

/** How deep objects and lists of a message may stand in each other to be read as JSON. */
export const messageDepthMax = 128;

/** A number whose digits may be more than a JavaScript number holds, or an exponent. */
const riskyNumber = /[\d.]{16}|\d[eE]/;

const numberAt = /-?[\d.]+(?:[eE][+-]?\d+)?/y;

const decoder = new TextDecoder("utf-8", { fatal: true, ignoreBOM: true });

/** @returns undefined for what is no JSON, and for what is deeper than {@link messageDepthMax} */
export function readJson(bytes: Uint8Array): { value: SqlValue } | undefined {
  let text: string;
  try {
    text = decoder.decode(bytes);
  } catch {
    return undefined;
  }
  return readJsonText(text);
}

export function readJsonText(text: string): { value: SqlValue } | undefined {
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch {
    return undefined;
  }
  if (isTooDeep(text)) return undefined;
  // It is JSON: the reader of exact numbers needs to refuse nothing.
  return { value: riskyNumber.test(text) ? new ExactReader(text).read() : own(value) };
}

/** Counts what opens, strings too: it may say so of what is not so deep, and never the other way round. */
function isTooDeep(text: string): boolean {
  let depth = 0;
  let isText = false;
  for (let at = 0; at < text.length; at++) {
    const character = text[at];
    if (isText) {
      if (character === "\\") at++;
      else if (character === '"') isText = false;
    } else if (character === '"') isText = true;
    else if (character === "{" || character === "[") {
      if (++depth > messageDepthMax) return true;
    } else if (character === "}" || character === "]") depth--;
  }
  return false;
}

/** The same without prototypes. */
export function own(value: unknown): SqlValue {
  if (Array.isArray(value)) return value.map(own);
  if (typeof value !== "object" || value === null) return value as SqlValue;
  const object = newObject();
  for (const [name, member] of Object.entries(value)) object[name] = own(member);
  return object;
}

/** Reads a text that is known to be JSON, with every digit of its numbers. */
class ExactReader {
  readonly #text: string;
  #at = 0;

  constructor(text: string) {
    this.#text = text;
  }

  read(): SqlValue {
    this.#skipSpace();
    const character = this.#text[this.#at]!;
    if (character === "{") return this.#object();
    if (character === "[") return this.#array();
    if (character === '"') return this.#string();
    for (const [word, value] of [
      ["true", true],
      ["false", false],
      ["null", null],
    ] as const) {
      if (this.#text.startsWith(word, this.#at)) {
        this.#at += word.length;
        return value;
      }
    }
    return this.#number();
  }

  #skipSpace(): void {
    while (" \t\r\n".includes(this.#text[this.#at] ?? "x")) this.#at++;
  }

  /** Goes on behind a comma; false behind what ends the list. */
  #hasMore(end: string): boolean {
    this.#skipSpace();
    const isEnd = this.#text[this.#at] === end;
    if (isEnd || this.#text[this.#at] === ",") this.#at++;
    return !isEnd;
  }

  #object(): SqlValue {
    const object = newObject();
    this.#at++;
    while (this.#hasMore("}")) {
      this.#skipSpace();
      const name = this.#string();
      this.#skipSpace();
      this.#at++;
      object[name] = this.read();
    }
    return object;
  }

  #array(): SqlValue {
    const items: SqlValue[] = [];
    this.#at++;
    while (this.#hasMore("]")) items.push(this.read());
    return items;
  }

  #string(): string {
    const begin = this.#at++;
    while (this.#text[this.#at] !== '"') this.#at += this.#text[this.#at] === "\\" ? 2 : 1;
    return JSON.parse(this.#text.slice(begin, ++this.#at)) as string;
  }

  /** Whatever its length: a device may write as many digits as its message holds. */
  #number(): SqlValue {
    numberAt.lastIndex = this.#at;
    const text = numberAt.exec(this.#text)![0];
    this.#at += text.length;
    return numberOfJson(text);
  }
}

/** Without a number of so large an exponent that there is none, the member is left out. */
function numberOfJson(text: string): SqlValue {
  const value = new Decimal(text);
  return value.isFinite() ? simplified(value.toSignificantDigits(34)) : undefined;
}

/** Characters of what a statement makes, as JSON. A message has 131,072 bytes, and a rule may make more of it. */
export const sqlResultCharactersMax = 1_048_576;

/**
 * As JSON. Members that are Undefined are left out; in a list they are null.
 *
 * @throws {ThinglineError} RULE_SQL_FAILED for one that is longer: a list of variables of lists grows without end in few words
 */
export function writeJson(value: SqlValue, charactersMax: number = sqlResultCharactersMax): string {
  const writer = new Writer(charactersMax);
  writer.write(value ?? null);
  return writer.text;
}

class Writer {
  text = "";
  readonly #charactersMax: number;

  constructor(charactersMax: number) {
    this.#charactersMax = charactersMax;
  }

  write(value: SqlValue): void {
    if (isArray(value)) this.#array(value);
    else if (isObject(value)) this.#object(value);
    else this.#add(scalarText(value));
  }

  #add(text: string): void {
    this.text += text;
    if (this.text.length > this.#charactersMax) {
      throw sqlFailed(`the statement makes JSON of more than ${this.#charactersMax} characters`);
    }
  }

  #array(items: SqlArray): void {
    let before = "[";
    for (const item of items) {
      this.#add(before);
      this.write(item ?? null);
      before = ",";
    }
    this.#add(items.length === 0 ? "[]" : "]");
  }

  #object(object: SqlObject): void {
    let before = "{";
    for (const [name, member] of Object.entries(object)) {
      if (member === undefined) continue;
      this.#add(`${before}${JSON.stringify(name)}:`);
      this.write(member);
      before = ",";
    }
    this.#add(before === "{" ? "{}" : "}");
  }
}

function scalarText(value: Exclude<SqlValue, SqlArray | SqlObject>): string {
  if (typeof value === "string") return JSON.stringify(value);
  if (isNumber(value)) return isDecimal(value) ? numberToText(value) : JSON.stringify(value);
  return isBytes(value) ? JSON.stringify(encodeBase64(value)) : String(value);
}
