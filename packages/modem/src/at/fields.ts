import { ThinglineError } from "@thingline/protocol";
import { atParametersMax } from "@thingline/protocol/at";
import type { Domain } from "./domain.js";

/** One value of a line, between two commas. */
export interface Field<Value> {
  /** @param text As it stands, quotes included. @returns undefined when it is not such a value. */
  read(text: string): Value | undefined;
  write(value: Value): string;
  readonly domain: Domain;
}

/** A value that may be left out. */
export interface OptionalField<Value> extends Field<Value> {
  readonly isOptional: true;
}

/** A place that means nothing on an nRF91. */
export interface ReservedField {
  readonly reserved: string;
}

export function integer(lowest: number, highest: number): Field<number> {
  return {
    read: (text) => {
      const value = /^[+-]?[0-9]{1,15}$/.test(text) ? Number(text) : Number.NaN;
      return value >= lowest && value <= highest ? value : undefined;
    },
    write: String,
    domain: { type: "integer", lowest, highest },
  };
}

/** As {@link integer}, and 0 for none. */
export function integerOrZero(lowest: number, highest: number): Field<number> {
  const field = integer(lowest, highest);
  return { ...field, read: (text) => (text === "0" ? 0 : field.read(text)) };
}

const anyText = /^[^"\0]*$/;

/** Text in quotes. There is no escape. */
export function text(pattern: RegExp = anyText): Field<string> {
  return {
    read: (quoted) => {
      const value = /^"([^"]*)"$/.exec(quoted)?.[1];
      return value !== undefined && pattern.test(value) ? value : undefined;
    },
    write: (value) => {
      if (anyText.test(value)) return `"${value}"`;
      throw new ThinglineError("AT_MALFORMED", "AT parameters: a text cannot hold a quote or a NUL");
    },
    domain: { type: "text", pattern },
  };
}

/** Text without quotes. */
export function bare(pattern: RegExp): Field<string> {
  return {
    read: (value) => (pattern.test(value) ? value : undefined),
    write: (value) => value,
    domain: { type: "text", pattern },
  };
}

/** 0 or 1. */
export const flag: Field<boolean> = {
  read: (text) => (text === "0" ? false : text === "1" ? true : undefined),
  write: (value) => (value ? "1" : "0"),
  domain: { type: "choice", values: [false, true] },
};

type WordOf<Words> = Extract<Words[keyof Words], string | number>;

/** Numbers on the wire that have words, or are of a few only. */
export function choice<const Words extends Readonly<Record<number, string | number>>>(
  words: Words,
): Field<WordOf<Words>> {
  const entries = Object.entries(words) as [string, WordOf<Words>][];
  const numbers = new Map(entries.map(([number, word]) => [word, number]));
  return {
    read: (text) => entries.find(([number]) => number === text)?.[1],
    write: (value) => numbers.get(value) ?? "",
    domain: { type: "choice", values: [...numbers.keys()] },
  };
}

/** Bits as the reference writes them: `"0011"`. */
export function bits(length: number): Field<string> {
  return text(new RegExp(`^[01]{${length}}$`));
}

/** Hexadecimal digits in quotes. */
export function hex(digits: number): Field<string> {
  return text(new RegExp(`^[0-9A-Fa-f]{${digits}}$`));
}

export function optional<Value>(field: Field<Value>): OptionalField<Value> {
  return { ...field, isOptional: true };
}

/** A place that is written as `shown`, and read whatever stands there. */
export function reserved(shown = ""): ReservedField {
  return { reserved: shown };
}

/**
 * The values of a line: split at commas that are outside quotes and parentheses, blanks around them taken away.
 *
 * @returns undefined for an open quote or list, and for more than {@link atParametersMax}.
 */
export function splitValues(line: string): string[] | undefined {
  const values: string[] = [];
  let from = 0;
  let depth = 0;
  let isQuoted = false;
  for (let at = 0; at <= line.length; at++) {
    const character = line[at];
    if (character === '"') isQuoted = !isQuoted;
    else if (isQuoted && character !== undefined) continue;
    else if (character === "(") depth++;
    else if (character === ")") depth--;
    else if (character === undefined || (character === "," && depth === 0)) {
      values.push(line.slice(from, at).trim());
      from = at + 1;
    }
    if (depth < 0 || values.length > atParametersMax) return undefined;
  }
  return isQuoted || depth !== 0 ? undefined : values;
}
