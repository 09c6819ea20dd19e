import { isThinglineError } from "../errors.js";
import { type AtCommand, parseAtCommand } from "./command.js";
import type { AtParameter } from "./parameters.js";
import { integerAt, parseAtParameters } from "./parameters.js";
import { parseFinalResult } from "./result.js";

/** `+CESQ: 99,99,255,255,31,62`: an information response or a URC, taken apart. */
export interface Information {
  /** Upper case, with its sign. */
  name: string;
  parameters: AtParameter[];
  /** What stands behind the colon. */
  text: string;
}

const informationPattern = /^([+%#][A-Za-z0-9_]+): ?([^]*)$/;

/** @returns undefined when the line has no `+NAME: ` in front. Values that break the grammar give no parameters. */
export function parseInformation(line: string): Information | undefined {
  const match = informationPattern.exec(line);
  if (match === null) return undefined;
  const text = match[2] ?? "";
  let parameters: AtParameter[] = [];
  try {
    parameters = parseAtParameters(text);
  } catch (error) {
    // `%MDMEV: SEARCH STATUS 1` and the like are free text.
    if (!isThinglineError(error, "AT_MALFORMED")) throw error;
  }
  return { name: (match[1] ?? "").toUpperCase(), parameters, text };
}

/** Names under which an nRF91 sends URCs. */
export const notificationNames: ReadonlySet<string> = new Set([
  "+CEREG",
  "+CSCON",
  "+CEDRXP",
  "+CGEV",
  "+CNEC_EMM",
  "+CNEC_ESM",
  "+CIND",
  "+CMT",
  "+CDS",
  "%CESQ",
  "%XSIM",
  "%XTIME",
  "%XMODEMSLEEP",
  "%XT3412",
  "%XPOFWARN",
  "%XVBATLOWLVL",
  "%XVBATLVL",
  "%XTEMP",
  "%MDMEV",
  "%NCELLMEAS",
]);

export type LineKind = "final" | "information" | "notification" | "noise";

/**
 * What a line means while `command` waits for its answer, or when none does.
 *
 * A URC may stand in the middle of a response, and `+CEREG` and `+CSCON` have one form for the URC and another for the
 * answer to the read command: the answer has the subscription in front of the status.
 */
export function classifyLine(line: string, command: AtCommand | undefined): LineKind {
  if (parseFinalResult(line) !== undefined) return command === undefined ? "noise" : "final";
  const information = parseInformation(line);
  if (information === undefined) return command === undefined ? "noise" : "information";
  if (command === undefined) return "notification";
  if (command.authenticated !== undefined) return classifyLine(line, innerCommand(command.authenticated));
  const { name, parameters } = information;
  if (name.startsWith("#")) return isApplicationAnswer(name, command.name) ? "information" : "notification";
  if (!notificationNames.has(name)) return "information";
  if (name !== command.name) return "notification";
  if (command.form === "set") return "notification";
  // What is supported comes in parentheses, as no URC does.
  if (command.form === "test") return information.text.startsWith("(") ? "information" : "notification";
  if (name === "+CEREG" && command.form === "read") {
    return integerAt(parameters, 1) === undefined && parameters.length !== 0 ? "notification" : "information";
  }
  if (name === "+CSCON" && command.form === "read" && parameters.length === 1) return "notification";
  return "information";
}

/**
 * Lines of the serial modem application. Its commands answer under their own names, `AT#XSSOCKET=0` under that of plain sockets; whatever
 * else comes in between is a URC.
 */
function isApplicationAnswer(name: string, command: string): boolean {
  return name === command || (command === "#XSSOCKET" && name === "#XSOCKET");
}

/** The command that `AT%XSUDO` runs; what cannot be read has no answer that could be told from a URC. */
function innerCommand(text: string): AtCommand {
  try {
    return parseAtCommand(`AT${text}`);
  } catch (error) {
    if (!isThinglineError(error, "AT_MALFORMED")) throw error;
    return { name: "", form: "execute", parameters: [] };
  }
}
