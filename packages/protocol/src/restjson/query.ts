import { decodePercent, encodePercent } from "./path.js";

/** A member that travels in the query string or in a header. */
export interface TextBinding {
  /** Its name in the query string or, in lower case, of the header. */
  name: string;
  /** How its text becomes a value; default `string`. */
  type?: "string" | "integer" | "boolean" | "timestamp";
}

/** Members by their names. */
export type TextBindings = Readonly<Record<string, TextBinding>>;

export const queryParametersMax = 200;

/**
 * Name and value pairs of a query string, decoded: `+` is a space, as clients of AWS send it.
 * @returns undefined when it is not well encoded, or has more than {@link queryParametersMax} pairs.
 */
export function parseQuery(query: string): [name: string, value: string][] | undefined {
  const parts = query.split("&").filter((part) => part !== "");
  if (parts.length > queryParametersMax) return undefined;
  const pairs: [string, string][] = [];
  for (const part of parts) {
    const equals = part.indexOf("=");
    const [name, value] = equals < 0 ? [part, ""] : [part.slice(0, equals), part.slice(equals + 1)];
    const decoded = [name, value].map((text) => decodePercent(text.replaceAll("+", " ")));
    const [decodedName, decodedValue] = decoded;
    if (decodedName === undefined || decodedValue === undefined) return undefined;
    pairs.push([decodedName, decodedValue]);
  }
  return pairs;
}

export function buildQuery(pairs: readonly (readonly [name: string, value: string])[]): string {
  return pairs.map(([name, value]) => `${encodePercent(name)}=${encodePercent(value)}`).join("&");
}

/**
 * Members bound to texts. A text that does not fit its type stays a text: the operation's own check then says what was
 * expected, in the same words as for the body.
 */
export function bindTexts(
  bindings: TextBindings,
  textOf: (name: string) => string | undefined,
): Record<string, string | number | boolean> {
  const members: [string, string | number | boolean][] = [];
  for (const [member, { name, type = "string" }] of Object.entries(bindings)) {
    const text = textOf(name);
    if (text !== undefined) members.push([member, convert(text, type)]);
  }
  return Object.fromEntries(members);
}

function convert(text: string, type: NonNullable<TextBinding["type"]>): string | number | boolean {
  switch (type) {
    case "string":
      return text;
    case "integer":
      return /^-?\d{1,15}$/u.test(text) ? Number(text) : text;
    case "boolean":
      return text === "true" ? true : text === "false" ? false : text;
    case "timestamp":
      return parseTimestamp(text) ?? text;
  }
}

/** restJson1 sends times in a query as ISO 8601 text. @returns Unix time in seconds. */
export function parseTimestamp(text: string): number | undefined {
  const iso = /^\d{4}-\d{2}-\d{2}T\d{2}:\d{2}:\d{2}(?:\.\d{1,9})?Z$/u.test(text) ? Date.parse(text) : NaN;
  return Number.isNaN(iso) ? undefined : iso / 1000;
}

/** Times in JSON bodies are Unix seconds; the fraction is kept. */
export function epochSeconds(unixMs: number): number {
  return unixMs / 1000;
}
