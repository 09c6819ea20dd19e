import { ThinglineError } from "../errors.js";
import type { AtParameter, AtValue } from "./parameters.js";
import { formatAtParameters, parseAtParameters } from "./parameters.js";

/** `AT+CFUN` execute, `AT+CFUN=1` set, `AT+CFUN?` read, `AT+CFUN=?` test. */
export type AtCommandForm = "execute" | "set" | "read" | "test";

export interface AtCommand {
  /** Upper case, with its sign: `+CFUN`, `%CMNG`, `#XSLMVER`; empty for a bare `AT`; `E0` and `E1` switch the echo. */
  name: string;
  form: AtCommandForm;
  /** Of the set form only. `AT+CPSMS=` is a set form without parameters. */
  parameters: AtParameter[];
  /** Of `AT%XSUDO` only: what stands behind the semicolon, a command without its `AT`. No other command may be followed by one. */
  authenticated?: string;
}

/** What the modem's AT interface takes, the terminator not counted (NRF_MODEM_AT_MAX_CMD_SIZE). */
export const atCommandBytesMax = 4096;

const commandPattern = /^AT(?:(E[01]?)|([+%#][A-Z0-9_]+)(=\?|\?|=[^]*)?)?$/i;

/**
 * Parses one command line, terminator removed. The prefix and the name are taken in any case; control characters and
 * blanks around the line do not count (a line feed that a CR-terminated port left behind, for one).
 *
 * @throws {ThinglineError} `AT_MALFORMED`: the modem answers a plain ERROR. The message never repeats the line.
 */
export function parseAtCommand(line: string): AtCommand {
  const match = commandPattern.exec(trimControls(line));
  if (match === null) {
    const message =
      "AT command: expected AT, then nothing, E0, E1, or +, % or # with a name, then nothing, ?, =? or =values";
    throw new ThinglineError("AT_MALFORMED", message);
  }
  const name = (match[1] ?? match[2] ?? "").toUpperCase();
  const rest = match[3];
  if (rest === undefined) return { name, form: "execute", parameters: [] };
  if (rest === "?") return { name, form: "read", parameters: [] };
  if (rest === "=?") return { name, form: "test", parameters: [] };
  if (name === "%XSUDO") return parseAuthenticated(name, rest.slice(1));
  return { name, form: "set", parameters: parseAtParameters(rest.slice(1)) };
}

/** `<length>,"<signature>"[,<key slot>];<command>`: neither a signature in base64 nor what stands before it has a semicolon. */
function parseAuthenticated(name: string, text: string): AtCommand {
  const end = text.indexOf(";");
  const parameters = parseAtParameters(end < 0 ? text : text.slice(0, end));
  return { name, form: "set", parameters, ...(end < 0 ? {} : { authenticated: text.slice(end + 1) }) };
}

function trimControls(line: string): string {
  let from = 0;
  let to = line.length;
  while (from < to && line.charCodeAt(from) <= 0x20) from++;
  while (to > from && line.charCodeAt(to - 1) <= 0x20) to--;
  return line.slice(from, to);
}

/**
 * Writes a command line without terminator: `formatAtCommand("%CMNG", [1, 43])` is `AT%CMNG=1,43`.
 *
 * @param values left out: execute form; `"?"` and `"=?"`: read and test form.
 * @throws {ThinglineError} `AT_MALFORMED` when a text cannot be quoted.
 */
export function formatAtCommand(name: string, values?: readonly AtValue[] | "?" | "=?"): string {
  if (values === undefined) return `AT${name}`;
  if (typeof values === "string") return `AT${name}${values}`;
  return `AT${name}=${formatAtParameters(values)}`;
}
