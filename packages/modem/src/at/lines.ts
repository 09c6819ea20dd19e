import { atParametersMax } from "@thingline/protocol/at";
import type { Domain } from "./domain.js";
import type { Field, OptionalField, ReservedField } from "./fields.js";
import { splitValues } from "./fields.js";

/** What stands behind the name of a command, of an information line or of a URC. */
export interface LineCodec<Value> {
  /**
   * @param isOpen Whether more may follow than is known: in answers, since newer firmware adds values; not in commands.
   * @returns undefined when it is something else.
   */
  parse(text: string, isOpen: boolean): Value | undefined;
  /** @throws {ThinglineError} `AT_MALFORMED` for a text that cannot be quoted. */
  format(value: Value): string;
  readonly domain: Domain;
}

type Shape = Readonly<Record<string, Field<unknown> | ReservedField>>;

/** The values of a shape: one for each field that means something. */
export type ValuesOfShape<Of> = {
  -readonly [
    Key in keyof Of as Of[Key] extends OptionalField<unknown> | ReservedField ? never : Key
  ]: Of[Key] extends Field<infer Value> ? Value : never;
} & {
  -readonly [Key in keyof Of as Of[Key] extends OptionalField<unknown> ? Key : never]?:
    | (Of[Key] extends Field<infer Value> ? Value : never)
    | undefined;
};

/** Values in the order of the shape. Optional ones that are left out at the end take their commas along. */
export function fields<const Of extends Shape>(shape: Of): LineCodec<ValuesOfShape<Of>> {
  const entries = Object.entries(shape);
  const parse = (line: string, isOpen: boolean): Record<string, unknown> | undefined => {
    const texts = splitValues(line);
    const hasMore = texts !== undefined && texts.length > entries.length && (entries.length > 0 || line.trim() !== "");
    if (texts === undefined || (hasMore && !isOpen)) return undefined;
    const values: Record<string, unknown> = {};
    for (const [index, [key, field]] of entries.entries()) {
      const text = texts[index] ?? "";
      if (isReserved(field)) {
        if (!isOpen && !["", '""', field.reserved].includes(text)) return undefined;
        continue;
      }
      if (text === "" && isOptional(field)) continue;
      const value = field.read(text);
      if (value === undefined) return undefined;
      values[key] = value;
    }
    return values;
  };
  const format = (values: Readonly<Record<string, unknown>>): string => {
    const texts = entries.map(([key, field]) => {
      if (isReserved(field)) return field.reserved;
      const value = values[key];
      return value === undefined ? "" : field.write(value);
    });
    while (texts.at(-1) === "" || (texts.at(-1) === '""' && isReserved(entries[texts.length - 1]?.[1]))) texts.pop();
    return texts.join(",");
  };
  const domains = entries.flatMap(([key, field]) =>
    isReserved(field) ? [] : [[key, { domain: field.domain, isOptional: isOptional(field) }] as const],
  );
  return {
    parse,
    format,
    domain: { type: "fields", fields: Object.fromEntries(domains) },
  } as unknown as LineCodec<ValuesOfShape<Of>>;
}

function isReserved(field: Field<unknown> | ReservedField | undefined): field is ReservedField {
  return field !== undefined && "reserved" in field;
}

function isOptional(field: Field<unknown>): field is OptionalField<unknown> {
  return "isOptional" in field;
}

/** A line of one value. */
export function single<Value>(field: Field<Value>): LineCodec<Value> {
  const codec = fields({ value: field });
  return {
    parse: (text, isOpen) => codec.parse(text, isOpen)?.value,
    format: (value) => field.write(value),
    domain: field.domain,
  };
}

/** The whole rest of a line, commas and all. */
export function rest(pattern: RegExp): LineCodec<string> {
  return {
    parse: (text) => (pattern.test(text.trim()) ? text.trim() : undefined),
    format: (value) => value,
    domain: { type: "text", pattern },
  };
}

/** What a test form lists, as it stands: `(0-3)`, `("service",(0,1)),("roam",(0,1))`. */
export const supported: LineCodec<string> = {
  ...rest(/^\(.*\)$/),
  domain: { type: "text", pattern: /^\([0-9,-]{1,20}\)(?:,\([0-9,-]{1,10}\)){0,3}$/ },
};

/** The rest of a line that has a few values only, with a word for each. Some references have it in quotes. */
export function restChoice<const Words extends Readonly<Record<string, string>>>(
  words: Words,
): LineCodec<Words[keyof Words]> {
  const entries = Object.entries(words) as [string, Words[keyof Words]][];
  const texts = new Map(entries.map(([text, word]) => [word, text]));
  return {
    parse: (text) => {
      const bare = text.trim().replace(/^"(.*)"$/, "$1");
      return entries.find(([known]) => known === bare)?.[1];
    },
    format: (value) => texts.get(value) ?? "",
    domain: { type: "choice", values: [...texts.keys()] },
  };
}

/** The same line with other values: a time instead of its digits. */
export function mapped<From, To>(
  codec: LineCodec<From>,
  { to, from, domain }: { to: (value: From) => To | undefined; from: (value: To) => From; domain: Domain },
): LineCodec<To> {
  return {
    parse: (text, isOpen) => {
      const value = codec.parse(text, isOpen);
      return value === undefined ? undefined : to(value);
    },
    format: (value) => codec.format(from(value)),
    domain,
  };
}

/** Values in parentheses, up to {@link atParametersMax} of them: `(2,"","","26201",7),(1,"","","26202",9)`. Whatever follows something else is not theirs. */
export function groups<Value>(of: LineCodec<Value>): LineCodec<Value[]> {
  return {
    parse: (text) => {
      const parts = splitValues(text);
      if (parts === undefined) return undefined;
      const values: Value[] = [];
      for (const part of parts) {
        if (!part.startsWith("(")) break;
        const value = of.parse(part.slice(1, -1), true);
        if (value === undefined) return undefined;
        values.push(value);
      }
      return values;
    },
    format: (values) => values.map((value) => `(${of.format(value)})`).join(","),
    domain: { type: "list", of: of.domain, lengthMax: atParametersMax },
  };
}

/** One list in parentheses: `(1,2,3)`. */
export function numbersInParentheses(lowest: number, highest: number): LineCodec<number[]> {
  const isRight = (value: number) => value >= lowest && value <= highest;
  return {
    parse: (text) => {
      const inner = /^\(([0-9, ]*)\)$/.exec(text.trim())?.[1];
      if (inner === undefined) return undefined;
      const values = inner.trim() === "" ? [] : inner.split(",").map((value) => Number.parseInt(value, 10));
      return values.every(isRight) ? values : undefined;
    },
    format: (values) => `(${values.join(",")})`,
    domain: { type: "list", of: { type: "integer", lowest, highest }, lengthMax: 64 },
  };
}
