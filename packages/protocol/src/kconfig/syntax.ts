/** Where a value was assigned. Lines count from 1. */
export interface KconfigOrigin {
  file: string;
  line: number;
}

export interface KconfigAssignment extends KconfigOrigin {
  /** Without `CONFIG_`. */
  name: string;
  /** What stands after `=`, as written; `n` for `# CONFIG_X is not set`. */
  raw: string;
}

export type KconfigLine =
  | { type: "assignment"; name: string; raw: string }
  | { type: "ignored" }
  | { type: "malformed"; reason: string };

/** Names are compared letter by letter when one is unknown, so their length has a bound. */
export const kconfigNameCharactersMax = 128;
export const kconfigLineCharactersMax = 8192;

const assignment = /^CONFIG_([^=]*)=(.*)$/su;
const unset = /^# CONFIG_([A-Z0-9_]+) is not set$/u;
const validName = /^[A-Z0-9_]+$/u;

/**
 * One line of a Kconfig fragment, without its line end. Trailing blanks are dropped, as Zephyr's reader does.
 *
 * @see Zephyr, "Setting Kconfig configuration values"
 */
export function parseKconfigLine(text: string): KconfigLine {
  if (text.length > kconfigLineCharactersMax) {
    return {
      type: "malformed",
      reason: `a line has at most ${kconfigLineCharactersMax} characters, got ${text.length}`,
    };
  }
  const line = text.trimEnd();
  const isUnset = unset.exec(line);
  if (isUnset) return { type: "assignment", name: isUnset[1] ?? "", raw: "n" };
  if (line === "" || line.trimStart().startsWith("#")) return { type: "ignored" };
  if (line !== line.trimStart()) return { type: "malformed", reason: "an assignment starts in the first column" };
  const match = assignment.exec(line);
  if (!match) return { type: "malformed", reason: `expected CONFIG_NAME=value, got ${excerpt(line)}` };
  const [, name = "", raw = ""] = match;
  if (name.trimEnd() !== name || raw.trimStart() !== raw) {
    return { type: "malformed", reason: `no blanks are allowed around "=", got ${excerpt(line)}` };
  }
  if (!validName.test(name) || name.length > kconfigNameCharactersMax) {
    return { type: "malformed", reason: `a name has capital letters, digits and "_" only, got ${excerpt(name)}` };
  }
  return { type: "assignment", name, raw };
}

export type ParsedValue<Value> = { value: Value } | { reason: string };

/** Zephyr looks at the first character alone, so `yes` is y. */
export function parseBool(raw: string): ParsedValue<boolean> {
  if (raw.startsWith("y")) return { value: true };
  if (raw.startsWith("n")) return { value: false };
  return { reason: `expected y or n, got ${excerpt(raw)}` };
}

export function parseInt10(raw: string): ParsedValue<number> {
  if (!/^[+-]?[0-9]+$/u.test(raw)) return { reason: `expected a decimal number without quotes, got ${excerpt(raw)}` };
  return safeNumber(Number(raw), raw);
}

/** The prefix `0x` may be left out: the symbol's type says that it is hexadecimal. */
export function parseHex(raw: string): ParsedValue<number> {
  const match = /^(?:0[xX])?([0-9a-fA-F]+)$/u.exec(raw);
  if (!match) return { reason: `expected a hexadecimal number without quotes, got ${excerpt(raw)}` };
  return safeNumber(parseInt(match[1] ?? "", 16), raw);
}

function safeNumber(value: number, raw: string): ParsedValue<number> {
  return Number.isSafeInteger(value) ? { value } : { reason: `the number ${excerpt(raw)} is too large` };
}

/** Only `\"` and `\\` mean something, and any other `\x` is x. What follows the closing quote is ignored. */
export function parseString(raw: string): ParsedValue<string> {
  if (!raw.startsWith('"')) return { reason: `expected text in double quotes, got ${excerpt(raw)}` };
  let value = "";
  for (let index = 1; index < raw.length; index++) {
    const character = raw[index];
    if (character === '"') return { value };
    if (character === "\\") index++;
    value += raw[index] ?? "";
  }
  return { reason: `the closing double quote is missing in ${excerpt(raw)}` };
}

/** Text in quotes and escaped, as a configuration file is read back. */
export function encodeKconfigString(value: string): string {
  return `"${value.replace(/["\\]/gu, "\\$&")}"`;
}

function excerpt(text: string): string {
  return JSON.stringify(text.length > 60 ? `${text.slice(0, 60)}...` : text);
}
