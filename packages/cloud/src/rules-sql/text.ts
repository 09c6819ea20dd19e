import { sqlFailed } from "./errors.js";

/** Characters of a text that a statement makes: twice what a message holds. */
export const sqlTextCharactersMax = 262_144;

/** @throws {ThinglineError} RULE_SQL_FAILED for one that is longer */
export function bounded(text: string): string {
  if (text.length <= sqlTextCharactersMax) return text;
  throw sqlFailed(`the statement makes a text of more than ${sqlTextCharactersMax} characters`);
}

/** By adding, which does not copy: who joins a long text piece by piece would copy it each time. */
export const joined = (...parts: readonly string[]): string => bounded(parts.reduce((text, part) => text + part, ""));

const encoder = new TextEncoder();
const decoder = new TextDecoder("utf-8", { fatal: true, ignoreBOM: true });

export const encodeUtf8 = (text: string): Uint8Array => encoder.encode(text);

/** undefined for bytes that are no UTF-8. */
export function decodeUtf8(bytes: Uint8Array): string | undefined {
  try {
    return decoder.decode(bytes);
  } catch {
    return undefined;
  }
}
