import { ThinglineError } from "../errors.js";

/** One comma-separated value of an AT command or of an information response. */
export type AtParameter =
  | { type: "integer"; value: number }
  /** Quoted text, quotes removed. There is no escape: a quote cannot be part of it. */
  | { type: "string"; value: string }
  /** Unquoted text that is no integer: `(0-3)`, `1.2`. */
  | { type: "token"; value: string }
  | { type: "empty" };

/** More parameters than any line of an nRF91 has: `%NCELLMEAS` with 17 neighbours has 96. */
export const atParametersMax = 128;

const integerPattern = /^[+-]?[0-9]{1,15}$/;

function malformed(problem: string): ThinglineError {
  return new ThinglineError("AT_MALFORMED", `AT parameters: ${problem}`);
}

/**
 * Splits at commas that are outside quotes and parentheses. Blanks around a value do not count.
 *
 * @returns nothing for an empty text; `1,,` gives three parameters.
 * @throws {ThinglineError} `AT_MALFORMED`. The message never repeats the text: it may hold a private key.
 */
export function parseAtParameters(text: string): AtParameter[] {
  if (text.trim() === "") return [];
  const parameters: AtParameter[] = [];
  let at = 0;
  for (;;) {
    const [parameter, next] = readParameter(text, at);
    parameters.push(parameter);
    if (next >= text.length) return parameters;
    if (parameters.length === atParametersMax) throw malformed(`more than ${atParametersMax} of them`);
    at = next + 1;
  }
}

/** Reads one parameter; the second result is the offset of the comma behind it, or the end. */
function readParameter(text: string, from: number): [AtParameter, number] {
  let at = from;
  while (isBlank(text, at)) at++;
  if (text[at] === '"') {
    const close = text.indexOf('"', at + 1);
    if (close < 0) throw malformed(`no closing quote for the one at offset ${at}`);
    let next = close + 1;
    while (isBlank(text, next)) next++;
    if (next < text.length && text[next] !== ",") throw malformed(`a comma expected at offset ${next}, behind a quote`);
    return [{ type: "string", value: text.slice(at + 1, close) }, next];
  }
  const next = endOfUnquoted(text, at);
  const value = text.slice(at, next).trim();
  if (value === "") return [{ type: "empty" }, next];
  if (integerPattern.test(value)) return [{ type: "integer", value: Number(value) }, next];
  return [{ type: "token", value }, next];
}

function endOfUnquoted(text: string, from: number): number {
  let depth = 0;
  let isQuoted = false;
  let at = from;
  for (; at < text.length; at++) {
    const character = text[at];
    if (character === '"') {
      // Inside a list such as `("ab",1)` only.
      if (depth === 0) throw malformed(`a quote inside unquoted text at offset ${at}`);
      isQuoted = !isQuoted;
    } else if (isQuoted) continue;
    else if (character === "(") depth++;
    else if (character === ")") depth = Math.max(0, depth - 1);
    else if (character === "," && depth === 0) break;
  }
  if (isQuoted || depth > 0) throw malformed(`a list without its end, begun at offset ${from}`);
  return at;
}

function isBlank(text: string, at: number): boolean {
  return at < text.length && text.charCodeAt(at) <= 0x20;
}

/** What {@link formatAtParameters} takes: numbers plain, text in quotes, undefined as an empty parameter. */
export type AtValue = number | string | undefined;

/** @throws {ThinglineError} `AT_MALFORMED` when a text holds a quote, a NUL, or a number is no integer. */
export function formatAtParameters(values: readonly AtValue[]): string {
  return values
    .map((value) => {
      if (value === undefined) return "";
      if (typeof value === "number") {
        if (!Number.isSafeInteger(value)) throw malformed(`an integer expected, got ${value}`);
        return String(value);
      }
      if (value.includes('"') || value.includes("\0")) throw malformed("a text cannot hold a quote or a NUL");
      return `"${value}"`;
    })
    .join(",");
}

export function integerAt(parameters: readonly AtParameter[], index: number): number | undefined {
  const parameter = parameters[index];
  return parameter?.type === "integer" ? parameter.value : undefined;
}

export function stringAt(parameters: readonly AtParameter[], index: number): string | undefined {
  const parameter = parameters[index];
  return parameter?.type === "string" ? parameter.value : undefined;
}

/** Whether the parameter was left out or is empty. */
export function isAbsentAt(parameters: readonly AtParameter[], index: number): boolean {
  const parameter = parameters[index];
  return parameter === undefined || parameter.type === "empty";
}
